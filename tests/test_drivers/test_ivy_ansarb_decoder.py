"""The Ansar-B stream: how packets are found, and that nothing on the wire stops the decoder."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Skipped
from drivers.protocols.ivy_ansarb import (
    HEAD_BYTES,
    MAX_PACKET_BYTES,
    MAX_PENDING,
    NAMES,
    START,
    Decoder,
    Packet,
    Parameter,
    encode,
    parse,
    scrub,
)
from drivers.transports.capture_file import read_recording

CASE = Path(__file__).parents[2] / "fixtures/captures/ivy-450c/real-27-packets"
REAL = read_recording(CASE / "wire.cap").received
TAIL_BYTES, PACKET_BYTES = 252, 562
FLOOD_BYTES = 1_000_000
# The text of the first whole packet, as it is read off the recording with the eye.
REAL_LINES = (
    b"HR=1;80;ECG-II-DIAG;",
    b"RR=1;35;APNEA: 20 SEC;",
    b"ETCO2=1;;;",
    b"SPO2=1;100;PR=80 ;",
    b"NIBP=4;121;75;92;80;;",
    b"P1=3;111;73;88;;",
    b"P2=3;;;;NO TRANSDUCER;",
    b"T1=1;;;",
    b"T2=1;;;",
)


def packet(lines=(b"HR=1;72;ECG-I-MON;",), ecg=bytes(200), rest=b"", slow=bytes(50)):
    return Packet(ecg, slow, slow, slow, slow, tuple(lines), rest)


def decode(data):
    decoder = Decoder()
    return decoder.feed(data), decoder.pending


def size(items, pending):
    return sum(len(i.data if isinstance(i, Skipped) else i.raw) for i in items) + len(pending)


def joined(items):
    out = []
    for item in items:
        if out and isinstance(item, Skipped) and isinstance(out[-1], Skipped):
            out[-1] = Skipped(out[-1].data + item.data)
        else:
            out.append(item)
    return out


def carriable(parts):
    lines, rest, ecg, slow = parts
    wire = START + ecg + 4 * slow + b"".join(line + b"\r" for line in lines) + rest + b"\xfe"
    return len(wire) <= MAX_PACKET_BYTES and wire.rfind(START) == 0


text = st.binary(max_size=40).map(lambda b: b.replace(b"\r", b"").replace(b"\xfe", b""))
packets = (
    st.tuples(
        st.lists(text, max_size=9),
        text,
        st.binary(min_size=200, max_size=200),
        st.binary(min_size=50, max_size=50),
    )
    .filter(carriable)
    .map(lambda parts: packet(*parts[:1], ecg=parts[2], rest=parts[1], slow=parts[3]))
)
pieces = st.lists(
    st.one_of(
        st.binary(max_size=30),
        packets.map(encode),
        st.just(START),
        st.just(b"\xff"),
        st.just(b"\xfe"),
        st.integers(0, PACKET_BYTES).map(lambda n: REAL[TAIL_BYTES : TAIL_BYTES + n]),
    ),
    max_size=6,
).map(b"".join)


def test_the_real_recording_is_a_tail_and_27_packets():
    items, pending = decode(REAL)
    assert items[0] == Skipped(REAL[:TAIL_BYTES])
    assert [len(item.raw) for item in items[1:]] == [PACKET_BYTES] * 27
    assert pending == b""


def test_a_real_packet_is_taken_apart_at_the_places_of_the_table():
    first = decode(REAL)[0][1]
    assert first.lines == REAL_LINES
    assert first.rest == b""
    assert first.ecg[:5] == bytes([138, 134, 138, 142, 134])
    assert first.respiration[:5] == bytes([109, 96, 84, 72, 61])
    assert first.pleth[:5] == bytes([152, 149, 143, 137, 132])
    assert first.p1[:5] == bytes([103, 99, 97, 97, 99])
    assert first.p2 == b"\xfb" * 50


def test_the_real_bytes_are_what_encode_makes_of_them():
    assert b"".join(encode(item) for item in decode(REAL)[0][1:]) == REAL[TAIL_BYTES:]


@pytest.mark.parametrize(
    ("line", "parameter"),
    [
        (REAL_LINES[0], ("HR", ("80",), "ECG-II-DIAG", "")),
        (REAL_LINES[1], ("RR", ("35",), "APNEA: 20 SEC", "")),
        (REAL_LINES[2], ("ETCO2", ("",), "", "")),
        (REAL_LINES[3], ("SPO2", ("100",), "PR=80", "")),
        (REAL_LINES[4], ("NIBP", ("121", "75", "92", "80"), "", "")),
        (REAL_LINES[5], ("P1", ("111", "73", "88"), "", "")),
        (REAL_LINES[6], ("P2", ("", "", ""), "NO TRANSDUCER", "")),
        (REAL_LINES[7], ("T1", ("",), "", "")),
    ],
)
def test_a_line_is_its_count_of_numbers_a_label_and_an_alarm(line, parameter):
    assert parse(line) == Parameter(*parameter, line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HR=1;80",
        b"HR=1;80;ECG-II-DIAG",
        b"HR=1;80;ECG-II-DIAG;;",
        b"HR=;80;;",
        b"HR=0;;",
        b"hr=1;80;;",
        b"NIBP=4;12175;92;80;;",
        b"HR=1;8\xb0;;",
        b"TOOLONGNAME=1;5;;",
    ],
)
def test_a_line_of_another_form_is_no_parameter(line):
    assert parse(line) is None


@given(st.binary(max_size=60))
def test_any_line_can_be_asked_what_it_says(line):
    said = parse(line)
    assert said is None or said.line == line


@given(packets)
def test_every_packet_comes_back_from_the_wire(sent):
    assert decode(encode(sent)) == ([sent], b"")


@given(pieces)
def test_every_byte_is_in_a_packet_or_skipped_or_pending_and_in_order(data):
    items, pending = decode(data)
    assert b"".join(i.data if isinstance(i, Skipped) else i.raw for i in items) + pending == data


@given(pieces, st.lists(st.integers(0, 3000), max_size=8))
def test_cutting_the_stream_elsewhere_changes_nothing(data, cuts):
    decoder = Decoder()
    items = []
    marks = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for begin, end in pairwise(marks):
        items += decoder.feed(data[begin:end])
    whole, pending = decode(data)
    assert (joined(items), decoder.pending) == (joined(whole), pending)


@given(pieces)
def test_pending_keeps_within_its_bound_byte_by_byte(data):
    decoder = Decoder()
    longest = 0
    for at in range(len(data)):
        decoder.feed(data[at : at + 1])
        longest = max(longest, len(decoder.pending))
    assert longest <= MAX_PENDING


def test_fe_and_ff_inside_the_waves_are_samples():
    sent = packet(ecg=b"\xfe\xff" * 100, slow=b"\xfe" * 50)
    assert decode(encode(sent)) == ([sent], b"")


def test_half_a_start_mark_inside_the_waves_is_samples():
    sent = packet(ecg=START[:-1] + bytes(200 - 16) + START[:-1])
    assert decode(encode(sent)) == ([sent], b"")


def test_a_packet_that_breaks_off_costs_itself_and_not_the_next():
    whole = encode(packet())
    items, pending = decode(whole[:300] + whole)
    assert (items, pending) == ([Skipped(whole[:300]), packet()], b"")


def test_a_whole_start_mark_inside_the_waves_costs_that_packet_and_gives_no_wrong_one():
    broken = bytearray(encode(packet()))
    broken[100 : 100 + len(START)] = START
    items, _ = decode(bytes(broken) + encode(packet()) * 2)
    assert [item for item in items if not isinstance(item, Skipped)] == [packet()] * 2


def test_noise_before_a_packet_is_skipped_as_it_came():
    assert decode(b"\x00\xffANSAR\xfe" + encode(packet()))[0] == [
        Skipped(b"\x00\xffANSAR\xfe"),
        packet(),
    ]


def test_a_packet_may_fill_its_second_on_the_line_and_no_more():
    room = MAX_PACKET_BYTES - HEAD_BYTES - 1
    sent = packet(lines=(), rest=b"x" * room)
    assert decode(encode(sent)) == ([sent], b"")
    with pytest.raises(ValueError, match="at most 960"):
        packet(lines=(), rest=b"x" * (room + 1))


def test_a_start_without_an_end_is_given_up_when_its_second_is_over():
    never = START + bytes(MAX_PACKET_BYTES)
    items, pending = decode(never)
    assert (size(items, b""), pending) == (len(never), b"")


@pytest.mark.parametrize(
    "unit",
    [b"\x00", b"\xff", b"\xfe", START, START + b"a" * 500, START + b"a" * (MAX_PACKET_BYTES - 10)],
    ids=["zeros", "ff", "fe", "starts", "starts-apart", "starts-far-apart"],
)
def test_a_flood_without_a_packet_is_skipped_whole_and_a_packet_after_it_found(unit):
    flood = unit * (FLOOD_BYTES // len(unit))
    items, pending = decode(flood + encode(packet()))
    assert items[-1] == packet()
    assert size(items, pending) == len(flood) + len(encode(packet()))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"ecg": bytes(199)}, "waves of"),
        ({"p2": bytes(51)}, "waves of"),
        ({"lines": (b"HR=1;8\r0;;",)}, "inside a line"),
        ({"rest": b"\xfe"}, "inside a line"),
        ({"rest": START}, "start mark"),
    ],
)
def test_a_packet_that_the_wire_cannot_carry_is_not_built(wrong, why):
    with pytest.raises(ValueError, match=why):
        replace(packet(), **wrong)


def test_a_packet_with_a_lost_sample_is_not_aligned():
    whole = encode(packet())
    (short,) = decode(whole[:50] + whole[51:])[0]
    assert (packet().is_aligned, short.is_aligned) == (True, False)


def test_scrubbing_leaves_what_is_known_and_blanks_what_is_not():
    sent = packet(lines=(b"HR=1;72;ECG-I-MON;", b"NAME=1;DOE;;", b"free text"), rest=b"more")
    assert decode(scrub(sent))[0][0].text == b"HR=1;72;ECG-I-MON;\rxxxxxxxxxxxx\rxxxxxxxxx\rxxxx"


def test_scrubbing_the_real_packets_changes_no_byte():
    items = decode(REAL)[0][1:]
    assert [scrub(item) for item in items] == [item.raw for item in items]


def test_the_table_knows_every_parameter_of_the_recording():
    names = {parse(line).name for item in decode(REAL)[0][1:] for line in item.lines}
    assert names == set(NAMES)
