"""SunTech OEM blood-pressure modules.

A measurement is started here only where `start-measurement` is granted, and only when a person in
the room wants one now; who may start may also end. Its result has to be asked for, so `fetch` is
needed too. The module queues commands: `BETWEEN_S` stands between any two.

Live          the result of a measurement that was started in this session: that is when it began
From memory   any other result that is heard: it may be hours old; one told before is not told again
              unless it was asked for: then too it may be the one of before. After the module broke
              off a measurement nothing is asked for
Failed        an error other than 0, with its words

Which letter stands for the end of a measurement the sources tell only in passing (K, "done"), so
an end is believed when the result comes: until then the module answers B, "busy", and is asked
again.
"""

from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from drivers.contract import ByteLink, Emit, Host, Wish, Write
from drivers.model import (
    Flag,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Notice,
    NoticeKind,
    Skipped,
    Status,
    Unit,
)
from drivers.plausibility import pressures, reading
from drivers.protocols import suntech
from drivers.protocols.suntech import ERRORS, LETTERS, Decoder, Frame, Result, command
from drivers.sessions import Dialogue

DRIVER = "suntech"
ANSWER_S = 1.0
BETWEEN_S = 0.5
MEASURES_S = 180.0
LEAST_S = 5.0  # no cuff measures faster: a result that is there sooner is that of before
NS = 1_000_000_000
BUSY_ATTEMPTS = 5
LISTEN_S = 600.0

