"""What a Nonin oximeter's frames mean: which number is a value, and why others are not."""

from datetime import datetime

import numpy as np
import pytest

from drivers.instruments.nonin import meaning
from drivers.instruments.nonin.introduction import ClockReading, Learnt
from drivers.model import Flag, Instant, Kind, Metric, Status, Unit
from drivers.protocols.nonin import encode
from drivers.protocols.nonin_df8 import SecondFrame
from drivers.protocols.nonin_df13 import SpotCheck
from drivers.protocols.nonin_stream import PlethPacket

AT = Instant(wall_ns=1_767_600_000 * 10**9, mono_ns=60 * 10**9, trusted=True)
LATER = Instant(wall_ns=AT.wall_ns + 30 * 10**9, mono_ns=90 * 10**9, trusted=True)
NO_RATE, NO_SPO2 = 511, 127

OK, NAN = Status.OK, Status.NOT_A_NUMBER


def packet(*bits, rate=74, spo2=96, shown=None, data_format=2, stat2=0, light=0):
    """A packet with these status bits in its tenth frame and the light on from the fifth."""
    rate_shown, spo2_shown = shown or (rate, spo2)
    slots = bytearray(25)
    slots[0:2] = slots[13:15] = rate >> 7, rate & 0x7F
    slots[19:21] = slots[21:23] = rate_shown >> 7, rate_shown & 0x7F
    slots[2] = slots[9] = slots[10] = slots[15] = spo2
    slots[8] = slots[16] = spo2_shown
    slots[7] = stat2
    status = bytearray([0x81] + [0x80] * 24)
    for bit in bits:
        status[9] |= bit
    for index in range(4, 16):
        status[index] |= light
    return PlethPacket(data_format, bytes(status), tuple(range(100, 125)), bytes(slots))


def measured(*packets):
    stream = meaning.Stream()
    return [stream.packet(one, AT)[1] for one in packets][-1]


def second(**fields):
    frame = {"status": 0, "rate_code": 74, "spo2_code": 96, "stat2": 0} | fields
    return meaning.second(SecondFrame(**frame), AT)


def spot(learnt=None, at=AT, **fields):
    record = {
        "stamp": bytes.fromhex("2026010508003050"),
        "status": 0,
        "rate_code": 74,
        "spo2_code": 96,
    } | fields
    return meaning.spot_check(SpotCheck(**record), at, learnt or Learnt(), (7,))


def outcomes(measurement):
    """(SpO2, its status), (pulse rate, its status)."""
    by = {reading.metric: (reading.value, reading.status) for reading in measurement.readings}
    return by[Metric.SPO2], by[Metric.PULSE_RATE]


def statuses(measurement):
    return {status for _, status in outcomes(measurement)}


def test_a_packet_gives_the_displayed_values_in_the_units_sent():
    got = measured(packet(rate=70, spo2=95, shown=(74, 96)))
    assert outcomes(got) == ((96.0, OK), (74.0, OK))
    assert [reading.unit for reading in got.readings] == [Unit.PERCENT, Unit.PER_MIN]
    assert (got.kind, got.device_time, got.kept) == (Kind.OXIMETRY, None, ())


def test_a_measurement_holds_the_bytes_it_was_read_from():
    raw = encode(packet())
    got = measured(PlethPacket(2, raw[1::5], tuple(raw[2::5]), raw[3::5], raw))
    assert got.raw == raw


@pytest.mark.parametrize(
    ("bit", "status"),
    [
        pytest.param(0x40, Status.SENSOR_DISCONNECTED, id="SNSD"),
        pytest.param(0x08, Status.SENSOR_OFF, id="SNSA"),
        pytest.param(0x10, Status.ARTIFACT, id="OOT"),
    ],
)
@pytest.mark.parametrize("data_format", [2, 7])
def test_one_frame_that_disowns_the_sensor_takes_the_packet_s_values(bit, status, data_format):
    assert statuses(measured(packet(bit, data_format=data_format))) == {status}


