"""What each beat sends through the arteries: a pulse at the finger, a pressure in the arm.

A pulse is a sum of two log-normal bells that begin exactly at its foot: the wave that the heart
ejects and the one that comes back. The foot reaches the finger a transit time after R, shorter
when the pressure is higher. A beat that came early found a heart less filled, an ectopic one
ejects badly: the pulse is weak, below a limit nobody feels it (pulse deficit).
"""

import math
from dataclasses import dataclass

import numpy as np

from drivers.virtual.physiology.beats import BeatType
from drivers.virtual.physiology.breathing import Breathing
from drivers.virtual.physiology.dipole import LONGEST_RR_S, SHORTEST_RR_S
from drivers.virtual.physiology.rhythm import Beat, Beats
from drivers.virtual.physiology.scenarios import Scenario, inside
from drivers.virtual.physiology.signals import Floats, Topic, chance, near

FELT = 0.35  # of a full pulse: below it no pulse is counted
_BELLS = ((1.0, 0.180, 0.46), (0.36, 0.420, 0.24))  # height, seconds from the foot, log width
_LASTS_S = 3.0  # a pulse is over, below 1e-6 of its height
_POWER = 1 / 3  # of the RR interval, as the T wave: ejection and the way back last longer
_FILLING_S = (0.20, 0.30)  # nothing enters before, and how fast the heart fills from then on
_ECTOPIC = 0.45  # of the blood a beat of its own way ejects
_ARM_S = 0.12  # from R to the foot of the pulse under a cuff
_MAYER = ((0.095, 2.0), (0.037, 1.3))  # Hz, mmHg
_BREATH_MMHG = 3.0  # systolic pressure falls as much while the lung fills
_BREATH_SHARE = 0.06  # and the pulse at the finger by so much of its height
_TRANSIT_PER_MMHG = 0.004
_BUMP_S = (0.08, 0.25)
_BUMPS_HZ = 2.5
_GRID_S = 1e-3
_REMEMBERED = 1000  # beats


@dataclass(frozen=True, slots=True)
class Pulse:
    """One pulse at the finger; `strength` 1 is that of a beat at the patient's mean rate."""

    r_s: float
    foot_s: float
    peak_s: float
    strength: float

    @property
    def felt(self) -> bool:
        """Whether an oximeter or a cuff counts it."""
        return self.strength >= FELT


@dataclass(frozen=True, slots=True)
class _Ejection:
    """What a beat sends out: how much longer, how strong, how much slower than usual."""

    stretch: float
    strength: float
    delay: float


