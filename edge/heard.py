"""Links that tell when something comes in, so that how an instrument is can be judged by that."""

from collections.abc import AsyncIterator, Callable

from drivers.contract import (
    Arrived,
    ByteLink,
    DroppedFile,
    FileLink,
    FileSetAside,
    GattLink,
    Peer,
    Write,
)
from drivers.model import Chunk


class Heard:
    """A link that tells when something comes in."""

    def __init__(self, link: ByteLink, heard: Callable[[Chunk], None]) -> None:
        self._link = link
        self._heard = heard

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what arrives."""
        async for chunk in self._link:
            self._heard(chunk)
            yield chunk

    async def write(self, purpose: Write, data: bytes) -> None:
        """Write through."""
        await self._link.write(purpose, data)


class HeardFiles:
    """The same for a folder of files."""

    def __init__(self, link: FileLink, heard: Callable[[Chunk], None]) -> None:
        self._link = link
        self._heard = heard

    async def __aiter__(self) -> AsyncIterator[DroppedFile | FileSetAside]:
        """Iterate over whole files."""
        async for file in self._link:
            if isinstance(file, DroppedFile):
                self._heard(Chunk(file.data, file.at, "file"))
            yield file

    async def done(self, file: DroppedFile) -> None:
        """Pass on that a file is done with."""
        await self._link.done(file)

    async def set_aside(self, file: DroppedFile, reason: str) -> None:
        """Pass on that a file is refused."""
        await self._link.set_aside(file, reason)


class HeardGatt:
    """The same for a Bluetooth connection."""

    def __init__(self, link: GattLink, heard: Callable[[Chunk], None]) -> None:
        self._link = link
        self._heard = heard

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._link.peer

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what arrives."""
        async for chunk in self._link:
            self._heard(chunk)
            yield chunk

    async def subscribe(self, channel: str, arrived: Arrived | None = None) -> None:
        """Subscribe through."""
        await self._link.subscribe(channel, arrived)

    async def read(self, channel: str) -> Chunk:
        """Read through, and tell."""
        chunk = await self._link.read(channel)
        self._heard(chunk)
        return chunk

    async def write(self, purpose: Write, channel: str, data: bytes) -> None:
        """Write through."""
        await self._link.write(purpose, channel, data)
