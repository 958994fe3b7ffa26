"""What a HealthyPi's packets mean, and the two bytes that are no blood pressure."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.instruments.healthypi_v4 import told
from drivers.model import Instant, Kind, Measurement, Metric, Status, Waveform
from drivers.protocols.healthypi_v4 import Decoder, Sample, encode

AT = Instant(1, 2, trusted=True)
WORN = Sample(-120, 300, 81_000, 60_500, 3662, 15, 97, 72, (80, 120), 0)


def values(sample):
    said = [item for item in told([sample], AT) if isinstance(item, Measurement)]
    return {
        r.metric: r.value if r.status is Status.OK else r.status for x in said for r in x.readings
    }


def test_a_packet_of_the_firmware_is_read():
    wire = bytes.fromhex("0afa140002 88ff 2c01 683c0100 54ec0000 4e0e 0f 61 48 50 78 00 000b")
    assert Decoder().feed(wire) == [WORN]
    assert encode(WORN) == wire


def test_it_gives_four_rates_and_values():
    assert values(WORN) == {
        Metric.HEART_RATE: 72,
        Metric.RESPIRATION_RATE: 15,
        Metric.SPO2: 97,
        Metric.BODY_TEMPERATURE: 36.62,
    }


@given(st.tuples(st.integers(0, 255), st.integers(0, 255)))
def test_the_constants_that_look_like_a_pressure_are_never_told(constants):
    sample = replace(WORN, constants=constants)
    assert values(sample) == values(WORN)
    kinds = {item.kind for item in told([sample], AT) if isinstance(item, Measurement)}
    assert Kind.BLOOD_PRESSURE not in kinds


@pytest.mark.parametrize(
    ("change", "metric", "status"),
    [
        ({"state": 1, "heart_rate": 0}, Metric.HEART_RATE, Status.SENSOR_OFF),
        ({"state": 1, "respiration_rate": 0}, Metric.RESPIRATION_RATE, Status.SENSOR_OFF),
        ({"state": 2}, Metric.SPO2, Status.SENSOR_OFF),
        ({"spo2": 0}, Metric.SPO2, Status.NO_VALUE),
        ({"spo2": 101}, Metric.SPO2, Status.IMPLAUSIBLE),
        ({"heart_rate": 0}, Metric.HEART_RATE, Status.NO_VALUE),
        ({"respiration_rate": 0}, Metric.RESPIRATION_RATE, Status.NO_VALUE),
        ({"respiration_rate": 201}, Metric.RESPIRATION_RATE, Status.IMPLAUSIBLE),
        ({"temperature": 0}, Metric.BODY_TEMPERATURE, Status.NO_VALUE),
        ({"temperature": 0xFFFF}, Metric.BODY_TEMPERATURE, Status.IMPLAUSIBLE),
    ],
)
def test_what_is_no_value_is_told_with_its_reason(change, metric, status):
    assert values(replace(WORN, **change))[metric] is status


def test_a_signal_without_its_sensor_is_a_gap():
    samples = [WORN, replace(WORN, state=1), replace(WORN, state=2)]
    (wave,) = [item for item in told(samples, AT) if isinstance(item, Waveform)]
    assert np.isnan(wave.samples).tolist() == [
        [False, True, False],
        [False, True, False],
        [False, False, True],
        [False, False, True],
    ]


def test_both_bytes_of_the_end_have_to_be_right():
    wire = encode(WORN)
    for end in (b"\x00\x0a", b"\x01\x0b"):
        assert not any(isinstance(x, Sample) for x in Decoder().feed(wire[:-2] + end))
