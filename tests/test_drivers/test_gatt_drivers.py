"""Bluetooth LE instruments: who they are, when values were made, that none is lost or doubled."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import Peer, Write
from drivers.errors import DeviceMismatch, LinkLost, RequestRefused, SettingsError
from drivers.model import Chunk, Flag, Measurement, Metric, Notice, NoticeKind, Skipped, Status
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.memory_gatt import KeptGattLink, MemoryGattLink, RadioDamage, Sent
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.gatt.radio import on_the_air
from drivers.virtual.gatt.table import Access

CUFF, THERMOMETER = "ble-blood-pressure", "ble-thermometer"
OXIMETER, SCALE = "ble-oximeter", "ble-scale"
START_NS = 1_767_600_000 * 10**9  # 2026-01-05 08:00 UTC
CLOCK = "ea07 01 05 08 00 05 01 00 00"  # 08:00:05
PRESSURE = "7800 5000 5d00"


class Scripted:
    """A peripheral that has what it is given and notes what it is asked, in order."""

    def __init__(self, reads=None, has=None, answers=None, peer=None):
        self.peer = peer or Peer("C0:00:00:00:00:01")
        self.has_hung_up = False
        self.reads = {channel: bytes.fromhex(data) for channel, data in (reads or {}).items()}
        self.has = has
        self.answers = answers or {}
        self.asked = []
        self.sends = []
        self.when_subscribed = []

    def connect(self):
        pass

    def say(self, channel, *payloads):
        self.sends += [Sent(channel, bytes.fromhex(data), is_indication=True) for data in payloads]

    def due(self, _elapsed_s):
        out, self.sends = self.sends, []
        return out

    def confirm(self, sent):
        pass

    def read(self, channel):
        self.asked.append(("read", channel))
        if channel not in self.reads:
            raise RequestRefused(channel, 0x0A)
        return self.reads[channel]

    def write(self, channel, data):
        self.asked.append(("write", channel, data.hex()))
        answer = self.answers.get((channel, data.hex()))
        if answer is None:
            raise RequestRefused(channel, 0x80)
        for kind, payload in answer:
            if kind == "set":
                self.reads[channel] = bytes.fromhex(payload)
            else:
                self.say(kind, payload)

    def subscribe(self, channel):
        if self.has is not None and channel not in self.has:
            raise RequestRefused(channel, 0x0A)
        self.asked.append(("subscribe", channel))
        if channel not in {"2a36", "2a1e", "2a52"}:
            self.sends += self.when_subscribed
            self.when_subscribed = []


class Bench:
    """A driver, its host and a peripheral in recorded time."""

    def __init__(self, name, peripheral, granted=(), *, trusted=True, **options):
        self.entry = REGISTRY[name]
        self.peripheral = peripheral
        self.granted = frozenset(granted)
        self.clock = RecordedTime(START_NS, trusted=trusted)
        self.host = BenchHost(self.clock, self.granted)
        self.options = options
        self.items = []
        self.log = []

    def run(self, talk=None, **link):
        """Run one session while `talk(clock, link)` goes on, then lose the link."""
        self.clock.run(self._run(talk, link))
        return self

    def hears(self, channel, *payloads):
        """Run one session in which these are indicated, a second apart."""

        async def talk(clock, link):
            for data in payloads:
                self.peripheral.say(channel, data)
                await clock.sleep(1)
                link.carry()
            await clock.sleep(1)

        return self.run(talk)

    async def _run(self, talk, link):
        self.link = MemoryGattLink(self.peripheral, self.clock.now, self.granted, **link)
        driver = self.entry.gatt_factory()(self.host, self.entry.options(self.options))

        async def emit(item):
            self.log.append(len(self.host.kept))
            self.items.append(item)

        running = asyncio.ensure_future(driver.run(self.link, emit))
        await (talk or quiet)(self.clock, self.link)
        self.link.lose()
        with pytest.raises(LinkLost):
            await running

    @property
    def measurements(self):
        return [item for item in self.items if isinstance(item, Measurement)]

    @property
    def notices(self):
        return [(item.kind, item.text) for item in self.items if isinstance(item, Notice)]


async def quiet(clock, link):
    for _ in range(5):
        await clock.sleep(1)
        link.carry()


def virtual(name, seconds, granted=(), trusted=True, damage=None, **scene):
    bench = Bench(name, REGISTRY[name].simulator()(1, **scene), granted, trusted=trusted)
    link = {"damage": damage} if damage else {}
    return bench.run(lambda clock, air: on_the_air(air, clock, seconds), **link)


def said(measurement):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in measurement.readings}


# --- who it is


@pytest.mark.parametrize(
    ("reads", "address_lasts", "serial"),
    [
        ({"2a25": b"A0012", "2a23": bytes(range(8))}, True, "A0012"),
        ({"2a25": b"0000", "2a23": bytes(range(8))}, True, "0706050403020100"),
        ({"2a25": b"N/A \0", "2a23": bytes(8)}, True, "C0:00:00:00:00:01"),
        ({"2a25": b"\xff\xfe"}, True, "C0:00:00:00:00:01"),
        ({}, True, "C0:00:00:00:00:01"),
        ({}, False, None),
    ],
)
def test_an_instrument_goes_by_its_serial_number_its_system_id_or_its_lasting_address(
    reads, address_lasts, serial
):
    peer = Peer("C0:00:00:00:00:01", is_lasting=address_lasts)
    hexed = {channel: data.hex() for channel, data in reads.items()}
    bench = Bench(CUFF, Scripted(hexed, peer=peer)).run()
    assert [who.serial for who in bench.host.identified] == [serial]


def test_maker_model_and_firmware_are_what_the_instrument_says():
    texts = {"2a29": b"Maker", "2a24": b"M1 \0", "2a26": b"2.3"}
    peripheral = Scripted({channel: data.hex() for channel, data in texts.items()})
    (who,) = Bench(CUFF, peripheral).run().host.identified
    assert (who.driver, who.model, who.firmware) == (CUFF, "Maker M1", "2.3")


def test_what_has_none_of_the_characteristics_is_not_that_instrument():
    bench = Bench(CUFF, Scripted(has={"2a1c"}))
    driver = bench.entry.gatt_factory()(bench.host, bench.entry.options({}))
    link = MemoryGattLink(bench.peripheral, bench.clock.now)
    with pytest.raises(DeviceMismatch, match="is no ble-blood-pressure"):
        bench.clock.run(items_until_lost(driver, link))
    assert bench.host.settled == set(range(1, len(bench.host.kept) + 1))


def test_values_are_subscribed_to_when_all_else_has_been_read():
    peripheral = Scripted({"2a25": "41", "2a19": "64", "2a49": "3f00", "2a2b": CLOCK})
    Bench(CUFF, peripheral).run()
    kinds = [asked[0] for asked in peripheral.asked]
    assert kinds == sorted(kinds)
    assert [a for a in peripheral.asked if a[0] == "subscribe"] == [
        ("subscribe", "2a36"),
        ("subscribe", "2a35"),
    ]


class Noting:
    """A virtual instrument, and the order in which it was asked and told."""

    def __init__(self, virtual):
        self.virtual = virtual
        self.asked = []

    def __getattr__(self, name):
        return getattr(self.virtual, name)

    def read(self, channel):
        self.asked.append(("read", channel))
        return self.virtual.read(channel)

    def write(self, channel, data):
        self.asked.append(("write", channel))
        self.virtual.write(channel, data)

    def subscribe(self, channel):
        self.asked.append(("subscribe", channel))
        self.virtual.subscribe(channel)


@pytest.mark.parametrize("name", sorted(name for name in REGISTRY if REGISTRY[name].is_gatt))
def test_every_driver_has_asked_and_set_all_before_it_subscribes_to_what_is_sent_only_once(name):
    virtual = REGISTRY[name].simulator()(1)
    stored = {each.channel for each in virtual.table if Access.INDICATE in each.access}
    peripheral = Noting(virtual)
    bench = Bench(name, peripheral, REGISTRY[name].writes)
    bench.run(lambda clock, link: on_the_air(link, clock, 5))
    subscribed = [asked for asked in peripheral.asked if asked[0] == "subscribe"]
    first = next((asked for asked in subscribed if asked[1] in stored - {"2a52"}), None)
    after = peripheral.asked[peripheral.asked.index(first) :] if first else []
    assert subscribed
    assert [asked for asked in after if asked[0] == "read" or asked[1] in {"2a2b", "2a08"}] == []


def test_the_enhanced_form_is_listened_to_only_where_the_plain_one_is_missing():
    peripheral = Scripted(has={"2b34", "2b35"})
    Bench(CUFF, peripheral).run()
    assert [asked[1] for asked in peripheral.asked if asked[0] == "subscribe"] == ["2b35", "2b34"]


# --- nothing is lost


def test_a_value_is_durable_before_it_is_told_and_settled_by_the_telling():
    bench = Bench(CUFF, Scripted()).hears("2a35", f"00 {PRESSURE}", f"00 7900 {PRESSURE[5:]}")
    first, second = bench.measurements
    assert [chunk.data for chunk in bench.host.kept] == [first.raw, second.raw]
    assert (first.kept, second.kept) == ((1,), (2,))
    assert bench.log == [1, 2]


def test_identity_and_clock_are_durable_too_until_the_session_ends():
    peripheral = Scripted({"2a25": "4142", "2a2b": CLOCK})
    bench = Bench(CUFF, peripheral).hears("2a35", f"00 {PRESSURE}")
    assert [chunk.channel for chunk in bench.host.kept] == ["2a25", "2a2b", "2a35"]
    assert bench.host.settled == {1, 2}


def test_a_stream_is_not_made_durable_value_by_value():
    bench = Bench(OXIMETER, Scripted()).hears("2a5f", "00 6200 4800", "00 6200 4800")
    assert len(bench.measurements) == 2
    assert bench.host.kept == []


def test_a_value_sent_before_the_subscription_returned_is_told_although_the_link_was_lost():
    peripheral = Scripted()
    peripheral.when_subscribed = [Sent("2a35", bytes.fromhex(f"00{PRESSURE}"), is_indication=True)]

    async def talk(clock, link):
        subscribe = link.subscribe

        async def and_gone(channel, arrived=None):
            await subscribe(channel, arrived)
            if channel == "2a35":
                link.lose()
                raise LinkLost("gone before the answer")

        link.subscribe = and_gone
        await clock.sleep(1)

    bench = Bench(CUFF, peripheral).run(talk)
    assert [said(m)[Metric.SYSTOLIC] for m in bench.measurements] == [120.0]
    assert bench.host.counts["lost_in_introduction"] == 1


def test_what_arrives_while_the_driver_waits_for_something_else_is_durable_all_the_same():
    peripheral = Scripted()
    peripheral.when_subscribed = [Sent("2a35", bytes.fromhex(f"00{PRESSURE}"), is_indication=True)]
    kept = []

    async def talk(clock, link):
        subscribe = link.subscribe

        async def and_wait(channel, arrived=None):
            await subscribe(channel, arrived)
            if channel == "2a35":
                await clock.sleep(1)
                kept.extend(bench.host.kept)

        link.subscribe = and_wait
        await clock.sleep(3)

    bench = Bench(CUFF, peripheral)
    bench.run(talk)
    assert [chunk.data.hex() for chunk in kept] == [f"00{PRESSURE}".replace(" ", "")]
    assert len(bench.measurements) == 1


@pytest.mark.parametrize("payload", ["02 7800 5000 5d00 ea07", "00 7800 5000 5d00 01", ""])
def test_what_is_no_payload_is_skipped_counted_and_settled(payload):
    bench = Bench(CUFF, Scripted()).hears("2a35", payload)
    assert bench.measurements == []
    skipped = [item.data for item in bench.items if isinstance(item, Skipped)]
    assert skipped == ([bytes.fromhex(payload)] if payload else [])
    assert bench.host.settled == {1}
    assert sum(n for name, n in bench.host.counts.items() if name.startswith("payloads_")) == 1


def test_an_indication_that_was_not_confirmed_comes_again_in_the_next_session():
    cuff = REGISTRY[CUFF].simulator()(1, measure_at_s=(2.0,))
    bench = Bench(CUFF, cuff)
    bench.run(lambda clock, link: on_the_air(link, clock, 5), damage=RadioDamage(lose=1.0))
    assert bench.measurements == []
    bench.run(lambda clock, link: on_the_air(link, clock, 5))
    assert len(bench.measurements) == 1


def test_kept_bytes_give_the_same_measurement_again_with_a_wider_error():
    bench = Bench(CUFF, Scripted({"2a25": "4142", "2a2b": CLOCK}))
    (first,) = bench.hears("2a35", f"02 {PRESSURE} ea07 01 05 07 3b 1e").measurements
    driver = bench.entry.gatt_factory()(bench.host, bench.entry.options({}))
    (again,) = [
        item
        for item in bench.clock.run(items_until_lost(driver, KeptGattLink(bench.host.kept)))
        if isinstance(item, Measurement)
    ]
    assert bench.host.identified[-1].serial == bench.host.identified[0].serial == "AB"
    assert (again.raw, again.readings, again.at) == (first.raw, first.readings, first.at)
    assert again.device_time.age_s == first.device_time.age_s
    assert again.device_time.age_error_s >= first.device_time.age_error_s + 29


@pytest.mark.parametrize("clock", ["ea07 01 05 08 01 2d 01 00 00", "0000 00 00 08 01 2d 00 00 00"])
def test_kept_bytes_of_two_sessions_with_another_clock_place_nothing_by_the_wrong_one(
    clock,
):
    bench = Bench(CUFF, Scripted({"2a2b": CLOCK}))
    at = bench.clock.now()
    later = type(at)(at.wall_ns, at.mono_ns + 100 * 10**9, at.trusted)
    kept = [
        Chunk(bytes.fromhex("ea07 01 05 09 00 05 01 00 00"), at, "2a2b"),
        Chunk(bytes.fromhex(clock), later, "2a2b"),
        Chunk(bytes.fromhex(f"02 {PRESSURE} ea07 01 05 08 01 2d"), later, "2a35"),
    ]
    driver = bench.entry.gatt_factory()(bench.host, bench.entry.options({}))
    items = bench.clock.run(items_until_lost(driver, KeptGattLink(kept)))
    (measurement,) = [item for item in items if isinstance(item, Measurement)]
    assert measurement.device_time.age_s is None


# --- when it began


def cuff_session(*said):
    """Run a session with a clock at 08:00:05 in which these are sent, a second apart."""

    async def talk(clock, link):
        for channel, payload in said:
            bench.peripheral.say(channel, payload)
            await clock.sleep(1)
            link.carry()
        await clock.sleep(1)

    bench = Bench(CUFF, Scripted({"2a2b": CLOCK}))
    bench.begin = bench.clock.now()
    return bench.run(talk)


def filling(*pressures):
    return [("2a36", f"00 {mmhg:02x}00 0000 0000") for mmhg in pressures]


FRESH = ("2a35", f"02 {PRESSURE} ea07 01 05 08 00 0b")  # 08:00:11, six seconds after the clock read
STORED = ("2a35", f"02 {PRESSURE} ea07 01 05 07 30 00")


def test_a_pressure_whose_cuff_was_seen_to_fill_began_when_the_pump_did():
    bench = cuff_session(*filling(15, 90, 150, 120, 80), FRESH)
    (measurement,) = bench.measurements
    before_s = (measurement.began.mono_ns - bench.begin.mono_ns) / 10**9
    assert before_s == pytest.approx(-15 / 3)  # seen at once; no pump makes less than 3 mmHg in one


@pytest.mark.parametrize(
    "seen",
    [
        filling(150, 120, 80, 40, 20),  # heard in the middle
        filling(30, 25, 20, 15, 10),  # heard at the end
        filling(15, 30, 40, 50, 60),  # not as far as the mean pressure: another's
        [("2a36", "00 ff07 0000 0000"), *filling(90, 150, 80)],  # the first is no number
        [],
    ],
)
def test_a_pressure_whose_cuff_was_not_seen_to_fill_has_no_beginning(seen):
    (measurement,) = cuff_session(*seen, FRESH).measurements
    assert measurement.began is None


def test_a_stored_pressure_sent_while_the_cuff_works_does_not_take_the_beginning():
    bench = cuff_session(*filling(15, 90, 150), STORED, *filling(80), FRESH)
    assert [m.began is None for m in bench.measurements] == [True, False]


def test_a_pressure_without_a_time_has_no_beginning_whatever_was_seen():
    (measurement,) = cuff_session(*filling(15, 90, 150), ("2a35", f"00 {PRESSURE}")).measurements
    assert measurement.began is None
    assert Flag.FROM_MEMORY in measurement.flags


def test_a_beginning_is_used_once():
    second = ("2a35", f"02 {PRESSURE} ea07 01 05 08 00 0c")
    bench = cuff_session(*filling(15, 90, 150, 120, 80), FRESH, second)
    assert [m.began is None for m in bench.measurements] == [False, True]


# --- nothing is doubled


def test_the_same_bytes_with_their_time_are_one_measurement():
    payload = f"02 {PRESSURE} ea07 01 05 07 3b 1e"
    bench = Bench(CUFF, Scripted()).hears("2a35", payload, payload, payload)
    assert len(bench.measurements) == 1
    assert bench.host.counts["duplicates"] == 2
    assert bench.host.settled == {2, 3}


@pytest.mark.parametrize("payload", [f"00 {PRESSURE}", f"02 {PRESSURE} 0000 01 05 07 3b 1e"])
def test_the_same_bytes_without_a_full_time_are_told_again_and_flagged(payload):
    bench = Bench(CUFF, Scripted()).hears("2a35", payload, payload)
    assert [Flag.POSSIBLE_DUPLICATE in m.flags for m in bench.measurements] == [False, True]
    assert all(Flag.FROM_MEMORY in m.flags for m in bench.measurements)


def test_equal_values_of_a_stream_are_nothing_special():
    bench = Bench("ble-heart-rate", Scripted()).hears("2a37", "00 42", "00 42", "00 42")
    assert [m.flags for m in bench.measurements] == [frozenset()] * 3


# --- when it was made


@settings(max_examples=25)
@given(
    ahead_s=st.integers(-(10**8), 10**8),
    ago_s=st.integers(0, 10**6),
    shown=st.booleans(),
)
def test_an_age_is_right_however_wrong_the_clock_is(ahead_s, ago_s, shown):
    now = datetime.fromisoformat("2026-01-05T08:00:05") + timedelta(seconds=ahead_s)
    taken = now - timedelta(seconds=ago_s)
    read = stamp(now) + "01 00 00" if shown else stamp(now)
    bench = Bench(CUFF, Scripted({"2a2b" if shown else "2a08": read}))
    bench.hears("2a35", f"02 {PRESSURE} {stamp(taken)}")
    time = bench.measurements[0].device_time
    waited_s = (bench.measurements[0].at.mono_ns - bench.host.kept[0].at.mono_ns) / 1e9
    assert time.local == taken
    assert time.age_s == pytest.approx(ago_s + waited_s)
    assert time.offset_s == pytest.approx(ahead_s + 5, abs=1e-6)


def stamp(time):
    return time.year.to_bytes(2, "little").hex() + "".join(
        f"{part:02x}" for part in (time.month, time.day, time.hour, time.minute, time.second)
    )


@pytest.mark.parametrize(("second", "resolution_s"), [("1e", 1.0), ("00", 60.0)])
def test_a_time_at_the_full_minute_may_well_have_no_seconds(second, resolution_s):
    bench = Bench(CUFF, Scripted({"2a2b": CLOCK}))
    bench.hears("2a35", f"02 {PRESSURE} ea07 01 05 07 3b {second}")
    assert bench.measurements[0].device_time.resolution_s == resolution_s


def test_without_a_clock_that_can_be_read_a_time_has_no_age():
    bench = Bench(CUFF, Scripted()).hears("2a35", f"02 {PRESSURE} ea07 01 05 07 3b 1e")
    time = bench.measurements[0].device_time
    assert (time.local, time.age_s) == (datetime.fromisoformat("2026-01-05T07:59:30"), None)


@pytest.mark.parametrize(
    "date", ["0000 01 05 07 3b 1e", "ea07 02 1e 07 3b 1e", "ea07 01 05 18 00 00"]
)
def test_a_value_with_an_impossible_date_is_told_without_one(date):
    bench = Bench(CUFF, Scripted({"2a2b": CLOCK})).hears("2a35", f"02 {PRESSURE} {date}")
    (measurement,) = bench.measurements
    assert measurement.device_time is None
    assert said(measurement)[Metric.SYSTOLIC] == 120.0


def test_five_readings_of_others_come_oldest_first_each_with_its_age():
    bench = virtual(CUFF, 40, backlog=5, clock_ahead_s=95.0, measure_at_s=(30.0,))
    ages = [m.device_time.age_s for m in bench.measurements]
    assert [round(age / 60) for age in ages] == [335, 268, 201, 134, 67, 0]


# --- the clock is set


SET = frozenset({Write.SET_CLOCK})


def cuff_with_clock(shows, sets_to="ea07 01 05 08 00 00 01 00 00"):
    write = ("2a2b", "ea070105080000010000")
    return Scripted({"2a2b": shows}, answers={write: [("set", sets_to)]})


def test_a_clock_that_is_off_is_set_where_that_is_granted_and_read_again():
    bench = Bench(CUFF, cuff_with_clock("ea07 01 05 09 00 05 01 00 00"), SET)
    bench.hears("2a35", f"02 {PRESSURE} ea07 01 05 06 00 05")
    assert bench.notices == [(NoticeKind.CLOCK, "the clock was +3605 s off and is set")]
    assert bench.link.written == [
        (Write.SET_CLOCK, "2a2b", bytes.fromhex("ea07 01 05 08 00 00 01 00 00"))
    ]


@pytest.mark.parametrize(
    ("before", "taken", "age_s"),
    [
        # An hour fast: a value of two hours ago can only be of the clock as it was.
        ("ea07 01 05 09 00 05 01 00 00", "ea07 01 05 07 00 05", 7200),
        # An hour fast: "now" may be an hour ago. Nobody can say.
        ("ea07 01 05 09 00 05 01 00 00", "ea07 01 05 08 00 01", None),
        # An hour slow: "now" can only be of the clock as it is.
        ("ea07 01 05 07 00 05 01 00 00", "ea07 01 05 08 00 01", 0),
    ],
)
def test_after_the_clock_was_set_a_time_is_placed_only_where_one_clock_can_have_made_it(
    before, taken, age_s
):
    bench = Bench(CUFF, cuff_with_clock(before), SET).hears("2a35", f"02 {PRESSURE} {taken}")
    age = bench.measurements[0].device_time.age_s
    assert age is None if age_s is None else age == pytest.approx(age_s, abs=3)


def test_a_clock_that_is_right_is_left_alone():
    bench = Bench(CUFF, cuff_with_clock(CLOCK), SET).run()
    assert (bench.link.written, bench.notices) == ([], [])


def test_a_hub_that_does_not_know_the_time_sets_no_clock():
    peripheral = cuff_with_clock("ea07 01 05 09 00 05 01 00 00")
    bench = Bench(CUFF, peripheral, SET, trusted=False).run()
    assert bench.link.written == []
    assert "cannot be trusted" in bench.notices[0][1]


def test_a_clock_that_refuses_to_be_set_stays_the_clock_it_is_compared_by():
    bench = Bench(CUFF, Scripted({"2a2b": "ea07 01 05 09 00 05 01 00 00"}), SET)
    bench.hears("2a35", f"02 {PRESSURE} ea07 01 05 08 3b 1e")
    assert "refuses it" in bench.notices[0][1]
    assert bench.measurements[0].device_time.age_s == pytest.approx(35, abs=3)


@pytest.mark.parametrize(
    ("shows_then", "said"),
    [
        ("ea07 01 05 09 00 05 01 00 00", "the clock was not set: it is +3605 s off as before"),
        (
            "ea07 01 05 08 10 00 01 00 00",
            "the clock was +3605 s off; it was set and shows +960 s off",
        ),
        (
            "0000 00 00 00 00 00 00 00 00",
            "the clock was +3605 s off and was set; it cannot be read back",
        ),
    ],
)
def test_a_clock_counts_as_set_only_when_it_shows_it(shows_then, said):
    bench = Bench(CUFF, cuff_with_clock("ea07 01 05 09 00 05 01 00 00", shows_then), SET).run()
    assert bench.notices == [(NoticeKind.CLOCK, said)]


def test_values_go_by_the_clock_as_it_was_where_setting_it_changed_nothing():
    shows = "ea07 01 05 09 00 05 01 00 00"
    bench = Bench(CUFF, cuff_with_clock(shows, shows), SET)
    bench.hears("2a35", f"02 {PRESSURE} ea07 01 05 08 3b 1e")
    assert bench.measurements[0].device_time.age_s == pytest.approx(35, abs=3)


def test_a_clock_that_is_off_and_may_not_be_set_is_told():
    bench = Bench(CUFF, Scripted({"2a2b": "ea07 01 05 09 00 05 01 00 00"})).run()
    assert bench.notices == [(NoticeKind.CLOCK, "the clock is +3605 s off")]


def test_a_clock_in_the_instruments_own_service_is_set_there():
    write = ("2a08", "ea070105080000")
    peripheral = Scripted(answers={write: [("set", "ea07 01 05 08 00 00")]})
    bench = Bench(CUFF, peripheral, SET).run()
    assert bench.notices == [(NoticeKind.CLOCK, "the clock showed no time and is set")]


def test_the_clock_is_set_to_the_local_time_of_its_zone():
    write = ("2a2b", "ea070105090000010000")
    peripheral = Scripted({"2a2b": CLOCK}, answers={write: [("set", CLOCK)]})
    bench = Bench(CUFF, peripheral, SET, zone="Europe/Vienna").run()
    assert [written[2].hex() for written in bench.link.written] == [write[1]]


# --- stored records


FETCH = frozenset({Write.FETCH})
FETCH_AND_DELETE = FETCH | {Write.DELETE_RECORDS}
SPOT = "01 6100 4800 ea07 01 05 06 00 0"
COUNT, REPORT, DELETE = "0401", "0101", "0201"


def oximeter_with_records(*records, counts=None, more=None):
    """A peripheral that reports these, and says each time how many it has."""
    count = bytes([5, 0, counts if counts is not None else len(records), 0]).hex()
    answers = {
        ("2a52", COUNT): [("2a52", count)],
        ("2a52", REPORT): [*(("2a5e", record) for record in records), ("2a52", "06000101")],
        ("2a52", DELETE): [("2a52", "06000201")],
    }
    return Scripted(answers=answers | (more or {}))


def requests(bench):
    return [data.hex() for _, channel, data in bench.link.written if channel == "2a52"]


def test_nothing_is_fetched_without_the_grant():
    bench = Bench(OXIMETER, oximeter_with_records(SPOT + "1")).run()
    assert (bench.link.written, bench.link.refused, bench.measurements) == ([], [], [])


def test_records_are_fetched_and_stay_where_deleting_is_not_granted():
    bench = Bench(OXIMETER, oximeter_with_records(SPOT + "1", SPOT + "2"), FETCH).run()
    assert len(bench.measurements) == 2
    assert requests(bench) == [COUNT, REPORT]


def test_records_that_all_came_are_counted_again_and_deleted_where_that_is_granted():
    bench = Bench(OXIMETER, oximeter_with_records(SPOT + "1", SPOT + "2"), FETCH_AND_DELETE).run()
    assert requests(bench) == [COUNT, REPORT, COUNT, DELETE]
    assert len(bench.measurements) == 2
    assert bench.notices == []


@pytest.mark.parametrize(
    "records",
    [
        [SPOT + "1"],  # one is missing
        [SPOT + "1", SPOT + "1"],  # one came twice, so one is missing
        [SPOT + "1", "01 6100"],  # one was no payload
    ],
)
def test_nothing_is_deleted_when_not_every_record_came_whole(records):
    peripheral = oximeter_with_records(*records, counts=2)
    bench = Bench(OXIMETER, peripheral, FETCH_AND_DELETE).run()
    assert requests(bench) == [COUNT, REPORT]
    assert bench.notices == [(NoticeKind.REFUSED, "2 records are stored, 1 came")]


def test_nothing_is_deleted_when_a_record_was_added_meanwhile():
    peripheral = oximeter_with_records(SPOT + "1")
    bench = Bench(OXIMETER, peripheral, FETCH_AND_DELETE)
    peripheral.answers["2a52", REPORT].append(("2a52", "05000200"))
    bench.run()
    assert DELETE not in requests(bench)
    assert "records were not deleted" in bench.notices[0][1]


@pytest.mark.parametrize("answer", ["05000000", "06000406"])
def test_an_empty_memory_is_not_asked_for_more(answer):
    peripheral = oximeter_with_records(more={("2a52", COUNT): [("2a52", answer)]})
    bench = Bench(OXIMETER, peripheral, FETCH_AND_DELETE).run()
    assert (requests(bench), bench.notices) == ([COUNT], [])


def test_an_oximeter_that_cannot_count_may_still_report_and_nothing_is_deleted():
    answers = {
        ("2a52", COUNT): [("2a52", "06000402")],
        ("2a52", REPORT): [("2a5e", SPOT + "1"), ("2a52", "06000101")],
    }
    peripheral = oximeter_with_records(more=answers)
    bench = Bench(OXIMETER, peripheral, FETCH).run()
    assert requests(bench) == [COUNT, REPORT]
    assert len(bench.measurements) == 1


def test_a_refusal_of_the_control_point_is_told():
    bench = Bench(OXIMETER, Scripted(), FETCH).run()
    assert bench.notices[0][0] is NoticeKind.REFUSED
    assert "0x80" in bench.notices[0][1]


def test_a_virtual_oximeter_forgets_what_was_deleted_and_nothing_else():
    oximeter = REGISTRY[OXIMETER].simulator()(1, backlog=3, streams=False, measure_at_s=(8.0,))
    bench = Bench(OXIMETER, oximeter, FETCH_AND_DELETE)
    bench.run(lambda clock, link: on_the_air(link, clock, 5))
    assert len(bench.measurements) == 3
    bench.run(lambda clock, link: on_the_air(link, clock, 10))
    assert len(bench.measurements) == 4


# --- what it means


def test_a_status_bit_that_the_cuff_cannot_set_means_nothing_and_stays_in_the_evidence():
    bench = Bench(CUFF, Scripted({"2a49": "0100"})).hears("2a35", f"10 {PRESSURE} 2700")
    (measurement,) = bench.measurements
    assert measurement.flags - {Flag.FROM_MEMORY} == {Flag.BODY_MOVEMENT}
    assert ("measurement-status", "0027") in measurement.evidence


@pytest.mark.parametrize(
    ("status", "pulse"),
    [("0000", 60.0), ("0800", Status.OVER_RANGE), ("1000", Status.UNDER_RANGE), ("1800", 60.0)],
)
def test_a_pulse_beyond_what_the_cuff_measures_is_no_value(status, pulse):
    bench = Bench(CUFF, Scripted()).hears("2a35", f"14 {PRESSURE} 3c00 {status}")
    assert said(bench.measurements[0])[Metric.PULSE_RATE] == pulse


@pytest.mark.parametrize(("user", "shown"), [("ff", "unknown"), ("03", "3")])
def test_a_user_is_evidence(user, shown):
    bench = Bench(CUFF, Scripted()).hears("2a35", f"08 {PRESSURE} {user}")
    assert bench.measurements[0].evidence == (("user", shown),)


def test_a_cuff_that_inflates_is_told_once_and_gives_no_blood_pressure():
    bench = virtual(CUFF, 30)
    assert bench.notices.count((NoticeKind.STATE, "the cuff is measuring")) == 1
    assert len(bench.measurements) == 1


def test_a_low_battery_goes_with_every_value():
    bench = Bench(CUFF, Scripted({"2a19": "05"})).hears("2a35", f"00 {PRESSURE}")
    assert Flag.LOW_BATTERY in bench.measurements[0].flags


@pytest.mark.parametrize(
    ("payload", "site"),
    [("00 730100ff", "mouth"), ("04 730100ff 03", "ear"), ("04 730100ff 63", None)],
)
def test_the_site_of_a_temperature_is_its_own_or_else_the_thermometers(payload, site):
    bench = Bench(THERMOMETER, Scripted({"2a1d": "06"})).hears("2a1c", payload)
    assert bench.measurements[0].evidence == ((("site", site),) if site else ())


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ("04 6200 4800 0004", Status.ARTIFACT),  # demonstration
        ("04 6200 4800 0008", Status.ARTIFACT),  # test
        ("04 6200 4800 0080", Status.ARTIFACT),  # invalid
        ("04 6200 4800 0010", Status.NOT_CALIBRATED),
        ("04 6200 4800 0020", Status.NO_VALUE),
        ("08 6200 4800 020000", Status.FAILED),
        ("08 6200 4800 004000", Status.FAILED),
        ("08 6200 4800 080000", Status.ARTIFACT),
        ("08 6200 4800 800000", Status.ARTIFACT),
        ("08 6200 4800 000800", Status.SENSOR_OFF),
        ("08 6200 4800 002000", Status.SENSOR_OFF),
        ("08 6200 4800 008000", Status.SENSOR_DISCONNECTED),
    ],
)
def test_what_an_oximeter_disowns_is_no_value(payload, status):
    bench = Bench(OXIMETER, Scripted()).hears("2a5f", payload)
    assert set(said(bench.measurements[0]).values()) == {status}


@pytest.mark.parametrize(
    ("payload", "flags"),
    [
        ("04 6200 4800 4000", {Flag.QUESTIONABLE}),
        ("04 6200 4800 0040", {Flag.QUESTIONABLE}),
        ("04 6200 4800 8000", {Flag.GOOD_QUALITY}),
        ("04 6200 4800 0002", {Flag.FROM_MEMORY}),
        ("08 6200 4800 100000", {Flag.ARTIFACT}),
        ("08 6200 4800 200000", {Flag.LOW_PERFUSION}),
        ("08 6200 4800 000100", {Flag.QUESTIONABLE}),
        ("08 6200 4800 0000ff", set()),  # the reserved byte, which a vendor uses
    ],
)
def test_what_an_oximeter_only_doubts_is_a_flagged_value(payload, flags):
    bench = Bench(OXIMETER, Scripted()).hears("2a5f", payload)
    assert said(bench.measurements[0])[Metric.SPO2] == 98.0
    assert bench.measurements[0].flags == flags


def test_a_spot_check_whose_clock_was_never_set_has_no_time():
    bench = Bench(OXIMETER, Scripted({"2a2b": CLOCK}))
    bench.hears("2a5e", "11 6200 4800 ea07 01 05 08 00 01")
    assert bench.measurements[0].device_time is None
    assert bench.measurements[0].flags == {Flag.FROM_MEMORY}


# --- one measurement in two payloads


FIRST = "0214 e100 ea07 01 05 07 3b 1e 8a38"
SECOND = "4010 e100 d02b"


def test_two_halves_are_one_measurement_that_settles_both():
    bench = Bench(SCALE, Scripted()).hears("2a9c", FIRST, SECOND)
    (measurement,) = bench.measurements
    assert said(measurement) == {Metric.BODY_FAT: 22.5, Metric.WEIGHT: 72.37}
    assert ("fat-free-mass", "56.08 kg") in measurement.evidence
    assert measurement.kept == (1, 2)
    assert measurement.raw == bytes.fromhex(FIRST + SECOND)


def test_a_half_that_comes_twice_is_one_half():
    bench = Bench(SCALE, Scripted()).hears("2a9c", FIRST, FIRST, SECOND)
    assert [m.kept for m in bench.measurements] == [(1, 3)]
    assert bench.host.settled == {2}


def test_the_first_half_of_the_next_person_does_not_complete_that_of_the_one_before():
    first_of_next = "0214 c800 ea07 01 05 07 3f 1e 2c2e"
    bench = Bench(SCALE, Scripted()).hears("2a9c", FIRST, first_of_next, "4010 c800 d02b")
    alone, whole = bench.measurements
    assert said(alone) == {Metric.BODY_FAT: 22.5, Metric.WEIGHT: 72.37}
    assert (Flag.QUESTIONABLE in alone.flags, alone.kept) == (True, (1,))
    assert said(whole) == {Metric.BODY_FAT: 20.0, Metric.WEIGHT: 59.1}
    assert (Flag.QUESTIONABLE in whole.flags, whole.kept) == (False, (2, 3))
    assert bench.host.settled == set()


def test_a_weight_between_two_halves_is_its_own():
    peripheral = Scripted()

    async def talk(clock, link):
        for channel, data in (("2a9c", FIRST), ("2a9d", "00 d430"), ("2a9c", SECOND)):
            peripheral.say(channel, data)
            await clock.sleep(1)
            link.carry()
        await clock.sleep(1)

    bench = Bench(SCALE, peripheral).run(talk)
    assert [(m.kind, m.kept) for m in bench.measurements] == [
        ("weight", (2,)),
        ("body-composition", (1, 3)),
    ]


def test_a_half_whose_other_half_never_comes_is_told_as_a_half():
    bench = Bench(SCALE, Scripted()).hears("2a9c", FIRST)
    (measurement,) = bench.measurements
    assert Flag.QUESTIONABLE in measurement.flags
    assert measurement.kept == (1,)


def test_a_whole_body_composition_does_not_complete_a_half():
    bench = Bench(SCALE, Scripted()).hears("2a9c", FIRST, "0000 c800")
    assert [said(m)[Metric.BODY_FAT] for m in bench.measurements] == [20.0, 22.5]
    assert [m.kept for m in bench.measurements] == [(2,), (1,)]


# --- together with the virtual instruments


@pytest.mark.parametrize("name", [CUFF, THERMOMETER, OXIMETER, SCALE, "ble-heart-rate"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_bad_radio_doubles_nothing_that_has_a_time(name, seed):
    peripheral = REGISTRY[name].simulator()(seed, backlog=4)
    bench = Bench(name, peripheral, FETCH)
    damage = RadioDamage(lose=0.1, duplicate=0.5, swap=0.5)
    bench.run(lambda clock, link: on_the_air(link, clock, 40), damage=damage, seed=seed)
    stamped = [(m.kind, m.raw) for m in bench.measurements if m.device_time]
    assert len(set(stamped)) == len(stamped)
    assert [item for item in bench.items if isinstance(item, Skipped)] == []


# ---- models that differ


def told_by(name, model, peripheral, granted=frozenset()):
    """Return what is emitted and what was written, of a model, until the connection is lost."""
    clock, entry = RecordedTime(START_NS), REGISTRY[name]
    link = MemoryGattLink(peripheral, clock.now, granted)
    driver = entry.factory()(BenchHost(clock, granted), entry.options({"model": model}))

    async def session():
        running = asyncio.ensure_future(items_until_lost(driver, link))
        await on_the_air(link, clock, 3)
        link.lose()
        return await running

    items = clock.run(session())
    return [item for item in items if isinstance(item, Measurement)], link.written


class Asked(Scripted):
    """A peripheral that takes whatever is written."""

    def write(self, channel, data):
        self.asked.append(("write", channel, data.hex()))


def test_an_and_cuff_is_asked_for_all_it_has_before_it_is_subscribed_to():
    cuff = Asked(reads={"2a08": "ea07 01 05 08 00 00"})
    told_by(CUFF, "and-ua651", cuff, frozenset({Write.FETCH}))
    commands = "233bf001-5a34-1b6d-975c-000d5690abe4"
    at = cuff.asked.index(("write", commands, "0200e1"))
    assert at < cuff.asked.index(("subscribe", "2a35"))
    plain = Asked()
    told_by(CUFF, None, plain, frozenset({Write.FETCH}))
    assert not any(each[0] == "write" for each in plain.asked)


@pytest.mark.parametrize(
    ("model", "minutes_off", "is_set"),
    [
        (None, 5, True),
        ("omron", 5, False),
        ("omron", 15, True),
        ("omron-hem9200t", 15, False),
    ],
)
def test_the_clock_of_an_omron_is_set_only_as_it_likes(model, minutes_off, is_set):
    cuff = Asked(reads={"2a2b": f"ea07 01 05 08 {minutes_off:02x} 00 01 00 00"})
    told_by(CUFF, model, cuff, frozenset({Write.SET_CLOCK}))
    assert any(each[:2] == ("write", "2a2b") for each in cuff.asked) is is_set


def test_of_a_thermometer_that_corrects_itself_the_last_value_of_a_connection_counts():
    rising = ("00 6c0100ff", "00 700100ff", "00 730100ff")
    probe = Asked()
    probe.say("2a1c", *rising)
    told, _ = told_by(THERMOMETER, "beurer-ft95", probe)
    assert [item.readings[0].value for item in told] == [37.1]
    other = Asked()
    other.say("2a1c", *rising)
    told, _ = told_by(THERMOMETER, None, other)
    assert [item.readings[0].value for item in told] == [36.4, 36.8, 37.1]


def test_the_breaths_of_a_choicemmed_are_evidence():
    spot = "2f 6200 3e00 e407 07 02 0d 2d 3b 2000 00000c 2af0"
    for model, said in (("choicemmed-c208s", ["12"]), (None, [])):
        oximeter = Asked()
        oximeter.say("2a5e", spot)
        (told,), _ = told_by(OXIMETER, model, oximeter)
        assert [text for name, text in told.evidence if name == "respiration-rate"] == said


def test_a_model_without_quirks_is_refused_with_those_there_are():
    with pytest.raises(SettingsError, match=r"no quirks here; there are and-ua651.*omron"):
        REGISTRY[CUFF].options({"model": "omrom"})
