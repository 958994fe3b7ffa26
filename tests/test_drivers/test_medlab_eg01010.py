"""Two protocols of one ECG module, told from the bytes, and what their rates mean."""

import pytest

from drivers.instruments.medlab_eg01010 import MedlabEg01010, Settings
from drivers.model import InstrumentId, Measurement, Skipped, Status, Waveform
from drivers.protocols.medlab_eg01010 import (
    BREATHS,
    PULSE,
    UNDECIDED,
    Decoder,
    Identity,
    Info,
    Samples,
    State,
    Value,
    encode,
)
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink

FIRST = bytes.fromhex("F8 20 23 25 FA 78 F8 25 25")  # manual, protocol 1


def said(wire):
    return [x for x in Decoder().feed(wire) if not isinstance(x, Skipped)]


def test_the_example_of_the_manual_is_protocol_1_with_a_pulse_of_120():
    frames = said(FIRST)
    assert [x for x in frames if isinstance(x, Value)] == [Value(1, PULSE, 120)]
    assert [v for x in frames if isinstance(x, Samples) for v in x.values] == [32, 35, 37, 37, 37]


@pytest.mark.parametrize(
    ("wire", "frame"),
    [
        ("FA 42 48", Value(2, PULSE, 72)),
        ("F9 07 0E", Value(2, BREATHS, 14)),
        ("FC 4A 47 02 04 01", State(0x47, 2, (4, 1))),
    ],
)
def test_one_right_check_is_protocol_2(wire, frame):
    assert said(bytes.fromhex(wire)) == [frame]
    assert encode(frame) == bytes.fromhex(wire)
    assert said(bytes.fromhex(wire) + bytes.fromhex("F8 18 80"))[-1] == Samples(2, (128,))


def test_who_it_is_is_told_once_the_protocol_is_clear():
    identity = Identity('"EG01010H0S61"')
    assert said(bytes.fromhex("FA4248") + encode(identity))[-1] == identity


def test_blocks_of_samples_alone_are_believed_when_three_in_a_row_are_right():
    wave = encode(Samples(2, (128, 90)))
    assert (said(wave * 2), len(said(wave * 3))) == ([], 3)


def test_bytes_that_prove_neither_protocol_are_let_go():
    assert Decoder().feed(b"\x80" * UNDECIDED) == [Skipped(b"\x80" * UNDECIDED)]


def heard(*wires, **options):
    clock = RecordedTime()
    host = BenchHost(clock)
    link = ReplayLink(Recording(tuple(Received(0, wire) for wire in wires)), clock)
    driver = MedlabEg01010(host, Settings(**options))
    return host, clock.run(items_until_lost(driver, link))


def rates(*wires):
    return [
        r.value if r.status is Status.OK else r.status
        for item in heard(*wires)[1]
        if isinstance(item, Measurement)
        for r in item.readings
    ]


def test_an_electrode_off_ends_the_value_until_a_beat_is_seen_again():
    lead_off = encode(Info(0x11))
    wire = (FIRST, lead_off, bytes.fromhex("F9 0E"), FIRST)
    assert rates(*wire) == [120, Status.SENSOR_OFF, Status.SENSOR_OFF, 120]


def test_with_no_electrode_connected_protocol_2_gives_no_value():
    pulse = encode(Value(2, PULSE, 72))
    wire = (pulse, encode(State(0x40, 2, (0, 0))), pulse, encode(State(0x47, 2, (0, 0))), pulse)
    assert rates(*wire) == [72, Status.SENSOR_OFF, 72]


@pytest.mark.parametrize(
    ("mark", "value", "status"),
    [
        (PULSE, 0, Status.NO_VALUE),
        (PULSE, 5, Status.IMPLAUSIBLE),
        (BREATHS, 0, Status.NO_VALUE),
        (BREATHS, 240, Status.IMPLAUSIBLE),
    ],
)
def test_a_rate_no_patient_has_is_told_with_its_reason(mark, value, status):
    assert rates(encode(Value(2, mark, value))) == [status]


def test_a_second_of_the_curves_is_one_waveform():
    _, items = heard(encode(Value(2, PULSE, 72)), encode(Samples(2, (128, 90))) * 100, fs=50)
    waves = [item for item in items if isinstance(item, Waveform)]
    assert [(w.signals, w.samples.shape) for w in waves] == [(("ecg", "respiration"), (2, 50))] * 2


def test_it_is_known_by_its_own_words():
    host, _ = heard(encode(Value(2, PULSE, 72)) + encode(Identity('"EG01010H0S61"')))
    assert host.identified[-1] == InstrumentId("medlab-eg01010", "EG01010", firmware="H0S61")
