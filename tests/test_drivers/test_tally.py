from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import SerialLine
from drivers.protocols import masimo_mightysat, viatom_o2, viatom_pc60fw
from drivers.registry import REGISTRY, LinkKind
from drivers.tally import RECENT_BYTES, Tally

STREAMS = sorted(name for name, entry in REGISTRY.items() if LinkKind.SERIAL in entry.links)

AWAKE_S = 6.0  # somebody has measured by then


@cache
def spoken(name, seconds=20):
    virtual = REGISTRY[name].simulator()(1)
    said = virtual.due(AWAKE_S) + virtual.hear(REGISTRY[name].question)
    ticks = range(round(AWAKE_S * 10) + 1, seconds * 10)
    return said + b"".join(virtual.due(tick / 10) for tick in ticks)


CHECKED = [
    name for name in STREAMS if spoken(name) and hasattr(REGISTRY[name].protocol_module(), "broken")
]
SPEAKING = [name for name in STREAMS if spoken(name)]  # others wait to be told to measure


@pytest.mark.parametrize("name", SPEAKING)
def test_what_an_instrument_says_is_all_frames_of_its_own_driver(name):
    tally = Tally.of(REGISTRY[name])
    tally.hear(spoken(name))
    assert (tally.frames > 0) is bool(spoken(name))
    assert (tally.skipped, tally.broken, tally.missing) == (0, 0, 0)


@given(st.binary(max_size=300), st.sampled_from(STREAMS))
def test_every_byte_is_framed_skipped_or_waiting(data, name):
    tally = Tally.of(REGISTRY[name])
    tally.hear(data)
    assert tally.framed + tally.skipped <= tally.heard == len(data)


@pytest.mark.parametrize("name", CHECKED)
def test_a_bit_turned_over_in_a_checked_frame_is_a_broken_frame(name):
    @settings(max_examples=30)
    @given(st.floats(0, 0.99), st.integers(0, 7))
    def law(where, bit):
        data = bytearray(spoken(name))
        data[int(where * len(data))] ^= 1 << bit
        whole, hit = Tally.of(REGISTRY[name]), Tally.of(REGISTRY[name])
        whole.hear(spoken(name))
        hit.hear(bytes(data))
        assert hit.broken <= 2
        assert hit.broken == 0 or hit.skipped > 0
        assert hit.frames <= whole.frames

    law()


@pytest.mark.parametrize("name", CHECKED)
def test_a_wrong_check_byte_is_counted_once(name):
    tally, frames = Tally.of(REGISTRY[name]), []
    feed = tally.feed
    tally.feed = lambda data, channel: frames.extend(feed(data, channel)) or []
    tally.hear(spoken(name))
    frame = max(frames, key=lambda each: len(each.raw))
    damaged = frame.raw[:-1] + bytes((frame.raw[-1] ^ 0x40,))
    again = Tally.of(REGISTRY[name])
    again.hear(damaged + frame.raw)
    assert (again.broken, again.frames) == (1, 1)


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("stx-nibp", b"\x02S0;A0;C03;M00;P120080090;R080;T0005;;36\x03\r"),
        ("medlab-eg01010", bytes.fromhex("FA 42 48")),
        ("medlab-eg01010", bytes.fromhex("FC 4A 47 02 04 01")),
        ("viatom-o2", viatom_o2.encode(viatom_o2.Answer(0, bytes(range(12))))),
        ("viatom-pc60fw", viatom_pc60fw.encode(viatom_pc60fw.Packet(0x0F, 1, b"\x61\x48\x00\x0c"))),
        ("masimo-mightysat", masimo_mightysat.encode(masimo_mightysat.Frame(5, bytes(15)))),
    ],
)
def test_a_damaged_frame_between_two_good_ones_is_counted_once(name, wire):
    tally = Tally.of(REGISTRY[name])
    middle = -4 if name == "stx-nibp" else -1  # behind the check stands the end
    damaged = bytearray(wire)
    damaged[middle] ^= 0x01
    for data in (wire, bytes(damaged), wire):
        tally.hear(data)
    assert (tally.frames, tally.broken) == (2, 1)


def test_a_packet_that_did_not_come_is_a_gap_in_the_timer_of_the_oximeter():
    data = spoken("nonin")
    packets = [data[at : at + 125] for at in range(0, len(data), 125)]
    tally = Tally.of(REGISTRY["nonin"])
    tally.hear(b"".join(packets[:4] + packets[7:10]))
    assert (tally.frames, tally.missing, tally.skipped) == (7, 3, 0)


def test_a_timer_that_began_anew_is_no_gap():
    tally = Tally.of(REGISTRY["nonin"])
    for _ in range(2):
        tally.hear(spoken("nonin"))
    assert tally.missing == 0


def test_counting_anew_loses_no_byte_of_a_frame_that_is_half_there():
    data = spoken("ivy-450c")
    tally = Tally.of(REGISTRY["ivy-450c"])
    tally.hear(data[:800])
    tally.restart()
    tally.hear(data[800:])
    assert (tally.skipped, tally.heard) == (0, len(data) - 800)


def test_of_what_came_in_only_the_end_is_kept():
    tally = Tally.of(REGISTRY["nonin"])
    for _ in range(3):
        tally.hear(bytes(RECENT_BYTES))
    assert len(tally.recent) == RECENT_BYTES


def test_what_was_lost_counts_from_the_last_frame():
    name = "maibobo"
    tally = Tally.of(REGISTRY[name])
    tally.hear(b"noise")
    lost = tally.lost
    tally.hear(spoken(name))
    assert (lost, tally.lost, tally.skipped) == (5, 0, 5)


@pytest.mark.parametrize(
    "line", [SerialLine(), SerialLine(19200, parity="O"), SerialLine(2400, 7, "E", 2)]
)
def test_a_line_is_written_as_it_is_read(line):
    assert SerialLine.of(str(line)) == line


@pytest.mark.parametrize(
    "text", ["9600", "9600 8N", "9600-8N1", "fast 8N1", "9600 9N1", "0000 8N1", ""]
)
def test_a_line_that_is_none_says_how_to_write_one(text):
    with pytest.raises(ValueError, match="9600 8N1"):
        SerialLine.of(text)


@pytest.mark.parametrize("name", [n for n in STREAMS if REGISTRY[n].question])
def test_a_question_of_the_registry_is_granted_as_identifying_and_answered_by_a_frame(name):
    entry = REGISTRY[name]
    assert "identify" in entry.writes
    tally, virtual = Tally.of(entry), entry.simulator()(1)
    virtual.due(AWAKE_S)
    tally.hear(virtual.hear(entry.question))
    assert (tally.frames > 0, tally.skipped) == (True, 0)
