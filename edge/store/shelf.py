"""What lies beside journal and outbox: raw bytes, patients, waveforms."""

import sqlite3
from itertools import groupby
from operator import itemgetter

import msgspec
import numpy as np
from msgspec import Struct

from drivers.model import Chunk, Instant, InstrumentId, Unit, Waveform
from edge.observation import Subject
from edge.store.book import ROW_BYTES, Book, Tier
from edge.store.errors import StoreRefused


class KeptWaveform(Struct, frozen=True):
    """Signals around the measurement `item`; monotonic times are those of `era`."""

    item: int
    waveform: Waveform
    era: str


def keep(book: Book, instrument: str, chunk: Chunk, era: str, who: InstrumentId | None) -> int:
    """Store raw bytes and return their number, which is never given twice.

    `who` is the instrument they are of, if it had said so by then.
    """
    book.admit(Tier.VALUE, len(chunk.data) + ROW_BYTES)
    at = chunk.at
    number = book.connection.execute(
        "INSERT INTO raw (instrument, channel, wall_ns, mono_ns, trusted, era, data, identity) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(instrument, chunk.channel, at.wall_ns, at.mono_ns, at.trusted, era, chunk.data),
            None if who is None else msgspec.json.encode(who).decode(),
        ),
    ).lastrowid
    assert number is not None  # noqa: S101 - an INSERT has a row
    return number


def settle(book: Book, numbers: tuple[int, ...]) -> None:
    """Remove raw bytes whose meaning is durable; settling twice is no harm."""
    for number in numbers:
        book.connection.execute("DELETE FROM raw WHERE number = ?", (number,))


def unsettled(book: Book, instrument: str) -> list[tuple[str, list[tuple[int, Chunk]]]]:
    """Return what of an instrument is still to be decoded: numbered chunks, era by era."""
    rows = book.connection.execute(
        "SELECT number, data, wall_ns, mono_ns, trusted, channel, era FROM raw "
        "WHERE instrument = ? ORDER BY number",
        (instrument,),
    )
    chunks = [
        (era, (number, Chunk(data, Instant(wall, mono, bool(trusted)), channel)))
        for number, data, wall, mono, trusted, channel, era in rows
    ]
    by_era = groupby(chunks, key=itemgetter(0))
    return [(era, [numbered for _, numbered in together]) for era, together in by_era]


def kept_identities(book: Book, instrument: str) -> dict[int, InstrumentId]:
    """Return which instrument each of the kept raw bytes is of, where that was known."""
    rows = book.connection.execute(
        "SELECT number, identity FROM raw WHERE instrument = ? AND identity IS NOT NULL",
        (instrument,),
    )
    return {number: msgspec.json.decode(text, type=InstrumentId) for number, text in rows}


def put_subject(book: Book, key: str, subject: Subject) -> None:
    """Store who a key stands for; the display may change, the patient, once known, may not."""
    changed = book.connection.execute(
        "INSERT INTO subjects VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (key) DO UPDATE "
        "SET reference = ?2, display_1 = ?3, display_2 = ?4, since = ?5, identifiers = ?6 "
        "WHERE reference IN ('', ?2)",
        (
            key,
            subject.reference,
            *subject.display,
            book.tail.head.sequence,
            msgspec.json.encode(subject.identifiers).decode(),
        ),
    )
    if not changed.rowcount:
        raise StoreRefused(f"subject key {key} stands for another patient: a key is never reused")


def subject_of(book: Book, key: str) -> Subject | None:
    """Return who a key stands for; None when erased, purged or never known."""
    row = book.connection.execute(
        "SELECT reference, display_1, display_2, identifiers FROM subjects WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        return None
    numbers = msgspec.json.decode(row[3], type=tuple[str, ...])
    return Subject(row[0], (row[1], row[2]), numbers)


def erase_subject(book: Book, key: str) -> None:
    """Forget who a key stood for."""
    book.connection.execute("DELETE FROM subjects WHERE key = ?", (key,))


def keep_waveform(book: Book, item: int, waveform: Waveform, era: str) -> None:
    """Store signals around a journaled measurement, in half the bytes where that loses nothing."""
    narrow = waveform.samples.astype("<f4")
    exact = np.array_equal(narrow.astype("<f8"), waveform.samples, equal_nan=True)
    samples = narrow if exact else waveform.samples.astype("<f8")
    book.admit(Tier.WAVEFORM, samples.nbytes + ROW_BYTES)
    try:
        book.connection.execute(
            "INSERT INTO waveforms (item, signals, fs, unit, wall_ns, mono_ns, trusted, era, "
            "format, samples) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                item,
                msgspec.json.encode(waveform.signals).decode(),
                waveform.fs,
                waveform.unit.value,
                waveform.at.wall_ns,
                waveform.at.mono_ns,
                waveform.at.trusted,
                era,
                "<f4" if exact else "<f8",
                samples.tobytes(),
            ),
        )
    except sqlite3.IntegrityError as error:
        raise StoreRefused(f"a waveform belongs to entry {item}, which is not there") from error


def waveforms_of(book: Book, item: int) -> list[KeptWaveform]:
    """Return the signals kept around a measurement."""
    rows = book.connection.execute(
        "SELECT signals, fs, unit, wall_ns, mono_ns, trusted, era, format, samples "
        "FROM waveforms WHERE item = ? ORDER BY number",
        (item,),
    )
    return [_waveform(item, row) for row in rows]


def _waveform(
    item: int, row: tuple[str, float, str, int, int, int, str, str, bytes]
) -> KeptWaveform:
    text, fs, unit, wall_ns, mono_ns, trusted, era, form, blob = row
    signals = msgspec.json.decode(text, type=tuple[str, ...])
    samples = np.frombuffer(blob, form).astype(np.float64).reshape(len(signals), -1)
    at = Instant(wall_ns, mono_ns, bool(trusted))
    return KeptWaveform(item, Waveform(signals, fs, Unit(unit), samples, at), era)
