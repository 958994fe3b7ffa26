"""What a running program has in memory: arrays of work stay where the work is done."""

import json
import subprocess
import sys
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures" / "captures"
CASE = FIXTURES / "ivy-450c" / "sensor-off"
OF_THE_HUB = (
    *("edge.assembly", "edge.service", "edge.station", "edge.verbs.run"),
    *("edge.publish.mqtt", "edge.control", "edge.analysis"),
)
NOT_IN_THE_HUB = {"dsp", "pydicom", "pynetdicom", "scipy"}
DRIVERS = "from drivers.registry import REGISTRY\n[e.factory() for e in REGISTRY.values()]\n"


def loaded_by(code):
    """Return the top-level names of the modules in memory after some code."""
    told = f"{code}\nimport json, sys; print('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, cwd="/"
    )
    names = json.loads(done.stdout.splitlines()[-1])
    return {name.partition(".")[0] for name in names} | {n for n in names if n.startswith("edge.")}


def running(*args):
    return f"from edge.cli import main\nassert main({list(map(str, args))!r}) == 0"


def test_the_hub_with_every_driver_does_not_hold_what_the_analysis_process_is_for():
    modules = loaded_by(f"{DRIVERS}import {', '.join(OF_THE_HUB)}")
    assert modules & NOT_IN_THE_HUB == set()
    assert "edge.analysis_worker" not in modules


def test_decoding_holds_neither_scipy_nor_the_broker_nor_a_database():
    modules = loaded_by(running("decode", CASE))
    assert modules & (NOT_IN_THE_HUB | {"bleak", "paho", "sqlite3"}) == set()


def test_listing_the_instruments_loads_none_of_them():
    modules = loaded_by(running("instruments"))
    assert modules & (NOT_IN_THE_HUB | {"bleak", "paho", "serial", "sqlite3"}) == set()


def test_replaying_a_case_without_an_ecg_to_measure_does_without_scipy():
    assert loaded_by(running("replay", CASE)) & (NOT_IN_THE_HUB | {"paho"}) == set()


def test_replaying_does_without_the_network():
    modules = loaded_by(running("replay", FIXTURES / "ivy-450c" / "real-27-packets"))
    assert modules & {"bleak", "paho", "serial"} == set()
    assert "scipy" in modules  # or this file would not notice if the analysis were left out
