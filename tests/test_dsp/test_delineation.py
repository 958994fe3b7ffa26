import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import wave_marks
from benchmarks.wave_halves import measured
from dsp import delineate

FS = 500.0
QRS, T = ((0.0, 0.011, 1.1), (0.032, 0.010, -0.22)), (0.27, 0.045, 0.28)


def peaks_of(beats, fs=FS):
    return np.round(np.asarray(beats) * fs).astype(np.intp)


@pytest.fixture
def strip(ecg, rhythm):
    beats = rhythm(10)
    return ecg(FS, beats, 10, noise=0.01, wander=0.2), beats


@pytest.mark.parametrize(("wave", "at"), [("p", -0.17), ("t", 0.27)])
def test_drawn_waves_peak_within_ten_milliseconds(strip, wave, at):
    wave_of = getattr(delineate(strip[0], FS, peaks_of(strip[1])), wave)
    assert np.abs(wave_of.peak / FS - strip[1] - at)[1:-1].max() < 0.010


@pytest.mark.parametrize(
    ("wave", "on", "off"),
    [("p", -0.17 - 0.05, -0.17 + 0.05), ("qrs", -0.055, 0.058), ("t", 0.27 - 0.1, 0.27 + 0.1)],
)
def test_bounds_lie_where_a_drawn_wave_leaves_the_line(strip, wave, on, off):
    found = getattr(delineate(strip[0], FS, peaks_of(strip[1])), wave)
    inner = slice(1, -1)
    assert np.abs(found.onset / FS - strip[1] - on)[inner].max() < 0.025
    assert np.abs(found.offset / FS - strip[1] - off)[inner].max() < 0.025


@pytest.mark.parametrize("fs", [100.0, 250.0, 1000.0, 2000.0])
def test_every_rate_finds_the_same_waves(ecg, rhythm, fs):
    beats = rhythm(10)
    found = delineate(ecg(fs, beats, 10, noise=0.005), fs, peaks_of(beats, fs))
    assert np.abs(found.t.peak / fs - beats - 0.27)[1:-1].max() < 0.02
    assert np.abs(found.p.peak / fs - beats + 0.17)[1:-1].max() < 0.02


def test_a_p_wave_that_is_not_drawn_is_absent(ecg, rhythm):
    beats = rhythm(20)
    strip = ecg(FS, beats, 20, noise=0.02, seed=3, waves=(*QRS, T))
    assert (delineate(strip, FS, peaks_of(beats)).p.peak >= 0).mean() < 0.2


def test_fibrillation_has_no_p_waves(ecg, rhythm):
    beats = rhythm(20, irregular=0.2, seed=1)
    t = np.arange(round(20 * FS)) / FS
    strip = ecg(FS, beats, 20, noise=0.01, waves=(*QRS, T)) + 0.06 * np.sin(2 * np.pi * 6.3 * t)
    found = delineate(strip, FS, peaks_of(beats))
    assert (found.p.peak >= 0).mean() < 0.25
    assert (found.qrs.onset >= 0).all()


def test_an_ectopic_beat_without_p_has_none_while_its_neighbours_do(ecg):
    beats = np.arange(0.6, 20, 0.8)
    strip = ecg(FS, np.delete(beats, 10), 20, noise=0.01)
    wide = ((0.0, 0.03, 1.4), (0.08, 0.03, -0.5), (0.32, 0.05, -0.4))
    strip += ecg(FS, beats[10:11] - 0.2, 20, waves=wide)
    beats[10] -= 0.2
    p = delineate(strip, FS, peaks_of(beats)).p.peak
    assert p[10] == -1
    assert (np.delete(p, 10)[1:] >= 0).all()


def test_p_waves_stay_where_two_shapes_of_qrs_alternate(ecg):
    beats = np.arange(0.6, 10, 0.8)
    broad = ((-0.17, 0.025, 0.12), (0.0, 0.03, -1.2), (0.3, 0.05, 0.4))
    strip = ecg(FS, beats[::2], 10, noise=0.01) + ecg(FS, beats[1::2], 10, waves=broad)
    assert (delineate(strip, FS, peaks_of(beats)).p.peak[1:-1] >= 0).all()


def test_two_ectopic_beats_take_no_p_from_the_others(ecg, rhythm):
    beats = rhythm(10)
    early = np.array([3, 7])
    strip = ecg(FS, np.delete(beats, early), 10, noise=0.01)
    strip += ecg(FS, beats[early], 10, waves=((0.0, 0.03, -1.2), (0.3, 0.05, 0.4)))
    p = delineate(strip, FS, peaks_of(beats)).p.peak >= 0
    assert np.delete(p, early)[1:-1].all()
    assert not p[early].any()


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan])
def test_a_flat_lead_has_no_waves(strip, value):
    found = delineate(np.full(5000, value), FS, peaks_of(strip[1]))
    for wave in (found.p, found.qrs, found.t):
        assert (np.stack([wave.onset, wave.peak, wave.offset]) == -1).all()


