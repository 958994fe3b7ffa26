"""R peaks of an ECG, of a whole recording or as it comes in; both from the same computation.

The stages: `dsp.qrs` turns each lead into a slope envelope; several leads are fused into one;
`dsp.qrs_candidates` finds its maxima; `dsp.qrs_rules` chooses the beats; `dsp.qrs_place` puts each
on the extremum of the lead as it was given. `find_r_peaks` does so with whole arrays.
`RPeakStream` keeps only what later samples can still change, goes through the stages when there
may be something to say, and chooses and places one beat after another. Every decision is one of
the same finite past and look-ahead, in the same arithmetic.
"""

import numpy as np
from numpy.typing import ArrayLike

from dsp.arrays import Places, checked_leads, checked_rate
from dsp.qrs import Rates, envelopes
from dsp.qrs_candidates import search
from dsp.qrs_leads import LeadFusion
from dsp.qrs_levels import RunningLevels
from dsp.qrs_picker import Picker
from dsp.qrs_place import LivePlacing, place, reach
from dsp.qrs_rules import decide
from dsp.tape import Tape

NOTHING: Places = np.empty(0, dtype=np.intp)
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
    rates, leads = Rates.of(checked_rate(fs)), checked_leads(ecg)
    if leads.shape[1] < rates.samples_for(1):
        return np.empty(0, dtype=np.intp)
    with np.errstate(all="ignore"):  # gaps are NaN, and a flat lead has no contrast
        fusion = LeadFusion(rates.rate, len(leads))
        waves = fusion.push(envelopes(leads, rates), last=True)
        levels = RunningLevels(rates.rate)
        levels.push(waves[0], last=True)
        candidates = search(waves, 0, (0, waves.shape[1]), rates, levels)
        beats = candidates.at[decide(candidates, rates.rate)].astype(np.intp)
        centres = beats * rates.step + rates.to_input(0)
        return place(leads, centres, fusion.usable(beats), reach(rates.fs))


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
        self._picker = Picker(self._rates)
        self._placing = LivePlacing(rate)
        self._next_wave = 0  # the envelope sample to be computed next
        self._due = self._rates.samples_for(1)  # with fewer samples nothing can be said
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
        if self._raw.end >= self._due:
            return self._advance(last=False)
        self._raw.settle()
        return NOTHING

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
        with np.errstate(all="ignore"):
            waves = envelopes(raw.span(begin, raw.end), rates)
            self._next_wave += waves.shape[2]
            beats = self._picker.push(self._fusion.push(waves, last=last), last=last)
            found = self._place(beats) if beats else NOTHING
        waiting = min(self._picker.oldest, self._next_wave)
        self._fusion.forget(waiting)
        oldest = rates.to_input(waiting) - self._placing.half
        raw.forget(min(oldest, self._next_wave * rates.step))
        raw.settle()
        self._due = rates.samples_for(max(self._picker.due, self._next_wave + 1))
        return found

    def _place(self, beats: list[int]) -> Places:
        """Return the samples of the extrema of these beats."""
        raw, places = self._raw, list[int]()
        kept = raw.span(raw.first, raw.end)
        for beat in beats:
            centre = self._rates.to_input(beat) - raw.first
            at = self._placing.place(kept, centre, self._fusion.usable_leads(beat))
            if at is not None:
                places.append(at + raw.first)
        return np.array(places, dtype=np.intp)
