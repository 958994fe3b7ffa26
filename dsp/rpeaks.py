"""R peaks of an ECG, of a whole recording or as it comes in; both from the same computation.

`RPeakStream` keeps only what later samples can still change and works on blocks of any size;
`find_r_peaks` is that stream given everything at once. The stages: `dsp.qrs` turns each lead into
a slope envelope, finds its maxima and the levels around them; several leads are fused into one
envelope; `dsp.qrs_rules` chooses the beats; here each beat is placed on the extremum of the lead as
it was given.
"""

import numpy as np
from numpy.typing import ArrayLike

from dsp.arrays import Floats, Places, checked_leads, checked_rate
from dsp.qrs import Rates, envelope, maxima, steepness
from dsp.qrs_leads import LeadFusion
from dsp.qrs_levels import RunningLevels
from dsp.qrs_rules import MEMORY_S, Candidates, decide

PEAK_REACH_S = 0.06  # an R or S peak lies within this of the middle of its complex


def find_r_peaks(ecg: ArrayLike, fs: float) -> Places:
    """Find the R peaks (or the dominant S or Q peaks) of a recording.

    The same indices come out for inverted leads, for an offset that adds without rounding, and for
    any gain that is a power of two; unit and scale do not matter. Not for ventricular flutter,
    which has no R peaks, nor for telling pacing spikes from the beats they start.

    Parameters
    ----------
    ecg
        (n,) or (leads, n), real numbers in any unit; NaN, infinity or beyond 1e100 is a gap. Leads
        are fused; one that is flat or noisy counts little or not at all (`ecg_quality` says which).
    fs
        Sampling rate in Hz, 100 to 2000.

    Returns
    -------
    Places
        Sample indices (intp), strictly increasing, each on the extremum within 60 ms of the complex
        in the first usable lead. Empty when there is nothing to find: flat, all gaps, under 1 s.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, or a rate out of range.

    Examples
    --------
    >>> ecg = np.zeros(3600)
    >>> ecg[180::360] = 1.0
    >>> np.diff(find_r_peaks(ecg, 360.0)).tolist() == [360] * 9
    True
    """
    leads = checked_leads(ecg)
    stream = RPeakStream(fs, len(leads))
    return np.concatenate([stream.push(leads), stream.flush()])


class RPeakStream:
    """Find R peaks as samples arrive: whatever the blocks, the indices are those of `find_r_peaks`.

    A beat is out about 0.4 s after its peak, at most about 1.5 s when it is doubtful, and up to 6 s
    at the start and after long gaps, where the levels have to be learnt first. Memory is bounded.

    Parameters
    ----------
    fs
        Sampling rate in Hz, 100 to 2000.
    leads
        Number of leads, at least one.
    """

    def __init__(self, fs: float, leads: int = 1) -> None:
        rate = checked_rate(fs)
        if leads < 1:
            raise ValueError(f"leads: {leads}; give at least one")
        self._rates = Rates.of(rate)
        self._half = round(PEAK_REACH_S * rate)
        self._raw = np.empty((leads, 0))
        self._raw_first = 0  # sample index of the first column
        self._fusion = LeadFusion(self._rates.rate, leads)
        self._picker = _Picker(self._rates)
        self._next_wave = 0  # the envelope sample to be computed next
        self._done = False

    def push(self, block: ArrayLike) -> Places:
        """Take the next samples, (n,) for one lead or (leads, n); return the beats now settled.

        Raises ValueError for another shape, a dtype that is not real numbers, or after `flush`.
        """
        if self._done:
            raise ValueError("push after flush: a stream ends once")
        fresh = checked_leads(block)
        if len(fresh) != len(self._raw):
            raise ValueError(f"ecg: {len(fresh)} leads in a stream of {len(self._raw)}")
        self._raw = np.concatenate([self._raw, fresh], axis=1) if self._raw.size else fresh
        return self._advance(last=False)

    def flush(self) -> Places:
        """Say that no more comes; return the remaining beats, once."""
        if self._done:
            return np.empty(0, dtype=np.intp)
        self._done = True
        return self._advance(last=True)

    def _advance(self, *, last: bool) -> Places:
        """Carry the raw samples through all stages, and drop what no stage needs any more."""
        start = self._next_wave * self._rates.step - self._raw_first
        with np.errstate(all="ignore"):  # gaps are NaN, and a flat lead has no contrast
            each = [envelope(lead[start:], self._rates) for lead in self._raw]
            waves = np.stack(each) if len(each) > 1 else each[0][np.newaxis]
            self._next_wave += waves.shape[2]
            beats = self._picker.push(self._fusion.push(waves, last=last), last=last)
            found = self._place(beats)
        waiting = min(self._picker.oldest, self._next_wave)
        self._fusion.forget(waiting)
        centre = self._rates.to_input(waiting)
        oldest = min(centre - self._half, self._next_wave * self._rates.step)
        drop = min(max(0, oldest - self._raw_first), self._raw.shape[1])
        self._raw = self._raw[:, drop:].copy()  # always: the block is the caller's to reuse
        self._raw_first += drop
        return found

    def _place(self, beats: Places) -> Places:
        """Return the sample of the extremum of each beat in the first lead that counts there."""
        if beats.size == 0:
            return beats
        centres = self._rates.to_input(0) + beats * self._rates.step - self._raw_first
        begins, width = centres - self._half, 2 * self._half + 1
        placed = np.full(beats.size, -1, dtype=np.intp)
        for lead, counts in zip(self._raw, self._fusion.usable(beats), strict=True):
            open_ = np.flatnonzero(counts & (placed < 0))
            windows = np.lib.stride_tricks.sliding_window_view(lead, width)[begins[open_]]
            whole = ~np.isnan(windows).any(axis=1)
            open_, windows = open_[whole], windows[whole]
            placed[open_] = begins[open_] + _extremum(windows)
        return placed[placed >= 0] + self._raw_first


