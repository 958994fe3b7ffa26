"""An instrument behind a network serial server, as raw bytes over TCP: socket:// and tcp:.

Such servers add no framing and keep no secret: whoever reaches one can read and write the
instrument. Keep them on a network of their own. A connection that stands but is dead (a pulled
cable) is noticed by keep-alive probes within half a minute.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from drivers.contract import Write
from drivers.errors import LinkLost, LinkNotFound, LinkRefused, WriteNotPermitted
from drivers.model import Chunk, Instant

READ_BYTES = 4096
CONNECT_S = 10.0
KEEPALIVE = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
UNANSWERED_MS = 20_000  # what was written and not acknowledged for so long is not going to be
NOT_THERE = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT}


class TcpPort:
    """A ByteLink on an open connection; `now` stamps each chunk as it is read."""

    def __init__(
        self,
        where: str,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        now: Callable[[], Instant],
        granted: frozenset[Write],
    ) -> None:
        self._where = where
        self._reader, self._writer = streams
        self._now = now
        self._granted = granted

    @staticmethod
    async def open(
        host: str, port: int, now: Callable[[], Instant], granted: frozenset[Write] = frozenset()
    ) -> "TcpPort":
        """Connect, or raise LinkNotFound or LinkRefused."""
        where = f"tcp:{host}:{port}"
        return TcpPort(where, await reached(where, host, port), now, granted)

    async def close(self) -> None:
        """Hang up. May be repeated."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what arrives."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next chunk."""
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError as error:
            raise LinkLost(f"{self._where}: {error.strerror or error}") from error
        if not data:
            raise LinkLost(f"{self._where}: the other end hung up")
        return Chunk(data, self._now())

    async def write(self, purpose: Write, data: bytes) -> None:
        """Hand all of `data` to the connection."""
        if purpose not in self._granted:
            raise WriteNotPermitted(f"{self._where}: {purpose} is not granted")
        await self.send(data)

    async def send(self, data: bytes) -> None:
        """Hand bytes to the serial server itself, which no grant is about."""
        if self._writer.is_closing():
            raise LinkLost(f"{self._where}: closed")
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise LinkLost(f"{self._where}: {error.strerror or error}") from error


async def reached(
    where: str, host: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, or raise LinkNotFound or LinkRefused."""
    try:
        async with asyncio.timeout(CONNECT_S):
            streams = await asyncio.open_connection(host, port, limit=READ_BYTES)
    except TimeoutError as error:
        raise LinkNotFound(f"{where}: no answer within {CONNECT_S:g} s") from error
    except socket.gaierror as error:
        raise LinkNotFound(f"{where}: no such host; give its address") from error
    except OSError as error:
        told = error.strerror or str(error)
        if error.errno in NOT_THERE or error.errno is None:
            raise LinkNotFound(f"{where}: {told}; is the serial server on?") from error
        raise LinkRefused(f"{where}: {told}") from error
    _stay_alive(streams[1].get_extra_info("socket"))
    return streams


def _stay_alive(connection: socket.socket) -> None:
    """Have the kernel find out that the other end is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        connection.setsockopt(socket.IPPROTO_TCP, option, value)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
