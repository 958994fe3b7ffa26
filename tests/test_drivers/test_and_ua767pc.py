"""What the ten characters of a UA-767PC mean, and what becomes of torn ones."""

import pytest

from drivers.instruments.and_ua767.pc import AndUa767pc, Settings, measurement
from drivers.model import Instant, Measurement, Metric, Skipped, Status
from drivers.protocols.and_ua767pc import Decoder, Result, encode
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink

AT = Instant(1, 2, trusted=True)


def said(raw):
    (result,) = Decoder().feed(raw)
    return measurement(result, AT)


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


@pytest.mark.parametrize(
    ("raw", "systolic", "diastolic", "pulse"),
    [(b"801D4C4152", 105, 76, 65), (b"8020423C4C", 98, 66, 60)],
)
def test_a_reading_of_the_sources(raw, systolic, diastolic, pulse):
    assert values(said(raw)) == {
        Metric.SYSTOLIC: systolic,
        Metric.DIASTOLIC: diastolic,
        Metric.PULSE_RATE: pulse,
    }


def test_a_result_is_encoded_as_the_instrument_sends_it():
    assert encode(Result(0x80, 0x1D, 0x4C, 0x41, 0x52)) == b"801D4C4152"


@pytest.mark.parametrize("marker", [b"00", b"0B", b"81", b"FF"])
def test_any_other_marker_is_a_failed_measurement_whatever_follows(marker):
    assert set(values(said(marker + b"1D4C4152")).values()) == {Status.FAILED}


@pytest.mark.parametrize(
    "raw",
    [
        b"801D4C41FF",  # a mean above the systolic
        b"801D4C414B",  # and one below the diastolic
        b"80FF8041F0",  # 383/128
        b"80004C414C",  # 76/76
    ],
)
def test_pressures_no_patient_has_are_disbelieved(raw):
    item = values(said(raw))
    assert (item[Metric.SYSTOLIC], item[Metric.DIASTOLIC]) == (Status.IMPLAUSIBLE,) * 2


def test_zeros_are_no_value():
    assert set(values(said(b"8000000000")).values()) == {Status.NO_VALUE}


def test_the_last_byte_is_no_reading_of_its_own():
    item = said(b"801D4C4152")
    assert Metric.MEAN_PRESSURE not in values(item)
    assert item.evidence == (("marker", "80"), ("last-byte", "52"))


def heard(*chunks):
    clock = RecordedTime()
    recording = Recording(tuple(Received(round(at * 1e6), data) for at, data in chunks))
    driver = AndUa767pc(BenchHost(clock), Settings())
    return clock.run(items_until_lost(driver, ReplayLink(recording, clock)))


def test_a_torn_reading_does_not_shift_the_next_one():
    items = heard((0.0, b"D4C4152"), (60.0, b"801D4C4152"))
    assert [type(item) for item in items] == [Skipped, Measurement]
    assert values(items[1])[Metric.SYSTOLIC] == 105


def test_a_reading_that_comes_in_pieces_is_whole():
    items = heard((0.0, b"801D4"), (0.2, b"C4152"))
    assert [values(item)[Metric.SYSTOLIC] for item in items] == [105]
