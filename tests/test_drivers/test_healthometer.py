"""What a platform scale's packets mean; whose they are is nobody's business but the patient's."""

import pytest

from drivers.instruments.healthometer import HealthOMeter, Settings
from drivers.model import (
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    NoticeKind,
    Skipped,
    Status,
    Unit,
)
from drivers.protocols.healthometer import Decoder, Packet, encode, scrub
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink

AT = Instant(1, 2, trusted=True)
METRIC = b"\x1bR\x1bI1234567890\x1bW184.5\x1bH84.0\x1bB24.1\x1bT0.0\x1bNm\x1bE"
STRAY = b"6" + METRIC[1:]
IMPERIAL = b"\x1bR\x1bI0000000000\x1bW123.4\x1bH0.0\x1bB0.0\x1bT0.0\x1bNc\x1bE"


def heard(*chunks):
    clock = RecordedTime()
    recording = Recording(tuple(Received(round(at * 1e6), each) for at, each in enumerate(chunks)))
    host = BenchHost(clock)
    driver = HealthOMeter(host, Settings())
    return host, clock.run(items_until_lost(driver, ReplayLink(recording, clock)))


def said(*chunks):
    return {
        (item.kind, r.metric): (r.value if r.status is Status.OK else r.status, r.unit)
        for item in heard(*chunks)[1]
        if isinstance(item, Measurement)
        for r in item.readings
    }


@pytest.mark.parametrize("wire", [METRIC, STRAY])
def test_a_packet_of_the_manufacturer_in_kilograms(wire):
    assert said(wire) == {
        (Kind.WEIGHT, Metric.WEIGHT): (184.5, Unit.KG),
        (Kind.WEIGHT, Metric.BMI): (24.1, Unit.KG_PER_M2),
        (Kind.HEIGHT, Metric.HEIGHT): (84.0, Unit.CM),
    }


def test_a_packet_of_the_manufacturer_in_pounds_without_height():
    assert said(IMPERIAL) == {(Kind.WEIGHT, Metric.WEIGHT): (123.4, Unit.POUND)}


def test_a_packet_is_encoded_as_the_scale_sends_it():
    (packet,) = Decoder().feed(IMPERIAL)
    assert packet == Packet("0000000000", "123.4", "0.0", "0.0", "0.0", "c")
    assert encode(packet) == IMPERIAL


def test_the_rest_of_a_packet_cut_into_lends_no_digit_to_the_next():
    items = heard(METRIC[len(METRIC) // 2 :] + IMPERIAL, b"\x1bR\x1bI0000000000\x1bW18" + IMPERIAL)
    weights = [r.value for i in items[1] if isinstance(i, Measurement) for r in i.readings]
    assert weights == [123.4, 123.4]


@pytest.mark.parametrize(
    "wire",
    [
        METRIC.replace(b"\x1bW184.5", b"\x1bW1845.55.1"),
        METRIC.replace(b"\x1bW184.5", b"\x1bW"),
        METRIC.replace(b"\x1bW184.5", b""),
        METRIC.replace(b"1234567890", b"123456789"),
        METRIC.replace(b"\x1bT0.0", b"\x1bT0.0\x1bT0.0"),
    ],
)
def test_a_damaged_packet_is_skipped(wire):
    assert {type(item) for item in Decoder().feed(wire + IMPERIAL)[:-1]} == {Skipped}


@pytest.mark.parametrize("weight", [b"0.0", b"-1.5", b"-0.0"])
def test_a_weight_of_zero_or_less_is_none(weight):
    wire = IMPERIAL.replace(b"123.4", weight)
    assert said(wire)[Kind.WEIGHT, Metric.WEIGHT][0] is Status.NO_VALUE


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (b"W184.5", b"W999.9", (Kind.WEIGHT, Metric.WEIGHT)),
        (b"H84.0", b"H940.0", (Kind.HEIGHT, Metric.HEIGHT)),
        (b"B24.1", b"B1.0", (Kind.WEIGHT, Metric.BMI)),
    ],
)
def test_what_no_patient_has_is_implausible(old, new, key):
    assert said(METRIC.replace(old, new))[key][0] is Status.IMPLAUSIBLE


@pytest.mark.parametrize("unit", [b"", b"\x1bNx"])
def test_a_packet_without_a_known_unit_gives_a_notice_and_no_value(unit):
    _, items = heard(METRIC.replace(b"\x1bNm", unit))
    assert [item.kind for item in items] == [NoticeKind.UNMAPPED]


def test_what_was_typed_on_the_keypad_never_leaves_the_decoder():
    _, items = heard(METRIC)
    assert b"1234567890" not in b"".join(item.raw for item in items)
    (packet,) = Decoder().feed(METRIC)
    assert "1234567890" not in repr(packet)
    assert b"1234567890" not in scrub(packet)


def test_a_tare_is_kept_as_evidence():
    _, (weight,) = heard(IMPERIAL.replace(b"\x1bT0.0", b"\x1bT12.5"))
    assert weight.evidence == (("tare", "12.5"),)


def test_it_is_identified_once():
    assert heard(METRIC, METRIC)[0].identified == [InstrumentId("healthometer")]
