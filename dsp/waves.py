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
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, uniform_filter1d

from dsp.arrays import Floats, Places

QRS_SMOOTHING_S = 0.016  # the slopes of a QRS reach to about 40 Hz
SLOPE_SMOOTHING_S = 0.028  # so that the turn at an R peak leaves no hole
SLOPE_SHARE = 0.047
CORE_SHARE = 0.25
CORE_GAP_S, EDGE_GAP_S = 0.06, 0.02
QUIET_FACTOR = 2.5  # a slope of noise is not of the QRS
# On what is left of the flank, experts set the onset so much before and the end so much before what
# is found by slope (LUDB and QTDB agree on it to a millisecond).
SLOPE_LATE_S = 0.003
BEFORE_R_S, AFTER_R_S = 0.12, 0.16  # a QRS reaches no further than this from its R peak
QUIET_TO_S = 0.2  # what follows it is seen up to here
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
P_WAVE = Shape(0.03, 0.03, 0.12, 0.03, 0.06, 0.09, 0.065, 0.75, 1.0, 0.4)
# Of the two halves of a biphasic T wave the upright one is oftener the larger in full.
T_WAVE = Shape(0.04, 0.06, 0.32, 0.05, 0.12, 0.13, 0.12, 0.9, 0.3, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """First and last column in which the peak of a wave may lie, of each row."""

    first: Places
    last: Places


@lru_cache(maxsize=64)
def _hann(taps: int) -> Floats:
    """Return a Hann window of so many taps, without its zeros, of sum 1."""
    window = np.hanning(taps + 2)[1:-1]
    window /= window.sum()
    window.setflags(write=False)
    return window


def smoothed(rows: Floats, width: float) -> Floats:
    """Return the last axis smoothed with a Hann window of `width` samples."""
    return np.asarray(convolve1d(rows, _hann(max(1, int(width)) | 1), axis=-1, mode="nearest"))


def thinned(rows: Floats, step: int) -> Floats:
    """Return every `step`-th column, each the Hann mean of what lies nearer to it than the next."""
    if step == 1:
        return rows
    weights = _hann(2 * step - 1)[step - 1 :].tolist()
    thin: Floats = weights[0] * rows[..., ::step]
    for away, weight in enumerate(weights[1:], 1):
        later = rows[..., away::step]
        thin[..., : later.shape[-1]] += weight * later
        thin[..., later.shape[-1] :] += weight * rows[..., -1:]
        thin[..., 1:] += weight * rows[..., step - away :: step][..., : thin.shape[-1] - 1]
        thin[..., 0] += weight * rows[..., 0]
    return thin


def contrast(smooth: Floats, fs: float, shape: Shape) -> Floats:
    """Return how far each sample stands out from its surroundings, at the scale of a wave."""
    surroundings = uniform_filter1d(
        smooth, max(3, round(shape.width_s * fs)), axis=-1, mode="nearest"
    )
    return np.asarray(smoothed(smooth, shape.blur_s * fs) - surroundings)


def contrast_at(rows: Floats, columns: Places, fs: float, shape: Shape) -> Floats:
    """Return what `contrast` of the smoothed rows is at one column of each."""
    taps = _contrast_taps(fs, shape)
    return np.asarray(_picked(rows, columns, np.arange(taps.size) - taps.size // 2) @ taps)


@lru_cache(maxsize=16)
def _contrast_taps(fs: float, shape: Shape) -> Floats:
    taps = np.zeros(2 * round((shape.width_s + shape.blur_s + shape.smoothing_s) * fs / 2) + 1)
    taps[taps.size // 2] = 1.0
    taps = contrast(smoothed(taps, shape.smoothing_s * fs), fs, shape)
    taps.setflags(write=False)
    return taps


def qrs_bounds(rows: Floats, centre: int, fs: float) -> tuple[Places, Places]:
    """Return the first and the last column of each QRS complex.

    Columns further than `BEFORE_R_S` before and `QUIET_TO_S` after `centre` count for little.
    """

    def columns(begin_s: float, end_s: float) -> slice:
        return slice(max(0, centre + round(begin_s * fs)), centre + round(end_s * fs) + 1)

    slope = np.abs(gradient(smoothed(rows, QRS_SMOOTHING_S * fs)))
    slope = smoothed(slope, SLOPE_SMOOTHING_S * fs)
    steepest = slope[..., columns(-0.08, 0.08)].max(axis=-1, keepdims=True)
    # A third of what lies before and after is quiet even when a P wave or an ST slope is in it.
    before = _low(slope[..., columns(-0.15, -0.05)])
    after = _low(slope[..., columns(0.08, QUIET_TO_S)])
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
    late = round(SLOPE_LATE_S * fs)
    onset = np.maximum(onset - late, 0) + seen.start
    return onset, np.maximum(offset - late, middle) + seen.start


def gradient(rows: Floats) -> Floats:
    """Return central differences along the last axis, one-sided ones at its ends."""
    slope = np.empty_like(rows)
    np.subtract(rows[..., 2:], rows[..., :-2], out=slope[..., 1:-1])
    slope[..., 1:-1] *= 0.5
    slope[..., 0] = rows[..., 1] - rows[..., 0]
    slope[..., -1] = rows[..., -1] - rows[..., -2]
    return slope


def _low(slope: Floats) -> Floats:
    """Return of each row the value that three tenths lie below, (..., 1)."""
    rank = round(0.3 * (slope.shape[-1] - 1))
    return np.partition(slope, rank, axis=-1)[..., rank : rank + 1]


def _reached(marked: NDArray[np.bool_], start: Places, gap: int) -> Places:
    """Return how far left the marks go from `start` without `gap` unmarked columns in a row."""
    places = np.arange(marked.shape[-1])
    marked = (marked & (places < start[..., np.newaxis])) | (places == start[..., np.newaxis])
    count = np.cumsum(marked, axis=-1, dtype=np.int32)
    ends = marked.copy()  # marks before which there is none for so long
    ends[..., gap + 1 :] &= count[..., gap:-1] == count[..., : -gap - 1]
    ends[..., 1 : gap + 1] &= count[..., :gap] == 0
    return np.asarray(places[-1] - ends[..., ::-1].argmax(axis=-1), dtype=np.intp)


def bridged(rows: Floats, onset: Places, offset: Places, fs: float) -> Floats:
    """Return the rows with a straight line in place of each QRS complex."""
    margin = round(2 * MEASURED_S * fs)
    left, right = (_around(rows, at, fs) for at in (onset - margin, offset + margin))
    first, last = max(0, int(onset.min())), min(rows.shape[-1], int(offset.max()) + 1)
    places, begin, end = np.arange(first, last), onset[..., np.newaxis], offset[..., np.newaxis]
    share = (places - begin) / np.maximum(1, end - begin)
    line = left[..., np.newaxis] + (right - left)[..., np.newaxis] * share
    bare = rows.copy()
    np.copyto(bare[..., first:last], line, where=(share >= 0) & (share <= 1))
    return bare


def _around(rows: Floats, column: Places, fs: float) -> Floats:
    """Return the smoothed value of each row at one column."""
    taps = _hann(max(1, int(2 * MEASURED_S * fs)) | 1)
    return np.asarray(_picked(rows, column, np.arange(taps.size) - taps.size // 2) @ taps)


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """All local extrema of rows that stand out: how far, and how much each counts."""

    stands_out: Floats
    weight: Floats  # 0 where there is no extremum

    @classmethod
    def of(cls, stands_out: Floats, region: Region, shape: Shape) -> "Peaks":
        """Find those whose column lies in the region."""
        size = np.where(stands_out < 0, -shape.negative * stands_out, stands_out)
        places = np.arange(size.shape[-1])
        counted = np.zeros(size.shape, dtype=bool)
        inner = size[..., 1:-1]
        counted[..., 1:-1] = (inner > size[..., :-2]) & (inner >= size[..., 2:])
        counted &= places >= region.first[..., np.newaxis]
        counted &= places <= region.last[..., np.newaxis]
        return cls(stands_out, np.where(counted, size, 0.0))

    def best(self, expected: Floats, spread: Floats) -> tuple[Places, Floats]:
        """Return of each row the column of the one that counts most, -1 for none, and its size."""
        counted = np.nonzero(self.weight)
        rows = counted[:-1]
        away = (counted[-1] - expected[rows]) / spread[rows]
        merit = np.zeros(self.weight.shape)
        merit[counted] = self.weight[counted] * np.exp(-0.5 * away**2)
        best = merit.argmax(axis=-1)
        there = value_at(merit, best) > 0
        return np.where(there, best, -1), np.where(there, value_at(self.stands_out, best), 0.0)


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
    slope = gradient(upright)
    beyond = np.minimum(last, peak + round(shape.after_s * fs))
    flank = _largest(-slope, peak, np.minimum(beyond, peak + steep))
    offset = _corner(upright, flank, beyond)
    beyond = np.maximum(first, peak - round(shape.before_s * fs))
    flank = _largest(slope, np.maximum(beyond, peak - steep), peak)
    return _corner(upright, flank, beyond), peak, offset


def _corner(rows: Floats, flank: Places, beyond: Places) -> Places:
    """Return where the trapezium from the flank of an upright wave to `beyond` is largest."""
    places = np.arange(rows.shape[-1])
    fall = value_at(rows, flank)[..., np.newaxis] - rows
    base = np.abs((2 * beyond - flank)[..., np.newaxis] - places)
    return _largest(fall * base, np.minimum(flank, beyond), np.maximum(flank, beyond))


def _largest(rows: Floats, first: Places, last: Places) -> Places:
    """Return the column of the largest value from `first` to `last`, both included."""
    places = np.arange(rows.shape[-1])
    inside = (places >= first[..., np.newaxis]) & (places <= last[..., np.newaxis])
    return np.asarray(np.where(inside, rows, -np.inf).argmax(axis=-1), dtype=np.intp)


def value_at(rows: Floats, column: Places) -> Floats:
    """Return one value of each row, that at the end for a column outside."""
    flat = rows.reshape(-1, rows.shape[-1])
    inside = np.minimum(np.maximum(column.ravel(), 0), flat.shape[1] - 1)
    found: Floats = flat[np.arange(len(flat)), inside]
    return found.reshape(column.shape)


def _picked(rows: Floats, column: Places, around: Places) -> Floats:
    """Return the values of each row around its column, (..., around)."""
    flat = rows.reshape(-1, rows.shape[-1])
    places = column.reshape(-1, 1) + around
    places = np.minimum(np.maximum(places, 0), flat.shape[1] - 1)
    found: Floats = flat[np.arange(len(flat))[:, np.newaxis], places]
    return found.reshape(*column.shape, around.size)
