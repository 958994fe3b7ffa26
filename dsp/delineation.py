"""Onset, peak and offset of P, QRS and T of every beat of every lead; what is not there is absent.

A beat is measured in the mean of itself and up to four similar neighbours on each side: noise falls
to a third, and what one beat has for itself stays, since only beats of the same shape are averaged.
A wave is said to be there when it stands at the same place in most of the beats around: the
fibrillation waves of one beat do not, nor does noise. `dsp.waves` finds the points themselves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.arrays import Floats, Places, checked_leads, checked_peaks, checked_rate
from dsp.waves import (
    P_WAVE,
    T_WAVE,
    Region,
    Shape,
    bridged,
    contrast,
    contrast_at,
    find_peak,
    qrs_bounds,
    smoothed,
    wave_bounds,
)

ABSENT = -1
BEFORE_S, AFTER_S = 0.5, 0.75  # around an R peak: the longest PR with its P, the longest QT
NEIGHBOURS = 4
ALIKE = 0.9  # correlation of two QRS complexes, and 0.7 for the ratio of their sizes
ALIKE_SIZE = 0.7
WITNESSES = 17  # beats of which the middle one's waves are believed or not
NORMAL = 1.4826  # standard deviations in a median absolute deviation
BLOCK = 512  # beats measured at a time

# Where waves are sought: P by seconds before QRS onset, T by sqrt(RR) seconds after R, because QT
# goes about with the root of RR (Bazett). The second spread is that around the record's own place.
P_EXPECTED_S, P_SPREADS_S = -0.12, (0.08, 0.05)
P_EARLIEST_S, P_LATEST_S = 0.30, 0.02
T_EXPECTED_S, T_SPREADS_S = 0.28, (0.15, 0.08)
T_LATEST_S, T_AFTER_QRS_S = 0.5, 0.06
SLOWEST_RR_S = 1.6  # QT hardly lengthens beyond it


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """Sample indices (intp) of one kind of wave, shaped as `Delineation` says; -1 is absent."""

    onset: Places
    peak: Places
    offset: Places


@dataclass(frozen=True, slots=True, eq=False)
class Delineation:
    """P, QRS and T of each beat: (beats,) for one row of samples, (leads, beats) for several.

    Where a wave is there, onset < peak < offset; where not, all three are `ABSENT` (-1).
    """

    p: Wave
    qrs: Wave
    t: Wave


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Beats cut out around their R peaks: (leads, beats, columns), R at column `centre`."""

    fs: float
    centre: int
    before_s: Floats  # RR interval before each beat, (beats,)
    after_s: Floats

    def samples(self, seconds: float) -> int:
        """Return a time in samples."""
        return round(seconds * self.fs)


def delineate(ecg: ArrayLike, fs: float, r_peaks: ArrayLike) -> Delineation:
    """Find where P, QRS and T of each beat begin, peak and end.

    The result does not depend on unit or offset. Not for ventricular flutter or fibrillation, nor
    for P waves that do not belong to a QRS complex (complete AV block): those are absent.

    Parameters
    ----------
    ecg
        (n,) or (leads, n), real numbers in any unit, unfiltered or high-passed without phase
        distortion; NaN, infinity or beyond 1e100 is a gap. Baseline wander is taken out here.
    fs
        Sampling rate in Hz, 100 to 2000. Below 200 Hz a bound is no better than a sample.
    r_peaks
        Sample indices of the beats, strictly increasing, as of `find_r_peaks`.

    Returns
    -------
    Delineation
        Per lead and beat. A wave that touches a gap or the end of the strip is absent, and so is
        all of a flat lead. The peak of the QRS complex is the R peak that was given.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, a rate out of range, or indices that
        are not one increasing row within the strip.

    Notes
    -----
    Slope rule for QRS after Laguna et al. 1994 and Martinez et al. 2004; ends of P and T by the
    trapezium of Vazquez-Seisdedos et al. 2011. Figures: docs/signal.md.
    """
    rate = checked_rate(fs)
    leads = checked_leads(ecg)
    peaks = checked_peaks(r_peaks, leads.shape[1])
    points = np.full((9, len(leads), peaks.size), ABSENT, dtype=np.intp)
    with np.errstate(all="ignore"):
        for begin in range(0, peaks.size, BLOCK):
            first = max(0, begin - WITNESSES)
            beats = peaks[first : begin + BLOCK + WITNESSES]
            own = slice(begin - first, begin - first + BLOCK)
            for at, lead in enumerate(leads):
                points[:, at, begin : begin + BLOCK] = _of_lead(lead, rate, beats)[:, own]
    if np.ndim(ecg) == 1:
        points = points[:, 0]
    return Delineation(p=Wave(*points[:3]), qrs=Wave(*points[3:6]), t=Wave(*points[6:]))


