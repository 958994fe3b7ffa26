"""The virtual Nonin oximeter behaves as the models it stands for."""

from datetime import datetime
from itertools import pairwise

import pytest

from drivers.model import Skipped
from drivers.protocols import nonin_control as control
from drivers.protocols.nonin import Decoder
from drivers.protocols.nonin_control import Ack, DeviceTypeReply, Nak, SerialReply
from drivers.protocols.nonin_df13 import SpotStatus
from drivers.protocols.nonin_stream import FrameStatus, PlethPacket
from drivers.virtual.nonin import VirtualNonin


def frames(virtual, until_s, since_s=0.0, step_s=0.05):
    decoder, items = Decoder(), []
    for tick in range(1, round((until_s - since_s) / step_s) + 1):
        items += decoder.feed(virtual.due(since_s + tick * step_s))
    return items


def answers(virtual, command):
    return Decoder().feed(virtual.hear(command))


@pytest.mark.parametrize(("data_format", "count"), [(2, 30), (7, 30), (8, 10)])
def test_it_sends_three_packets_or_one_frame_a_second(data_format, count):
    assert len(frames(VirtualNonin(1, data_format=data_format), 10)) == count


@pytest.mark.parametrize("data_format", [2, 7, 8])
def test_the_same_seed_gives_the_same_bytes_however_often_it_is_asked(data_format):
    often = VirtualNonin(5, data_format=data_format)
    pieces = b"".join(often.due(tick / 7) for tick in range(1, 71))
    assert pieces == VirtualNonin(5, data_format=data_format).due(10.0)


def test_another_seed_gives_another_finger():
    assert VirtualNonin(1).due(10) != VirtualNonin(2).due(10)


def test_values_appear_after_four_beats_and_stay_near_the_scene_s():
    got = frames(VirtualNonin(1, pulse_rate=60, spo2=95), 60)
    rates = [packet.heart_rate for packet in got]
    assert rates[:12] == [None] * 12
    assert {rate for rate in rates[15:] if rate is None or abs(rate - 60) > 3} == set()
    assert {packet.spo2 for packet in got[15:]} <= {94, 95, 96}


def test_the_wave_has_one_systole_a_beat():
    packets = frames(VirtualNonin(1, pulse_rate=72), 30)
    wave = [sample for packet in packets for sample in packet.pleth]
    rises = sum(low < 180 <= high for low, high in pairwise(wave))
    assert abs(rises - 36) <= 1


def test_the_display_holds_for_ten_seconds_after_the_finger_has_gone():
    virtual = VirtualNonin(1, finger_off=((9.0, 40.0),))
    gone = [packet for packet in frames(virtual, 30) if FrameStatus.SENSOR_ALARM in packet.seen]
    held = [packet for packet in gone if packet.spo2_display is not None]
    assert len(held) == 30
    assert {packet.spo2 for packet in gone} == {None}


def test_only_models_that_say_so_tell_a_missing_sensor_from_a_missing_finger():
    scene = {"sensor_disconnected": ((0.0, 9.0),)}
    (oem3, *_) = frames(VirtualNonin(1, model="OEM III", **scene), 1)
    (onyx, *_) = frames(VirtualNonin(1, model="9560", **scene), 1)
    assert FrameStatus.SENSOR_DISCONNECTED in oem3.seen
    assert FrameStatus.SENSOR_DISCONNECTED not in onyx.seen


@pytest.mark.parametrize("model", ["OEM III", "3150", "9560"])
def test_a_format_is_selected_and_sent_from_the_next_frame(model):
    virtual = VirtualNonin(1, model=model, data_format=2)
    decoder = Decoder()
    items = decoder.feed(
        virtual.due(1.5) + virtual.hear(control.select_format(7)) + virtual.due(2.5)
    )
    kinds = [(type(item), getattr(item, "data_format", None)) for item in items]
    cut = [(Ack, None), (Skipped, None)]
    assert kinds == [(PlethPacket, 2)] * 4 + cut + [(PlethPacket, 7)] * 3


def test_the_long_form_selects_too():
    command = control.select_format_long(8, spot_check=True, bluetooth_on=True)
    assert answers(VirtualNonin(1), command) == [Ack()]


@pytest.mark.parametrize(
    ("model", "command"),
    [
        ("OEM III", control.select_format(13)),
        ("3150", control.select_format(3)),
        ("3150", bytes.fromhex("02 70 04 02 07 21 9f 03")),
    ],
    ids=["format 13 of OEM III", "format 3", "wrong sum"],
)
def test_a_selection_it_cannot_follow_is_refused_and_changes_nothing(model, command):
    virtual = VirtualNonin(1, model=model, data_format=2)
    assert answers(virtual, command) == [Nak()]
    assert isinstance(frames(virtual, 1)[0], PlethPacket)


def test_it_says_who_it_is():
    virtual = VirtualNonin(1, serial="500000042")
    assert answers(virtual, control.GET_DEVICE_TYPE) == [DeviceTypeReply(b"\x18\x05\x09")]
    assert answers(virtual, control.GET_SERIAL) == [SerialReply(2, "500000042")]


def test_its_clock_runs_and_can_be_set():
    virtual = VirtualNonin(1, clock_offset_s=60)
    virtual.due(5.0)
    (before,) = answers(virtual, control.GET_CLOCK)
    assert before.local == datetime.fromisoformat("2026-01-05T08:01:05")
    assert answers(virtual, control.set_clock(datetime.fromisoformat("2026-01-05T08:00:05"))) == []
    virtual.due(7.0)
    (after,) = answers(virtual, control.GET_CLOCK)
    assert after.local == datetime.fromisoformat("2026-01-05T08:00:07")


@pytest.mark.parametrize(
    "command", [control.GET_CLOCK, control.GET_SERIAL, control.GET_DEVICE_TYPE]
)
def test_oem3_is_silent_on_what_it_does_not_have(command):
    assert VirtualNonin(1, model="OEM III").hear(command) == b""


def test_model_9560_is_deaf_after_five_seconds():
    virtual = VirtualNonin(1, model="9560")
    virtual.due(5.1)
    assert virtual.hear(control.GET_CLOCK) == b""


def test_commands_may_come_in_pieces_and_after_noise():
    virtual = VirtualNonin(1)
    assert virtual.hear(b"\xff\x02\x74") == b""
    assert virtual.hear(b"\x02\x02\x02\x03" + control.GET_DEVICE_TYPE).count(b"\x03") >= 2


def test_the_backlog_of_others_comes_first_and_says_that_it_is_from_memory():
    virtual = VirtualNonin(1, data_format=13, backlog=3, spot_at_s=(8.0,))
    records = frames(virtual, 10)
    assert [bool(record.status & SpotStatus.FROM_MEMORY) for record in records] == [True] * 3 + [
        False
    ]
    assert [record.taken for record in records] == sorted(record.taken for record in records)


def test_a_spot_check_made_while_streaming_is_stored_until_format_13_is_selected():
    virtual = VirtualNonin(1, data_format=8, spot_at_s=(4.0,))
    frames(virtual, 6)
    virtual.hear(control.select_format(13))
    (record,) = Decoder().feed(virtual.due(6.1))
    assert record.status & SpotStatus.FROM_MEMORY