class Circulation:
    """The arteries of one patient."""

    def __init__(self, seed: int, scenario: Scenario, beats: Beats, breathing: Breathing) -> None:
        draw = chance(seed, Topic.PRESSURE)
        self._scenario = scenario
        self._beats = beats
        self._breathing = breathing
        self._mayer = [
            (hz, size, float(phase))
            for (hz, size), phase in zip(_MAYER, draw.uniform(0, math.tau, 2), strict=True)
        ]
        self._ejections: dict[float, _Ejection] = {}
        self._mean_rr_s = 60 / scenario.heart_rate
        shape = _shape(np.arange(0.0, _LASTS_S, _GRID_S))
        self._crest_s, self._crest = float(shape.argmax()) * _GRID_S, float(shape.max())
        train = self._train()
        self._low, self._high = float(train.min()), float(train.max())
        self._form = float(((train - self._low) / (self._high - self._low)).mean())
        self._bumps = Bumps(seed, Topic.PLETH_MOTION, _BUMPS_HZ, _BUMP_S)

    def pulses(self, begin_s: float, end_s: float) -> tuple[Pulse, ...]:
        """Return the pulses whose R peak lies in [begin_s, end_s), felt or not."""
        return tuple(self._pulse(beat) for beat in self._beats.between(begin_s, end_s))

    def pleth(self, times: Floats) -> Floats:
        """Return the light that pulsates at the finger, in percent; the crest is the perfusion."""
        wave = self._flow(times, self._scenario.finger_transit_s)
        wave *= self._scenario.perfusion_index / self._crest
        wave *= 1.0 - _BREATH_SHARE * self._breathing.volume(times)
        if self._scenario.motion:
            wave += 2.5 * self._bumps.at(times, self._scenario.motion)
        return wave

    def pressure(self, times: Floats) -> Floats:
        """Return the arterial pressure in the upper arm, mmHg."""
        part = (self._flow(times, _ARM_S) - self._low) / (self._high - self._low)
        pulse = self._scenario.systolic - self._scenario.diastolic
        wave: Floats = self._scenario.diastolic + self._slow(times) + pulse * part
        return wave

    def pressures(self, at_s: float) -> tuple[float, float, float]:
        """Return systolic, diastolic and mean pressure as of a full pulse at a moment."""
        shift = float(self._slow(np.array([at_s]))[0])
        systolic, diastolic = self._scenario.systolic + shift, self._scenario.diastolic + shift
        return systolic, diastolic, diastolic + self._form * (systolic - diastolic)

    def is_moving(self, at_s: float) -> bool:
        """Whether the patient moves at a moment."""
        return inside(self._scenario.motion, at_s)

    def _slow(self, times: Floats) -> Floats:
        """Return how far the pressures are from their means."""
        shift = -_BREATH_MMHG * (self._breathing.volume(times) - 0.5)
        for hz, size, phase in self._mayer:
            shift += size * np.sin(math.tau * hz * times + phase)
        return shift

    def _flow(self, times: Floats, transit_s: float) -> Floats:
        """Return the sum of the pulses, each a shape of crest `_crest` times its strength."""
        wave = np.zeros_like(times)
        if times.size == 0:
            return wave
        for beat in self._beats.between(times[0] - _LASTS_S - 2 * transit_s, times[-1]):
            sent = self._ejection(beat)
            foot = beat.r_s + transit_s * sent.delay
            part = near(times, foot, foot + _LASTS_S)
            wave[part] += sent.strength * _shape((times[part] - foot) / sent.stretch)
        return wave

    def _pulse(self, beat: Beat) -> Pulse:
        sent = self._ejection(beat)
        foot = beat.r_s + self._scenario.finger_transit_s * sent.delay
        return Pulse(beat.r_s, foot, foot + self._crest_s * sent.stretch, sent.strength)

    def _ejection(self, beat: Beat) -> _Ejection:
        """Return what a beat sends out, computed once for those that are still looked at."""
        known = self._ejections.get(beat.r_s)
        if known is None:
            shift = float(self._slow(np.array([beat.r_s]))[0])
            filled = _filling(beat.rr_s) / _filling(self._mean_rr_s)
            known = _Ejection(
                stretch=float(min(max(beat.rr_s, SHORTEST_RR_S), LONGEST_RR_S) ** _POWER),
                strength=filled * (_ECTOPIC if beat.type is BeatType.PVC else 1.0),
                delay=1.0 - _TRANSIT_PER_MMHG * shift,
            )
            if len(self._ejections) >= _REMEMBERED:
                self._ejections.clear()
            self._ejections[beat.r_s] = known
        return known

    def _train(self) -> Floats:
        """Return one interval of the sum of equal pulses at the mean rate."""
        within = np.arange(0.0, self._mean_rr_s, _GRID_S)
        stretch = self._mean_rr_s**_POWER
        train = np.zeros_like(within)
        for before in range(math.ceil(_LASTS_S / self._mean_rr_s)):
            train += _shape((within + before * self._mean_rr_s) / stretch)
        return train


class Bumps:
    """Shocks of motion: Gaussian bumps of either sign at chance times, of mean square 1 each span.

    Times come in blocks of one second, each with its own chance, so that nobody has to start at 0.
    """

    def __init__(
        self, seed: int, topic: Topic, per_s: float, widths_s: tuple[float, float]
    ) -> None:
        self._seed, self._topic = seed, topic
        self._per_s, self._widths = per_s, widths_s
        mean_width = (widths_s[0] + widths_s[1]) / 2
        self._unit = 1.0 / math.sqrt(per_s * math.sqrt(math.pi) * mean_width)
        self._reach_s = 6.0 * widths_s[1]

    def at(
        self, times: Floats, spans: tuple[tuple[float, float], ...] | None, part: int = 0
    ) -> Floats:
        """Return the motion at increasing times; a bump counts if its middle is in a span.

        `spans` None is always; `part` tells one electrode from another.
        """
        wave = np.zeros_like(times)
        if times.size == 0:
            return wave
        first = max(0, math.floor(times[0] - self._reach_s))
        for block in range(first, math.floor(times[-1] + self._reach_s) + 1):
            draw = chance(self._seed, self._topic, part, block)
            count = int(draw.poisson(self._per_s))
            middles = block + draw.uniform(0, 1, count)
            widths = draw.uniform(*self._widths, count)
            heights = self._unit * draw.normal(0, 1, count)
            for middle, width, height in zip(middles, widths, heights, strict=True):
                if spans is None or inside(spans, float(middle)):
                    where = near(times, middle - 6 * width, middle + 6 * width)
                    wave[where] += height * np.exp(-0.5 * ((times[where] - middle) / width) ** 2)
        return wave


def _shape(since: Floats) -> Floats:
    """Return the pulse so many seconds after its foot: 0 until there, smooth from there on."""
    wave = np.zeros_like(since)
    after = np.maximum(since, 1e-9)
    for height, at_s, width in _BELLS:
        wave += height * np.exp(-0.5 * (np.log(after / at_s) / width) ** 2)
    return wave


def _filling(rr_s: float) -> float:
    begin, constant = _FILLING_S
    return 1.0 - math.exp(-max(0.0, rr_s - begin) / constant)
