"""Blocks of a DINAMAP's native output: checked, counted, and never taken for numbers."""

import numpy as np
import pytest

from drivers.instruments.dinamap_native import DinamapNative, Settings
from drivers.model import Notice, Skipped, Waveform
from drivers.protocols.dinamap_native import Block, Decoder, encode
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink

EXAMPLE = bytes.fromhex("00 0E 60 00 06 01 9C 7F 1F C7 F1 FC 00 00 00 F6 09 FF")
BLOCK = Block(0, 0x0E, (384, 0, 384, 412), (508, 508, 508, 508), bytes(3))


def test_the_worked_example_is_read_and_written():
    assert Decoder().feed(EXAMPLE) == [BLOCK]
    assert encode(BLOCK) == EXAMPLE


@pytest.mark.parametrize("at", range(18))
@pytest.mark.parametrize("bit", [0, 7])
def test_a_bit_turned_over_anywhere_costs_the_block(at, bit):
    wire = bytearray(EXAMPLE)
    wire[at] ^= 1 << bit
    assert not any(isinstance(x, Block) for x in Decoder().feed(bytes(wire)))


def heard(*blocks):
    clock = RecordedTime()
    host = BenchHost(clock)
    wire = b"".join(map(encode, blocks))
    link = ReplayLink(Recording((Received(0, wire),)), clock)
    return host, clock.run(items_until_lost(DinamapNative(host, Settings()), link))


def block(sequence, state=0):
    return Block(sequence, state, (sequence,) * 4, (508,) * 4, bytes(3))


def test_a_second_is_one_waveform_and_what_is_left_is_told_at_the_end():
    _, items = heard(*(block(n) for n in range(60)))
    assert [item.samples.shape for item in items] == [(2, 200), (2, 40)]


def test_blocks_missing_by_their_number_are_a_gap_and_counted_also_across_the_turn():
    host, (wave,) = heard(block(198), block(199), block(1))
    assert host.counts["blocks_missing"] == 1
    assert np.isnan(wave.samples[0]).tolist() == [False] * 8 + [True] * 4 + [False] * 4


def test_a_longer_silence_begins_another_stretch():
    _, items = heard(block(0), block(100))
    assert [item.samples.shape[1] for item in items if isinstance(item, Waveform)] == [4, 4]


def test_an_alarm_is_told_when_it_comes_and_when_it_goes():
    _, items = heard(block(0), block(1, 0x20), block(2, 0x60), block(3, 0x40), block(4))
    said = [item.text for item in items if isinstance(item, Notice)]
    assert said == ["warning alarm", "crisis alarm", "no alarm"]


def test_a_block_begun_in_the_middle_is_skipped():
    items = Decoder().feed(EXAMPLE[5:] + EXAMPLE)
    assert items == [Skipped(EXAMPLE[5:]), BLOCK]
