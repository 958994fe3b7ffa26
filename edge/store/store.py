"""The store as the rest of the hub sees it: what an awaited call reports is on the disk.

One SQLite file, written by one thread of one process. Calls may come from any number of tasks; they
take effect in the order in which they were made, and those made during a commit share the next.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from msgspec import Struct

from drivers.model import Chunk, Instant, InstrumentId, Waveform
from edge.clock import Clock
from edge.events import Event, Recorded
from edge.journal import Entry, Head, Segment, Verdict, Verifier
from edge.observation import Subject
from edge.store import entries, results, retention, shelf, studies
from edge.store.batch import append, batch
from edge.store.book import Act, Book, Job, When
from edge.store.entries import open_book, open_book_to_read
from edge.store.errors import StoreError
from edge.store.file import journal_of
from edge.store.outbox import OutboxChange, OutboxRow, RowState
from edge.store.retention import Snapshot
from edge.store.shelf import KeptWaveform
from edge.store.writer import InlineWriter, ThreadWriter, Writer
from edge.study import Content, NewStudy

T = TypeVar("T")

FILE_NAME = "hub.db"  # in the folder of a hub's state
DEFAULT_LIMIT_BYTES = 1 << 30
VACUUM_PAGES = 1024  # given back to the file system after a purge, a little at a time


class Purged(Struct, frozen=True):
    """What a purge removed."""

    entries: int
    results: int


class Store:
    """Journal, outbox, raw bytes, patients and waveforms of one hub; see the module."""

    def __init__(self, journal: uuid.UUID, clock: Clock | None, writer: Writer) -> None:
        self.name = journal
        self._clock = clock
        self._writer = writer
        self._purging = asyncio.Lock()

    @staticmethod
    async def open(
        path: Path,
        *,
        clock: Clock,
        journal: uuid.UUID | None = None,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        inline: bool = False,
    ) -> "Store":
        """Open the store at `path`, or make one; StoreError where that cannot be.

        `journal` names the journal of a new store (recordings and demonstrations have fixed ones)
        and must be that of an old one. `inline` does all work in the event loop instead of a
        thread: slower, and the same course of events every time, which a replay needs.
        """

        def opener() -> Book:
            return open_book(path, journal, limit_bytes)

        writer: Writer = InlineWriter(opener()) if inline else await ThreadWriter.start(opener)
        return Store(await writer.do(Job(_name, When.ALONE)), clock, writer)

    @staticmethod
    async def open_to_read(path: Path) -> "Store":
        """Open an existing store beside the service that writes it; every write is refused."""
        writer = await ThreadWriter.start(lambda: open_book_to_read(path))
        return Store(await writer.do(Job(_name, When.ALONE)), None, writer)

    async def close(self) -> None:
        """Finish what was asked for and let go of the file; a second time does nothing."""
        await self._writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def journal(self) -> str:
        """The name of the journal, the first half of the ids it gives."""
        return str(self.name)

    @property
    def head(self) -> Head:
        """The end of the journal, as far as it is durable."""
        return self._writer.head

    async def append(
        self,
        events: Sequence[Event],
        *,
        outbox: Sequence[OutboxChange] = (),
        subjects: Sequence[tuple[str, Subject]] = (),
        settles: Sequence[int] = (),
        study: NewStudy | None = None,
    ) -> tuple[Recorded, ...]:
        """Journal events with all that goes with them, in one transaction; return their places.

        An `Enqueue` needs its `Enqueued` event in the same call, which gives the row its order, and
        the other way round (ValueError). Measured events settle the raw bytes they name, `settles`
        others; a `study` is stored beside the events of its parts. JournalError: an event cannot be
        written. StoreFull: no room; see `Tier` for who is refused first. StoreRefused: it
        contradicts what is stored. After any of these, nothing of this call is there.
        """
        call = batch(events, outbox, subjects, settles, self._now(), study)
        return await self._do(lambda book: append(book, call), act=call.act)

    async def keep(self, instrument: str, chunk: Chunk, who: InstrumentId | None = None) -> int:
        """Store raw bytes and return their number, for `Measurement.kept`.

        `who` is the instrument they are of, if it has said so: what is recovered is then as bound
        as what is told at once.
        """
        era = self._era()
        return await self._do(
            lambda book: shelf.keep(book, instrument, chunk, era, who), act=Act.KEEP
        )

    async def settle(self, kept: int) -> None:
        """Forget raw bytes that hold nothing more to come."""
        await self._do(lambda book: shelf.settle(book, (kept,)))

    async def unsettled(self, instrument: str) -> list[tuple[str, list[tuple[int, Chunk]]]]:
        """Return raw bytes whose meaning never reached the journal: per era, numbered chunks.

        They are in the order in which they came; monotonic times compare within an era.
        """
        return await self._ask(lambda book: shelf.unsettled(book, instrument))

    async def kept_identities(self, instrument: str) -> dict[int, InstrumentId]:
        """Return which instrument unsettled bytes are of, by their numbers, where it was known."""
        return await self._ask(lambda book: shelf.kept_identities(book, instrument))

    async def subject(self, key: str) -> Subject | None:
        """Return the patient a key stands for; None when erased, purged or never known."""
        return await self._ask(lambda book: shelf.subject_of(book, key))

    async def erase(self, key: str) -> int:
        """Erase a patient from side table, studies and outbox; return how many payloads that were.

        StoreRefused while results of the patient are still to be filed. The journal names nobody
        and stays as it is.
        """

        def work(book: Book) -> int:
            emptied = results.erase(book, key)
            studies.erase(book, key)
            shelf.erase_subject(book, key)
            return emptied

        emptied = await self._do(work)
        await self._ask(lambda book: _pragma(book, "wal_checkpoint(TRUNCATE)"))
        return emptied

    async def lacks(
        self, needed: Collection[tuple[str, str | None]]
    ) -> frozenset[tuple[str, str | None]]:
        """Return those pairs of a patient's key and a study of which one was erased or purged."""
        if not needed:
            return frozenset()

        def missing(book: Book) -> frozenset[tuple[str, str | None]]:
            return frozenset(
                (key, study)
                for key, study in needed
                if shelf.subject_of(book, key) is None
                or (study is not None and not studies.is_there(book, study))
            )

        return await self._ask(missing)

    async def keep_waveform(self, item: int, waveform: Waveform) -> None:
        """Store signals around the journaled measurement `item`; they are purged with it.

        StoreFull before measurements are refused: waveforms take at most part of the room.
        """
        era = self._era()
        await self._do(lambda book: shelf.keep_waveform(book, item, waveform, era))

    async def waveforms(self, item: int) -> list[KeptWaveform]:
        """Return the signals kept around a measurement, in the order they were kept."""
        return await self._ask(lambda book: shelf.waveforms_of(book, item))

    async def has_original(self, sha256: str) -> bool:
        """Tell whether this very file of a cart was stored before."""
        return await self._ask(lambda book: studies.has_original(book, sha256))

    async def known_study(self, new: NewStudy) -> str | None:
        """Return as what a study is known already, in words; None: it is new."""
        return await self._ask(lambda book: studies.known_as(book, new))

    async def study(self, study: str) -> Content | None:
        """Return what a study holds; None when it was purged or erased, or never was."""
        return await self._ask(lambda book: studies.content_of(book, study))

    async def waiting(self, limit: int, after_order: int = 0) -> list[OutboxRow]:
        """Return rows that may be sent, in order: WAITING, and what they come after is filed.

        A correction becomes sendable when an earlier row is filed, so whoever pages with
        `after_order` begins at 0 again after a receipt.
        """
        return await self._ask(lambda book: results.waiting(book, limit, after_order))

    async def rows(
        self, limit: int, after_order: int = 0, state: RowState | None = None
    ) -> list[OutboxRow]:
        """Return rows in order, of one state or of all."""
        return await self._ask(lambda book: results.listed(book, state, limit, after_order))

    async def row(self, result_id: str) -> OutboxRow | None:
        """Return one row, None when there is none."""
        return await self._ask(lambda book: results.row(book, result_id))

    async def counts(self) -> dict[RowState, int]:
        """Return how many rows are in each state."""
        return await self._ask(results.counts)

    def mark_sent(self, result_ids: Collection[str]) -> None:
        """Count this run of the service among those that sent these rows; once a run is enough.

        It shares the next commit, or has one within a quarter of a second. Lost in a crash, a
        repeat is merely not marked as one.
        """
        ids = tuple(result_ids)
        self._writer.leave(Job(lambda book: results.mark_sent(book, ids), When.LAZY))

    async def requeue(self, result_id: str) -> OutboxRow:
        """Let a row be sent again because a person wants it, and return it as WAITING."""
        return await self._do(lambda book: results.requeue(book, result_id))

    async def recorded(self, start: int | None = None) -> AsyncIterator[Recorded]:
        """Yield the journal from a sequence on (None: from the first that is left), checked.

        StoreError at the first entry that is not what was written, JournalError at one this
        software does not know, StoreRefused when `start` was purged or is yet to come.
        """
        at = await self._ask(entries.first_kept) if start is None else start
        while page := await self._ask(partial(entries.read_events, start=at)):
            for recorded in page:
                yield recorded
            at += len(page)

    async def entries(self, start: int | None = None) -> AsyncIterator[Entry]:
        """Yield the journal as exact bytes, unchecked: for export."""
        at = await self._ask(entries.first_kept) if start is None else start
        while page := await self._ask(partial(entries.read, start=at)):
            for entry in page:
                yield entry
            at = page[-1].sequence + 1

    async def outline(self) -> tuple[list[Segment], Head]:
        """Return the segments, purged ones too, and the head, as of one moment."""
        segments, head, _ = await self._ask(entries.survey)
        return segments, head

    async def verify(self, witness: Head | None = None) -> Verdict:
        """Check the whole journal, against a head seen from outside if there is one."""
        async with self._purging:
            return await self._verify(witness)

    async def snapshot(self) -> Snapshot | None:
        """Return the folded state that was kept last; StoreError if it was altered."""
        return await self._ask(retention.read_snapshot)

    async def keep_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a folded state; only what it stands for can ever be purged."""
        await self._do(lambda book: retention.keep_snapshot(book, snapshot))

    async def purge(self, now: Instant, retention_s: float) -> Purged:
        """Remove what is older than the retention and needed by nobody.

        Filed rows go by the time of their receipt. Then whole segments, oldest first: closed that
        long ago, covered by the snapshot, needed by no unfinished item of it and by no row that is
        not filed. With them go their waveforms, and patients nothing refers to. While the clock is
        not synchronised nothing goes, and what happened then counts from the first moment it was.
        """
        if not now.trusted:
            return Purged(0, 0)
        async with self._purging:
            await self._do(lambda book: retention.stamp(book, now))
            rows = await self._until_done(lambda book: results.purge(book, now, retention_s))
            gone = await self._until_done(
                lambda book: retention.purge_segment(book, now, retention_s)
            )
            await self._ask(lambda book: _pragma(book, f"incremental_vacuum({VACUUM_PAGES})"))
        return Purged(gone, rows)

    async def used_bytes(self) -> int:
        """Return the bytes in use, to be held against the limit."""
        return await self._ask(lambda book: book.used_bytes())

    async def _verify(self, witness: Head | None) -> Verdict:
        segments, head, at = await self._ask(entries.survey)
        check = Verifier(segments, self.name, head=head, witness=witness)
        while page := await self._ask(partial(entries.read, start=at)):
            for entry in page:
                if entry.sequence <= head.sequence:
                    check.feed(entry)
            at = page[-1].sequence + 1
        return check.finish()

    async def _until_done(self, work: Callable[[Book], int]) -> int:
        total = 0
        while done := await self._do(work, act=Act.PURGE):
            total += done
        return total

    async def _do(self, work: Callable[[Book], T], *, act: Act | None = None) -> T:
        return await self._writer.do(Job(work, When.WRITE, act))

    async def _ask(self, work: Callable[[Book], T]) -> T:
        return await self._writer.do(Job(work, When.ALONE))

    def _now(self) -> Instant:
        return self._writing_clock().now()

    def _era(self) -> str:
        return self._writing_clock().era

    def _writing_clock(self) -> Clock:
        if self._clock is None:
            raise StoreError("this store was opened to read only")
        return self._clock


def _name(book: Book) -> uuid.UUID:
    return journal_of(book.connection)


def _pragma(book: Book, pragma: str) -> None:
    """Run housekeeping to its end: `execute` would take a single step of a vacuum."""
    book.connection.executescript(f"PRAGMA {pragma}")
