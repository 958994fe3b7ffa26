"""The patients, people and rooms of a clinic, from one TOML file.

    [[patient]]
    reference = "Patient/p-17"
    name = "..."
    birth_date = "1961-02-28"
    identifiers = ["0017-4"]        # what a wristband, a card or a keyboard gives

    [[operator]]
    reference = "Practitioner/5"
    name = "..."
    badge = "B-5"

    [[room]]
    site = "north"
    hub = "room-3"
    patients = ["Patient/p-17"]     # expected in this room, next one first
    operators = ["Practitioner/5"]  # who may act here; left out: every operator
    assigned = "Patient/p-17"       # who is in the room; left out: nobody
    asserted_by = "Practitioner/5"  # who says so
    validated_by = "Practitioner/6" # who looked a second time; left out: unverified

Nothing in an error message names anybody: entries are counted from 1.
"""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from drivers.errors import SettingsError
from edge.contract.dialogue import Operator, Patient
from edge.contract.topics import Hub, TopicError
from edge.contract.wire import Text

Reference = Annotated[str, Meta(pattern=r"^Patient/[A-Za-z0-9.-]{1,64}$")]
Person = Annotated[str, Meta(pattern=r"^Practitioner(Role)?/[A-Za-z0-9.-]{1,64}$")]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]


class Registered(Struct, frozen=True, forbid_unknown_fields=True):
    """A patient."""

    reference: Reference
    name: Text
    birth_date: Day
    identifiers: tuple[Text, ...] = ()

    def as_patient(self) -> Patient:
        """Return what a hub may know of the patient: the reference and what identifies them."""
        return Patient(self.reference, (self.name, self.birth_date), self.identifiers)


class Badge(Struct, frozen=True, forbid_unknown_fields=True):
    """A person who may answer for values."""

    reference: Person
    name: Text
    badge: Text


class Room(Struct, frozen=True, forbid_unknown_fields=True):
    """A room with a hub, whom it expects and who is there."""

    site: str
    hub: str
    patients: tuple[Reference, ...] = ()
    operators: tuple[Person, ...] | None = None
    assigned: Reference | None = None
    asserted_by: Person | None = None
    validated_by: Person | None = None


class Register(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole register; refuses one that contradicts itself."""

    patients: tuple[Registered, ...] = msgspec.field(default=(), name="patient")
    operators: tuple[Badge, ...] = msgspec.field(default=(), name="operator")
    rooms: tuple[Room, ...] = msgspec.field(default=(), name="room")

    def __post_init__(self) -> None:
        for problem in _contradictions(self):
            raise ValueError(problem)

    def patient(self, reference: str) -> Patient | None:
        """Return a patient by reference."""
        for each in self.patients:
            if each.reference == reference:
                return each.as_patient()
        return None

    def identified(self, identifier: str) -> tuple[Patient, ...]:
        """Return everybody with a scanned or typed identifier; two are for people to sort out."""
        return tuple(each.as_patient() for each in self.patients if identifier in each.identifiers)

    def room(self, site: str, hub: str) -> Room | None:
        """Return the room of a hub."""
        for each in self.rooms:
            if (each.site, each.hub) == (site, hub):
                return each
        return None

    def operator(self, badge: str) -> Operator | None:
        """Return the person with a badge."""
        for each in self.operators:
            if each.badge == badge:
                return Operator(each.reference, each.name)
        return None


def load(path: Path) -> Register:
    """Read a register; SettingsError says which file, which entry and what to do."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"register {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"register {path}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"register {path}: {error}") from error
    try:
        return msgspec.convert(table, Register)
    except msgspec.ValidationError as error:
        raise SettingsError(f"register {path}: {error}") from None


def _contradictions(register: Register) -> Iterator[str]:
    known = {each.reference for each in register.patients}
    people = {each.reference for each in register.operators}
    yield from _twice("patient", "reference", [each.reference for each in register.patients])
    yield from _twice("operator", "reference", [each.reference for each in register.operators])
    yield from _twice("operator", "badge", [each.badge for each in register.operators])
    yield from _twice("room", "site and hub", [(each.site, each.hub) for each in register.rooms])
    for number, room in enumerate(register.rooms, 1):
        yield from _unusable(room, number)
        assigned = {room.assigned} - {None}
        if (set(room.patients) | assigned) - known:
            yield f"room {number}: a patient who is not in the register"
        if (set(room.operators or ()) | {room.asserted_by, room.validated_by} - {None}) - people:
            yield f"room {number}: an operator who is not in the register"
        if room.assigned and not room.asserted_by:
            yield f"room {number}: assigned without asserted_by"


def _unusable(room: Room, number: int) -> Iterator[str]:
    try:
        Hub(room.site, room.hub)
    except TopicError as error:
        yield f"room {number}: {error}"


def _twice(what: str, key: str, values: Sequence[object]) -> Iterator[str]:
    first: dict[object, int] = {}
    for number, value in enumerate(values, 1):
        if first.setdefault(value, number) != number:
            yield f"{what} {number}: the same {key} as {what} {first[value]}"
