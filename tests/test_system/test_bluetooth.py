"""The hub's half of Bluetooth LE, through unmodified bleak, against a model of bluetoothd."""

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from dbus_fast import Message
from dbus_fast.aio import MessageBus

from drivers.contract import Write
from drivers.errors import LinkLost, LinkNotFound
from drivers.model import Flag, Instant, Measurement, Notice
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost
from drivers.transports.ble.agent import Asked
from drivers.transports.ble.bus import Bluez
from drivers.transports.ble.ladder import Limits, Step
from drivers.transports.ble.pairing import Pairing as Operator
from drivers.transports.ble.radio import Radio
from drivers.virtual.bluetooth.faults import Fault
from drivers.virtual.bluetooth.manners import Drop, Manners, Pairing
from drivers.virtual.gatt.cuff import virtual_cuff
from drivers.virtual.gatt.oximeter import virtual_oximeter
from edge.clock import SystemClock, utc

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

CUFF = "ble-blood-pressure"
PATIENCE_S = 40.0
SPEED = 20  # of the radio's own clock, so that its patience passes quickly


class QuickClock:
    """Time that passes faster for a radio's patience; bus and instruments keep their own."""

    def __init__(self):
        self._clock = SystemClock(assume_trusted=True)
        self._began = self._clock.now()

    def now(self):
        at, began = self._clock.now(), self._began
        passed = (at.mono_ns - began.mono_ns) * SPEED
        return Instant(began.wall_ns + passed, began.mono_ns + passed, trusted=True)

    async def sleep(self, seconds):
        await asyncio.sleep(seconds / SPEED)


class Person:
    """Who answers what BlueZ asks, or does something about it; notes what was asked."""

    def __init__(self, answer=True):
        self.answer = answer
        self.asked = []

    async def __call__(self, question):
        self.asked.append((question.asked, question.passkey))
        return await self.answer(question) if callable(self.answer) else self.answer


class Hub:
    """A radio that runs, its news, and sessions with enrolled instruments."""

    def __init__(self, *enrolled, limits=None, person=None, quick=False, pairs=True):
        self.clock = SystemClock(assume_trusted=True)
        self.news = []
        self.told = asyncio.Event()
        addresses = frozenset(each.address for each in enrolled)
        radio_clock = QuickClock() if quick else self.clock
        self.radio = Radio(radio_clock, addresses, limits or Limits(), self._tell)
        self.person = person or Person()
        self.radio.answer_pairing(lambda address: pairs and address in addresses, self.person)
        self.hosts = []
        self.said = []

    async def _tell(self, news):
        self.news.append(news.step)
        self.told.set()

    async def until(self, *steps):
        """Wait until the last news are these."""
        async with asyncio.timeout(PATIENCE_S):
            while tuple(self.news[-len(steps) :]) != steps:
                self.told.clear()
                await self.told.wait()

    async def heard(self, advertisements):
        """Wait until so many more advertisements were heard, of anybody."""
        wanted = self.radio.health.advertisements + advertisements
        async with asyncio.timeout(PATIENCE_S):
            while self.radio.health.advertisements < wanted:
                await self.clock.sleep(0.05)

    def connected(self, instrument):
        return self.radio.open(instrument.address, self.clock.now, frozenset())

    async def session(self, instrument, driver=CUFF, granted=(), **options):
        """Run one session of a driver until the link is lost; return what it measured."""
        granted = frozenset(granted)
        host = BenchHost(self.clock, granted)
        self.hosts.append(host)
        entry = REGISTRY[driver]
        items = []

        async def emit(item):
            items.append(item)

        async with asyncio.timeout(PATIENCE_S):
            async with self.radio.open(instrument.address, self.clock.now, granted) as link:
                with suppress(LinkLost):
                    await entry.gatt_factory()(host, entry.options(options)).run(link, emit)
        self.said += [item.text for item in items if isinstance(item, Notice)]
        return [item for item in items if isinstance(item, Measurement)]


@asynccontextmanager
async def hub_with(*enrolled, **more):
    hub = Hub(*enrolled, **more)
    running = asyncio.ensure_future(hub.radio.run())
    try:
        yield hub
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def descriptors():
    return len([*Path("/proc/self/fd").iterdir()])


