"""How hard the property tests try, and what the tests show of each driver.

Property tests try a little while writing, more in CI, long at night.
"""

import os
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

# No deadlines: on two busy cores they measure the neighbours.
settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=100, print_blob=True)
settings.register_profile("nightly", deadline=None, max_examples=5000, print_blob=True)

default = "ci" if "CI" in os.environ else "dev"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", default))

ROOT = Path(__file__).resolve().parents[1]
DECODED = "tests/test_edge/test_decode_vectors.py::test_the_values_printed_are_the_values_told["
OUR_OWN = "made from"  # a vector of ours, after a table of the source
SHOWN = pytest.StashKey[dict]()


def pytest_addoption(parser):
    parser.addoption(
        "--scorecard",
        action="store_true",
        help="count what the tests show of each driver, and write it; `make scorecard`",
    )


@pytest.hookimpl(tryfirst=True)  # before -m and -k take tests away
def pytest_collection_modifyitems(config, items):
    config.stash[SHOWN] = shown = cases_of_tests([item.nodeid for item in items])
    if config.getoption("--scorecard"):
        from edge import scorecard  # noqa: PLC0415 - only here

        if shown["missing"]:
            raise pytest.UsageError(f"tests/evidence.toml: no such test: {shown['missing']}")
        found = scorecard.counted(
            ROOT / "fixtures" / "captures", shown["vectors"], shown["reserved"]
        )
        (ROOT / "edge" / scorecard.FILE).write_text(scorecard.encoded(found), "utf-8")
        (ROOT / scorecard.PAGE).write_text(scorecard.page(found), "utf-8")


@pytest.fixture
def shown_by_tests(request):
    """What the tests that were collected show of each driver."""
    return request.config.stash[SHOWN]


def cases_of_tests(names):
    """Count the cases that tests/evidence.toml names, and those of the table of vectors."""
    cases = Counter(name.partition("[")[0] for name in names)
    told = tomllib.loads((ROOT / "tests" / "evidence.toml").read_text("utf-8"))
    counts = {"vectors": Counter(), "reserved": Counter(), "missing": [], "drivers": set(told)}
    for driver, kinds in told.items():
        for kind, tests in kinds.items():
            for test in tests:
                count = cases[f"tests/test_drivers/{test}"]
                counts[kind][driver] += count
                counts["missing"] += [] if count else [test]
    for name in names:
        driver, _, what = name.removeprefix(DECODED).partition(": ")
        if name.startswith(DECODED) and not what.startswith(OUR_OWN):
            counts["vectors"][driver] += 1
    files = {name.partition("::")[0].rpartition("/")[2] for name in names}
    named = {
        test.partition("::")[0] for kinds in told.values() for t in kinds.values() for test in t
    }
    counts["is_whole"] = named <= files and any(name.startswith(DECODED) for name in names)
    return counts
