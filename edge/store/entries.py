"""The journal in the file: entries and segments."""

import sqlite3
import uuid
from collections.abc import Sequence
from pathlib import Path

import msgspec

from drivers.model import Instant
from edge.events import Recorded
from edge.journal import (
    SCHEMA,
    SEGMENT_BYTES,
    SEGMENT_ENTRIES,
    Entry,
    Head,
    JournalError,
    NewerEventsError,
    Segment,
    check_schema,
    decode,
    extend,
    link,
)
from edge.store.book import Book, Tail
from edge.store.errors import StoreError, StoreRefused
from edge.store.file import damaged, open_for_reading, open_for_writing

MAX_BYTES = 1 << 40  # a reader has no limit of its own
PAGE_ENTRIES = 500  # read at a time: short enough for values to be written in between


def open_book(path: Path, journal: uuid.UUID | None, limit_bytes: int) -> Book:
    """Open the store for its one writer, or make it; StoreError where it cannot go on."""
    connection, lock = open_for_writing(path, journal)
    try:
        return Book(connection, path, _sound_tail(connection), limit_bytes, lock)
    except (sqlite3.Error, JournalError) as error:
        connection.close()
        lock.release()
        raise _unfit(path, error) from error


def open_book_to_read(path: Path) -> Book:
    """Open an existing store beside its writer, or one that is not sound any more."""
    connection = open_for_reading(path)
    try:
        return Book(connection, path, tail_of(connection), MAX_BYTES, None)
    except (sqlite3.Error, JournalError) as error:
        connection.close()
        raise _unfit(path, error) from error


def tail_of(connection: sqlite3.Connection) -> Tail:
    """Read where the journal ends; JournalError where its segments do not say."""
    segment = connection.execute(
        "SELECT number, first, opening, schema FROM segments WHERE last IS NULL"
    ).fetchall()
    if len(segment) != 1:
        raise JournalError(f"the journal has {len(segment)} open segments instead of one")
    number, first, opening, schema = segment[0]
    check_schema(schema)
    (size,) = connection.execute(
        "SELECT coalesce(sum(length(data)), 0) FROM entries WHERE sequence >= ?", (first,)
    ).fetchone()
    last = connection.execute(
        "SELECT sequence, hash FROM entries WHERE sequence >= ? ORDER BY sequence DESC LIMIT 1",
        (first,),
    ).fetchone()
    return Tail(Head(*last) if last else Head(first - 1, opening), number, first, size, schema)


def write(book: Book, data: Sequence[bytes]) -> range:
    """Append the bytes of events to the chain and return their sequences."""
    if book.tail.schema != SCHEMA:
        _close_segment(book, None)
    head, size = book.tail.head, book.tail.bytes
    first = head.sequence + 1
    for each in data:
        entry = extend(head, each)
        head, size = Head(entry.sequence, entry.hash), size + len(each)
        row = (entry.sequence, entry.data, entry.hash)
        book.connection.execute("INSERT INTO entries VALUES (?, ?, ?)", row)
    book.tail = msgspec.structs.replace(book.tail, head=head, bytes=size)
    return range(first, head.sequence + 1)


def close_full_segment(book: Book, now: Instant) -> None:
    """End the open segment if it is long enough; its closing hash is the head's."""
    tail = book.tail
    if tail.head.sequence - tail.first + 1 >= SEGMENT_ENTRIES or tail.bytes >= SEGMENT_BYTES:
        _close_segment(book, now.wall_ns if now.trusted else None)


def read(book: Book, start: int) -> list[Entry]:
    """Return the next entries from a sequence on, a page of them."""
    rows = book.connection.execute(
        "SELECT sequence, data, hash FROM entries WHERE sequence >= ? ORDER BY sequence LIMIT ?",
        (start, PAGE_ENTRIES),
    )
    return [Entry(*row) for row in rows]


def read_events(book: Book, start: int) -> list[Recorded]:
    """Return a page of decoded entries; StoreError at the first that is not what was written."""
    previous, entries = hash_at(book, start - 1), read(book, start)
    recorded = []
    for sequence, entry in enumerate(entries, start):
        if entry.sequence != sequence or entry.hash != link(previous, sequence, entry.data):
            raise StoreError(
                f"{book.path}: the journal is not what was written, from entry {sequence} on: run "
                "'vitals-edge journal verify', keep the file, and restore a copy"
            )
        recorded.append(Recorded(sequence, decode(entry.data, sequence)))
        previous = entry.hash
    return recorded


def survey(book: Book) -> tuple[list[Segment], Head, int]:
    """Return segments, head and first kept entry as of one moment.

    The head is the one this process wrote, if it writes; else what the file says.
    """
    book.connection.execute("BEGIN")
    try:
        head = book.durable if book.writes else tail_of(book.connection).head
        return segments(book), head, first_kept(book)
    finally:
        book.connection.execute("ROLLBACK")


def segments(book: Book) -> list[Segment]:
    """Return all segments from the first on, purged ones too."""
    rows = book.connection.execute(
        "SELECT number, first, opening, schema, last, closing, purged FROM segments ORDER BY number"
    )
    return [
        Segment(number, first, opening, schema, last, closing, bool(purged))
        for number, first, opening, schema, last, closing, purged in rows
    ]


def first_kept(book: Book) -> int:
    """Return the first sequence that was not purged."""
    (first,) = book.connection.execute(
        "SELECT min(first) FROM segments WHERE purged = 0"
    ).fetchone()
    return int(first)


def hash_at(book: Book, sequence: int) -> bytes:
    """Return the chain's hash up to an entry; StoreRefused when it was purged or is to come."""
    row = book.connection.execute(
        "SELECT hash FROM entries WHERE sequence = ?1 "
        "UNION ALL SELECT opening FROM segments WHERE first = ?1 + 1",
        (sequence,),
    ).fetchone()
    if row is None:
        raise StoreRefused(f"{book.path}: the journal holds no entry {sequence}")
    return bytes(row[0])


def _close_segment(book: Book, closed_ns: int | None) -> None:
    tail = book.tail
    if tail.head.sequence < tail.first:
        statement = "UPDATE segments SET schema = ? WHERE number = ?"
        book.connection.execute(statement, (SCHEMA, tail.segment))
        book.tail = msgspec.structs.replace(tail, schema=SCHEMA)
        return
    book.connection.execute(
        "UPDATE segments SET last = ?, closing = ?, closed_ns = ? WHERE number = ?",
        (tail.head.sequence, tail.head.hash, closed_ns, tail.segment),
    )
    opened = Tail(tail.head, tail.segment + 1, tail.head.sequence + 1, 0, SCHEMA)
    book.connection.execute(
        "INSERT INTO segments (number, first, opening, schema) VALUES (?, ?, ?, ?)",
        (opened.segment, opened.first, opened.head.hash, SCHEMA),
    )
    book.tail = opened


def _unfit(path: Path, error: Exception) -> StoreError:
    if isinstance(error, NewerEventsError):
        return StoreError(f"{path}: {error}; the file is not changed")
    return damaged(path, error)


def _sound_tail(connection: sqlite3.Connection) -> Tail:
    """Read where the journal ends; JournalError unless the open segment leads there."""
    tail = tail_of(connection)
    (count,) = connection.execute(
        "SELECT count(*) FROM entries WHERE sequence >= ?", (tail.first,)
    ).fetchone()
    if tail.head.sequence != tail.first + count - 1:
        raise JournalError(
            f"of the journal entries {tail.first} to {tail.head.sequence} only {count} are there"
        )
    return tail
