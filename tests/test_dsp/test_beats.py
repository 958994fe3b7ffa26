import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.beats import NoRate, NotSinus, heart_rate, median_beat, rr_series


@given(st.lists(st.integers(50, 1500), min_size=3, max_size=40))
def test_the_rate_is_that_of_the_median_interval(intervals):
    found = heart_rate(np.cumsum([0, *intervals]), 500.0)
    assert found.per_min == pytest.approx(60 * 500 / np.median(intervals))
    assert (found.intervals, found.reason) == (len(intervals), None)


def test_one_early_beat_and_its_pause_do_not_move_the_rate():
    assert heart_rate([0, 500, 1000, 1300, 2000, 2500, 3000], 500.0).per_min == 60.0


@pytest.mark.parametrize("peaks", [[], [1], [1, 400], [1, 400, 800]])
def test_fewer_than_three_intervals_are_no_rate(peaks):
    found = heart_rate(peaks, 500.0)
    assert (found.per_min, found.reason) == (None, NoRate.TOO_FEW_BEATS)


def test_beats_on_both_sides_of_a_gap_are_no_rate():
    found = heart_rate([0, 500, 1000, 1500, 3001, 3500, 4000], 500.0)
    assert (found.per_min, found.reason, found.intervals) == (None, NoRate.GAP, 6)


@pytest.mark.parametrize("peaks", [[[1, 2], [3, 4]], [3, 2, 1], [1, 1, 2]])
def test_what_is_no_row_of_beats_is_refused(peaks):
    with pytest.raises(ValueError, match=r"^r_peaks: "):
        heart_rate(peaks, 500.0)


@pytest.mark.parametrize("fs", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_of_no_hertz_is_refused(fs):
    with pytest.raises(ValueError, match=r"^fs: "):
        heart_rate([1, 2, 3], fs)


def test_an_early_beat_and_its_pause_are_no_sinus_intervals():
    series = rr_series(np.cumsum([0, 400, 400, 400, 250, 550, 400, 400]), 500.0)
    reasons = [None, None, None, NotSinus.EARLY, NotSinus.AFTER_EARLY, None, None]
    assert series.reasons == tuple(reasons)
    assert series.sinus.sum() == 5


def test_a_beat_of_another_shape_spoils_both_its_intervals():
    series = rr_series([0, 400, 800, 1200], 500.0, [True, True, False, True])
    assert series.reasons == (None, NotSinus.OTHER_SHAPE, NotSinus.OTHER_SHAPE)


@given(st.lists(st.floats(0.95, 1.05), min_size=1, max_size=40))
def test_small_variation_is_sinus(factors):
    peaks = np.cumsum([0, *(round(400 * factor) for factor in factors)])
    assert rr_series(peaks, 500.0).sinus.all()


def test_one_beat_has_no_interval():
    assert rr_series([3], 500.0).reasons == ()


def test_a_stretch_without_beats_is_a_gap_and_a_double_count_too_short():
    series = rr_series(np.cumsum([0, 400, 400, 1600, 400, 400, 50, 350]), 500.0)
    assert series.reasons[2] is NotSinus.GAP
    assert series.reasons[5] is NotSinus.TOO_SHORT


@pytest.mark.parametrize("level", [-0.2, 0.2])
def test_the_median_beat_keeps_st_levels_to_ten_microvolts_under_wander(ecg, rhythm, level):
    waves = ((0.0, 0.011, 1.0), (0.10, 0.03, level), (0.16, 0.03, level), (0.28, 0.05, 0.2))
    beats = rhythm(10)
    still = ecg(500.0, beats, 10, waves=waves)
    moving = ecg(500.0, beats, 10, waves=waves, wander=0.3)
    peaks = np.round(beats * 500).astype(int)
    one, other = (median_beat(strip, 500.0, peaks) for strip in (still, moving))
    st_segment = slice(one.centre + 45, one.centre + 85)
    assert np.abs(one.waves - other.waves)[0, st_segment].max() < 0.010


def test_noise_of_a_median_beat_falls_as_with_so_many_beats(ecg, rhythm):
    beats = rhythm(30)
    peaks = np.round(beats * 500).astype(int)
    clean = median_beat(ecg(500.0, beats, 30), 500.0, peaks)
    noisy = median_beat(ecg(500.0, beats, 30, noise=0.05), 500.0, peaks)
    assert np.std(clean.waves - noisy.waves) < 2 * 0.05 / np.sqrt(beats.size)


def test_beats_found_a_few_samples_off_are_aligned(ecg, rhythm):
    beats = rhythm(10)
    peaks = np.round(beats * 500).astype(int)
    off = np.where(np.arange(peaks.size) % 3 == 0, 4, 0)
    found = median_beat(ecg(500.0, beats, 10), 500.0, peaks + off)
    inner = found.used
    assert np.ptp((off + found.lags)[inner]) <= 1


def test_an_ectopic_beat_is_left_out_of_the_median(ecg):
    beats = np.arange(0.6, 10, 0.8)
    strip = ecg(500.0, np.delete(beats, 5), 10)
    strip += ecg(500.0, beats[5:6], 10, waves=((0.02, 0.04, -1.4),))
    found = median_beat(strip, 500.0, np.round(beats * 500).astype(int))
    assert not found.used[5]
    assert found.used.sum() >= beats.size - 2


def test_no_beat_is_no_median():
    found = median_beat(np.zeros((2, 900)), 500.0, [])
    assert np.isnan(found.waves).all()
    assert found.waves.shape[0] == 2
