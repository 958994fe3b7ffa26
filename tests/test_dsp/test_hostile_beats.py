"""What takes beats, and what goes with them, says by name what it cannot use."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dsp import delineate, heart_rate, measure_ecg, median_beat, pulse_agreement, rr_series

STRIP = np.random.default_rng(0).normal(size=(2, 2000))
FUNCTIONS = {
    "rate": lambda peaks: heart_rate(peaks, 250.0),
    "series": lambda peaks: rr_series(peaks, 250.0),
    "median": lambda peaks: median_beat(STRIP, 250.0, peaks),
    "delineate": lambda peaks: delineate(STRIP, 250.0, peaks),
}
REFUSED = [
    [3, 2],
    [1, 1],
    [[1, 2]],
    [1.0, np.nan],
    [1.0, np.inf],
    ["a", "b"],
    [None],
    [[1], [1, 2]],
    np.array([1j]),
    np.array([True, False]),
    5,
]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("peaks", REFUSED, ids=str)
def test_what_is_no_row_of_beats_is_refused_by_name(name, peaks):
    with pytest.raises(ValueError, match=r"^r_peaks: "):
        FUNCTIONS[name](peaks)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=30)
@given(
    peaks=hnp.arrays(
        st.sampled_from([np.int16, np.uint32, np.int64, np.float32]),
        st.integers(0, 30),
        elements=st.integers(0, 1999),
        unique=True,
    ),
    reverse=st.booleans(),
)
def test_beats_anywhere_are_answered_and_stay_as_they_were(name, peaks, reverse):
    peaks = np.sort(peaks)
    if reverse:  # a view that is not contiguous
        peaks = peaks[::-1].copy()[::-1]
    peaks.setflags(write=False)
    before = peaks.tobytes()
    FUNCTIONS[name](peaks)
    assert peaks.tobytes() == before


@pytest.mark.parametrize("fs", [0.0, -5.0, np.nan, np.inf, "fast", None, [250.0, 250.0]])
@pytest.mark.parametrize("of", [heart_rate, rr_series])
def test_a_rate_that_is_none_is_refused_by_name(of, fs):
    with pytest.raises(ValueError, match=r"^fs: "):
        of([1, 2, 3], fs)


@pytest.mark.parametrize("shapes", [[True], [[True, True]], "yes", [[True], [True, False]], object])
def test_shapes_that_are_not_one_for_each_beat_are_refused_by_name(shapes):
    with pytest.raises(ValueError, match=r"^shape_of: "):
        rr_series([1, 100], 250.0, shapes)


@pytest.mark.parametrize("leads", [None, 2, ("I",), "III"])
def test_names_that_are_not_one_for_each_lead_are_refused_by_name(leads):
    with pytest.raises(ValueError, match=r"^leads: "):
        measure_ecg(STRIP, 250.0, leads)


@pytest.mark.parametrize("said", ["fast", [70.0, 71.0], object()])
def test_an_instrument_that_says_no_number_is_refused_by_name(said):
    with pytest.raises(ValueError, match=r"^instrument_per_min: "):
        pulse_agreement(STRIP[0], 100.0, said)


def test_a_rate_says_how_it_was_had():
    assert "median RR" in heart_rate([0, 500, 1000, 1500], 500.0).method
