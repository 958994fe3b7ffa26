"""The bench itself: bleak's unmodified BlueZ backend reaches virtual instruments, as they are."""

import asyncio

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakGATTProtocolError

from drivers.virtual.bluetooth.manners import Drop, Manners
from drivers.virtual.gatt.cuff import virtual_cuff
from drivers.virtual.gatt.oximeter import virtual_oximeter
from drivers.virtual.gatt.thermometer import virtual_thermometer

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

CUFF, THERMOMETER, OXIMETER = "1810", "1809", "1822"
PRESSURE, MODEL, BATTERY = "2a35", "2a24", "2a19"
SPOT, STREAM, RECORDS = "2a5e", "2a5f", "2a52"
WAIT_S = 20.0
ANOTHER = "C0:FF:EE:00:00:02"


def uuid(name):
    return f"0000{name}-0000-1000-8000-00805f9b34fb"


async def found(service):
    device = await BleakScanner.find_device_by_filter(
        lambda _, advert: uuid(service) in advert.service_uuids, timeout=WAIT_S
    )
    assert device is not None
    return device


class Session:
    """A connection, what came on it, and whether it is over."""

    def __init__(self, device, **options):
        self.got = []
        self.gone = asyncio.Event()
        self.news = asyncio.Event()
        self.client = BleakClient(
            device, disconnected_callback=lambda _: self.gone.set(), timeout=10, **options
        )

    async def __aenter__(self):
        await self.client.connect()
        return self

    async def __aexit__(self, *_):
        await self.client.disconnect()

    async def hear(self, channel):
        def arrived(_, data):
            self.got.append(bytes(data).hex())
            self.news.set()

        await self.client.start_notify(channel, arrived)

    async def until(self, count):
        async with asyncio.timeout(WAIT_S):
            while len(self.got) < count:
                self.news.clear()
                await self.news.wait()
        return self.got

    async def until_gone(self):
        async with asyncio.timeout(WAIT_S):
            await self.gone.wait()
        return self.got


async def test_a_cuff_is_found_asked_and_heard_and_hangs_up(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0, 0), backlog=2, hangs_up=True))
    async with Session(await found(CUFF)) as session:
        model = await session.client.read_gatt_char(MODEL)
        battery = await session.client.read_gatt_char(BATTERY)
        await session.hear(PRESSURE)
        got = await session.until_gone()
    assert (bytes(model), bytes(battery)) == (b"Virtual BP", b"\x54")
    assert len(got) == 4
    assert not cuff.is_connected


async def test_what_was_confirmed_is_not_sent_again_and_what_was_not_is(ward):
    manners = Manners(drops=Drop.BEFORE_CONFIRMATION)
    await ward.add(virtual_cuff(1, measure_at_s=(0, 0), hangs_up=True), manners)
    sessions = []
    for _ in range(2):
        async with Session(await found(CUFF)) as session:
            await session.hear(PRESSURE)
            sessions.append(await session.until_gone())
    first, second = sessions
    assert len(first) == 1
    assert second[0] == first[0]
    assert len(second) == 2


async def test_an_instrument_with_nothing_to_say_is_not_on_the_air(ward):
    await ward.add(virtual_cuff(1, measure_at_s=()))
    await ward.add(virtual_thermometer(2, measure_at_s=(0,), address=ANOTHER))
    heard = []
    enough = asyncio.Event()

    def arrived(_, advert):
        heard.extend(advert.service_uuids)
        if len(heard) >= 5:
            enough.set()

    async with BleakScanner(arrived), asyncio.timeout(WAIT_S):
        await enough.wait()
    assert {*heard} == {uuid(THERMOMETER)}


async def test_records_are_counted_reported_and_deleted_on_request(ward):
    await ward.add(virtual_oximeter(1, backlog=3, measure_at_s=(), streams=False))
    async with Session(await found(OXIMETER)) as session:
        with pytest.raises(BleakGATTProtocolError, match="Improperly Configured"):
            await session.client.write_gatt_char(RECORDS, b"\x04\x01", response=True)
        await session.hear(SPOT)
        await session.hear(RECORDS)
        answers = []
        for request, count in ((b"\x04\x01", 1), (b"\x01\x01", 4), (b"\x02\x01", 1)):
            session.got.clear()
            await session.client.write_gatt_char(RECORDS, request, response=True)
            answers.append((await session.until(count))[-1])
    assert answers == ["05000300", "06000101", "06000201"]
