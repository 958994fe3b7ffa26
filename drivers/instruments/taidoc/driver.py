"""TaiDoc and FORA cuffs, thermometers and oximeters: stored records, read when the hub asks.

An instrument is awake for a minute or two after a measurement. The hub asks for the model every few
seconds; once it is answered, for serial number and clock (where `identify` is granted) and for the
newest record; then, while the instrument stays awake, for records newer than the last one read.
Records made before the instrument was first heard are read only as far as `backlog` says.

Every record is stored data: it is flagged from-memory and carries the time the instrument gave it,
to the minute. It is placed in the hub's time only if the instrument's clock was read when it woke
and is within a day of the hub's; otherwise nobody can say whose it is and it is held for a person.

What is measured follows from the model (31xx pressure, 11xx and 12xx temperature, 82xx oximetry,
25xx weight) or, for models with another number, from the setting `measures`. Blood sugar is told as
a notice and never as a value. A scale is asked for its last weight, which has no time: only a
person who compares it with the display can say whose it is.

Where nothing may be asked, what is heard all the same is read: see `overheard`.
"""

from datetime import UTC, datetime, timedelta

from drivers.contract import ByteLink, Emit, Host, Write
from drivers.instruments.taidoc.meaning import (
    RESOLUTION_S,
    ClockReading,
    Record,
    Settings,
    kind_of,
    meaning,
    weighed,
)
from drivers.instruments.taidoc.overheard import Overheard
from drivers.model import Instant, InstrumentId, Kind, Notice, NoticeKind, Skipped
from drivers.protocols import taidoc
from drivers.protocols.taidoc import Decoder, Reply, command
from drivers.sessions import Dialogue, Heard

DRIVER = "taidoc"
ANSWER_S = 1.0
MOST_NEW = 20  # records in a row that are looked through for the last one known
CLOCK_TRUSTED_WITHIN_S = 86400.0  # any zone, and a clock somebody has set
_NS = 1_000_000_000


class TaiDoc:
    """Emit every record that was not read before in this session."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._settings = settings

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Ask again and again, as far as granted, until the link is lost."""
        overheard = Overheard(self._settings)

        async def other(item: Reply | Skipped, at: Instant) -> None:
            if isinstance(item, Skipped):
                await emit(item)
            elif self._host.may(Write.FETCH):
                self._host.count("replies_unasked")
            else:
                for said in overheard.read(item, at):
                    await emit(said)

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
        self._weighed: Reply | None = None

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
        kind = kind_of(model, self._settings)
        if kind is Kind.WEIGHT:
            await self._weigh(model)
        elif kind is not None:
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
        if kind_of(model, self._settings) is None:
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

    async def _weigh(self, model: str) -> None:
        """Tell the last weight of a scale, once."""
        code = taidoc.SCALE if model == taidoc.FIRST_SCALE else taidoc.SCALES
        question = taidoc.scale_command(code)
        heard = await self._talk.ask(
            Write.FETCH, question, lambda r: r.command == code and r.is_scale, ANSWER_S
        )
        if heard is not None and heard[0] != self._weighed:
            self._weighed = heard[0]
            await self._emit(weighed(*heard))

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


def _ahead_s(local: datetime, at: Instant) -> float:
    hub = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at.wall_ns // 1000)
    return (local - hub.replace(tzinfo=None)).total_seconds()