_START = {
    "adult": suntech.START_ADULT,
    "paediatric": suntech.START_PAEDIATRIC,
    "neonate": suntech.START_NEONATAL,
}
_FLAGS = {2: Flag.ARTIFACT, 87: Flag.CUFF_LOOSE}
_NO_FETCH = "cannot be started from here: allow 'fetch' too, or its result stays in the module"
_NO_RESULT = "measured, but gives no result"
_ENDED_HERE = "the measurement was ended from here"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is measured, and how far the cuff is first inflated; None leaves that to the module."""

    patient: Literal["adult", "paediatric", "neonate"] = "adult"
    first_pressure: Annotated[int, msgspec.Meta(ge=60, le=280)] | None = None


class SunTech:
    """Emit the result of each measurement."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._settings = settings

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Measure when that is wanted and granted, and decode until the link is lost."""
        session = _Session(self._host, self._settings, emit)
        async with Dialogue(self._host, link, Decoder(), session.hear) as talk:
            await session.begin(talk)
            while True:
                await session.turn(talk)


class _Session:
    def __init__(self, host: Host, settings: Settings, emit: Emit) -> None:
        self._host = host
        self._settings = settings
        self._emit = emit
        self._who: InstrumentId | None = None
        self._last: Result | None = None
        self._may_start = host.may(Write.START_MEASUREMENT) and host.may(Write.FETCH)

    async def begin(self, talk: Dialogue[Frame]) -> None:
        """Ask who is there, and say so where what is granted cannot be used."""
        question = command(suntech.ASK_VERSION)
        heard = await talk.ask(Write.IDENTIFY, question, _is_version, ANSWER_S)
        if heard is not None:
            self._identify(heard[0].version)
        if self._host.may(Write.START_MEASUREMENT) and not self._may_start:
            await self._tell(NoticeKind.REFUSED, _NO_FETCH)

    async def hear(self, item: Frame | Skipped, at: Instant) -> None:
        """Take what nobody waited for."""
        if isinstance(item, Skipped):
            await self._emit(item)
            return
        self._identify(item.version)
        if item.result is not None:
            await self._tell_old(item.result, item.raw, at)

    async def turn(self, talk: Dialogue[Frame]) -> None:
        """Wait for a wish."""
        open_to = (Wish.MEASURE,) if self._may_start else ()
        heard = await talk.attend(LISTEN_S, _nothing, *open_to)
        if isinstance(heard, Wish):
            await self._measure(talk)

    async def _measure(self, talk: Dialogue[Frame]) -> None:
        first, began = self._settings.first_pressure, self._host.now()
        if first is not None:
            await self._order(talk, suntech.first_pressure(first))
        answer = await self._order(talk, command(_START[self._settings.patient]))
        if answer not in {suntech.RECEIVED, suntech.DONE}:
            words = LETTERS.get(answer or "", "no answer")
            await self._tell(NoticeKind.REFUSED, f"does not begin to measure: {words}")
            return
        ended: object = None
        if answer == suntech.RECEIVED:
            ended = await talk.attend(MEASURES_S, _is_end, Wish.STOP)
        broken_off = isinstance(ended, tuple) and ended[0].letter == suntech.ABORTED
        if not (broken_off or ended is Wish.STOP) and await self._fetch(talk, began):
            return
        await self._order(talk, command(suntech.ABORT))
        await self._tell(NoticeKind.STATE, _ENDED_HERE if ended is Wish.STOP else _NO_RESULT)

    async def _order(self, talk: Dialogue[Frame], order: bytes) -> str | None:
        """Have the module do something; return the letter it answers, None if there is none."""
        letter = None
        for _ in range(BUSY_ATTEMPTS):
            heard = await talk.ask(Write.START_MEASUREMENT, order, _is_letter, ANSWER_S)
            await talk.listen(BETWEEN_S)
            letter = heard[0].letter if heard else None
            if letter != suntech.BUSY:
                break
        return letter

    async def _fetch(self, talk: Dialogue[Frame], began: Instant) -> bool:
        """Ask for the result until it is there; False where it is not, or a person ends it."""
        question = command(suntech.ASK_RESULT)
        for _ in range(int(MEASURES_S / ANSWER_S)):
            heard = await talk.ask(Write.FETCH, question, _is_letter_or_result, ANSWER_S)
            if heard is None:
                return False
            (frame, at), found = heard, heard[0].result
            if found is not None and at.mono_ns - began.mono_ns >= LEAST_S * NS:
                is_live, self._last = found != self._last, found
                told = measurement(found, frame.raw, at, is_live=is_live)
                await self._emit(replace(told, began=began) if is_live else told)
                return True
            if found is None and frame.letter != suntech.BUSY:
                return False
            if await talk.attend(ANSWER_S, _is_end, Wish.STOP) is Wish.STOP:
                return False
        return False

    async def _tell_old(self, result: Result, raw: bytes, at: Instant) -> None:
        if result != self._last:
            self._last = result
            await self._emit(measurement(result, raw, at, is_live=False))

    async def _tell(self, kind: NoticeKind, text: str) -> None:
        await self._emit(Notice(kind, text, self._host.now()))

    def _identify(self, version: str | None) -> None:
        known = version or (self._who.firmware if self._who else None)
        who = InstrumentId(DRIVER, firmware=known)
        if who != self._who:
            self._who = who
            self._host.identify(who)


def measurement(result: Result, raw: bytes, at: Instant, *, is_live: bool) -> Measurement:
    """Return what a result says."""
    status = Status.FAILED if result.error else Status.OK
    readings = (
        *pressures(result.systolic, result.diastolic, result.mean, status),
        reading(Metric.PULSE_RATE, result.heart_rate, Unit.PER_MIN, status),
    )
    evidence = [("beats", str(result.beats)), ("status", str(result.status))]
    flags = set() if is_live else {Flag.FROM_MEMORY}
    if result.error:
        evidence.append(("error", f"{result.error}, {ERRORS.get(result.error, 'not documented')}"))
        flags |= {_FLAGS[result.error]} if result.error in _FLAGS else set()
    return Measurement(
        Kind.BLOOD_PRESSURE,
        readings,
        at,
        raw,
        flags=frozenset(flags),
        evidence=tuple(evidence),
    )


def _is_version(frame: Frame) -> bool:
    return frame.length == suntech.VERSION


def _is_letter(frame: Frame) -> bool:
    return frame.letter is not None


def _is_letter_or_result(frame: Frame) -> bool:
    return frame.letter is not None or frame.result is not None


def _is_end(frame: Frame) -> bool:
    """Whether a measurement is over, one way or the other."""
    return frame.letter is not None and frame.letter not in {suntech.RECEIVED, suntech.BUSY}


def _nothing(_frame: Frame) -> bool:
    return False
