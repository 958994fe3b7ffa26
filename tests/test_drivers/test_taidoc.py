"""What TaiDoc's stored records mean, and what the hub asks to get them."""

import asyncio
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Write
from drivers.instruments.taidoc import ClockReading, Record, Settings, TaiDoc, meaning
from drivers.instruments.taidoc.overheard import Overheard
from drivers.model import Flag, Instant, InstrumentId, Kind, Measurement, Metric, Notice, Status
from drivers.protocols import taidoc
from drivers.protocols.taidoc import Decoder, Reply, command, encode, scrub, time_bytes
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.memory_port import speak
from drivers.virtual.taidoc import VirtualTaiDoc

AT = Instant(0, 0, trusted=True)
ASKED = frozenset({Write.FETCH, Write.IDENTIFY})
TIME = Reply(0x25, time_bytes(datetime.fromisoformat("2026-01-05T08:30")))


def bp_time(extra_minute=0x80, extra_hour=0):
    day, month, minute, hour = TIME.data
    return Reply(0x25, bytes((day, month, minute | extra_minute, hour | extra_hour)))


def said(kind, value, time=None, clock=None, **options):
    time = time or (bp_time() if kind is Kind.BLOOD_PRESSURE else TIME)
    record = Record(time, Reply(0x26, bytes(value), b"raw"))
    (item,) = meaning(kind, record, AT, clock, Settings(**options))
    return item


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


@pytest.mark.parametrize(
    ("wire", "reply"),
    [
        ("51 26 61 00 3C 4C A5 05", Reply(0x26, bytes.fromhex("61003C4C"))),
        ("51 24 28 31 00 00 A5 73", Reply(0x24, bytes.fromhex("28310000"))),
    ],
)
def test_a_frame_of_the_sources_is_read(wire, reply):
    assert Decoder().feed(bytes.fromhex(wire)) == [reply]
    assert encode(reply) == bytes.fromhex(wire)


def test_the_oximeter_record_of_the_sources_is_97_percent_and_76():
    assert values(said(Kind.OXIMETRY, bytes.fromhex("61003C4C"))) == {
        Metric.SPO2: 97,
        Metric.PULSE_RATE: 76,
    }


def test_the_model_of_the_sources_is_3128():
    assert Reply(0x24, bytes.fromhex("28310000")).model == "3128"


def test_a_question_is_what_the_sources_ask():
    assert command(0x26, user=1) == bytes.fromhex("51 26 00 00 00 01 A3 1B")
    assert command(0x25) == bytes.fromhex("51 25 00 00 00 00 A3 19")


