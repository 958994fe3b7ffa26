"""The open store in the hands of the one thread that writes it: transactions, room, end of chain.

Jobs that pile up while a commit runs are committed together (group commit). Nothing is answered
before the commit, and a job that fails leaves its neighbours alone.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from enum import Enum, StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct

from edge.faults import POINTS, Point, inside, reach
from edge.journal import Head
from edge.store.errors import StoreError, StoreFull, StoreRefused
from edge.store.file import PAGE_BYTES, Lock, damaged

T = TypeVar("T")

ROW_BYTES = 256  # what a row takes beside its large fields, generously


class Act(StrEnum):
    """What a job does, where a crash must be tried just there."""

    APPEND = "append"
    KEEP = "keep"
    ACCEPTANCE = "acceptance"
    RECEIPT = "receipt"
    PURGE = "purge"


class When(Enum):
    """How a job runs beside others."""

    WRITE = "write"  # in the group's transaction
    LAZY = "lazy"  # the same, but not worth a commit of its own at once
    ALONE = "alone"  # after it, outside of any transaction: reads and housekeeping


class Tier(Enum):
    """Who may still write when room gets short, as (share of the limit, share of the reserve)."""

    WAVEFORM = (0.75, 0.0)  # context of values never takes the room of values
    VALUE = (1.0, 0.0)  # measurements and raw bytes: refused loudly, before anything else
    ACCEPTANCE = (1.0, 0.5)  # what is held can still be filed, which is what makes room
    ALWAYS = (1.0, 1.0)  # receipts, closings, erasure, purge


class Tail(Struct, frozen=True):
    """Where the journal ends: its head, and the segment that is open."""

    head: Head
    segment: int
    first: int
    bytes: int
    schema: int


class Job(Generic[T]):
    """One call on the store; after it ran either `error` is set or `outcome` is its answer."""

    __slots__ = ("act", "error", "outcome", "when", "work")

    def __init__(
        self, work: "Callable[[Book], T]", when: When = When.WRITE, act: Act | None = None
    ) -> None:
        self.work = work
        self.when = when
        self.act = act
        self.outcome: T | None = None
        self.error: Exception | None = None


class Book:
    """The connection and what is known of the file beside it; for one thread at a time.

    `tail` runs ahead inside a transaction; it is `durable` once the transaction is.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        tail: Tail,
        limit_bytes: int,
        lock: Lock | None,
    ) -> None:
        self.connection = connection
        self.path = path
        self.tail = tail
        self.durable = tail.head
        self._limit = limit_bytes
        self._reserve = limit_bytes // 8
        self._lock = lock
        self._failed: str | None = None
        self._used: int | None = None  # at the beginning of this transaction, and what came since
        pages = (limit_bytes + self._reserve) // PAGE_BYTES
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes the store."""
        return self._lock is not None

    def close(self) -> None:
        """Let go of the file, its log folded into it, and of the right to write it."""
        self.connection.close()
        if self._lock is not None:
            self._lock.release()

    def perform(self, jobs: Sequence[Job[object]]) -> None:
        """Run jobs and make their effects durable; each ends with its outcome or its error."""
        writing = [job for job in jobs if job.when is not When.ALONE]
        if writing:
            self._group(writing)
        for job in jobs:
            if job.when is When.ALONE:
                self._alone(job)

    def used_bytes(self) -> int:
        """Return the bytes in use in the file, free pages not counted."""
        (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
        (free,) = self.connection.execute("PRAGMA freelist_count").fetchone()
        return int(pages - free) * PAGE_BYTES

    def admit(self, tier: Tier, size: int) -> None:
        """Raise StoreFull unless `size` more bytes of this tier find room."""
        of_limit, of_reserve = tier.value
        allowed = int(self._limit * of_limit + self._reserve * of_reserve)
        if self._used is None:
            self._used = self.used_bytes()
        if self._used + size > allowed:
            raise StoreFull(
                f"{self.path} is full ({self._used:,} of {self._limit:,} bytes): nothing new is "
                "taken until filed results are purged; see that the record system answers, or "
                "raise the limit"
            )
        self._used += size

    def _group(self, jobs: Sequence[Job[object]]) -> None:
        """Do jobs in one transaction; when that fails, the halves in one each, down to the cause.

        So whatever one job does wrong is its own affair, at the price of a few more commits.
        """
        before, self._used = self.tail, None
        try:
            self._begin()
            for job in jobs:
                job.outcome = job.work(self)
            self._commit(jobs)
        except Exception as error:  # noqa: BLE001 - any fault of a call is its caller's to hear
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            self.tail = before
            self._blame(jobs, error)
            return
        self.durable = self.tail.head

    def _begin(self) -> None:
        if self._failed is not None:
            raise StoreError(self._failed)
        self.connection.execute("BEGIN IMMEDIATE")

    def _commit(self, jobs: Sequence[Job[object]]) -> None:
        points = [_POINTS[act] for act in sorted({job.act for job in jobs if job.act is not None})]
        for before, _, _ in points:
            reach(before)
        try:
            with ExitStack() as stack:
                for _, during, _ in points:
                    stack.enter_context(inside(during))
                self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            if _code(error) != sqlite3.SQLITE_FULL:
                # A failed fsync may or may not have written; asking again would not tell.
                self._failed = f"{self._explain(error)}; start again once the disk is well"
            raise
        for _, _, after in points:
            reach(after)

    def _blame(self, jobs: Sequence[Job[object]], error: Exception) -> None:
        """Give an error to the one job that has it, or find that one."""
        common = self._failed is not None or _code(error) == sqlite3.SQLITE_BUSY
        if len(jobs) > 1 and not common:
            middle = len(jobs) // 2
            self._group(jobs[:middle])
            self._group(jobs[middle:])
            return
        for job in jobs:
            job.error = self._explain(error) if isinstance(error, sqlite3.Error) else error

    def _alone(self, job: Job[object]) -> None:
        try:
            job.outcome = job.work(self)
        except sqlite3.Error as error:
            job.error = self._explain(error)
        except Exception as error:  # noqa: BLE001 - any fault of one call is its caller's
            job.error = error

    def _explain(self, error: sqlite3.Error) -> StoreError:
        """Return what an error of SQLite means for the caller."""
        code = _code(error)
        if code == sqlite3.SQLITE_FULL:
            return StoreFull(f"no room on the disk of {self.path}: make room; nothing was written")
        if isinstance(error, sqlite3.IntegrityError):
            return StoreRefused(f"this contradicts what is stored: {error}")
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return damaged(self.path, error)
        return StoreError(f"{self.path} could not be read or written: {error}")


def _code(error: Exception) -> int:
    """Return SQLite's primary code; 0 for what is no error of SQLite."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


_POINTS: dict[Act, tuple[Point, ...]] = {
    act: tuple(point for point in POINTS if point.startswith(f"store.{act}.")) for act in Act
}
