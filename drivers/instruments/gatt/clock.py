"""The instrument's clock: read, compared, set where that is granted, and values placed by it.

A value's age is the instrument's clock now minus the value's time, both the instrument's own, so no
zone and no error of either clock comes into it. That clock is read in the session: Current Time, or
else Date Time, which some cuffs have in their own service.

When the clock was set in the session, a time may be of the clock as it was or as it is. It is
placed only where one of the two is possible: with a clock that was an hour fast, a value of an hour
ago says that it is of now.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from drivers.contract import GattLink, Host, Write
from drivers.errors import RequestRefused
from drivers.instruments.gatt.settings import Settings
from drivers.model import Chunk, DeviceTime, Instant
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import decode, encode
from drivers.protocols.gatt.date_time import CurrentTime, DateTime

NS = 1_000_000_000
CHANNELS = (characteristics.CURRENT_TIME, characteristics.DATE_TIME)
LONGEST_ANSWER_S = 30.0  # an ATT transaction may take no longer
MINUTE_S = 60.0

Keep = Callable[[Chunk], Awaitable[None]]
Tell = Callable[[str, Instant], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What the clock showed at a moment of the hub's clocks."""

    local: datetime
    at: Instant
    error_s: float
    offset_s: float

    def age_s(self, taken: datetime, at: Instant) -> float:
        """Return how old a value was that reached the hub at `at`."""
        return (self.local - taken).total_seconds() + (at.mono_ns - self.at.mono_ns) / NS


class DeviceClock:
    """The clock of one instrument in one session: before and after it was set, None if not read."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._settings = settings
        self._was: ClockReading | None = None
        self._is: ClockReading | None = None
        self._was_set = False

    async def compare(self, link: GattLink, keep: Keep, tell: Tell) -> None:
        """Read the clock, and set it where that is granted, needed and the hub knows the time."""
        self._is = await self._read(link, keep)
        now = self._host.now()
        was = self._is
        quirks = self._settings.quirks
        tolerance_s = max(self._settings.clock_tolerance_s, quirks.clock_off_s)
        if was is not None and abs(was.offset_s) <= tolerance_s:
            return
        if quirks.keeps_its_clock or not self._host.may(Write.SET_CLOCK):
            if was is not None:
                await tell(f"the clock is {was.offset_s:+.0f} s off", now)
            return
        if not now.trusted:
            await tell("the clock was not set: the hub's own cannot be trusted", now)
            return
        if not await self._set(link, now):
            await tell("the clock was not set: the instrument refuses it", now)
            return
        self._was, self._was_set = was, True
        self._is = await self._read(link, keep)
        await tell(self._outcome(was, self._is), now)

    def place(self, taken: datetime, at: Instant) -> DeviceTime:
        """Return the time of a value that reached the hub at `at`, with its age where known."""
        resolution_s = _resolution_s(taken)
        reading = self._reading_for(taken, at)
        if reading is None:
            return DeviceTime(taken, resolution_s)
        return DeviceTime(
            local=taken,
            resolution_s=resolution_s,
            age_s=reading.age_s(taken, at),
            age_error_s=reading.error_s,
            offset_s=reading.offset_s,
        )

    def _reading_for(self, taken: datetime, at: Instant) -> ClockReading | None:
        """Return the reading of the clock a value was stamped by, None where that is not known."""
        if not self._was_set:
            return self._is
        if self._was is None or self._is is None:
            return None
        since_set_s = (at.mono_ns - self._is.at.mono_ns) / NS
        slack_s = _resolution_s(taken) + self._was.error_s + self._is.error_s
        before = self._was.age_s(taken, at) >= since_set_s - slack_s
        after = -slack_s <= self._is.age_s(taken, at) <= since_set_s + slack_s
        if before is after:
            return None
        return self._was if before else self._is

    def hear(self, chunk: Chunk) -> None:
        """Take a reading that comes among the values: of a session before, when kept bytes return.

        If it is not the same clock going on, it was set in between.
        """
        frame = decode(str(chunk.channel), chunk.data)
        new, old = None, self._is
        if isinstance(frame, CurrentTime | DateTime) and frame.local is not None:
            new = self._compared(frame.local, None, chunk.at)
        if old is None or new is None or not _agree(old, new):
            self._was, self._is, self._was_set = old, new, True

    def _outcome(self, was: ClockReading | None, now: ClockReading | None) -> str:
        """Return what came of setting it, by what it shows now; many confirm what they ignore."""
        before = "showed no time" if was is None else f"was {was.offset_s:+.0f} s off"
        if now is None:
            return f"the clock {before} and was set; it cannot be read back"
        if abs(now.offset_s) <= now.error_s:
            return f"the clock {before} and is set"
        if was is not None and _agree(was, now):
            self._was_set = False
            return f"the clock was not set: it is {now.offset_s:+.0f} s off as before"
        return f"the clock {before}; it was set and shows {now.offset_s:+.0f} s off"

    async def _read(self, link: GattLink, keep: Keep) -> ClockReading | None:
        for channel in CHANNELS:
            asked = self._host.now()
            try:
                chunk = await link.read(channel)
            except RequestRefused:
                continue
            await keep(chunk)
            frame = decode(channel, chunk.data)
            if isinstance(frame, CurrentTime | DateTime) and frame.local is not None:
                return self._compared(frame.local, asked, chunk.at)
        return None

    def _compared(self, local: datetime, asked: Instant | None, at: Instant) -> ClockReading:
        waited_s = LONGEST_ANSWER_S  # of an answer that was kept nobody remembers when it was asked
        if asked is not None and asked.mono_ns <= at.mono_ns:
            waited_s = (at.mono_ns - asked.mono_ns) / NS
        return ClockReading(
            local=local,
            at=at,
            error_s=_resolution_s(local) + waited_s,
            offset_s=(local - self._hub_local(at)).total_seconds(),
        )

    async def _set(self, link: GattLink, now: Instant) -> bool:
        right = self._hub_local(now) + timedelta(milliseconds=500)  # to the nearest second
        date_time = DateTime.of(right)
        payloads = (encode(CurrentTime(date_time, right.isoweekday())), encode(date_time))
        for channel, payload in zip(CHANNELS, payloads, strict=True):
            try:
                await link.write(Write.SET_CLOCK, channel, payload)
            except RequestRefused:
                continue
            return True
        return False

    def _hub_local(self, at: Instant) -> datetime:
        """Return the hub's wall clock as the instrument should show it."""
        utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at.wall_ns // 1000)
        return utc.astimezone(ZoneInfo(self._settings.zone)).replace(tzinfo=None)


def _agree(old: ClockReading, new: ClockReading) -> bool:
    return abs(old.age_s(new.local, new.at)) <= old.error_s + new.error_s


def _resolution_s(local: datetime) -> float:
    """Return what a time counts in: one that says 0 seconds may well not count them."""
    if local.second == 0 and local.microsecond == 0:
        return MINUTE_S
    return 1.0
