"""A port behind a serial server that sets its line: against another's server half, and by bytes.

The server is that of pyserial on a pty, so the two halves of the conversation are two programs.
"""

import asyncio
import os
import socket
import threading
import tty
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
import serial
import serial.rfc2217
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import SerialLine, Write
from drivers.errors import LinkLost, LinkNotFound, LinkRefused, WriteNotPermitted
from drivers.model import Instant
from drivers.transports.address import open_link
from drivers.transports.com_port import MAX_SUBNEGOTIATION, ComPort
from drivers.transports.damage import resliced

AT = Instant(1, 2, trusted=False)
LINE = SerialLine(19200)
EVERY = bytes(range(256)) + b"\xff\xff\xfa\xff"
DO_COM_PORT = b"\xff\xfd\x2c"


def now():
    return AT


class PtySerial(serial.Serial):
    """A pty has no modem lines."""

    cts = dsr = cd = True
    ri = False

    def _update_dtr_state(self):
        pass

    def _update_rts_state(self):
        pass


class Server:
    """pyserial's server half between a socket and a pty, for one connection at a time."""

    def __init__(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.port = PtySerial(os.ttyname(self.slave), timeout=0.01)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"rfc2217://127.0.0.1:{self.listening.getsockname()[1]}"
        self.connection = None
        self.served = threading.Thread(target=self._serve)
        self.served.start()

    def write(self, data):
        """What the server half wants to say to the hub."""
        with suppress(OSError):
            self.connection.sendall(data)

    def hang_up(self):
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.served.join()
        self.port.close()
        os.close(self.master)
        os.close(self.slave)

    def _serve(self):
        while True:
            try:
                self.connection, _ = self.listening.accept()
            except OSError:
                return
            with self.connection:
                self._converse(serial.rfc2217.PortManager(self.port, self))

    def _converse(self, manager):
        self.connection.settimeout(0.005)
        while True:
            try:
                data = self.connection.recv(1024)
            except TimeoutError:
                data = None
            except OSError:
                return
            if data == b"":
                return
            if data:
                self.port.write(b"".join(manager.filter(data)))
            if said := self.port.read(self.port.in_waiting):
                self.write(b"".join(manager.escape(said)))


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


async def received(link, size):
    data = b""
    while len(data) < size:
        data += (await anext(aiter(link))).data
    return data


async def test_the_server_sets_the_line_before_anything_is_heard(server):
    async with open_link(server.address, LINE, now):
        assert (server.port.baudrate, server.port.bytesize) == (19200, 8)
        assert (server.port.parity, server.port.stopbits) == ("N", 1)
        assert (server.port.xonxoff, server.port.rtscts) == (False, False)
    async with open_link(server.address, SerialLine(2400, stop=2), now):
        assert (server.port.baudrate, server.port.stopbits) == (2400, 2)


async def test_every_byte_value_arrives_as_the_instrument_said_it(server):
    async with open_link(server.address, LINE, now) as link:
        os.write(server.master, EVERY)
        assert await received(link, len(EVERY)) == EVERY


async def test_every_byte_value_reaches_the_instrument_if_that_is_granted(server):
    granted = frozenset({Write.IDENTIFY})
    async with open_link(server.address, LINE, now, granted) as link:
        with pytest.raises(WriteNotPermitted):
            await link.write(Write.SET_CLOCK, b"\x00")
        await link.write(Write.IDENTIFY, EVERY)
        heard = b""
        while len(heard) < len(EVERY):
            heard += await asyncio.to_thread(os.read, server.master, 1000)
    assert heard == EVERY


async def test_a_server_that_hangs_up_is_a_lost_link_and_can_be_reached_again(server):
    async with open_link(server.address, LINE, now) as link:
        server.hang_up()
        with pytest.raises(LinkLost, match="hung up"):
            await received(link, 1)
    async with open_link(server.address, LINE, now) as link:
        os.write(server.master, b"again")
        assert await received(link, 5) == b"again"


async def test_a_server_that_is_off_is_not_found(server):
    address = server.address
    server.listening.shutdown(socket.SHUT_RDWR)
    server.listening.close()
    with pytest.raises(LinkNotFound, match="is the serial server on"):
        async with open_link(address, LINE, now):
            pytest.fail("nobody was there")
    server.listening = socket.create_server(("127.0.0.1", 0))


@asynccontextmanager
async def answering(*answers):
    """A server that answers what comes with these bytes, one after the other; its address."""
    left = list(answers)

    async def serve(reader, writer):
        with suppress(OSError):
            while await reader.read(4096):
                if left:
                    writer.write(left.pop(0))
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"rfc2217://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


@contextmanager
def refused(match):
    with pytest.raises(LinkRefused, match=match):
        yield


async def test_a_server_that_only_speaks_raw_tcp_is_refused_with_what_to_do():
    async with answering(b"\xff\xfe\x2c") as address:
        with refused("use socket://"):
            async with open_link(address, LINE, now):
                pytest.fail("not agreed")


async def test_a_server_that_sets_another_baud_is_refused_with_what_it_set():
    confirmed = b"\xff\xfa\x2c\x65\x00\x00\x25\x80\xff\xf0"
    async with answering(DO_COM_PORT, confirmed) as address:
        with refused("asked for baud 19200 and set 9600"):
            async with open_link(address, LINE, now):
                pytest.fail("not agreed")


async def test_a_server_that_confirms_nothing_is_refused_in_time(monkeypatch):
    monkeypatch.setattr("drivers.transports.rfc2217_port.AGREED_S", 0.05)
    async with answering(b"READY\r\n") as address:
        with refused("is it set to RFC 2217"):
            async with open_link(address, LINE, now):
                pytest.fail("not agreed")


# ---- the words themselves


def told(code, *value):
    return bytes((0xFF, 0xFA, 0x2C, code, *value, 0xFF, 0xF0))


AGREED = DO_COM_PORT + told(0x65, 0, 0, 0x4B, 0) + told(0x66, 8) + told(0x67, 1) + told(0x68, 1)


def agreed():
    port = ComPort(LINE)
    port.hear(AGREED)
    assert port.is_ready
    return port


def test_the_line_is_asked_for_in_the_bytes_of_the_document():
    said = ComPort(SerialLine(9600, 7, "E", 2)).hear(DO_COM_PORT).answer
    assert told(1, 0, 0, 0x25, 0x80) in said
    assert told(2, 7) + told(3, 3) + told(4, 2) in said
    assert told(5, 1) in said  # no flow control


def test_what_came_before_the_line_was_set_is_nobodys():
    port = ComPort(LINE)
    assert port.hear(b"garbage" + AGREED + b"data").data == b"data"


def test_line_errors_are_counted_by_what_they_are():
    port = agreed()
    assert port.hear(told(0x6A, 0x08) + b"a" + told(0x6A, 0x0C)).data == b"a"
    assert port.errors == {"framing": 2, "parity": 1}


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"\xff\xfd\x18", b"\xff\xfc\x18"),
        (b"\xff\xfb\x01", b"\xff\xfe\x01"),
        (b"\xff\xfe\x18", b""),
    ],
)
def test_an_option_we_did_not_ask_for_is_refused(said, answer):
    assert agreed().hear(said).answer == answer


def test_the_line_is_set_once_however_often_the_server_agrees():
    port = ComPort(LINE)
    assert port.hear(DO_COM_PORT).answer
    assert port.hear(DO_COM_PORT * 3).answer == b""


@given(st.binary(max_size=400), st.integers(0, 2**32))
def test_any_bytes_are_understood_the_same_however_they_are_cut(data, seed):
    whole, cut = agreed(), agreed()
    at_once = whole.hear(data)
    pieces = [cut.hear(piece) for piece in resliced(data, seed)]
    assert b"".join(piece.data for piece in pieces) == at_once.data
    assert b"".join(piece.answer for piece in pieces) == at_once.answer
    assert (cut.errors, cut.refusal) == (whole.errors, whole.refusal)


@given(st.binary(max_size=400))
def test_data_goes_through_both_ways_unchanged(data):
    assert agreed().hear(ComPort.sent(data)).data == data


def test_a_subnegotiation_without_an_end_holds_back_a_bounded_number_of_bytes():
    port = agreed()
    port.hear(b"\xff\xfa" + bytes(10_000))
    assert len(port._pending) <= MAX_SUBNEGOTIATION
