"""A recording played as if the instrument were there.

What came from the instrument comes again, at its recorded times on the clock given. What the
driver writes is held against what was written then: the bytes must be the same, in the same order,
and must have been written before the instrument's next words.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import replace

from drivers.contract import Clock, SerialLine, Wish, Write
from drivers.errors import LinkLost, ReplayMismatch, WriteNotPermitted
from drivers.model import Chunk, Instant
from drivers.transports.capture_file import Happened, LinkEvent, Received, Recording, Written

US_NS = 1000
S_NS = 1_000_000_000
PIECE_S = 0.1  # how much of a stream arrives at once, as a port would give it
PATIENCE_S = 5.0  # of recorded time, for a write that the recording has and the driver still owes


class ReplayLink:
    """A ByteLink over one session of a recording; `start` is its time 0, now if not given.

    Chunks carry their recorded times exactly, however late the loop wakes. `granted` is what the
    driver may write, `wish` is called with what a person wanted. LinkLost ends it, ReplayMismatch
    when driver and recording part ways.
    """

    def __init__(
        self,
        recording: Recording,
        clock: Clock,
        granted: frozenset[Write] = frozenset(),
        start: Instant | None = None,
        wish: Callable[[Wish], object] = lambda _: None,
    ) -> None:
        self._wish = wish
        self._lines = iter(recording.lines)
        self._clock = clock
        self._start = start or clock.now()
        self._granted = granted
        self._owed = bytearray()
        self._to_come = b"".join(x.data for x in recording.lines if isinstance(x, Written))
        self._said = 0
        self._wrote = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over the chunks of the recording."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next chunk at its time."""
        for line in self._lines:
            at = self._instant(line.at_us)
            if isinstance(line, Written):
                self._owed += line.data
                continue
            await self._until(at)
            await self._all_written(line.at_us)
            if isinstance(line, Received):
                return Chunk(line.data, at, line.channel)
            if isinstance(line, Happened):
                self._happen(line.event)
        await self._all_written(None)
        raise LinkLost("the recording ends here")

    async def write(self, purpose: Write, data: bytes) -> None:
        """Compare with what was written when this was recorded."""
        if purpose not in self._granted:
            raise WriteNotPermitted(f"{purpose} is not granted")
        recorded = self._to_come[self._said : self._said + len(data)]
        if recorded != data:
            raise ReplayMismatch(
                f"the driver writes {data.hex(' ')} ({purpose}); "
                f"recorded is {recorded.hex(' ') or 'no further write'}"
            )
        self._said += len(data)
        self._wrote.set()

    def _happen(self, event: LinkEvent) -> None:
        if event is LinkEvent.LOST:
            raise LinkLost("the link was lost here when this was recorded")
        if event is not LinkEvent.OPEN:
            self._wish(Wish(event))

    def _instant(self, at_us: int) -> Instant:
        after_ns = at_us * US_NS
        start = self._start
        return Instant(start.wall_ns + after_ns, start.mono_ns + after_ns, start.trusted)

    async def _until(self, at: Instant) -> None:
        left_ns = at.mono_ns - self._clock.now().mono_ns
        if left_ns > 0:
            await self._clock.sleep(left_ns / S_NS)

    async def _all_written(self, at_us: int | None) -> None:
        """Wait until the driver has written what was written before this point."""
        if self._said >= len(self._owed):
            return
        patience = asyncio.ensure_future(self._clock.sleep(PATIENCE_S))
        try:
            while self._said < len(self._owed) and not patience.done():
                self._wrote.clear()
                news = asyncio.ensure_future(self._wrote.wait())
                await asyncio.wait({news, patience}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            patience.cancel()
        if self._said < len(self._owed):
            where = "at its end" if at_us is None else f"before {at_us / 1e6:.6f} s"
            missing = bytes(self._owed[self._said :]).hex(" ")
            raise ReplayMismatch(f"the recording has {missing} written {where}; the driver has not")


class BytesLink:
    """A ByteLink over bare bytes, which arrive at the pace of a serial line, some at a time.

    There is no recording to compare writes with: none is permitted.
    """

    def __init__(self, blocks: Iterable[Received], clock: Clock, line: SerialLine) -> None:
        self._clock = clock
        self._byte_s = line.bits_per_byte / line.baud
        self._pieces = _pieces(blocks, max(1, int(PIECE_S / self._byte_s)))

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over the bytes."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next few bytes when the last of them would have arrived."""
        for piece in self._pieces:
            await self._clock.sleep(len(piece.data) * self._byte_s)
            return Chunk(piece.data, self._clock.now(), piece.channel)
        raise LinkLost("the bytes end here")

    async def write(self, purpose: Write, data: bytes) -> None:
        """Refuse: nobody is there."""
        raise WriteNotPermitted(f"{purpose}: {len(data)} bytes written to bare bytes")


def _pieces(blocks: Iterable[Received], size: int) -> Iterator[Received]:
    for block in blocks:
        for at in range(0, len(block.data), size):
            yield replace(block, data=block.data[at : at + size])
