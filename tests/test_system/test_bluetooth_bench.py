"""The bench itself: bleak's unmodified BlueZ backend reaches virtual instruments, as they are."""

import asyncio
import signal
import sys
from contextlib import suppress

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError
from dbus_fast import BusType, Message
from dbus_fast.aio import MessageBus

from drivers.errors import SettingsError
from drivers.registry import REGISTRY
from drivers.virtual.bluetooth.bus import ADDRESS_VARIABLE
from drivers.virtual.bluetooth.faults import Fault
from drivers.virtual.bluetooth.manners import Drop, Manners, Pairing
from drivers.virtual.bluetooth.piped import PipedInstrument
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


async def found_again(service):
    """Find an instrument as soon as bleak has been told that the adapter is there."""
    async with asyncio.timeout(WAIT_S):
        while True:
            with suppress(BleakError):
                return await found(service)
            await asyncio.sleep(0.02)


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


class Person:
    """An agent on a connection of its own; `answers` are what it says to each question."""

    def __init__(self, capability, **answers):
        self.capability = capability
        self.answers = answers
        self.asked = []

    async def __aenter__(self):
        self.bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        self.bus.add_message_handler(self._heard)
        for member, signature, body in (
            ("RegisterAgent", "os", ["/person", self.capability]),
            ("RequestDefaultAgent", "o", ["/person"]),
        ):
            await self.bus.call(
                Message(
                    destination="org.bluez",
                    path="/org/bluez",
                    interface="org.bluez.AgentManager1",
                    member=member,
                    signature=signature,
                    body=body,
                )
            )
        return self

    async def __aexit__(self, *_):
        self.bus.disconnect()

    def _heard(self, message):
        if message.interface != "org.bluez.Agent1":
            return None
        self.asked.append(message.member)
        answer = self.answers.get(message.member)
        if callable(answer):
            answer = answer(*message.body)
        if answer is False:
            return Message.new_error(message, "org.bluez.Error.Rejected", "no")
        if message.member == "RequestPasskey":
            return Message.new_method_return(message, "u", [answer])
        return Message.new_method_return(message)


def cuff_that(**manners):
    return virtual_cuff(1, measure_at_s=(0,), hangs_up=True), Manners(**manners)


async def heard_of_cuff(**options):
    async with Session(await found(CUFF), **options) as session:
        await session.hear(PRESSURE)
        return await session.until_gone()


async def test_just_works_needs_nobody_when_the_hub_pairs(ward):
    cuff = await ward.add(*cuff_that(pairing=Pairing.JUST_WORKS))
    assert len(await heard_of_cuff(pair=True)) == 1
    assert cuff.bonds == 1


async def test_just_works_that_a_subscription_needs_is_asked_of_the_agent(ward):
    await ward.add(*cuff_that(pairing=Pairing.JUST_WORKS))
    async with Person("NoInputNoOutput") as person:
        assert len(await heard_of_cuff()) == 1
    assert person.asked == ["RequestAuthorization"]


async def test_without_an_agent_a_subscription_that_needs_pairing_is_refused(ward):
    cuff = await ward.add(*cuff_that(pairing=Pairing.JUST_WORKS))
    with pytest.raises(BleakError):
        await heard_of_cuff()
    assert cuff.bonds == 0


async def test_an_instrument_may_ask_for_security_itself(ward):
    cuff = await ward.add(*cuff_that(pairing=Pairing.JUST_WORKS, asks_for_security=True))
    async with Person("NoInputNoOutput") as person:
        assert len(await heard_of_cuff()) == 1
    assert (person.asked, cuff.bonds) == (["RequestAuthorization"], 1)


async def test_the_passkey_on_the_instrument_is_typed_at_the_hub(ward):
    await ward.add(*cuff_that(pairing=Pairing.SHOWS_PASSKEY, passkey=204060))
    async with Person("KeyboardDisplay", RequestPasskey=204060) as person:
        assert len(await heard_of_cuff(pair=True)) == 1
    assert person.asked == ["RequestPasskey"]


async def test_a_wrong_passkey_makes_no_bond(ward):
    cuff = await ward.add(*cuff_that(pairing=Pairing.SHOWS_PASSKEY, passkey=204060))
    async with Person("KeyboardDisplay", RequestPasskey=204061):
        with pytest.raises(BleakDBusError, match="AuthenticationFailed"):
            await heard_of_cuff(pair=True)
    assert cuff.bonds == 0


async def test_the_passkey_at_the_hub_is_typed_on_the_instrument(ward):
    cuff = await ward.add(*cuff_that(pairing=Pairing.TAKES_PASSKEY))

    def types(_, passkey, __):
        cuff.keys.type(passkey)

    async with Person("KeyboardDisplay", DisplayPasskey=types) as person:
        assert len(await heard_of_cuff(pair=True)) == 1
    assert person.asked == ["DisplayPasskey"]


