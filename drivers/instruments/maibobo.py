"""Maibobo arm-in blood-pressure kiosk: one measurement at the end of each, failed ones included.

The kiosk is started by its own button and sends by itself; where `identify` is granted the hub
opens the connection first, as the programs it comes with do. Where `start-measurement` is granted,
a person in the room can have it measure, and end that.

Live      a result comes when the measurement ends; its clock is evidence, not the value's time. One
          that comes again byte for byte is counted and not taken. The pressure in the cuff shows
          when it began
Failed    an error, with its words where they are known
"""

from dataclasses import replace

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
from drivers.protocols.maibobo import (
    CONNECT,
    CUFF_PRESSURE,
    ERROR,
    ERRORS,
    RESULT,
    RESULT_BYTES,
    START,
    STOP,
    Decoder,
    Frame,
    command,
)
from drivers.sessions import Dialogue

DRIVER = "maibobo"
ANSWER_S = 0.2
ATTEMPTS = 5
LISTEN_S = 600.0
MEASURES_S = 180.0
SHOWN_S = 2.0  # a kiosk that measures shows the pressure several times a second

_WRONG_POSITION = frozenset({0x02, 0x06})


_MEASURES = "measures already, and not for whoever wants it now: wait for its end"
_NO_RESULT = "was started from here and gives no result"
_NOT_BEGUN = "does not begin to measure: is an arm in it?"
_ENDED = "the measurement was ended from here"
_NOT_ENDED = "was told to stop and does not answer: use its own button"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kiosk sends on its own; baud is the link's."""


class Maibobo:
    """Emit a measurement for each result and each error."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._last = b""
        self._identified = False
        self._inflation = Inflation()
        self._shown: Instant | None = None  # when a pressure in the cuff was last
        self._began: Instant | None = None  # when a measurement was started here that goes on

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Open the connection where granted, and decode until the link is lost."""

        async def other(item: Frame | Skipped, at: Instant) -> None:
            if isinstance(item, Skipped):
                await emit(item)
            elif (told := self._read(item, at)) is not None:
                await emit(told)

        async with Dialogue(self._host, link, Decoder(), other) as talk:
            for _ in range(ATTEMPTS):
                question = command(CONNECT)
                if await talk.ask(Write.IDENTIFY, question, _is_connection, ANSWER_S):
                    break
            while True:
                await self._turn(talk, emit)

    async def _turn(self, talk: Dialogue[Frame], emit: Emit) -> None:
        """Wait for the end of a measurement, or for what a person wants."""
        open_to = (Wish.MEASURE,) if self._began is None else (Wish.STOP,)
        heard = await talk.attend(
            LISTEN_S if self._began is None else MEASURES_S,
            _is_end,
            *(open_to if self._host.may(Write.START_MEASUREMENT) else ()),
        )
        if isinstance(heard, Wish):
            await self._order(heard, talk, emit)
        elif heard is not None:
            told = self._read(*heard)
            began, self._began = self._began, None
            if told is not None:
                of_it = began is not None and began.mono_ns <= told.at.mono_ns
                await emit(replace(told, began=began) if of_it else told)
        elif self._began is not None:
            self._began = None
            await emit(Notice(NoticeKind.STATE, _NO_RESULT, self._host.now()))

    async def _order(self, wish: Wish, talk: Dialogue[Frame], emit: Emit) -> None:
        now, starts = self._host.now(), wish is Wish.MEASURE
        shown = self._shown
        if starts and shown is not None and now.mono_ns - shown.mono_ns < SHOWN_S * NS:
            await emit(Notice(NoticeKind.REFUSED, _MEASURES, now))
            return
        code = START if starts else STOP
        heard = None
        for _ in range(ATTEMPTS):
            heard = await talk.ask(
                Write.START_MEASUREMENT, command(code), lambda f: f.code == code, ANSWER_S
            )
            if heard is not None:
                break
        self._began = now if starts and heard else None
        if not (starts and heard):
            text = _NOT_BEGUN if starts else _ENDED if heard else _NOT_ENDED
            await emit(Notice(NoticeKind.STATE, text, self._host.now()))

    def _read(self, frame: Frame, at: Instant) -> Measurement | None:
        if not self._identified:
            self._host.identify(InstrumentId(DRIVER))
            self._identified = True
        if frame.code == CUFF_PRESSURE and frame.data:
            self._shown = at
            self._inflation.saw(float(int.from_bytes(frame.data, "big")), at)
        if _is_end(frame):
            self._shown = None
        if frame.code == ERROR and frame.data:
            self._inflation = Inflation()
            return failure(frame, at)
        if frame.code != RESULT or len(frame.data) != RESULT_BYTES:
            return None
        if frame.raw == self._last:
            self._host.count("results_repeated")
            return None
        self._last = frame.raw
        told = measurement(frame, at)
        return replace(told, began=self._inflation.result(told.readings, at.mono_ns))


def measurement(frame: Frame, at: Instant) -> Measurement:
    """Return what a result says."""
    year, month, day, hour, minute, second = frame.data[1:7]
    numbers = (frame.data[place : place + 2] for place in (7, 9, 11))
    systolic, diastolic, pulse = (int.from_bytes(number, "big") for number in numbers)
    readings = (
        *pressures(systolic, diastolic),
        reading(Metric.PULSE_RATE, pulse, Unit.PER_MIN),
    )
    clock = f"{2000 + year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    return Measurement(Kind.BLOOD_PRESSURE, readings, at, frame.raw, evidence=(("clock", clock),))


def failure(frame: Frame, at: Instant) -> Measurement:
    """Return the measurement that ended in an error."""
    error = frame.data[0]
    readings = (
        *pressures(None, None, status=Status.FAILED),
        reading(Metric.PULSE_RATE, None, Unit.PER_MIN, Status.FAILED),
    )
    flags = frozenset({Flag.WRONG_POSITION} if error in _WRONG_POSITION else ())
    text = f"{error:02X}, {ERRORS.get(error, 'not documented')}"
    return Measurement(
        Kind.BLOOD_PRESSURE, readings, at, frame.raw, flags=flags, evidence=(("error", text),)
    )


def _is_end(frame: Frame) -> bool:
    return frame.code in {RESULT, ERROR}


def _is_connection(frame: Frame) -> bool:
    return frame.code == CONNECT
