import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.scoring import LEARNING_S, f1_interval, match_beats, pool

PLACES = st.lists(st.integers(0, 3000), max_size=40, unique=True).map(sorted)


@given(PLACES, PLACES)
def test_every_beat_and_every_detection_counts_once(reference, detected):
    score = match_beats(reference, detected, 100.0)
    assert score.true_positives + score.false_negatives == len(reference)
    assert score.true_positives + score.false_positives == len(detected)
    assert score.offsets_s.size == score.true_positives
    assert (np.abs(score.offsets_s) <= 0.15).all()


@given(PLACES)
def test_beats_match_themselves(beats):
    score = match_beats(beats, beats, 100.0)
    assert score.f1 == (1.0 if beats else None)
    assert not score.offsets_s.any()


def test_the_bound_of_the_window_is_a_match_and_one_sample_more_is_not():
    assert match_beats([1000], [1054], 360.0).true_positives == 1
    assert match_beats([1000], [1055], 360.0).true_positives == 0


def test_two_detections_of_one_beat_are_one_match_and_one_error():
    score = match_beats([100], [95, 104], 100.0)
    assert (score.true_positives, score.false_positives) == (1, 1)
    assert score.offsets_s.tolist() == [0.04]


def test_a_detection_goes_to_the_next_beat_when_its_nearest_has_a_nearer_one():
    score = match_beats([100, 112], [99, 104], 100.0)
    assert (score.true_positives, score.false_positives, score.false_negatives) == (2, 0, 0)


def test_excluded_spans_hold_no_errors():
    score = match_beats([10, 100, 200], [50, 101, 150], 100.0, excluded=[(0, 80), (140, 300)])
    assert (score.true_positives, score.false_positives, score.false_negatives) == (1, 0, 0)


def test_pooled_figures_weigh_every_beat_the_same():
    one = match_beats([100], [100], 100.0)
    two = match_beats([100, 200, 300], [], 100.0)
    both = pool([one, two])
    assert (both.sensitivity, both.positive_predictivity) == (0.25, 1.0)
    assert both.f1 == pytest.approx(0.4)


def test_nothing_to_find_is_no_figure():
    score = match_beats([], [], 100.0)
    assert (score.sensitivity, score.positive_predictivity, score.f1) == (None, None, None)


def test_what_lies_in_the_learning_period_is_not_scored():
    beats = [100, 29_999, 30_001, 40_000]
    score = match_beats(beats, [200, 40_000], 100.0, learning_s=LEARNING_S)
    assert (score.true_positives, score.false_positives, score.false_negatives) == (1, 0, 1)


def test_an_interval_is_as_wide_as_the_records_differ():
    good = match_beats([100, 200], [100, 200], 100.0)
    bad = match_beats([100, 200], [], 100.0)
    assert f1_interval([good] * 20) == (1.0, 1.0)
    low, high = f1_interval([good, bad] * 10)
    assert 0.3 < low < 2 / 3 < high < 0.95


def test_an_interval_of_the_same_scores_is_the_same():
    scores = [match_beats([100, 200], [100], 100.0), match_beats([100], [100], 100.0)] * 5
    assert f1_interval(scores) == f1_interval(scores)


def test_nothing_scored_has_no_interval():
    assert f1_interval([]) is None
    assert f1_interval([match_beats([], [], 100.0)]) is None