# ---- a session that loses nothing


async def test_a_cuff_is_heard_asked_and_emptied_whenever_it_calls(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), backlog=4, hangs_up=True))
    async with hub_with(cuff) as hub:
        measurements = await hub.session(cuff)
    assert len(measurements) == 5
    assert len({measurement.raw for measurement in measurements}) == 5
    assert [chunk.channel for chunk in hub.hosts[0].kept][-5:] == ["2a35"] * 5


async def test_what_came_before_the_subscription_failed_is_kept(ward):
    ward.bluez.faults.begin(Fault.SUBSCRIBE_RAISES)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True))
    async with hub_with(cuff) as hub:
        measurements = await hub.session(cuff)
    assert len(measurements) == 1


@pytest.mark.parametrize(
    "manners",
    [
        Manners(answers_late=True),  # and hangs up before its answer is here
        Manners(mtu=23),
        Manners(names_itself_later=True),
        Manners(pairing=Pairing.JUST_WORKS, asks_for_security=True),
        Manners(pairing=Pairing.JUST_WORKS, answers_late=True),
    ],
    ids=["answers-late", "smallest-mtu", "names-itself-later", "asks-for-security", "bonded-late"],
)
async def test_however_a_cuff_behaves_its_whole_memory_comes_oldest_first(ward, manners):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), backlog=3, hangs_up=True), manners)
    async with hub_with(cuff) as hub:
        measurements = await hub.session(cuff)
    times = [measurement.device_time.local for measurement in measurements]
    assert len(times) == 4
    assert times == sorted(times)


async def test_a_clock_that_is_years_off_is_measured_and_places_values_all_the_same(ward):
    years_s = -3.5e8
    virtual = virtual_cuff(1, measure_at_s=(0,), hangs_up=True, clock_ahead_s=years_s)
    cuff = await ward.add(virtual)
    async with hub_with(cuff) as hub:
        (measurement,) = await hub.session(cuff)
    assert measurement.device_time.offset_s < years_s / 2
    assert 0 <= measurement.device_time.age_s + 1 < PATIENCE_S


async def test_a_clock_is_set_where_that_is_allowed_and_shows_it_then(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True, clock_ahead_s=7200.0))
    async with hub_with(cuff) as hub:
        await hub.session(cuff, granted={Write.SET_CLOCK})
        now = utc(hub.clock.now().wall_ns).replace(tzinfo=None)
    assert abs((cuff.instrument.clock - now).total_seconds()) < PATIENCE_S
    assert [text for text in hub.said if "is set" in text]


async def test_an_instrument_with_a_private_address_is_met_by_the_one_that_lasts(ward):
    manners = Manners(pairing=Pairing.JUST_WORKS, has_private_address=True)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)
    bluez = Bluez()
    operator = await Operator.on(bluez, None)
    (stranger,) = await operator.heard(1.0)
    paired = await operator.pair(stranger.address, Person(), again=False, within_s=PATIENCE_S)
    bluez.close()
    assert not stranger.is_lasting
    assert (paired.address, paired.is_lasting) == (cuff.address, True)
    async with hub_with(cuff) as hub:
        assert len(await hub.session(cuff)) == 1


async def test_an_indication_that_was_not_confirmed_comes_again_with_the_same_bytes(ward):
    manners = Manners(drops=Drop.BEFORE_CONFIRMATION)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)
    async with hub_with(cuff) as hub:
        (first,) = await hub.session(cuff)
        (again,) = await hub.session(cuff)
    assert first.raw == again.raw
    assert first.device_time.local == again.device_time.local


async def test_an_instrument_that_drops_while_it_is_discovered_is_tried_again(ward):
    manners = Manners(drops=Drop.DURING_DISCOVERY, drop_times=2)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)
    async with hub_with(cuff) as hub:
        hub.radio.connect_s = 2.0
        assert len(await hub.session(cuff)) == 1
    assert cuff.connections == 3


