"""A&D TM-2655 arm-in blood-pressure kiosk: one measurement at the end of each.

The kiosk sends its result by itself. Where `fetch` is granted, its pulse envelope is then asked for
and kept as evidence: pairs of falling cuff pressure and pulse amplitude, which is no waveform, for
it has no time. The last result is never asked for: it may be anybody's. Where `start-measurement`
is granted, a person in the room can have it measure, and end that.

Live        the result comes when the measurement ends. Its clock counts minutes and is set by hand,
            so it is evidence and not the time of the value. A result that comes again byte for byte
            is counted and not taken.
Failed      an error other than 00, whatever numbers stand beside it
Not read    output formats with an identification of the patient: a notice says how to change it
"""

from collections import deque
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

import msgspec

from drivers.contract import ByteLink, Emit, Host, Wish, Write
from drivers.errors import LinkLost
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
from drivers.protocols.and_tm2655 import (
    OK,
    Acknowledgement,
    Decoder,
    Message,
    Result,
    Said,
    command,
    envelope_of,
    result_of,
)
from drivers.sessions import Dialogue

DRIVER = "and-tm2655"
ENVELOPE_S = 5.0  # at 2400 baud the longest one takes 5 s; those seen, one
LISTEN_S = 600.0
ANSWER_S = 2.0
MEASURES_S = 180.0

ERRORS = MappingProxyType(
    {
        "11": "no pressure at the start",
        "12": "the pressure was not reached",
        "13": "inflates too fast",
        "15": "no pressure at the start",
        "21": "exhausts too slowly",
        "22": "exhausts too fast",
        "23": "overpressure",
        "24": "took too long",
        "42": "pressure insufficient",
        "43": "no pulse found",
        "44": "body movement",
        "45": "diastolic not determinable",
        "46": "mean not determinable",
        "48": "systolic not determinable",
        "61": "pulse not determinable",
        "63": "blood pressure value, the words not known",
    }
)
_OTHER_FORMAT = (
    "a message that is no result of output format 1: set function F25 of the kiosk to 1, "
    "so that no patient's number is in it and the error is"
)


_NO_RESULT = "was started from here and gives no result"
_NOT_BEGUN = "does not begin to measure: is an arm in it?"
_ENDED = "the measurement was ended from here"
_NOT_ENDED = "was told to stop and does not answer: use its own button"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kiosk sends on its own; what may be asked is a matter of grants."""


class AndTm2655:
    """Emit a measurement for each result, with its envelope where that may be asked for."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._last = b""
        self._waiting: deque[tuple[Message, Instant]] = deque()
        self._who: InstrumentId | None = None
        self._began: Instant | None = None  # when a measurement was started here that goes on

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""

        async def other(item: Said | Skipped, at: Instant) -> None:
            if isinstance(item, Skipped):
                await emit(item)
            elif isinstance(item, Message):
                self._waiting.append((item, at))

        async with Dialogue[Said](self._host, link, Decoder(), other) as talk:
            while True:
                if not self._waiting:
                    await self._turn(talk, emit)
                await self._take_all(talk, emit)

    async def _take_all(self, talk: Dialogue[Said], emit: Emit) -> None:
        while self._waiting:
            await self._take(*self._waiting.popleft(), talk, emit)

    async def _turn(self, talk: Dialogue[Said], emit: Emit) -> None:
        """Wait for a message, or for what a person wants."""
        open_to = (Wish.MEASURE,) if self._began is None else (Wish.STOP,)
        heard = await talk.attend(
            LISTEN_S if self._began is None else MEASURES_S,
            lambda frame: isinstance(frame, Message),
            *(open_to if self._host.may(Write.START_MEASUREMENT) else ()),
        )
        if isinstance(heard, Wish):
            began, text = await self._order(heard, talk)
            await self._take_all(talk, emit)  # it came before the answer: not of what now begins
            self._began = began
        else:
            text = _NO_RESULT if heard is None and self._began else ""
            self._began = None if heard is None else self._began
            if heard is not None and isinstance(heard[0], Message):
                self._waiting.append((heard[0], heard[1]))
        if text:
            await emit(Notice(NoticeKind.STATE, text, self._host.now()))

    async def _order(self, wish: Wish, talk: Dialogue[Said]) -> tuple[Instant | None, str]:
        """Start or stop; return when what was started began, and what there is to say."""
        now, starts = self._host.now(), wish is Wish.MEASURE
        order = command(b"ST" if starts else b"SP")
        heard = await talk.ask(Write.START_MEASUREMENT, order, _is_acknowledgement, ANSWER_S)
        accepted = heard is not None and heard[0] == Acknowledgement(accepted=True)
        if starts:
            return (now, "") if accepted else (None, _NOT_BEGUN)
        return None, _ENDED if accepted else _NOT_ENDED

    async def _take(
        self,
        message: Message,
        at: Instant,
        talk: Dialogue[Said],
        emit: Emit,
    ) -> None:
        result = result_of(message)
        if result is None:
            await emit(_other(message, at))
            return
        if message.raw == self._last:
            self._host.count("results_repeated")
            return
        self._last = message.raw
        self._identify(result.model)
        envelope: tuple[tuple[int, int], ...] = ()
        if result.error == OK:
            try:
                envelope = await _ask_envelope(talk)
            except LinkLost:
                await emit(self._placed(measurement(result, (), message.raw, at)))
                raise
        await emit(self._placed(measurement(result, envelope, message.raw, at)))

    def _placed(self, told: Measurement) -> Measurement:
        """Return a result with when it began, if it was started here."""
        began, self._began = self._began, None
        is_of_it = began is not None and began.mono_ns <= told.at.mono_ns
        return replace(told, began=began) if is_of_it else told

    def _identify(self, model: str) -> None:
        who = InstrumentId(DRIVER, model)
        if who != self._who:
            self._who = who
            self._host.identify(who)


