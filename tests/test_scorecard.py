"""The page of instruments says what the registry and the tests say, or this fails."""

from pathlib import Path

import pytest

from drivers.registry import REGISTRY
from edge import scorecard

ROOT = Path(__file__).resolve().parents[1]
REMEDY = "run `make scorecard` and commit what it writes"


def test_the_page_is_what_the_evidence_gives():
    text = (ROOT / scorecard.PAGE).read_text("utf-8")
    assert text == scorecard.page(scorecard.evidence()), REMEDY


def test_the_evidence_is_what_captures_and_tests_show(shown_by_tests):
    shown = shown_by_tests
    if not shown["is_whole"]:
        pytest.skip("only part of the tests was collected: make test-unit looks at all")
    captures = ROOT / "fixtures" / "captures"
    found = scorecard.counted(captures, shown["vectors"], shown["reserved"])
    assert scorecard.evidence() == found, REMEDY


def test_every_driver_says_which_tests_hold_it_to_its_sources(shown_by_tests):
    assert shown_by_tests["drivers"] == set(REGISTRY), "complete tests/evidence.toml"


def test_a_test_that_is_named_as_evidence_is_there(shown_by_tests):
    if not shown_by_tests["is_whole"]:
        pytest.skip("only part of the tests was collected: make test-unit looks at all")
    assert shown_by_tests["missing"] == []
