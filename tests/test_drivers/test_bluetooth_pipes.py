"""Instruments that carry a byte stream over Bluetooth LE, and what three of them say."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from drivers.contract import Peer, Pipe, Write
from drivers.errors import DeviceMismatch, LinkLost, RequestRefused
from drivers.instruments import masimo_mightysat as mightysat
from drivers.instruments import viatom_o2, viatom_pc60fw
from drivers.model import Instant, Measurement, Status
from drivers.protocols import masimo_mightysat as mightysat_wire
from drivers.protocols import viatom_o2 as o2_wire
from drivers.protocols import viatom_pc60fw as pc60fw_wire
from drivers.protocols.crc import crc8, crc8_maxim
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.gatt_pipe import PIECE, piped
from drivers.transports.memory_gatt import MemoryGattLink, Sent
from drivers.transports.recorded_time import RecordedTime

NAN = Status.NOT_A_NUMBER
PIPE = Pipe("fff1", "fff2")
NOW = Instant(0, 0, trusted=True)


def said_by(readings):
    return [each.status if each.value is None else each.value for each in readings]


class FarEnd:
    """A peripheral with a pipe that sends what it is given, and a characteristic besides."""

    peer = Peer("C0:00:00:00:00:01")
    has_hung_up = False

    def __init__(self, *sends, has=("fff1",), takes=("fff2",)):
        self.sends = [Sent(channel, bytes.fromhex(data)) for channel, data in sends]
        self.has, self.takes = has, takes
        self.heard = []

    def connect(self):
        pass

    def due(self, _elapsed_s):
        out, self.sends = self.sends, []
        return out

    def confirm(self, sent):
        pass

    def read(self, channel):
        raise RequestRefused(channel, 0x0A)

    def write(self, channel, data):
        if channel not in self.takes:
            raise RequestRefused(channel, 0x03)
        self.heard.append((channel, data))

    def subscribe(self, channel):
        if channel not in self.has:
            raise RequestRefused(channel, 0x0A)


@asynccontextmanager
async def connected(far_end, granted=frozenset(Write)):
    yield MemoryGattLink(far_end, lambda: NOW, granted)


async def test_a_pipe_gives_what_its_characteristic_sends_and_nothing_else():
    far_end = FarEnd(("fff1", "01 02"), ("2a19", "54"), ("fff1", "03"))
    async with piped(connected(far_end), PIPE) as pipe:
        pipe._link.lose()
        chunks = aiter(pipe)
        assert [(await anext(chunks)).data for _ in range(2)] == [b"\x01\x02", b"\x03"]
        with pytest.raises(LinkLost):
            await anext(chunks)


async def test_a_command_goes_in_pieces_that_fit_into_any_packet():
    far_end = FarEnd()
    async with piped(connected(far_end), PIPE) as pipe:
        await pipe.write(Write.FETCH, bytes(range(45)))
    assert [len(data) for _, data in far_end.heard] == [PIECE, PIECE, 5]
    assert b"".join(data for _, data in far_end.heard) == bytes(range(45))


async def test_an_instrument_without_the_pipe_is_another_than_the_settings_say():
    with pytest.raises(DeviceMismatch, match="does not send fff1"):
        async with piped(connected(FarEnd(has=())), PIPE):
            pass


async def test_an_instrument_that_takes_no_command_is_lost():
    async with piped(connected(FarEnd(takes=())), PIPE) as pipe:
        with pytest.raises(LinkLost, match="takes no commands"):
            await pipe.write(Write.FETCH, b"\x01")


def test_the_published_frames_have_their_sums():
    assert o2_wire.command(o2_wire.READ_SENSORS) == bytes.fromhex("aa 17 e8 00 00 00 00 1b")
    assert mightysat_wire.Decoder().feed(bytes.fromhex("77 02 01 07"))[0].command == 1
    assert mightysat_wire.Decoder().feed(mightysat_wire.SEND)[0].command == 3
    assert (crc8(b"123456789"), crc8_maxim(b"123456789")) == (0xF4, 0xA1)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("61 48 00 00 00 00 00 54 00 00 2a 01 00", [97.0, 72.0, 4.2]),
        ("61 7f 00 00 00 00 00 54 00 00 2a 01 00", [97.0, 127.0, 4.2]),
        ("00 00 00 00 00 00 00 54 00 00 00 00 00", [Status.SENSOR_OFF] * 3),
        ("ff ff 00 00 00 00 00 54 00 00 2a 01 00", [NAN] * 3),
        (
            "7f 48 00 00 00 00 00 54 00 00 2a 01 00",
            [NAN, 72.0, NAN],
        ),
        ("00 00 00 00 00 00 00 54 00 00 00 01 00", [Status.NO_VALUE] * 3),
    ],
)
def test_what_a_viatom_ring_says(data, said):
    told = viatom_o2.readings(o2_wire.Answer(0, bytes.fromhex(data)))
    assert said_by(told) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("61 48 00 2a 00 00", [97.0, 72.0, 4.2]),
        ("61 2c 01 2a 00 00", [97.0, 300.0, 4.2]),
        ("7f ff 00 2a 00 00", [NAN] * 3),
        ("00 00 00 00 00 00", [Status.NO_VALUE] * 3),
        ("65 48 00 2a 00 00", [Status.IMPLAUSIBLE, 72.0, Status.IMPLAUSIBLE]),
    ],
)
def test_what_a_pc60fw_says(content, said):
    packet = pc60fw_wire.Packet(0x0F, 1, bytes.fromhex(content))
    assert [
        r.status if r.value is None else r.value for r in viatom_pc60fw.readings(packet)
    ] == said


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({7: 97, 9: 72, 14: 420}, [97.0, 72.0, 4.2]),
        ({}, [Status.NO_VALUE] * 3),
        ({7: 0xFF, 9: 0xFF, 14: 0xFFFF}, [NAN] * 3),
        ({7: 0x7F, 9: 127, 14: 420}, [NAN, 127.0, 4.2]),
    ],
)
def test_what_a_mightysat_says(numbers, said):
    frame = bytearray(19)
    for at, number in numbers.items():
        frame[at : at + 2] = number.to_bytes(2)
    told = mightysat.readings(mightysat_wire.Frame(5, bytes(frame[3:-1])))
    assert said_by(told) == said


@pytest.mark.parametrize("name", ["bci-5byte", "masimo-mightysat", "taidoc", "viatom-o2"])
def test_what_is_reached_through_a_pipe_is_read_as_on_a_cable(name):
    entry = REGISTRY[name]
    assert entry.pipe is not None
    assert not entry.is_gatt
    clock = RecordedTime()
    virtual = entry.simulator()(1)

    class Carried(FarEnd):
        def due(self, elapsed_s):
            data = virtual.due(elapsed_s)
            cut = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
            self.sends += [Sent(entry.pipe.notifies, piece) for piece in cut]
            return super().due(elapsed_s)

        def write(self, _channel, data):
            answer = virtual.hear(data)
            self.sends += [Sent(entry.pipe.notifies, answer)] if answer else []

    @asynccontextmanager
    async def connection():
        far_end = Carried(has=(entry.pipe.notifies,))
        yield MemoryGattLink(far_end, clock.now, entry.writes)

    async def session():
        async with piped(connection(), entry.pipe) as pipe:
            driver = entry.factory()(BenchHost(clock, entry.writes), entry.options({}))
            running = asyncio.ensure_future(items_until_lost(driver, pipe))
            for _ in range(200):
                await clock.sleep(0.1)
                pipe._link.carry()
            pipe._link.lose()
            return await running

    values = [item for item in clock.run(session()) if isinstance(item, Measurement)]
    assert any(item.has_value for item in values)
