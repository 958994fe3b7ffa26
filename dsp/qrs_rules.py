"""Which candidates are beats: rules on sparse candidates, each with a finite past and future.

A candidate that is high enough, stands out of what surrounds it and is not the T wave of the beat
before it is *clear*. What is
lower than its neighbours and splits a regular interval is dropped; what is weaker than the
threshold but fills a gap in the rhythm is taken. Clear beats rest on the past alone and are settled
at once; only the doubtful ones wait for `LOOK_AHEAD_S`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import Floats, Places, windows_at

THRESHOLD = 0.25  # of the way from the quiet level to the peak level (Pan & Tompkins 1985)
WEAK_THRESHOLD = 0.125  # half of it when searching back (the same)
CONTRAST = 2.5  # white noise stands 1.9 out of its surroundings, muscle noise seldom 2.5
WEAK_CONTRAST = 1.7
T_WAVE_S = 0.36  # a T wave peaks within this of its QRS ...
T_WAVE_SHARE = 0.5  # ... and is less than half as high or bends less than half as fast (the same)
SPLIT_SHARE = 0.6  # a beat lower than this share of both neighbours ...
SPLIT_RR = 1.25  # ... between which no more than this many intervals fit is not one
GAP_RR = 1.6  # a beat is missed after this many intervals (1.66 in Pan & Tompkins 1985)
RR_COUNT = 8  # intervals that make the usual one (the same)
RR_LEAST = 3
LONGEST_RR_S = 3.0  # 20 a minute; longer is a gap, not an interval
RR_MEMORY_S = RR_COUNT * LONGEST_RR_S
STALE_S = 2 * LONGEST_RR_S  # so long after the last clear beat its rhythm still counts
LOOK_AHEAD_S = 1.0
MEMORY_S = RR_MEMORY_S + STALE_S + LONGEST_RR_S  # nothing older has a say in a decision


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Envelope maxima in time order, a column each, of rows as the properties name them."""

    rows: Floats

    @classmethod
    def none(cls) -> "Candidates":
        """Return no candidates."""
        return cls(np.empty((6, 0)))

    @classmethod
    def of(cls, at: Places, *rows: Floats) -> "Candidates":
        """Return the candidates at these envelope samples that could ever become beats."""
        every = cls(np.stack([at, *rows]))
        return cls(every.rows[:, _exceeds(every, WEAK_THRESHOLD, WEAK_CONTRAST)])

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.rows[0])

    @property
    def at(self) -> Floats:
        """Envelope samples, whole numbers."""
        return self._row(0)

    @property
    def height(self) -> Floats:
        """Height of the envelope."""
        return self._row(1)

    @property
    def steep(self) -> Floats:
        """Steepness near the maximum."""
        return self._row(2)

    @property
    def contrast(self) -> Floats:
        """Height as a multiple of what surrounds the candidate."""
        return self._row(3)

    @property
    def peak(self) -> Floats:
        """Height that beats usually have here."""
        return self._row(4)

    @property
    def quiet(self) -> Floats:
        """Height of the envelope between beats, no more than `peak`."""
        return np.minimum(self._row(5), self._row(4))

    def _row(self, nth: int) -> Floats:
        row: Floats = self.rows[nth]
        return row

    def __add__(self, more: "Candidates") -> "Candidates":
        return Candidates(np.concatenate([self.rows, more.rows], axis=1))

    def since(self, first: int) -> "Candidates":
        """Return the candidates from position `first` on."""
        return Candidates(self.rows[:, first:].copy())


