"""Where in its complex a beat is marked: on the highest or the lowest sample of the raw lead.

Which of the two follows the lead's habit. A complex with an R and an S of nearly one size would
otherwise be marked now on the one and now on the other, tens of milliseconds apart, and every such
jump would look like a change of the rhythm. The habit is of the last beats, whatever was chosen
there, so it is a function of a finite past; and it turns with the lead when that is inverted.

`place` does it for all beats of a recording, `LivePlacing` for one after another, in the same
arithmetic.
"""

import math
from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import Floats, Places, windows_at

PEAK_REACH_S = 0.06  # an R or S peak lies within this of the middle of its complex
HABIT = 8  # beats, the present one included
EARLIER = 0.15  # share by which the later of two extrema must be the larger one to be the habit
DOMINANT = 1.5  # times the other: so much larger an extremum is taken against the habit


def reach(fs: float) -> int:
    """Return how many samples from the middle of its complex an extremum may lie."""
    return round(PEAK_REACH_S * fs)


def place(raw: Floats, centres: Places, usable: NDArray[np.bool_], half: int) -> Places:
    """Return the sample of each beat that has one, in the first lead usable and whole there.

    `raw` is (leads, n); `centres` are columns of it; `usable` is (leads, beats).
    """
    lead = np.full(centres.size, -1, dtype=np.intp)
    width = 2 * half + 1
    windows = windows_at(raw[0], centres - half, width)
    for nth in range(len(raw)):
        open_ = np.flatnonzero(usable[nth] & (lead < 0))
        if nth and open_.size:
            windows[open_] = windows_at(raw[nth], centres[open_] - half, width)
        whole = ~np.isnan(windows[open_].sum(axis=1))
        lead[open_[whole]] = nth
    placed = np.flatnonzero(lead >= 0)
    if placed.size < lead.size:
        windows, lead = windows[placed], lead[placed]
    return centres[placed] - half + _choose(windows, lead)


def _choose(windows: Floats, lead: Places) -> Places:
    """Return per window the position of the extremum to mark."""
    rows = np.arange(len(windows))
    highest, lowest = windows.argmax(axis=1), windows.argmin(axis=1)
    begin, end = windows[:, 0], windows[:, -1]
    top, bottom = windows[rows, highest], windows[rows, lowest]
    above, below = (top - begin) + (top - end), (begin - bottom) + (end - bottom)
    lean = (above - below) / np.maximum(above, below)
    lean += np.where(highest < lowest, EARLIER, -EARLIER)
    habit = _habit(np.where(np.isnan(lean), 0.0, lean), lead)
    upright = np.where(habit < 0, above > DOMINANT * below, above * DOMINANT >= below)
    chosen: Places = np.where(upright, highest, lowest)
    undecided = (habit == 0) & (above == below)
    return np.where(undecided, np.minimum(highest, lowest), chosen)


def _habit(lean: Floats, lead: Places) -> Floats:
    """Return for each beat how far the last ones in the same lead lean up (1) or down (-1)."""
    habit = lean.copy()
    for back in range(1, min(HABIT, lean.size)):
        habit[back:] += np.where(lead[:-back] == lead[back:], lean[:-back], 0.0)
    return habit


class LivePlacing:
    """Place beats one after another; remembers what the last of them looked like."""

    def __init__(self, fs: float) -> None:
        self.half = reach(fs)
        self._last: deque[tuple[int, float]] = deque(
            maxlen=HABIT - 1
        )  # lead and lean, newest first

    def place(self, raw: Floats, centre: int, usable: Iterable[int]) -> int | None:
        """Return the column of this beat in the first lead usable and whole there, None if none."""
        begin = centre - self.half
        for lead in usable:
            window = raw[lead, begin : centre + self.half + 1]
            if not math.isnan(window.sum()):
                return begin + self._choose(window, lead)
        return None

    def _choose(self, window: Floats, lead: int) -> int:
        highest, lowest = int(window.argmax()), int(window.argmin())
        begin, end = float(window[0]), float(window[-1])
        top, bottom = float(window[highest]), float(window[lowest])
        above, below = (top - begin) + (top - end), (begin - bottom) + (end - bottom)
        larger = max(above, below)
        lean = (above - below) / larger if larger > 0 else 0.0
        if larger > 0:
            lean += EARLIER if highest < lowest else -EARLIER
        habit = lean
        for where, leaned in self._last:
            habit += leaned if where == lead else 0.0
        self._last.appendleft((lead, lean))
        if habit == 0 and above == below:
            return min(highest, lowest)
        upright = above > DOMINANT * below if habit < 0 else above * DOMINANT >= below
        return highest if upright else lowest