@given(st.datetimes(datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2099-12-31")))
def test_a_time_survives_its_four_bytes_to_the_minute(time):
    assert Reply(0x25, time_bytes(time)).time == time.replace(second=0, microsecond=0)


def test_a_time_that_is_no_date_is_none():
    assert Reply(0x25, bytes(4)).time is None


def test_a_cuff_record_has_its_mean_and_pulse():
    item = said(Kind.BLOOD_PRESSURE, (121, 92, 78, 69))
    assert values(item) == {
        Metric.SYSTOLIC: 121,
        Metric.DIASTOLIC: 78,
        Metric.MEAN_PRESSURE: 92,
        Metric.PULSE_RATE: 69,
    }
    assert (item.flags, item.raw) == ({Flag.FROM_MEMORY}, b"raw")


@pytest.mark.parametrize(("minute", "hour"), [(0xC0, 0), (0x80, 0x20), (0x80, 0x40)])
def test_an_irregular_heartbeat_is_flagged(minute, hour):
    item = said(Kind.BLOOD_PRESSURE, (121, 92, 78, 69), bp_time(minute, hour))
    assert item.flags == {Flag.FROM_MEMORY, Flag.IRREGULAR_PULSE}


def test_a_record_of_blood_sugar_is_told_and_not_taken():
    assert isinstance(said(Kind.BLOOD_PRESSURE, (112, 0, 0, 0), bp_time(0)), Notice)


@pytest.mark.parametrize("pulse", [0, 1, 3])
def test_a_pulse_of_3_or_less_is_no_value(pulse):
    item = said(Kind.BLOOD_PRESSURE, (121, 92, 78, pulse))
    assert values(item)[Metric.PULSE_RATE] is Status.NO_VALUE
    assert values(item)[Metric.SYSTOLIC] == 121


def test_pressures_no_patient_has_are_disbelieved():
    item = said(Kind.BLOOD_PRESSURE, (255, 90, 254, 80))
    assert values(item)[Metric.SYSTOLIC] is Status.IMPLAUSIBLE


@pytest.mark.parametrize(
    ("number", "options", "value"),
    [
        (366, {}, 36.6),
        (999, {}, Status.IMPLAUSIBLE),
        (3660, {}, 36.6),
        (4095, {}, 40.95),
        (0x1000 + 366, {}, Status.IMPLAUSIBLE),
        (0x1000 + 366, {"masked_temperature": True}, 36.6),
        (0, {}, Status.NO_VALUE),
        (0xFFFF, {}, Status.IMPLAUSIBLE),
    ],
)
def test_a_temperature_is_tenths_or_hundredths_and_never_a_guess(number, options, value):
    item = said(Kind.TEMPERATURE, (*number.to_bytes(2, "little"), 0, 0), **options)
    assert values(item) == {Metric.BODY_TEMPERATURE: value}


def test_a_record_is_placed_by_the_clock_that_was_read():
    clock = ClockReading(datetime.fromisoformat("2026-01-05T08:34"), AT, 60.5)
    time = said(Kind.OXIMETRY, (97, 0, 0, 70), clock=clock).device_time
    assert (time.local, time.age_s, time.age_error_s) == (
        datetime.fromisoformat("2026-01-05T08:30"),
        240,
        60.5,
    )


def test_without_the_clock_a_record_has_a_time_but_no_age():
    assert said(Kind.OXIMETRY, (97, 0, 0, 70)).device_time.age_s is None


def test_a_record_without_a_time_has_none_and_still_says_it_is_from_memory():
    item = said(Kind.OXIMETRY, (97, 0, 0, 70), Reply(0x25, bytes(4)))
    assert (item.device_time, item.flags) == (None, {Flag.FROM_MEMORY})


def test_scrubbing_takes_the_serial_number():
    assert scrub(Reply(0x27, b"\x01\x02\x03\x04")) == encode(Reply(0x27, bytes(4)))


def session(seconds, granted=ASKED, options=None, trusted=True, **scene):
    """Host, link and measurements of a session with the virtual instrument."""
    clock = RecordedTime(1767600000 * 10**9, trusted=trusted)
    virtual = VirtualTaiDoc(1, **scene)
    link = MemoryLink(clock.now, granted, hear=virtual.hear)
    host = BenchHost(clock, granted)

    async def run():
        driver = TaiDoc(host, Settings(**(options or {})))
        running = items_until_lost(driver, link)

        async def play():
            await speak(virtual, link, clock, seconds)
            link.lose()

        items, _ = await asyncio.gather(running, play())
        return items

    items = clock.run(run())
    return host, link, [item for item in items if isinstance(item, Measurement)]


def systolics(measurements):
    return [values(item)[Metric.SYSTOLIC] for item in measurements]


def test_each_record_is_told_once_however_often_it_is_asked_for():
    assert systolics(session(100)[2]) == [121, 118]


def test_the_backlog_is_read_only_as_far_as_set_and_oldest_first():
    assert systolics(session(20, options={"backlog": 3})[2]) == [148, 121]


def test_it_is_identified_by_model_and_serial_number():
    assert session(20)[0].identified == [InstrumentId("taidoc", "TD-3128", "0000000170546301")]


def test_without_identify_only_model_and_records_are_asked_for():
    _, link, got = session(20, granted=frozenset({Write.FETCH}))
    assert {data[1] for _, data in link.written} == {0x24, 0x25, 0x26}
    assert [item.device_time.age_s for item in got] == [None]


def test_a_hub_whose_own_clock_is_not_trusted_places_nothing():
    assert [item.device_time.age_s for item in session(20, trusted=False)[2]] == [None]


def test_a_clock_years_off_places_nothing():
    assert [item.device_time.age_s for item in session(20, clock_offset_s=-3e8)[2]] == [None]


def overheard(*replies, **options):
    heard = Overheard(Settings(**options))
    return [item for reply in replies for item in heard.read(reply, AT)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ((121, 92, 78, 69), Kind.BLOOD_PRESSURE),
        ((97, 0, 60, 76), Kind.OXIMETRY),
        ((0x6E, 0x01, 0xF5, 0), Kind.TEMPERATURE),  # 366: tenths, the room's temperature behind it
        ((0x4C, 0x0E, 0, 0), Kind.TEMPERATURE),  # 3660: hundredths
    ],
)
def test_a_record_heard_by_chance_is_read_where_its_bytes_can_be_one_thing(value, kind):
    (item,) = overheard(Reply(0x26, bytes(value), b"raw"))
    assert (item.kind, item.device_time, item.flags) == (kind, None, {Flag.FROM_MEMORY})


@pytest.mark.parametrize(
    "value", [(112, 0, 0, 0), (95, 0, 0, 64), (121, 92, 78, 3), (0xFF, 0xFF, 0xFF, 0xFF)]
)
def test_a_record_heard_by_chance_that_could_be_anything_is_told_and_not_guessed(value):
    (item,) = overheard(Reply(0x26, bytes(value), b"raw"))
    assert isinstance(item, Notice)


def test_the_model_heard_before_decides_and_the_time_heard_before_is_the_record_s():
    heard = (Reply(0x24, bytes.fromhex("28310000")), bp_time(0xC0))
    (item,) = overheard(*heard, Reply(0x26, bytes((121, 92, 78, 69)), b"raw"))
    assert item.device_time.local == datetime.fromisoformat("2026-01-05T08:30")
    assert Flag.IRREGULAR_PULSE in item.flags


def test_an_empty_record_heard_by_chance_says_nothing():
    assert overheard(TIME, Reply(0x26, bytes(4), b"raw")) == []


SCALE = encode(Reply(0x71, bytes(14) + (714).to_bytes(2, "big") + bytes(20)))


def test_a_scale_s_long_reply_is_tenths_of_a_kilogram_high_byte_first():
    (reply,) = Decoder().feed(SCALE)
    assert (len(SCALE), reply.weight) == (40, 71.4)
    (item,) = overheard(reply)
    assert (item.kind, values(item)) == (Kind.WEIGHT, {Metric.WEIGHT: 71.4})


def test_a_scale_is_asked_in_seven_bytes_and_its_weight_has_no_time():
    assert taidoc.scale_command(taidoc.SCALE) == bytes.fromhex("51 71 02 00 00 A3 67")
    assert taidoc.scale_command(taidoc.SCALES) == bytes.fromhex("51 77 02 00 00 A3 6D")
    _, link, got = session(20, model=0x2551, records=({"at_s": 5, "value": (202, 2, 0, 0)},))
    assert [values(item) for item in got] == [{Metric.WEIGHT: 71.4}]
    assert (got[0].device_time, got[0].flags) == (None, {Flag.FROM_MEMORY})
    assert {data[1] for _, data in link.written if len(data) == 7} == {0x77}
