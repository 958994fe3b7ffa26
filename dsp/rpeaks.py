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
from dsp.qrs import Rates, contrast, envelopes, maxima, may_hold_maximum, steepness
from dsp.qrs_leads import LeadFusion
from dsp.qrs_levels import RunningLevels
from dsp.qrs_place import Placing
from dsp.qrs_rules import LOOK_AHEAD_S, MEMORY_S, Candidates, decide
from dsp.tape import Tape

NOTHING = np.empty(0, dtype=np.intp)
NOTHING.setflags(write=False)


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

    A beat is out about 0.45 s after its peak, at most about 1.6 s when it is doubtful, and up to
    6 s at the start and after long gaps, where the levels have to be learnt first. Memory is
    bounded.

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
        self._leads = leads
        self._raw = Tape(leads)
        self._fusion = LeadFusion(self._rates.rate, leads)
        self._picker = _Picker(self._rates)
        self._placing = Placing(leads, self._rates.fs)
        self._next_wave = 0  # the envelope sample to be computed next
        self._done = False

    def push(self, block: ArrayLike) -> Places:
        """Take the next samples, (n,) for one lead or (leads, n); return the beats now settled.

        Raises ValueError for another shape, a dtype that is not real numbers, or after `flush`.
        """
        if self._done:
            raise ValueError("push after flush: a stream ends once")
        fresh = checked_leads(block)
        if len(fresh) != self._leads:
            raise ValueError(f"ecg: {len(fresh)} leads in a stream of {self._leads}")
        self._raw.append(fresh)
        return self._advance(last=False)

    def flush(self) -> Places:
        """Say that no more comes; return the remaining beats, once."""
        if self._done:
            return np.empty(0, dtype=np.intp)
        self._done = True
        return self._advance(last=True)

    def _advance(self, *, last: bool) -> Places:
        """Carry the raw samples through all stages, and drop what no stage needs any more."""
        raw, rates = self._raw, self._rates
        begin = self._next_wave * rates.step
        if raw.end < begin + rates.reach + rates.portion and not last:
            raw.settle()
            return NOTHING
        with np.errstate(all="ignore"):  # gaps are NaN, and a flat lead has no contrast
            waves = envelopes(raw.span(begin, raw.end), rates)
            self._next_wave += waves.shape[2]
            beats = self._picker.push(self._fusion.push(waves, last=last), last=last)
            found = self._place(beats) if beats.size else NOTHING
        waiting = min(self._picker.oldest, self._next_wave)
        self._fusion.forget(waiting)
        oldest = rates.to_input(waiting) - self._placing.half
        raw.forget(min(oldest, self._next_wave * rates.step))
        raw.settle()
        return found

    def _place(self, beats: Places) -> Places:
        """Return the samples of the extrema of these beats."""
        centres = self._rates.to_input(0) + beats * self._rates.step
        raw = self._raw
        found = self._placing.push(
            raw.span(raw.first, raw.end), centres - raw.first, self._fusion.usable(beats)
        )
        return found + raw.first


class _Picker:
    """Turn a growing envelope into beats, at envelope samples."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._levels = RunningLevels(rates.rate)
        self._waves = Tape(2)
        self._behind = rates.surroundings + rates.refractory  # samples a candidate looks back
        self._known = 0  # candidates are complete before this envelope sample
        self._table = Candidates.none()
        self._given = 0  # rows of the table that are decided and given out
        self._patience = -np.inf  # before this envelope sample no undecided row is settled

    @property
    def oldest(self) -> int:
        """The earliest envelope sample of which something may still be said."""
        undecided = self._table.at[self._given :]
        return int(undecided[0]) if undecided.size else self._known

    def push(self, waves: Floats, *, last: bool) -> Places:
        """Take the next samples of envelope and bend, (2, n); return the beats now settled."""
        self._levels.push(waves[0], last=last)
        self._waves.append(waves)
        added = self._add_candidates(last=last)
        self._waves.settle()
        if self._given == self._table.size or not (added or last or self._known > self._patience):
            return NOTHING
        return self._decide(last=last)

    def _decide(self, *, last: bool) -> Places:
        """Return the beats that no later sample can change, up to the first open question."""
        known = np.inf if last else self._known - 1
        beats, settled = decide(self._table, self._rates.rate, known)
        waiting = np.flatnonzero(~settled[self._given :])
        end = self._given + int(waiting[0]) if waiting.size and not last else settled.size
        found = self._table.at[self._given : end][beats[self._given : end]].astype(np.intp)
        self._given = end
        self._patience = self.oldest + LOOK_AHEAD_S * self._rates.rate
        old = self._table.at < self.oldest - MEMORY_S * self._rates.rate
        forget = int(np.count_nonzero(old))
        if forget > 64:
            self._table = self._table.since(forget)
            self._given -= forget
        return found

    def _add_candidates(self, *, last: bool) -> bool:
        """Add the maxima that no further sample can outshine and whose levels are known."""
        wave, reach = self._waves, self._rates.refractory
        known = wave.end if last else wave.end - reach - 1
        known = max(self._known, min(known, self._levels.ready * self._levels.size))
        if known == self._known:
            return False
        first, fresh = wave.first, (self._known, known)
        self._known = known
        both = wave.span(first, wave.end)
        begin, end = fresh[0] - first, fresh[1] - first
        table = (
            self._candidates(both, begin, end)
            if may_hold_maximum(both[0], begin, end, reach)
            else Candidates.none()
        )
        wave.forget(known - self._behind)
        self._levels.forget(known // self._levels.size)
        if table.size == 0:
            return False
        self._table += table
        return True

    def _candidates(self, waves: Floats, begin: int, end: int) -> Candidates:
        """Return the candidates among these columns of what is kept of the envelope."""
        at = maxima(waves[0], self._rates.refractory)
        at = at[(at >= begin) & (at < end)]
        places = at + self._waves.first
        peak, quiet = self._levels.of(places // self._levels.size).T
        steep = steepness(waves[1], at)
        stands_out = contrast(waves[0], at, self._rates.rate)
        return Candidates.of(places, waves[0, at], steep, stands_out, peak, quiet)
