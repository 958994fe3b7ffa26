"""From beats: the heart rate or why there is none, the RR series, and one clean beat per lead."""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.arrays import Floats, Places, checked_leads, checked_peaks, checked_rate

LEAST_INTERVALS = 3
LONGEST_RR_S = 3.0  # 20 a minute; a longer pause in a list of beats is a stretch without detection

# Against the median of the eleven intervals around; 0.4 % of sinus intervals go beyond (MIT-BIH).
AROUND = 5
EARLY_SHARE, LATE_SHARE = 0.85, 1.2
SHORTEST_RR_S = 0.25

BEFORE_S, AFTER_S = 0.5, 0.75  # of a median beat around its R peak
ALIGN_S = 0.02  # R peaks of one shape lie within this of each other
ALIKE = 0.9  # correlation of the QRS complexes that make a median beat
PQ_FROM_S, PQ_TO_S, PQ_WIDTH_S = -0.12, -0.03, 0.016


class NoRate(StrEnum):
    """Why there is no heart rate."""

    TOO_FEW_BEATS = "too-few-beats"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class HeartRate:
    """A rate exactly when `reason` is None, from the median of so many RR `intervals`."""

    per_min: float | None
    intervals: int
    reason: NoRate | None = None

    @property
    def method(self) -> str:
        """What the rate is."""
        return "60 s over the median RR interval"


def heart_rate(r_peaks: ArrayLike, fs: float) -> HeartRate:
    """Return the ventricular rate, 60 s over the median RR interval.

    The median is not moved by a single ectopic beat and its pause; in atrial fibrillation it is the
    usual interval of the strip, which is not the number of beats over its length.

    Parameters
    ----------
    r_peaks
        Sample indices, strictly increasing, as of `find_r_peaks`.
    fs
        Sampling rate in Hz.

    Returns
    -------
    HeartRate
        Without a value when there are fewer than three intervals, or when one is longer than 3 s:
        then beats were not seen, and the intervals on both sides may be from other rhythms.

    Raises
    ------
    ValueError
        When `fs` is not positive, or the indices are not one row of increasing numbers.

    Examples
    --------
    >>> heart_rate([100, 600, 1100, 1600], fs=500.0)
    HeartRate(per_min=60.0, intervals=3, reason=None)
    """
    rate = _positive(fs)
    peaks = _increasing(r_peaks)
    intervals = np.diff(peaks) / rate
    if intervals.size < LEAST_INTERVALS:
        return HeartRate(None, intervals.size, NoRate.TOO_FEW_BEATS)
    if intervals.max() > LONGEST_RR_S:
        return HeartRate(None, intervals.size, NoRate.GAP)
    return HeartRate(60.0 / float(np.median(intervals)), intervals.size)


def _positive(fs: float) -> float:
    """Return the sampling rate in Hz; ValueError unless it is positive and finite."""
    try:
        rate = float(fs)
    except (TypeError, ValueError) as wrong:
        raise ValueError(f"fs: {fs!r} is not a number of Hz") from wrong
    if not (np.isfinite(rate) and rate > 0):
        raise ValueError(f"fs: {rate} Hz; give a positive rate")
    return rate


def _increasing(r_peaks: ArrayLike) -> Floats:
    """Return places of beats, between samples too; ValueError unless they increase in one row."""
    wrong = "r_peaks: give one row of strictly increasing sample indices"
    try:
        peaks = np.asarray(r_peaks)
    except ValueError as ragged:
        raise ValueError(wrong) from ragged
    if peaks.ndim != 1 or (peaks.size and peaks.dtype.kind not in "iuf"):
        raise ValueError(wrong)
    places = peaks.astype(np.float64)
    if not (np.isfinite(places).all() and (places[1:] > places[:-1]).all()):
        raise ValueError(wrong)
    return places


