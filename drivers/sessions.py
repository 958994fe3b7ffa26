"""How a driver spends its time on a link: only listening, or asking and waiting for an answer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, TypeAlias, TypeVar

from drivers.contract import ByteLink, Emit, Frame, Host, Wish, Write
from drivers.errors import LinkLost
from drivers.model import Chunk, Instant, Item, Skipped
from drivers.protocols.lines import LineDecoder
from drivers.protocols.scanning import Scanner

F = TypeVar("F", bound=Frame)

Finds: TypeAlias = Scanner[F] | LineDecoder[F]


async def listen(
    link: ByteLink, emit: Emit, decoder: Finds[F], read: Callable[[F, Instant], Iterable[Item]]
) -> None:
    """Emit what `read` makes of each frame, and what was skipped, until the link is lost."""
    take = emitting(emit, read)
    async for chunk in link:
        for item in decoder.feed(chunk.data):
            await take(item, chunk.at)


def emitting(
    emit: Emit, read: Callable[[F, Instant], Iterable[Item]]
) -> Callable[[F | Skipped, Instant], Awaitable[None]]:
    """Return what emits what `read` makes of a frame, and what was skipped as it is."""

    async def take(item: F | Skipped, at: Instant) -> None:
        if isinstance(item, Skipped):
            await emit(item)
            return
        for said in read(item, at):
            await emit(said)

    return take


Heard: TypeAlias = tuple[F, Instant]


class Dialogue(Generic[F]):
    """A link whose instrument has to be asked: `async with` it, then ask, tell and listen in turn.

    `other` is given all that is heard and was not waited for, skipped bytes included, in order.
    """

    def __init__(
        self,
        host: Host,
        link: ByteLink,
        decoder: Finds[F],
        other: Callable[[F | Skipped, Instant], Awaitable[None]],
    ) -> None:
        self._host = host
        self._link = link
        self._decoder = decoder
        self._other = other
        self._chunks = aiter(link)
        self._heard: deque[tuple[F | Skipped, Instant]] = deque()
        self._reading: asyncio.Future[Chunk] | None = None

    async def __aenter__(self) -> "Dialogue[F]":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reading is not None:
            await _stop(self._reading)

    async def ask(
        self, purpose: Write, data: bytes, is_answer: Callable[[F], bool], within_s: float
    ) -> Heard[F] | None:
        """Write where that is granted, and return the answer; None if none came in time."""
        if not await self.tell(purpose, data):
            return None
        return await self.listen(within_s, is_answer)

    async def tell(self, purpose: Write, data: bytes) -> bool:
        """Write where that is granted; tell whether it is.

        Of a lost link the listening tells too, once all that came before has been heard.
        """
        granted = self._host.may(purpose)
        if granted:
            with suppress(LinkLost):
                await self._link.write(purpose, data)
        return granted

    async def listen(
        self, for_s: float, until: Callable[[F], bool] = lambda _: False
    ) -> Heard[F] | None:
        """Return the first frame that is waited for; None when the time is over without one."""
        alarm = asyncio.ensure_future(self._host.sleep(for_s))
        try:
            while self._heard or await self._more(alarm):
                if (found := await self._next(until)) is not None:
                    return found
        finally:
            await _stop(alarm)
        return None

    async def attend(
        self, for_s: float, until: Callable[[F], bool], *open_to: Wish
    ) -> Heard[F] | Wish | None:
        """Listen, and return sooner what a person wants of the instrument, if it is one of these.

        What was heard by then is heard by whoever listens next.
        """
        wish = asyncio.ensure_future(self._host.wish(*open_to))
        alarm = asyncio.ensure_future(self._host.sleep(for_s))
        found = None
        try:
            while not wish.done():
                found = await self._next(until)
                if found is not None or not await self._more(alarm, wish):
                    break
            wish.cancel()
            await asyncio.wait({wish})
            if wish.cancelled():
                return found
            if found is not None:  # somebody was told that the wish is taken: it comes first
                self._heard.appendleft(found)
            return wish.result()
        finally:
            wish.cancel()  # before anything waits: nothing can be wanted of nobody in between
            await _stop(alarm)

    async def _next(self, until: Callable[[F], bool]) -> Heard[F] | None:
        """Return the first frame heard that is waited for, and pass on what came before it."""
        while self._heard:
            item, at = self._heard.popleft()
            if not isinstance(item, Skipped) and until(item):
                return item, at
            await self._other(item, at)
        return None

    async def _more(self, *ends: asyncio.Future[Any]) -> bool:
        """Wait for a chunk and decode it; tell whether one came before one of the ends."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(anext(self._chunks))
        awaited: set[asyncio.Future[Any]] = {self._reading, *ends}
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if not self._reading.done():
            return False
        chunk, self._reading = self._reading.result(), None
        self._heard += ((item, chunk.at) for item in self._decoder.feed(chunk.data))
        return True


async def _stop(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
