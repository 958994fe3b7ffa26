"""What the stored records of TaiDoc and FORA instruments mean.

Every record is stored data: it is flagged from-memory and carries the time the instrument gave it,
to the minute, placed on the hub's clock where the instrument's was read.

no record      every byte 0
no value       systolic, saturation or temperature 0; pulse 3 or less; weight 0
implausible    4096 and more of a thermometer: hundredths above 40.95 cannot be told from tenths
               with a flag above them, as IR42 sends; `masked_temperature` is for those
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from drivers.model import (
    DeviceTime,
    Flag,
    Instant,
    Item,
    Kind,
    Measurement,
    Metric,
    Notice,
    NoticeKind,
    Reading,
    Status,
    Unit,
)
from drivers.plausibility import pressures, reading
from drivers.protocols.taidoc import Reply

RESOLUTION_S = 60.0
FEWEST_PULSE = 3  # this and less are how these instruments say that there is none

_KIND_OF_MODEL = {
    "31": Kind.BLOOD_PRESSURE,
    "11": Kind.TEMPERATURE,
    "12": Kind.TEMPERATURE,
    "82": Kind.OXIMETRY,
    "25": Kind.WEIGHT,
}
_LEAST_MMHG = 20
_TEMPERATURES = ((256, 460), (2000, 4600))  # tenths from 25.6, hundredths from 20 degrees Celsius
_NS = 1_000_000_000


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of one instrument; `user` is its memory's user, 1 where it has users at all."""

    measures: Literal["blood-pressure", "temperature", "oximetry", "weight"] | None = None
    user: Annotated[int, msgspec.Meta(ge=0, le=4)] = 0
    backlog: Annotated[int, msgspec.Meta(ge=0, le=500)] = 0
    poll_s: Annotated[float, msgspec.Meta(ge=1.0, le=60.0)] = 3.0
    masked_temperature: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """The two replies that make a stored measurement."""

    time: Reply
    value: Reply

    @property
    def is_empty(self) -> bool:
        """Whether there is no record of this number."""
        return not any(self.time.data) and not any(self.value.data)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What the instrument's clock said at a moment of the hub's."""

    local: datetime
    at: Instant
    error_s: float


def meaning(
    kind: Kind, record: Record, at: Instant, clock: ClockReading | None, settings: Settings
) -> Iterator[Item]:
    """Yield the measurement of a record, or the notice that it is none of ours."""
    time, value = record.time.data, record.value
    irregular, average = False, False
    if kind is Kind.BLOOD_PRESSURE:
        if not time[2] & 0x80:
            yield Notice(NoticeKind.UNMAPPED, "a record of blood sugar, which is not taken", at)
            return
        irregular, average = bool(time[2] & 0x40 or time[3] & 0x60), bool(time[3] & 0x80)
    flags = {Flag.FROM_MEMORY} | ({Flag.IRREGULAR_PULSE} if irregular else set())
    yield Measurement(
        kind,
        _READINGS[kind](value, settings),
        at,
        value.raw,
        device_time=_device_time(record.time.time, at, clock),
        flags=frozenset(flags),
        evidence=(("average", "of several measurements"),) if average else (),
    )


def weighed(reply: Reply, at: Instant) -> Measurement:
    """Return what a scale's reply says; nothing in it tells when somebody stood there."""
    weight = reading(Metric.WEIGHT, reply.weight, Unit.KG)
    return Measurement(Kind.WEIGHT, (weight,), at, reply.raw, flags=frozenset({Flag.FROM_MEMORY}))


def kind_told(value: Reply, time: Reply | None) -> Kind | None:
    """Return what a record of an unknown model measures, None where its bytes leave that open.

    The second byte decides: a mean pressure, the high half of a temperature, nothing in a
    saturation; no value that a patient can have is two of these.
    """
    if time is not None and time.data[2] & 0x80:
        return Kind.BLOOD_PRESSURE
    first, second, third, last = value.data
    if first > second > third >= _LEAST_MMHG and last > FEWEST_PULSE:
        return Kind.BLOOD_PRESSURE
    if second == 0 and third and 0 < first <= 100 and last > FEWEST_PULSE:  # else blood sugar
        return Kind.OXIMETRY
    if any(low <= value.word <= high for low, high in _TEMPERATURES):
        return Kind.TEMPERATURE
    return None


def _device_time(
    taken: datetime | None, at: Instant, clock: ClockReading | None
) -> DeviceTime | None:
    if taken is None or clock is None:
        return None if taken is None else DeviceTime(taken, RESOLUTION_S)
    now = clock.local + timedelta(seconds=(at.mono_ns - clock.at.mono_ns) / _NS)
    return DeviceTime(
        taken, RESOLUTION_S, age_s=(now - taken).total_seconds(), age_error_s=clock.error_s
    )


def kind_of(model: str, settings: Settings) -> Kind | None:
    """Return what a model measures, None for one that is not known."""
    if settings.measures is not None:
        return Kind(settings.measures)
    return _KIND_OF_MODEL.get(model[:2])


def _cuff(value: Reply, _settings: Settings) -> tuple[Reading, ...]:
    systolic, mean, diastolic, _ = value.data
    return (*pressures(systolic, diastolic, mean or None), _pulse(value))


def _oximeter(value: Reply, _settings: Settings) -> tuple[Reading, ...]:
    return (reading(Metric.SPO2, value.word & 0xFFF, Unit.PERCENT), _pulse(value))


def _thermometer(value: Reply, settings: Settings) -> tuple[Reading, ...]:
    number = value.word & 0xFFF if settings.masked_temperature else value.word
    if number > 0xFFF:
        return (Reading(Metric.BODY_TEMPERATURE, None, Unit.CELSIUS, Status.IMPLAUSIBLE),)
    return (
        reading(Metric.BODY_TEMPERATURE, number / (100 if number >= 1000 else 10), Unit.CELSIUS),
    )


def _pulse(value: Reply) -> Reading:
    said = value.data[3]
    return reading(Metric.PULSE_RATE, said if said > FEWEST_PULSE else None, Unit.PER_MIN)


_READINGS = {
    Kind.BLOOD_PRESSURE: _cuff,
    Kind.OXIMETRY: _oximeter,
    Kind.TEMPERATURE: _thermometer,
}
