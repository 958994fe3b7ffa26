"""The record: results in one SQLite file, each filed exactly once by its result id.

`file` returns when its results are durable: WAL with synchronous FULL, one transaction a batch. A
second process may read, or file into, the same file.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from drivers.errors import SettingsError
from drivers.model import Kind
from edge.events import Outcome
from edge.faults import inside, reach
from edge.fhir.read import BundleError, Contents, read
from edge.fhir.read_ecg import file_of, waveform_of
from edge.samples import canonical_sha256

VERSION = 1
APPLICATION = 0x5645_5273  # "VERs"
BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class Submission:
    """A result that may be filed: what it says, its exact bytes, and who sent it when."""

    contents: Contents
    payload: bytes
    site: str
    hub: str
    received_ns: int


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of a submission; `held` is the content hash that is in the record, if any."""

    outcome: Outcome
    held: str | None = None
    reason: str = ""


class HeldValue(Struct, frozen=True):
    """One value in the record, with all that names it."""

    result_id: str
    site: str
    hub: str
    kind: str
    space: str
    subject: str
    metric: str
    value: float | None
    unit: str | None
    status: str
    time: str
    origin: str
    withdrawn: bool


class HeldResult(Struct, frozen=True):
    """One result in the record, also one without a value: a waveform, an original file."""

    result_id: str
    kind: str
    space: str
    subject: str
    content_sha256: str
    withdrawn: bool


class HeldEcg(Struct, frozen=True):
    """A result of an ECG study in the record, read back from its bundle.

    Of a waveform `leads`, `fs`, `n` and the hash of its samples; of a file its size and hash.
    """

    result_id: str
    study: str
    kind: str
    subject: str
    statements: tuple[str, ...]
    withdrawn: bool
    leads: tuple[str, ...] = ()
    fs: float | None = None
    n: int | None = None
    samples_sha256: str | None = None
    bytes: int | None = None
    file_sha256: str | None = None


class HeldHub(Struct, frozen=True):
    """A hub and the last that was heard of it."""

    site: str
    hub: str
    state: str
    boot_id: str
    seq: int
    seen_ns: int


class Assigned(Struct, frozen=True):
    """Who was last said to be in a room, under which association, when."""

    patient: str
    association_id: str
    issued_ns: int


