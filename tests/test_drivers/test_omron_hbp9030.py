"""What a line of an HBP-9030 means, and that nobody learns who typed what at the kiosk."""

import pytest

from drivers.instruments.omron_hbp9030 import measurement
from drivers.model import Flag, Instant, Metric, Skipped, Status
from drivers.protocols.omron_hbp9030 import Decoder, encode, scrub

AT = Instant(1, 2, trusted=True)
LINE = b"2026,01,05,08,30,12345678901234567890,0,127, 81, 69,0\r\n"


def read(wire=LINE):
    (line,) = Decoder().feed(wire)
    return line


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


def test_a_line_has_53_characters_and_says_what_stands_in_its_columns():
    item = measurement(read(), AT)
    assert len(LINE) == 53 + 2
    assert values(item) == {Metric.SYSTOLIC: 127, Metric.DIASTOLIC: 81, Metric.PULSE_RATE: 69}
    assert ("clock", "2026-01-05T08:30") in item.evidence
    assert encode(read()) == LINE


@pytest.mark.parametrize("error", b"123456789")
def test_an_error_is_a_failed_measurement_whatever_stands_beside_it(error):
    for numbers in (b"   ,   ,   ", b"127, 81, 69"):
        wire = LINE.replace(b",0,127, 81, 69", b",%c,%b" % (error, numbers))
        assert set(values(measurement(read(wire), AT)).values()) == {Status.FAILED}


@pytest.mark.parametrize(
    ("numbers", "metric"),
    [
        (b"300,299, 69", Metric.SYSTOLIC),
        (b"261, 81, 69", Metric.SYSTOLIC),
        (b"127, 29, 69", Metric.DIASTOLIC),
        (b"127, 81,181", Metric.PULSE_RATE),
        (b" 81,127, 69", Metric.DIASTOLIC),
    ],
)
def test_what_the_kiosk_cannot_measure_is_implausible(numbers, metric):
    item = measurement(read(LINE.replace(b"127, 81, 69", numbers)), AT)
    assert values(item)[metric] is Status.IMPLAUSIBLE


def test_blanks_are_no_value():
    item = measurement(read(LINE.replace(b"127, 81, 69", b"   ,   ,   ")), AT)
    assert set(values(item).values()) == {Status.NO_VALUE}


def test_movement_is_flagged():
    assert measurement(read(LINE.replace(b"69,0", b"69,2")), AT).flags == {Flag.BODY_MOVEMENT}


def test_who_it_was_is_shown_nowhere():
    ident = b"12345678901234567890"
    assert ident not in measurement(read(), AT).raw
    assert ident.decode() not in repr(read())
    assert scrub(read()) == LINE.replace(ident, b"0" * 20)


@pytest.mark.parametrize(
    "wire",
    [
        LINE.replace(b", 69", b""),
        LINE.replace(b"2026,01,05,", b""),
        LINE.replace(b" 81", b"81"),
        b"1,12345,2026,01,127,90,81,69\r\n",
    ],
)
def test_a_line_of_another_output_format_is_not_read(wire):
    assert Decoder().feed(wire) == [Skipped(wire)]
