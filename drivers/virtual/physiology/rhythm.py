"""When the heart beats: a pacemaker under vagus and sympathicus, and what may disturb it.

The sinus node integrates a rate that sways with the breath (respiratory sinus arrhythmia, fastest
at the end of inspiration) and slowly (0.1 Hz and below), and fires whenever the integral is a whole
number. So the beats in a span are the integral of the rate over it. A premature beat does not reset
the node: the beat it displaces is missing, which makes the pause compensatory. In fibrillation
intervals are drawn one by one.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from drivers.virtual.physiology.beats import BeatType
from drivers.virtual.physiology.breathing import INSPIRATION, Breathing
from drivers.virtual.physiology.scenarios import Rhythm, Scenario
from drivers.virtual.physiology.signals import Topic, chance

BEGIN_S = -20.0  # there are beats before second 0, as there were before the sensor was put on
_RSA_SHARE = 0.045  # of the mean rate
_SLOW = ((0.095, 0.025), (0.041, 0.015), (0.017, 0.012))  # Hz, share of the mean rate
_AF_SPREAD = 0.21  # of the logarithm of an interval
_AF_SHORTEST_S = 0.36
_SINUS_BEATS = (3, 8)  # least, and one more than most, between two premature ones
_COUPLING = (0.60, 0.70)  # of the sinus interval


@dataclass(frozen=True, slots=True)
class Beat:
    """One beat of the ventricles: its R peak, the interval before it, its type."""

    r_s: float
    rr_s: float
    type: BeatType
    has_p: bool


class SinusNode:
    """The sinus node's rate and the integral of it, in closed form."""

    def __init__(self, seed: int, scenario: Scenario, breathing: Breathing) -> None:
        draw = chance(seed, Topic.AUTONOMIC)
        self._hz = scenario.heart_rate / 60
        self._breathing = breathing
        self._rsa = scenario.sway * _RSA_SHARE * self._hz / (math.tau * breathing.mean_hz)
        self._slow = [
            (hz, scenario.sway * share * self._hz / (math.tau * hz), float(phase))
            for (hz, share), phase in zip(_SLOW, draw.uniform(0, math.tau, len(_SLOW)), strict=True)
        ]

    def cycles(self, at_s: float) -> float:
        """Return the integral of the rate, in beats."""
        time = np.array([at_s])
        breath = float(self._breathing.phase(time)[0]) - INSPIRATION
        sway = self._rsa * float(self._breathing.depth(time)[0]) * math.sin(math.tau * breath)
        slow = math.fsum(
            size * math.sin(math.tau * hz * at_s + phase) for hz, size, phase in self._slow
        )
        return self._hz * at_s + sway + slow

    def fires(self, number: int) -> float:
        """Return when the integral is `number`."""
        at_s = number / self._hz
        for _ in range(14):  # the rate is within a seventh of its mean: a digit a turn, at least
            at_s -= (self.cycles(at_s) - number) / self._hz
        return at_s


class Beats:
    """The beats of one patient, made as far as somebody looks and never made again."""

    def __init__(self, seed: int, scenario: Scenario, breathing: Breathing) -> None:
        self.node = SinusNode(seed, scenario, breathing)
        self._source = _source(seed, scenario, self.node)
        self._beats: list[Beat] = []
        self._times: list[float] = []

    def between(self, begin_s: float, end_s: float) -> list[Beat]:
        """Return the beats whose R peak lies in [begin_s, end_s)."""
        self._make(end_s)
        return self._beats[bisect_left(self._times, begin_s) : bisect_left(self._times, end_s)]

    def last(self, count: int, before_s: float) -> list[Beat]:
        """Return the last beats before a moment, fewer if there were fewer since BEGIN_S."""
        self._make(before_s)
        end = bisect_left(self._times, before_s)
        return self._beats[max(0, end - count) : end]

    def _make(self, until_s: float) -> None:
        while not self._times or self._times[-1] < until_s:
            beat = next(self._source)
            self._beats.append(beat)
            self._times.append(beat.r_s)


def _source(seed: int, scenario: Scenario, node: SinusNode) -> Iterator[Beat]:
    draw = chance(seed, Topic.CONDUCTION)
    if scenario.rhythm is Rhythm.FIBRILLATION:
        return _fibrillating(draw, 60 / scenario.heart_rate)
    if scenario.rhythm is Rhythm.ECTOPY:
        return _with_premature(draw, _fired(node))
    kind = BeatType.PACED if scenario.rhythm is Rhythm.PACED else BeatType.NORMAL
    return (Beat(at_s, rr_s, kind, has_p=True) for at_s, rr_s in _fired(node))


def _fired(node: SinusNode) -> Iterator[tuple[float, float]]:
    number = math.ceil(node.cycles(BEGIN_S))
    before = node.fires(number)
    while True:
        number += 1
        now = node.fires(number)
        yield now, now - before
        before = now


def _with_premature(
    draw: np.random.Generator, fired: Iterator[tuple[float, float]]
) -> Iterator[Beat]:
    before, wait = BEGIN_S, int(draw.integers(*_SINUS_BEATS))
    for at_s, rr_s in fired:
        if wait == 0:
            wait = int(draw.integers(*_SINUS_BEATS))
            early = at_s - rr_s * (1 - float(draw.uniform(*_COUPLING)))
            yield Beat(early, early - before, BeatType.PVC, has_p=False)
            before = early
        else:
            wait -= 1
            since = at_s - before if before > BEGIN_S else rr_s
            yield Beat(at_s, since, BeatType.NORMAL, has_p=True)
            before = at_s


def _fibrillating(draw: np.random.Generator, mean_s: float) -> Iterator[Beat]:
    at_s = BEGIN_S
    while True:
        spread = float(draw.normal(-(_AF_SPREAD**2) / 2, _AF_SPREAD))
        rr_s = max(_AF_SHORTEST_S, mean_s * math.exp(spread))
        at_s += rr_s
        yield Beat(at_s, rr_s, BeatType.NORMAL, has_p=False)
