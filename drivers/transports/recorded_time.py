"""Time that passes only when everybody waits: recordings and simulations run on it.

The event loop's clock stands still while anything can run and jumps to the next due time when
nothing can. Sleepers wake in the order of their due times, so a driver with time-outs takes the
same course on every machine, and an hour of recording takes as long as its computing.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from drivers.model import Instant

T = TypeVar("T")

NS = 1_000_000_000
US = 1_000_000


class RecordedTime:
    """The clocks of a recording: wall time starts at `start_ns`, monotonic time at 0.

    With a `speed` somebody can watch: that many recorded seconds take one real second. It changes
    nothing but that.
    """

    def __init__(
        self, start_ns: int = 0, *, trusted: bool = True, speed: float | None = None
    ) -> None:
        self._start_ns = start_ns
        self._trusted = trusted
        self._elapsed_ns = 0
        self._speed = speed

    @property
    def elapsed_s(self) -> float:
        """Seconds of recorded time that have passed."""
        return self._elapsed_ns / NS

    def now(self) -> Instant:
        """Return the present of the recording."""
        return Instant(self._start_ns + self._elapsed_ns, self._elapsed_ns, self._trusted)

    async def sleep(self, seconds: float) -> None:
        """Wait in recorded time."""
        await asyncio.sleep(seconds)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and every task it starts, in this time; RuntimeError on a dead end.

        A dead end is when all tasks wait and nothing is due: on a real clock they would wait
        for ever.
        """
        with asyncio.Runner(loop_factory=self._loop) as runner:
            return runner.run(main)

    def _loop(self) -> asyncio.AbstractEventLoop:
        return _Loop(self)

    def _real_s(self, seconds: float) -> float:
        return seconds / self._speed if self._speed else 0.0

    def _pass(self, seconds: float) -> None:
        self._elapsed_ns += max(1, round(seconds * US)) * (NS // US)  # recordings are in us


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: RecordedTime) -> None:
        self._recorded = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self._recorded.elapsed_s


class _Selector(selectors.DefaultSelector):
    """Where the loop would wait for its next due time, let that time pass instead."""

    def __init__(self, clock: RecordedTime) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits and nothing is due: a dead end")
        interrupted = super().select(self._clock._real_s(timeout))  # noqa: SLF001 - the two are one clock
        if not interrupted:
            self._clock._pass(timeout)  # noqa: SLF001 - the same
        return interrupted
