"""What takes one row of samples answers any, as what takes an ECG does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dsp import pulse_agreement, pulse_peaks, respiration_rate

FUNCTIONS = {
    "pulse": pulse_peaks,
    "agreement": lambda row, fs: pulse_agreement(row, fs, 70.0),
    "impedance": respiration_rate,
    "pleth": lambda row, fs: respiration_rate(row, fs, "pleth"),
    "ecg": lambda row, fs: respiration_rate(row, fs, "ecg"),
}
NUMBERS = st.one_of(
    hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64))
)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=25)
@given(
    row=NUMBERS.flatmap(lambda dtype: hnp.arrays(dtype, st.integers(0, 200))),
    times=st.sampled_from([1, 30]),
)
def test_any_real_row_is_answered_without_a_warning_and_stays_as_it_was(name, row, times):
    row = np.repeat(row, times)
    before = row.tobytes()
    row.setflags(write=False)
    FUNCTIONS[name](row, 100.0)
    assert row.tobytes() == before


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("value", [1e99, 1e-320, -1e308, 5e-324])
def test_absurd_scales_are_answered(name, value):
    row = np.zeros(4000)
    row[::80] = value
    FUNCTIONS[name](row, 100.0)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("every", [2, 6, 250])
def test_samples_torn_apart_by_gaps_are_answered(name, every):
    row = np.random.default_rng(0).normal(size=4000)
    row[::every] = np.nan
    FUNCTIONS[name](row, 100.0)
