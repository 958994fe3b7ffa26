"""Where a QRS complex and the waves around it begin, peak and end, in rows of aligned beats.

A row holds one beat with its QRS complex at column `centre`; the last axis is time, and all that is
said of rows holds for any number of axes before it. Three ideas, each for all rows at once:

- A QRS complex is where the signal is steep. Its steep core may hold plateaus of 60 ms (a notched
  or a broad complex); from the core it reaches outward as long as 20 ms do not go by without a
  slope of at least 5 % of the steepest. The share is that of Laguna et al. 1994 and Martinez et al.
  2004, who stop at 5 to 10 %.
- P and T are sought with the QRS complex cut out and bridged, as the extremum of the signal less
  its own moving mean over about two widths of the wave, so that neither a slope nor an ST level
  counts. Among several, nearness to where the wave is expected decides.
- A wave ends where a trapezium, spanned from its steepest point to a point surely beyond the end,
  has its largest area: no threshold and no level is needed (Vazquez-Seisdedos et al. 2011).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, uniform_filter1d

from dsp.arrays import Floats, Places

QRS_SMOOTHING_S = 0.016  # the slopes of a QRS reach to about 40 Hz
SLOPE_SMOOTHING_S = 0.028  # so that the turn at an R peak leaves no hole
SLOPE_SHARE = 0.047
CORE_SHARE = 0.25
CORE_GAP_S, EDGE_GAP_S = 0.06, 0.02
QUIET_FACTOR = 2.0  # a slope of noise is not of the QRS
BEFORE_R_S, AFTER_R_S = 0.12, 0.16  # a QRS reaches no further than this from its R peak
MEASURED_S = 0.004  # half the stretch from which a level is read


@dataclass(frozen=True, slots=True)
class Shape:
    """What sets one kind of wave apart, in seconds; `negative` weighs a downward one."""

    smoothing_s: float
    blur_s: float
    width_s: float  # of the moving mean, about twice the wave's own
    reach_s: float  # from the rough to the true peak
    steep_s: float  # the steepest point of a flank lies within this of the peak
    before_s: float  # what lies so far before or after the peak is beyond the wave
    after_s: float
    negative: float
    coherence: float  # least size over scatter from beat to beat
    own_share: float  # of the usual size that a beat must show itself


# The dip between P and Q (atrial repolarisation) looks like a wave: it must be clearly the larger.
P_WAVE = Shape(0.03, 0.03, 0.12, 0.03, 0.06, 0.09, 0.065, 0.75, 1.0, 0.25)
T_WAVE = Shape(0.04, 0.06, 0.28, 0.05, 0.12, 0.13, 0.125, 1.0, 0.3, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Columns in which the peak of a wave may lie, and where it is expected, one each per row."""

    first: Places
    last: Places
    expected: Floats
    spread: Floats


def smoothed(rows: Floats, width: float) -> Floats:
    """Return the last axis smoothed with a Hann window of `width` samples."""
    taps = np.hanning((max(1, int(width)) | 1) + 2)[1:-1]
    return np.asarray(convolve1d(rows, taps / taps.sum(), axis=-1, mode="nearest"))


def contrast(smooth: Floats, fs: float, shape: Shape) -> Floats:
    """Return how far each sample stands out from its surroundings, at the scale of a wave."""
    surroundings = uniform_filter1d(
        smooth, max(3, round(shape.width_s * fs)), axis=-1, mode="nearest"
    )
    return np.asarray(smoothed(smooth, shape.blur_s * fs) - surroundings)