class _Picker:
    """Turn a growing envelope into beats, at envelope samples."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._levels = RunningLevels(rates.rate)
        self._waves = np.empty((2, 0))
        self._wave_first = 0
        self._known = 0  # candidates are complete before this envelope sample
        self._table = Candidates.none()
        self._given = 0  # rows of the table that are decided and given out

    @property
    def oldest(self) -> int:
        """The earliest envelope sample of which something may still be said."""
        undecided = self._table.at[self._given :]
        return int(undecided[0]) if undecided.size else self._known

    def push(self, waves: Floats, *, last: bool) -> Places:
        """Take the next samples of envelope and bend, (2, n); return the beats now settled."""
        self._levels.push(waves[0], last=last)
        self._waves = np.concatenate([self._waves, waves], axis=1) if self._waves.size else waves
        self._add_candidates(last=last)
        if self._given == self._table.at.size:
            return np.empty(0, dtype=np.intp)
        known = np.inf if last else self._known - 1
        beats, settled = decide(self._table, self._rates.rate, known)
        waiting = np.flatnonzero(~settled[self._given :])
        end = self._given + int(waiting[0]) if waiting.size and not last else settled.size
        found = self._table.at[self._given : end][beats[self._given : end]]
        self._given = end
        old = self._table.at < self.oldest - MEMORY_S * self._rates.rate
        forget = int(old.sum())
        if forget > 64:
            self._table = self._table.since(forget)
            self._given -= forget
        return found

    def _add_candidates(self, *, last: bool) -> None:
        """Add the maxima that no further sample can outshine and whose levels are known."""
        end = self._wave_first + self._waves.shape[1]
        known = end if last else end - self._rates.refractory - 1
        known = max(self._known, min(known, self._levels.ready * self._levels.size))
        if known > self._known:
            at = maxima(self._waves[0], self._rates.refractory)
            places = at + self._wave_first
            fresh = (places >= self._known) & (places < known)
            if fresh.any():
                at, places = at[fresh], places[fresh]
                levels = self._levels.of(places // self._levels.size)
                height, steep = self._waves[0, at], steepness(self._waves[1], at)
                self._table += Candidates(places, height, steep, levels[:, 0], levels[:, 1])
            self._known = known
            self._levels.forget(known // self._levels.size)
            drop = max(0, known - self._rates.refractory - 1 - self._wave_first)
            self._waves = self._waves[:, drop:].copy()
            self._wave_first += drop


def _extremum(windows: Floats) -> Places:
    """Return per window the sample farthest from the level of its ends, the earlier of two."""
    rows = np.arange(len(windows))
    highest, lowest = windows.argmax(axis=1), windows.argmin(axis=1)
    top, bottom = windows[rows, highest], windows[rows, lowest]
    begin, end = windows[:, 0], windows[:, -1]
    above = (top - begin) + (top - end)
    below = (begin - bottom) + (end - bottom)
    earlier = np.minimum(highest, lowest)
    farther: Places = np.where(above > below, highest, lowest)
    return np.where(above == below, earlier, farther)
