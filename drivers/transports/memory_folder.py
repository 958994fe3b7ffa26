"""A drop folder inside the process, as `folder.py` is one on a disk."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from drivers.contract import DroppedFile
from drivers.errors import LinkLost
from drivers.model import Instant


class MemoryFolder:
    """The host's end, a FileLink, with the instrument's end on it: `drop`, `lose`.

    `finished` are the files that were done with, `aside` those that were not, with the reason.
    """

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._files: deque[DroppedFile] = deque()
        self._news = asyncio.Event()
        self._lost = False
        self._count = 0
        self.finished: list[bytes] = []
        self.aside: list[tuple[bytes, str]] = []

    def drop(self, data: bytes) -> None:
        """Leave a file."""
        self._count += 1
        self._files.append(DroppedFile(data, self._now(), str(self._count)))
        self._news.set()

    def lose(self) -> None:
        """Take the folder away; what was dropped is still found."""
        self._lost = True
        self._news.set()

    def __aiter__(self) -> AsyncIterator[DroppedFile]:
        """Iterate over what is dropped."""
        return self

    async def __anext__(self) -> DroppedFile:
        """Return the next file."""
        while not self._files:
            if self._lost:
                raise LinkLost("the folder is gone")
            self._news.clear()
            await self._news.wait()
        return self._files.popleft()

    async def done(self, file: DroppedFile) -> None:
        """Note that a file was done with."""
        self.finished.append(file.data)

    async def set_aside(self, file: DroppedFile, reason: str) -> None:
        """Note that a file was set aside."""
        self.aside.append((file.data, reason))