async def test_a_bonded_cuff_is_encrypted_again_without_pairing(ward):
    cuff = await ward.add(
        virtual_cuff(1, measure_at_s=(0,), backlog=1), Manners(pairing=Pairing.JUST_WORKS)
    )
    async with Session(await found(CUFF), pair=True):
        pass
    async with Session(await found(CUFF)) as session:
        await session.hear(PRESSURE)
        assert len(await session.until(2)) == 2
    assert (cuff.bonds, cuff.connections) == (1, 2)


async def test_a_lost_bond_fails_until_a_person_removes_and_pairs_again(ward):
    cuff = await ward.add(*cuff_that(pairing=Pairing.JUST_WORKS))
    async with Session(await found(CUFF), pair=True):
        pass
    cuff.forget_bonds()
    device = await found(CUFF)
    with pytest.raises(BleakDBusError, match="AuthenticationFailed"):
        async with Session(device):
            pass
    await BleakClient(device).unpair()
    assert len(await heard_of_cuff(pair=True)) == 1


async def test_a_bond_tells_a_private_address_from_a_strangers(ward):
    manners = Manners(pairing=Pairing.JUST_WORKS, has_private_address=True)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), backlog=1), manners)
    first = await found(CUFF)
    async with Session(first, pair=True) as session:
        address = session.client.address
    await cuff.change_address()
    async with Session(await found(CUFF)) as session:
        await session.hear(PRESSURE)
        assert len(await session.until(2)) == 2
    assert first.address != cuff.address
    assert address == session.client.address == cuff.address
    assert len(ward.bluez.adapter.devices) == 1


class Scan:
    """A scan that counts what it hears."""

    def __init__(self):
        self.heard = asyncio.Event()
        self.adverts = []
        self._scanner = BleakScanner(self._detected)

    def _detected(self, device, advert):
        self.adverts.append((device.address, advert.local_name))
        self.heard.set()

    async def __aenter__(self):
        await self._scanner.start()
        return self

    async def __aexit__(self, *_):
        await self._scanner.stop()

    async def hears(self):
        async with asyncio.timeout(WAIT_S):
            await self.heard.wait()

    async def hears_nothing(self, instrument):
        """Wait for advertisements enough, and tell whether none was heard."""
        await instrument.advertised(5)
        return not self.heard.is_set()


async def calling_cuff(ward, **manners):
    return await ward.add(virtual_cuff(1, measure_at_s=(0,), backlog=3), Manners(**manners))


async def test_a_deaf_scan_hears_again_when_it_is_begun_anew(ward):
    async with Scan() as scan:
        ward.bluez.faults.begin(Fault.DEAF)
        cuff = await calling_cuff(ward)
        assert await scan.hears_nothing(cuff)
    async with Scan() as scan:
        await scan.hears()


async def test_a_stuck_discovery_cannot_be_ended_and_is_cured_by_a_power_cycle(ward):
    ward.bluez.faults.begin(Fault.STUCK_DISCOVERY)
    cuff = await calling_cuff(ward)
    with pytest.raises(BleakDBusError, match="InProgress"):
        async with Scan() as scan:
            assert await scan.hears_nothing(cuff)
    await ward.bluez.adapter.power(on=False)
    with pytest.raises(BleakError, match=r"NotReady|powered"):
        async with Scan():
            pass
    await ward.bluez.adapter.power(on=True)
    await found_again(CUFF)


async def test_what_only_a_restart_of_the_daemon_cures(ward):
    ward.bluez.faults.begin(Fault.DEAF_UNTIL_RESTART)
    cuff = await calling_cuff(ward)
    async with Scan() as scan:
        assert await scan.hears_nothing(cuff)
    await ward.restart_daemon()
    async with Scan() as scan:
        await scan.hears()


async def test_bonds_outlast_the_daemon_and_strangers_do_not(ward):
    await calling_cuff(ward, pairing=Pairing.JUST_WORKS)
    await ward.add(virtual_thermometer(2, measure_at_s=(0,), address=ANOTHER))
    await found(THERMOMETER)
    device = await found(CUFF)
    async with Session(device, pair=True):
        pass
    await ward.restart_daemon()
    assert [each.address for each in ward.bluez.adapter.devices.values()] == [device.address]
    async with Session(await found(CUFF)) as session:
        await session.hear(PRESSURE)
        await session.until(1)


async def test_a_connection_that_aborts_is_reported_and_tried_again_by_bleak(ward):
    cuff = await calling_cuff(ward)
    ward.bluez.faults.begin(Fault.CONNECT_ABORTS)
    device = await found(CUFF)
    connecting = asyncio.ensure_future(Session(device).client.connect())
    await cuff.connected(2)
    ward.bluez.faults.end(Fault.CONNECT_ABORTS)
    await connecting
    await BleakClient(device).disconnect()


