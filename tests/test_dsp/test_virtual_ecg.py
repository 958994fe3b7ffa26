"""R peaks of ECGs whose truth is known exactly: those of the virtual patient."""

import numpy as np
import pytest

from drivers.virtual.patient import Patient
from drivers.virtual.physiology.scenarios import SCENARIOS, Source
from dsp import find_r_peaks, match_beats

MILD = {Source.MAINS: 20.0, Source.MUSCLE: 18.0, Source.WANDER: 10.0}
FS = 500.0


def compared(patient, seconds=30):
    """Return the score, without the first and last second, where a beat may be cut."""
    found = find_r_peaks(patient.ecg(0, seconds, FS), FS)
    truth = [round(beat.r_s * FS) for beat in patient.beat_truth(0, seconds)]
    edges = [(0, round(FS)), (round((seconds - 1) * FS), round(seconds * FS) + 1)]
    return match_beats(truth, found, FS, excluded=edges)


@pytest.mark.parametrize("noise", [{}, MILD], ids=["noiseless", "mildly-noisy"])
@pytest.mark.parametrize("scenario", sorted(set(SCENARIOS) - {"motion"}))
def test_every_beat_of_the_truth_is_found_and_no_other(scenario, noise):
    for seed in range(2):
        score = compared(Patient(seed, scenario, noise=noise))
        assert (score.false_negatives, score.false_positives) == (0, 0)


def test_without_noise_a_beat_is_placed_on_the_sample_of_its_r_peak():
    score = compared(Patient(3, noise={}))
    # Lead I comes first and is what the detector places beats in; its R peak is not quite lead II's
    assert np.abs(score.offsets_s).max() <= 3 / FS
