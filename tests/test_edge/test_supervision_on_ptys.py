"""An instrument on a real pseudo-terminal: pulled, plugged in again elsewhere, stalled, held.

Time passes with the turns of the event loop, so that seconds of silence are soon over and a busy
machine sees the same; what is waited for is a state, never a time.
"""

import asyncio
import fcntl
import os
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from drivers.registry import REGISTRY
from drivers.transports.address import open_link
from drivers.transports.loop_time import LoopTime
from drivers.virtual.pty_port import PtyPort
from edge.acceptance import Hub
from edge.chronicle import Chronicle
from edge.events import LinkClosed, LinkOpened, Policy
from edge.health import LinkState
from edge.observation import Space
from edge.plan import Plan
from edge.station import Station, Ways
from edge.store import Store

DRIVER = "nonin-ascii"
ENTRY = REGISTRY[DRIVER]


async def eventually(true):
    while not true():  # noqa: ASYNC110 - what is waited for is how something looks from outside
        await asyncio.sleep(0.001)


class Time(LoopTime):
    era = "this boot"


class Hushable:
    """A virtual instrument that can be told to say nothing, though its cable sits."""

    def __init__(self):
        self.virtual = ENTRY.simulator()(1)
        self.hushed = False

    def due(self, elapsed_s):
        said = self.virtual.due(elapsed_s)
        return b"" if self.hushed else said

    def hear(self, data):
        return self.virtual.hear(data)


class Bench:
    def __init__(self, station, clock, path, group):
        self.station, self.clock, self.path, self.group = station, clock, path, group
        self.port = None

    def plug(self):
        self.instrument = Hushable()
        self.port = PtyPort(self.instrument, ENTRY.line, link=self.path)
        self.speaking = self.group.create_task(self.port.run(self.clock))

    async def pull(self):
        self.speaking.cancel()
        with suppress(asyncio.CancelledError):
            await self.speaking
        self.port.close()

    @property
    def seen(self):
        return self.station.supervisors["oximeter"].health.seen_at(self.clock.now())

    @property
    def counts(self):
        return self.station.supervisors["oximeter"].health.counts

    @property
    def rhythm(self):
        session = self.station.supervisors["oximeter"].health.session
        return session.in_rhythm if session else 0

    async def until(self, state, reason=""):
        await eventually(lambda: self.seen.state is state and reason in self.seen.reason)
        return self.seen.reason


@pytest.fixture
async def bench(tmp_path):
    async with running(tmp_path) as bench:
        yield bench
        if bench.port is not None:
            await bench.pull()


@asynccontextmanager
async def running(folder, link=None):
    path = folder / "oximeter"
    async with (
        Time() as clock,
        await Store.open(folder / "hub.db", clock=clock, inline=True) as store,
    ):
        ways = Ways(Hub("north", "room-3", "tests", Space.PRODUCTION), "run-1", Policy(), 0.0)
        station = Station(
            ways,
            clock=clock,
            store=store,
            chronicle=await Chronicle.resumed(store),
            analysis=None,
            fits=lambda _: None,
        )
        await station.begin()
        where = partial(open_link, link or f"serial:{path}", ENTRY.line)
        plan = Plan("oximeter", DRIVER, ENTRY, ENTRY.options({}), where)
        async with asyncio.TaskGroup() as group:
            supervising = group.create_task(station.add(plan).run())
            yield Bench(station, clock, path, group)
            supervising.cancel()


async def test_a_cable_that_is_pulled_and_plugged_in_elsewhere_is_followed(bench):
    assert "plugged in" in await bench.until(LinkState.ABSENT, "not there")
    bench.plug()
    first = bench.path.resolve()
    await bench.until(LinkState.STREAMING)
    keeper = os.openpty()  # so that the next port has another number
    await bench.pull()
    await bench.until(LinkState.ABSENT)
    spare = os.openpty()
    bench.plug()
    assert bench.path.resolve() != first
    await bench.until(LinkState.STREAMING)
    events = [r.event async for r in bench.station.store.recorded()]
    links = [type(event) for event in events if isinstance(event, LinkOpened | LinkClosed)]
    assert links == [LinkOpened, LinkClosed, LinkOpened]
    assert bench.counts["sessions"] == 2
    for fd in (*keeper, *spare):
        os.close(fd)


async def test_a_stream_that_stalls_is_noticed_though_the_port_stays_open(bench):
    bench.plug()
    await eventually(lambda: bench.rhythm >= 3)
    bench.instrument.hushed = True
    assert "the stream stopped" in await bench.until(LinkState.SILENT)
    bench.instrument.hushed = False
    await bench.until(LinkState.STREAMING)
    view = await bench.station.view()
    assert view.instruments[0].counters["sessions"] == 1
    assert view.instruments[0].counters["frames"] > 0


async def test_a_lock_on_the_port_is_a_refusal_that_names_the_holder(bench):
    instrument = Hushable()
    with PtyPort(instrument, ENTRY.line, link=bench.path) as port:
        held = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(held, fcntl.LOCK_EX)
        reason = await bench.until(LinkState.REFUSED, "in use by")
        assert "this program" in reason
        os.close(held)
        speaking = asyncio.ensure_future(port.run(bench.clock))
        await bench.until(LinkState.STREAMING)
        speaking.cancel()


def told(code, *value):
    return bytes((0xFF, 0xFA, 0x2C, code, *value, 0xFF, 0xF0))


# What an RFC 2217 server says once it has set 9600 8N1.
AGREED = b"\xff\xfd\x2c" + told(0x65, 0, 0, 0x25, 0x80) + told(0x66, 8) + told(0x67, 1)
AGREED += told(0x68, 1)


class SerialServer:
    """A serial server with an oximeter behind it, which can be switched off and on again."""

    def __init__(self, scheme):
        self.scheme, self.port = scheme, 0
        self.writers = []

    async def switch_on(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def switch_off(self):
        self.server.close()
        self.hang_up()

    def hang_up(self):
        self.writers[-1].transport.abort()

    async def _serve(self, _reader, writer):
        self.writers.append(writer)
        if self.scheme == "rfc2217":
            writer.write(AGREED)
        while not writer.is_closing():
            writer.write(b"SPO2=097 HR=072\r\n")
            with suppress(ConnectionError):
                await writer.drain()
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
async def test_a_serial_server_that_hangs_up_is_reached_again(tmp_path, scheme):
    server = SerialServer(scheme)
    async with running(tmp_path, await server.switch_on()) as bench:
        await bench.until(LinkState.STREAMING)
        server.hang_up()
        await eventually(lambda: bench.counts["sessions"] == 2)
        await bench.until(LinkState.STREAMING)
    await server.switch_off()
    assert len(server.writers) == 2


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
async def test_a_serial_server_that_goes_away_is_said_to_be_off_until_it_comes_back(
    tmp_path, scheme
):
    server = SerialServer(scheme)
    async with running(tmp_path, await server.switch_on()) as bench:
        await bench.until(LinkState.STREAMING)
        await server.switch_off()
        await bench.until(LinkState.ABSENT, "is the serial server on")
        await server.switch_on()
        await bench.until(LinkState.STREAMING)
        assert bench.counts["sessions"] == 2
    await server.switch_off()
