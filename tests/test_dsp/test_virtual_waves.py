"""Waves of ECGs whose truth is known exactly, those of virtual patients; errors may only fall."""

from functools import cache

import numpy as np
import pytest

from drivers.virtual.patient import Patient
from drivers.virtual.physiology.dipole import LEADS
from drivers.virtual.physiology.scenarios import Source
from dsp import delineate, find_r_peaks, measure_ecg, median_beat, rr_series

FS = 500.0
NOISE = {Source.MUSCLE: 22.0, Source.WANDER: 10.0}
# Mean and standard deviation in ms that are met: the drawn P begins in a long tail.
MOST = {
    "p": {"onset": (19, 9), "peak": (5, 7), "offset": (6, 9)},
    "qrs": {"onset": (3, 4), "offset": (3, 5)},
    "t": {"peak": (4, 8), "offset": (6, 10)},
}


@cache
def strip_of(seed, scenario):
    patient = Patient(seed, scenario, noise=NOISE)
    ecg = patient.ecg(0, 10, FS)
    return patient, ecg, find_r_peaks(ecg, FS)


@cache
def waves_of(seed, scenario):
    _, ecg, peaks = strip_of(seed, scenario)
    return delineate(ecg[1], FS, peaks)


def errors_ms(scenario, wave, point):
    """Return found minus true, of beats of three patients in lead II."""
    errors = []
    for seed in range(3):
        patient, _, peaks = strip_of(seed, scenario)
        found = getattr(getattr(waves_of(seed, scenario), wave), point)
        for beat in patient.beat_truth(0.8, 9.2):
            at = int(np.abs(peaks / FS - beat.r_s).argmin())
            true = getattr(beat, wave)
            if true is not None and found[at] >= 0:
                errors.append(1000 * (found[at] / FS - getattr(true, f"{point}_s")))
    return np.array(errors)


@pytest.mark.parametrize("scenario", ["healthy", "fever", "low-perfusion"])
@pytest.mark.parametrize(
    ("wave", "point"), [(wave, point) for wave, points in MOST.items() for point in points]
)
def test_waves_are_measured_at_least_this_well(scenario, wave, point):
    mean, spread = MOST[wave][point]
    errors = errors_ms(scenario, wave, point)
    assert errors.size >= 25
    assert (abs(errors.mean()) <= mean, errors.std() <= spread) == (True, True)


@pytest.mark.parametrize("seed", range(3))
def test_fibrillation_has_no_p_wave_in_any_beat_and_no_p_in_the_whole(seed):
    _, ecg, _ = strip_of(seed, "atrial-fibrillation")
    assert (waves_of(seed, "atrial-fibrillation").p.peak < 0).all()
    assert measure_ecg(ecg, FS, LEADS).p_ms is None


@pytest.mark.parametrize("seed", range(3))
def test_intervals_at_premature_beats_are_not_of_sinus_rhythm_and_the_others_are(seed):
    patient, ecg, _ = strip_of(seed, "ectopy")
    beats = patient.beat_truth(0.5, 9.5)
    peaks = np.array([round(beat.r_s * FS) for beat in beats])
    sinus = rr_series(peaks, FS, median_beat(ecg, FS, peaks).used).sinus
    premature = np.array([beat.p is None for beat in beats])
    touched = premature[1:] | premature[:-1]
    assert sinus.tolist() == (~touched).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_global_intervals_are_the_true_ones(seed):
    patient, ecg, _ = strip_of(seed, "healthy")
    found = measure_ecg(ecg, FS, LEADS)
    beats = patient.beat_truth(1, 9)
    qt = np.median([beat.t.offset_s - beat.qrs.onset_s for beat in beats])
    qrs = np.median([beat.qrs.offset_s - beat.qrs.onset_s for beat in beats])
    assert found.qt_ms == pytest.approx(1000 * qt, abs=20)
    assert found.qrs_ms == pytest.approx(1000 * qrs, abs=18)
    rate = 60 / np.median([beat.rr_s for beat in patient.beat_truth(0, 10)][1:])
    assert found.heart_rate == pytest.approx(rate, rel=0.01)
