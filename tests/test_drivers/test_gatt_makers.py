"""Bluetooth instruments with services of their own: vectors, codes for no value, one-lead ECG."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Write
from drivers.model import Flag, Measurement, Metric, Notice, NoticeKind, Status, Unit, Waveform
from drivers.protocols.gatt import characteristics as gatt
from drivers.protocols.gatt.characteristics import decode, encode
from drivers.protocols.gatt.fields import Malformed
from drivers.protocols.gatt.jumper import JumperValues
from drivers.protocols.gatt.movesense import MovesenseEcg
from drivers.protocols.gatt.nonin_ble import NoninOximetry, NoninStatus
from drivers.protocols.gatt.polar import PolarAnswer, PolarEcg
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.memory_gatt import MemoryGattLink, Sent
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.gatt.radio import on_the_air

SELECT = frozenset({Write.SELECT_FORMAT})


class Sends:
    """A peripheral that sends what it is given; its control point takes whatever is written."""

    has_hung_up = False

    def __init__(self, channel, payloads):
        self.peer = REGISTRY["polar-h10"].simulator()(1).peer
        self.sends = [Sent(channel, data) for data in payloads]

    def connect(self):
        pass

    def due(self, _elapsed_s):
        out, self.sends = self.sends, []
        return out

    def confirm(self, sent):
        pass

    def read(self, _channel):
        return b""

    def write(self, channel, data):
        pass

    def subscribe(self, channel):
        pass


def items_of(name, peripheral, seconds=3, granted=frozenset()):
    clock, entry = RecordedTime(), REGISTRY[name]
    link = MemoryGattLink(peripheral, clock.now, granted)

    async def session():
        driver = entry.factory()(BenchHost(clock, granted), entry.options({}))
        running = asyncio.ensure_future(items_until_lost(driver, link))
        await on_the_air(link, clock, seconds)
        link.lose()
        return await running

    return clock.run(session()), link


def read(name, channel, *payloads):
    items, _ = items_of(name, Sends(channel, [bytes.fromhex(each) for each in payloads]))
    return [item for item in items if isinstance(item, Measurement)]


def said(measurement):
    return [(r.metric, r.value if r.value is not None else r.status) for r in measurement.readings]


def test_a_nonin_says_saturation_pulse_and_amplitude_most_significant_byte_first():
    (told,) = read("nonin-ble", gatt.NONIN_OXIMETRY, "0a 05 1d 01a4 0010 61 0048")
    assert said(told) == [
        (Metric.SPO2, 97.0),
        (Metric.PULSE_RATE, 72.0),
        (Metric.PERFUSION_INDEX, 4.2),
    ]
    assert told.flags == {Flag.GOOD_QUALITY}


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ("0a 01 1d 0000 0010 7f 01ff", Status.NOT_A_NUMBER),
        ("0a 09 1d 0000 0010 7f 01ff", Status.SEARCHING),
        ("0a 09 1d 01a4 0010 61 0048", Status.SEARCHING),
        ("0a 41 1d 01a4 0010 61 0048", Status.NOT_A_NUMBER),
    ],
    ids=["missing", "searching", "number-while-searching", "encrypted"],
)
def test_what_a_nonin_disowns_is_no_value(payload, why):
    (told,) = read("nonin-ble", gatt.NONIN_OXIMETRY, payload)
    assert {reading.status for reading in told.readings[:2]} == {why}
    assert not told.has_value


@pytest.mark.parametrize("payload", ["0a 01 1d 0000 0010 61 00", "0b 01 1d 0000 0010 61 0048"])
def test_a_nonin_payload_of_another_length_than_it_says_is_skipped(payload):
    assert isinstance(decode(gatt.NONIN_OXIMETRY, bytes.fromhex(payload)), Malformed)


def test_the_published_vector_of_a_jumper():
    (told,) = read("jumper", gatt.JUMPER_OXIMETRY, "81 38 63 44")
    assert said(told) == [
        (Metric.SPO2, 99.0),
        (Metric.PULSE_RATE, 56.0),
        (Metric.PERFUSION_INDEX, 6.8),
    ]


@pytest.mark.parametrize("spo2", [127, 177])
def test_a_code_of_a_jumper_is_no_saturation(spo2):
    (told,) = read("jumper", gatt.JUMPER_OXIMETRY, bytes((0x81, 56, spo2, 68)).hex())
    assert said(told)[0] == (Metric.SPO2, Status.NOT_A_NUMBER)


def test_the_samples_of_a_polar_are_microvolts_of_three_bytes():
    frame = decode(gatt.POLAR_DATA, bytes.fromhex("00 0100000000000000 00 e80300 ffffff"))
    assert frame == PolarEcg(1, (1000, -1))


@pytest.mark.parametrize("name", ["polar-h10", "movesense"])
def test_an_ecg_is_asked_for_only_where_choosing_it_is_granted(name):
    alone, link = items_of(name, REGISTRY[name].simulator()(1))
    assert link.written == []
    assert not any(isinstance(item, Waveform) for item in alone)
    items, link = items_of(name, REGISTRY[name].simulator()(1), granted=SELECT)
    assert any(isinstance(item, Waveform) for item in items)
    assert [purpose for purpose, *_ in link.written] == [Write.SELECT_FORMAT]
    assert link.refused == []


@pytest.mark.parametrize(
    ("name", "frame", "fs", "unit", "samples"),
    [
        ("polar-h10", PolarEcg(9, (500, -250)), 130.0, Unit.MILLIVOLT, [0.5, -0.25]),
        ("movesense", MovesenseEcg(1, 5, (500, -250)), 200.0, Unit.UNSCALED, [500.0, -250.0]),
    ],
)
def test_a_one_lead_ecg_is_called_by_no_name_of_the_twelve(name, frame, fs, unit, samples):
    channel = gatt.POLAR_DATA if name == "polar-h10" else gatt.MOVESENSE_NOTIFY
    items, _ = items_of(name, Sends(channel, [encode(frame)]))
    (wave,) = [item for item in items if isinstance(item, Waveform)]
    assert (wave.signals, wave.fs, wave.unit) == (("one-lead",), fs, unit)
    assert wave.samples.tolist() == [samples]


def test_a_belt_that_refuses_its_ecg_is_said_to():
    items, _ = items_of("polar-h10", Sends(gatt.POLAR_CONTROL, [encode(PolarAnswer(2, 0, 6))]))
    (told,) = [item for item in items if isinstance(item, Notice) and "error" in item.text]
    assert (told.kind, told.text) == (NoticeKind.STATE, "the belt does not send its ECG: error 6")


BYTE, WORD = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
FRAMES = st.one_of(
    st.builds(NoninOximetry, BYTE, BYTE, WORD, WORD, BYTE, WORD, st.binary(max_size=9)),
    st.builds(JumperValues, BYTE, BYTE, BYTE),
    st.builds(
        PolarEcg,
        st.integers(0, 2**64 - 1),
        st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1, max_size=9).map(tuple),
    ),
    st.builds(
        MovesenseEcg,
        BYTE,
        st.integers(0, 2**32 - 1),
        st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=9).map(tuple),
    ),
)
CHANNEL = {
    NoninOximetry: gatt.NONIN_OXIMETRY,
    JumperValues: gatt.JUMPER_OXIMETRY,
    PolarEcg: gatt.POLAR_DATA,
    MovesenseEcg: gatt.MOVESENSE_NOTIFY,
}


@given(FRAMES)
def test_every_frame_of_a_maker_is_read_as_it_was_written_and_cut_short_not_at_all(frame):
    channel, payload = CHANNEL[type(frame)], encode(frame)
    assert decode(channel, payload) == frame
    shorter = decode(channel, payload[:-1])
    assert isinstance(shorter, Malformed)


@pytest.mark.parametrize("bit", [*NoninStatus])
def test_every_bit_of_a_nonin_status_is_evidence(bit):
    payload = encode(NoninOximetry(int(bit), 29, 420, 1, 97, 72))
    (told,) = read("nonin-ble", gatt.NONIN_OXIMETRY, payload.hex())
    assert ("status", f"{int(bit):02x}") in told.evidence
    assert not any(math.isnan(reading.value or 0) for reading in told.readings)
