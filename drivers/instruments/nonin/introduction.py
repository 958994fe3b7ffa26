"""What is said to a Nonin oximeter at the start of a session, and what is learnt from it.

asked                      grant                    why
select the Data Format     select-format            first: it decides whether values come at all
device type, serial number identify                 whose value it is, when two of a model are used
the clock                  identify or set-clock    places stored spot checks in time
set the clock, read again  set-clock                only if it is off and the hub's own is trusted

Each question is put at most twice and waits 0.6 s, so that all of them are through before model
9560 stops listening, five seconds after the connection. An instrument that answers nothing loses
nothing but that time: what it sends is decoded meanwhile. Setting the clock is not answered, so it
is proven by reading the clock again.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from drivers.contract import Host, Write
from drivers.instruments.nonin.settings import Settings
from drivers.model import DeviceTime, Instant, InstrumentId, Notice, NoticeKind
from drivers.protocols import nonin_control
from drivers.protocols.nonin_control import (
    Ack,
    ClockReply,
    DeviceTypeReply,
    Nak,
    Reply,
    SerialReply,
)

DRIVER = "nonin"
WRITES = frozenset({Write.SELECT_FORMAT, Write.IDENTIFY, Write.SET_CLOCK})
CLOCK_RESOLUTION_S = 1.0  # the reply says whole seconds
CLOCK_OFF_S = 2.0  # nearer than this the reply's resolution and its way decide, not the clock
SET_WITHIN_S = 2.0

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """One command; `answers` are the replies that end the wait, none: there is no reply."""

    purpose: Write
    command: bytes
    answers: tuple[type[Reply], ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply, when its question was put and when it arrived."""

    reply: Reply
    asked: Instant
    at: Instant


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What the instrument's clock said at a moment of the hub's clocks."""

    local: datetime
    at: Instant
    error_s: float
    offset_s: float

    def place(self, taken: datetime, resolution_s: float, at: Instant) -> DeviceTime:
        """Return the time of a record that arrived at `at`, with its age by this clock."""
        now = self.local + timedelta(seconds=(at.mono_ns - self.at.mono_ns) / _NS)
        return DeviceTime(
            local=taken,
            resolution_s=resolution_s,
            age_s=(now - taken).total_seconds(),
            age_error_s=self.error_s,
            offset_s=self.offset_s,
        )


class Learnt:
    """What the instrument has said of itself so far in this session.

    `clock` is the latest reading; `clock_before` the one from before the clock was set, which is
    the clock that records from memory were made by; None if the clock was not set.
    """

    def __init__(self) -> None:
        self.model: str | None = None
        self.serial: str | None = None
        self.firmware: str | None = None
        self.clock: ClockReading | None = None
        self.clock_before: ClockReading | None = None

    def device_time(
        self, taken: datetime, resolution_s: float, at: Instant, *, from_memory: bool
    ) -> DeviceTime:
        """Return the time of a record, compared with the clock it was made by if that was read."""
        clock = (self.clock_before if from_memory else None) or self.clock
        if clock is None:
            return DeviceTime(taken, resolution_s)
        return clock.place(taken, resolution_s, at)


Script: TypeAlias = Generator[Question | Notice | InstrumentId, Heard | None, None]


def introduction(settings: Settings, host: Host, learnt: Learnt) -> Script:
    """Yield what to ask, tell and identify, in order; each question is sent its answer or None."""
    selection = settings.selection()
    if selection is not None and host.may(Write.SELECT_FORMAT):
        yield from _select(settings, selection, host)
    if host.may(Write.IDENTIFY):
        yield from _identify(learnt)
    if host.may(Write.IDENTIFY) or host.may(Write.SET_CLOCK):
        yield from _clock(settings, host, learnt)


def _select(settings: Settings, selection: bytes, host: Host) -> Script:
    heard = yield Question(Write.SELECT_FORMAT, selection, (Ack,))
    if heard is None:
        yield _refused(
            f"Data Format {settings.format} was not selected: no answer; model 9560 listens only "
            "in the first 5 s after connection: connect again",
            host.now(),
        )
    elif isinstance(heard.reply, Nak):
        yield _refused(
            f"Data Format {settings.format} was refused: this model does not have it", heard.at
        )


def _identify(learnt: Learnt) -> Script:
    heard = yield Question(Write.IDENTIFY, nonin_control.GET_DEVICE_TYPE, (DeviceTypeReply,))
    if heard is not None and isinstance(heard.reply, DeviceTypeReply):
        learnt.model = heard.reply.model or f"device type {heard.reply.code.hex(' ')}"
    heard = yield Question(Write.IDENTIFY, nonin_control.GET_SERIAL, (SerialReply,))
    if heard is not None and isinstance(heard.reply, SerialReply):
        learnt.serial = _serial(heard.reply.serial)
        if learnt.serial is None:
            yield _refused("the serial number it gives is not text and is not used", heard.at)
    if learnt.model or learnt.serial:
        yield InstrumentId(DRIVER, learnt.model, learnt.serial, learnt.firmware)


def _serial(sent: str) -> str | None:
    """Return a serial number fit to name an instrument by, or None."""
    serial = sent.strip(" \0")
    return serial if serial.isascii() and serial.isalnum() else None


def _clock(settings: Settings, host: Host, learnt: Learnt) -> Script:
    purpose = Write.IDENTIFY if host.may(Write.IDENTIFY) else Write.SET_CLOCK
    learnt.clock = yield from _read_clock(settings, purpose)
    if learnt.clock is None or not host.may(Write.SET_CLOCK):
        return
    was = learnt.clock
    if abs(was.offset_s) <= CLOCK_OFF_S:
        return
    right = _hub_local(settings, was.at) + timedelta(milliseconds=500)  # to the nearest second
    if not was.at.trusted or right.year not in nonin_control.CLOCK_YEARS:
        text = f"the clock is {was.offset_s:+.0f} s off; not set, the hub's own cannot be trusted"
        yield Notice(NoticeKind.CLOCK, text, was.at)
        return
    yield Question(Write.SET_CLOCK, nonin_control.set_clock(right), ())
    # From here on nobody knows which clock a record from memory was made by but the one before.
    learnt.clock_before = was
    learnt.clock = yield from _read_clock(settings, purpose)
    if learnt.clock is None or abs(learnt.clock.offset_s) > SET_WITHIN_S:
        yield _refused("the clock was set, but does not show it", host.now())
    else:
        text = f"the clock was {was.offset_s:+.0f} s off and is set"
        yield Notice(NoticeKind.CLOCK, text, learnt.clock.at)


def _read_clock(
    settings: Settings, purpose: Write
) -> Generator[Question | Notice | InstrumentId, Heard | None, ClockReading | None]:
    heard = yield Question(purpose, nonin_control.GET_CLOCK, (ClockReply,))
    if heard is None or not isinstance(heard.reply, ClockReply):
        return None
    local = heard.reply.local
    if local is None:
        yield Notice(NoticeKind.CLOCK, "the clock shows no date: set it", heard.at)
        return None
    round_trip_s = (heard.at.mono_ns - heard.asked.mono_ns) / _NS
    return ClockReading(
        local=local,
        at=heard.at,
        error_s=CLOCK_RESOLUTION_S + round_trip_s,
        offset_s=(local - _hub_local(settings, heard.at)).total_seconds(),
    )


def _hub_local(settings: Settings, at: Instant) -> datetime:
    """Return the hub's wall clock as the instrument should show it."""
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at.wall_ns // 1000)
    return utc.astimezone(ZoneInfo(settings.zone)).replace(tzinfo=None)


def _refused(text: str, at: Instant) -> Notice:
    return Notice(NoticeKind.REFUSED, text, at)
