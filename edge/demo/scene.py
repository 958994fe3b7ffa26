"""The room of the demonstration: invented people and virtual instruments."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.registry import REGISTRY
from drivers.virtual.pty_port import PtyPort, on_a_thread
from edge.clock import SystemClock

SITE = "demo"
HUB = "room-1"
BADGE = "B-5"
WRISTBAND = "0017-4"

REGISTER = f"""\
[[patient]]
reference = "Patient/demo-17"
name = "Ida Example"
birth_date = "1961-02-28"
identifiers = ["{WRISTBAND}"]

[[patient]]
reference = "Patient/demo-18"
name = "Ivo Example"
birth_date = "1984-11-05"
identifiers = ["0018-2"]

[[operator]]
reference = "Practitioner/demo-5"
name = "Mira Example, medical assistant"
badge = "{BADGE}"

[[room]]
site = "{SITE}"
hub = "{HUB}"
patients = ["Patient/demo-17", "Patient/demo-18"]
"""


@dataclass(frozen=True, slots=True)
class Instrument:
    """A virtual instrument of the room, with its settings at the hub."""

    name: str
    driver: str
    virtual: Mapping[str, Any] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


STRANGER_S = 0  # the pressure that the monitor still shows when the demonstration begins
STRANGER = (151, 93, 112)
CUFF_AT_S = 5  # when the monitor's cuff begins to measure the patient


def instruments(seed: int, scenario: str) -> tuple[Instrument, ...]:
    """Return the room's instruments, all of them on one virtual patient."""
    patient = {"patient_seed": seed, "scenario": scenario}
    last_one = [[STRANGER_S, *STRANGER]]
    monitor = {**patient, "nibp": last_one, "nibp_at_s": [CUFF_AT_S]}
    oximeter = {**patient, "model": "3150", "data_format": 7}
    return (
        Instrument("monitor", "ivy-450c", virtual=monitor),
        Instrument(
            "oximeter",
            "nonin",
            virtual=oximeter,
            allow=("identify", "select-format"),
            options={"format": 7},
        ),
    )


def hub_settings(folder: Path, port: int, room: Sequence[Instrument]) -> str:
    """Return the hub's settings file."""
    lines = [
        "[hub]",
        f"site = {json.dumps(SITE)}",
        f"name = {json.dumps(HUB)}",
        f"state_dir = {json.dumps(str(folder / 'hub'))}",
        'space = "demo"',
        "[broker]",
        f"port = {port}",
        "[room]",
        'confirm = "confirm"',
        "[clock]",
        'trust = "assume"',
        "[analysis]",
        "publish = true",
    ]
    for each in room:
        lines += [
            f"[instruments.{each.name}]",
            f"driver = {json.dumps(each.driver)}",
            f"link = {json.dumps(f'serial:{port_of(folder, each)}')}",
            f"allow = {json.dumps(list(each.allow))}",
            f"[instruments.{each.name}.options]",
            *(f"{key} = {json.dumps(value)}" for key, value in each.options.items()),
        ]
    return "\n".join(lines) + "\n"


def port_of(folder: Path, instrument: Instrument) -> Path:
    """Return the port an instrument is plugged into."""
    return folder / f"port-{instrument.name}"


@contextmanager
def plugged_in(folder: Path, seed: int, room: Sequence[Instrument]) -> Iterator[None]:
    """Run the virtual instruments on pseudo-terminals."""
    clock = SystemClock(assume_trusted=True)
    with ExitStack() as stack:
        for number, each in enumerate(room):
            entry = REGISTRY[each.driver]
            virtual = entry.simulator()(seed + number, **each.virtual)
            port = stack.enter_context(
                PtyPort(virtual, entry.line, link=port_of(folder, each), seed=seed)
            )
            stack.enter_context(on_a_thread(port, clock))
        yield
