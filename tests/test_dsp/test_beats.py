import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.beats import NoRate, heart_rate


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
