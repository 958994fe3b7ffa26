"""The work on the disk of a folder in which whole files are left; see `folder.py` for the rules.

.vitals-edge/lock                one hub to a folder
.vitals-edge/claimed/ID.N        claimed and not done with; N runs of the hub have begun on it
.vitals-edge/quarantine/ID.file  set aside, with ID.txt, the reason

Everything is done relative to descriptors of the folders, so no path is followed twice. An ID is
random: carts put patients into the names of their files.
"""

import errno
import fcntl
import os
import secrets
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from drivers.contract import DroppedFile
from drivers.errors import LinkNotFound, LinkRefused
from drivers.model import Instant

NS = 1_000_000_000
OURS = ".vitals-edge"
UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", "~")
RUNS = 3  # begun on one file and killed; then it is set aside unread
LOOKED_AT = 10_000  # names at a time: whoever leaves more has the first of them taken first
QUARANTINE_MAX = 1000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

NO_FILE = "not a file: a link, a device or the like"
_UNOPENED = {
    errno.ELOOP: NO_FILE,
    errno.ENXIO: NO_FILE,
    errno.ENODEV: NO_FILE,
    errno.EACCES: "the hub may not read it: let the cart write files that its group can read",
}

_Shape: TypeAlias = tuple[int, int, int]  # inode, size, time of the last change


@dataclass(frozen=True, slots=True)
class FolderRules:
    """When a file is whole, how often to look, and how large one may be."""

    settle_s: float = 2.0
    poll_s: float = 0.5
    max_bytes: int = 700_000


