"""From a growing envelope to beats: keeps what later samples can still change, and no more."""

import math

from dsp.arrays import Floats
from dsp.qrs import Rates
from dsp.qrs_candidates import look_at, search, tallest
from dsp.qrs_levels import RunningLevels
from dsp.qrs_live import LiveRules
from dsp.qrs_rules import LOOK_AHEAD_S
from dsp.tape import Tape

FEW_SPANS = 8  # of the refractory time: for more, arrays are quicker than a look at each


class Picker:
    """Turn an envelope into beats, both at envelope samples.

    `due` is the length of the envelope that is worth the next `push`: with less of it nothing more
    could be said. Pushing earlier or later changes no beat.
    """

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._levels = RunningLevels(rates.rate)
        self._waves = Tape(2)
        self._rules = LiveRules(rates.rate)
        self._known = 0  # candidates are complete before this envelope sample
        self.due = 0

    @property
    def oldest(self) -> int:
        """The earliest envelope sample of which something may still be said."""
        doubt = self._rules.oldest
        return self._known if doubt is None else doubt

    def push(self, waves: Floats, *, last: bool) -> list[int]:
        """Take the next samples of envelope and bend, (2, n); return the beats now settled."""
        self._levels.push(waves[0], last=last)
        self._waves.append(waves)
        beats = self._take_candidates(last=last)
        beats += self._rules.settle(math.inf if last else self._known - 1)
        self._waves.settle()
        self.due = self._next_due()
        return beats

    def _take_candidates(self, *, last: bool) -> list[int]:
        """Take the maxima that no further sample can outshine and whose levels are known."""
        wave, rates = self._waves, self._rates
        known = wave.end if last else wave.end - rates.refractory - 1
        known = max(self._known, min(known, self._levels.ready * self._levels.size))
        if known == self._known:
            return []
        first, both = wave.first, wave.span(wave.first, wave.end)
        span = self._known - first, known - first
        self._known = known
        beats = list[int]()
        for column in self._columns(both, first, span):
            beats += self._rules.take(column)
        wave.forget(known - rates.surroundings - rates.refractory)
        self._levels.forget(known // self._levels.size)
        return beats

    def _columns(self, waves: Floats, first: int, span: tuple[int, int]) -> list[list[float]]:
        """Return the candidates in a span, a column each."""
        (begin, end), reach = span, self._rates.refractory
        if end - begin > FEW_SPANS * reach:
            columns: list[list[float]] = search(
                waves, first, span, self._rates, self._levels
            ).rows.T.tolist()
            return columns
        return [
            column
            for at in range(begin, end, reach)
            for column in look_at(
                waves, first, (at, min(end, at + reach)), self._rates, self._levels
            )
        ]

    def _next_due(self) -> int:
        """Return the length of the envelope at which the next candidate or answer can be known."""
        wave, wait = self._waves, self._rates.refractory + 2
        due = wave.end + wait
        if self._known < wave.end:
            ahead = wave.span(self._known, wave.end)[0]
            top = tallest(ahead, self._known, (0, ahead.size), self._levels)
            if top is not None:
                due = self._known + top + wait
        doubt = self._rules.oldest
        if doubt is not None:
            due = min(due, doubt + int(LOOK_AHEAD_S * self._rates.rate) + wait)
        return due
