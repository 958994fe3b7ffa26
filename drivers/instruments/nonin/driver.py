"""A Nonin oximeter's session: the introduction and the decoding, side by side on one link."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from drivers.contract import ByteLink, Emit, Host
from drivers.errors import LinkLost
from drivers.instruments.nonin import meaning
from drivers.instruments.nonin.conversation import Conversation
from drivers.instruments.nonin.introduction import Learnt, introduction
from drivers.instruments.nonin.settings import Settings
from drivers.model import Chunk, Instant, Skipped
from drivers.protocols.nonin import Decoder, Frame
from drivers.protocols.nonin_control import Ack, Reply
from drivers.protocols.nonin_df8 import SecondFrame
from drivers.protocols.nonin_df13 import SpotCheck
from drivers.protocols.nonin_stream import PlethPacket


class Nonin:
    """Emit what every frame says; thinning out is the edge's business."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._settings = settings

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Introduce the hub, as far as granted, and decode until the link is lost."""
        session = _Session(self._host, self._settings, link, emit)
        try:
            await session.run(aiter(link))
        except LinkLost:
            await session.close()
            raise


class _Session:
    def __init__(self, host: Host, settings: Settings, link: ByteLink, emit: Emit) -> None:
        self._host = host
        self._emit = emit
        # Not told what to expect: a format that is set but not sent would be misread for a second.
        self._decoder = Decoder()
        self._learnt = Learnt()
        self._talk = Conversation(introduction(settings, host, self._learnt), host, link, emit)
        self._stream = meaning.Stream()
        self._is_streaming = False
        self._kept = KeptBytes()
        self._waiting: deque[_Told] = deque()
        self._reading: asyncio.Future[Chunk]

    async def run(self, chunks: AsyncIterator[Chunk]) -> None:
        """Take every chunk; while the conversation lasts, let it run out of patience between."""
        self._reading = asyncio.ensure_future(anext(chunks))
        try:
            while self._talk.patience_s is not None:
                await self._wait_a_turn(chunks, self._talk.patience_s)
            await self._tell_waiting()
            await self._take(await self._reading)
        finally:
            await _stop(self._reading)
        async for chunk in chunks:
            await self._take(chunk)

    async def _wait_a_turn(self, chunks: AsyncIterator[Chunk], patience_s: float) -> None:
        """Take chunks until the conversation has got further."""
        turn = self._talk.turn
        alarm = asyncio.ensure_future(self._host.sleep(patience_s))
        try:
            while turn == self._talk.turn:
                awaited: set[asyncio.Future[Any]] = {self._reading, alarm}
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                if self._reading.done():
                    await self._take(self._reading.result())
                    self._reading = asyncio.ensure_future(anext(chunks))
                else:
                    await self._talk.nothing_came()
        finally:
            await _stop(alarm)

    async def close(self) -> None:
        """Tell what was waiting; what is pending will never be completed."""
        await self._tell_waiting()
        await self._settle(self._kept.all())

    async def _take(self, chunk: Chunk) -> None:
        kept = None if self._is_streaming else await self._host.keep(chunk)
        self._kept.add(kept, len(chunk.data))
        for item in self._decoder.feed(chunk.data):
            if isinstance(item, Skipped):
                await self._emit(item)
                await self._tell_or_wait(_Told(None, chunk.at, self._kept.use(len(item.data))))
            else:
                await self._hear(item, chunk.at, self._kept.use(len(item.raw)))

    async def _hear(self, frame: Frame, at: Instant, done: tuple[int, ...]) -> None:
        """Take a frame; `done` are the kept chunks that end with it."""
        if isinstance(frame, Reply):
            if isinstance(frame, Ack):
                self._is_streaming = False  # another format may follow
            await self._tell_or_wait(_Told(None, at, done))
        else:
            self._is_streaming = not isinstance(frame, SpotCheck)
            if isinstance(frame, PlethPacket):
                self._learnt.firmware = str(frame.firmware)
            await self._tell_or_wait(_Told(frame, at, done))
        await self._talk.heard(frame, at)

    async def _tell_or_wait(self, told: "_Told") -> None:
        """Pass on at once, unless a spot check waits: what came after it waits behind it.

        A spot check waits until the instrument's identity and clock are known or will not be, for
        both belong to what is durable of it. Its bytes are durable already, and the chunk they
        came in is not settled before it, whatever else was in that chunk.
        """
        self._waiting.append(told)
        first = self._waiting[0].frame
        if self._talk.patience_s is None or not isinstance(first, SpotCheck):
            await self._tell_waiting()

    async def _tell_waiting(self) -> None:
        while self._waiting:
            told = self._waiting.popleft()
            match told.frame:
                case SpotCheck() as record:
                    await self._emit(meaning.spot_check(record, told.at, self._learnt, told.done))
                    continue
                case PlethPacket() as packet:
                    for item in self._stream.packet(packet, told.at):
                        await self._emit(item)
                case SecondFrame() as second:
                    await self._emit(meaning.second(second, told.at))
                case None:
                    pass
            await self._settle(told.done)

    async def _settle(self, done: tuple[int, ...]) -> None:
        for kept in done:
            await self._host.settle(kept)


@dataclass(frozen=True, slots=True)
class _Told:
    """A frame of values or, None, bytes that hold none; and the kept chunks that end with it."""

    frame: PlethPacket | SecondFrame | SpotCheck | None
    at: Instant
    done: tuple[int, ...]


class KeptBytes:
    """Which chunks the bytes not yet decoded came from; None stands for one that is not kept."""

    def __init__(self) -> None:
        self._open: deque[tuple[int | None, int]] = deque()

    def add(self, kept: int | None, size: int) -> None:
        """Note a chunk of `size` bytes."""
        self._open.append((kept, size))

    def use(self, size: int) -> tuple[int, ...]:
        """Take the oldest `size` bytes and return the kept chunks that end among them.

        A chunk with several records is done only with the last: were it settled by the first, a
        crash before the second would lose that one.
        """
        done: list[int] = []
        while self._open and self._open[0][1] <= size:
            kept, left = self._open.popleft()
            size -= left
            if kept is not None:
                done.append(kept)
        if size:
            kept, left = self._open.popleft()
            self._open.appendleft((kept, left - size))
        return tuple(done)

    def all(self) -> tuple[int, ...]:
        """Take everything and return the kept chunks."""
        return self.use(sum(size for _, size in self._open))


async def _stop(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