def test_a_value_held_on_the_display_after_the_finger_has_gone_is_no_value():
    held = packet(0x08, rate=NO_RATE, spo2=NO_SPO2, shown=(74, 96))
    assert outcomes(measured(held)) == ((None, Status.SENSOR_OFF), (None, Status.SENSOR_OFF))


def test_a_value_on_the_display_that_the_recording_average_no_longer_has_is_no_value():
    held = packet(rate=NO_RATE, spo2=NO_SPO2, shown=(74, 96))
    assert outcomes(measured(held)) == ((None, Status.NO_VALUE), (None, Status.NO_VALUE))


def test_511_and_127_are_not_numbers():
    assert statuses(measured(packet(rate=NO_RATE, spo2=NO_SPO2))) == {NAN}


def test_a_missing_pulse_does_not_take_the_saturation_with_it():
    assert outcomes(measured(packet(rate=NO_RATE))) == ((96.0, OK), (None, NAN))


@pytest.mark.parametrize(
    ("rate", "spo2", "expected"),
    [
        (0, 0, (Status.NO_VALUE, Status.NO_VALUE)),
        (17, 101, (Status.IMPLAUSIBLE, Status.IMPLAUSIBLE)),
        (322, 126, (Status.IMPLAUSIBLE, Status.IMPLAUSIBLE)),
        (18, 1, (OK, OK)),
        (321, 100, (OK, OK)),
    ],
)
def test_numbers_that_no_patient_can_have_are_not_passed_on(rate, spo2, expected):
    got_spo2, got_rate = outcomes(measured(packet(rate=rate, spo2=spo2)))
    assert (got_rate[1], got_spo2[1]) == expected


def test_an_artifact_on_one_pulse_flags_the_value_and_leaves_it():
    got = measured(packet(0x20))
    assert (statuses(got), got.flags) == ({OK}, {Flag.ARTIFACT})


def test_out_of_track_is_flagged_too():
    assert measured(packet(0x10)).flags == {Flag.OUT_OF_TRACK}


@pytest.mark.parametrize(
    ("stat2", "flags"),
    [(0x20, {Flag.GOOD_QUALITY}), (0x01, {Flag.LOW_BATTERY}), (0x04, set())],
)
def test_stat2_gives_flags(stat2, flags):
    assert measured(packet(stat2=stat2)).flags == flags


@pytest.mark.parametrize(
    ("light", "flags"),
    [(0x02, set()), (0x06, {Flag.MEDIUM_PERFUSION}), (0x04, {Flag.LOW_PERFUSION})],
    ids=["green", "yellow", "red"],
)
def test_the_perfusion_light_stands_until_the_next_pulse(light, flags):
    assert measured(packet(light=light)).flags == flags
    assert measured(packet(light=light), packet()).flags == flags


def test_a_green_light_ends_a_weak_pulse():
    assert measured(packet(light=0x04), packet(light=0x02)).flags == set()


def test_the_perfusion_light_of_one_finger_is_not_told_of_the_next():
    assert measured(packet(light=0x04), packet(0x08), packet()).flags == set()


@pytest.mark.parametrize("data_format", [2, 7])
def test_a_packet_gives_25_samples_of_waveform_at_75_hz(data_format):
    wave, _ = meaning.Stream().packet(packet(data_format=data_format), AT)
    assert (wave.signals, wave.fs, wave.unit) == (("pleth",), 75.0, Unit.UNSCALED)
    assert wave.samples.tolist() == [list(range(100, 125))]


@pytest.mark.parametrize("bit", [0x08, 0x40])
def test_the_waveform_is_a_gap_where_there_is_no_finger(bit):
    wave, _ = meaning.Stream().packet(packet(bit), AT)
    assert np.flatnonzero(np.isnan(wave.samples[0])).tolist() == [9]


