"""The house keeps its shape: who may import what, who reads clocks, what a start-up loads.

Layers are import contracts in pyproject.toml; here is what such contracts cannot say.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("config", "drivers", "dsp", "edge")
SOURCES = sorted(path for name in OURS for path in (ROOT / name).rglob("*.py"))

CLOCK = Path("edge/clock.py")
READS_A_CLOCK = {
    "time": {
        *("asctime", "clock_gettime", "clock_gettime_ns", "ctime", "gmtime", "localtime"),
        *("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"),
        *("process_time_ns", "strftime", "thread_time", "thread_time_ns", "time", "time_ns"),
    },
    "datetime.datetime": {"now", "today", "utcnow"},
    "datetime.date": {"today"},
    "uuid": {"uuid1", "uuid6", "uuid7"},
    "os": {"times"},
}
SQL_READS_A_CLOCK = re.compile(
    r"current_time|current_date|unixepoch\(\s*\)"
    r"|(?:strftime|(?:date)?time|date|julianday|unixepoch)\([^)]*'now'",
    re.IGNORECASE,
)

# A library that only some modules may import: a change of library is then a change in one place.
HOMES = {
    "bleak": ("drivers.transports",),
    "bumble": ("drivers.virtual.bluetooth",),
    "dbus_fast": ("drivers.transports", "drivers.virtual.bluetooth"),
    "paho": ("edge.publish.mqtt", "edge.record"),
    "pynetdicom": ("drivers.transports",),
    "scipy": ("dsp",),
    "serial": ("drivers.transports",),
    "sqlite3": ("edge.store", "edge.record"),
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def libraries(path: Path) -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in imports(parsed(path)))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def names_imported(tree: ast.AST) -> dict[str, str]:
    """Return what each name of the module stands for, as far as imports tell."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            known |= {
                alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names
            }
    return known


def clock_readings(tree: ast.AST) -> Iterator[str]:
    """Yield everything that is, or would become, a reading of a clock."""
    known = names_imported(tree)
    for name in known.values():
        owner, _, attribute = name.rpartition(".")
        if attribute in READS_A_CLOCK.get(owner, ()):
            yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node.value).partition(".")
            owner = ".".join(filter(None, (known.get(first, first), rest)))
            loop = node.attr == "time" and "loop" in owner.rpartition(".")[2].lower()
            if loop or node.attr in READS_A_CLOCK.get(owner, ()):
                yield f"{owner}.{node.attr}, line {node.lineno}"
        elif isinstance(node, ast.Constant) and SQL_READS_A_CLOCK.search(str(node.value)):
            yield f"SQL, line {node.lineno}"


@pytest.mark.parametrize("name", OURS)
def test_no_other_distribution_ships_our_import_names(name):
    assert set(packages_distributions().get(name, [])) <= {"vitals-edge"}


def test_all_four_packages_come_from_one_place():
    assert len({Path(find_spec(name).origin).parents[1] for name in OURS}) == 1


def test_no_module_is_a_drawer_for_everything():
    drawers = {"common", "helper", "helpers", "misc", "util", "utils"}
    names = {path: set(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES}
    assert [str(path) for path, parts in names.items() if parts & drawers] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\ntime.time()", ["time.time"]),
        ("import time as t\nread = t.monotonic_ns", ["time.monotonic_ns"]),
        ("from time import perf_counter as p", ["time.perf_counter"]),
        ("import datetime\ndatetime.datetime.now()", ["datetime.datetime.now"]),
        ("from datetime import datetime, UTC\ndatetime.now(UTC)", ["datetime.datetime.now"]),
        ("from datetime import date\ndate.today()", ["datetime.date.today"]),
        ("loop.time()", ["loop.time"]),
        ("import asyncio\nasyncio.get_running_loop().time()", ["asyncio.get_running_loop().time"]),
        ("db.execute('INSERT INTO t VALUES (CURRENT_TIMESTAMP)')", ["SQL"]),
        ("import time\ntime.sleep(1)", []),
        ("from datetime import datetime\ndatetime.fromtimestamp(0).time()", []),
    ],
)
def test_a_reading_of_a_clock_is_recognised_in_any_spelling(source, found):
    assert [name.partition(",")[0] for name in clock_readings(ast.parse(source))] == found


def test_only_one_module_reads_clocks():
    readings = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        if path.relative_to(ROOT) != CLOCK
        for name in clock_readings(parsed(path))
    ]
    readings += [
        f"{path.relative_to(ROOT)}: SQL"
        for name in OURS
        for path in (ROOT / name).rglob("*.sql")
        if SQL_READS_A_CLOCK.search(path.read_text("utf-8"))
    ]
    assert readings == []


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_with_one_home_is_imported_nowhere_else(library):
    importers = {module_name(path) for path in SOURCES if library in libraries(path)}
    strays = {
        module
        for module in importers
        if not any(f"{module}.".startswith(f"{home}.") for home in HOMES[library])
    }
    assert strays == set()
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    protected = {
        name
        for contract in contracts["contracts"]
        for name in contract.get("protected_modules", [])
        if contract["type"] == "protected"
    }
    assert library in protected or not importers, "pyproject.toml lacks its protected contract"


def test_starting_a_command_loads_only_what_the_command_needs():
    heavy = {"bleak", "dbus_fast", "numpy", "paho", "pydicom", "pynetdicom", "scipy", "sqlite3"}
    code = "import edge.cli, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert heavy & {name.partition(".")[0] for name in json.loads(done.stdout)} == set()


def tracked_text() -> Iterator[tuple[str, str]]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [git, "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            try:
                yield name, path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def test_no_tracked_file_names_a_package_index_or_a_path_of_one_persons_machine():
    # Written in pieces, or this file would be the first to be found.
    index = ["py" + "pi.org", "python" + "hosted", "--index" + "-url", "--extra-index" + "-url"]
    index += ["registry." + "npmjs", "deb." + "debian.org", "--find" + "-links "]
    machine = re.compile(r"(?<![\w.~/-])/(?:wo" + r"rk|ro" + r"ot|home/[a-z]+|Users/[A-Za-z]+)/")
    home = os.path.expanduser("~").rstrip("/") + "/"  # noqa: PTH111 - text, not a path to open
    found = [
        f"{name}: {word}"
        for name, text in tracked_text()
        for word in [
            *(word for word in index if word in text),
            *machine.findall(text),
            *([home] if len(home) > 1 and home in text else []),
        ]
    ]
    assert found == []


def test_a_hub_without_bluetooth_instruments_does_not_carry_their_libraries(tmp_path):
    code = (
        "import asyncio, json, sys\n"
        "from pathlib import Path\n"
        "from config.schema import Analysis, Hub, Instrument, Settings\n"
        "from edge.assembly import assembled\n"
        "hub = Hub('site', 'room', state_dir=Path(sys.argv[1]))\n"
        "port = Instrument('nonin', 'serial:/dev/none')\n"
        "settings = Settings(hub, analysis=Analysis(enabled=False), instruments={'ox': port})\n"
        "async def main():\n"
        "    async with assembled(settings):\n"
        "        print(json.dumps(sorted(sys.modules)))\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert {"bleak", "dbus_fast"} & {
        name.partition(".")[0] for name in json.loads(done.stdout)
    } == set()


def test_the_map_names_every_room_and_every_module_at_the_top_of_one():
    named = set(re.findall(r"`([a-z_]+)/?`", (ROOT / "ARCHITECTURE.md").read_text()))
    built = {
        path.stem
        for name in ("drivers", "dsp", "edge")
        for path in (ROOT / name).iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").is_file()) and path.stem != "__init__"
    }
    assert built - named == set()
