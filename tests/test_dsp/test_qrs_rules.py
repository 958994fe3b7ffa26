import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.qrs import Rates
from dsp.qrs_candidates import contrast, local_maxima
from dsp.qrs_levels import _few_levels, _levels
from dsp.qrs_live import LiveRules
from dsp.qrs_rules import Candidates, decide

RATE = 120.0
FEW_VALUES = st.sampled_from([0.15, 0.25, 0.4, 0.5, 0.9, 1.0, 2.0])
# Steps in samples: within a refractory time and a T wave, a beat, a gap, a lost rhythm.
STEPS = st.sampled_from([31, 40, 44, 60, 76, 77, 90, 100, 120, 121, 150, 240, 361, 400, 800])
# Step, height, steepness, contrast; the height is above a quiet level of 0, a usual beat has 1.
ROWS = st.lists(
    st.tuples(STEPS, FEW_VALUES, FEW_VALUES, st.sampled_from([1.8, 2.2, 3.0, 9.0])), max_size=60
)


def table(rows):
    step, height, steep, contrast = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return np.stack(
        [np.cumsum(step), height, steep, contrast, height, np.ones(len(rows))], dtype=np.float64
    )


@settings(max_examples=200)
@given(rows=ROWS, looks=st.lists(st.integers(0, 700), max_size=80))
def test_one_candidate_after_another_is_judged_as_all_of_them_at_once(rows, looks):
    columns = table(rows)
    whole = columns[0][decide(Candidates(columns), RATE)].astype(int).tolist()
    live, beats, now = LiveRules(RATE), [], 0
    known = sorted(looks)
    for column in columns.T.tolist():
        # Looking for answers early, late or often settles the same.
        while known and known[0] + now < column[0]:
            beats += live.settle(now + known.pop(0))
        now = int(column[0])
        beats += live.take(column)
    beats += live.settle(np.inf)
    assert beats == whole
    assert live.oldest is None


def test_a_weak_beat_that_fills_a_gap_is_taken_and_one_that_does_not_is_not():
    beats = [100 * k for k in range(1, 13)]
    at = sorted([*beats, 1050])
    rows = [(0.2, 0.2, 3.0) if place in {800, 1050} else (1.0, 1.0, 9.0) for place in at]
    columns = table([(step, *row) for step, row in zip(np.diff([0, *at]), rows, strict=True)])
    found = columns[0][decide(Candidates(columns), RATE)]
    assert found.tolist() == beats


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, np.nan]), min_size=12, max_size=80))
def test_a_candidate_is_the_highest_within_the_refractory_time_the_first_of_equals(heights):
    wave = np.repeat(heights, 5) + np.tile([0.0, 0.1, 0.5, 0.2, 0.1], len(heights))
    rates = Rates.of(100.0)
    reach = rates.refractory
    at = local_maxima(wave, 0, wave.size)
    with np.errstate(invalid="ignore"):
        found = at[contrast(wave, at, rates) > 0].tolist()
    expected = []
    for place in range(1, wave.size - 1):
        before, after = wave[max(0, place - reach) : place], wave[place + 1 : place + 1 + reach]
        rises = wave[place] > wave[place - 1] and wave[place] >= wave[place + 1]
        if rises and not (before >= wave[place]).any() and not (after > wave[place]).any():
            around = *wave[max(0, place - 35) : max(0, place - 10)], *wave[place + 11 : place + 26]
            expected += [place] if np.isfinite(around).any() else []
    assert found == expected


@given(
    st.lists(st.sampled_from([1.0, 2.0, 3.0, np.nan]), max_size=24),
    st.integers(0, 9),
    st.booleans(),
)
def test_levels_of_one_block_more_are_those_of_all_blocks_at_once(peaks, begin, last):
    blocks = np.array([[peak, peak / 2] for peak in peaks]).reshape(-1, 2)
    few, many = (each(blocks, begin, last=last) for each in (_few_levels, _levels))
    assert np.array_equal(few, many, equal_nan=True)
