"""Where in its complex a beat is marked: on the highest or the lowest sample of the raw lead.

Which of the two follows the lead's habit. A complex with an R and an S of nearly one size would
otherwise be marked now on the one and now on the other, tens of milliseconds apart, and every such
jump would look like a change of the rhythm. The habit is of the last beats, whatever was chosen
there, so it is a function of a finite past; and it turns with the lead when that is inverted.
"""

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import Floats, Places, windows_at

PEAK_REACH_S = 0.06  # an R or S peak lies within this of the middle of its complex
HABIT = 8  # beats, the present one included
EARLIER = 0.15  # share by which the later of two extrema must be the larger one to be the habit
DOMINANT = 1.3  # times the other: so much larger an extremum is taken against the habit


class Placing:
    """Place beats one after another; remembers what the last of them looked like."""

    def __init__(self, leads: int, fs: float) -> None:
        self.half = round(PEAK_REACH_S * fs)
        self._leads = leads
        self._lean = np.zeros(HABIT - 1)  # of the last beats: 1 all upright, -1 all inverted
        self._lead = np.full(HABIT - 1, -1, dtype=np.intp)

    def push(self, raw: Floats, centres: Places, usable: NDArray[np.bool_]) -> Places:
        """Return the sample of each beat that has one, in the first lead usable and whole there.

        `raw` is (leads, n); `centres` are columns of it; `usable` is (leads, beats).
        """
        lead = np.full(centres.size, -1, dtype=np.intp)
        width = 2 * self.half + 1
        windows = windows_at(raw[0], centres - self.half, width)
        for nth in range(self._leads):
            open_ = np.flatnonzero(usable[nth] & (lead < 0))
            if nth and open_.size:
                windows[open_] = windows_at(raw[nth], centres[open_] - self.half, width)
            whole = ~np.isnan(windows[open_].sum(axis=1))
            lead[open_[whole]] = nth
        placed = np.flatnonzero(lead >= 0)
        if placed.size < lead.size:
            windows, lead = windows[placed], lead[placed]
        return centres[placed] - self.half + self._choose(windows, lead)

    def _choose(self, windows: Floats, lead: Places) -> Places:
        """Return per window the position of the extremum to mark, and remember the windows."""
        rows = np.arange(len(windows))
        highest, lowest = windows.argmax(axis=1), windows.argmin(axis=1)
        begin, end = windows[:, 0], windows[:, -1]
        top, bottom = windows[rows, highest], windows[rows, lowest]
        above, below = (top - begin) + (top - end), (begin - bottom) + (end - bottom)
        lean = (above - below) / np.maximum(above, below)
        lean += np.where(highest < lowest, EARLIER, -EARLIER)
        habit = self._habit(np.where(np.isnan(lean), 0.0, lean), lead)
        upright = np.where(habit < 0, above > DOMINANT * below, above * DOMINANT >= below)
        chosen: Places = np.where(upright, highest, lowest)
        undecided = (habit == 0) & (above == below)
        return np.where(undecided, np.minimum(highest, lowest), chosen)

    def _habit(self, lean: Floats, lead: Places) -> Floats:
        """Return for each beat how far the last ones in the same lead lean up or down."""
        leans = np.concatenate([self._lean, lean])
        leads = np.concatenate([self._lead, lead])
        self._lean, self._lead = leans[-(HABIT - 1) :], leads[-(HABIT - 1) :]
        habit = lean.copy()
        for back in range(1, HABIT):
            before = slice(HABIT - 1 - back, leans.size - back)
            habit += np.where(leads[before] == lead, leans[before], 0.0)
        return habit
