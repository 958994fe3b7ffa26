"""How long things stay: the snapshot, and what a purge may take.

A segment may go when it is closed, older than the retention, and nothing needs it: a snapshot
stands for all of it, no unfinished item refers into it and no unfiled result came from it.
"""

import hashlib

import msgspec
from msgspec import Struct

from drivers.model import Instant
from edge.clock import NS
from edge.store.book import Book
from edge.store.entries import hash_at
from edge.store.errors import StoreError, StoreRefused


class Snapshot(Struct, frozen=True):
    """A folded state that stands for all entries up to `sequence`.

    `needed` is the oldest entry that an unfinished item of it refers to, None when there is none;
    `subjects` are the keys of the patients it still refers to.
    """

    sequence: int
    state: bytes
    needed: int | None = None
    subjects: tuple[str, ...] = ()


def keep_snapshot(book: Book, snapshot: Snapshot) -> None:
    """Replace the snapshot by a later one."""
    older = book.connection.execute("SELECT max(sequence) FROM snapshots").fetchone()[0]
    if older is not None and snapshot.sequence < older:
        raise StoreRefused(f"a snapshot of entry {older} is there, later than {snapshot.sequence}")
    subjects = msgspec.json.encode(snapshot.subjects).decode()
    book.connection.execute("DELETE FROM snapshots")
    book.connection.execute(
        "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?)",
        (snapshot.sequence, snapshot.state, snapshot.needed, subjects, _seal(book, snapshot)),
    )


def read_snapshot(book: Book) -> Snapshot | None:
    """Return the snapshot; StoreError if it is not the one that was kept."""
    row = book.connection.execute(
        "SELECT sequence, state, needed, subjects, seal FROM snapshots"
    ).fetchone()
    if row is None:
        return None
    sequence, state, needed, subjects, seal = row
    snapshot = Snapshot(sequence, state, needed, msgspec.json.decode(subjects, type=_KEYS))
    if seal != _seal(book, snapshot):
        raise StoreError(
            f"{book.path}: the stored state of the room is not what was written; restore a copy"
        )
    return snapshot


def stamp(book: Book, now: Instant) -> None:
    """Let retention run from the first synchronised moment, where there was none at the time."""
    for statement in (
        "UPDATE segments SET closed_ns = ? WHERE last IS NOT NULL AND closed_ns IS NULL",
        "UPDATE outbox SET ended_ns = ? WHERE state IN ('filed', 'given-up') AND ended_ns IS NULL",
    ):
        book.connection.execute(statement, (now.wall_ns,))


def purge_segment(book: Book, now: Instant, retention_s: float) -> int:
    """Remove the oldest segment if it may go; return how many entries went."""
    snapshot = read_snapshot(book)
    oldest = book.connection.execute(
        "SELECT number, first, last, closed_ns FROM segments WHERE purged = 0 ORDER BY number"
    ).fetchone()
    number, first, last, closed_ns = oldest
    if snapshot is None or last is None or closed_ns is None:
        return 0
    if closed_ns > now.wall_ns - round(retention_s * NS) or last > _expendable(book, snapshot):
        return 0
    book.connection.execute("DELETE FROM entries WHERE sequence BETWEEN ? AND ?", (first, last))
    book.connection.execute("UPDATE segments SET purged = 1 WHERE number = ?", (number,))
    _purge_subjects(book, snapshot, last)
    return int(last - first + 1)


def _expendable(book: Book, snapshot: Snapshot) -> int:
    """Return the last sequence that nothing needs any more."""
    (unfiled,) = book.connection.execute(
        "SELECT min(place) FROM outbox WHERE state NOT IN ('filed', 'given-up')"
    ).fetchone()
    needed = [oldest - 1 for oldest in (snapshot.needed, unfiled) if oldest is not None]
    return min([snapshot.sequence, *needed])


def _purge_subjects(book: Book, snapshot: Snapshot, last: int) -> None:
    """Forget the patients whom nothing refers to: no later entry, no result, not the snapshot."""
    book.connection.execute(
        "DELETE FROM subjects WHERE since <= ? "
        "AND key NOT IN (SELECT subject FROM outbox WHERE subject IS NOT NULL) "
        "AND key NOT IN (SELECT value FROM json_each(?))",
        (last, msgspec.json.encode(snapshot.subjects).decode()),
    )


def _seal(book: Book, snapshot: Snapshot) -> bytes:
    """Return a hash that ties a snapshot to the chain at its sequence."""
    return hashlib.sha256(hash_at(book, snapshot.sequence) + msgspec.json.encode(snapshot)).digest()


_KEYS = tuple[str, ...]
