"""How an instrument is seen to be, from what was heard and when."""

from functools import cache

import pytest

from drivers.contract import SerialLine
from drivers.model import Chunk, Instant
from drivers.registry import REGISTRY
from drivers.transports.damage import Damage, Damager, as_heard
from edge.diagnosis import fitting
from edge.health import Health, LinkState

NS = 10**9
SPEAKERS = ("bci-5byte", "ivy-450c", "masimo-ascii1", "nellcor", "nonin", "nonin-ascii")


@cache
def spoken(name, seconds=40):
    virtual = REGISTRY[name].simulator()(1)
    return tuple(virtual.due(float(second)) for second in range(seconds))


def at(seconds):
    return Instant(0, round(seconds * NS), trusted=False)


class Watched:
    """A health that is told, second by second, what comes in."""

    def __init__(self, name, **errors):
        self.health = Health(name, REGISTRY[name])
        self.second = 0.0
        self.health.opened(at(0), lambda: errors)

    def hear(self, *seconds):
        for data in seconds:
            self.second += 1.0
            if data:
                self.health.heard(Chunk(data, at(self.second)), at(self.second))
        return self

    def wait(self, seconds):
        self.second += seconds
        return self

    @property
    def seen(self):
        seen = self.health.seen_at(at(self.second))
        return seen.state, seen.reason


def test_before_a_link_is_open_it_is_what_the_supervisor_says():
    health = Health("nonin", REGISTRY["nonin"])
    health.become(LinkState.REFUSED, "no permission")
    seen = health.seen_at(at(0))
    assert (seen.state, seen.reason) == (LinkState.REFUSED, "no permission")


def test_frames_are_streaming():
    assert Watched("nonin").hear(*spoken("nonin")[:10]).seen == (LinkState.STREAMING, "")


@pytest.mark.parametrize("name", ["nonin", "ivy-450c", "nellcor", "bci-5byte"])
def test_a_stream_that_stops_is_silent_with_what_to_look_at_though_the_port_is_open(name):
    watched = Watched(name).hear(*spoken(name)[:20])
    limit_s = watched.health.limit_s
    assert watched.wait(limit_s - 1.0).seen[0] is LinkState.STREAMING
    state, reason = watched.wait(2.0).seen
    assert state is LinkState.SILENT
    assert "the stream stopped" in reason
    assert watched.hear(spoken(name)[20], spoken(name)[21]).seen[0] is LinkState.STREAMING


def test_how_long_a_pause_may_be_is_the_rhythm_of_each_instrument():
    assert Watched("nellcor").health.limit_s > Watched("nonin").health.limit_s


def test_a_cuff_that_waits_for_the_next_patient_is_silent_and_nothing_is_wrong():
    watched = Watched("maibobo").hear(*spoken("maibobo"))
    assert watched.wait(3600.0).seen == (LinkState.SILENT, "")


def test_one_record_of_an_instrument_that_can_stream_is_no_stream_that_stopped():
    spot = bytes.fromhex("00 02 00 0D 00 0E 20 26 01 05 08 00 00 00 00 00 00 48 00 61")
    data = spot + bytes((sum(spot[6:]) & 0xFF, 0x03))
    watched = Watched("nonin").hear(data)
    assert watched.health.counts["frames"] == 1
    assert watched.wait(60.0).seen == (LinkState.SILENT, "")


def test_a_stream_that_never_began_says_what_to_switch_on():
    watched = Watched("ivy-450c")
    assert watched.wait(1.0).seen == (LinkState.SILENT, "")
    state, reason = watched.wait(60.0).seen
    assert state is LinkState.SILENT
    assert "nothing is heard" in reason


@pytest.mark.parametrize("set_to", [SerialLine(4800), SerialLine(19200), SerialLine(115200)])
@pytest.mark.parametrize("name", ["ivy-450c", "masimo-ascii1", "nonin", "nonin-ascii"])
def test_a_wrong_baud_is_not_understood_and_says_how_to_find_the_right_one(name, set_to):
    entry = REGISTRY[name]
    garbage = [as_heard(second, entry.line, set_to) for second in spoken(name, 12)]
    state, reason = Watched(name).hear(*garbage).seen
    assert state is LinkState.WRONG
    assert "wrong baud or parity" in reason
    assert "vitals-edge detect" in reason


