"""What instruments do to a hub, each through bleak, our radio and our driver, to measurements.

Faults of the stack and the operator's part are in test_bluetooth.py and test_bluetooth_bench.py.
"""

import asyncio
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from drivers.contract import Write
from drivers.entry import LinkKind
from drivers.errors import LinkLost, LinkNotFound, Unpaired
from drivers.model import Flag, Measurement, Metric, Notice, Skipped, Status
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost
from drivers.transports.ble.bus import Bluez
from drivers.transports.ble.ladder import Limits
from drivers.transports.ble.pairing import Pairing as Operator
from drivers.transports.ble.radio import Radio
from drivers.transports.gatt_pipe import piped
from drivers.virtual.bluetooth.piped import PipedInstrument
from drivers.virtual.bluetooth.scenarios import PRESSURES, SCENARIOS, SPECIALS, Scenario
from edge.clock import SystemClock

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]

PATIENCE_S = 40.0
BY_RADIO = sorted(name for name, each in REGISTRY.items() if LinkKind.BLE in each.links)
SOON = {"taidoc": {"records": [{"at_s": 0.5, "value": [121, 92, 78, 69]}]}}
NOT_ALLOWED = {Write.SET_CLOCK, Write.DELETE_RECORDS}
METRIC = {
    "systolic": Metric.SYSTOLIC,
    "diastolic": Metric.DIASTOLIC,
    "mean": Metric.MEAN_PRESSURE,
    "pulse_rate": Metric.PULSE_RATE,
}


class Hub:
    """A radio and the sessions of one driver with one enrolled instrument."""

    def __init__(self, radio, instrument, driver, clock):
        self.radio = radio
        self.instrument = instrument
        self.driver = driver
        self.clock = clock
        self.host = None
        self.others = []
        self.asked = 0  # by the radio's agent, of a person

    async def session(self, *granted, until=None, **options):
        """Return what one session emits, until the link is lost or so many measurements came."""
        entry, items, enough = REGISTRY[self.driver], [], asyncio.Event()
        self.host = BenchHost(self.clock, frozenset(granted))

        async def emit(item):
            items.append(item)
            if until is not None and len(measured(items)) >= until:
                enough.set()

        async def run(link):
            factory = entry.factory() if entry.pipe else entry.gatt_factory()
            with suppress(LinkLost):
                await factory(self.host, entry.options(options)).run(link, emit)
            enough.set()

        opened = self.radio.open(self.instrument.address, self.clock.now, frozenset(granted))
        opened = piped(opened, entry.pipe) if entry.pipe else opened
        async with asyncio.timeout(PATIENCE_S), opened as link:
            running = asyncio.ensure_future(run(link))
            await enough.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        return items


def measured(items):
    return [item for item in items if isinstance(item, Measurement)]


async def agrees(_):
    """Answer as an operator who holds the instrument."""
    return True


def skipped(items):
    return [item for item in items if isinstance(item, Skipped)]


def value(measurement, metric):
    """Return the value of a metric, or its status where it has none, None without a reading."""
    for reading in measurement.readings:
        if reading.metric == metric:
            return reading.status if reading.value is None else reading.value
    return None


@pytest.fixture
def listening(ward):
    """A way to have a hub that has enrolled one instrument."""

    @asynccontextmanager
    async def listen(scenario, passkey=None):
        instrument, *others = await ward.play(scenario)
        clock = SystemClock(assume_trusted=True)

        async def tell(_):
            pass

        async def answer(_):
            hub.asked += 1
            return True if passkey is None else passkey

        radio = Radio(clock, frozenset({instrument.address}), Limits(), tell)
        hub = Hub(radio, instrument, scenario.driver, clock)
        hub.others = others
        radio.answer_pairing(lambda _: True, answer)
        running = asyncio.ensure_future(radio.run())
        try:
            yield hub
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return listen


@pytest.fixture
def playing(listening):
    """A way to play a scenario."""

    def play(name, passkey=None):
        return listening(SCENARIOS[name], passkey)

    return play


async def session_of(playing, name, *granted, until=None, passkey=None):
    async with playing(name, passkey) as hub:
        return await hub.session(*granted, until=until)


# ---- what is in a payload


@pytest.mark.parametrize(
    ("name", "count", "metric"),
    [
        ("every-cuff-flag", 32, Metric.SYSTOLIC),
        ("every-oximeter-flag", 32, Metric.PULSE_RATE),
        ("every-thermometer-flag", 8, Metric.BODY_TEMPERATURE),
    ],
)
async def test_every_combination_of_flags_is_read_and_in_order(playing, name, count, metric):
    items = await session_of(playing, name)
    values = [value(each, metric) for each in measured(items)]
    assert len(values) == len({*values}) == count
    assert all(isinstance(each, float) for each in values)
    assert skipped(items) == []


