"""Blood-pressure modules with text frames, as they sit in monitors and kiosks.

A measurement is started here only where `start-measurement` is granted, and only when a person in
the room wants one now; its result is asked for where `fetch` is. Who may start may also end: a
cuff that hurts is stopped by one byte. Where only `fetch` is granted, the result of a measurement
that was started at the module is asked for as soon as it says that one has ended.

Live        the result asked for after an end was heard in this session; it began when it was
            started here, or when the cuff was seen to fill
From memory any other result: it may be hours old; and one that equals the last
Failed      an error other than 00, whatever numbers stand beside it: they may be those of before
"""

from dataclasses import replace
from typing import Literal

import msgspec

from drivers.contract import ByteLink, Emit, Host, Wish, Write
from drivers.inflation import NS, Inflation
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
from drivers.protocols.stx_nibp import (
    ABORT,
    ADULT,
    ASK,
    ERRORS,
    FIRST_PRESSURE,
    NEONATE,
    START,
    Decoder,
    Ended,
    Progress,
    Result,
    Said,
    command,
)
from drivers.sessions import Dialogue

DRIVER = "stx-nibp"
ANSWER_S = 2.0
BEGINS_S = 5.0
MEASURES_S = 180.0
BETWEEN_S = 0.2  # commands that follow each other sooner are not known to be heard
LISTEN_S = 600.0
SHOWN_S = 2.0  # a module that measures shows the pressure several times a second
OK = "00"