def contrast_at(rows: Floats, columns: Places, fs: float, shape: Shape) -> Floats:
    """Return what `contrast` of the smoothed rows is at one column of each."""
    taps = np.zeros(2 * round((shape.width_s + shape.blur_s + shape.smoothing_s) * fs / 2) + 1)
    taps[taps.size // 2] = 1.0
    taps = contrast(smoothed(taps, shape.smoothing_s * fs), fs, shape)
    places = columns[..., np.newaxis] + np.arange(taps.size) - taps.size // 2
    inside = np.clip(places, 0, rows.shape[-1] - 1)
    return np.asarray(np.take_along_axis(rows, inside, axis=-1) @ taps)


def qrs_bounds(rows: Floats, centre: int, fs: float) -> tuple[Places, Places]:
    """Return the first and the last column of each QRS complex."""

    def columns(begin_s: float, end_s: float) -> slice:
        return slice(max(0, centre + round(begin_s * fs)), centre + round(end_s * fs) + 1)

    slope = np.abs(np.gradient(smoothed(rows, QRS_SMOOTHING_S * fs), axis=-1))
    slope = smoothed(slope, SLOPE_SMOOTHING_S * fs)
    steepest = slope[..., columns(-0.08, 0.08)].max(axis=-1, keepdims=True)
    # A third of what lies before and after is quiet even when a P wave or an ST slope is in it.
    before = np.quantile(slope[..., columns(-0.15, -0.05)], 0.3, axis=-1, keepdims=True)
    after = np.quantile(slope[..., columns(0.08, 0.2)], 0.3, axis=-1, keepdims=True)
    seen = columns(-BEFORE_R_S, AFTER_R_S)
    slope, middle = slope[..., seen], centre - seen.start
    core, core_gap = slope > CORE_SHARE * steepest, round(CORE_GAP_S * fs)
    edge_gap = max(1, round(EDGE_GAP_S * fs))
    start = np.full(rows.shape[:-1], middle)
    onset = _reached(core, start, core_gap)
    onset = _reached(
        slope > np.maximum(SLOPE_SHARE * steepest, QUIET_FACTOR * before), onset, edge_gap
    )
    last = slope.shape[-1] - 1
    offset = _reached(core[..., ::-1], last - start, core_gap)
    steep = slope > np.maximum(SLOPE_SHARE * steepest, QUIET_FACTOR * after)
    offset = last - _reached(steep[..., ::-1], offset, edge_gap)
    return onset + seen.start, offset + seen.start


def _reached(marked: NDArray[np.bool_], start: Places, gap: int) -> Places:
    """Return how far left the marks go from `start` without `gap` unmarked columns in a row."""
    places = np.arange(marked.shape[-1])
    marked = (marked & (places < start[..., np.newaxis])) | (places == start[..., np.newaxis])
    count = np.cumsum(marked, axis=-1)
    before = np.zeros_like(count)
    before[..., 1:] = count[..., :-1]
    earlier = np.zeros_like(count)
    earlier[..., gap + 1 :] = count[..., : -gap - 1]
    ends = marked & (before == earlier)
    return np.asarray(places[-1] - ends[..., ::-1].argmax(axis=-1), dtype=np.intp)


def bridged(rows: Floats, onset: Places, offset: Places, fs: float) -> Floats:
    """Return the rows with a straight line in place of each QRS complex."""
    places = np.arange(rows.shape[-1])
    smooth = smoothed(rows, 2 * MEASURED_S * fs)
    margin = round(2 * MEASURED_S * fs)
    left, right = _value(smooth, onset - margin), _value(smooth, offset + margin)
    begin, end = onset[..., np.newaxis], offset[..., np.newaxis]
    share = np.clip((places - begin) / np.maximum(1, end - begin), 0, 1)
    line = left[..., np.newaxis] + (right - left)[..., np.newaxis] * share
    return np.where((places >= begin) & (places <= end), line, rows)


def find_peak(stands_out: Floats, region: Region, shape: Shape) -> tuple[Places, Floats]:
    """Return the rough peak of the wave in each row and what it stands out by; -1 where none is."""
    size = np.where(stands_out < 0, -shape.negative * stands_out, stands_out)
    inner = size[..., 1:-1]
    peaks = np.zeros(size.shape, dtype=bool)
    peaks[..., 1:-1] = (inner > size[..., :-2]) & (inner >= size[..., 2:])
    places = np.arange(size.shape[-1])
    peaks &= (places >= region.first[..., np.newaxis]) & (places <= region.last[..., np.newaxis])
    away = (places - region.expected[..., np.newaxis]) / region.spread[..., np.newaxis]
    merit = np.where(peaks, size * np.exp(-0.5 * away**2), 0.0)
    best = merit.argmax(axis=-1)
    height = _value(stands_out, best)
    there = _value(merit, best) > 0
    return np.where(there, best, -1), np.where(there, height, 0.0)


def wave_bounds(
    smooth: Floats,
    rough: Places,
    sign: Floats,
    limits: tuple[Places, Places],
    fs: float,
    shape: Shape,
) -> tuple[Places, Places, Places]:
    """Return onset, peak and offset of waves whose rough peaks are known, within `limits`."""
    upright = smooth * np.where(sign < 0, -1.0, 1.0)[..., np.newaxis]
    first, last = limits
    reach, steep = round(shape.reach_s * fs), round(shape.steep_s * fs)
    peak = _largest(upright, np.maximum(first, rough - reach), np.minimum(last, rough + reach))
    slope = np.gradient(upright, axis=-1)
    beyond = np.minimum(last, peak + round(shape.after_s * fs))
    flank = _largest(-slope, peak, np.minimum(beyond, peak + steep))
    offset = _corner(upright, flank, beyond)
    beyond = np.maximum(first, peak - round(shape.before_s * fs))
    flank = _largest(slope, np.maximum(beyond, peak - steep), peak)
    return _corner(upright, flank, beyond), peak, offset


def _corner(rows: Floats, flank: Places, beyond: Places) -> Places:
    """Return where the trapezium from the flank of an upright wave to `beyond` is largest."""
    places = np.arange(rows.shape[-1])
    fall = _value(rows, flank)[..., np.newaxis] - rows
    base = np.abs(2 * beyond[..., np.newaxis] - places - flank[..., np.newaxis])
    return _largest(fall * base, np.minimum(flank, beyond), np.maximum(flank, beyond))


def _largest(rows: Floats, first: Places, last: Places) -> Places:
    """Return the column of the largest value from `first` to `last`, both included."""
    places = np.arange(rows.shape[-1])
    inside = (places >= first[..., np.newaxis]) & (places <= last[..., np.newaxis])
    return np.asarray(np.where(inside, rows, -np.inf).argmax(axis=-1), dtype=np.intp)


def _value(rows: Floats, column: Places) -> Floats:
    """Return one value of each row, that at the end for a column outside."""
    inside = np.clip(column, 0, rows.shape[-1] - 1)[..., np.newaxis]
    return np.take_along_axis(rows, inside, axis=-1)[..., 0]
