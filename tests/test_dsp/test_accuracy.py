"""Accuracy may only rise: the figures below are what was measured, less a margin of a few beats."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import recordings
from dsp import find_r_peaks, match_beats
from dsp.scoring import pool


def pooled(records, window_s=0.15):
    return pool(
        match_beats(
            record.beats,
            find_r_peaks(record.ecg, record.fs),
            record.fs,
            window_s=window_s,
            excluded=record.excluded,
        )
        for record in records
    )


@pytest.fixture
def drawn(ecg, rhythm):
    """Twelve records of two minutes: rates, irregularity and noise as in a clinic."""

    def records(noise):
        for seed in range(12):
            per_min, irregular = 45 + 9 * seed, 0.02 + 0.02 * (seed % 4)
            beats = rhythm(120, per_min=per_min, irregular=irregular, seed=seed)
            qt = min(1.0, np.sqrt(60 / per_min))
            waves = (
                (-0.17 * qt, 0.02, 0.12),
                (0.0, 0.011, 1.1),
                (0.03, 0.01, -0.2),
                (0.27 * qt, 0.04, 0.3),
            )
            strip = ecg(360.0, beats, 120, noise=noise, wander=0.3, seed=seed, waves=waves)
            places = np.round(beats * 360).astype(np.intp)
            yield recordings.Recording(str(seed), 360.0, strip, places)

    return records


@pytest.mark.parametrize(("noise", "most_wrong"), [(0.02, 0), (0.1, 2), (0.2, 30)])
def test_drawn_records_are_read_at_least_this_well(drawn, noise, most_wrong):
    score = pooled(drawn(noise))
    assert score.false_positives + score.false_negatives <= most_wrong


@pytest.mark.timeout(300)  # reads some 30 hours of ECG
def test_annotated_recordings_are_read_at_least_this_well(drawn):
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        assert pooled(drawn(0.05)).f1 >= 0.9995
        return
    data = Path(folder)
    arrhythmia = pooled(recordings.mitdb(data))
    figures = {
        "mitdb": arrhythmia.f1,
        "qtdb": pooled(recordings.qtdb(data)).f1,
        "ludb": pooled(recordings.ludb(data)).f1,
        "cpsc2021": pooled(recordings.cpsc2021(data)).f1,
        "cpsc2021 lead II": pooled(recordings.cpsc2021(data, 1)).f1,
        "cpsc2019": pooled(recordings.cpsc2019(data), 0.075).f1,
        "muscle noise at 6 dB": pooled(recordings.with_muscle_noise(data, 6)).f1,
    }
    least = {
        "mitdb": 0.9987,
        "qtdb": 0.9996,
        "ludb": 0.9985,
        "cpsc2021": 0.983,
        "cpsc2021 lead II": 0.9973,
        "cpsc2019": 0.941,
        "muscle noise at 6 dB": 0.995,
    }
    assert np.median(arrhythmia.offsets_s) <= 1 / 360
    assert arrhythmia.offsets_s.std() <= 0.008
    assert {name for name, figure in figures.items() if figure < least[name]} == set()