def _of_lead(lead: Floats, fs: float, peaks: Places) -> Places:
    """Return the nine points of each beat of one lead, (9, beats)."""
    begin = max(0, int(peaks[0]) - round(2 * AFTER_S * fs))
    end = int(peaks[-1]) + round(2 * AFTER_S * fs)
    gaps = np.isnan(lead[begin:end])
    if gaps.all():
        return np.full((9, peaks.size), ABSENT, dtype=np.intp)
    strip, beats = lead[begin:end], peaks - begin
    if gaps.any():
        there = np.flatnonzero(~gaps)
        strip = np.interp(np.arange(strip.size), there, strip[there])
    span = np.ptp(strip)
    if span == 0:
        return np.full((9, peaks.size), ABSENT, dtype=np.intp)
    strip = (strip - strip[0]) / span  # so that no scale overflows or vanishes
    rr = np.diff(beats) / fs
    usual = float(np.median(rr)) if rr.size else 1.0
    setting = Setting(
        fs, round(BEFORE_S * fs), np.concatenate([[usual], rr]), np.concatenate([rr, [usual]])
    )
    columns = beats[:, np.newaxis] + np.arange(-setting.centre, setting.samples(AFTER_S) + 1)
    columns = np.clip(columns, 0, strip.size - 1)
    onset, _ = qrs_bounds(_shared(strip[columns], setting), setting.centre, fs)
    strip = strip - _level(strip, beats + onset - setting.centre, fs)
    rows = strip[columns]
    found = waves_of(_shared(rows, setting), rows, setting)
    points = found + (beats - setting.centre)
    return np.where((found >= 0) & _whole(points, gaps), points + begin, ABSENT)


def _level(strip: Floats, onsets: Places, fs: float) -> Floats:
    """Return the wander: a line from PQ level to PQ level, the mean of 16 ms before each QRS."""
    sums = np.concatenate([[0.0], np.cumsum(strip)])
    ends = np.clip(onsets - round(0.004 * fs), 1, strip.size)
    begins = np.clip(ends - max(1, round(0.016 * fs)), 0, strip.size - 1)
    levels = (sums[ends] - sums[begins]) / np.maximum(1, ends - begins)
    return np.asarray(np.interp(np.arange(strip.size), onsets, levels))


def _shared(rows: Floats, setting: Setting) -> Floats:
    """Return each row as the mean of itself and its similar neighbours."""
    qrs = rows[:, setting.centre - setting.samples(0.10) : setting.centre + setting.samples(0.12)]
    qrs = qrs - qrs.mean(axis=1, keepdims=True)
    norm = np.sqrt((qrs * qrs).sum(axis=1)) + 1e-30
    total, count = rows.copy(), np.ones(len(rows))
    for apart in range(1, min(NEIGHBOURS, len(rows) - 1) + 1):
        small = np.minimum(norm[apart:], norm[:-apart])
        large = np.maximum(norm[apart:], norm[:-apart])
        likeness = (qrs[apart:] * qrs[:-apart]).sum(axis=1) / (small * large)
        alike = (likeness > ALIKE) & (small > ALIKE_SIZE * large)
        total[apart:] += alike[:, np.newaxis] * rows[:-apart]
        total[:-apart] += alike[:, np.newaxis] * rows[apart:]
        count[apart:] += alike
        count[:-apart] += alike
    mean: Floats = total / count[:, np.newaxis]
    return mean


def waves_of(rows: Floats, own: Floats, setting: Setting) -> Places:
    """Return the nine points of each mean beat, (9, rows), as columns; ABSENT where none.

    `rows` is (rows, columns). `own` are the beats that witness: (rows, columns) where each row has
    one, of consecutive beats, or (rows, beats, columns) where each row is the mean of all of them.
    """
    onset, offset = qrs_bounds(rows, setting.centre, setting.fs)
    bare = bridged(rows, onset, offset, setting.fs)
    t = _t_waves(bare, offset, setting)
    ends = t[2] if own.ndim > rows.ndim else np.concatenate([t[2, :1], t[2, :-1]])
    t_before = ends - (setting.before_s * setting.fs).astype(np.intp)
    p = _p_waves(bare, onset, t_before, setting)
    onsets, offsets = onset, offset
    if own.ndim > rows.ndim:
        onsets, offsets = (
            np.broadcast_to(b[:, np.newaxis], own.shape[:-1]) for b in (onset, offset)
        )
    bare = bridged(own, onsets, offsets, setting.fs)
    for wave, shape, anchor in (
        (p, P_WAVE, onset),
        (t, T_WAVE, np.full_like(onset, setting.centre)),
    ):
        there = _believed(bare, wave[1], anchor, setting, shape)
        there &= (wave[0] < wave[1]) & (wave[1] < wave[2])
        wave[:, ~there] = ABSENT
    qrs = np.stack([onset, np.full_like(onset, setting.centre), offset])
    qrs[:, (onset == setting.centre) | (offset == setting.centre)] = ABSENT
    return np.concatenate([p, qrs, t])


