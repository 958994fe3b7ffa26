"""Scales with the Weight Scale (0x181D) and the Body Composition Service (0x181B).

Kilograms and pounds, metres and inches are passed on as sent. Weight and body composition are two
measurements of one standing on the scale, as they are sent. A body composition may come in two
payloads; the second completes the first, and if it does not come the first is told as it is. A
second that contradicts the first is the first of the next measurement, perhaps of somebody else.
What this project has no metric for (muscle, water, impedance) is evidence.
"""

from dataclasses import fields, replace
from datetime import datetime

from drivers import plausibility
from drivers.instruments.gatt.meaning import Command, Meaning, Said, evidence_of, user_of
from drivers.model import Flag, Kind, Metric, Reading, Status, Unit
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.body_composition import BodyComposition, quantities
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.weight import UNSUCCESSFUL, Weight, length, mass

_MASSES = frozenset({"muscle_mass", "fat_free_mass", "soft_lean_mass", "water_mass"})
_UNITS = {"basal_kj": (1, "kJ"), "muscle_percent": (10, "%"), "impedance": (10, "ohm")}


class Platform:
    """Remembers the first half of a body composition."""

    driver = "ble-scale"
    stored = ((characteristics.WEIGHT,), (characteristics.BODY_COMPOSITION,))
    streamed: tuple[tuple[str, ...], ...] = ()
    facts: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    has_records = False

    def __init__(self) -> None:
        self._half: BodyComposition | None = None

    def learn(self, frame: Frame) -> None:
        """Take nothing: what a scale can do shows in what it sends."""

    def read(self, channel: str, frame: Frame) -> Said:
        """Return the weight or the body composition; nothing yet for the first half of one."""
        del channel
        match frame:
            case Weight():
                return _weight(frame)
            case BodyComposition():
                return self._body(frame)
            case _:
                return None

    def _body(self, frame: BodyComposition) -> Said:
        if not frame.is_multi_packet:
            return _composition(frame)
        half, self._half = self._half, None
        if half is None:
            self._half = frame
            return None
        if _contradicts(half, frame):
            self._half = frame
            return replace(_alone(half), next_begins=True)
        return replace(_composition(_merged(half, frame)), completes=True)

    def end(self) -> Meaning | None:
        """Return the first half whose second did not come."""
        half, self._half = self._half, None
        return None if half is None else _alone(half)


def _weight(frame: Weight) -> Meaning:
    readings = [_mass(frame.weight, is_imperial=frame.is_imperial)]
    if frame.height is not None and frame.bmi is not None:
        readings.append(_height(frame.height, is_imperial=frame.is_imperial))
        readings.append(plausibility.reading(Metric.BMI, frame.bmi / 10, Unit.KG_PER_M2))
    return Meaning(
        Kind.WEIGHT,
        tuple(readings),
        taken=frame.taken.local if frame.taken else None,
        evidence=evidence_of(("user", user_of(frame.user))),
    )


_OF_BOTH = frozenset({"fat_percent", "is_multi_packet", "rfu", "rest", "raw"})


def _contradicts(half: BodyComposition, other: BodyComposition) -> bool:
    """Tell whether both say something of one thing, as time or user, and not the same."""
    said = [
        (getattr(half, each.name), getattr(other, each.name))
        for each in fields(other)
        if each.name not in _OF_BOTH
    ]
    return any(a != b for a, b in said if a is not None and b is not None)


def _alone(half: BodyComposition) -> Meaning:
    """Return what a half says whose other half did not come."""
    meaning = _composition(half)
    return replace(meaning, flags=meaning.flags | {Flag.QUESTIONABLE}, completes=True)


def _merged(half: BodyComposition, other: BodyComposition) -> BodyComposition:
    """Return the first half with what only the second has."""
    more = {
        each.name: getattr(other, each.name)
        for each in fields(other)
        if getattr(half, each.name) is None and getattr(other, each.name) is not None
    }
    return replace(half, **more)


def _composition(frame: BodyComposition) -> Meaning:
    fat = (
        Reading(Metric.BODY_FAT, None, Unit.PERCENT, Status.FAILED)
        if frame.fat_percent == UNSUCCESSFUL
        else plausibility.reading(Metric.BODY_FAT, frame.fat_percent / 10, Unit.PERCENT)
    )
    readings = [fat]
    if frame.weight is not None:
        readings.append(_mass(frame.weight, is_imperial=frame.is_imperial))
    if frame.height is not None:
        readings.append(_height(frame.height, is_imperial=frame.is_imperial))
    more = [
        (name.replace("_", "-"), _shown(name, steps, is_imperial=frame.is_imperial))
        for name, steps in quantities(frame)
        if name not in {"weight", "height"}
    ]
    return Meaning(
        Kind.BODY_COMPOSITION,
        tuple(readings),
        taken=_taken(frame),
        evidence=evidence_of(("user", user_of(frame.user)), *more),
    )


def _taken(frame: BodyComposition) -> datetime | None:
    return frame.taken.local if frame.taken else None


def _mass(steps: int, *, is_imperial: bool) -> Reading:
    unit = Unit.POUND if is_imperial else Unit.KG
    if steps == UNSUCCESSFUL:
        return Reading(Metric.WEIGHT, None, unit, Status.FAILED)
    return plausibility.reading(Metric.WEIGHT, mass(steps, is_imperial=is_imperial), unit)


def _height(steps: int, *, is_imperial: bool) -> Reading:
    unit = Unit.INCH if is_imperial else Unit.METRE
    return plausibility.reading(Metric.HEIGHT, length(steps, is_imperial=is_imperial), unit)


def _shown(name: str, steps: int, *, is_imperial: bool) -> str:
    if name in _MASSES:
        return f"{mass(steps, is_imperial=is_imperial):g} {'lb' if is_imperial else 'kg'}"
    parts, unit = _UNITS[name]
    return f"{steps / parts:g} {unit}"
