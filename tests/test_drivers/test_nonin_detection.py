"""How Nonin's formats are told apart from the bytes alone, and what is never taken for another."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.model import Skipped
from drivers.protocols.nonin import MAX_PENDING, Decoder, decoder_for, encode
from drivers.protocols.nonin_control import Ack, Nak
from drivers.protocols.nonin_df8 import PROOF_FRAMES, SecondFrame
from drivers.protocols.nonin_df13 import SpotCheck
from drivers.protocols.nonin_stream import PlethPacket

STATUS = b"\x81" + b"\x80" * 24
SLOTS = bytes([0, 74, 96, 0x94, 0, 0, 0x17, 0x20, 96, 96, 96, 0, 0, 0, 74, 96, 96, 0, 0, 0, 74])
SLOTS += bytes([0, 74, 0, 0])
WAVE = tuple(range(40, 65))

DF2 = PlethPacket(2, STATUS, WAVE, SLOTS)
DF7 = PlethPacket(7, STATUS, tuple(sample << 8 | 0x11 for sample in WAVE), SLOTS)
DF8 = SecondFrame(0, 74, 96, 0x20)
DF13 = SpotCheck(bytes.fromhex("2026010508000000"), 0x0200, 74, 96)

SPEECH = {"2": [DF2] * 3, "7": [DF7] * 3, "8": [DF8] * 12, "13": [DF13] * 2}

every_format = pytest.mark.parametrize("name", SPEECH)
expectations = pytest.mark.parametrize("expected", [None, 2, 7, 8, 13])


def wire(frames):
    return b"".join(map(encode, frames))


def frames_of(items):
    return [item for item in items if not isinstance(item, Skipped)]


@pytest.mark.parametrize(
    ("expected", "name"),
    [(expected, name) for expected in (None, 2, 7, 13) for name in SPEECH] + [(8, "8"), (8, "13")],
)
def test_whatever_is_expected_what_is_sent_is_understood(expected, name):
    assert Decoder(expected).feed(wire(SPEECH[name])) == SPEECH[name]


@pytest.mark.parametrize("frame", [DF2, DF7, DF13], ids=["2", "7", "13"])
def test_one_packet_or_record_is_proof_enough(frame):
    assert Decoder().feed(encode(frame)) == [frame]


def test_a_second_is_not_believed_until_four_stand_in_a_row_and_nothing_is_lost_meanwhile():
    decoder = Decoder()
    one = encode(DF8)
    assert [decoder.feed(one) for _ in range(5)] == [[], [], [], [DF8] * PROOF_FRAMES, [DF8]]


def test_a_decoder_that_expects_seconds_believes_the_first():
    assert Decoder(8).feed(encode(DF8)) == [DF8]


def test_a_decoder_for_a_frame_believes_it_alone():
    for frame in (DF2, DF7, DF8, DF13, Ack()):
        assert decoder_for(frame).feed(encode(frame)) == [frame]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([SecondFrame(0, 74, 101, 0x20)] * 6, id="a saturation above 100"),
        pytest.param([SecondFrame(0, 322, 96, 0x20)] * 6, id="a pulse no instrument shows"),
        pytest.param(
            [SecondFrame(0, 74, 96, stat2) for stat2 in (0x20, 0x22, 0x20, 0x24, 0x20)],
            id="undefined bits that change",
        ),
    ],
)
def test_what_only_has_the_pattern_of_seconds_is_not_believed(frames):
    assert frames_of(Decoder().feed(wire(frames))) == []


def test_undefined_bits_that_stay_are_an_instrument_s_own():
    odd = SecondFrame(0x40, 74, 96, 0x24)
    assert Decoder().feed(wire([odd] * 4)) == [odd] * 4


@every_format
@pytest.mark.parametrize("cut", range(1, 22))
def test_a_start_in_mid_frame_is_found_out_of(name, cut):
    speech = SPEECH[name]
    got = frames_of(Decoder().feed(wire(speech)[cut:]))
    lost = len(speech) - len(got)
    assert got == speech[lost:]
    assert lost <= (6 if name == "8" else 1)


@pytest.mark.parametrize("name", ["2", "7"])
def test_a_waveform_is_never_taken_for_seconds(name):
    for cut in range(125):
        got = frames_of(Decoder().feed(wire(SPEECH[name])[cut:]))
        assert {type(frame) for frame in got} == {PlethPacket}


def test_seconds_expected_and_a_waveform_sent_costs_one_false_second_and_no_more():
    falling = PlethPacket(7, STATUS, (0x4360,) * 25, SLOTS)
    for cut in range(125):
        got = frames_of(Decoder(8).feed(wire([falling] * 3)[cut:]))
        assert sum(isinstance(frame, SecondFrame) for frame in got) <= 1
        assert falling in got


@pytest.mark.parametrize(("before", "after"), [*pairwise([*SPEECH, *SPEECH])])
def test_a_format_changed_on_the_fly_is_followed(before, after):
    items = Decoder().feed(wire([*SPEECH[before], Ack(), *SPEECH[after]]))
    assert items == [*SPEECH[before], Ack(), *SPEECH[after]]


@pytest.mark.parametrize("after", ["7", "8", "13"])
@pytest.mark.parametrize("frames", [1, 12, 24])
def test_a_selection_in_mid_packet_costs_that_packet_alone(after, frames):
    cut = encode(DF2)[: 5 * frames]
    items = Decoder().feed(encode(DF2) + cut + wire([Ack(), *SPEECH[after]]))
    assert items == [DF2, Ack(), Skipped(cut), *SPEECH[after]]


def test_after_a_selection_seconds_want_proof_again():
    decoder = Decoder()
    decoder.feed(wire([DF8] * 4))
    assert decoder.feed(wire([Ack(), DF8])) == [Ack()]


def test_a_refused_selection_changes_nothing():
    decoder = Decoder()
    decoder.feed(wire([DF8] * 4))
    assert decoder.feed(wire([Nak(), DF8])) == [Nak(), DF8]


def test_a_reply_while_seconds_are_not_yet_believed_comes_out_at_once():
    decoder = Decoder()
    assert decoder.feed(wire([DF8, DF8, Nak()])) == [Nak()]
    assert decoder.feed(wire([DF8, DF8])) == [DF8] * 4


def test_after_noise_one_frame_like_a_second_does_not_make_an_acknowledgement_of_the_next_byte():
    assert frames_of(Decoder().feed(b"\x33" + encode(DF8) + b"\x06" + encode(DF8) * 3)) == []


def test_a_long_noise_holds_no_value_and_hardly_a_reply():
    noise = random.Random(1).randbytes(200_000)
    frames = frames_of(Decoder().feed(noise))
    assert {type(frame) for frame in frames} <= {Ack, Nak}
    assert len(frames) < 20


@every_format
def test_noise_before_the_speech_is_skipped(name):
    noise = b"\x33\x77\x06\x15\x01"
    assert Decoder().feed(noise + wire(SPEECH[name])) == [Skipped(noise), *SPEECH[name]]


def test_an_unknown_format_cannot_be_expected():
    with pytest.raises(ValueError, match="Data Format 3"):
        Decoder(3)


@expectations
@settings(max_examples=25)
@given(data=st.data())
def test_any_pieces_in_any_order_lose_no_byte_and_stay_within_the_bound(expected, data):
    whole = st.sampled_from([*SPEECH["2"], *SPEECH["7"], DF8, DF13, Ack(), Nak()]).map(encode)
    part = st.builds(lambda wire, at: wire[at:], whole, st.integers(0, 124))
    pieces = data.draw(st.lists(st.one_of(whole, part, st.binary(max_size=6)), max_size=12))
    decoder = Decoder(expected)
    out = bytearray()
    for piece in pieces:
        for item in decoder.feed(piece):
            out += item.data if isinstance(item, Skipped) else item.raw
        assert len(decoder.pending) <= MAX_PENDING
    assert sorted(out + decoder.pending) == sorted(b"".join(pieces))


@expectations
@settings(max_examples=25)
@given(data=st.data())
def test_cutting_the_stream_differently_gives_the_same_frames(expected, data):
    whole = st.sampled_from([DF2, DF7, DF8, DF13, Ack()]).map(encode)
    part = st.builds(lambda wire, at: wire[:at], whole, st.integers(0, 124))
    stream = b"".join(data.draw(st.lists(st.one_of(whole, part), max_size=10)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    decoder, pieces = Decoder(expected), Decoder(expected)
    at_once = frames_of(decoder.feed(stream))
    cut = [
        frame
        for start, end in pairwise([0, *cuts, len(stream)])
        for frame in frames_of(pieces.feed(stream[start:end]))
    ]
    assert (cut, pieces.pending) == (at_once, decoder.pending)