def _t_waves(bare: Floats, qrs_end: Places, setting: Setting) -> Places:
    """Return onset, peak and offset of the T wave of each row, whether believed or not."""
    fs, centre, last = setting.fs, setting.centre, bare.shape[-1] - 2
    root = np.sqrt(np.minimum(setting.after_s, SLOWEST_RR_S))
    latest = centre + np.minimum(T_LATEST_S * root, 0.7 * setting.after_s) * fs
    first = qrs_end + setting.samples(T_AFTER_QRS_S)
    smooth = smoothed(bare, T_WAVE.smoothing_s * fs)
    stands_out = contrast(smooth, fs, T_WAVE)
    expected = np.full(len(bare), T_EXPECTED_S)
    rough, height = first, np.zeros(len(bare))
    for spread in T_SPREADS_S:
        region = Region(
            first,
            np.minimum(latest.astype(np.intp), last),
            centre + expected * root * fs,
            spread * root * fs,
        )
        rough, height = find_peak(stands_out, region, T_WAVE)
        if (rough >= 0).any():
            expected[:] = np.median(((rough - centre) / fs / root)[rough >= 0])
    next_p = centre + ((setting.after_s - 0.12) * fs).astype(np.intp)
    end = np.minimum(np.maximum(next_p, rough + setting.samples(T_WAVE.reach_s)), last + 1)
    bounds = wave_bounds(smooth, np.maximum(rough, 0), height, (qrs_end, end), fs, T_WAVE)
    return np.where(rough >= 0, np.stack(bounds), ABSENT)


def _p_waves(bare: Floats, qrs_onset: Places, t_before: Places, setting: Setting) -> Places:
    """Return onset, peak and offset of the P wave of each row, whether believed or not."""
    fs, samples = setting.fs, setting.samples
    smooth = smoothed(bare, P_WAVE.smoothing_s * fs)
    stands_out = contrast(smooth, fs, P_WAVE)
    halfway = setting.centre - (0.6 * setting.before_s * fs).astype(np.intp)
    t_over = np.minimum(t_before + samples(0.02), qrs_onset - samples(0.10))
    first = np.maximum.reduce([qrs_onset - samples(P_EARLIEST_S), halfway, t_over])
    last = qrs_onset - samples(P_LATEST_S)
    expected = np.full(len(bare), P_EXPECTED_S * fs)
    rough, height = first, np.zeros(len(bare))
    for spread in P_SPREADS_S:
        spreads = np.full(len(bare), spread * fs)
        rough, height = find_peak(
            stands_out, Region(first, last, qrs_onset + expected, spreads), P_WAVE
        )
        if (rough >= 0).any():
            expected[:] = np.median((rough - qrs_onset)[rough >= 0])
    limits = (np.zeros_like(qrs_onset), qrs_onset)
    bounds = wave_bounds(smooth, np.maximum(rough, 0), height, limits, fs, P_WAVE)
    return np.where(rough >= 0, np.stack(bounds), ABSENT)


def _believed(
    bare: Floats, peaks: Places, anchor: Places, setting: Setting, shape: Shape
) -> NDArray[np.bool_]:
    """Say of each row whether its wave stands, the same, in the beats that witness for it.

    Noise and fibrillation give a place of the cycle a value that scatters about nothing; a wave
    gives it one that is larger than its scatter.
    """
    found = peaks >= 0
    if bare.ndim > 2:
        seen = contrast_at(
            bare, np.broadcast_to(peaks[:, np.newaxis], bare.shape[:2]), setting.fs, shape
        )
        middle = np.median(seen, axis=1)
        scatter = np.median(np.abs(seen - middle[:, np.newaxis]), axis=1)
        return found & (np.abs(middle) > shape.coherence * NORMAL * scatter)
    if not found.any():
        return found
    usual = anchor + round(float(np.median((peaks - anchor)[found])))
    seen = np.pad(contrast_at(bare, usual, setting.fs, shape), WITNESSES // 2, mode="symmetric")
    around = np.lib.stride_tricks.sliding_window_view(seen, WITNESSES)
    middle = np.median(around, axis=1)
    scatter = np.median(np.abs(around - middle[:, np.newaxis]), axis=1)
    own = contrast_at(bare, np.maximum(peaks, 0), setting.fs, shape) * np.sign(middle)
    middle = np.abs(middle)
    return found & (middle > shape.coherence * NORMAL * scatter) & (own > shape.own_share * middle)


def _whole(points: Places, gaps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which of nine points belong to a wave inside the strip that touches no gap."""
    missing = np.concatenate([[0], np.cumsum(gaps)])
    whole = np.empty(points.shape, dtype=bool)
    for wave in range(0, 9, 3):
        onset, offset = points[wave], points[wave + 2]
        inside = (onset > 0) & (offset < gaps.size - 1)
        ends = np.clip(offset + 1, 0, gaps.size)
        begins = np.clip(onset, 0, gaps.size)
        whole[wave : wave + 3] = inside & (missing[ends] == missing[begins])
    return whole