async def test_a_truncated_payload_is_rejected_whole(playing):
    items = await session_of(playing, "truncated")
    assert [value(each, Metric.SYSTOLIC) for each in measured(items)] == [128.0]
    assert [len(each.data) for each in skipped(items)] == [*range(1, 19)]


async def test_reserved_bits_do_not_keep_a_reading_from_being_read(playing):
    items = await session_of(playing, "reserved-bits")
    assert [value(each, Metric.SYSTOLIC) for each in measured(items)] == [128.0] * 4


async def test_a_special_number_is_a_reason_and_never_a_value(playing):
    items = await session_of(playing, "special-numbers")
    got = iter(measured(items))
    for field in PRESSURES:
        for _ in SPECIALS:
            one = value(next(got), METRIC[field])
            assert one is None or isinstance(one, Status)
    assert next(got, None) is None


@pytest.mark.parametrize(("name", "count"), [("unknown-date", 3), ("impossible-date", 2)])
async def test_a_reading_with_no_such_date_is_kept_without_a_time(playing, name, count):
    got = measured(await session_of(playing, name))
    assert [each.device_time for each in got] == [None] * count
    assert all(isinstance(value(each, Metric.SYSTOLIC), float) for each in got)


async def test_an_unknown_user_is_no_user(playing):
    unknown, none, first = measured(await session_of(playing, "unknown-user"))
    assert [*unknown.evidence] != [*first.evidence]
    assert len({each.raw for each in (unknown, none, first)}) == 3


async def test_a_payload_of_no_bytes_says_nothing_and_ends_nothing(playing):
    items = await session_of(playing, "empty-payload")
    assert [value(each, Metric.SYSTOLIC) for each in measured(items)] == [128.0]


# ---- how a session goes


async def test_several_stored_readings_come_oldest_first(playing):
    times = [
        each.device_time.local for each in measured(await session_of(playing, "several-stored"))
    ]
    assert len(times) == 4
    assert times == sorted(times)


async def test_what_was_not_confirmed_comes_again_with_the_same_bytes(playing):
    async with playing("not-confirmed") as hub:
        first, second = [measured(await hub.session()) for _ in range(2)]
    assert [each.raw for each in first] == [each.raw for each in second]
    assert len(first) == 1


@pytest.mark.parametrize("name", ["hangs-up-before-it-answers", "sends-before-it-answers"])
async def test_what_came_before_the_answer_to_the_subscription_is_there(playing, name):
    assert len(measured(await session_of(playing, name, until=1))) == 1


async def test_a_drop_during_discovery_is_followed_by_another_try(playing):
    async with playing("drops-during-discovery") as hub:
        assert len(measured(await hub.session())) == 1
        assert hub.instrument.connections == 2


async def test_an_instrument_that_never_answers_is_told(playing):
    async with playing("never-answers") as hub:
        hub.radio.connect_s = 0.7
        with pytest.raises(LinkNotFound, match="cannot be reached"):
            await hub.session()


@pytest.mark.parametrize("name", ["small-packets", "names-itself-later"])
async def test_packets_of_the_smallest_size_and_names_that_come_late_do_not_matter(playing, name):
    assert len(measured(await session_of(playing, name))) == 1


# ---- whose it is, and when it was


async def test_a_bonded_instrument_is_encrypted_again_without_pairing(playing):
    async with playing("bonds") as hub:
        for _ in range(2):
            assert len(measured(await hub.session(until=1))) >= 1
    assert (hub.instrument.bonds, hub.instrument.connections) == (1, 2)


@pytest.mark.parametrize(
    ("name", "passkey"),
    [("asks-for-security", None), ("shows-a-passkey", 204060), ("compares-a-passkey", None)],
)
async def test_an_instrument_that_wants_to_be_paired_is(playing, name, passkey):
    async with playing(name, passkey) as hub:
        assert len(measured(await hub.session())) == 1
        assert hub.instrument.bonds == 1


async def test_a_private_address_is_known_by_the_bond(playing):
    async with playing("private-address") as hub, asyncio.timeout(PATIENCE_S):
        bluez = Bluez()
        operator = await Operator.on(bluez, None)
        (heard,) = await operator.heard(1.0)
        paired = await operator.pair(
            heard.address, lambda _: None, again=False, within_s=PATIENCE_S
        )
        bluez.close()
        await hub.instrument.change_address()
        assert len(measured(await hub.session())) == 2
    assert (heard.is_lasting, paired.is_lasting) == (False, True)
    assert heard.address != paired.address == hub.instrument.address


@pytest.mark.parametrize(
    ("name", "offset_s"), [("clock-hours-wrong", 5 * 3600), ("clock-years-wrong", -6 * 365 * 86400)]
)
async def test_a_wrong_clock_still_tells_how_old_a_reading_is(playing, name, offset_s):
    stored, fresh = measured(await session_of(playing, name))
    assert stored.device_time.age_s - fresh.device_time.age_s == pytest.approx(4020, abs=2)
    assert 0 <= fresh.device_time.age_s + fresh.device_time.age_error_s <= PATIENCE_S
    assert {stored.device_time.offset_s < 0} == {fresh.device_time.offset_s < 0}
    assert offset_s


