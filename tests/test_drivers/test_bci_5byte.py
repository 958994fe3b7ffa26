"""What the five-byte stream means, and how slowly it is believed."""

import pytest

from drivers.instruments.bci_5byte import TRUSTED_AFTER, Bci5byte, Settings, readings
from drivers.model import InstrumentId, Measurement, Metric, Skipped, Status
from drivers.protocols.bci_5byte import Decoder, Sample, Version, encode
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink

WORN = bytes.fromhex("8540034861")  # strength 5, wave 64, bar 3, pulse 72, SpO2 97


def values(said):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in said}


@pytest.mark.parametrize(
    ("wire", "sample"),
    [
        ("85 40 03 48 61", Sample(5, 64, 3, 72, 97)),
        ("80 00 40 05 60", Sample(0, 0, 0, 133, 96)),
    ],
)
def test_a_frame_of_the_sources_is_read_and_written(wire, sample):
    assert Decoder().feed(bytes.fromhex(wire)) == [sample]
    assert encode(sample) == bytes.fromhex(wire)


@pytest.mark.parametrize("part", [0xFD, 0xFE, 0xFF])
def test_a_version_is_no_sample(part):
    assert Decoder().feed(bytes((part,)) + b"V1.2") == [Version(part, b"V1.2")]


@pytest.mark.parametrize(
    ("sample", "spo2", "pulse"),
    [
        (Sample(5, 64, 3, 72, 97), 97, 72),
        (Sample(0x60, 64, 3, 72, 97), 97, 72),  # a beat, and SpO2 dropping: the value stands
        (Sample(0x10, 64, 3, 72, 97), Status.SENSOR_OFF, Status.SENSOR_OFF),
        (Sample(5, 64, 0x10, 72, 97), Status.SENSOR_OFF, Status.SENSOR_OFF),
        (Sample(5, 64, 0x20, 72, 97), Status.SEARCHING, Status.SEARCHING),
        (Sample(5, 64, 3, 0, 0), Status.NO_VALUE, Status.NO_VALUE),
        (Sample(5, 64, 3, 255, 127), Status.IMPLAUSIBLE, 255),
        (Sample(5, 64, 3, 9, 101), Status.IMPLAUSIBLE, Status.IMPLAUSIBLE),
    ],
)
def test_any_meaning_of_a_flag_disowns_the_value(sample, spo2, pulse):
    assert values(readings(sample)) == {Metric.SPO2: spo2, Metric.PULSE_RATE: pulse}


def heard(data):
    clock = RecordedTime()
    host = BenchHost(clock)
    link = ReplayLink(Recording((Received(0, data),)), clock)
    return host, clock.run(items_until_lost(Bci5byte(host, Settings()), link))


def told(data):
    return sum(isinstance(item, Measurement) for item in heard(data)[1])


@pytest.mark.parametrize("frames", [1, TRUSTED_AFTER - 1])
def test_a_few_good_frames_behind_noise_or_before_it_are_not_believed(frames):
    for data in (b"\x00" + WORN * frames, WORN * frames + b"\x80"):
        host, items = heard(data)
        assert [item for item in items if not isinstance(item, Skipped)] == []
        assert host.identified == []


def test_a_few_good_frames_are_believed_once_a_link_has_ended_that_brought_nothing_else():
    _, items = heard(WORN + bytes.fromhex("8000400560"))
    assert [values(item.readings)[Metric.PULSE_RATE] for item in items] == [72, 133]


def test_enough_good_frames_in_a_row_are():
    host, items = heard(WORN * TRUSTED_AFTER)
    assert [values(item.readings)[Metric.SPO2] for item in items] == [97]
    assert host.identified == [InstrumentId("bci-5byte")]


def test_after_anything_skipped_belief_begins_anew():
    assert told(WORN * 20 + b"\x01" + WORN * (TRUSTED_AFTER - 1)) == 1
    assert told(WORN * 20 + b"\x01" + WORN * TRUSTED_AFTER) == 2


def test_values_that_stay_are_told_once_a_second():
    assert told(WORN * 180) == 3


def test_a_byte_lost_costs_one_frame():
    items = Decoder().feed(WORN + WORN[:2] + WORN[3:] + WORN)
    assert [type(item) for item in items] == [Sample, Skipped, Sample]
