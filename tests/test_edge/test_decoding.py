import json
from datetime import datetime

import numpy as np
import pytest

from drivers.errors import ReplayMismatch, SettingsError
from drivers.model import (
    DeviceTime,
    EcgFile,
    Flag,
    Instant,
    Kind,
    Measurement,
    Metric,
    Notice,
    NoticeKind,
    Reading,
    Skipped,
    Status,
    Unit,
    Waveform,
)
from drivers.registry import REGISTRY
from drivers.transports.capture_file import (
    Case,
    Happened,
    LinkEvent,
    LoadedCase,
    Origin,
    Received,
    Recording,
    Written,
)
from edge.decoding import decode_lines, entry_named, json_line

AT = Instant(1, 2, trusted=True)


def ivy(*lines):
    case = Case("ivy-450c", Origin.SIMULATED, "virtual", "Apache-2.0", "no patient")
    return LoadedCase(None, case, Recording(lines))


def types(lines):
    return [json.loads(line)["type"] for line in lines]


def test_a_measurement_is_what_the_instrument_said_and_nothing_of_the_hub():
    measurement = Measurement(
        Kind.OXIMETRY,
        (
            Reading(Metric.SPO2, 97.0, Unit.PERCENT),
            Reading(Metric.PULSE_RATE, None, Unit.PER_MIN, Status.SENSOR_OFF),
        ),
        AT,
        b"raw",
        device_time=DeviceTime(datetime(2026, 1, 2, 3, 4, 5), resolution_s=1.0),  # noqa: DTZ001 - devices have none
        flags=frozenset({Flag.LOW_BATTERY, Flag.ARTIFACT}),
        evidence=(("label", "x"),),
    )
    assert json_line(measurement) == (
        '{"type":"measurement","kind":"oximetry","readings":['
        '{"metric":"spo2","value":97.0,"unit":"%","status":"ok"},'
        '{"metric":"pulse-rate","value":null,"unit":"/min","status":"sensor-off"}],'
        '"device_time":"2026-01-02T03:04:05","flags":["artifact","low-battery"]}'
    )


def test_a_waveform_says_what_it_is_and_how_long():
    wave = Waveform(("II", "V1"), 200.0, Unit.MILLIVOLT, np.zeros((2, 50)), AT)
    assert json_line(wave) == (
        '{"type":"waveform","signals":["II","V1"],"fs":200.0,"n":50,"unit":"mV"}'
    )


def test_a_carts_file_is_told_by_its_length():
    assert json_line(EcgFile(b"SCPECG", AT)) == '{"type":"file","n":6}'


def test_a_notice_and_skipped_bytes_are_a_line_each():
    assert json_line(Notice(NoticeKind.ALARM, "HR: high", AT)) == (
        '{"type":"notice","kind":"alarm","text":"HR: high"}'
    )
    assert json_line(Skipped(b"\x00\x01")) == '{"type":"skipped","n":2}'


def test_skipped_bytes_that_follow_each_other_are_one_line_however_they_came():
    junk = [Received(at, b"\x00" * 100) for at in range(50)]
    assert decode_lines(ivy(*junk)) == ['{"type":"skipped","n":5000}']


def test_each_session_of_a_recording_begins_anew():
    packet = REGISTRY["ivy-450c"].simulator()(1).due(1.0)
    once = decode_lines(ivy(Received(0, packet)))
    both = decode_lines(
        ivy(
            Received(0, packet),
            Received(0, packet[:300]),
            Happened(1_000_000, LinkEvent.LOST),
            Happened(2_000_000, LinkEvent.OPEN),
            Received(2_000_000, packet),
        )
    )
    assert "measurement" in types(once)
    assert both == once + once


def test_a_driver_that_does_not_write_what_was_written_is_told():
    with pytest.raises(ReplayMismatch):
        decode_lines(ivy(Written(0, b"\x02"), Received(1, b"\x06")))


def test_a_driver_nobody_knows_is_refused_with_those_there_are():
    with pytest.raises(SettingsError, match=r"'pulsometer'; known are: .*ivy-450c"):
        entry_named("pulsometer")