async def test_the_same_model_next_door_is_never_connected_to(playing):
    async with playing("same-model-next-door") as hub:
        (other,) = hub.others
        assert other.instrument.peer.name == hub.instrument.instrument.peer.name
        await other.advertised(5)
        assert len(measured(await hub.session())) >= 1
        assert (hub.instrument.connections, other.connections) == (1, 0)


# ---- bonds that are lost


@pytest.mark.parametrize(
    ("name", "bonds"), [("battery-is-changed", 0), ("phone-takes-the-only-bond", 1)]
)
async def test_a_bond_that_the_instrument_lost_is_told_and_made_anew_by_an_operator(
    playing, ward, name, bonds
):
    async with playing(name) as hub:
        assert measured(await hub.session(until=1))
        await ward.befallen()
        for _ in range(2):
            with pytest.raises(Unpaired, match="--again"):
                await hub.session(until=1)
        assert hub.instrument.bonds == bonds
        bluez = Bluez()
        operator = await Operator.on(bluez, None)
        address = hub.instrument.address
        paired = await operator.pair(address, agrees, again=True, within_s=PATIENCE_S)
        bluez.close()
        assert paired.is_paired
        assert measured(await hub.session(until=1))
        assert hub.instrument.bonds == 1


async def test_a_hub_that_lost_its_bond_pairs_anew_with_what_is_enrolled(playing, ward):
    async with playing("host-forgets-the-bond") as hub:
        assert measured(await hub.session(until=1))
        await ward.befallen()
        assert hub.instrument.bonds == 1
        assert measured(await hub.session(until=1))
        assert (hub.instrument.bonds, hub.asked) == (1, 2)


# ---- records


@pytest.mark.parametrize(
    ("name", "count"), [("no-records", 0), ("records-are-missing", 2), ("report-is-aborted", 2)]
)
async def test_what_a_report_of_records_brings_is_kept_and_nothing_is_deleted(playing, name, count):
    granted = (Write.FETCH, Write.DELETE_RECORDS)
    async with playing(name) as hub:
        items = await hub.session(*granted)
        written = [data.hex() for _, data in hub.instrument.instrument.written]
    assert len(measured(items)) == count
    assert written[0] == "0401"
    assert not [data for data in written if data.startswith("02")]


@pytest.mark.parametrize(
    ("name", "asked", "told"),
    [
        ("records-not-configured", ["0401"], "refused with ATT error 0xfd"),
        ("records-in-progress", ["0401", "0101"], "refused with ATT error 0xfe"),
        ("operators-refused", ["0401", "0101"], "operation 1 ended with 4"),
    ],
)
async def test_a_request_for_records_that_is_refused_is_told_and_the_stream_goes_on(
    playing, name, asked, told
):
    async with playing(name) as hub:
        items = await hub.session(Write.FETCH, Write.DELETE_RECORDS)
        written = [data.hex() for _, data in hub.instrument.instrument.written]
    assert [value(each, Metric.PULSE_RATE) for each in measured(items)] == [60.0]
    assert written == asked
    assert [each.text for each in items if isinstance(each, Notice) and told in each.text]


async def test_a_finger_that_is_lost_and_found_leaves_no_number_between(playing):
    got = measured(await session_of(playing, "finger-lost-and-found"))
    rates = [value(each, Metric.PULSE_RATE) for each in got]
    assert rates[:4] == [60.0, 61.0, 62.0, 63.0]
    assert rates[-4:] == [68.0, 69.0, 70.0, 71.0]
    assert all(isinstance(each, Status) for each in rates[4:-4])
    assert Flag.LOW_PERFUSION in got[-2].flags


async def test_stored_records_and_a_stream_come_on_one_connection(playing):
    async with playing("records-and-a-stream") as hub:
        got = measured(await hub.session(Write.FETCH, until=4))
    stored = [each for each in got if Flag.FROM_MEMORY in each.flags]
    assert len(stored) == 2
    assert len(got) >= 4


@pytest.mark.parametrize("name", BY_RADIO)
async def test_every_instrument_of_the_registry_that_has_a_radio_is_measured_by_it(listening, name):
    entry = REGISTRY[name]
    soon = SOON.get(name, {}) if entry.pipe else {"measure_at_s": (0,)}
    virtual = entry.simulator()(1, **soon)
    played = PipedInstrument(virtual, entry.pipe, name) if entry.pipe else virtual
    async with listening(Scenario(name, lambda: played)) as hub:
        assert measured(await hub.session(*entry.writes - NOT_ALLOWED, until=1))


def test_every_scenario_is_played_here():
    text = Path(__file__).read_text("utf-8")
    assert [name for name in SCENARIOS if f'"{name}"' not in text] == []