_NO_FETCH = "cannot be started from here: allow 'fetch' too, or its result stays in the module"
_MEASURES = "measures already, and not for whoever wants it now: wait for its end"
_NOT_BEGUN = "was told to measure and does not: look at cuff and hose"
_NO_RESULT = "measured, but gives no result"
_ENDED_HERE = "the measurement was ended from here"
_PATIENTS = {"0": "adult"}
_FLAGS = {"06": Flag.CUFF_LOOSE, "11": Flag.BODY_MOVEMENT}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is measured, and how far the cuff is first inflated; None leaves that to the module."""

    patient: Literal["adult", "neonate"] | None = None
    first_pressure: Literal[100, 120, 140, 160, 180] | None = None

    def __post_init__(self) -> None:
        neonatal = {100, 120, 140}
        if self.patient == "neonate" and self.first_pressure not in {None, *neonatal}:
            raise ValueError("first_pressure of a neonate: 100, 120 or 140")
        if self.patient != "neonate" and self.first_pressure in {100, 120}:
            raise ValueError("first_pressure 100 and 120 are for patient = 'neonate'")


class StxNibp:
    """Emit the result of each measurement."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._settings = settings

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Measure when that is wanted and granted, and decode until the link is lost."""
        session = _Session(self._host, self._settings, emit)
        async with Dialogue[Said](self._host, link, Decoder(), session.hear) as talk:
            await session.begin()
            while True:
                await session.turn(talk)


class _Session:
    def __init__(self, host: Host, settings: Settings, emit: Emit) -> None:
        self._host = host
        self._settings = settings
        self._emit = emit
        self._identified = False
        self._last: Result | None = None
        self._inflation = Inflation()
        self._shown: Instant | None = None  # when a pressure in the cuff was last
        self._may_start = host.may(Write.START_MEASUREMENT) and host.may(Write.FETCH)

    async def begin(self) -> None:
        """Say so where what is granted cannot be used."""
        if self._host.may(Write.START_MEASUREMENT) and not self._may_start:
            await self._tell(NoticeKind.REFUSED, _NO_FETCH)

    async def hear(self, item: Said | Skipped, at: Instant) -> None:
        """Take what nobody waited for."""
        if isinstance(item, Skipped):
            await self._emit(item)
        elif isinstance(item, Result):
            await self._tell_old(item, at)
        else:
            self._identify()
            if isinstance(item, Progress):
                self._shown = at
                self._inflation.saw(float(item.pressure), at)

    async def turn(self, talk: Dialogue[Said]) -> None:
        """Wait for a wish, or for the end of a measurement that was started at the module."""
        open_to = (Wish.MEASURE,) if self._may_start else ()
        heard = await talk.attend(LISTEN_S, _is_end, *open_to)
        if isinstance(heard, Wish):
            if self._measures():
                await self._tell(NoticeKind.REFUSED, _MEASURES)
            else:
                await self._measure(talk)
        elif heard is not None:
            await self._fetch(talk, None)

    def _measures(self) -> bool:
        """Tell whether a measurement goes on that was not started here."""
        shown = self._shown
        return shown is not None and self._host.now().mono_ns - shown.mono_ns < SHOWN_S * NS

    async def _measure(self, talk: Dialogue[Said]) -> None:
        began = self._host.now()
        for number in (*_preparation(self._settings), START):
            await talk.tell(Write.START_MEASUREMENT, command(number))
            if number != START:
                await talk.listen(BETWEEN_S)
        begun = await talk.attend(BEGINS_S, _is_progress_or_end, Wish.STOP)
        if begun is None:
            await self._tell(NoticeKind.REFUSED, _NOT_BEGUN)
        elif isinstance(begun, tuple) and isinstance(begun[0], Progress):
            begun = await talk.attend(MEASURES_S, _is_end, Wish.STOP)
        if begun is None or isinstance(begun, Wish):
            await talk.tell(Write.START_MEASUREMENT, ABORT)
            await self._tell(NoticeKind.STATE, _ENDED_HERE)
        else:
            await self._fetch(talk, began)

    async def _fetch(self, talk: Dialogue[Said], began: Instant | None) -> None:
        """Ask for the result of the measurement that has just ended, where that is granted."""
        inflation, self._inflation, self._shown = self._inflation, Inflation(), None
        if not self._host.may(Write.FETCH):
            return
        question = command(ASK)
        heard = await talk.ask(Write.FETCH, question, _is_result, ANSWER_S)
        if heard is None:
            await self._tell(NoticeKind.STATE, _NO_RESULT)
        elif isinstance(heard[0], Result):
            await self._tell_live(heard[0], heard[1], began, inflation)

    async def _tell_live(
        self, result: Result, at: Instant, began: Instant | None, inflation: Inflation
    ) -> None:
        is_live, self._last = result != self._last, result
        told = measurement(result, at, is_live=is_live)
        seen = inflation.result(told.readings, at.mono_ns)
        await self._emit(replace(told, began=began or seen) if is_live else told)

    async def _tell_old(self, result: Result, at: Instant) -> None:
        self._identify()
        if result != self._last:
            self._last = result
            await self._emit(measurement(result, at, is_live=False))

    async def _tell(self, kind: NoticeKind, text: str) -> None:
        await self._emit(Notice(kind, text, self._host.now()))

    def _identify(self) -> None:
        if not self._identified:
            self._host.identify(InstrumentId(DRIVER))
            self._identified = True


def measurement(result: Result, at: Instant, *, is_live: bool) -> Measurement:
    """Return what a result says."""
    status = Status.OK if result.error == OK else Status.FAILED
    systolic, diastolic = _number(result.systolic), _number(result.diastolic)
    readings = (
        *pressures(systolic, diastolic, _number(result.mean), status),
        reading(Metric.PULSE_RATE, _number(result.pulse), Unit.PER_MIN, status),
    )
    evidence = [("patient", _PATIENTS.get(result.patient, f"mode {result.patient}"))]
    if status is Status.FAILED:
        text = ERRORS.get(result.error, "not documented")
        evidence.append(("error", f"NIBP error {result.error}, {text}"))
    flags = set() if is_live else {Flag.FROM_MEMORY}
    flags |= {_FLAGS[result.error]} if result.error in _FLAGS else set()
    return Measurement(
        Kind.BLOOD_PRESSURE,
        readings,
        at,
        result.raw,
        flags=frozenset(flags),
        evidence=tuple(evidence),
    )


def _preparation(settings: Settings) -> tuple[int, ...]:
    """Return the commands that go before a start."""
    mode = {None: (), "adult": (ADULT,), "neonate": (NEONATE,)}[settings.patient]
    first = settings.first_pressure
    return mode if first is None else (*mode, FIRST_PRESSURE[first])


def _number(text: str) -> int:
    """Return a number, 0 for dashes: how `plausibility` takes that there is none."""
    return int(text) if text.isdigit() else 0


def _is_end(said: Said) -> bool:
    return isinstance(said, Ended)


def _is_progress_or_end(said: Said) -> bool:
    return not isinstance(said, Result)


def _is_result(said: Said) -> bool:
    return isinstance(said, Result)
