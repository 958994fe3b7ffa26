"""Which candidates are beats: rules on sparse candidates, each with a finite past and future.

A candidate that is high and stands out of what surrounds it, the one making up for the other, and
is not the T wave of the beat before it is *clear*. What is lower than its neighbours and splits a
regular interval is dropped; what is weaker but fills a gap in the rhythm is taken. Clear beats rest
on the past alone; only the doubtful ones wait, for the next clear beat or for `LOOK_AHEAD_S`.

Here the rules are applied to all candidates of a recording at once. `dsp.qrs_live` applies them to
one candidate after another, in the same arithmetic.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import Floats, Places, windows_at

# Height above the quiet level, as a share of a usual beat's, times contrast: a low beat must stand
# out the more, a tall one need not. A usual beat has 10 and more.
EVIDENCE = 0.8
SHARE = 1 / 6  # of the height of a usual beat: only the rhythm makes a beat of what is lower
CONTRAST = 2.2  # half the maxima of white noise stand 2.0 out of their surroundings
WEAK_EVIDENCE = 0.25  # a third of it when searching back; Pan & Tompkins 1985 have half
WEAK_CONTRAST = 1.7
WEAK_SHARE = 0.125  # of the height of a usual beat: no beat is lower (the same)
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
# Of two weak candidates so near in one gap the higher one is taken: the look-ahead shows all.
GAP_REACH_S = LOOK_AHEAD_S - T_WAVE_S


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Envelope maxima in time order, a column each, of rows as the properties name them.

    All exceed what a weak beat has to, in height and in contrast.
    """

    rows: Floats

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
    def above(self) -> Floats:
        """Height above what the envelope usually is between beats."""
        return self._row(4)

    @property
    def swing(self) -> Floats:
        """The same of a usual beat."""
        return self._row(5)

    def _row(self, nth: int) -> Floats:
        row: Floats = self.rows[nth]
        return row


def decide(candidates: Candidates, rate: float) -> NDArray[np.bool_]:
    """Say which candidates of a recording, at `rate` working samples per second, are beats."""
    t, height = candidates.at / rate, candidates.height
    above, swing, contrast = candidates.above, candidates.swing, candidates.contrast
    strong = (above * contrast >= EVIDENCE * swing) & (above >= SHARE * swing)
    strong &= contrast >= CONTRAST
    clear = strong & ~_t_waves(strong, t, candidates)

    before, height_before = _last(clear, t, height)
    found, height_after = _next(clear, t, height)
    after = np.minimum(found, t + LOOK_AHEAD_S)
    usual = _usual_interval(clear, t)
    low = clear & (height < SPLIT_SHARE * height_before) & (t - before < SPLIT_RR * usual)
    splits = low & (height < SPLIT_SHARE * height_after) & (after - before < SPLIT_RR * usual)
    weak = ~clear & (t - before > T_WAVE_S) & ~np.isnan(usual)
    missed = weak & (after - before > GAP_RR * usual) & (after - t > T_WAVE_S)
    fills = _dominant(missed, np.cumsum(clear), t, height, np.minimum(usual / 2, GAP_REACH_S))
    return (clear & ~splits) | fills


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
    weak: NDArray[np.bool_], gap: Places, t: Floats, height: Floats, reach: Floats
) -> NDArray[np.bool_]:
    """Say which weak candidates are the highest of their gap within `reach` seconds."""
    rows = np.flatnonzero(weak)
    stands = np.ones(rows.size, dtype=bool)
    where, when, tall, near = gap[rows], t[rows], height[rows], reach[rows]
    for apart in range(1, rows.size):
        distance = when[apart:] - when[:-apart]
        together = where[apart:] == where[:-apart]
        if not (together & (distance <= GAP_REACH_S)).any():
            break
        later_wins = tall[apart:] > tall[:-apart]
        stands[:-apart] &= ~(together & later_wins & (distance <= near[:-apart]))
        stands[apart:] &= ~(together & ~later_wins & (distance <= near[apart:]))
    dominant = np.zeros(t.size, dtype=bool)
    dominant[rows[stands]] = True
    return dominant
