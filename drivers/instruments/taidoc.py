"""TaiDoc and FORA cuffs, thermometers and oximeters: stored records, read when the hub asks.

An instrument is awake for a minute or two after a measurement. The hub asks for the model every few
seconds; once it is answered, for serial number and clock (where `identify` is granted) and for the
newest record; then, while the instrument stays awake, for records newer than the last one read.
Records made before the instrument was first heard are read only as far as `backlog` says.

Every record is stored data: it is flagged from-memory and carries the time the instrument gave it,
to the minute. It is placed in the hub's time only if the instrument's clock was read when it woke
and is within a day of the hub's; otherwise nobody can say whose it is and it is held for a person.

What is measured follows from the model (31xx pressure, 11xx and 12xx temperature, 82xx oximetry)
or, for models with another number, from the setting `measures`. Blood sugar and scales (25xx, whose
value layout only one source has) are told as notices and never as values.

no record      every byte 0
no value       systolic, saturation or temperature 0; pulse 3 or less
implausible    4096 and more of a thermometer: hundredths above 40.95 cannot be told from tenths
               with a flag above them, as IR42 sends; `masked_temperature` is for those
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec

from drivers.contract import ByteLink, Emit, Host, Write
from drivers.model import (
    DeviceTime,
    Flag,
    Instant,
    InstrumentId,
    Item,
    Kind,
    Measurement,
    Metric,
    Notice,
    NoticeKind,
    Reading,
    Skipped,
    Status,
    Unit,
)
from drivers.plausibility import pressures, reading
from drivers.protocols import taidoc
from drivers.protocols.taidoc import Decoder, Reply, command
from drivers.sessions import Dialogue, Heard

DRIVER = "taidoc"
ANSWER_S = 1.0
MOST_NEW = 20  # records in a row that are looked through for the last one known
RESOLUTION_S = 60.0
CLOCK_TRUSTED_WITHIN_S = 86400.0  # any zone, and a clock somebody has set
FEWEST_PULSE = 3  # this and less are how these instruments say that there is none

_KIND_OF_MODEL = {
    "31": Kind.BLOOD_PRESSURE,
    "11": Kind.TEMPERATURE,
    "12": Kind.TEMPERATURE,
    "82": Kind.OXIMETRY,
}
_NS = 1_000_000_000


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of one instrument; `user` is its memory's user, 1 where it has users at all."""

    measures: Literal["blood-pressure", "temperature", "oximetry"] | None = None
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


class TaiDoc:
    """Emit every record that was not read before in this session."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._settings = settings

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Ask again and again, as far as granted, until the link is lost."""

        async def other(item: Reply | Skipped, _at: Instant) -> None:
            if isinstance(item, Skipped):
                await emit(item)
            else:
                self._host.count("replies_unasked")

        async with Dialogue(self._host, link, Decoder(), other) as talk:
            session = _Session(self._host, self._settings, talk, emit)
            while True:
                if self._host.may(Write.FETCH):
                    await session.visit()
                await talk.listen(self._settings.poll_s)


class _Session:
    def __init__(self, host: Host, settings: Settings, talk: Dialogue[Reply], emit: Emit) -> None:
        self._host = host
        self._settings = settings
        self._talk = talk
        self._emit = emit
        self._model: str | None = None  # None: not heard since it last fell silent
        self._clock: ClockReading | None = None
        self._newest: Record | None = None

    async def visit(self) -> None:
        """Ask whether somebody is awake and, if so, for what is new."""
        heard = await self._ask(taidoc.MODEL)
        if heard is None:
            self._model = self._clock = None
            return
        model, at = heard[0].model, heard[1]
        if model != self._model:
            self._model = model
            await self._meet(model, at)
        kind = _kind(model, self._settings)
        if kind is not None:
            await self._read_new(kind)

    async def _meet(self, model: str, at: Instant) -> None:
        low = await self._ask(taidoc.SERIAL_LOW, Write.IDENTIFY)
        high = await self._ask(taidoc.SERIAL_HIGH, Write.IDENTIFY)
        serial = None
        if low is not None and high is not None:
            serial = (high[0].data[::-1] + low[0].data[::-1]).hex().upper()
        known = serial if serial and serial.strip("0") else None
        self._host.identify(InstrumentId(DRIVER, f"TD-{model}", known))
        await self._read_clock()
        if _kind(model, self._settings) is None:
            text = f"model TD-{model} is not known here: set what it measures, if it is one of ours"
            await self._emit(Notice(NoticeKind.UNMAPPED, text, at))

    async def _read_clock(self) -> None:
        asked = self._host.now()
        heard = await self._ask(taidoc.CLOCK, Write.IDENTIFY)
        self._clock = None
        if heard is None:
            return
        reply, at = heard
        local = reply.time
        if local is None or not at.trusted or abs(_ahead_s(local, at)) > CLOCK_TRUSTED_WITHIN_S:
            text = (
                "its clock is more than a day off or cannot be compared: set it; records are held"
            )
            await self._emit(Notice(NoticeKind.CLOCK, text, at))
            return
        error_s = RESOLUTION_S + (at.mono_ns - asked.mono_ns) / _NS
        self._clock = ClockReading(local, at, error_s)

    async def _read_new(self, kind: Kind) -> None:
        """Read from the newest record back to the last one known, and tell them oldest first."""
        most = 1 + self._settings.backlog if self._newest is None else MOST_NEW
        found: list[tuple[Record, Instant]] = []
        for number in range(most):
            heard = await self._record(number)
            if heard is None or heard[0].is_empty or heard[0] == self._newest:
                break
            found.append(heard)
        if found:
            self._newest = found[0][0]
        for record, at in reversed(found):
            for item in meaning(kind, record, at, self._clock, self._settings):
                await self._emit(item)

    async def _record(self, number: int) -> tuple[Record, Instant] | None:
        time = await self._ask(taidoc.RECORD_TIME, record=number)
        value = await self._ask(taidoc.RECORD_VALUE, record=number) if time else None
        return (Record(time[0], value[0]), value[1]) if time and value else None

    async def _ask(
        self, code: int, purpose: Write = Write.FETCH, record: int = 0
    ) -> Heard[Reply] | None:
        of_user = code in {taidoc.RECORD_TIME, taidoc.RECORD_VALUE}
        question = command(code, record=record, user=self._settings.user if of_user else 0)
        return await self._talk.ask(purpose, question, lambda r: r.command == code, ANSWER_S)


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


def _device_time(
    taken: datetime | None, at: Instant, clock: ClockReading | None
) -> DeviceTime | None:
    if taken is None or clock is None:
        return None if taken is None else DeviceTime(taken, RESOLUTION_S)
    now = clock.local + timedelta(seconds=(at.mono_ns - clock.at.mono_ns) / _NS)
    return DeviceTime(
        taken, RESOLUTION_S, age_s=(now - taken).total_seconds(), age_error_s=clock.error_s
    )


def _ahead_s(local: datetime, at: Instant) -> float:
    hub = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at.wall_ns // 1000)
    return (local - hub.replace(tzinfo=None)).total_seconds()


def _kind(model: str, settings: Settings) -> Kind | None:
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
