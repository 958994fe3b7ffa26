import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp import pulse_agreement, pulse_peaks


def pleth(beats, seconds, fs, *, noise=0.0, seed=0):
    """Draw pulse waves: a crest 0.2 s after each beat and a dicrotic wave 0.22 s later."""
    t = np.arange(round(seconds * fs)) / fs
    wave = np.zeros(t.size)
    for beat in beats:
        wave += np.exp(-0.5 * ((t - beat - 0.2) / 0.07) ** 2)
        wave += 0.35 * np.exp(-0.5 * ((t - beat - 0.42) / 0.08) ** 2)
    return wave + noise * np.random.default_rng(seed).normal(size=t.size)


@pytest.mark.parametrize("fs", [25.0, 62.5, 125.0, 500.0])
@pytest.mark.parametrize("per_min", [40, 75, 120, 180])
def test_every_pulse_is_found_once_at_its_crest(rhythm, fs, per_min):
    beats = rhythm(30, per_min=per_min)
    found = pulse_peaks(pleth(beats, 30, fs, noise=0.01), fs) / fs
    inner = beats[(beats > 1) & (beats < 29)]
    nearest = np.abs(found[:, np.newaxis] - inner - 0.2).min(axis=0)
    assert nearest.max() < 0.06
    assert abs(found.size - beats.size) <= 2


@settings(max_examples=25)
@given(seed=st.integers(0, 999), power=st.integers(-30, 30))
def test_gain_does_not_matter(rhythm, seed, power):
    wave = pleth(rhythm(15, per_min=50 + seed % 100, seed=seed), 15, 100.0, noise=0.05, seed=seed)
    assert pulse_peaks(wave * 2.0**power, 100.0).tolist() == pulse_peaks(wave, 100.0).tolist()


def test_a_finger_pulled_out_has_no_pulses_from_then_on(rhythm):
    wave = pleth(rhythm(30), 30, 100.0)
    wave[1500:] = np.nan
    assert pulse_peaks(wave, 100.0).max() < 1500


@pytest.mark.parametrize("wave", [np.zeros(3000), np.full(3000, np.nan), [], np.ones(10)])
def test_nothing_pulses_in_a_line(wave):
    assert pulse_peaks(wave, 100.0).size == 0


def test_the_rate_of_the_waves_confirms_the_instrument_or_contradicts_it(rhythm):
    wave = pleth(rhythm(20, per_min=72), 20, 100.0)
    assert pulse_agreement(wave, 100.0, 73.0).agrees is True
    assert pulse_agreement(wave, 100.0, 144.0).agrees is False
    assert pulse_agreement(wave, 100.0, None).agrees is None
    assert pulse_agreement(np.zeros(2000), 100.0, 72.0).agrees is None


def test_an_instrument_that_averages_an_irregular_pulse_is_confirmed():
    beats = np.cumsum([0.5, *[0.55, 0.6, 1.2, 0.6] * 6])
    found = pulse_agreement(pleth(beats, beats[-1] + 1, 100.0), 100.0, 60 / 0.7375)
    assert found.agrees is True
    assert abs(found.ours.per_min - 60 / 0.7375) > 10


@pytest.mark.parametrize(
    ("wave", "fs", "named"),
    [
        (np.zeros((2, 9)), 100.0, "pleth"),
        (np.zeros(9, dtype=complex), 100.0, "pleth"),
        ([[1.0], [1.0, 2.0]], 100.0, "pleth"),
        (np.zeros(9), 24.0, "fs"),
        (np.zeros(9), 501.0, "fs"),
        (np.zeros(9), None, "fs"),
    ],
)
def test_what_is_no_pleth_is_refused_by_the_name_of_the_argument(wave, fs, named):
    with pytest.raises(ValueError, match=rf"^{named}: "):
        pulse_peaks(wave, fs)
