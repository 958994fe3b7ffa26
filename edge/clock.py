"""The only reader of clocks.

A hub has three: the wall clock, which may be wrong or jump; the monotonic clock, which never jumps
but starts anew when the machine boots; and the kernel's word on whether the wall clock is
synchronised. An era names one boot of the machine: monotonic times of one era can be compared.
"""

import asyncio
import ctypes
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from drivers.model import Instant

NS = 1_000_000_000
TRUST_CHECK_NS = NS  # asking the kernel costs a system call; synchronisation changes over minutes
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What the rest of the hub knows of time."""

    @property
    def era(self) -> str:
        """Name within which monotonic times can be compared."""
        ...

    def now(self) -> Instant:
        """Return the present on all clocks."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on this clock."""
        ...


class SystemClock:
    """The clocks of this machine; `assume_trusted` is for demonstrations on unsynchronised ones."""

    def __init__(self, *, assume_trusted: bool = False) -> None:
        self._assume = assume_trusted
        self._trusted = assume_trusted
        self._asked_ns: int | None = None
        self.era = _boot_id()

    def now(self) -> Instant:
        """Return the present; whether the wall clock is synchronised is asked once a second."""
        mono = time.monotonic_ns()
        stale = self._asked_ns is None or mono - self._asked_ns >= TRUST_CHECK_NS
        if stale and not self._assume:
            self._trusted = kernel_says_synchronised()
            self._asked_ns = mono
        return Instant(time.time_ns(), mono, self._trusted)

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop's monotonic clock."""
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to: recordings, simulations and tests run on it.

    Sleepers are woken in the order of their due times, each at exactly its own time, so that a
    replay takes the same course at any speed.
    """

    def __init__(self, wall_ns: int = 0, *, trusted: bool = True, era: str = "recording") -> None:
        self.era = era
        self.trusted = trusted
        self._wall_offset_ns = wall_ns
        self._mono_ns = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = 0

    def now(self) -> Instant:
        """Return the present."""
        return Instant(self._wall_offset_ns + self._mono_ns, self._mono_ns, self.trusted)

    def jump_wall(self, seconds: float) -> None:
        """Step the wall clock alone, as a wrong clock being set does."""
        self._wall_offset_ns += round(seconds * NS)

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody moves the clock far enough."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        due = self._mono_ns + round(seconds * NS)
        self._order += 1
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((due, self._order, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move forward, waking who is due on the way and letting each act before the next."""
        await self.advance_to(self._mono_ns + round(seconds * NS))

    async def advance_to(self, mono_ns: int) -> None:
        """Move to a monotonic time; backwards is refused."""
        if mono_ns < self._mono_ns:
            raise ValueError("a monotonic clock does not go back")
        while True:
            self._sleepers = [entry for entry in self._sleepers if not entry[2].done()]
            due = min(self._sleepers, key=lambda entry: entry[:2], default=None)
            if due is None or due[0] > mono_ns:
                break
            self._mono_ns = max(self._mono_ns, due[0])
            due[2].set_result(None)
            await _let_others_run()
        self._mono_ns = mono_ns
        await _let_others_run()


def kernel_says_synchronised() -> bool:
    """Ask adjtimex(2) whether the wall clock is synchronised; False where it cannot be asked.

    STA_UNSYNC is cleared by chrony, ntpd and systemd-timesyncd and set again by the kernel when
    they fall silent.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(512)  # struct timex is 208 bytes; modes = 0 only reads
    if not hasattr(libc, "adjtimex"):
        return False
    state: int = libc.adjtimex(buffer)
    return 0 <= state < _TIME_ERROR


_TIME_ERROR = 5  # adjtimex(2): clock not synchronised


def utc(wall_ns: int) -> datetime:
    """Return a wall time as an aware datetime, to the microsecond, without float rounding."""
    seconds, rest = divmod(wall_ns, NS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return f"process-{os.getpid()}-{uuid.uuid4()}"


async def _let_others_run() -> None:
    """Give every task that became ready its turn, and what it makes ready in turn."""
    for _ in range(_SETTLE_TURNS):
        await asyncio.sleep(0)


_SETTLE_TURNS = 50
