"""An instrument behind a serial server that sets its line as it is told, RFC 2217.

The server is told the line settings, no flow control, DTR and RTS on, before anything is listened
to; one that sets something else is refused with what it set. Otherwise as `tcp_port`: no secrets,
keep-alive probes, and a network of its own is where it belongs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from drivers.contract import SerialLine, Write
from drivers.errors import LinkLost, LinkRefused
from drivers.model import Chunk, Instant
from drivers.transports.com_port import ComPort
from drivers.transports.tcp_port import TcpPort, reached

AGREED_S = 5.0


class Rfc2217Port:
    """A ByteLink through a server that has set the line."""

    def __init__(self, where: str, tcp: TcpPort, port: ComPort) -> None:
        self._where = where
        self._tcp = tcp
        self._port = port

    @staticmethod
    async def open(
        address: tuple[str, int],
        line: SerialLine,
        now: Callable[[], Instant],
        granted: frozenset[Write] = frozenset(),
    ) -> "Rfc2217Port":
        """Connect and have the line set, or raise LinkNotFound or LinkRefused."""
        where = f"rfc2217://{address[0]}:{address[1]}"
        tcp = TcpPort(where, await reached(where, *address), now, granted)
        link = Rfc2217Port(where, tcp, ComPort(line))
        try:
            async with asyncio.timeout(AGREED_S):
                await link._agree()
        except TimeoutError as error:
            await tcp.close()
            raise LinkRefused(
                f"{where}: the server does not confirm the line settings; is it set to RFC 2217 "
                "(not raw TCP)?"
            ) from error
        except BaseException:
            await tcp.close()
            raise
        return link

    async def close(self) -> None:
        """Hang up. May be repeated."""
        await self._tcp.close()

    def errors(self) -> dict[str, int]:
        """Return the errors of the line that the server has told of."""
        return dict(self._port.errors)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what arrives."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next chunk of the instrument's."""
        while True:
            chunk = await anext(self._tcp)
            heard = self._port.hear(chunk.data)
            await self._answer(heard.answer)
            if heard.data:
                return Chunk(heard.data, chunk.at)

    async def write(self, purpose: Write, data: bytes) -> None:
        """Hand all of `data` to the server."""
        await self._tcp.write(purpose, self._port.sent(data))

    async def _agree(self) -> None:
        await self._tcp.send(self._port.begin())
        while not self._port.is_ready:
            try:
                chunk = await anext(self._tcp)
            except LinkLost as error:
                raise LinkRefused(f"{error} while the line was being set") from error
            await self._answer(self._port.hear(chunk.data).answer)
            if self._port.refusal:
                raise LinkRefused(f"{self._where}: {self._port.refusal}")

    async def _answer(self, answer: bytes) -> None:
        if answer:
            await self._tcp.send(answer)