async def test_an_instrument_that_is_heard_and_cannot_be_reached_is_told_and_others_go_on(ward):
    manners = Manners(drops=Drop.DURING_DISCOVERY, drop_times=3)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)), manners)
    async with hub_with(cuff) as hub:
        hub.radio.connect_s = 2.0
        with pytest.raises(LinkNotFound, match="is heard and cannot be reached"):
            await hub.session(cuff)
        assert hub.radio.health.connections == 0
        async with hub.connected(cuff) as link:
            assert (await link.read("2a24")).data == b"Virtual BP"


async def test_records_are_deleted_only_after_every_one_is_durable(ward):
    allowed = {Write.FETCH, Write.DELETE_RECORDS}
    oximeter = await ward.add(virtual_oximeter(1, backlog=4, measure_at_s=(), streams=False))
    async with hub_with(oximeter) as hub:
        session = asyncio.ensure_future(hub.session(oximeter, "ble-oximeter", allowed))
        async with asyncio.timeout(PATIENCE_S):
            while oximeter.instrument._memory:
                await hub.clock.sleep(0.05)
        kept = [chunk for chunk in hub.hosts[0].kept if chunk.channel == "2a5e"]
        await oximeter.go_away()
        measurements = await session
    assert len(kept) == len(measurements) == 4


async def test_equal_frames_without_a_time_are_told_twice_and_flagged(ward):
    manners = Manners(drops=Drop.BEFORE_CONFIRMATION)
    cuff = virtual_cuff(1, measure_at_s=(0, 0), stamps=False, hangs_up=True)
    cuff = await ward.add(cuff, manners)
    async with hub_with(cuff) as hub:
        first = await hub.session(cuff)
        second = await hub.session(cuff)
    assert all(Flag.FROM_MEMORY in measurement.flags for measurement in (*first, *second))
    assert (len(first), len(second)) == (1, 2)


async def test_what_a_killed_hub_left_connected_is_hung_up_and_heard_again(ward):
    oximeter = await ward.add(virtual_oximeter(1, measure_at_s=()))
    bluez = Bluez()
    async with hub_with(oximeter) as hub, hub.connected(oximeter):
        (device,) = await bluez.devices()
    await bluez.call(device.path, "org.bluez.Device1", "Connect")
    assert oximeter.is_connected
    bluez.close()
    async with hub_with(oximeter) as hub, hub.connected(oximeter) as link:
        assert (await link.read("2a24")).data == b"Virtual Ox"


async def test_a_paired_instrument_that_bluez_connects_to_by_itself_is_taken_as_connected(ward):
    manners = Manners(pairing=Pairing.JUST_WORKS)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0, 4)), manners)
    bluez = Bluez()
    async with hub_with(cuff) as hub:
        async with hub.connected(cuff) as link:
            await link.subscribe("2a35")
        ward.bluez.faults.begin(Fault.DEAF)
        session = asyncio.ensure_future(hub.session(cuff))
        async with asyncio.timeout(PATIENCE_S):
            while not (cuff.instrument._memory and hub.radio.scanner._waiting):
                await hub.clock.sleep(0.05)
            (device,) = await bluez.devices()
            await bluez.call(device.path, "org.bluez.Device1", "Connect")
            while cuff.instrument._memory:
                await hub.clock.sleep(0.05)
        await cuff.go_away()
        measurements = await session
    bluez.close()
    assert (len(measurements), cuff.connections) == (1, 2)


async def test_sessions_leave_no_descriptor_and_no_task_behind(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=tuple(range(12)), hangs_up=False))
    async with hub_with(cuff) as hub:
        before = None
        for _ in range(8):
            async with hub.connected(cuff) as link:
                await link.read("2a24")
            before = before or (descriptors(), len(asyncio.all_tasks()))
        assert descriptors() <= before[0]
        assert len(asyncio.all_tasks()) <= before[1] + 1


# ---- pairing


async def test_just_works_of_an_enrolled_instrument_needs_nobody(ward):
    manners = Manners(pairing=Pairing.JUST_WORKS)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)
    async with hub_with(cuff) as hub:
        assert len(await hub.session(cuff)) == 1
        assert cuff.bonds == 1


