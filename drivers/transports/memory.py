"""A cable inside the process: what one end sends the other end receives, damaged if asked to."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from drivers.contract import Write
from drivers.errors import LinkLost, WriteNotPermitted
from drivers.model import Chunk, Instant
from drivers.transports.damage import NONE, Damage, Damager


class MemoryLink:
    """The host's end, a ByteLink, with the instrument's end on it: `send`, `lose`.

    `hear` is called with what the host writes and its answer comes back as bytes from the
    instrument. `sent` keeps what arrived, `written` what the host wrote, `refused` what it was not
    granted; `ended` says that the host has been told of the loss.
    """

    def __init__(
        self,
        now: Callable[[], Instant],
        granted: frozenset[Write] = frozenset(),
        *,
        hear: Callable[[bytes], bytes] | None = None,
        damage: Damage = NONE,
        seed: int = 0,
    ) -> None:
        self._now = now
        self._granted = granted
        self._hear = hear
        self._damager = Damager(damage, seed)
        self._chunks: deque[Chunk] = deque()
        self._news = asyncio.Event()
        self._lost = False
        self.ended = False
        self.sent = bytearray()
        self.written: list[tuple[Write, bytes]] = []
        self.refused: list[tuple[Write, bytes]] = []

    def send(self, data: bytes, channel: str | None = None) -> None:
        """Say something as the instrument."""
        arriving = self._damager.through(data)
        if arriving and not self._lost:
            self.sent += arriving
            self._chunks.append(Chunk(arriving, self._now(), channel))
            self._news.set()

    def lose(self) -> None:
        """Pull the cable: what has arrived is still delivered, then the link is lost."""
        self._lost = True
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what arrives."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next chunk."""
        while not self._chunks:
            if self._lost:
                self.ended = True
                raise LinkLost("the cable was pulled")
            self._news.clear()
            await self._news.wait()
        return self._chunks.popleft()

    async def write(self, purpose: Write, data: bytes) -> None:
        """Say something as the host."""
        if purpose not in self._granted:
            self.refused.append((purpose, data))
            raise WriteNotPermitted(f"{purpose} is not granted")
        if self._lost:
            self.ended = True
            raise LinkLost("the cable was pulled")
        self.written.append((purpose, data))
        if self._hear is not None:
            self.send(self._hear(data))


class KeptLink:
    """Chunks that were made durable and never settled, on their way through a driver again.

    Their times are those of their first arrival. Writes go nowhere: the instrument that sent them
    is not listening.
    """

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over the kept chunks."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next kept chunk."""
        for chunk in self._chunks:
            return chunk
        raise LinkLost("the kept bytes end here")

    async def write(self, purpose: Write, data: bytes) -> None:
        """Drop what a driver says to an instrument that is not there."""
