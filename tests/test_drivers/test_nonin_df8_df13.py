"""Nonin Data Formats 8 and 13: their fields bit by bit, and what is no frame of theirs."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Skipped
from drivers.protocols.nonin import Decoder, encode
from drivers.protocols.nonin_df8 import SecondFrame, SecondStatus, Stat2
from drivers.protocols.nonin_df13 import MAX_DATA, SpotCheck, SpotStatus, bcd_stamp

FRESH = bytes.fromhex("00 02 00 0d 00 0e 20 26 11 23 14 30 15 50 02 00 00 4a 00 60 cf 03")


def test_a_second_has_nine_bits_of_heart_rate_seven_in_the_low_byte():
    (got,) = Decoder(8).feed(bytes.fromhex("81 05 61 20"))
    assert (got.heart_rate, got.spo2, got.stat2) == (133, 97, Stat2.SMARTPOINT)


def test_a_second_says_511_and_127_for_missing():
    (got,) = Decoder(8).feed(bytes.fromhex("83 7f 7f 08"))
    assert (got.heart_rate, got.spo2, got.stat2) == (None, None, Stat2.SENSOR_ALARM)


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (0x84, SecondStatus.ARTIFACT),
        (0x88, SecondStatus.MARGINAL_PERFUSION),
        (0x90, SecondStatus.LOW_PERFUSION),
        (0xA0, SecondStatus.OUT_OF_TRACK),
        (0xC0, SecondStatus.SENSOR_DISCONNECTED),
    ],
)
def test_a_second_says_what_disturbs_it(first, status):
    (got,) = Decoder(8).feed(bytes([first, 0x48, 0x61, 0x20]))
    assert got.status == status


def test_a_second_cut_short_ends_at_the_next_and_costs_belief_until_four_stand_in_a_row():
    whole = bytes.fromhex("80 48 61 20")
    decoder = Decoder(8)
    assert len(decoder.feed(whole)) == 1
    assert decoder.feed(whole[:2] + whole * 3 + whole[:3]) == [Skipped(whole[:2])]
    assert decoder.feed(whole[3:]) == [SecondFrame(0, 72, 97, 0x20)] * 4
    assert decoder.feed(whole) == [SecondFrame(0, 72, 97, 0x20)]


@given(st.integers(0, 31), st.integers(0, 511), st.integers(0, 127), st.integers(0, 127))
def test_every_second_survives_being_encoded_and_decoded(status, rate, spo2, stat2):
    frame = SecondFrame(status << 2, rate, spo2, stat2)
    assert Decoder(8).feed(encode(frame)) == [frame]


def test_a_record_is_read_as_documented():
    (got,) = Decoder().feed(FRESH)
    assert got.taken == datetime.fromisoformat("2026-11-23T14:30:15.5")
    assert (got.heart_rate, got.spo2) == (74, 96)
    assert got.status == SpotStatus.SMARTPOINT


def test_a_record_is_written_as_documented():
    stamp = bcd_stamp(datetime.fromisoformat("2026-11-23T14:30:15.5"))
    assert encode(SpotCheck(stamp, SpotStatus.SMARTPOINT, 74, 96)) == FRESH


def record(**changes):
    fields = {
        "stamp": bcd_stamp(datetime.fromisoformat("2026-01-05T08:00:00")),
        "status": 0,
        "rate_code": 72,
        "spo2_code": 97,
    }
    return SpotCheck(**(fields | changes))


@pytest.mark.parametrize("rate", [127, 128, 200, 255, 256, 321])
def test_a_record_has_eight_bits_of_heart_rate_in_its_low_byte(rate):
    (got,) = Decoder().feed(encode(record(rate_code=rate)))
    assert got.heart_rate == rate


def test_a_record_says_511_and_127_for_missing():
    (got,) = Decoder().feed(encode(record(rate_code=511, spo2_code=127)))
    assert (got.heart_rate, got.spo2) == (None, None)


def test_undefined_bits_above_the_heart_rate_and_the_saturation_are_masked():
    wire = bytearray(encode(record(rate_code=72, spo2_code=97)))
    wire[16] |= 0xFE
    wire[19] |= 0x80
    wire[20] = sum(wire[6:20]) & 0xFF
    (got,) = Decoder().feed(bytes(wire))
    assert (got.heart_rate, got.spo2) == (72, 97)


def test_the_time_is_bcd_and_not_binary():
    (got,) = Decoder().feed(encode(record(stamp=bytes.fromhex("2031123123595999"))))
    assert got.taken == datetime.fromisoformat("2031-12-31T23:59:59.99")


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param("2026130508000000", id="month 13"),
        pytest.param("20261a0508000000", id="not BCD"),
        pytest.param("0000000000000000", id="never set"),
        pytest.param("2026022908000000", id="no leap year"),
        pytest.param("2026010524000000", id="hour 24"),
    ],
)
def test_a_time_that_is_none_is_none_and_the_record_stays(stamp):
    (got,) = Decoder().feed(encode(record(stamp=bytes.fromhex(stamp))))
    assert (got.taken, got.spo2) == (None, 97)


def test_a_longer_record_of_later_firmware_is_read_by_its_length():
    later, next_one = record(extra=b"\x03\x00\x02\x03"), record(spo2_code=88)
    assert Decoder().feed(encode(later) + encode(next_one)) == [later, next_one]


def test_the_sum_covers_the_data_alone():
    assert FRESH[20] == sum(FRESH[6:20]) & 0xFF
    wrong = FRESH[:20] + bytes([sum(FRESH[:20]) & 0xFF]) + FRESH[21:]
    assert [type(item) for item in Decoder().feed(wrong)] == [Skipped]


@pytest.mark.parametrize("size", [0, 13, MAX_DATA + 1, 0xFFFF])
def test_a_length_no_record_has_is_not_waited_for(size):
    wire = FRESH[:4] + size.to_bytes(2) + FRESH[6:]
    assert Decoder().feed(wire + FRESH) == [Skipped(wire), *Decoder().feed(FRESH)]


def test_a_damaged_record_costs_itself_and_not_the_next():
    damaged = FRESH[:17] + b"\x4b" + FRESH[18:]
    assert Decoder().feed(damaged + FRESH) == [Skipped(damaged), *Decoder().feed(FRESH)]


@given(
    st.binary(min_size=8, max_size=8),
    st.integers(0, 0xFFFF),
    st.integers(0, 511),
    st.integers(0, 127),
    st.integers(0, 255),
    st.binary(max_size=MAX_DATA - 14),
)
def test_every_record_survives_being_encoded_and_decoded(stamp, status, rate, spo2, res, extra):
    sent = SpotCheck(stamp, status, rate, spo2, res, extra)
    assert Decoder().feed(encode(sent)) == [sent]
