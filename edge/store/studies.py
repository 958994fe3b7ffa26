"""ECG studies in the file: what their events do not hold."""

import msgspec
import numpy as np

from edge.analysis_wire import StudyReply
from edge.store.book import ROW_BYTES, Book
from edge.store.errors import StoreRefused
from edge.study import Content, NewStudy


def size_of(new: NewStudy) -> int:
    """Return about how many bytes a study takes."""
    content = new.content
    return len(content.original) + content.microvolts.nbytes + len(_said(content)) + ROW_BYTES


def keep(book: Book, new: NewStudy, item: int) -> None:
    """Store a study beside the first entry of its parts; StoreRefused where it is there already."""
    known = known_as(book, new)
    if known is not None:
        raise StoreRefused(f"{known}: it is not stored again")
    content = new.content
    samples = np.ascontiguousarray(content.microvolts, dtype="<f8").tobytes()
    book.connection.execute(
        "INSERT INTO studies (study, item, original_sha256, act, said, samples, original) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            new.study,
            item,
            new.original_sha256,
            new.act,
            _said(content),
            samples,
            content.original,
        ),
    )


def has_original(book: Book, sha256: str) -> bool:
    """Tell whether this very file came before."""
    found = book.connection.execute("SELECT 1 FROM studies WHERE original_sha256 = ?", (sha256,))
    return found.fetchone() is not None


def known_as(book: Book, new: NewStudy) -> str | None:
    """Return as what a study is known already, in words; None: it is new."""
    for column, value, words in (
        ("original_sha256", new.original_sha256, "this file came before"),
        ("study", new.study, "the same recording came before, in another file"),
        ("act", new.act, "another recording of this device, time and patient came before"),
    ):
        query = f"SELECT 1 FROM studies WHERE {column} = ?"  # noqa: S608 - own names
        if book.connection.execute(query, (value,)).fetchone():
            return words
    return None


def content_of(book: Book, study: str) -> Content | None:
    """Return what a study holds; None when it was purged or erased, or never was."""
    row = book.connection.execute(
        "SELECT said, samples, original FROM studies WHERE study = ?", (study,)
    ).fetchone()
    if row is None or not row[0]:
        return None
    said = msgspec.msgpack.decode(row[0], type=StudyReply)
    samples = np.frombuffer(row[1], "<f8").reshape(said.shapes[0])
    return Content(said, samples, row[2])


def is_there(book: Book, study: str) -> bool:
    """Tell whether what a study holds is still here."""
    row = book.connection.execute(
        "SELECT length(said) FROM studies WHERE study = ?", (study,)
    ).fetchone()
    return row is not None and row[0] > 0


def belongs_to(book: Book, study: str, subject: str) -> None:
    """Note whose a study is, so that it can be emptied with that patient."""
    book.connection.execute("UPDATE studies SET subject = ? WHERE study = ?", (subject, study))


def erase(book: Book, subject: str) -> None:
    """Empty a patient's studies."""
    book.connection.execute(
        "UPDATE studies SET said = x'', samples = x'', original = x'', act = NULL "
        "WHERE subject = ?",
        (subject,),
    )


def _said(content: Content) -> bytes:
    return msgspec.msgpack.encode(content.said)