async def test_an_instrument_that_advertises_and_does_not_answer(ward):
    await calling_cuff(ward, answers_connect=False)
    device = await found(CUFF)
    with pytest.raises(TimeoutError):
        await BleakClient(device, timeout=1).connect()


async def test_values_that_came_are_there_although_subscribing_raised(ward):
    ward.bluez.faults.begin(Fault.SUBSCRIBE_RAISES)
    await calling_cuff(ward)
    async with Session(await found(CUFF)) as session:
        with pytest.raises(BleakGATTProtocolError):
            await session.hear(PRESSURE)
        assert len(session.got) == 1


async def test_a_connection_dropped_while_services_are_looked_for(ward):
    await calling_cuff(ward, drops=Drop.DURING_DISCOVERY)
    with pytest.raises(BleakError):
        async with Session(await found(CUFF)):
            pass
    async with Session(await found(CUFF)) as session:
        await session.hear(PRESSURE)
        await session.until(4)


async def test_a_device_that_vanished_is_found_by_its_next_advertisement(ward):
    await calling_cuff(ward)
    device = await found(CUFF)
    await ward.bluez.adapter.lose_strangers()
    with pytest.raises(BleakError, match="not found"):
        async with Session(device):
            pass
    async with Session(await found(CUFF)) as session:
        await session.hear(PRESSURE)


async def test_an_adapter_pulled_out_ends_its_connections(ward):
    await calling_cuff(ward)
    async with Session(await found(CUFF)) as session:
        await ward.bluez.unplug()
        await session.until_gone()
    with pytest.raises(BleakError):
        await found(CUFF)
    await ward.bluez.plug_in()
    await found_again(CUFF)


async def test_a_bus_that_dies_ends_connections_and_comes_back_at_the_same_address(ward):
    await calling_cuff(ward)
    async with Session(await found(CUFF)) as session:
        await ward.kill_bus()
        await session.until_gone()
    await ward.start_bus()
    async with Session(await found(CUFF)) as session:
        await session.hear(PRESSURE)
        await session.until(1)


async def test_out_of_range_is_a_lost_connection_and_silence(ward):
    cuff = await calling_cuff(ward)
    async with Session(await found(CUFF)) as session:
        await cuff.go_away()
        await session.until_gone()
    cuff.come_back()
    await found(CUFF)


async def test_a_name_that_comes_later_is_heard_later(ward):
    await calling_cuff(ward, names_itself_later=True)
    async with Scan() as scan, asyncio.timeout(WAIT_S):
        while scan.adverts[-1:] != [("C0:FF:EE:00:00:01", "Virtual cuff")]:
            await scan.heard.wait()
            await asyncio.sleep(0.02)
    assert scan.adverts[0] == ("C0:FF:EE:00:00:01", None)


async def test_two_instruments_with_one_address_are_refused(ward):
    await calling_cuff(ward)
    with pytest.raises(SettingsError, match="another address"):
        await ward.add(virtual_thermometer(2))


async def test_a_person_can_have_instruments_on_a_bus_of_their_own(monkeypatch):
    names = ("ble-blood-pressure", "viatom-o2", "--scenario", "several-stored")
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.cli", "virtual", *names),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    line = (await running.stdout.readline()).decode()
    said = [(await running.stderr.readline()).decode() for _ in range(3)]
    monkeypatch.setenv(ADDRESS_VARIABLE, line.removeprefix(f"export {ADDRESS_VARIABLE}=").strip())
    async with Session(await found(CUFF)) as session:
        await session.hear(PRESSURE)
        assert len(await session.until(4)) == 4
    running.send_signal(signal.SIGTERM)
    assert await running.wait() == 0
    assert [f"ble:C0:FF:EE:00:00:0{number}" in each for number, each in enumerate(said, 1)] == [
        True,
        True,
        True,
    ]


async def test_a_bus_ends_with_whoever_started_it(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; "
        "from drivers.virtual.bluetooth.bus import PrivateBus; "
        "PrivateBus(Path(sys.argv[1])).start(); print(flush=True); signal.pause()"
    )
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    await running.stdout.readline()
    _, writer = await asyncio.open_unix_connection(str(tmp_path / "bus"))
    writer.close()
    running.kill()
    await running.wait()
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                _, writer = await asyncio.open_unix_connection(str(tmp_path / "bus"))
            except OSError:
                return
            writer.close()
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("name", sorted(name for name, each in REGISTRY.items() if each.pipe))
async def test_an_instrument_of_bytes_notifies_what_it_says_on_a_cable(ward, name):
    entry = REGISTRY[name]
    await ward.add(PipedInstrument(entry.simulator()(1), entry.pipe, name))
    device = await BleakScanner.find_device_by_name(name, timeout=WAIT_S)
    async with Session(device) as session:
        await session.hear(entry.pipe.notifies)
        if entry.pipe.writes is None:
            return
        properties = session.client.services.get_characteristic(entry.pipe.writes).properties
        assert "write" in properties
