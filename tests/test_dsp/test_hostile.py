import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dsp import (
    beat_quality,
    clean_ecg,
    delineate,
    detect_mains,
    ecg_quality,
    find_r_peaks,
    measure_ecg,
    median_beat,
)


def beats_of(ecg):
    try:
        samples = np.shape(ecg)[-1]
    except (ValueError, IndexError):  # ragged, or a single number
        samples = 0
    return np.arange(0, samples, 150)


def notched(ecg, fs):
    return clean_ecg(ecg, fs, "st", mains_hz=50)


def delineated(ecg, fs):
    return delineate(ecg, fs, beats_of(ecg))


def beats_judged(ecg, fs):
    return beat_quality(ecg, fs, beats_of(ecg))


def middle_beat(ecg, fs):
    return median_beat(ecg, fs, beats_of(ecg))


def measured(ecg, fs):
    try:
        leads = np.shape(ecg)[0] if np.ndim(ecg) == 2 else 1
    except ValueError:
        leads = 1
    return measure_ecg(ecg, fs, [f"V{lead}" for lead in range(leads)])


FUNCTIONS = {
    "find": find_r_peaks,
    "clean": clean_ecg,
    "quality": ecg_quality,
    "mains": detect_mains,
    "notch": notched,
    "delineate": delineated,
    "beats": beats_judged,
    "median": middle_beat,
    "measure": measured,
}
NUMBERS = st.one_of(
    hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64))
)


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=40)
@given(
    strip=NUMBERS.flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=2, max_side=300))
    ),
    times=st.sampled_from([1, 8]),
    fs=st.sampled_from([100.0, 360.0, 2000.0]),
)
def test_any_real_array_is_answered_without_a_warning_and_stays_as_it_was(name, strip, times, fs):
    strip = np.repeat(strip, times, axis=-1)
    before = strip.tobytes()
    strip.setflags(write=False)
    FUNCTIONS[name](strip, fs)
    assert strip.tobytes() == before


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("value", [1e99, 1e-320, -1e308, 5e-324])
def test_absurd_scales_are_answered(name, value):
    strip = np.zeros(3000)
    strip[::200] = value
    FUNCTIONS[name](strip, 250.0)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("every", [2, 3, 250])
def test_samples_torn_apart_by_gaps_are_answered(name, every):
    strip = np.random.default_rng(0).normal(size=3000)
    strip[::every] = np.nan
    FUNCTIONS[name](strip, 250.0)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("strip", "fs", "named"),
    [
        (np.zeros((1, 2, 3)), 250.0, "ecg"),
        (np.float64(1.0), 250.0, "ecg"),
        (np.zeros((0, 9)), 250.0, "ecg"),
        (np.zeros(9, dtype=complex), 250.0, "ecg"),
        (np.zeros(9, dtype=bool), 250.0, "ecg"),
        (np.array(["a"]), 250.0, "ecg"),
        ([[1.0], [1.0, 2.0]], 250.0, "ecg"),
        (np.array([None]), 250.0, "ecg"),
        (np.zeros(9), 99.0, "fs"),
        (np.zeros(9), 2001.0, "fs"),
        (np.zeros(9), float("nan"), "fs"),
        (np.zeros(9), "fast", "fs"),
        (np.zeros(9), None, "fs"),
    ],
)
def test_what_is_no_ecg_is_refused_by_the_name_of_the_argument(name, strip, fs, named):
    with pytest.raises(ValueError, match=rf"^{named}: "):
        FUNCTIONS[name](strip, fs)