async def test_a_passkey_on_the_instrument_is_asked_of_a_person(ward):
    manners = Manners(pairing=Pairing.SHOWS_PASSKEY, passkey=345)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)
    async with hub_with(cuff, person=Person(345)) as hub:
        assert len(await hub.session(cuff)) == 1
        assert hub.person.asked[0] == (Asked.ENTER, None)


async def test_a_passkey_that_the_hub_shows_is_typed_on_the_instrument_by_a_person(ward):
    manners = Manners(pairing=Pairing.TAKES_PASSKEY)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)

    async def types(question):
        cuff.keys.type(question.passkey)

    async with hub_with(cuff, person=Person(types)) as hub:
        assert len(await hub.session(cuff)) == 1
    ((asked, passkey),) = hub.person.asked
    assert (asked, cuff.bonds) == (Asked.SHOW, 1)
    assert 0 <= passkey <= 999_999


async def test_a_passkey_typed_wrong_on_the_instrument_makes_no_bond_and_may_be_typed_again(ward):
    manners = Manners(pairing=Pairing.TAKES_PASSKEY)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)

    async def mistypes_once(question):
        wrong = len(hub.person.asked) == 1
        cuff.keys.type((question.passkey + wrong) % 1_000_000)

    async with hub_with(cuff, person=Person(mistypes_once)) as hub:
        assert await hub.session(cuff) == []
        assert cuff.bonds == 0
        assert len(await hub.session(cuff)) == 1
    assert cuff.bonds == 1


@pytest.mark.parametrize("is_same", [True, False])
async def test_a_passkey_on_both_is_compared_by_a_person_and_a_no_makes_no_bond(ward, is_same):
    manners = Manners(pairing=Pairing.COMPARES_PASSKEY)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)

    async def compares(question):
        return (await cuff.keys.compared()) == question.passkey and is_same

    async with hub_with(cuff, person=Person(compares)) as hub:
        assert len(await hub.session(cuff)) == is_same
    assert ({asked for asked, _ in hub.person.asked}, cuff.bonds) == ({Asked.COMPARE}, is_same)


@pytest.mark.parametrize("pairing", [Pairing.TAKES_PASSKEY, Pairing.COMPARES_PASSKEY])
async def test_an_operator_pairs_by_a_passkey_that_is_shown_or_compared(ward, pairing):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)), Manners(pairing=pairing))

    async def at_the_terminal(question):
        if question.asked is Asked.SHOW:
            cuff.keys.type(question.passkey)
            return None
        return (await cuff.keys.compared()) == question.passkey

    bluez = Bluez()
    operator = await Operator.on(bluez, None)
    paired = await operator.pair(
        cuff.address, Person(at_the_terminal), again=False, within_s=PATIENCE_S
    )
    bluez.close()
    assert (paired.is_paired, cuff.bonds) == (True, 1)


async def test_nobody_pairs_who_is_not_enrolled(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)), Manners(pairing=Pairing.JUST_WORKS))
    async with hub_with(cuff, pairs=False) as hub:
        assert await hub.session(cuff) == []
    assert (cuff.bonds, hub.person.asked) == (0, [])


async def test_an_operator_finds_pairs_lists_and_removes(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)), Manners(pairing=Pairing.JUST_WORKS))
    bluez = Bluez()
    try:
        operator = await Operator.on(bluez, None)
        heard = await operator.heard(1.0)
        await operator.pair(cuff.address, Person(), again=False, within_s=PATIENCE_S)
        bonds = await operator.bonds()
        await operator.remove(cuff.address)
        after = await operator.bonds()
    finally:
        bluez.close()
    assert [each.address for each in heard] == [cuff.address]
    assert [(each.address, each.is_trusted) for each in bonds] == [(cuff.address, True)]
    assert after == []


# ---- a radio that tells the truth, and mends itself as far as it may

SOON = Limits(silence_s=30, settle_s=20, again_s=3600, may_restart_daemon=False)


async def test_a_scan_that_hears_nothing_is_begun_anew(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)))
    async with hub_with(cuff, limits=SOON, quick=True) as hub:
        await hub.heard(1)
        ward.bluez.faults.begin(Fault.DEAF)
        await hub.until(Step.RESTART_SCAN, Step.RECOVERED)