def test_what_the_port_itself_counted_is_told():
    garbage = [as_heard(s, SerialLine(9600), SerialLine(19200)) for s in spoken("ivy-450c", 8)]
    _, reason = Watched("ivy-450c", framing=12, parity=0).hear(*garbage).seen
    assert "the port counts 12 framing errors" in reason


@pytest.mark.parametrize("parity", ["E", "O"])
@pytest.mark.parametrize("name", ["masimo-ascii1", "nellcor", "nonin-ascii"])
def test_seven_bits_and_parity_are_told_from_the_bytes(name, parity):
    seven = SerialLine(9600, 7, parity)
    heard = [as_heard(second, seven, SerialLine(9600)) for second in spoken(name, 20)]
    state, reason = Watched(name).hear(*heard).seen
    assert state is LinkState.WRONG
    assert "seven data bits and parity" in reason


@pytest.mark.parametrize("said", SPEAKERS)
@pytest.mark.parametrize("name", SPEAKERS)
def test_another_instrument_is_named(name, said):
    if name == said:
        return
    state, reason = Watched(name).hear(*spoken(said)).seen
    if state is LinkState.WRONG:
        assert f"this is {said}" in reason
    else:  # a format without a checksum found something in it
        assert name == "bci-5byte"


def test_opening_in_the_middle_of_a_packet_is_no_wrong_instrument():
    middle = spoken("ivy-450c")[5][300:]
    assert Watched("ivy-450c").hear(middle, b"").seen[0] is LinkState.SILENT


def test_text_of_another_format_of_the_same_maker_is_told_to_be_text():
    line = b"2026-01-05 08:00:00 SpO2=097 PR=069 PI=04.69 EXC=800:SET\r\n"
    state, reason = Watched("masimo-ascii1").hear(*[line] * 10).seen
    assert state is LinkState.WRONG
    assert "choose the output format" in reason


def test_a_line_that_does_software_flow_control_is_told_from_the_values_that_never_come():
    eaten = [s.translate(None, b"\x11\x13") for s in spoken("ivy-450c", 120)]
    pleth = [bytes(range(256)) * 2 + each for each in eaten]
    watched = Watched("ivy-450c").hear(*(each.translate(None, b"\x11\x13") for each in pleth))
    state, reason = watched.seen
    assert state is LinkState.STREAMING
    assert "XON and XOFF" in reason


def test_a_noisy_line_streams_and_says_how_much_is_lost():
    damager = Damager(Damage(flip=0.004), 5)
    watched = Watched("nonin").hear(*(damager.through(second) for second in spoken("nonin")))
    state, reason = watched.seen
    assert state is LinkState.STREAMING
    assert "% of the bytes are no frame" in reason
    assert watched.health.counts["broken"] > 0
    assert watched.health.counts["missing"] > 0


def test_a_few_bytes_of_an_adapter_that_is_plugged_in_are_no_other_instrument():
    assert Watched("nonin").hear(b"\x00\xff\xf8").seen[0] is LinkState.SILENT


def test_counters_go_on_over_a_lost_link_and_the_stream_begins_anew():
    watched = Watched("nonin").hear(*spoken("nonin")[:10])
    frames = watched.health.counts["frames"]
    watched.health.become(LinkState.ABSENT, "the port has gone")
    watched.health.opened(at(watched.second))
    assert watched.seen == (LinkState.SILENT, "")
    watched.hear(*spoken("nonin")[:10])
    assert watched.health.counts["frames"] == 2 * frames
    assert watched.health.counts["sessions"] == 2


@pytest.mark.parametrize("name", SPEAKERS)
def test_what_is_heard_of_an_instrument_fits_its_driver_and_no_other(name):
    assert fitting(b"".join(spoken(name))[-2000:]) == [name]


def test_what_is_reached_by_radio_is_not_told_to_look_at_its_cable():
    watched = Watched("bci-5byte").wait(60.0)
    assert "cable" in watched.seen[1]
    watched.health.by_radio = True
    assert "cable" not in watched.seen[1]
    watched.hear(*spoken("bci-5byte")[:20]).wait(60.0)
    assert "cable" not in watched.seen[1]
    watched.health.by_radio = False
    assert "cable" in watched.seen[1]
