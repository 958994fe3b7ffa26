"""What Masimo's ASCII-1 lines mean: values by key, dashes, and what EXC disowns."""

import pytest

from drivers.instruments.masimo_ascii1 import MasimoAscii1, Settings, measurement
from drivers.model import Flag, Instant, InstrumentId, Metric, Skipped, Status
from drivers.protocols.masimo_ascii1 import MAX_LINE, Decoder, encode, scrub
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink

AT = Instant(1, 2, trusted=True)
LONG = (
    b"03/17/98 19:45:24 SN=0000012345 SPO2=098% BPM=071 PI=02.11% SPCO=--.-% SPMET=--.-% "
    b"DESAT=-- PIDELTA=+-- PVI=--- ALARM=0000 EXC=000800\r\n"
)
SHORT = b"03/17/98 19:45:24 SPO2=098% BPM=071 PI=2.11% ALARM=00 EXC=800\r\n"


def said(raw):
    (line,) = Decoder().feed(raw)
    return measurement(line, AT)


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


@pytest.mark.parametrize("line", [LONG, SHORT, b"\r\n\n" + LONG, LONG.replace(b"\r", b"")])
def test_a_line_of_either_form_is_read_by_its_keys(line):
    assert values(said(line)) == {
        Metric.SPO2: 98,
        Metric.PULSE_RATE: 71,
        Metric.PERFUSION_INDEX: 2.11,
    }


def test_a_line_is_encoded_as_the_instrument_sends_it():
    (line,) = Decoder().feed(LONG)
    assert encode(line) == LONG


def test_dashes_are_no_value():
    dashes = LONG.replace(b"098", b"---").replace(b"071", b"---").replace(b"02.11", b"--.--")
    assert set(values(said(dashes)).values()) == {Status.NO_VALUE}


@pytest.mark.parametrize(
    ("bits", "status"),
    [
        (0x001, Status.SENSOR_DISCONNECTED),
        (0x002, Status.FAILED),
        (0x008, Status.SEARCHING),
        (0x010, Status.ARTIFACT),
        (0x020, Status.SENSOR_OFF),
        (0x040, Status.ARTIFACT),
        (0x080, Status.FAILED),
        (0x820, Status.SENSOR_OFF),
        (0x028, Status.SENSOR_OFF),
        (0xFFF020, Status.SENSOR_OFF),
    ],
)
def test_numbers_beside_an_exception_that_disowns_them_are_not_passed_on(bits, status):
    line = LONG.replace(b"EXC=000800", b"EXC=%06X" % bits)
    assert set(values(said(line)).values()) == {status}


@pytest.mark.parametrize("bits", [0x000, 0x100, 0x200, 0x800])
def test_exceptions_that_are_none_leave_the_value(bits):
    item = said(LONG.replace(b"EXC=000800", b"EXC=%06X" % bits))
    assert (values(item)[Metric.SPO2], item.flags) == (98, frozenset())


@pytest.mark.parametrize(
    ("bits", "flag"), [(0x804, Flag.LOW_PERFUSION), (0xC00, Flag.QUESTIONABLE)]
)
def test_exceptions_that_only_qualify_become_flags(bits, flag):
    item = said(LONG.replace(b"EXC=000800", b"EXC=%06X" % bits))
    assert (values(item)[Metric.SPO2], item.flags) == (98, {flag})


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"098%", b"000%", Status.NO_VALUE),
        (b"098%", b"101%", Status.IMPLAUSIBLE),
        (b"098%", b"999%", Status.IMPLAUSIBLE),
    ],
)
def test_a_saturation_nobody_has_is_none(old, new, status):
    assert values(said(LONG.replace(old, new)))[Metric.SPO2] is status


@pytest.mark.parametrize(
    "line",
    [
        LONG.replace(b"098%", b"98%"),
        LONG.replace(b"BPM=071", b"BPM=71"),
        LONG.replace(b"BPM=071 ", b""),
        LONG.replace(b"PI=02.11%", b"SPO2=097%"),
        LONG.replace(b"EXC=000800", b"EXC=8"),
        LONG[3:],
        b"SpO2=097 PR=069 PI=04.69 EXC=800:SET\r\n",
        LONG.replace(b"PVI=---", b"PVI=---" + b" X=1" * MAX_LINE),
    ],
)
def test_a_damaged_line_or_one_of_another_format_is_skipped(line):
    assert {type(item) for item in Decoder().feed(line)} == {Skipped}


def test_what_has_no_metric_here_is_kept_as_evidence():
    assert said(SHORT).evidence == (
        ("clock", "03/17/98 19:45:24"),
        ("ALARM", "00"),
        ("EXC", "800"),
    )


def test_its_clock_is_evidence_and_not_the_time_of_the_value():
    assert said(LONG).device_time is None


def session(*lines):
    host = BenchHost(RecordedTime())
    clock = RecordedTime()
    recording = Recording(tuple(Received(at, line) for at, line in enumerate(lines)))
    clock.run(items_until_lost(MasimoAscii1(host, Settings()), ReplayLink(recording, clock)))
    return host


def test_it_is_identified_once_by_its_serial_number():
    assert session(LONG, LONG, LONG).identified == [
        InstrumentId("masimo-ascii1", serial="0000012345")
    ]


def test_another_serial_number_on_the_same_link_is_told():
    other = LONG.replace(b"0000012345", b"0000099999")
    assert [who.serial for who in session(LONG, other).identified] == ["0000012345", "0000099999"]


@pytest.mark.parametrize("line", [SHORT, LONG.replace(b"0000012345", b"0000000000")])
def test_a_line_without_a_serial_number_identifies_the_kind_of_instrument_only(line):
    assert session(line).identified == [InstrumentId("masimo-ascii1")]


def test_scrubbing_takes_the_serial_number_and_nothing_else():
    (line,) = Decoder().feed(LONG)
    assert scrub(line) == LONG.replace(b"0000012345", b"0000000000")
