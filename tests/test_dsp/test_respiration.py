import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.breath import cases
from dsp import respiration_rate
from dsp.respiration import NoRespiration

FS = 100.0
SEVERAL = list(cases(range(3, 5), ("healthy", "low-perfusion")))


def breaths(per_min, seconds=40, fs=FS, noise=0.05):
    t = np.arange(round(seconds * fs)) / fs
    wave = np.sin(2 * np.pi * per_min / 60 * t) ** 3
    return wave + noise * np.random.default_rng(3).normal(size=t.size)


@pytest.mark.parametrize("per_min", [6, 12, 18, 30, 45])
def test_breaths_are_counted(per_min):
    found = respiration_rate(breaths(per_min, seconds=60), FS)
    assert found.per_min == pytest.approx(per_min, rel=0.05)
    assert (found.quality > 0.5, found.reason) == (True, None)


@pytest.mark.parametrize("per_min", [12, 15, 20])
def test_an_ecg_that_breathes_in_size_and_rhythm_tells_the_rate(ecg, per_min):
    beats, now = [], 0.4
    while now < 59:
        beats.append(now)
        now += 0.75 * (1 + 0.06 * np.sin(2 * np.pi * per_min / 60 * now))
    t = np.arange(60 * 250) / 250.0
    strip = ecg(250.0, beats, 60, noise=0.005)
    strip *= 1 + 0.15 * np.sin(2 * np.pi * per_min / 60 * t)
    assert respiration_rate(strip, 250.0, "ecg").per_min == pytest.approx(per_min, abs=1.5)


def test_a_pleth_that_breathes_tells_the_rate(rhythm):
    t = np.arange(60 * 100) / 100.0
    wave = np.zeros(t.size)
    for beat in rhythm(60, per_min=80, irregular=0.0):
        wave += np.exp(-0.5 * ((t - beat) / 0.09) ** 2)
    breath = np.sin(2 * np.pi * 0.25 * t)
    wave = wave * (1 + 0.2 * breath) + 0.3 * breath
    assert respiration_rate(wave, 100.0, "pleth").per_min == pytest.approx(15, abs=1)


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        (np.zeros(4000), NoRespiration.FLAT),
        (breaths(15)[:1500], NoRespiration.SHORT),
        (np.full(4000, np.nan), NoRespiration.GAP),
        (np.random.default_rng(0).normal(size=4000), NoRespiration.IRREGULAR),
    ],
)
def test_without_breaths_there_is_a_reason(signal, reason):
    found = respiration_rate(signal, FS)
    assert (found.per_min, found.reason) == (None, reason)


@pytest.mark.parametrize("source", ["pleth", "ecg"])
def test_without_beats_there_is_no_rate(source):
    found = respiration_rate(np.random.default_rng(0).normal(size=400 * 20), 400.0, source)
    assert found.per_min is None


def test_noise_and_slow_drift_seldom_pass_for_breathing():
    random = np.random.default_rng(1)
    white = [respiration_rate(random.normal(size=4000), FS) for _ in range(40)]
    drift = [respiration_rate(np.cumsum(random.normal(size=4000)), FS) for _ in range(40)]
    assert sum(found.per_min is not None for found in white) == 0
    assert sum(found.per_min is not None for found in drift) <= 4


@pytest.mark.parametrize("source", ["pleth", "ecg"])
def test_of_a_patient_who_does_not_breathe_no_rate_is_said(source):
    still = [case for case in SEVERAL if case.per_min is None]
    assert [respiration_rate(*case.signals[source], source).per_min for case in still] == [
        None
    ] * len(still)


@pytest.mark.parametrize(("source", "least"), [("impedance", 4), ("pleth", 3), ("ecg", 3)])
def test_what_is_said_of_virtual_patients_is_right(source, least):
    errors = [
        found.per_min - case.per_min
        for case in SEVERAL
        if case.per_min is not None
        and (found := respiration_rate(*case.signals[source], source)).per_min is not None
    ]
    assert len(errors) >= least
    assert np.abs(errors).max() < 2


def test_a_breath_too_fast_for_the_beats_gives_no_slow_rate(ecg):
    t = np.arange(60 * 250) / 250.0
    strip = ecg(250.0, np.arange(0.4, 59, 1.0), 60, noise=0.005)
    strip *= 1 + 0.2 * np.sin(2 * np.pi * 0.58 * t)  # 35 a minute, of a heart that beats 60
    assert respiration_rate(strip, 250.0, "ecg").per_min is None


def test_ectopic_beats_are_no_breaths(ecg):
    beats = np.arange(0.6, 60, 0.8)
    early = np.arange(beats.size) % 5 == 4  # 15 a minute
    strip = ecg(250.0, beats[~early], 60, noise=0.01)
    strip += ecg(250.0, beats[early] - 0.25, 60, waves=((0.0, 0.03, 1.6), (0.3, 0.05, -0.4)))
    assert respiration_rate(strip, 250.0, "ecg").per_min is None


@pytest.mark.parametrize(
    ("signal", "fs", "source", "named"),
    [
        (np.zeros(9), FS, "nose", "source"),
        (np.zeros((2, 9)), FS, "impedance", "signal"),
        (np.zeros(9), 20.0, "impedance", "fs"),
        (np.zeros(9), 50.0, "ecg", "fs"),
        (np.zeros(9, dtype=bool), FS, "pleth", "signal"),
    ],
)
def test_what_is_no_signal_is_refused_by_the_name_of_the_argument(signal, fs, source, named):
    with pytest.raises(ValueError, match=rf"^{named}: "):
        respiration_rate(signal, fs, source)


def test_impedance_of_a_patient_gives_a_steady_rate():
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        assert respiration_rate(breaths(20), FS).per_min == pytest.approx(20, abs=0.5)
        return
    path = Path(folder) / "bidmc" / "bidmc_01_Signals.csv"
    breathing = np.genfromtxt(path, delimiter=",", skip_header=1, usecols=1)
    parts = [breathing[at : at + 5000] for at in range(0, 55_000, 5000)]
    rates = [respiration_rate(part, 125.0).per_min for part in parts]
    assert None not in rates
    assert 19 < min(rates) <= max(rates) < 26
