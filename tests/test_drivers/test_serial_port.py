import asyncio
import os
import sys
import termios
import tty
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.contract import SerialLine, Write
from drivers.errors import (
    LinkLost,
    LinkNotFound,
    LinkRefused,
    SettingsError,
    WriteNotPermitted,
)
from drivers.model import Instant
from drivers.transports import serial_port
from drivers.transports.address import open_link
from drivers.transports.serial_port import MAX_UNREAD_BYTES, SerialPort

AT = Instant(1, 2, trusted=False)
LINE = SerialLine(baud=9600)
ALL = frozenset(Write)


class Cable:
    """The instrument's end of a pty."""

    def __init__(self):
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self.slave = slave

    def say(self, data):
        os.write(self.master, data)

    def heard(self, size):
        data = b""
        while len(data) < size:
            data += os.read(self.master, size - len(data))
        return data

    def pull(self):
        if self.master >= 0:
            os.close(self.master)
            os.close(self.slave)
            self.master = -1


@pytest.fixture
def cable():
    cable = Cable()
    yield cable
    cable.pull()


@pytest.fixture
async def port(cable):
    port = SerialPort(cable.path, LINE, lambda: AT, ALL)
    yield port
    port.close()


async def received(port, size):
    data = b""
    while len(data) < size:
        data += (await anext(port)).data
    return data


async def test_every_byte_value_arrives_as_it_was_said(cable, port):
    every = bytes(range(256))
    cable.say(every)
    assert await received(port, 256) == every


async def test_every_byte_value_is_written_as_given(cable, port):
    every = bytes(range(256))
    await port.write(Write.IDENTIFY, every)
    assert cable.heard(256) == every


async def test_a_chunk_carries_the_time_of_the_clock_it_was_given(cable, port):
    cable.say(b"\x01")
    assert (await anext(port)).at == AT


async def test_what_was_said_before_the_port_was_opened_is_not_heard(cable):
    cable.say(b"old")
    async with open_link(f"serial:{cable.path}", LINE, lambda: AT) as link:
        cable.say(b"new")
        assert await received(link, 3) == b"new"


async def test_a_cable_pulled_out_is_a_lost_link_after_what_had_arrived(cable, port):
    cable.say(b"\x01\x02")
    await asyncio.sleep(0)
    first = await received(port, 2)
    cable.pull()
    with pytest.raises(LinkLost):
        await anext(port)
    assert first == b"\x01\x02"


async def test_a_reader_who_waits_hears_of_the_loss(cable, port):
    reading = asyncio.ensure_future(anext(port))
    await asyncio.sleep(0)
    cable.pull()
    with pytest.raises(LinkLost, match=cable.path):
        await reading


async def test_a_write_to_a_port_that_has_gone_is_a_lost_link(cable, port):
    cable.pull()
    with pytest.raises(LinkLost):
        await port.write(Write.IDENTIFY, b"\x01")


async def test_a_writer_who_waits_for_room_is_let_go_when_the_port_is_closed(port):
    writing = asyncio.ensure_future(port.write(Write.IDENTIFY, bytes(1_000_000)))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not writing.done()
    port.close()
    with pytest.raises(LinkLost, match="closed"):
        await writing


async def test_a_write_longer_than_the_port_takes_at_once_is_written_whole(cable, port):
    data = bytes(range(256)) * 400
    writing = asyncio.ensure_future(port.write(Write.IDENTIFY, data))
    heard = await asyncio.to_thread(cable.heard, len(data))
    await writing
    assert heard == data


async def test_two_writers_do_not_mix(cable, port):
    both = asyncio.gather(
        port.write(Write.IDENTIFY, b"a" * 50_000), port.write(Write.IDENTIFY, b"b" * 50_000)
    )
    heard = await asyncio.to_thread(cable.heard, 100_000)
    await both
    assert heard == b"a" * 50_000 + b"b" * 50_000


