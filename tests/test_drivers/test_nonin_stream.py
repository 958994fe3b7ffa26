"""Nonin Data Formats 2 and 7: what 25 frames hold, and what becomes of broken packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Skipped
from drivers.protocols.nonin import Decoder, encode
from drivers.protocols.nonin_control import Ack, ClockReply, DeviceTypeReply, Nak, SerialReply
from drivers.protocols.nonin_stream import FrameStatus, PlethPacket

STATUS = b"\x81" + b"\x80" * 24

both_formats = pytest.mark.parametrize("data_format", [2, 7])


def packet(data_format=2, status=STATUS, pleth=(0x43,) * 25, **slots):
    """A packet whose slots are 0 but for those named, as `slot_9=96`."""
    filled = bytearray(25)
    for name, value in slots.items():
        filled[int(name.removeprefix("slot_")) - 1] = value
    return PlethPacket(data_format, status, tuple(pleth), bytes(filled))


def in_frames(frame):
    wire = encode(frame)
    return [wire[at : at + 5] for at in range(0, 125, 5)]


def decoded(*pieces, data_format=None):
    return Decoder(data_format).feed(b"".join(pieces))


WORKED_SLOTS = dict.fromkeys(["slot_2", "slot_15", "slot_21", "slot_23"], 74) | dict.fromkeys(
    ["slot_3", "slot_9", "slot_10", "slot_11", "slot_16", "slot_17"], 96
)
WORKED = packet(**WORKED_SLOTS, slot_4=0x94, slot_7=0x17, slot_8=0x04)


def test_the_first_frames_of_the_worked_example_are_those_of_a_real_unit():
    assert in_frames(WORKED)[:4] == [
        bytes.fromhex("01 81 43 00 c5"),
        bytes.fromhex("01 80 43 4a 0e"),
        bytes.fromhex("01 80 43 60 24"),
        bytes.fromhex("01 80 43 94 58"),
    ]


def test_the_worked_example_says_74_and_96_everywhere():
    (got,) = decoded(encode(WORKED))
    rates = (got.heart_rate, got.heart_rate_8, got.heart_rate_display)
    saturations = (got.spo2, got.spo2_display, got.spo2_fast, got.spo2_beat)
    assert (rates, got.heart_rate_8_display) == ((74, 74, 74), 74)
    assert (saturations, got.spo2_8, got.spo2_8_display) == ((96, 96, 96, 96), 96, 96)
    assert (got.timer, got.firmware) == (0x17, 0x94)
    assert (got.smartpoint, got.low_battery) == (False, False)


def test_a_format_7_frame_has_its_status_first_and_a_waveform_of_16_bits():
    got = packet(7, pleth=(0x1234,) * 25, slot_1=0)
    assert in_frames(got)[0] == bytes.fromhex("81 12 34 00 c7")
    assert decoded(encode(got)) == [got]


def test_a_format_2_waveform_has_8_bits():
    (got,) = decoded(encode(packet(pleth=range(25))))
    assert got.pleth == tuple(range(25))


@both_formats
def test_each_slot_is_read_from_its_own_frame(data_format):
    numbered = PlethPacket(data_format, STATUS, (0,) * 25, bytes(range(1, 26)))
    (got,) = decoded(encode(numbered))
    assert got.heart_rate == (1 & 3) << 7 | 2
    assert got.spo2 == 3
    assert got.firmware == 4
    assert got.timer == 6 << 7 | 7
    assert (got.spo2_display, got.spo2_fast, got.spo2_beat) == (9, 10, 11)
    assert got.heart_rate_8 == (14 & 3) << 7 | 15
    assert (got.spo2_8, got.spo2_8_display) == (16, 17)
    assert got.heart_rate_display == (20 & 3) << 7 | 21
    assert got.heart_rate_8_display == (22 & 3) << 7 | 23


@both_formats
def test_511_and_127_are_missing_in_every_slot(data_format):
    (got,) = decoded(encode(PlethPacket(data_format, STATUS, (0,) * 25, b"\x7f" * 25)))
    rates = (got.heart_rate, got.heart_rate_8, got.heart_rate_display, got.heart_rate_8_display)
    assert rates == (None,) * 4
    saturations = (got.spo2, got.spo2_display, got.spo2_fast, got.spo2_beat)
    assert (saturations, got.spo2_8, got.spo2_8_display) == ((None,) * 4, None, None)


def test_510_and_126_are_numbers():
    (got,) = decoded(encode(packet(slot_1=0x03, slot_2=0x7E, slot_3=0x7E)))
    assert (got.heart_rate, got.spo2) == (510, 126)


def test_undefined_bits_above_a_field_are_masked():
    (got,) = decoded(encode(packet(slot_1=0xFC, slot_2=0x80 | 74, slot_3=0x80 | 96)))
    assert (got.heart_rate, got.spo2) == (74, 96)


def test_a_heart_rate_above_127_uses_seven_bits_of_its_low_byte():
    (got,) = decoded(encode(packet(slot_1=0x01, slot_2=0x05)))
    assert got.heart_rate == 133


def test_undefined_bits_above_a_missing_value_do_not_make_it_a_number():
    (got,) = decoded(encode(packet(slot_1=0xFF, slot_2=0xFF, slot_3=0xFF)))
    assert (got.heart_rate, got.spo2) == (None, None)


@both_formats
def test_reserved_slots_may_hold_anything(data_format):
    slots = {f"slot_{number}": 0xFF for number in (5, 12, 13, 18, 19, 24, 25)}
    sent = packet(data_format, **slots)
    assert decoded(encode(sent)) == [sent]


@pytest.mark.parametrize(
    ("stat2", "smartpoint", "low_battery"),
    [(0x20, True, False), (0x01, False, True), (0x04, False, False)],
)
def test_stat2_says_what_it_defines_and_nothing_else(stat2, smartpoint, low_battery):
    (got,) = decoded(encode(packet(slot_8=stat2)))
    assert (got.smartpoint, got.low_battery) == (smartpoint, low_battery)


def test_what_any_frame_says_of_the_sensor_is_seen():
    (got,) = decoded(encode(packet(status=STATUS[:20] + b"\xa8" + STATUS[21:])))
    assert got.seen & ~(FrameStatus.SYNC | FrameStatus.ALWAYS) == (
        FrameStatus.SENSOR_ALARM | FrameStatus.ARTIFACT
    )


@both_formats
def test_an_unexpected_sync_drops_the_packet_it_cuts_and_begins_the_next(data_format):
    first, second = packet(data_format, slot_3=91), packet(data_format, slot_3=97)
    cut = encode(first)[: 5 * 11]
    assert decoded(cut, encode(second)) == [Skipped(cut), second]


@both_formats
def test_a_packet_met_in_its_middle_is_skipped_up_to_the_next(data_format):
    whole = packet(data_format, slot_3=97)
    rest = encode(packet(data_format, slot_3=91))[32:]
    assert decoded(rest, encode(whole)) == [Skipped(rest), whole]


@both_formats
def test_one_bad_sum_costs_its_packet_and_no_other(data_format):
    sound = packet(data_format, slot_3=97)
    bad = bytearray(encode(sound))
    bad[64] ^= 0x01
    got = decoded(encode(sound), bad, encode(sound))
    assert got == [sound, Skipped(bytes(bad)), sound]


@both_formats
def test_noise_between_packets_is_skipped_and_costs_none(data_format):
    sound = packet(data_format, slot_3=97)
    noise = b"\x7e\x20\x44"
    assert decoded(encode(sound), noise, encode(sound)) == [sound, Skipped(noise), sound]


@both_formats
@pytest.mark.parametrize(
    "reply",
    [
        Ack(),
        Nak(),
        ClockReply(bytes.fromhex("1a 01 05 08 00 00")),
        DeviceTypeReply(b"\x18\x05\x09"),
        SerialReply(2, "501234567"),
    ],
    ids=lambda reply: type(reply).__name__,
)
@pytest.mark.parametrize("after", [1, 13, 24])
def test_a_reply_between_frames_comes_out_and_the_packet_stays_whole(data_format, reply, after):
    sound = packet(data_format, slot_3=97)
    frames = in_frames(sound)
    frames.insert(after, encode(reply))
    assert decoded(*frames) == [reply, sound]


@both_formats
def test_several_replies_may_stand_in_one_packet(data_format):
    sound = packet(data_format, slot_3=97)
    frames = in_frames(sound)
    frames[3:3] = [b"\x06", encode(DeviceTypeReply(b"\x9e\x09"))]
    frames.insert(20, b"\x15")
    assert decoded(*frames) == [Ack(), DeviceTypeReply(b"\x9e\x09"), Nak(), sound]


def test_a_waveform_byte_that_looks_like_a_reply_is_waveform():
    sound = packet(7, pleth=(0x0602,) * 25)
    assert decoded(encode(sound)) == [sound]


def test_a_partial_reply_in_the_last_place_of_a_packet_stays_within_the_bound():
    longest = b"\x02\xf9\x20" + bytes(32)
    pending = encode(packet())[:120] + longest
    decoder = Decoder()
    assert decoder.feed(pending) == []
    assert decoder.pending == pending


@pytest.mark.parametrize("data_format", [1, 8, 13])
def test_a_packet_of_another_format_is_refused(data_format):
    with pytest.raises(ValueError, match="2 or 7"):
        packet(data_format)


@given(
    st.sampled_from([2, 7]),
    st.binary(min_size=25, max_size=25),
    st.binary(min_size=25, max_size=25),
    st.binary(min_size=50, max_size=50),
)
def test_every_packet_survives_being_encoded_and_decoded(data_format, status, slots, pleth):
    marked = bytes(byte & 0xFE | 0x80 for byte in status)
    top = 0xFF if data_format == 2 else 0xFFFF
    samples = tuple(top & (a << 8 | b) for a, b in zip(pleth[::2], pleth[1::2], strict=True))
    sent = PlethPacket(data_format, bytes([marked[0] | 1]) + marked[1:], samples, slots)
    assert decoded(encode(sent)) == [sent]
