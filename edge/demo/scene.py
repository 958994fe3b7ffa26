"""The people of the demonstration, all invented, and the settings of its hub."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.demo.instruments import Instrument

SITE = "demo"
HUB = "room-1"
BADGE = "B-5"


@dataclass(frozen=True, slots=True)
class Person:
    """A patient: who, and which virtual body, counted from that of the first."""

    reference: str
    name: str
    birth_date: str
    sex: str
    wristband: str
    body: int


FIRST = Person("Patient/demo-17", "Ida Example", "1961-02-28", "female", "0017-4", 0)
SECOND = Person("Patient/demo-18", "Ivo Example", "1984-11-05", "male", "0018-2", 1)
PEOPLE = (FIRST, SECOND)
WRISTBAND = FIRST.wristband


def _patients() -> str:
    return "\n".join(
        f"""\
[[patient]]
reference = "{person.reference}"
name = "{person.name}"
birth_date = "{person.birth_date}"
identifiers = ["{person.wristband}"]
"""
        for person in PEOPLE
    )


REGISTER = f"""\
{_patients()}
[[operator]]
reference = "Practitioner/demo-5"
name = "Mira Example, medical assistant"
badge = "{BADGE}"

[[room]]
site = "{SITE}"
hub = "{HUB}"
patients = {json.dumps([person.reference for person in PEOPLE])}
"""


def hub_settings(
    state: Path, port: int, room: Sequence[Instrument], link: Callable[[Instrument], str]
) -> str:
    """Return the hub's settings file; `link` tells by what address an instrument is reached."""
    lines = [
        "[hub]",
        f"site = {json.dumps(SITE)}",
        f"name = {json.dumps(HUB)}",
        f"state_dir = {json.dumps(str(state))}",
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
            f"link = {json.dumps(link(each))}",
            f"allow = {json.dumps(list(each.allow))}",
            f"[instruments.{each.name}.options]",
            *(f"{key} = {json.dumps(value)}" for key, value in each.options.items()),
        ]
    return "\n".join(lines) + "\n"
