"""The outbox in the file: how rows enter, move, are sent again and go."""

import sqlite3

import msgspec

from drivers.model import Instant, Kind
from edge.clock import NS
from edge.observation import Space
from edge.store.book import Book
from edge.store.errors import AlreadyEnqueued, NoSuchResult, StoreRefused
from edge.store.outbox import Move, OutboxRow, RowState

PURGE_ROWS = 200  # in one transaction; values are written in between
COLUMNS = "place, result_id, kind, content_sha256, space, after, state, attempts, subject"


def enqueue(book: Book, new: OutboxRow) -> None:
    """Put a row in; AlreadyEnqueued where one of its id is there."""
    values = (
        new.order,
        new.result_id,
        new.kind.value,
        new.content_sha256,
        new.space.value,
        new.after,
        new.state.value,
        new.attempts,
        new.subject,
    )
    try:
        book.connection.execute(
            f"INSERT INTO outbox ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - own names
            values,
        )
    except sqlite3.IntegrityError as error:
        raise AlreadyEnqueued(f"result {new.result_id} is in the outbox already") from error
    book.connection.execute("INSERT INTO payloads VALUES (?, ?)", (new.order, new.payload))


def move(book: Book, change: Move, now: Instant) -> None:
    """Change a row's state; what is filed stays filed until a person sends it again."""
    found = book.connection.execute(
        "SELECT state, length(payload) FROM outbox JOIN payloads USING (place) WHERE result_id = ?",
        (change.result_id,),
    ).fetchone()
    if found is None:
        raise _unknown(change.result_id)
    ended = change.state in {RowState.FILED, RowState.GIVEN_UP}
    if found[0] == RowState.FILED.value and change.state is not RowState.FILED:
        raise StoreRefused(f"result {change.result_id} is filed and cannot become {change.state}")
    if change.state is RowState.WAITING and not found[1]:
        raise _erased(change.result_id)
    book.connection.execute(
        "UPDATE outbox SET state = ?, ended_ns = coalesce(ended_ns, ?) WHERE result_id = ?",
        (change.state.value, now.wall_ns if ended and now.trusted else None, change.result_id),
    )


def waiting(book: Book, limit: int, after_order: int) -> list[OutboxRow]:
    """Return rows that may be sent now, in order.

    A result that is not in the outbox any more was filed: no other row is ever removed.
    """
    return _rows(
        book,
        "state = 'waiting' AND place > ? AND NOT EXISTS (SELECT 1 FROM outbox AS first "
        "WHERE first.result_id = outbox.after AND first.state <> 'filed')",
        (after_order,),
        limit,
    )


def listed(book: Book, state: RowState | None, limit: int, after_order: int) -> list[OutboxRow]:
    """Return rows of one state, or all, in order."""
    if state is None:
        return _rows(book, "place > ?", (after_order,), limit)
    return _rows(book, "state = ? AND place > ?", (state.value, after_order), limit)


def row(book: Book, result_id: str) -> OutboxRow | None:
    """Return one row, None when there is none."""
    found = _rows(book, "result_id = ?", (result_id,), 1)
    return found[0] if found else None


def counts(book: Book) -> dict[RowState, int]:
    """Return how many rows are in each state."""
    grouped = dict(
        book.connection.execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall()
    )
    return {state: int(grouped.get(state.value, 0)) for state in RowState}


def mark_sent(book: Book, result_ids: tuple[str, ...]) -> None:
    """Count one more run of the service that sent these rows."""
    book.connection.executemany(
        "UPDATE outbox SET attempts = attempts + 1 WHERE result_id = ?",
        [(result_id,) for result_id in result_ids],
    )


def requeue(book: Book, result_id: str) -> OutboxRow:
    """Let a row be sent again, whatever became of it, and return it."""
    found = row(book, result_id)
    if found is None:
        raise _unknown(result_id)
    if not found.payload:
        raise _erased(result_id)
    book.connection.execute(
        "UPDATE outbox SET state = 'waiting', ended_ns = NULL WHERE result_id = ?", (result_id,)
    )
    return msgspec.structs.replace(found, state=RowState.WAITING)


def erase(book: Book, subject: str) -> int:
    """Empty the payloads of a patient and return how many; refused while some are to be filed."""
    (unfinished,) = book.connection.execute(
        "SELECT count(*) FROM outbox WHERE subject = ? AND state IN ('waiting', 'parked')",
        (subject,),
    ).fetchone()
    if unfinished:
        raise StoreRefused(
            f"{unfinished} results of this patient are not filed yet: erase them once they are"
        )
    emptied = book.connection.execute(
        "UPDATE payloads SET payload = x'' "
        "WHERE place IN (SELECT place FROM outbox WHERE subject = ?)",
        (subject,),
    )
    book.connection.execute("UPDATE outbox SET subject = NULL WHERE subject = ?", (subject,))
    return emptied.rowcount


def purge(book: Book, now: Instant, retention_s: float) -> int:
    """Remove some rows that ended longer ago than the retention and return how many."""
    changed = book.connection.execute(
        "DELETE FROM outbox WHERE place IN (SELECT place FROM outbox "
        "WHERE state IN ('filed', 'given-up') AND ended_ns <= ? ORDER BY place LIMIT ?)",
        (now.wall_ns - round(retention_s * NS), PURGE_ROWS),
    )
    return changed.rowcount


def _unknown(result_id: str) -> NoSuchResult:
    return NoSuchResult(f"no result {result_id} in the outbox: never sent, or purged")


def _erased(result_id: str) -> StoreRefused:
    return StoreRefused(f"the patient of result {result_id} was erased: it cannot be sent again")


def _rows(book: Book, where: str, values: tuple[str | int, ...], limit: int) -> list[OutboxRow]:
    rows = book.connection.execute(
        f"SELECT {COLUMNS}, payload FROM outbox JOIN payloads USING (place) "  # noqa: S608 - own text
        f"WHERE {where} ORDER BY place LIMIT ?",
        (*values, limit),
    )
    return [_row(found) for found in rows]


def _row(
    found: tuple[int, str, str, str, str, str | None, str, int, str | None, bytes],
) -> OutboxRow:
    order, result_id, kind, content_sha256, space, after, state, attempts, subject, payload = found
    return OutboxRow(
        result_id=result_id,
        kind=Kind(kind),
        payload=payload,
        content_sha256=content_sha256,
        space=Space(space),
        order=order,
        after=after,
        state=RowState(state),
        attempts=attempts,
        subject=subject,
    )
