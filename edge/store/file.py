"""The database file: born whole, opened with care, locked against a second writer.

A file that is damaged, foreign or newer is refused with what to do, and left as it is. A new file
is made beside its place and renamed into it, so that a file at its place is never half made: an
empty one there is damage, not a beginning.
"""

import fcntl
import os
import sqlite3
import uuid
from importlib.resources import files
from pathlib import Path

from edge.journal import SCHEMA, genesis
from edge.store.errors import StoreError

VERSION = 3
APPLICATION = 0x5645_6467  # "VEdg", PRAGMA application_id: tells this from other SQLite files
MAGIC = b"SQLite format 3\0"
PAGE_BYTES = 4096
BUSY_MS = 5000  # a reader of another process may hold the file for a moment
KEEP_AWAY = "move the file away (it is not changed) and restore a copy or start with a new store"


class Lock:
    """The right to write to a store, held by at most one process; released when that one dies.

    On a file of its own: closing any descriptor of the database would drop SQLite's own locks.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(_beside(path, "-lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise StoreError(
                f"{path} is in use by another vitals-edge: stop that one, or give this one its own"
            ) from error

    def release(self) -> None:
        """Let others write."""
        os.close(self._file)


def open_for_writing(path: Path, journal: uuid.UUID | None) -> tuple[sqlite3.Connection, Lock]:
    """Open the store at `path`, making it if there is none; StoreError where that cannot be.

    `journal` names a new store, and an old one must have that name; None: any, a new one at random.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(path)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        if not path.exists():
            _make(path, journal or uuid.uuid4())
        path.chmod(0o600)
        connection = _connect(path, "rw")
    except OSError as error:
        lock.release()
        raise _unusable(path, error) from error
    except StoreError:
        lock.release()
        raise
    try:
        _prepare(connection, path)
        _expect(connection, path, journal)
    except BaseException:
        connection.close()
        lock.release()
        raise
    return connection, lock


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open an existing store beside the process that may be writing it."""
    if not path.exists():
        raise StoreError(f"there is no store at {path}: check store.path in the settings")
    connection = _connect(path, "ro")
    try:
        _current(connection, path)
        _expect(connection, path, None)
    except BaseException:
        connection.close()
        raise
    return connection


def _current(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < VERSION:
        raise StoreError(
            f"{path} was written by older software (store version {version}, this one knows "
            f"{VERSION}): start the service once, it brings the file up to date"
        )


def journal_of(connection: sqlite3.Connection) -> uuid.UUID:
    """Return the name of the journal in this store."""
    (text,) = connection.execute("SELECT journal FROM identity").fetchone()
    return uuid.UUID(text)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    _look(path)
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,  # transactions are begun and ended here, by name
            timeout=BUSY_MS / 1000,
        )
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be opened: {error}; check who owns it") from error
    try:
        _recognise(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _look(path: Path) -> None:
    """Read the first bytes before SQLite does: it would take an empty file for a new database."""
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise _unusable(path, error) from error
    if start != MAGIC:
        what = "is empty" if not start else "is not a store of vitals-edge"
        raise StoreError(f"{path} {what}: {KEEP_AWAY}")


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    if application != APPLICATION or version < 1:
        raise StoreError(f"{path} is a database of another program: {KEEP_AWAY}")
    if version > VERSION:
        raise StoreError(
            f"{path} was written by newer software (store version {version}, this one knows "
            f"{VERSION}): install that software again; the file is not changed"
        )


def _expect(connection: sqlite3.Connection, path: Path, journal: uuid.UUID | None) -> None:
    try:
        found = journal_of(connection)
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise damaged(path, error) from error
    if journal is not None and found != journal:
        raise StoreError(f"{path} holds the journal {found}, not {journal}: name another file")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Set what SQLite forgets between connections, and see that it took."""
    try:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON").fetchall()
        connection.execute("PRAGMA journal_size_limit = 4194304").fetchall()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        _upgrade(connection)
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path} cannot be written: {error}; check owner and disk") from error
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    if mode != "wal":
        raise StoreError(f"{path}: no write-ahead log on this file system; use a local disk")


def _upgrade(connection: sqlite3.Connection) -> None:
    """Bring a store of older software up to this one's, whole or not at all."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < VERSION:
        scripts = _scripts(version + 1)
        connection.executescript(
            f"BEGIN IMMEDIATE;\n{scripts}\nPRAGMA user_version = {VERSION};\nCOMMIT;"
        )


def _make(path: Path, journal: uuid.UUID) -> None:
    """Make an empty store whole: schema, name, first segment."""
    log = _beside(path, "-wal")
    if log.exists():
        raise StoreError(
            f"{path} is gone, but its log {log.name} is there: put the file back, or move the "
            "log away"
        )
    unborn = _beside(path, "-new")
    for left in (unborn, _beside(unborn, "-journal")):
        left.unlink(missing_ok=True)
    os.close(os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        connection = sqlite3.connect(unborn, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.executescript(f"BEGIN;\n{_scripts(1)}")
            first = (1, 1, genesis(journal).hash, SCHEMA)
            connection.execute("INSERT INTO identity VALUES (?)", (str(journal),))
            connection.execute(
                "INSERT INTO segments (number, first, opening, schema) VALUES (?, ?, ?, ?)", first
            )
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"no store can be made at {path}: {error}; check the disk") from error
    unborn.rename(path)
    _sync_folder(path.parent)


def _scripts(first: int) -> str:
    """Return the scripts that lead from one version before `first` to this one."""
    folder = files("edge.store")
    numbers = range(first, VERSION + 1)
    return "\n".join(folder.joinpath(f"schema_v{n}.sql").read_text("utf-8") for n in numbers)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def damaged(path: Path, error: object) -> StoreError:
    """Return what to say of a file that SQLite, or its content, says is broken."""
    return StoreError(f"{path} is damaged ({error}): {KEEP_AWAY}")


def _unusable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path} cannot be used: {error.strerror or error}; the service needs to own the folder "
        f"{path.parent} and be able to write in it"
    )