async def _ask_envelope(
    talk: Dialogue[Said],
) -> tuple[tuple[int, int], ...]:
    heard = await talk.ask(Write.FETCH, command(b"RP"), _ends_envelope, ENVELOPE_S)
    if heard is None or not isinstance(heard[0], Message):
        return ()
    return envelope_of(heard[0]) or ()


def _other(message: Message, at: Instant) -> Notice:
    """Return what to say of a message that holds no result, as an envelope nobody waits for."""
    envelope = envelope_of(message)
    if envelope is None:
        return Notice(NoticeKind.UNMAPPED, _OTHER_FORMAT, at)
    text = f"a pulse envelope of {len(envelope)} pairs, {envelope[0][0]} to {envelope[-1][0]} mmHg"
    return Notice(NoticeKind.STATE, text, at)


def _is_acknowledgement(frame: Said) -> bool:
    return isinstance(frame, Acknowledgement)


def _ends_envelope(frame: Said) -> bool:
    if isinstance(frame, Acknowledgement):
        return not frame.accepted
    return envelope_of(frame) is not None


def measurement(
    result: Result, envelope: tuple[tuple[int, int], ...], raw: bytes, at: Instant
) -> Measurement:
    """Return what a result says."""
    status = Status.OK if result.error == OK else Status.FAILED
    readings = (
        *pressures(result.systolic, result.diastolic, result.mean, status),
        reading(Metric.PULSE_RATE, result.pulse, Unit.PER_MIN, status),
    )
    evidence = [("clock", _clock(result.clock))]
    if status is Status.FAILED:
        text = ERRORS.get(result.error, "not documented")
        evidence.append(("error", f"E{result.error}, {text}"))
    if envelope:
        pairs = " ".join(f"{pressure},{amplitude}" for pressure, amplitude in envelope)
        evidence.append(("envelope of mmHg,amplitude", pairs))
    flags = frozenset({Flag.BODY_MOVEMENT} if result.error == "44" else ())
    return Measurement(
        Kind.BLOOD_PRESSURE, readings, at, raw, flags=flags, evidence=tuple(evidence)
    )


def _clock(sent: str) -> str:
    """Return the kiosk's time as ISO 8601, as sent where it is no date."""
    try:
        return datetime.strptime(sent, "%y%m%d%H%M").isoformat(timespec="minutes")  # noqa: DTZ007 - no zone
    except ValueError:
        return sent