class DropFolder:
    """An open drop folder; for one thread at a time."""

    def __init__(self, path: Path, rules: FolderRules, now: Callable[[], Instant]) -> None:
        self._path = path
        self._rules = rules
        self._now = now
        self._descriptors: list[int] = []
        self._seen: dict[str, tuple[_Shape, int]] = {}
        self._left: list[str] = []
        self._given: dict[str, _Shape] = {}
        self._folder = self._claimed = self._quarantine = -1
        self._aside = 0
        self.refused: deque[str] = deque()  # why files were set aside unread, not told yet

    def open(self) -> None:
        """Open folder and work folders, or raise LinkNotFound or LinkRefused."""
        try:
            self._folder = self._opened(str(self._path))
            work = self._made(OURS, self._folder)
            self._lock(work)
            self._claimed = self._made("claimed", work)
            self._quarantine = self._made("quarantine", work)
            self._left = sorted(_names(self._claimed))
            self._aside = sum(not name.endswith(".txt") for name in _names(self._quarantine))
        except FileNotFoundError as error:
            raise LinkNotFound(
                f"folder:{self._path}: there is no such folder; make it or mount it"
            ) from error
        except OSError as error:
            raise LinkRefused(
                f"folder:{self._path}: {error.strerror or error}; the service must own "
                f"{OURS} in it, a folder, and be able to write there"
            ) from error

    def close(self) -> None:
        """Let go; what was claimed waits for the next time, with this run not counted."""
        for claim in list(self._given):
            with suppress(OSError):
                self._rename(claim, _counted(claim, -1))
        for descriptor in reversed(self._descriptors):
            os.close(descriptor)
        self._descriptors.clear()
        self._folder = -1

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed."""
        return self._folder >= 0

    def next(self) -> DroppedFile | None:
        """Return a file that is whole, claimed; what was left of an earlier run comes first."""
        if self._aside >= QUARANTINE_MAX:
            raise LinkRefused(
                f"folder:{self._path}: {self._aside} files in {OURS}/quarantine; look at them and "
                "empty it, nothing more is taken before that"
            )
        for claim in list(self._left):
            self._left.remove(claim)
            file = self._taken(claim)
            if file is not None:
                return file
        for name in self._whole():
            claim = f"{secrets.token_hex(16)}.0"
            try:
                os.rename(name, claim, src_dir_fd=self._folder, dst_dir_fd=self._claimed)
            except FileNotFoundError:  # somebody took it back
                continue
            _sync(self._claimed)
            _sync(self._folder)
            file = self._taken(claim)
            if file is not None:
                return file
        return None

    def done(self, claim: str) -> None:
        """Remove a file."""
        self._given.pop(claim, None)
        os.unlink(claim, dir_fd=self._claimed)
        _sync(self._claimed)

    def set_aside(self, claim: str, reason: str, data: bytes | None = None) -> None:
        """Move a file into the quarantine, the reason beside it; done twice, it is done once.

        One that was written on after it was read is read again instead.
        """
        given = self._given.pop(claim, None)
        found = os.stat(claim, dir_fd=self._claimed, follow_symlinks=False)
        if given not in {None, _shape(found)}:
            self._left.append(self._rename(claim, _counted(claim, -1)))
            return
        name = claim.partition(".")[0]
        lines = [f"reason: {reason}", f"set aside: {_utc(self._now().wall_ns)}"]
        if data is not None:
            lines += [f"bytes: {len(data)}", f"sha256: {sha256(data).hexdigest()}"]
        self._write(f"{name}.txt", "".join(f"{line}\n" for line in lines))
        os.rename(claim, f"{name}.file", src_dir_fd=self._claimed, dst_dir_fd=self._quarantine)
        _sync(self._quarantine)
        _sync(self._claimed)
        self._aside += 1

    def _whole(self) -> Iterator[str]:
        """Yield the names of files that nobody writes any more, the oldest first."""
        before, self._seen = self._seen, {}
        known = {shape: name for name, (shape, _) in before.items()}  # an inode alone is used again
        now_ns, ready = self._now().mono_ns, []
        for name in _names(self._folder):
            with suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=self._folder, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    continue
                shape = (found.st_ino, found.st_size, found.st_mtime_ns)
                old, since_ns = before.get(name, (None, now_ns))
                since_ns = since_ns if old == shape else now_ns
                self._seen[name] = shape, since_ns
                renamed = known.get(shape, name) != name
                settled = now_ns - since_ns >= self._rules.settle_s * NS and old is not None
                empty = stat.S_ISREG(found.st_mode) and not found.st_size
                if not _unfinished(name) and not empty and (renamed or settled):
                    ready.append((found.st_mtime_ns, name))
        for _, name in sorted(ready):
            yield name

    def _refuse(self, claim: str, reason: str) -> None:
        self.set_aside(claim, reason)
        self.refused.append(reason)

    def _taken(self, claim: str) -> DroppedFile | None:
        """Return a claimed file, read; None where it was set aside or is still being written."""
        if not _is_claim(claim):
            return None
        if int(claim.partition(".")[2]) >= RUNS:
            self._refuse(claim, f"the hub was killed {RUNS} times while it had this file in hand")
            return None
        try:
            descriptor = os.open(claim, _FILE, dir_fd=self._claimed)
        except OSError as error:
            if error.errno not in _UNOPENED:
                raise
            self._refuse(claim, _UNOPENED[error.errno])
            return None
        try:
            before = os.fstat(descriptor)
            why = self._unfit(before)
            if why is not None:
                self._refuse(claim, why)
                return None
            os.fsync(descriptor)
            data = _read(descriptor, self._rules.max_bytes + 1)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if _shape(before) != _shape(after) or len(data) != after.st_size:
            self._left.append(claim)
            return None
        begun = self._rename(claim, _counted(claim, 1))
        self._given[begun] = _shape(after)
        return DroppedFile(data, self._now(), begun)

    def _unfit(self, found: os.stat_result) -> str | None:
        """Return why a claimed file cannot be read."""
        if not stat.S_ISREG(found.st_mode):
            return NO_FILE
        if found.st_size > self._rules.max_bytes:
            return f"{found.st_size} bytes; the settings allow {self._rules.max_bytes} (max_bytes)"
        return None

    def _rename(self, claim: str, name: str) -> str:
        os.rename(claim, name, src_dir_fd=self._claimed, dst_dir_fd=self._claimed)
        _sync(self._claimed)
        return name

    def _write(self, name: str, text: str) -> None:
        unfinished = f"{name}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(unfinished, flags, 0o600, dir_fd=self._quarantine)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(unfinished, name, src_dir_fd=self._quarantine, dst_dir_fd=self._quarantine)

    def _opened(self, name: str, within: int | None = None) -> int:
        flags = _FOLDER if within is None else _FOLDER | os.O_NOFOLLOW
        descriptor = os.open(name, flags, dir_fd=within)
        self._descriptors.append(descriptor)
        return descriptor

    def _made(self, name: str, within: int) -> int:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=within)
            _sync(within)
        return self._opened(name, within)

    def _lock(self, work: int) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open("lock", flags, 0o600, dir_fd=work)
        self._descriptors.append(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LinkRefused(
                f"folder:{self._path}: in use by another instrument or hub; give each its own"
            ) from error


def _sync(folder: int) -> None:
    """Make names durable, where the file system has a way to; some network ones have none."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as listing:
        return [entry.name for entry in islice(listing, LOOKED_AT)]


def _read(descriptor: int, limit: int) -> bytes:
    data = bytearray()
    while len(data) < limit and (piece := os.read(descriptor, limit - len(data))):
        data += piece
    return bytes(data)


def _shape(found: os.stat_result) -> _Shape:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _unfinished(name: str) -> bool:
    return name.startswith(".") or name.lower().endswith(UNFINISHED)


def _is_claim(name: str) -> bool:
    claim, _, runs = name.partition(".")
    return bool(claim) and runs.isdecimal()


def _counted(claim: str, more: int) -> str:
    name, _, runs = claim.partition(".")
    return f"{name}.{int(runs) + more}"


def _utc(wall_ns: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=wall_ns // 1000)
    return at.isoformat(timespec="seconds")
