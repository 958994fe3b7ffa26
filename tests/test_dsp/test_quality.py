import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import recordings
from dsp import find_r_peaks
from dsp.quality import Flaw, beat_quality, ecg_quality

FS = 500.0


@pytest.fixture
def good(ecg, rhythm):
    return ecg(FS, rhythm(10), 10, noise=0.01, wander=0.1)


def flaws(strip, **more):
    (verdict,) = ecg_quality(strip, FS, **more)
    return set(verdict.flaws)


def test_a_good_lead_is_usable_and_without_flaws(good):
    (verdict,) = ecg_quality(good * 1000, FS, microvolts=True)
    assert (verdict.usable, verdict.flaws) == (True, ())


def test_every_lead_is_judged_for_itself(good):
    verdicts = ecg_quality(np.stack([good, np.zeros(good.size)]), FS)
    assert [verdict.usable for verdict in verdicts] == [True, False]


def test_a_constant_is_flat():
    assert Flaw.FLAT in flaws(np.full(5000, 3.0))


def test_a_lead_that_is_all_gap_is_off():
    assert {Flaw.GAP, Flaw.LEAD_OFF} <= flaws(np.full(5000, np.nan))


def test_a_third_missing_is_a_gap(good):
    good[1000:2700] = np.nan
    assert flaws(good) == {Flaw.GAP}


def test_under_a_second_is_short(good):
    assert Flaw.SHORT in flaws(good[:400])


def test_clipped_waves_are_saturated(good):
    assert Flaw.SATURATED in flaws(np.clip(good * 20, -3.0, 2.0))


def test_mains_is_said_and_does_not_disqualify(good):
    good += 0.5 * np.sin(2 * np.pi * 50 * np.arange(good.size) / FS)
    (verdict,) = ecg_quality(good, FS)
    assert (verdict.usable, verdict.flaws) == (True, (Flaw.MAINS,))


def test_noise_without_beats_is_noise():
    assert flaws(np.random.default_rng(0).normal(size=5000)) == {Flaw.NOISE}


def test_a_swing_of_microvolts_is_no_ecg_where_the_unit_is_known(good):
    assert Flaw.LEAD_OFF in flaws(good * 10, microvolts=True)
    assert flaws(good * 10) == set()


@pytest.mark.parametrize("strip", [np.empty(0), np.zeros((2, 0)), np.full(50, np.inf), np.ones(1)])
def test_what_is_no_signal_is_not_usable(strip):
    assert not any(verdict.usable for verdict in ecg_quality(strip, FS))


def test_muscle_is_said_and_lowers_the_score(good):
    tremor = np.convolve(np.random.default_rng(2).normal(size=good.size), np.hanning(12), "same")
    noisy = good + 0.06 * tremor
    (clean,), (verdict,) = ecg_quality(good, FS), ecg_quality(noisy, FS)
    assert verdict.flaws == (Flaw.MUSCLE,)
    assert (verdict.usable, verdict.score < clean.score) == (True, True)


def test_a_step_of_the_level_is_electrode_motion(good):
    good[2400:] += 3.0
    assert Flaw.ELECTRODE_MOTION in flaws(good)


def test_a_slow_swing_of_the_level_is_wander(good):
    good += 2.5 * np.sin(2 * np.pi * 0.05 * np.arange(good.size) / FS)
    assert flaws(good) == {Flaw.WANDER}


@pytest.mark.parametrize("strip", [np.full(5000, np.nan), np.zeros(5000), np.zeros(40)])
def test_a_lead_that_cannot_be_used_scores_nothing(strip):
    (verdict,) = ecg_quality(strip, FS)
    assert (verdict.usable, verdict.score) == (False, 0.0)


def test_good_beats_are_all_believed(good, rhythm):
    peaks = np.round(rhythm(10) * FS).astype(int)
    found = beat_quality(good, FS, peaks)
    assert found.usable.all()
    assert set(found.reasons) == {None}
    assert found.score.min() > 0.9


def test_what_has_no_like_is_withheld_where_the_level_moves(good, rhythm):
    peaks = np.round(rhythm(10) * FS).astype(int)
    artefact = (peaks[4] + peaks[5]) // 2
    good[artefact - 40 : artefact + 400] += np.linspace(3, 0, 440)
    good[artefact - 250 : artefact - 60] += 4.0
    found = beat_quality(good, FS, np.sort([*peaks, artefact]))
    assert found.reasons[5] is Flaw.ELECTRODE_MOTION


def test_one_ectopic_beat_among_beats_that_are_alike_is_believed(ecg):
    beats = np.arange(0.5, 20, 0.8)
    odd = ecg(FS, beats[12:13], 20, waves=((0.0, 0.03, -1.5),))
    strip = ecg(FS, np.delete(beats, 12), 20) + odd
    assert beat_quality(strip, FS, np.round(beats * FS).astype(int)).usable.all()


def test_two_kinds_of_beats_in_turn_are_both_believed(ecg):
    beats = np.arange(0.5, 20, 0.7)
    strip = ecg(FS, beats[::2], 20) + ecg(FS, beats[1::2], 20, waves=((0.0, 0.03, -1.5),))
    assert beat_quality(strip, FS, np.round(beats * FS).astype(int)).usable.all()


def test_a_beat_at_a_gap_and_one_of_few_are_not_judged(good, rhythm):
    peaks = np.round(rhythm(10) * FS).astype(int)
    good[peaks[3]] = np.nan
    assert beat_quality(good, FS, peaks).reasons[3] is Flaw.GAP
    few = beat_quality(good, FS, peaks[:5])
    assert set(few.reasons) == {Flaw.SHORT}
    assert np.isnan(few.score).all()


def test_of_beats_and_motion_of_an_electrode_the_motion_is_withheld(ecg, rhythm):
    random = np.random.default_rng(7)
    beats = rhythm(240)
    clean = ecg(FS, beats, 240, noise=0.02)
    steps = np.zeros(clean.size)
    for at in random.integers(120 * FS, 238 * FS, 400).astype(int):
        length = random.integers(15, 120)
        steps[at : at + length] += random.normal(0, 1.5) * np.hanning(length)
    found = find_r_peaks(clean + steps, FS)
    right = np.abs(found[:, np.newaxis] / FS - beats).min(axis=1) < 0.05
    usable = beat_quality(clean + steps, FS, found).usable
    assert usable[found < 118 * FS].mean() > 0.95
    assert (~usable[~right]).mean() > 0.9
    assert (~right).sum() > 50


def test_motion_of_the_electrode_is_withheld_from_the_noise_stress_record():
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        assert beat_quality(np.zeros(9), FS, []).usable.size == 0
        return
    record = recordings.read_wfdb(Path(folder) / "nstdb" / "118e_6.hea", "atr")
    found = find_r_peaks(record.ecg, record.fs)
    seconds = found / record.fs
    noisy = (seconds > 300) & ((seconds - 300) % 240 < 120)
    right = np.abs(found[:, np.newaxis] - record.beats).min(axis=1) <= 0.15 * record.fs
    usable = beat_quality(record.ecg, record.fs, found).usable
    assert usable[~noisy].mean() >= 0.99
    assert (~usable[noisy & ~right]).mean() >= 0.9
