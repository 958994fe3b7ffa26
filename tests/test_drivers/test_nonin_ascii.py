"""What the lines of Nonin's bedside oximeters mean."""

import pytest

from drivers.instruments.nonin_ascii import NoninAscii, Settings, measurement
from drivers.model import Instant, InstrumentId, Metric, Skipped, Status
from drivers.protocols.nonin_ascii import Decoder, Line, encode
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink

AT = Instant(1, 2, trusted=True)
WORN = b"SPO2=097 HR=072\r\n"


def said(raw):
    (line,) = Decoder().feed(raw)
    return measurement(line, AT)


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


@pytest.mark.parametrize(
    ("wire", "line"),
    [
        (WORN, Line("", 97, 72, "")),
        (b"SPO2=--- HR=---\r\n", Line("", None, None, "")),
        (b"14:03:09 SPO2=097 HR=072\r\n", Line("14:03:09", 97, 72, "")),
        (b"SPO2=097 HR=072 F\r\n", Line("", 97, 72, "F")),
        (b"SPO2=097 HR=072*\r\n", Line("", 97, 72, "*")),
        (b"14:03:09 SPO2=097 HR=072 *B\r\n", Line("14:03:09", 97, 72, "*B")),
    ],
)
def test_a_line_in_the_forms_of_the_manuals_is_read(wire, line):
    assert Decoder().feed(wire) == [line]


def test_a_line_is_encoded_as_the_instrument_sends_it():
    assert encode(Line("14:03:09", 97, 72, "F")) == b"14:03:09 SPO2=097 HR=072 F\r\n"


def test_a_line_is_a_measurement():
    assert values(said(WORN)) == {Metric.SPO2: 97, Metric.PULSE_RATE: 72}


@pytest.mark.parametrize(
    ("wire", "metric", "status"),
    [
        (b"SPO2=--- HR=072\r\n", Metric.SPO2, Status.NO_VALUE),
        (b"SPO2=000 HR=072\r\n", Metric.SPO2, Status.NO_VALUE),
        (b"SPO2=101 HR=072\r\n", Metric.SPO2, Status.IMPLAUSIBLE),
        (b"SPO2=127 HR=511\r\n", Metric.PULSE_RATE, Status.IMPLAUSIBLE),
        (b"SPO2=097 HR=---\r\n", Metric.PULSE_RATE, Status.NO_VALUE),
        (b"SPO2=097 HR=009\r\n", Metric.PULSE_RATE, Status.IMPLAUSIBLE),
    ],
)
def test_what_is_no_value_has_its_reason_and_no_number(wire, metric, status):
    assert values(said(wire))[metric] is status


@pytest.mark.parametrize(
    "wire",
    [
        b"SPO2=97 HR=072\r\n",
        b"PO2=097 HR=072\r\n",
        b"SPO2=097 HR=0\r\n",
        b"NONIN 9847 02-JAN-26 14:03\r\n",
        b"SPO2=097 HR=072 Q\r\n",
        b"S\xd0O2=097 HR=072\r\n",  # as parity would leave it
    ],
)
def test_a_damaged_line_or_a_header_is_skipped(wire):
    assert [type(item) for item in Decoder().feed(wire + WORN)] == [Skipped, Line]


def test_clock_and_marks_are_evidence():
    item = said(b"14:03:09 SPO2=097 HR=072 F*\r\n")
    assert item.device_time is None
    assert item.evidence == (
        ("clock", "14:03:09"),
        ("mark", "event marked"),
        ("mark", "fast averaging"),
    )


def test_it_is_identified_once_a_session():
    clock = RecordedTime()
    host = BenchHost(clock)
    link = ReplayLink(Recording((Received(0, WORN * 3),)), clock)
    clock.run(items_until_lost(NoninAscii(host, Settings()), link))
    assert host.identified == [InstrumentId("nonin-ascii")]