def test_a_second_gives_its_values():
    assert outcomes(second()) == ((96.0, OK), (74.0, OK))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"stat2": 0x08}, Status.SENSOR_OFF, id="SNSA, held value"),
        pytest.param({"status": 0x40}, Status.SENSOR_DISCONNECTED, id="SNSD"),
        pytest.param({"status": 0x20}, Status.ARTIFACT, id="OOT"),
        pytest.param({"rate_code": 511, "spo2_code": 127}, NAN, id="missing"),
    ],
)
def test_a_second_that_is_disowned_has_no_values(fields, status):
    assert statuses(second(**fields)) == {status}


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"status": 0x04}, Flag.ARTIFACT),
        ({"status": 0x08}, Flag.MEDIUM_PERFUSION),
        ({"status": 0x10}, Flag.LOW_PERFUSION),
        ({"stat2": 0x20}, Flag.GOOD_QUALITY),
        ({"stat2": 0x01}, Flag.LOW_BATTERY),
    ],
)
def test_a_second_s_bits_are_flags(fields, flag):
    got = second(**fields)
    assert (got.flags, statuses(got)) == ({flag}, {OK})


def test_a_spot_check_gives_its_values_with_the_instrument_s_time_and_settles_its_bytes():
    got = spot()
    assert outcomes(got) == ((96.0, OK), (74.0, OK))
    assert got.device_time.local == datetime.fromisoformat("2026-01-05T08:00:30.5")
    assert (got.device_time.resolution_s, got.device_time.age_s) == (0.01, None)
    assert got.kept == (7,)


def test_a_clock_that_leaves_the_hundredths_at_zero_counts_seconds():
    got = spot(stamp=bytes.fromhex("2026010508003000"))
    assert got.device_time.resolution_s == 1.0


def test_a_spot_check_without_a_measurement_failed():
    assert statuses(spot(status=0x0100, rate_code=511, spo2_code=127)) == {Status.FAILED}


def test_numbers_beside_no_measurement_are_not_passed_on():
    assert statuses(spot(status=0x0100)) == {Status.FAILED}


def test_a_spot_check_s_bits_are_flags():
    got = spot(status=0x0211)
    assert got.flags == {Flag.GOOD_QUALITY, Flag.FROM_MEMORY, Flag.LOW_BATTERY}


def test_a_spot_check_whose_time_is_unreadable_is_never_taken_for_fresh():
    got = spot(stamp=bytes.fromhex("2026130508003000"))
    assert got.device_time is None
    assert got.flags == {Flag.FROM_MEMORY, Flag.QUESTIONABLE}


def clock(local, at=AT):
    return ClockReading(datetime.fromisoformat(local), at, error_s=1.25, offset_s=100.0)


def test_a_record_s_age_is_what_the_instrument_s_clock_has_counted_since():
    learnt = Learnt()
    learnt.clock = clock("2026-01-05T08:02:10")
    time = spot(learnt).device_time
    assert (time.age_s, time.age_error_s, time.offset_s) == (99.5, 1.25, 100.0)


def test_a_record_s_age_is_told_at_its_arrival_and_not_at_the_reading_of_the_clock():
    learnt = Learnt()
    learnt.clock = clock("2026-01-05T08:02:10")
    assert spot(learnt, at=LATER).device_time.age_s == 129.5


def test_a_record_that_came_before_the_clock_was_read_has_an_age_too():
    learnt = Learnt()
    learnt.clock = clock("2026-01-05T08:02:40", at=LATER)
    assert spot(learnt, at=AT).device_time.age_s == 99.5


def test_a_record_from_memory_is_placed_by_the_clock_as_it_was_before_it_was_set():
    learnt = Learnt()
    learnt.clock_before = clock("2026-01-05T08:02:10")
    learnt.clock = clock("2026-01-05T07:00:00")
    assert spot(learnt, status=0x0010).device_time.age_s == 99.5


def test_a_fresh_record_is_placed_by_the_clock_as_it_was_set():
    learnt = Learnt()
    learnt.clock_before = clock("2026-01-05T11:00:00")
    learnt.clock = clock("2026-01-05T08:00:32")
    assert spot(learnt).device_time.age_s == 1.5
