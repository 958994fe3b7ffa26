"""The one thread that owns the store's connection, and the event loop's way to it.

What the loop asks for while a commit runs goes into the next one: nobody waits for company, and
nobody commits alone who has it. Jobs are done, and numbered, in the order they were asked for.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar, cast

from edge.journal import Head
from edge.store.book import Book, Job, When
from edge.store.errors import StoreClosed

T = TypeVar("T")

GROUP_JOBS = 512  # in one transaction: bounds what a failing commit has to do again
LINGER_S = 0.25  # the longest a lazy job waits for others to share its commit


class Writer(Protocol):
    """Does jobs on an open book, one group at a time."""

    @property
    def head(self) -> Head:
        """The end of the journal, as far as it is durable."""
        ...

    async def do(self, job: Job[T]) -> T:
        """Return the answer once it is durable, or raise what went wrong.

        Cancelling the wait does not undo the job.
        """
        ...

    def leave(self, job: Job[None]) -> None:
        """Have a lazy job done some time soon; its fate is not told."""
        ...

    async def close(self) -> None:
        """Finish what was asked for and let go of the file; a second time does nothing."""
        ...


class ThreadWriter:
    """The writer of a running service: the loop never waits for the disk."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._head = Head(0, b"")

    @staticmethod
    async def start(opener: Callable[[], Book]) -> "ThreadWriter":
        """Open the book in its thread, or raise what `opener` raises."""
        loop = asyncio.get_running_loop()
        writer = ThreadWriter(loop)
        opened: asyncio.Future[None] = loop.create_future()
        writer._thread = threading.Thread(
            target=writer._run, args=(opener, opened), name="store", daemon=True
        )
        writer._thread.start()
        try:
            await asyncio.shield(opened)
        except BaseException:
            writer._asked.put(None)  # whoever gave up must not leave the file locked
            raise
        return writer

    @property
    def head(self) -> Head:
        """The end of the journal, as far as it is durable and the loop was told."""
        return self._head

    async def do(self, job: Job[T]) -> T:
        """Queue the job and wait for its group's commit."""
        if self._thread is None:
            raise StoreClosed("the store is closed")
        answer: asyncio.Future[object] = self._loop.create_future()
        self._asked.put(_Asked(cast("Job[object]", job), answer))
        return cast("T", await answer)

    def leave(self, job: Job[None]) -> None:
        """Queue the job without waiting."""
        if self._thread is not None:
            self._asked.put(_Asked(cast("Job[object]", job), None))

    async def close(self) -> None:
        """Finish, close and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._asked.put(None)
            await self._loop.run_in_executor(None, thread.join)

    def _run(self, opener: Callable[[], Book], opened: asyncio.Future[None]) -> None:
        try:
            book = opener()
        except Exception as error:  # noqa: BLE001 - it is raised where the store is opened
            self._tell(_settle, opened, error)
            return
        self._tell(self._begin, book.durable, opened)
        try:
            self._serve(book)
        finally:
            book.close()

    def _serve(self, book: Book) -> None:
        lazy: list[_Asked] = []
        open_ = True
        while open_:
            group, open_ = self._gather(LINGER_S if lazy else None)
            urgent = [asked for asked in group if asked.job.when is not When.LAZY]
            lazy += [asked for asked in group if asked.job.when is When.LAZY]
            if group and not urgent and open_:
                continue
            jobs, lazy = lazy + urgent, []
            book.perform([asked.job for asked in jobs])
            self._tell(self._answer, jobs, book.durable)

    def _gather(self, timeout_s: float | None) -> "tuple[list[_Asked], bool]":
        """Return all that has piled up, waiting for the first; False when it is time to end."""
        group: list[_Asked] = []
        with suppress(queue.Empty):
            asked = self._asked.get(timeout=timeout_s)
            while asked is not None:
                group.append(asked)
                if len(group) == GROUP_JOBS:
                    return group, True
                asked = self._asked.get_nowait()
            return group, False
        return group, True

    def _tell(self, call: Callable[..., None], *args: object) -> None:
        # The loop is gone when a program ends without closing; then nobody is waiting.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)

    def _begin(self, head: Head, opened: asyncio.Future[None]) -> None:
        self._head = head
        _settle(opened, None)

    def _answer(self, group: "Sequence[_Asked]", head: Head) -> None:
        self._head = head
        for asked in group:
            asked.resolve()


class InlineWriter:
    """The writer of a replay: every job is done at once, so the course of things never varies."""

    def __init__(self, book: Book) -> None:
        self._book: Book | None = book
        self._head = book.durable

    @property
    def head(self) -> Head:
        """The end of the journal."""
        return self._head

    async def do(self, job: Job[T]) -> T:
        """Do the job before anybody else gets a turn."""
        if self._book is None:
            raise StoreClosed("the store is closed")
        self._book.perform([cast("Job[object]", job)])
        self._head = self._book.durable
        if job.error is not None:
            raise job.error
        return cast("T", job.outcome)

    def leave(self, job: Job[None]) -> None:
        """Do the job."""
        if self._book is not None:
            self._book.perform([cast("Job[object]", job)])

    async def close(self) -> None:
        """Let go of the file."""
        book, self._book = self._book, None
        if book is not None:
            book.close()


class _Asked:
    """A job with who waits for it, if anybody."""

    __slots__ = ("answer", "job")

    def __init__(self, job: Job[object], answer: "asyncio.Future[object] | None") -> None:
        self.job = job
        self.answer = answer

    def resolve(self) -> None:
        if self.answer is None or self.answer.done():
            return
        if self.job.error is not None:
            self.answer.set_exception(self.job.error)
        else:
            self.answer.set_result(self.job.outcome)


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