def test_no_beats_are_no_waves(strip):
    assert delineate(strip[0], FS, []).t.peak.shape == (0,)


def test_a_wave_in_a_gap_is_absent_and_the_others_stay(strip):
    beats = peaks_of(strip[1])
    gone = strip[0].copy()
    gone[beats[4] + 120 : beats[4] + 150] = np.nan
    found = delineate(gone, FS, beats)
    assert (found.t.peak[4], found.qrs.peak[4]) == (-1, beats[4])
    assert (np.delete(found.t.peak, 4) >= 0)[1:-1].all()


def test_a_beat_at_the_very_edge_has_no_wave_outside(strip):
    found = delineate(strip[0][:4000], FS, peaks_of(strip[1][strip[1] * FS < 3990]))
    for wave in (found.p, found.qrs, found.t):
        assert max(wave.offset) < 4000


def test_leads_are_rows_and_each_is_measured_as_if_alone(strip):
    beats = peaks_of(strip[1])
    both = delineate(np.stack([strip[0], -strip[0]]), FS, beats)
    alone = delineate(-strip[0], FS, beats)
    assert both.t.offset.shape == (2, beats.size)
    assert both.t.offset[1].tolist() == alone.t.offset.tolist()


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), power=st.integers(-20, 20))
def test_present_waves_are_in_order_and_no_gain_changes_them(ecg, rhythm, seed, power):
    beats = rhythm(12, per_min=50 + seed % 80, irregular=0.1, seed=seed)
    strip = ecg(FS, beats, 12, noise=0.03 * (seed % 4), wander=0.3, seed=seed)
    found = delineate(strip, FS, peaks_of(beats))
    scaled = delineate(strip * 2.0**power, FS, peaks_of(beats))
    for wave, again in ((found.p, scaled.p), (found.qrs, scaled.qrs), (found.t, scaled.t)):
        there = wave.peak >= 0
        assert (wave.onset[there] < wave.peak[there]).all()
        assert (wave.peak[there] < wave.offset[there]).all()
        assert (wave.onset[~there] == -1).all()
        assert (wave.offset[~there] == -1).all()
        assert again.onset.tolist() == wave.onset.tolist()
        assert again.offset.tolist() == wave.offset.tolist()


def test_a_long_recording_is_measured_alike_across_its_blocks(ecg, rhythm):
    beats = rhythm(540, per_min=75)
    found = delineate(ecg(250.0, beats, 540, noise=0.02), 250.0, peaks_of(beats, 250.0))
    assert beats.size > 600
    assert np.abs(found.t.peak / 250 - beats - 0.27)[500:530].max() < 0.012


@pytest.mark.parametrize("peaks", [[5, 4], [1, 1], [-1, 4], [4, 5000], [0.5], [[1, 2]], ["a"]])
def test_what_is_no_row_of_beats_of_the_strip_is_refused(strip, peaks):
    with pytest.raises(ValueError, match=r"^r_peaks: "):
        delineate(strip[0], FS, peaks)


def test_marks_of_experts_are_met_at_least_this_well(strip):
    """SD in ms: LUDB lead II over all marks, QTDB the mean of the record SDs."""
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        assert (delineate(strip[0], FS, peaks_of(strip[1])).qrs.onset >= 0).all()
        return
    most = {"P on": 10, "P off": 13.5, "QRS on": 10, "QRS off": 12.2, "T peak": 16, "T off": 20}
    records = list(wave_marks.ludb(Path(folder)))
    ludb = measured(records)
    waves = wave_marks.Presence(0, 0, 0)
    for record in records:
        found = wave_marks.found_by_us(record, (wave_marks.LEAD_II,))[0]
        waves += wave_marks.presence(record.marks[wave_marks.LEAD_II], found, "P", record.fs)
    assert (waves.sensitivity > 99.2, waves.precision > 93.5) == (True, True)
    for point, spread in most.items():
        errors = np.concatenate([one[point].ms for one in ludb])
        assert errors.std() <= spread, point
        assert abs(errors.mean()) <= 4, point
    most = {"P on": 11.4, "P off": 10, "QRS on": 5.9, "QRS off": 7, "T peak": 8.7, "T off": 14.1}
    qtdb = measured(list(wave_marks.qtdb(Path(folder))))
    for point, spread in most.items():
        spreads = [one[point].ms.std(ddof=1) for one in qtdb if one[point].ms.size > 1]
        assert np.mean(spreads) <= spread, point
