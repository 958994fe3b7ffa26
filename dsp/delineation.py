"""Onset, peak and offset of P, QRS and T of every beat of every lead; what is not there is absent.

A beat is measured in the mean of itself and up to four similar neighbours on each side: noise falls
to a third, and what one beat has for itself stays, since only beats of the same shape are averaged.
QRS complexes are measured at the rate given, P and T, which hold nothing above 20 Hz, at 200 to
400 Hz. `dsp.waves` finds the points, `dsp.wave_search` decides which P and T there are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.arrays import Floats, Places, checked_leads, checked_peaks, checked_rate
from dsp.beats import cut
from dsp.wave_search import ABSENT, WITNESSES, Beats, irregular, p_and_t
from dsp.waves import BEFORE_R_S, QUIET_TO_S, qrs_bounds, thinned

BEFORE_S, AFTER_S = 0.5, 0.75  # around an R peak: the longest PR with its P, the longest QT
MARGIN_S = 0.06  # of what is cut out around a QRS complex, for the smoothing
WORKING_HZ = 200.0  # least rate at which P and T are measured
NEIGHBOURS = 4
ALIKE = 0.9  # correlation of two QRS complexes, and 0.7 for the ratio of their sizes
ALIKE_SIZE = 0.7
BLOCK = 512  # beats measured at a time
AT_ONCE = 64  # and averaged


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
        Sampling rate in Hz, 100 to 2000. Below 200 Hz a bound is no better than a sample; P and T
        are never told more finely than a two hundredth of a second.
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
            points[..., begin : begin + BLOCK] = _of_strip(leads, rate, beats)[..., own]
    if np.ndim(ecg) == 1:
        points = points[:, 0]
    return Delineation(p=Wave(*points[:3]), qrs=Wave(*points[3:6]), t=Wave(*points[6:]))


def step_of(fs: float) -> int:
    """Return of how many samples one is kept to measure P and T."""
    return max(1, int(fs // WORKING_HZ))


def _of_strip(leads: Floats, fs: float, peaks: Places) -> Places:
    """Return the nine points of each beat, (9, leads, beats), from what lies around the beats."""
    begin = max(0, int(peaks[0]) - round(2 * AFTER_S * fs))
    strips, beats = leads[:, begin : int(peaks[-1]) + round(2 * AFTER_S * fs)], peaks - begin
    gaps = np.isnan(strips)
    if gaps.any():
        strips = np.stack([_filled(strip, gap) for strip, gap in zip(strips, gaps, strict=True)])
    span = np.ptp(strips, axis=1, keepdims=True)
    live = ~gaps.all(axis=1) & (span[:, 0] > 0)
    points = np.full((9, len(leads), peaks.size), ABSENT, dtype=np.intp)
    if not live.any():
        return points
    if not live.all():
        strips, gaps, span = strips[live], gaps[live], span[live]
    found = _found(strips, span, fs, beats)
    points[:, live] = np.where((found >= 0) & _whole(found, gaps), found + begin, ABSENT)
    return points


def _found(strips: Floats, span: Floats, fs: float, beats: Places) -> Places:
    """Return the nine points of each beat of strips without gaps, (9, leads, beats).

    Samples are counted in the `span` of their strip, so that no scale overflows or vanishes.
    """
    before = round((BEFORE_R_S + MARGIN_S) * fs)
    rows = _cut(strips, beats, np.arange(-before, round((QUIET_TO_S + MARGIN_S) * fs) + 1))
    rows -= strips[:, :1, np.newaxis]
    rows /= span[..., np.newaxis]
    alike = _alike(rows[..., before - round(0.10 * fs) : before + round(0.12 * fs)])
    onset, offset = qrs_bounds(_shared(rows, alike), before, fs)
    onset, offset = onset + beats - before, offset + beats - before
    step = step_of(fs)
    places, rate = np.round(beats / step).astype(np.intp), fs / step
    thin = np.stack([thinned(strip, step) for strip in strips])
    thin -= strips[:, :1]
    thin /= span
    _take_out_levels(thin, onset / step, rate)
    centre = round(BEFORE_S * rate)
    own = _cut(thin, places, np.arange(-centre, round(AFTER_S * rate) + 1))
    rr = np.diff(beats) / fs
    usual = np.median(rr, keepdims=True) if rr.size else np.ones(1)
    shift = places - centre
    bounds = [np.round(bound / step).astype(np.intp) - shift for bound in (onset, offset)]
    waves = p_and_t(
        Beats(
            rows=_shared(own, alike),
            own=own,
            onset=bounds[0],
            offset=bounds[1],
            fs=rate,
            centre=centre,
            before_s=np.concatenate([usual, rr]),
            after_s=np.concatenate([rr, usual]),
            irregular=irregular(np.concatenate([rr, rr[-1:]]) if rr.size else usual),
            common=_common(alike),
        )
    )
    p, t = (np.where(wave >= 0, (wave + shift) * step, ABSENT) for wave in waves)
    middle = np.broadcast_to(beats, onset.shape)
    qrs = np.stack([onset, middle, offset])
    qrs[:, (onset == middle) | (offset == middle)] = ABSENT
    return np.concatenate([p, qrs, t])


def _filled(strip: Floats, gap: NDArray[np.bool_]) -> Floats:
    """Return a strip with lines across its gaps, zero where there is nothing else."""
    there = np.flatnonzero(~gap)
    if there.size == 0:
        return np.zeros_like(strip)
    return np.asarray(np.interp(np.arange(strip.size), there, strip[there]))


def _cut(strips: Floats, beats: Places, span: Places) -> Floats:
    """Return (leads, beats, columns) around the beats, the strip's ends continued level."""
    return cut(strips, beats, span, beyond=strips[:, [0, -1]].T)


