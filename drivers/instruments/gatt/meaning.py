"""What one payload means, before it is known who sent it and how its clock stood."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from drivers import plausibility
from drivers.contract import Write
from drivers.model import Flag, Kind, Metric, Reading, Status, Unit
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.medical_float import MedicalFloat, Special

UNKNOWN_USER = 255

_STATUS = {
    Special.NAN: Status.NOT_A_NUMBER,
    Special.NRES: Status.NOT_A_NUMBER,
    Special.RESERVED: Status.NOT_A_NUMBER,
    Special.POSITIVE_INFINITY: Status.OVER_RANGE,
    Special.NEGATIVE_INFINITY: Status.UNDER_RANGE,
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """One act of measuring; `taken` by the instrument's clock.

    `is_live` tells a value that is being measured now from one that may have been stored;
    `completes` says that the payloads before, that meant nothing yet, belong to it; `next_begins`
    that they are all of it, because the payload at hand is the first of another measurement.
    """

    kind: Kind
    readings: tuple[Reading, ...]
    taken: datetime | None = None
    flags: frozenset[Flag] = frozenset()
    evidence: tuple[tuple[str, str], ...] = ()
    is_live: bool = False
    completes: bool = False
    next_begins: bool = False


@dataclass(frozen=True, slots=True)
class InCuff:
    """The pressure in a cuff that measures, None where it is no number, and words for people."""

    mmhg: float | None
    words: str | None = None


@dataclass(frozen=True, slots=True)
class Strip:
    """Samples of a signal that follow on those before."""

    signal: str
    fs: float
    unit: Unit
    samples: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """What to write once everything is subscribed to, where its purpose is granted."""

    purpose: Write
    channel: str
    data: bytes


Said: TypeAlias = Meaning | Strip | InCuff | str | None
"""A meaning, samples, how far a cuff is, words for people, or nothing yet: it goes on elsewhere."""


class Profile(Protocol):
    """What a kind of instrument sends and what that means.

    `stored` and `streamed` are the characteristics to subscribe to; of each tuple the first that
    the instrument has. What is `stored` is made durable before it is decoded. `facts` are read
    before, and given to `learn`. `commands` are written after all that. `has_records`: what it
    stored can be fetched, and deleted.
    """

    @property
    def driver(self) -> str:
        """The name in the registry."""
        ...

    @property
    def stored(self) -> tuple[tuple[str, ...], ...]:
        """What is indicated, and may have been stored."""
        ...

    @property
    def streamed(self) -> tuple[tuple[str, ...], ...]:
        """What is notified while it is measured."""
        ...

    @property
    def facts(self) -> tuple[str, ...]:
        """What to read once."""
        ...

    @property
    def commands(self) -> tuple[Command, ...]:
        """What begins it."""
        ...

    @property
    def has_records(self) -> bool:
        """Whether to look for a Record Access Control Point."""
        ...

    def learn(self, frame: Frame) -> None:
        """Take a fact."""
        ...

    def read(self, channel: str, frame: Frame) -> Said:
        """Return what a frame of a subscribed characteristic means."""
        ...

    def end(self) -> Meaning | None:
        """Return what waits for a payload that will not come any more."""
        ...


def reading(
    metric: Metric, number: MedicalFloat, unit: Unit, status: Status = Status.OK
) -> Reading:
    """Return the number if the instrument stands by it (`status`) and a patient can have it."""
    if status is not Status.OK:
        return Reading(metric, None, unit, status)
    if isinstance(number, Special):
        return Reading(metric, None, unit, _STATUS[number])
    return plausibility.reading(metric, number.value, unit)


def flags_of(status: int | None, table: Iterable[tuple[int, Flag]]) -> frozenset[Flag]:
    """Return the flags of the bits that are set."""
    return frozenset(flag for bit, flag in table if status is not None and status & bit)


def evidence_of(*said: tuple[str, object]) -> tuple[tuple[str, str], ...]:
    """Return what was said, without what was not."""
    return tuple((name, str(value)) for name, value in said if value is not None)


def user_of(user: int | None) -> object:
    """Return whom the instrument takes the patient for."""
    return "unknown" if user == UNKNOWN_USER else user


def shown(number: MedicalFloat | None) -> str | None:
    """Return a number as evidence."""
    if number is None:
        return None
    return number.value if isinstance(number, Special) else f"{number.value:g}"


def status_shown(status: int | None, digits: int) -> str | None:
    """Return a status word as evidence, in hex."""
    return None if status is None else f"{status:0{digits}x}"


class Streaming:
    """The part of a Profile that all have in common that only tell the value of the moment."""

    stored: tuple[tuple[str, ...], ...] = ()
    facts: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    has_records = False

    def learn(self, frame: Frame) -> None:
        """Take nothing."""

    def end(self) -> Meaning | None:
        """Return nothing: every payload is whole."""
        return None