def decide(
    candidates: Candidates, rate: float, known_to: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which candidates are beats, and which of these answers no future can change.

    Parameters
    ----------
    candidates
        All of the last `MEMORY_S` before the first one of interest.
    rate
        Working samples per second.
    known_to
        Working sample up to which the candidates are complete; infinity at the end of the signal.
    """
    t, height = candidates.at / rate, candidates.height
    strong = _exceeds(candidates, THRESHOLD, CONTRAST)
    clear = strong & ~_t_waves(strong, t, candidates)

    before, height_before = _last(clear, t, height)
    found, height_after = _next(clear, t, height)
    after = np.minimum(found, t + LOOK_AHEAD_S)
    usual = _usual_interval(clear, t)
    low = clear & (height < SPLIT_SHARE * height_before) & (t - before < SPLIT_RR * usual)
    splits = low & (height < SPLIT_SHARE * height_after) & (after - before < SPLIT_RR * usual)
    weak = ~clear & (t - before > T_WAVE_S) & ~np.isnan(usual)
    missed = weak & (after - before > GAP_RR * usual) & (after - t > T_WAVE_S)
    fills = _dominant(missed, t, height, np.minimum(usual / 2, LOOK_AHEAD_S))
    doubtful = np.where(np.isfinite(found), missed, low | weak)
    settled = ~doubtful | (t + LOOK_AHEAD_S <= known_to / rate)
    return (clear & ~splits) | fills, settled


def _exceeds(candidates: Candidates, threshold: float, contrast: float) -> NDArray[np.bool_]:
    """Say which candidates are so much of a beat's height and stand out so much."""
    level = candidates.quiet + threshold * (candidates.peak - candidates.quiet)
    high: NDArray[np.bool_] = (candidates.height >= level) & (candidates.contrast >= contrast)
    return high


def _t_waves(strong: NDArray[np.bool_], t: Floats, candidates: Candidates) -> NDArray[np.bool_]:
    """Say which candidates are the T wave of the strong one before them."""
    before, height_before = _last(strong, t, candidates.height)
    _, steep_before = _last(strong, t, candidates.steep)
    lower = candidates.height < T_WAVE_SHARE * height_before
    duller = candidates.steep < T_WAVE_SHARE * steep_before
    waves: NDArray[np.bool_] = (t - before < T_WAVE_S) & (lower | duller)
    return waves


def _last(marked: NDArray[np.bool_], t: Floats, height: Floats) -> tuple[Floats, Floats]:
    """Return time and height of the last marked candidate before each, -inf and 0 without one."""
    at = np.maximum.accumulate(np.where(marked, np.arange(t.size), -1))
    at = np.concatenate([[-1], at[:-1]])[: t.size]
    near = (at >= 0) & (t - t[at] <= LONGEST_RR_S)
    return np.where(near, t[at], -np.inf), np.where(near, height[at], 0.0)


def _next(marked: NDArray[np.bool_], t: Floats, height: Floats) -> tuple[Floats, Floats]:
    """Return time and height of the next marked candidate within the look-ahead, inf and 0."""
    n = t.size
    at = np.minimum.accumulate(np.where(marked, np.arange(n), n)[::-1])[::-1]
    at = np.concatenate([at[1:], [n]])[:n]
    inside = np.minimum(at, n - 1)
    near = (at < n) & (t[inside] - t <= LOOK_AHEAD_S)
    return np.where(near, t[inside], np.inf), np.where(near, height[inside], 0.0)


def _usual_interval(clear: NDArray[np.bool_], t: Floats) -> Floats:
    """Return for each candidate the median of the last intervals between clear beats before it.

    NaN, with which every comparison fails, where fewer than `RR_LEAST` are known.
    """
    beats = t[clear]
    if beats.size <= RR_LEAST:
        return np.full(t.size, np.nan)
    intervals = np.full(beats.size + RR_COUNT - 1, np.nan)
    intervals[RR_COUNT:] = np.diff(beats)
    intervals[intervals > LONGEST_RR_S] = np.nan
    rows = np.arange(beats.size)
    windows = windows_at(intervals, rows, RR_COUNT)
    begins = np.full(beats.size + RR_COUNT - 1, -np.inf)
    begins[RR_COUNT:] = beats[:-1]
    old = windows_at(begins, rows, RR_COUNT) < (beats - RR_MEMORY_S)[:, None]
    windows[old] = np.nan
    ordered = np.sort(windows, axis=1)
    present = RR_COUNT - np.isnan(ordered).sum(axis=1)
    usual = ordered[np.arange(beats.size), np.maximum(present - 1, 0) // 2]
    usual[present < RR_LEAST] = np.nan
    last = np.cumsum(clear) - clear - 1  # the clear beat before each candidate
    fresh = (last >= 0) & (t - beats[last] <= STALE_S)
    return np.where(fresh, usual[last], np.nan)


def _dominant(
    weak: NDArray[np.bool_], t: Floats, height: Floats, reach: Floats
) -> NDArray[np.bool_]:
    """Say which weak candidates are the highest weak ones within `reach` seconds of themselves."""
    rows = np.flatnonzero(weak)
    stands = np.ones(rows.size, dtype=bool)
    when, tall, near = t[rows], height[rows], reach[rows]
    for apart in range(1, rows.size):
        distance = when[apart:] - when[:-apart]
        if not (distance <= LOOK_AHEAD_S).any():
            break
        later_wins = tall[apart:] > tall[:-apart]
        stands[:-apart] &= ~(later_wins & (distance <= near[:-apart]))
        stands[apart:] &= ~(~later_wins & (distance <= near[apart:]))
    dominant = np.zeros(t.size, dtype=bool)
    dominant[rows[stands]] = True
    return dominant