class Filing:
    """An open record; not shared between threads."""

    def __init__(self, path: Path) -> None:
        self._db = _opened(path)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def file(self, batch: Sequence[Submission]) -> list[Filed]:
        """File what is new, in order; durable when this returns.

        Where the disk is full or the file is held by others too long, nothing of the batch is
        filed and every outcome is `retry`.
        """
        try:
            with self._transaction(self._commit_filing):
                outcomes = [self._one(submission) for submission in batch]
        except sqlite3.IntegrityError:
            return self._one_by_one(batch)
        except sqlite3.Error as error:
            return [Filed(Outcome.RETRY, reason=_why(error)) for _ in batch]
        reach("record.filing.after-commit")
        return outcomes

    def heard(self, hub: HeldHub) -> None:
        """Remember the state of a hub."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO hub VALUES (?, ?, ?, ?, ?, ?)",
                (hub.site, hub.hub, hub.state, hub.boot_id, hub.seq, hub.seen_ns),
            )

    def hubs(self) -> list[HeldHub]:
        """Return all hubs that were ever heard of."""
        rows = self._db.execute(
            "SELECT site, hub, state, boot_id, seq, seen_ns FROM hub ORDER BY 1, 2"
        )
        return [HeldHub(*row) for row in rows]

    def hub(self, site: str, hub: str) -> HeldHub | None:
        """Return the last that was heard of one hub."""
        found = [each for each in self.hubs() if (each.site, each.hub) == (site, hub)]
        return found[0] if found else None

    def assigned(self, site: str, hub: str) -> Assigned | None:
        """Return who was last said to be in a room."""
        row = self._db.execute(
            "SELECT patient, association_id, issued_ns FROM assignment WHERE (site, hub) = (?, ?)",
            (site, hub),
        ).fetchone()
        return Assigned(*row) if row else None

    def assign(self, site: str, hub: str, assigned: Assigned | None) -> None:
        """Remember who is said to be in a room, or that nobody is."""
        with self._transaction():
            self._db.execute("DELETE FROM assignment WHERE (site, hub) = (?, ?)", (site, hub))
            if assigned:
                who = (site, hub, assigned.patient, assigned.association_id, assigned.issued_ns)
                self._db.execute("INSERT INTO assignment VALUES (?, ?, ?, ?, ?)", who)

    def values(self) -> Iterator[HeldValue]:
        """Yield every value in the record in the order it was filed; withdrawn ones say so."""
        rows = self._db.execute(
            """
            SELECT result_id, site, hub, kind, space, subject, metric, value, unit, status, time,
                   origin, EXISTS (SELECT 1 FROM result AS c WHERE c.corrects = value.result_id)
            FROM result JOIN value USING (result_id)
            WHERE corrects IS NULL ORDER BY result.rowid, value.rowid
            """
        )
        for row in rows:
            named = dict(zip(HeldValue.__struct_fields__, row, strict=True))
            yield msgspec.convert(named, HeldValue, strict=False)

    def results(self) -> Iterator[HeldResult]:
        """Yield every result in the record in the order it was filed; withdrawn ones say so."""
        rows = self._db.execute(
            """
            SELECT result_id, kind, space, subject, content_sha256,
                   EXISTS (SELECT 1 FROM result AS c WHERE c.corrects = result.result_id)
            FROM result WHERE corrects IS NULL ORDER BY rowid
            """
        )
        for row in rows:
            named = dict(zip(HeldResult.__struct_fields__, row, strict=True))
            yield msgspec.convert(named, HeldResult, strict=False)

    def ecgs(self) -> Iterator[HeldEcg]:
        """Yield every result of an ECG study, read back, in the order it was filed."""
        rows = self._db.execute(
            """
            SELECT bundle, subject,
                   EXISTS (SELECT 1 FROM result AS c WHERE c.corrects = result.result_id)
            FROM result WHERE kind LIKE 'ecg12%' AND corrects IS NULL ORDER BY rowid
            """
        )
        for bundle, subject, withdrawn in rows:
            yield _ecg(bundle, subject, withdrawn=bool(withdrawn))

    def bundle(self, result_id: str) -> bytes | None:
        """Return the exact bytes of a result, None where it is not in the record."""
        row = self._db.execute(
            "SELECT bundle FROM result WHERE result_id = ?", (result_id,)
        ).fetchone()
        return bytes(row[0]) if row else None

    def _one_by_one(self, batch: Sequence[Submission]) -> list[Filed]:
        """Let one result that the tables refuse stop no other."""
        if len(batch) > 1:
            return [self.file([submission])[0] for submission in batch]
        return [Filed(Outcome.REJECTED, reason="the record's own rules refuse it")]

    def _one(self, submission: Submission) -> Filed:
        said = submission.contents
        held = self._held(said.result_id)
        if held:
            return Filed(Outcome.DUPLICATE, held[0])
        (subject,) = said.subjects
        if said.corrects:
            corrected = self._held(said.corrects)
            if corrected is None:
                return Filed(Outcome.RETRY, reason="the result it corrects is not filed yet")
            if corrected[1] != subject:
                return Filed(Outcome.REJECTED, reason="the result it corrects is another patient's")
        self._insert(submission, subject)
        return Filed(Outcome.ACCEPTED, said.content_sha256)

    def _held(self, result_id: str) -> tuple[str, str] | None:
        """Return content hash and subject of a filed result."""
        row: tuple[str, str] | None = self._db.execute(
            "SELECT content_sha256, subject FROM result WHERE result_id = ?", (result_id,)
        ).fetchone()
        return row

    def _insert(self, submission: Submission, subject: str) -> None:
        said = submission.contents
        columns = {
            "result_id": said.result_id,
            "site": submission.site,
            "hub": submission.hub,
            "kind": said.kind,
            "space": said.space,
            "subject": subject,
            "content_sha256": said.content_sha256,
            "seq": said.sequence,
            "boot_id": said.run,
            "clock": said.clock,
            "corrects": said.corrects,
            "received_ns": submission.received_ns,
            "bundle": submission.payload,
        }
        self._db.execute(_INSERT_RESULT, columns)
        self._db.executemany(
            "INSERT INTO value VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (said.result_id, v.metric, v.value, v.unit, v.status, v.time, v.origin)
                for v in said.values
            ],
        )

    @contextmanager
    def _transaction(self, commit: Callable[[], None] | None = None) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            (commit or self._commit)()
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _commit(self) -> None:
        self._db.execute("COMMIT")

    def _commit_filing(self) -> None:
        reach("record.filing.before-commit")
        with inside("record.filing.inside-commit"):
            self._commit()


_INSERT_RESULT = """
INSERT INTO result VALUES (
    :result_id, :site, :hub, :kind, :space, :subject, :content_sha256, :seq, :boot_id, :clock,
    :corrects, :received_ns, :bundle
)
"""


def _ecg(bundle: bytes, subject: str, *, withdrawn: bool) -> HeldEcg:
    said = read(bundle)
    held = HeldEcg(
        said.result_id, said.study or "", said.kind, subject, said.statements, withdrawn=withdrawn
    )
    if not Kind(said.kind).is_document:
        return held
    try:
        wave = waveform_of(bundle)
    except BundleError:
        file = file_of(bundle)
        return replace(held, bytes=len(file), file_sha256=hashlib.sha256(file).hexdigest())
    return replace(
        held,
        leads=wave.leads,
        fs=wave.fs,
        n=wave.microvolts.shape[1],
        samples_sha256=canonical_sha256(wave.leads, wave.fs, wave.microvolts),
    )


def _opened(path: Path) -> sqlite3.Connection:
    """Open or make the file; SettingsError for one that is not a record of this version."""
    db: sqlite3.Connection | None = None
    try:
        path.touch(mode=0o600)
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        _prepare(db, path)
    except (OSError, sqlite3.Error) as error:
        if db is not None:
            db.close()
        raise SettingsError(f"record {path}: {error}; give another file with --store") from error
    except SettingsError:
        if db is not None:
            db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    application, version = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    if (application, version) == (APPLICATION, VERSION):
        return
    if application or version or db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        what = "a newer version's" if application == APPLICATION else "not a record"
        raise SettingsError(
            f"record {path}: {what}; it is left as it is, give another with --store"
        )
    schema = files("edge.record").joinpath("schema_v1.sql").read_text("utf-8")
    db.executescript(f"BEGIN IMMEDIATE;\n{schema}\nCOMMIT;")


def _why(error: sqlite3.Error) -> str:
    return f"the record cannot be written now: {error}"
