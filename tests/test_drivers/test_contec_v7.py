"""What Contec's V7.0 packets mean, and what keeps the stream going."""

import asyncio

import numpy as np
import pytest

from drivers.contract import Write
from drivers.instruments.contec_v7 import ContecV7, Settings, readings
from drivers.model import InstrumentId, Measurement, Metric, Notice, Skipped, Status, Waveform
from drivers.protocols.contec_v7 import (
    KEEP_ALIVE,
    REALTIME,
    START_REALTIME,
    Decoder,
    Packet,
    command,
    encode,
    scrub,
)
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.contec_v7 import VirtualContecV7
from drivers.virtual.memory_port import speak

WORN = bytes.fromhex("01 E0 85 D5 9A BD E3 FF FF")
OUT = bytes.fromhex("01 E1 84 C0 90 80 80 FF FF")
ALL = frozenset({Write.SELECT_FORMAT, Write.KEEP_ALIVE, Write.IDENTIFY})


def packet(state=5, wave=85, bar=0, pulse=61, spo2=99, perfusion=(0xF0, 0)):
    return Packet(REALTIME, bytes((state, wave, bar, pulse, spo2, *perfusion)))


def values(said):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in said}


def test_the_worn_packet_of_the_log_is_99_percent_and_61():
    (said,) = Decoder().feed(WORN)
    assert values(readings(said)) == {
        Metric.SPO2: 99,
        Metric.PULSE_RATE: 61,
        Metric.PERFUSION_INDEX: Status.NO_VALUE,
    }


def test_the_packet_of_the_log_without_a_finger_has_no_number():
    (said,) = Decoder().feed(OUT)
    assert set(values(readings(said)).values()) == {Status.SENSOR_OFF}


@pytest.mark.parametrize("wire", [WORN, OUT])
def test_a_packet_is_encoded_as_the_instrument_sends_it(wire):
    (said,) = Decoder().feed(wire)
    assert encode(said) == wire


def test_a_command_is_that_of_the_document():
    assert command(START_REALTIME) == bytes.fromhex("7D 81 A1 80 80 80 80 80 80")


@pytest.mark.parametrize("pulse", [127, 128, 133, 250])
def test_a_pulse_keeps_its_bit_7(pulse):
    (said,) = Decoder().feed(encode(packet(pulse=pulse)))
    assert values(readings(said))[Metric.PULSE_RATE] == pulse


@pytest.mark.parametrize(
    ("said", "metric", "expected"),
    [
        (packet(pulse=0xFF), Metric.PULSE_RATE, Status.NOT_A_NUMBER),
        (packet(pulse=0), Metric.PULSE_RATE, Status.NO_VALUE),
        (packet(pulse=5), Metric.PULSE_RATE, Status.IMPLAUSIBLE),
        (packet(spo2=0x7F), Metric.SPO2, Status.NOT_A_NUMBER),
        (packet(spo2=0), Metric.SPO2, Status.NO_VALUE),
        (packet(spo2=101), Metric.SPO2, Status.IMPLAUSIBLE),
        (packet(perfusion=(0xFF, 0xFF)), Metric.PERFUSION_INDEX, Status.NOT_A_NUMBER),
        (packet(perfusion=(0, 0)), Metric.PERFUSION_INDEX, Status.NO_VALUE),
        (packet(bar=0x10), Metric.PERFUSION_INDEX, Status.NO_VALUE),
        (packet(), Metric.PERFUSION_INDEX, 2.4),
        (packet(wave=0xD5), Metric.SPO2, Status.SEARCHING),
        (packet(state=0x15), Metric.SPO2, Status.SEARCHING),
        (packet(state=0x85), Metric.SPO2, Status.SENSOR_OFF),
        (packet(state=0x25), Metric.SPO2, 99),
    ],
)
def test_what_is_no_value_has_its_reason_and_no_number(said, metric, expected):
    assert values(readings(said))[metric] == expected


@pytest.mark.parametrize("kind", [0x11, 0x13])
def test_the_bytes_of_xon_and_xoff_are_not_lost_in_the_framing(kind):
    items = Decoder().feed(bytes((kind,)) + bytes((0x80,)) * 8)
    assert b"".join(i.data if isinstance(i, Skipped) else i.raw for i in items)[0] == kind


def test_a_packet_cut_into_is_skipped_up_to_the_next():
    assert Decoder().feed(WORN[4:] + WORN) == [Skipped(WORN[4:]), Decoder().feed(WORN)[0]]


def test_scrubbing_takes_the_identifier():
    assert scrub(Packet(4, b"0012345")) == encode(Packet(4, bytes(7)))


def session(seconds, granted=ALL, hear=None, send=b"", **scene):
    clock = RecordedTime()
    virtual = VirtualContecV7(1, **scene)
    link = MemoryLink(clock.now, granted, hear=hear or virtual.hear)
    host = BenchHost(clock, granted)

    async def play():
        link.send(send)
        await speak(virtual, link, clock, seconds)
        link.lose()

    async def run():
        driver = ContecV7(host, Settings())
        items, _ = await asyncio.gather(items_until_lost(driver, link), play())
        return items

    return host, link, clock.run(run())


def count(items, kind):
    return sum(isinstance(item, kind) for item in items)


def test_kept_alive_it_streams_on():
    _, link, items = session(70)
    last = max(item.at.mono_ns for item in items if isinstance(item, Measurement))
    assert last / 1e9 > 68
    assert count(items, Waveform) >= 65
    assert link.written.count((Write.SELECT_FORMAT, command(START_REALTIME))) == 1


def test_a_stream_that_stops_for_want_of_keeping_alive_is_started_again():
    link = session(70, granted=frozenset({Write.SELECT_FORMAT}))[1]
    assert link.written.count((Write.SELECT_FORMAT, command(START_REALTIME))) == 2
    assert {purpose for purpose, _ in link.written} == {Write.SELECT_FORMAT}


def test_without_a_grant_to_start_it_nothing_is_told():
    _, link, items = session(30, granted=frozenset({Write.KEEP_ALIVE}))
    assert items == []
    assert {data for _, data in link.written} == {command(KEEP_ALIVE)}


def test_it_is_identified_by_model_and_identifier_where_granted():
    assert session(10)[0].identified == [InstrumentId("contec-v7", "CMS50D", "0012345")]


def test_a_measurement_is_told_once_a_second_and_at_every_change():
    _, _, items = session(30, finger_off=((10.0, 15.0),))
    told = [values(item.readings)[Metric.SPO2] for item in items if isinstance(item, Measurement)]
    changes = [a for a, b in zip(told, [None, *told], strict=False) if a != b]
    assert len(told) < 60
    assert changes[1:4].count(Status.SENSOR_OFF) == 1


def test_the_pulse_wave_is_a_gap_while_there_is_no_finger():
    _, _, items = session(30, finger_off=((10.0, 20.0),))
    gaps = [bool(np.isnan(i.samples).all()) for i in items if isinstance(i, Waveform)]
    assert True in gaps
    assert False in gaps


@pytest.mark.parametrize("sent", [Packet(0x0B, bytes((0xA1, 5))), Packet(0x0D, bytes((1,)))])
def test_a_refusal_and_a_farewell_are_told(sent):
    items = session(2, granted=frozenset(), send=encode(sent))[2]
    assert [type(item) for item in items] == [Notice]