class NotSinus(StrEnum):
    """Why an interval is not one between two sinus beats."""

    EARLY = "early"
    AFTER_EARLY = "after-early"
    PAUSE = "pause"
    OTHER_SHAPE = "other-shape"
    GAP = "gap"
    TOO_SHORT = "too-short"


@dataclass(frozen=True, slots=True, eq=False)
class RRSeries:
    """Intervals between neighbouring beats; one is of sinus rhythm where its reason is None."""

    seconds: Floats
    reasons: tuple[NotSinus | None, ...]

    @property
    def sinus(self) -> NDArray[np.bool_]:
        """Say which intervals may be used for what needs sinus rhythm, as variability does."""
        return np.array([reason is None for reason in self.reasons], dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class MedianBeat:
    """One beat per lead, the median over beats of the usual shape, aligned to a sample.

    `waves` is (leads, columns) in the unit given, NaN for a lead without samples, zero at the PQ
    level; the R peak is at column `centre`. `used` says which beats went in, `lags` by how many
    samples each had to be shifted to lie on the others.
    """

    waves: Floats
    centre: int
    used: NDArray[np.bool_]
    lags: Places


def rr_series(r_peaks: ArrayLike, fs: float, shape_of: ArrayLike | None = None) -> RRSeries:
    """Return the RR intervals and which of them are not between sinus beats.

    Parameters
    ----------
    r_peaks
        Sample indices, strictly increasing, as of `find_r_peaks`.
    fs
        Sampling rate in Hz, 100 to 2000.
    shape_of
        (beats,) booleans: whether each beat has the usual shape, as `MedianBeat.used` says; an
        interval at one that has not is not a sinus interval. None if shapes are not known.

    Returns
    -------
    RRSeries
        One interval fewer than beats. Early is under 0.85, a pause over 1.2 times the median of the
        eleven intervals around; what follows an early beat is not sinus either when it is long. In
        atrial fibrillation most intervals get a reason, which is true of them.

    Raises
    ------
    ValueError
        For a rate out of range, indices that are no increasing row, or shapes of another length.
    """
    rate = checked_rate(fs)
    peaks = checked_peaks(r_peaks, np.iinfo(np.intp).max)
    usual = np.ones(peaks.size, dtype=bool)
    if shape_of is not None:
        try:
            usual = np.asarray(shape_of, dtype=bool)
        except (TypeError, ValueError) as wrong:
            raise ValueError("shape_of: give one boolean for each beat") from wrong
    if usual.shape != peaks.shape:
        raise ValueError(f"shape_of: {usual.shape} for {peaks.size} beats")
    seconds = np.diff(peaks) / rate
    if seconds.size == 0:
        return RRSeries(seconds, ())
    padded = np.pad(seconds, AROUND, mode="symmetric")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    relative = seconds / np.median(around, axis=1)
    early, late = relative < EARLY_SHARE, relative > LATE_SHARE
    after = np.concatenate([[False], early[:-1]]) & (relative > 1.0)
    # Of several reasons the first that applies is given.
    causes = (
        (seconds > LONGEST_RR_S, NotSinus.GAP),
        (seconds < SHORTEST_RR_S, NotSinus.TOO_SHORT),
        (~(usual[1:] & usual[:-1]), NotSinus.OTHER_SHAPE),
        (early, NotSinus.EARLY),
        (after, NotSinus.AFTER_EARLY),
        (late, NotSinus.PAUSE),
    )
    reasons = [next((why for holds, why in causes if holds[at]), None) for at in range(len(early))]
    return RRSeries(seconds, tuple(reasons))


def median_beat(ecg: ArrayLike, fs: float, r_peaks: ArrayLike) -> MedianBeat:
    """Return one beat per lead that noise and ectopic beats have little part in.

    Wander is taken out by a smooth curve through the PQ levels of the beats, which leaves ST as it
    is. Beats whose QRS complexes, over all leads, do not look like the most usual one, and beats
    cut off by the ends of the strip, are left out.

    Parameters
    ----------
    ecg
        (n,) or (leads, n), real numbers; NaN, infinity or beyond 1e100 is a gap.
    fs
        Sampling rate in Hz, 100 to 2000.
    r_peaks
        Sample indices, strictly increasing, as of `find_r_peaks`.

    Returns
    -------
    MedianBeat
        From 0.5 s before to 0.75 s after R. All NaN when no beat lies within the strip.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, a rate out of range, or indices that
        are not one increasing row within the strip.
    """
    rate = checked_rate(fs)
    leads = checked_leads(ecg)
    peaks = checked_peaks(r_peaks, leads.shape[1])
    with np.errstate(all="ignore"):
        return beats_of(leads, rate, peaks)[0]


def beats_of(leads: Floats, fs: float, peaks: Places) -> tuple[MedianBeat, Floats]:
    """Return the median beat and the beats that it is made of, (leads, used, columns)."""
    before, after = round(BEFORE_S * fs), round(AFTER_S * fs)
    margin = max(1, round(ALIGN_S * fs))
    span = np.arange(-before, after + 1)
    used = np.zeros(peaks.size, dtype=bool)
    lags = np.zeros(peaks.size, dtype=np.intp)
    # A beat counts when at least half of what surrounds it is there; the rest is a gap.
    whole = (peaks >= before // 2) & (peaks + after // 2 < leads.shape[1])
    if not whole.any():
        rows = np.empty((len(leads), 0, span.size))
        return MedianBeat(np.full((len(leads), span.size), np.nan), before, used, lags), rows
    level = without_wander(leads, fs, peaks)
    qrs_span = np.arange(-round(0.1 * fs) - margin, round(0.12 * fs) + margin + 1)
    shapes = np.nan_to_num(_cut(level, peaks[whole], qrs_span))
    lags[whole], used[whole] = _aligned(shapes, margin)
    rows = _cut(level, peaks[used] + lags[used], span)
    return MedianBeat(_median(rows), before, used, lags), rows


def without_wander(leads: Floats, fs: float, peaks: Places) -> Floats:
    """Return the leads less a smooth curve through their levels between P and QRS.

    The level is read where, in the 90 ms before the QRS complex, the leads are stillest in most
    beats (Meyer & Keiser 1977 take the PQ segment, and a cubic through it, for the same reason:
    there the heart is electrically silent, so no part of the ECG is bent).
    """
    if peaks.size == 0 or leads.shape[1] < 2:
        return leads
    width = max(1, round(PQ_WIDTH_S * fs))
    span = np.arange(round(PQ_FROM_S * fs) - width, round(PQ_TO_S * fs) + 1)
    rows = _cut(leads, peaks, span)
    slope = np.abs(np.diff(rows, axis=-1))
    unrest = np.lib.stride_tricks.sliding_window_view(slope, width, axis=-1).sum(axis=-1)
    unrest[np.isnan(unrest).any(axis=-1)] = 0.0  # a lead with a gap there has no say
    still = int(np.median(unrest.sum(axis=0), axis=0).argmin())
    levels = rows[:, :, still : still + width + 1].mean(axis=-1)
    knots = (peaks + int(span[still]) + width / 2).astype(np.float64)
    known = np.isfinite(levels)
    if known.all():
        return _less_curve(leads, knots, levels)
    out = leads.copy()
    for at, there in enumerate(known):
        if there.any():
            out[at] = _less_curve(leads[at], knots[there], levels[at, there])
    return out


def _less_curve(leads: Floats, at: Floats, level: Floats) -> Floats:
    """Return the leads less cubics through the knots, with the slopes between neighbours there.

    Level before the first knot and beyond the last.
    """
    out = np.empty_like(leads)
    edges = np.clip(np.ceil(at), 0, leads.shape[-1]).astype(np.intp)
    np.subtract(leads[..., : edges[0]], level[..., :1], out=out[..., : edges[0]])
    np.subtract(leads[..., edges[-1] :], level[..., -1:], out=out[..., edges[-1] :])
    if at.size < 2:
        return out
    step = np.diff(at)
    slope = np.gradient(level, at, axis=-1)
    begin, end = slope[..., :-1] * step, slope[..., 1:] * step
    rise = np.diff(level, axis=-1)
    square, cube = 3 * rise - 2 * begin - end, begin + end - 2 * rise
    for knot, (first, last) in enumerate(pairwise(edges.tolist())):
        u = (np.arange(first, last) - at[knot]) / step[knot]
        curve = cube[..., knot, np.newaxis] * u
        curve += square[..., knot, np.newaxis]
        curve *= u
        curve += begin[..., knot, np.newaxis]
        curve *= u
        curve += level[..., knot, np.newaxis]
        np.subtract(leads[..., first:last], curve, out=out[..., first:last])
    return out


def _cut(leads: Floats, peaks: Places, span: Places) -> Floats:
    """Return (leads, beats, columns) around the peaks, NaN outside the strip."""
    return cut(leads, peaks, span, beyond=np.full((2, len(leads)), np.nan))


def cut(leads: Floats, peaks: Places, span: Places, *, beyond: Floats) -> Floats:
    """Return (leads, beats, columns) around the peaks; `beyond` is what lies before and after."""
    samples = leads.shape[1]
    rows = np.empty((len(leads), peaks.size, span.size))
    for beat, peak in enumerate(peaks.tolist()):
        begin = peak + int(span[0])
        end = begin + span.size
        before, after = min(span.size, max(0, -begin)), max(0, min(span.size, samples - begin))
        row = rows[:, beat]
        row[:, before:after] = leads[:, begin + before : begin + after]
        if begin < 0:
            row[:, :before] = beyond[0, :, np.newaxis]
        if end > samples:
            row[:, after:] = beyond[1, :, np.newaxis]
    return rows


def _aligned(shapes: Floats, margin: int) -> tuple[Places, NDArray[np.bool_]]:
    """Return the lag of each beat on the usual shape, and which beats have that shape."""
    columns = shapes.shape[-1] - 2 * margin
    middle = shapes[..., margin : margin + columns]
    model = np.median(middle, axis=1)
    model = model - model.mean(axis=-1, keepdims=True)
    views = np.lib.stride_tricks.sliding_window_view(shapes, columns, axis=-1)
    fit = np.einsum("lbkc,lc->bk", views, model)
    lag = fit.argmax(axis=1)
    best = views[:, np.arange(lag.size), lag]
    best = best - best.mean(axis=-1, keepdims=True)
    size = np.sqrt((best * best).sum(axis=(0, 2)) * (model * model).sum())
    likeness = (best * model[:, np.newaxis]).sum(axis=(0, 2)) / size
    alike = likeness > ALIKE
    if not alike.any():
        alike = np.ones(lag.size, dtype=bool)
    return lag - margin, alike


def _median(rows: Floats) -> Floats:
    """Return the median over the beats of (leads, beats, columns), of those that are there."""
    beats = rows.shape[1]
    if beats and not np.isnan(rows).any():
        middle = np.empty((len(rows), rows.shape[2]))
        ranks = sorted({(beats - 1) // 2, beats // 2})
        for lead, out in zip(rows, middle, strict=True):
            beside = np.ascontiguousarray(lead.T)  # the beats of a column as neighbours in memory
            beside.partition(ranks, axis=-1)
            beside[:, ranks].mean(axis=-1, out=out)
        return middle
    count = (~np.isnan(rows)).sum(axis=1)
    order = np.sort(rows, axis=1)  # NaN last
    last = max(0, rows.shape[1] - 1)
    low = np.take_along_axis(order, np.clip((count - 1) // 2, 0, last)[:, np.newaxis], axis=1)
    high = np.take_along_axis(order, np.clip(count // 2, 0, last)[:, np.newaxis], axis=1)
    return np.asarray(((low + high) / 2)[:, 0])
