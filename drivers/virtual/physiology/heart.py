"""What twelve electrodes on the chest and limbs see of the heart, without any noise.

The heart rolls a little with the breath, and is a little farther from the electrodes when the lung
is full. In fibrillation the atria make a saw-tooth of 5 to 7 Hz with two harmonics (after Stridh
and Soernmo 2001), seen best in V1.
"""

import math
from dataclasses import dataclass

import numpy as np

from drivers.virtual.physiology.beats import MORPHOLOGIES, BeatType
from drivers.virtual.physiology.breathing import Breathing
from drivers.virtual.physiology.dipole import LEADS, Landmarks, Morphology, Wave, project
from drivers.virtual.physiology.rhythm import Beat, Beats
from drivers.virtual.physiology.scenarios import Person, Rhythm, Scenario
from drivers.virtual.physiology.signals import Floats, Topic, chance

_BEFORE_S, _AFTER_S = 0.5, 1.0  # how far from R the waves of a beat reach at most
_ROLL_RAD = 0.05  # with a full breath
_FADE = 0.05  # with a full breath
_F_DIRECTION_UV = (-8.0, 34.0, -60.0)
_F_HARMONICS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class BeatTruth:
    """All that is true of one beat; `p` is None where there is no P wave.

    `spike_s` is the pacemaker's pulse, `axis_deg` the frontal axis of QRS with the chest as the
    breath had it at R.
    """

    r_s: float
    rr_s: float
    type: BeatType
    p: Landmarks | None
    qrs: Landmarks
    t: Landmarks
    axis_deg: float
    spike_s: float | None


class Heart:
    """The dipole of one person in one rhythm."""

    def __init__(
        self, seed: int, scenario: Scenario, person: Person, beats: Beats, breathing: Breathing
    ) -> None:
        self._beats = beats
        self._breathing = breathing
        self.morphologies = {
            kind: shape.posed(person.roll_rad, person.yaw_rad, person.gain)
            for kind, shape in MORPHOLOGIES.items()
        }
        self._fibrillation = (
            _Fibrillation(seed, person.gain) if scenario.rhythm is Rhythm.FIBRILLATION else None
        )

    def leads(self, times: Floats) -> Floats:
        """Return (12, n) in microvolts at increasing times, each sample from its time alone."""
        dipole = np.zeros((3, times.size))
        if times.size == 0:
            return project(dipole)
        for beat in self._beats.between(times[0] - _AFTER_S, times[-1] + _BEFORE_S):
            for wave, stretch in _worn(self.morphologies[beat.type], beat):
                wave.add_to(dipole, times, beat.r_s, stretch)
        if self._fibrillation is not None:
            dipole += self._fibrillation.dipole(times)
        volume = self._breathing.volume(times)
        roll, gain = _ROLL_RAD * (volume - 0.5), 1.0 - _FADE * volume
        x, y, z = gain * dipole
        return project(
            np.stack([x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll), z])
        )

    def truth(self, begin_s: float, end_s: float) -> tuple[BeatTruth, ...]:
        """Return what is true of the beats whose R peak lies in [begin_s, end_s)."""
        return tuple(self._truth(beat) for beat in self._beats.between(begin_s, end_s))

    def qrs_swing(self, kind: BeatType) -> float:
        """Return how far lead II swings in QRS, peak to peak, in microvolts."""
        times = np.arange(-0.2, 0.2, 1e-3)
        dipole = np.zeros((3, times.size))
        self.morphologies[kind].qrs.add_to(dipole, times, 0.0, 1.0)
        return float(np.ptp(project(dipole)[LEADS.index("II")]))

    def _truth(self, beat: Beat) -> BeatTruth:
        shape = self.morphologies[beat.type]
        roll = _ROLL_RAD * (float(self._breathing.volume(np.array([beat.r_s]))[0]) - 0.5)
        return BeatTruth(
            r_s=beat.r_s,
            rr_s=beat.rr_s,
            type=beat.type,
            p=_placed(shape.p, beat) if shape.p is not None and beat.has_p else None,
            qrs=_placed(shape.qrs, beat),
            t=_placed(shape.t, beat),
            axis_deg=shape.qrs.axis_deg(roll),
            spike_s=None if shape.spike is None else beat.r_s + shape.spike.kernels[0].at_s,
        )


def _worn(shape: Morphology, beat: Beat) -> list[tuple[Wave, float]]:
    """Return the waves a beat has, each with the stretch of its time."""
    return [
        (wave, wave.stretch(beat.rr_s)) for wave in shape.waves if beat.has_p or wave is not shape.p
    ]


def _placed(wave: Wave, beat: Beat) -> Landmarks:
    return wave.landmarks.moved(beat.r_s, wave.stretch(beat.rr_s))


class _Fibrillation:
    """Fibrillatory waves: a saw-tooth whose frequency and size wander slowly."""

    def __init__(self, seed: int, gain: float) -> None:
        draw = chance(seed, Topic.FIBRILLATION)
        self._hz = float(draw.uniform(5.4, 6.8))
        self._phases = [float(phase) for phase in draw.uniform(0, math.tau, 4)]
        self._gain = gain

    def dipole(self, times: Floats) -> Floats:
        first, second, third, fourth = self._phases
        swing = 0.9 * np.sin(math.tau * 0.21 * times + second)
        swing += 0.7 * np.sin(math.tau * 0.37 * times + third)
        phase = math.tau * self._hz * times + first + swing
        size = self._gain * (1.0 + 0.25 * np.sin(math.tau * 0.13 * times + fourth))
        saw = np.zeros_like(times)
        for harmonic in _F_HARMONICS:
            saw += np.sin(harmonic * phase) / harmonic
        return np.stack([share * size * saw for share in _F_DIRECTION_UV])
