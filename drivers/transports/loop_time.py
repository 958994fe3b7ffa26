"""A time that passes with the turns of the event loop, for real ports on a busy machine.

It stands still while others have the processor, so nothing is too late in this time, and seconds of
silence are over in milliseconds. A pty hands bytes over in a worker of the kernel, which each step
leaves a moment.
"""

import asyncio
import heapq
from itertools import count
from types import TracebackType
from typing import Self

from drivers.model import Instant

NS = 1_000_000_000
STEP_NS = NS // 50
TURNS = 2  # of the loop in each step: what was written is read, and what was read is answered
MOMENT_S = 0.0005


class LoopTime:
    """A clock for one event loop; time passes within `async with`."""

    def __init__(self) -> None:
        self._ns = 0
        self._order = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    async def __aenter__(self) -> Self:
        """Let time pass."""
        self._passing = asyncio.ensure_future(self._pass())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self._passing.cancel()
        await asyncio.gather(self._passing, return_exceptions=True)

    def now(self) -> Instant:
        """Return the present, counted from the beginning."""
        return Instant(self._ns, self._ns, trusted=True)

    async def sleep(self, seconds: float) -> None:
        """Wait in this time."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self._ns + round(seconds * NS), next(self._order), over))
        await over

    async def _pass(self) -> None:
        while True:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            await asyncio.sleep(MOMENT_S)
            self._ns += STEP_NS
            while self._waiting and self._waiting[0][0] <= self._ns:
                _, _, over = heapq.heappop(self._waiting)
                if not over.done():
                    over.set_result(None)
