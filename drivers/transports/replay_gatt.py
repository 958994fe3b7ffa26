"""A recorded Bluetooth LE session played as if the instrument were there.

A line ``< 2a35: ...`` of a characteristic that the driver subscribes to is sent again at its time;
of one that it reads, it is the answer to the next read. What was not recorded is refused. What the
driver writes is held against what was written then, as in `replay`.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from drivers.contract import Arrived, Clock, Peer, Write, channel_name
from drivers.errors import LinkLost, ReplayMismatch, RequestRefused, WriteNotPermitted
from drivers.model import Chunk, Instant
from drivers.transports.capture_file import Happened, LinkEvent, Received, Recording, Written
from drivers.transports.memory_gatt import NOT_FOUND
from drivers.transports.replay import PATIENCE_S, S_NS, US_NS

RECORDED = Peer("recorded", is_lasting=False)


class ReplayGattLink:
    """A GattLink over one session of a recording; `start` is its time 0, now if not given.

    Chunks carry their recorded times exactly. LinkLost ends it, ReplayMismatch when driver and
    recording part ways.
    """

    def __init__(
        self,
        recording: Recording,
        clock: Clock,
        granted: frozenset[Write] = frozenset(),
        start: Instant | None = None,
    ) -> None:
        self._lines = deque(recording.lines)
        self._answers: deque[Received] = deque()  # passed over by iteration, not yet asked for
        self._read: set[str] = set()
        self._arrived: dict[str | None, Arrived] = {}
        self._clock = clock
        self._start = start or clock.now()
        self._granted = granted
        self._to_come = deque(line for line in recording.lines if isinstance(line, Written))
        self._owed = 0  # writes that the recording has before this point and the driver still owes
        self._wrote = asyncio.Event()

    @property
    def peer(self) -> Peer:
        """Nobody that could be named."""
        return RECORDED

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what was sent."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next value at its time."""
        while self._lines:
            line = self._lines.popleft()
            if isinstance(line, Written):
                self._owed += 1
            elif isinstance(line, Received) and _name(line) in self._read:
                self._answers.append(line)
            else:
                await self._until(line.at_us)
                await self._all_written(line.at_us)
                if isinstance(line, Received):
                    return self._come(line)
                if isinstance(line, Happened) and line.event is LinkEvent.LOST:
                    raise LinkLost("the link was lost here when this was recorded")
        await self._all_written(None)
        raise LinkLost("the recording ends here")

    async def subscribe(self, channel: str, arrived: Arrived | None = None) -> None:
        """Do nothing but note: what was sent then is sent again."""
        if arrived is not None:
            self._arrived[channel] = arrived

    async def read(self, channel: str) -> Chunk:
        """Return what was read then, at its time."""
        self._read.add(channel)
        for lines in (self._answers, self._lines):
            for line in lines:
                if isinstance(line, Received) and _name(line) == channel:
                    lines.remove(line)
                    await self._until(line.at_us)
                    return self._chunk(line)
        raise RequestRefused(f"{channel}: not in the recording", NOT_FOUND)

    async def write(self, purpose: Write, channel: str, data: bytes) -> None:
        """Compare with what was written when this was recorded."""
        if purpose not in self._granted:
            raise WriteNotPermitted(f"{purpose} is not granted")
        recorded = self._to_come.popleft() if self._to_come else None
        if recorded is None or (_name(recorded), recorded.data) != (channel, data):
            was = f"{recorded.channel}: {recorded.data.hex(' ')}" if recorded else "no further one"
            raise ReplayMismatch(
                f"the driver writes {channel}: {data.hex(' ')} ({purpose}); recorded is {was}"
            )
        self._owed -= 1
        self._wrote.set()

    def _come(self, line: Received) -> Chunk:
        chunk = self._chunk(line)
        if chunk.channel in self._arrived:
            self._arrived[chunk.channel](chunk)
        return chunk

    def _chunk(self, line: Received) -> Chunk:
        return Chunk(line.data, self._instant(line.at_us), _name(line) or None)

    def _instant(self, at_us: int) -> Instant:
        after_ns, start = at_us * US_NS, self._start
        return Instant(start.wall_ns + after_ns, start.mono_ns + after_ns, start.trusted)

    async def _until(self, at_us: int) -> None:
        left_ns = self._instant(at_us).mono_ns - self._clock.now().mono_ns
        if left_ns > 0:
            await self._clock.sleep(left_ns / S_NS)

    async def _all_written(self, at_us: int | None) -> None:
        """Wait until the driver has written what was written before this point."""
        if self._owed <= 0:
            return
        patience = asyncio.ensure_future(self._clock.sleep(PATIENCE_S))
        try:
            while self._owed > 0 and not patience.done():
                self._wrote.clear()
                news = asyncio.ensure_future(self._wrote.wait())
                await asyncio.wait({news, patience}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            patience.cancel()
        if self._owed > 0:
            where = "at its end" if at_us is None else f"before {at_us / 1e6:.6f} s"
            missing = ", ".join(f"{w.channel}: {w.data.hex(' ')}" for w in self._to_come)
            raise ReplayMismatch(f"the recording has {missing} written {where}; the driver has not")


def _name(line: Received | Written) -> str:
    return channel_name(line.channel or "")
