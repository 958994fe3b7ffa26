import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import SerialLine, Write
from drivers.errors import LinkLost
from drivers.model import Instant
from drivers.transports.address import open_link
from drivers.transports.damage import Damage
from drivers.virtual.pty_port import PtyPort, on_a_thread
from drivers.virtual.wire import Wire

AT = Instant(0, 0, trusted=False)
LINE = SerialLine(baud=9600)  # 960 bytes a second
FAST = SerialLine(baud=1_000_000)


class Parrot:
    """Says a byte of its own every second and repeats what it hears, in upper case."""

    def __init__(self):
        self.said = 0

    def due(self, elapsed_s):
        seconds = int(elapsed_s)
        words = bytes(n & 0xFF for n in range(self.said, seconds))
        self.said = seconds
        return words

    def hear(self, data):
        return data.upper()


class RunningClock:
    """Every look at it is a hundredth of a second later."""

    def __init__(self):
        self.looks = 0

    def now(self):
        self.looks += 1
        return Instant(0, self.looks * 10_000_000, trusted=False)

    async def sleep(self, _seconds):
        await asyncio.sleep(0.001)


class Babbler:
    """Says a hundred thousand bytes at once."""

    def due(self, elapsed_s):
        return bytes(100_000) if elapsed_s else b""

    def hear(self, data):
        return data


@given(st.lists(st.tuples(st.integers(0, 500), st.binary(max_size=50)), max_size=20))
def test_a_wire_loses_nothing_and_is_never_faster_than_its_line(said):
    wire, now, put, took = Wire(LINE), 0.0, b"", b""
    for wait_ms, data in said:
        now += wait_ms / 1000
        took += wire.take(now)
        assert len(took) <= now * 960 + 1e-6
        wire.put(data, now)
        put += data
    took += wire.take(now + 10)
    assert took == put


def test_a_wire_that_was_silent_has_saved_up_nothing():
    wire = Wire(LINE)
    wire.put(bytes(960), 100.0)
    assert [len(wire.take(at)) for at in (100.0, 100.5, 101.0)] == [0, 480, 480]


async def test_a_driver_hears_what_the_instrument_says_and_is_heard():
    with PtyPort(Parrot(), FAST) as port:
        async with open_link(
            f"serial:{port.path}", FAST, lambda: AT, frozenset({Write.IDENTIFY})
        ) as link:
            port.step(3.0)
            port.step(3.5)
            assert (await anext(link)).data == b"\x00\x01\x02"
            await link.write(Write.IDENTIFY, b"who?")
            port.step(4.0)
            port.step(4.5)
            assert (await anext(link)).data == b"\x03WHO?"


async def test_it_runs_on_its_own_time_until_cancelled():
    with PtyPort(Parrot(), FAST) as port:
        async with open_link(
            f"serial:{port.path}", FAST, lambda: AT, frozenset({Write.IDENTIFY})
        ) as link:
            running = asyncio.ensure_future(port.run(RunningClock()))
            await link.write(Write.IDENTIFY, b"who?")
            assert (await anext(link)).data.startswith(b"W")
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running


async def test_it_runs_on_a_thread_of_its_own():
    with on_a_thread(PtyPort(Parrot(), FAST), RunningClock()) as port:
        async with open_link(
            f"serial:{port.path}", FAST, lambda: AT, frozenset({Write.IDENTIFY})
        ) as link:
            await link.write(Write.IDENTIFY, b"who?")
            assert (await anext(link)).data.startswith(b"W")


async def test_closing_it_is_a_cable_pulled_out():
    port = PtyPort(Parrot(), FAST)
    async with open_link(f"serial:{port.path}", FAST, lambda: AT) as link:
        port.close()
        port.close()
        with pytest.raises(LinkLost):
            await anext(link)


def test_what_nobody_reads_is_counted_and_never_waited_for():
    with PtyPort(Babbler(), SerialLine(baud=100_000_000)) as port:
        port.step(1.0)
        port.step(2.0)
        assert 100_000 < port.overrun < 200_000


def test_bytes_are_damaged_on_the_way_if_that_is_asked_for():
    with PtyPort(Parrot(), FAST, damage=Damage(flip=1.0), seed=3) as port:
        reader = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
        port.step(5.0)
        port.step(5.5)
        heard = os.read(reader, 100)
        os.close(reader)
    assert [(a ^ b).bit_count() for a, b in zip(range(5), heard, strict=True)] == [1] * 5


def test_a_link_is_made_to_it_and_taken_away(tmp_path):
    link = tmp_path / "oximeter"
    link.symlink_to("/dev/stale")
    with PtyPort(Parrot(), LINE, link=link) as port:
        assert port.path == str(link)
        assert link.resolve().is_char_device()
    assert not link.is_symlink()