def _take_out_levels(strips: Floats, onsets: Floats, fs: float) -> None:
    """Subtract lines from PQ level to PQ level, the mean of 16 ms before each QRS."""
    samples, width = strips.shape[1], max(1, round(0.016 * fs))
    begins = np.round(onsets - 0.004 * fs).astype(np.intp) - width
    places = np.minimum(np.maximum(begins[..., np.newaxis] + np.arange(width), 0), samples - 1)
    leads = np.arange(len(strips))[:, np.newaxis, np.newaxis]
    levels = strips[leads, places].mean(axis=-1)
    columns = np.arange(samples)
    for lead in range(len(strips)):
        strips[lead] -= np.interp(columns, onsets[lead], levels[lead])


def _alike(qrs: Floats) -> Floats:
    """Return for each distance whether a beat and the one so far behind look alike, as 1 or 0.

    (distances, leads, beats), the last ones of each distance unused.
    """
    beats = qrs.shape[1]
    qrs = qrs - qrs.mean(axis=-1, keepdims=True)
    power = np.einsum("lbc,lbc->lb", qrs, qrs)
    norm = np.sqrt(power) + 1e-30
    alike = np.zeros((min(NEIGHBOURS, beats - 1), *norm.shape))
    for apart, marked in enumerate(alike, 1):
        small = np.minimum(norm[:, apart:], norm[:, :-apart])
        large = np.maximum(norm[:, apart:], norm[:, :-apart])
        likeness = np.einsum("lbc,lbc->lb", qrs[:, apart:], qrs[:, :-apart]) / (small * large)
        marked[:, :-apart] = (likeness > ALIKE) & (small > ALIKE_SIZE * large)
    return alike


def _common(alike: Floats) -> NDArray[np.bool_]:
    """Say of each beat whether it looks like half of its neighbours; of all, where few beats do."""
    like, near = np.zeros(alike.shape[1:]), np.zeros(alike.shape[2])
    for apart, marked in enumerate(alike, 1):
        like[:, apart:] += marked[:, :-apart]
        like[:, :-apart] += marked[:, :-apart]
        near[apart:] += 1
        near[:-apart] += 1
    common = 2 * like >= near
    return np.asarray(common | (common.mean(axis=1, keepdims=True) < 0.5))


def _shared(rows: Floats, alike: Floats) -> Floats:
    """Return each row as the mean of itself and its similar neighbours."""
    beats, mean = rows.shape[1], np.empty_like(rows)
    for begin in range(0, beats, AT_ONCE):
        end = min(beats, begin + AT_ONCE)
        first, last = max(0, begin - NEIGHBOURS), min(beats, end + NEIGHBOURS)
        weights = np.zeros((len(rows), end - begin, last - first))
        own = np.arange(begin, end)
        weights[:, own - begin, own - first] = 1.0
        for apart, marked in enumerate(alike, 1):
            ahead, behind = own[own + apart < last], own[own - apart >= first]
            weights[:, ahead - begin, ahead + apart - first] = marked[:, ahead]
            weights[:, behind - begin, behind - apart - first] = marked[:, behind - apart]
        weights /= weights.sum(axis=-1, keepdims=True)
        np.matmul(weights, rows[:, first:last], out=mean[:, begin:end])
    return mean


def _whole(points: Places, gaps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which of nine points belong to a wave inside the strip that touches no gap."""
    samples, torn = gaps.shape[1], bool(gaps.any())
    missing = np.cumsum(np.pad(gaps, ((0, 0), (1, 0))), axis=1, dtype=np.int32) if torn else gaps
    whole = np.empty(points.shape, dtype=bool)
    for wave in range(0, 9, 3):
        onset, offset = points[wave], points[wave + 2]
        inside = (onset > 0) & (offset < samples - 1)
        if torn:
            ends = np.take_along_axis(missing, np.clip(offset + 1, 0, samples), 1)
            begins = np.take_along_axis(missing, np.clip(onset, 0, samples), 1)
            inside &= begins == ends
        whole[wave : wave + 3] = inside
    return whole