async def test_a_stuck_scan_is_mended_by_switching_the_adapter_off_and_on(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)))
    async with hub_with(cuff, limits=SOON, quick=True) as hub:
        await hub.heard(1)
        ward.bluez.faults.begin(Fault.STUCK_DISCOVERY)
        await hub.until(Step.POWER_CYCLE, Step.RECOVERED)
        assert hub.radio.health.trouble == ""


async def test_what_nothing_cures_is_an_alarm_that_stands_until_something_is_heard(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)))
    async with hub_with(cuff, limits=SOON, quick=True) as hub:
        await hub.heard(1)
        ward.bluez.faults.begin(Fault.DEAF_UNTIL_RESTART)
        await hub.until(Step.RESTART_SCAN, Step.POWER_CYCLE, Step.ALARM)
        assert "nothing is heard by radio" in hub.radio.health.trouble
        await ward.restart_daemon()
        await hub.until(Step.RECOVERED)
        assert hub.radio.health.trouble == ""


@asynccontextmanager
async def systemd(ward):
    """A systemd on the bus that can do one thing: restart bluetoothd."""
    asked, tasks = [], set()
    bus = await MessageBus(bus_address=ward.address).connect()

    async def restart(message):
        asked.append(message.body)
        await bus.send(Message.new_method_return(message, "o", ["/job/1"]))
        await ward.restart_daemon()

    def heard(message):
        if message.member != "RestartUnit":
            return False
        tasks.add(asyncio.ensure_future(restart(message)))
        return True

    bus.add_message_handler(heard)
    await bus.request_name("org.freedesktop.systemd1")
    try:
        yield asked
    finally:
        await asyncio.gather(*tasks)
        bus.disconnect()
        await bus.wait_for_disconnect()


async def test_what_only_a_new_daemon_cures_is_cured_where_restarting_it_is_allowed(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)))
    limits = replace(SOON, may_restart_daemon=True)
    async with systemd(ward) as asked, hub_with(cuff, limits=limits, quick=True) as hub:
        await hub.heard(1)
        ward.bluez.faults.begin(Fault.DEAF_UNTIL_RESTART)
        await hub.until(Step.RECOVERED)
    assert asked == [["bluetooth.service", "replace"]]
    assert [step for step in hub.news if step in set(Step)] == [
        Step.RESTART_SCAN,
        Step.POWER_CYCLE,
        Step.RESTART_DAEMON,
        Step.RECOVERED,
    ]


async def test_a_daemon_that_may_not_be_restarted_is_told_and_the_alarm_comes_all_the_same(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)))
    limits = replace(SOON, may_restart_daemon=True)  # and nobody on the bus who could do it
    async with hub_with(cuff, limits=limits, quick=True) as hub:
        await hub.heard(1)
        ward.bluez.faults.begin(Fault.DEAF_UNTIL_RESTART)
        await hub.until(Step.ALARM)


async def test_an_adapter_that_is_pulled_out_is_told_and_used_again_when_it_is_back(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)))
    async with hub_with(cuff, quick=True) as hub:
        await hub.heard(1)
        await ward.bluez.unplug()
        await hub.until("trouble")
        assert "adapter" in hub.radio.health.trouble
        await ward.bluez.plug_in()
        await hub.until("found")
        await hub.heard(1)


async def test_an_adapter_that_somebody_switched_off_is_switched_on(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)))
    async with hub_with(cuff, quick=True) as hub:
        await hub.heard(1)
        await ward.bluez.adapter.power(on=False)
        await hub.until("switched-on")
        await hub.heard(1)


async def test_a_daemon_that_dies_and_comes_again_is_told_and_heard_again(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True))
    async with hub_with(cuff, quick=True) as hub:
        await hub.heard(1)
        await ward.bluez.stop()
        await hub.until("trouble")
        await ward.bluez.start(ward.address)
        await hub.until("found")
        assert len(await hub.session(cuff)) == 1


async def test_a_bus_that_dies_and_comes_again_is_told_and_heard_again(ward):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True))
    async with hub_with(cuff, quick=True) as hub:
        await hub.heard(1)
        await ward.kill_bus()
        await hub.until("trouble")
        await ward.start_bus()
        await hub.until("found")
        assert len(await hub.session(cuff)) == 1
