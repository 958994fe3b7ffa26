import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from drivers.contract import SerialLine, Write
from drivers.errors import LinkLost, LinkNotFound, SettingsError, WriteNotPermitted
from drivers.model import Chunk, Instant
from drivers.transports.address import open_link, scheme_of

AT = Instant(1, 2, trusted=False)
LINE = SerialLine(baud=9600)


def now():
    return AT


@asynccontextmanager
async def serial_server(talk):
    """A serial server on loopback that has each connection talked to; its address."""
    lines = set()

    async def serve(reader, writer):
        lines.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


async def collect(link, chunks):
    async for chunk in link:
        chunks += [chunk]


async def test_what_the_server_sends_arrives_with_the_hubs_time_until_it_hangs_up():
    async def talk(_reader, writer):
        writer.write(b"hello")

    async with serial_server(talk) as address, open_link(address, LINE, now) as link:
        chunks = []
        with pytest.raises(LinkLost, match="hung up"):
            await collect(link, chunks)
    assert b"".join(chunk.data for chunk in chunks) == b"hello"
    assert {chunk.at for chunk in chunks} == {AT}


async def test_a_granted_write_reaches_the_instrument_and_its_answer_comes_back():
    async def talk(reader, writer):
        writer.write((await reader.readexactly(3)).upper())

    granted = frozenset({Write.IDENTIFY})
    async with serial_server(talk) as address, open_link(address, LINE, now, granted) as link:
        await link.write(Write.IDENTIFY, b"who")
        assert await anext(aiter(link)) == Chunk(b"WHO", AT)


async def test_nothing_is_written_without_a_grant():
    async def talk(reader, writer):
        writer.write(await reader.read() or b"nothing")

    async with serial_server(talk) as address, open_link(address, LINE, now) as link:
        with pytest.raises(WriteNotPermitted):
            await link.write(Write.IDENTIFY, b"who")


async def test_nobody_at_the_address_is_said_with_what_to_look_at():
    async def talk(_reader, _writer):
        pass

    async with serial_server(talk) as address:
        pass
    with pytest.raises(LinkNotFound, match="is the serial server on"):
        async with open_link(address, LINE, now):
            pytest.fail("nobody was there")


async def test_a_connection_closed_here_takes_nothing_more():
    async def talk(reader, _writer):
        await reader.read()

    granted = frozenset({Write.IDENTIFY})
    async with serial_server(talk) as address:
        async with open_link(address, LINE, now, granted) as link:
            pass
        with pytest.raises(LinkLost):
            await link.write(Write.IDENTIFY, b"who")


@pytest.mark.parametrize(
    "address",
    [
        *("tcp:10.0.0.7:4001", "tcp:server:1", "tcp:[fd00::7]:65535"),
        *("socket://10.0.0.7:4001", "rfc2217://server:1", "rfc2217://[fd00::7]:65535"),
    ],
)
def test_a_host_and_a_port_are_an_address(address):
    assert scheme_of(address) == "tcp"


@pytest.mark.parametrize(
    "address",
    [
        "tcp:",
        "tcp:10.0.0.7",
        "tcp:10.0.0.7:0",
        "tcp:h:65536",
        "tcp:a b:1",
        "tcp::1",
        "x",
        "socket:h:1",
        "socket://h:1/x",
        "rfc2217://:1",
    ],
)
def test_anything_else_is_refused_with_how_to_write_it(address):
    with pytest.raises(SettingsError, match=r"socket://10\.0\.0\.7:4001"):
        scheme_of(address)
