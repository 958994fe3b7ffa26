"""A Bluetooth LE instrument as if on a cable: two characteristics that carry a byte stream."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from drivers.contract import GattLink, Peer, Pipe, Write, channel_name
from drivers.errors import DeviceMismatch, LinkLost, RequestRefused
from drivers.model import Chunk

PIECE = 20  # bytes that fit into one packet, whatever the link was negotiated to


class GattPipe:
    """A ByteLink through a GattLink, once it has begun."""

    def __init__(self, link: GattLink, pipe: Pipe) -> None:
        self._link = link
        self._pipe = pipe

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        return self._link.peer

    async def begin(self) -> None:
        """Have the instrument send, before anything is asked; DeviceMismatch if it has no pipe."""
        try:
            await self._link.subscribe(self._pipe.notifies)
        except RequestRefused as error:
            raise DeviceMismatch(
                f"{self.peer.address} is another instrument than the settings say: it does not "
                f"send {self._pipe.notifies}"
            ) from error

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Yield what the instrument sends."""
        async for chunk in self._link:
            if channel_name(chunk.channel or "") == self._pipe.notifies:
                yield chunk

    async def write(self, purpose: Write, data: bytes) -> None:
        """Write in pieces, or raise LinkLost; WriteNotPermitted where it is not granted."""
        writes = self._pipe.writes or self._pipe.notifies
        for at in range(0, len(data), PIECE):
            try:
                await self._link.write(purpose, writes, data[at : at + PIECE])
            except RequestRefused as error:
                raise LinkLost(f"{self.peer.address} takes no commands: {error}") from error


@asynccontextmanager
async def piped(
    connection: AbstractAsyncContextManager[GattLink], pipe: Pipe
) -> AsyncIterator[GattPipe]:
    """Open a connection and the pipe through it."""
    async with connection as link:
        through = GattPipe(link, pipe)
        await through.begin()
        yield through
