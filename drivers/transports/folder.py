"""A folder in which an instrument leaves whole files: ``folder:/srv/ecg``.

A file is taken when it has been the same for `settle_s`, or as soon as it is seen to be renamed,
which a careful writer does last. What is hidden, empty or has the name of something unfinished is
left alone. A file is claimed by an atomic rename into a folder of the hub's beside it; there it is
found again after any crash, until what it holds is durable elsewhere. A file that is in hand
whenever the hub is killed, one that is too large, and what is no file at all (symbolic links,
devices: they are never followed) go into a quarantine with the reason.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from drivers.contract import DroppedFile, FileSetAside
from drivers.errors import LinkLost
from drivers.model import Instant
from drivers.transports.drop_folder import DropFolder, FolderRules

T = TypeVar("T")


class FolderLink:
    """A FileLink on a folder; the work on the disk is done in threads, one thing at a time."""

    def __init__(self, path: Path, rules: FolderRules, now: Callable[[], Instant]) -> None:
        self._where = f"folder:{path}"
        self._poll_s = rules.poll_s
        self._now = now
        self._folder = DropFolder(path, rules, now)
        self._turn = threading.Lock()  # a thread goes on when nobody waits for it any more

    @staticmethod
    async def open(path: Path, rules: FolderRules, now: Callable[[], Instant]) -> "FolderLink":
        """Open the folder, or raise LinkNotFound or LinkRefused."""
        link = FolderLink(path, rules, now)
        try:
            await link._do(link._folder.open)
        except BaseException:
            await link.close()
            raise
        return link

    async def close(self) -> None:
        """Let go of the folder; what was claimed waits for the next link. May be repeated."""
        await asyncio.shield(self._do(self._folder.close))

    def __aiter__(self) -> AsyncIterator[DroppedFile | FileSetAside]:
        """Iterate over what is dropped."""
        return self

    async def __anext__(self) -> DroppedFile | FileSetAside:
        """Return the next file, or what to say of one that was set aside unread."""
        while not self._folder.refused:
            file = await self._work(self._folder.next)
            if file is not None:
                return file
            if not self._folder.refused:
                await asyncio.sleep(self._poll_s)
        return FileSetAside(self._folder.refused.popleft(), self._now())

    async def done(self, file: DroppedFile) -> None:
        """Remove a file: what it holds is durable elsewhere."""
        await self._work(lambda: self._folder.done(file.claim))

    async def set_aside(self, file: DroppedFile, reason: str) -> None:
        """Move a file into the quarantine, the reason beside it."""
        await self._work(lambda: self._folder.set_aside(file.claim, reason, file.data))

    async def _work(self, work: Callable[[], T]) -> T:
        def if_open() -> T:
            if not self._folder.is_open:
                raise LinkLost(f"{self._where}: closed")
            return work()

        try:
            return await self._do(if_open)
        except OSError as error:
            raise LinkLost(f"{self._where}: {error.strerror or error}") from error

    async def _do(self, work: Callable[[], T]) -> T:
        def alone() -> T:
            with self._turn:
                return work()

        return await asyncio.to_thread(alone)