async def test_what_is_not_granted_is_not_written(cable):
    granted = frozenset({Write.IDENTIFY})
    async with open_link(f"serial:{cable.path}", LINE, lambda: AT, granted) as link:
        with pytest.raises(WriteNotPermitted, match="set-clock"):
            await link.write(Write.SET_CLOCK, b"\x01")
        await link.write(Write.IDENTIFY, b"\x02")
        assert cable.heard(1) == b"\x02"


async def test_a_reader_who_does_not_read_costs_a_bounded_amount_of_memory(cable, port):
    os.set_blocking(cable.master, False)
    for _ in range(400):
        with suppress(BlockingIOError):
            cable.say(bytes(4096))
        await asyncio.sleep(0)
    assert port._unread < MAX_UNREAD_BYTES + serial_port.READ_BYTES
    arrived = port._unread
    assert len(await received(port, arrived + 1)) > arrived


async def test_the_port_has_no_software_flow_control_and_the_line_it_was_given(cable):
    line = SerialLine(baud=19200, stop=2)  # a pty forgets parity and length
    async with open_link(f"serial:{cable.path}", line, lambda: AT):
        iflag, _, cflag, _, speed, *_ = termios.tcgetattr(cable.slave)
    assert iflag & (termios.IXON | termios.IXOFF) == 0
    assert speed == termios.B19200
    assert cflag & termios.CSTOPB


async def test_a_second_opening_is_refused_and_says_who_holds_the_port(cable, port):
    assert port
    with pytest.raises(LinkRefused, match="in use by this program, for another instrument"):
        SerialPort(cable.path, LINE, lambda: AT)


async def test_another_program_that_holds_the_port_is_named(cable):
    program = (
        f"import fcntl; port = open({cable.path!r}, 'rb+', buffering=0); "
        "fcntl.flock(port, fcntl.LOCK_EX); print(flush=True); input()"
    )
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    await holder.stdout.readline()
    with pytest.raises(LinkRefused, match=rf"in use by python\S* \(process {holder.pid}\)"):
        SerialPort(cable.path, LINE, lambda: AT)
    await holder.communicate(b"\n")


async def test_the_port_is_free_again_when_it_is_closed(cable, port):
    port.close()
    port.close()
    async with open_link(f"serial:{cable.path}", LINE, lambda: AT) as link:
        cable.say(b"\x01")
        assert (await anext(link)).data == b"\x01"


async def test_a_port_that_is_not_there_is_said_so():
    with pytest.raises(LinkNotFound, match="/dev/ttyNowhere: not there"):
        SerialPort("/dev/ttyNowhere", LINE, lambda: AT)


@pytest.mark.parametrize("what", ["file", "folder", "/dev/null"])
async def test_what_is_no_serial_port_is_refused(tmp_path, what):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(LinkRefused, match="not a serial port"):
        SerialPort(str(tmp_path / what), LINE, lambda: AT)


async def test_a_speed_no_port_has_is_refused(cable):
    with pytest.raises(LinkRefused, match="baud"):
        SerialPort(cable.path, SerialLine(baud=-1), lambda: AT)


def test_a_port_without_permission_names_the_group_to_join(tmp_path):
    path = tmp_path / "port"
    path.touch()
    group = path.group()
    said = str(serial_port._explained(str(path), PermissionError(13, "Permission denied")))
    assert "no permission" in said
    assert ("udev rule" if group == "root" else f"usermod -aG {group}") in said


@pytest.mark.parametrize("address", ["/dev/ttyUSB0", "serial:", "serial:ttyUSB0", "usb:/dev/x", ""])
async def test_an_address_that_is_wrong_says_how_to_write_it(address):
    with pytest.raises(SettingsError, match="write serial: and the path of the port"):
        async with open_link(address, LINE, lambda: AT):
            pass


async def test_a_link_to_a_port_is_a_port(cable, tmp_path):
    alias = tmp_path / "oximeter"
    alias.symlink_to(Path(cable.path))
    async with open_link(f"serial:{alias}", LINE, lambda: AT) as link:
        cable.say(b"\x01")
        assert (await anext(link)).data == b"\x01"
