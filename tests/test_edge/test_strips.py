import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Instant, Unit, Waveform
from edge.strips import MOST_GROUPS, Strips

FS, PACKET = 200.0, 50
SIGNALS = ("ECG",)


def packet(number, *, late_s=0.0, signals=SIGNALS, fs=FS, unit=Unit.MILLIVOLT):
    """Packet `number` of a ramp, sample k worth k, arriving when its last sample is taken."""
    samples = np.arange(number * PACKET, (number + 1) * PACKET, dtype=float)
    at = round(((number + 1) * PACKET / fs + late_s) * 1e9)
    rows = np.tile(samples, (len(signals), 1))
    return Waveform(signals, fs, unit, rows, Instant(at + 10**18, at, trusted=True))


def collected(numbers, *, late=lambda _: 0.0, seconds=10):
    strips = Strips(seconds)
    for number in numbers:
        strips.add(packet(number, late_s=late(number)))
    return strips


def test_packets_that_came_in_time_make_one_unbroken_strip():
    strip = collected(range(8)).strip(SIGNALS, 2.0)
    assert strip.samples.tolist() == [list(range(400))]
    assert (strip.fs, strip.unit, strip.at.mono_ns) == (FS, Unit.MILLIVOLT, 2_000_000_000)


@given(st.sets(st.integers(1, 18), max_size=17), st.lists(st.floats(0, 0.02), min_size=20))
def test_missing_packets_are_gaps_of_their_length_whatever_the_jitter(missing, jitter):
    numbers = [number for number in range(20) if number not in missing]
    strip = collected(numbers, late=lambda number: jitter[number]).strip(SIGNALS, 9.0)
    there = ~np.isnan(strip.samples[0])
    assert there.sum() == len(numbers) * PACKET
    for begin in sorted(missing - {number + 1 for number in missing}):
        end = next(number for number in range(begin, 20) if number not in missing)
        after = np.flatnonzero(strip.samples[0] == end * PACKET)[0]
        before = np.flatnonzero(strip.samples[0] == begin * PACKET - 1)[0]
        assert abs((after - before - 1) - (end - begin) * PACKET) <= 4


def test_a_delay_that_is_caught_up_with_is_no_gap():
    strip = collected(range(10), late=lambda n: {4: 0.6, 5: 0.4, 6: 0.2}.get(n, 0.0)).strip(
        SIGNALS, 3.0
    )
    assert not np.isnan(strip.samples).any()


def test_the_strip_is_the_end_of_what_is_kept_and_no_longer_than_asked():
    strip = collected(range(20)).strip(SIGNALS, 1.0)
    assert strip.samples[0].tolist() == list(range(800, 1000))


def test_a_strip_can_end_at_an_earlier_instant():
    strips = collected(range(20))
    strip = strips.strip(SIGNALS, 1.0, Instant(0, 2_500_000_000, trusted=True))
    assert (strip.samples[0, -1], strip.at.mono_ns) == (499, 2_500_000_000)
    assert strips.strip(SIGNALS, 1.0, Instant(0, 1, trusted=True)) is None


def test_no_more_than_the_seconds_asked_for_is_kept():
    strips = collected(range(1000), seconds=2)
    assert strips.strip(SIGNALS, 100.0).samples.shape == (1, 400)
    assert sum(wave.samples.size for wave, _ in strips._groups[SIGNALS].packets) <= 400 + 2 * PACKET


def test_packets_that_all_came_at_once_are_bounded_too():
    strips = Strips(2)
    for number in range(1000):
        strips.add(packet(number, late_s=1000.0 - (number + 1) * PACKET / FS))
    assert sum(wave.samples.size for wave, _ in strips._groups[SIGNALS].packets) <= 400 + 2 * PACKET


def test_after_a_pause_longer_than_the_memory_only_the_new_is_there():
    strip = collected([0, 1, 2, 1000], seconds=2).strip(SIGNALS, 2.0)
    assert strip.samples[0].tolist() == list(range(50_000, 50_050))


@pytest.mark.parametrize("change", [{"fs": 250.0}, {"unit": Unit.UNSCALED}])
def test_another_rate_or_unit_begins_anew(change):
    strips = collected(range(4))
    strips.add(packet(4, **change))
    assert strips.strip(SIGNALS, 5.0).samples.shape == (1, PACKET)


def test_signals_that_come_together_stay_together():
    strips = collected(range(4))
    strips.add(packet(0, signals=("PLETH", "RESP")))
    assert strips.signals == (SIGNALS, ("PLETH", "RESP"))
    assert strips.strip(("PLETH", "RESP"), 5.0).samples.shape == (2, PACKET)
    assert strips.strip(("PLETH",), 5.0) is None


def test_a_device_that_renames_its_signals_without_end_is_bounded():
    strips = Strips(2)
    for number in range(100):
        strips.add(packet(0, signals=(f"S{number}",)))
    assert len(strips.signals) == MOST_GROUPS
