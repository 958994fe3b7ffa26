"""What a Nellcor's printout means: live rows only, codes that disown, dashes."""

import pytest

from drivers.instruments.nellcor import Nellcor, Settings, measurement
from drivers.model import Flag, Instant, InstrumentId, Measurement, Metric, Notice, Skipped, Status
from drivers.protocols.nellcor import CODES, Decoder, Heading, Mark, Other, Row
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink

AT = Instant(1, 2, trusted=True)
LIVE = b"NPB-295 VERSION 2.0.0.0 CRC: XXXX SpO2 Limit: 70-100% PR Limit: 60-160BPM\r\n"
TREND = b"NPB-290 VERSION 1.0.0.1 TREND SpO2 Limit: 85-100% PR Limit: 40-170BPM\r\n"
COLUMNS = b"TIME %SPO2 BPM PA Status\r\n"


def row(text="100 120 50", second=5):
    return f"12-NOV-98 14:00:{second:02} {text}\r\n".encode()


def said(text):
    (line,) = Decoder().feed(row(text))
    return measurement(line, AT)


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


@pytest.mark.parametrize(
    ("wire", "line"),
    [
        (LIVE, Heading("NPB-295", "2.0.0.0", is_trend=False)),
        (TREND, Heading("NPB-290", "1.0.0.1", is_trend=True)),
        (COLUMNS, Other(Mark.COLUMNS)),
        (b"TIME %SPO2 BPM PA\r\n", Other(Mark.COLUMNS)),
        (b"Output Complete\r\n", Other(Mark.COMPLETE)),
        (
            b"22-NOV-97 14:00:07   100    121   154\r\n",
            Row("22-NOV-97 14:00:07", 100, 121, 154, frozenset(), ()),
        ),
        (
            b"12-NOV-98 14:00:05   84*   ---    12   SL LP\r\n",
            Row("12-NOV-98 14:00:05", 84, None, 12, frozenset({"spo2"}), ("SL", "LP")),
        ),
    ],
)
def test_a_line_of_the_manuals_is_read(wire, line):
    assert Decoder().feed(wire) == [line]


@pytest.mark.parametrize(
    "wire",
    [
        b"NPB-595 Interactive Mode\r\n",
        b"Command?\r\n",
        row()[3:],
        row("100 120"),
        row("10 0 12 5 1"),
    ],
)
def test_a_line_of_the_menu_or_a_torn_one_is_skipped(wire):
    assert [type(item) for item in Decoder().feed(wire)] == [Skipped]


def test_a_row_of_the_manual_is_a_measurement():
    item = said("100 120 50")
    assert values(item) == {Metric.SPO2: 100, Metric.PULSE_RATE: 120}
    assert item.evidence == (("clock", "12-NOV-98 14:00:05"), ("pulse-amplitude", "50"))


@pytest.mark.parametrize("nothing", ["---  --- ---", "  0    0   0"])
def test_dashes_and_zeros_are_no_value(nothing):
    assert set(values(said(nothing)).values()) == {Status.NO_VALUE}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("SO", Status.SENSOR_OFF),
        ("SD", Status.SENSOR_DISCONNECTED),
        ("LM", Status.ARTIFACT),
        ("MO", Status.ARTIFACT),
        ("LP", Status.SEARCHING),
        ("PS", Status.SEARCHING),
    ],
)
def test_a_code_that_disowns_takes_the_numbers(code, status):
    assert set(values(said(f"97 70 50 AO {code}")).values()) == {status}


@pytest.mark.parametrize("code", ["AO", "AS", "PH", "PL", "SH", "SL", "LB"])
def test_a_code_of_an_alarm_leaves_the_value(code):
    item = said(f"84* 70 50 {code}")
    assert values(item) == {Metric.SPO2: 84, Metric.PULSE_RATE: 70}
    assert ("code", f"{code}, {CODES[code]}") in item.evidence
    assert item.flags == ({Flag.LOW_BATTERY} if code == "LB" else set())


def test_a_code_nobody_documented_makes_the_value_questionable():
    item = said("97 70 50 ZZ")
    assert (values(item)[Metric.SPO2], item.flags) == (97, {Flag.QUESTIONABLE})


@pytest.mark.parametrize("text", ["101 70 50", "97 400 50"])
def test_what_no_patient_has_is_implausible(text):
    assert Status.IMPLAUSIBLE in values(said(text)).values()


def heard(*lines):
    clock = RecordedTime()
    recording = Recording(tuple(Received(round(at * 2e6), each) for at, each in enumerate(lines)))
    host = BenchHost(clock)
    items = clock.run(items_until_lost(Nellcor(host, Settings()), ReplayLink(recording, clock)))
    return host, items


def taken(*lines):
    return [values(item)[Metric.SPO2] for item in heard(*lines)[1] if isinstance(item, Measurement)]


def test_rows_count_from_the_first_live_heading_on():
    lines = [row("90 70 50", 1), LIVE, COLUMNS, row("97 70 50", 3), row("98 70 50", 5)]
    assert taken(*lines) == [97, 98]


def test_that_rows_wait_for_a_heading_is_told_once():
    host, items = heard(row(second=1), row(second=3))
    assert [type(item) for item in items] == [Notice]
    assert host.counts["rows_not_live"] == 2


def test_rows_of_the_memory_are_not_taken_and_live_ones_after_them_are():
    memory = [TREND, COLUMNS, row("90 70 50", 1), row("91 70 50", 3), b"Output Complete\r\n"]
    after = [row("92 70 50", 20), LIVE, row("98 70 50", 22)]
    assert taken(LIVE, row("97 70 50", 10), *memory, *after) == [97, 98]


def test_rows_of_a_memory_whose_heading_was_lost_are_given_away_by_their_clock():
    assert taken(LIVE, row("97 70 50", 30), row("90 70 50", 1), row("91 70 50", 3)) == [97]


def test_it_is_identified_by_its_heading():
    assert heard(LIVE)[0].identified == [InstrumentId("nellcor", "NPB-295", firmware="2.0.0.0")]
