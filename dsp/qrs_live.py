"""The rules of `dsp.qrs_rules`, applied to one candidate after another as they become known.

Arrays cost more than they save where there is one candidate at a time, so here are plain numbers,
in the same arithmetic; a property test holds both to the same beats. Every open question is one of
the gap since the last clear beat: the next clear beat answers all of them, and where there is none
the look-ahead does, one by one.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from dsp.qrs_rules import (
    CONTRAST,
    EVIDENCE,
    GAP_REACH_S,
    GAP_RR,
    LONGEST_RR_S,
    LOOK_AHEAD_S,
    RR_COUNT,
    RR_LEAST,
    RR_MEMORY_S,
    SHARE,
    SPLIT_RR,
    SPLIT_SHARE,
    STALE_S,
    T_WAVE_S,
    T_WAVE_SHARE,
)

NEVER = -math.inf


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A candidate whose answer depends on what follows: a low clear one, or a weak one."""

    at: int
    t: float
    height: float
    before: float  # when the last clear beat was
    usual: float  # interval

    def until(self, found: float) -> float:
        """Return when the next clear beat is, or how far was looked for it."""
        within = found - self.t <= LOOK_AHEAD_S
        return min(found, self.t + LOOK_AHEAD_S) if within else self.t + LOOK_AHEAD_S

    def missed(self, found: float) -> bool:
        """Say whether it stands in a gap of the rhythm, the next clear beat being `found`."""
        after = self.until(found)
        return after - self.before > GAP_RR * self.usual and after - self.t > T_WAVE_S

    def splits(self, found: float, height_after: float) -> bool:
        """Say whether it splits an interval between higher beats."""
        if found - self.t > LOOK_AHEAD_S:
            return False
        lower = self.height < SPLIT_SHARE * height_after
        return lower and self.until(found) - self.before < SPLIT_RR * self.usual


class LiveRules:
    """Take candidates in time order; give the beats among them, also in order, once settled."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._strong = (NEVER, 0.0, 0.0)  # time, height and steepness of the last strong one
        self._clear = (NEVER, 0.0)  # time and height of the last clear one
        self._intervals: deque[tuple[float, float]] = deque(maxlen=RR_COUNT)  # begin and length
        self._usual = math.nan
        self._low: _Doubt | None = None  # the last clear one, if that is in doubt
        self._gap: list[_Doubt] = []  # weak ones since then ...
        self._settled = 0  # ... of which so many are answered

    @property
    def oldest(self) -> int | None:
        """The envelope sample of the first open question."""
        first = self._first()
        return first.at if first else None

    def take(self, column: Sequence[float]) -> list[int]:
        """Take the next candidate, a column of `Candidates`; return the beats now settled."""
        _, height, steep, contrast, above, swing = column
        at = int(column[0])
        t = at / self._rate
        enough = above * contrast >= EVIDENCE * swing and above >= SHARE * swing
        strong = enough and contrast >= CONTRAST
        clear = strong and not self._is_t_wave(t, height, steep)
        if strong:
            self._strong = t, height, steep
        when, tall = self._clear
        before, height_before = (when, tall) if t - when <= LONGEST_RR_S else (NEVER, 0.0)
        usual = self._usual if t - when <= STALE_S else math.nan
        if not clear:
            if t - before > T_WAVE_S and not math.isnan(usual):
                self._gap.append(_Doubt(at, t, height, before, usual))
            return []
        beats = self._close(t, height)
        self._follow(t)
        self._clear = t, height
        if height < SPLIT_SHARE * height_before and t - before < SPLIT_RR * usual:
            self._low = _Doubt(at, t, height, before, usual)
        else:
            beats.append(at)
        return beats

    def settle(self, known_to: float) -> list[int]:
        """Return what is settled by there being no more candidates up to this envelope sample."""
        known_s, beats = known_to / self._rate, list[int]()
        while (first := self._first()) and first.t + LOOK_AHEAD_S <= known_s:
            beats += self._answer(first, math.inf, 0.0)
        return beats

    def _first(self) -> _Doubt | None:
        if self._low:
            return self._low
        return self._gap[self._settled] if self._settled < len(self._gap) else None

    def _close(self, found: float, height: float) -> list[int]:
        """Answer all that is open with the next clear beat, and begin a new gap."""
        beats = list[int]()
        while first := self._first():
            beats += self._answer(first, found, height)
        self._gap.clear()
        self._settled = 0
        return beats

    def _answer(self, first: _Doubt, found: float, height: float) -> list[int]:
        """Return the candidate of the first open question if it is a beat; close the question."""
        if first is self._low:
            self._low = None
            return [] if first.splits(found, height) else [first.at]
        nth, self._settled = self._settled, self._settled + 1
        taken = first.missed(found) and self._stands(nth, found)
        return [first.at] if taken else []

    def _stands(self, nth: int, found: float) -> bool:
        """Say whether no other missed one of the gap that is near is as high."""
        one = self._gap[nth]
        reach = min(one.usual / 2, GAP_REACH_S)
        for at, other in enumerate(self._gap):
            higher = other.height >= one.height if at < nth else other.height > one.height
            if at != nth and higher and abs(other.t - one.t) <= reach and other.missed(found):
                return False
        return True

    def _is_t_wave(self, t: float, height: float, steep: float) -> bool:
        before, height_before, steep_before = self._strong
        lower, duller = height < T_WAVE_SHARE * height_before, steep < T_WAVE_SHARE * steep_before
        return t - before < T_WAVE_S and (lower or duller)

    def _follow(self, t: float) -> None:
        """Take a clear beat into the rhythm."""
        if self._clear[0] != NEVER:
            self._intervals.append((self._clear[0], t - self._clear[0]))
        known = sorted(
            length
            for begin, length in self._intervals
            if length <= LONGEST_RR_S and begin >= t - RR_MEMORY_S
        )
        self._usual = known[(len(known) - 1) // 2] if len(known) >= RR_LEAST else math.nan
