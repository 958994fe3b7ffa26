"""The virtual patient: one physiology, and every virtual instrument looks at the same.

Everything is a function of time, from second 0 on, and of nothing else: the same seed and scenario
give the same patient, and a signal asked for in pieces is the signal asked for at once. Instruments
that share `seed` and `scenario` are on one person; the noise in an ECG belongs to the recording.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drivers.virtual.physiology.beats import BeatType
from drivers.virtual.physiology.breathing import Breathing
from drivers.virtual.physiology.circulation import Circulation, Pulse
from drivers.virtual.physiology.cuff import STEP_MMHG, Deflation, deflation
from drivers.virtual.physiology.dipole import LEADS, MEASURED, twelve
from drivers.virtual.physiology.heart import BeatTruth, Heart
from drivers.virtual.physiology.noise import ElectrodeNoise
from drivers.virtual.physiology.rhythm import Beats
from drivers.virtual.physiology.scenarios import (
    Electrode,
    Rhythm,
    Scenario,
    Source,
    person_of,
    scenario_named,
)
from drivers.virtual.physiology.signals import Floats, sample_times
from drivers.virtual.physiology.steady import Saturation, Warmth

AVERAGED_BEATS = 8
_LIMBS = {
    Electrode.RA: ("I", "II", "aVR", "aVL", "aVF"),
    Electrode.LA: ("I", "III", "aVR", "aVL", "aVF"),
    Electrode.LL: ("II", "III", "aVR", "aVL", "aVF"),
}


@dataclass(frozen=True, slots=True)
class State:
    """The patient at a moment: true values, before any instrument rounds or averages them again.

    Rates are per minute: `heart_rate` over the last 8 beats, `pulse_rate` over the last 8 pulses
    that can be felt, `respiration_rate` 0 where breath stops. Pressures are mmHg, saturation and
    perfusion percent, temperature Celsius.
    """

    heart_rate: float
    pulse_rate: float
    respiration_rate: float
    spo2: float
    perfusion_index: float
    systolic: float
    diastolic: float
    mean_pressure: float
    temperature_c: float
    moving: bool
    electrodes_off: frozenset[Electrode]


class Patient:
    """One person in one scenario.

    Parameters
    ----------
    seed
        Which person; 0 or more.
    scenario
        A name of `SCENARIOS`, or a scenario of one's own; ValueError for an unknown name.
    noise
        SNR in dB per source in ECGs; None is the scenario's own, an empty mapping is none.
    mains_hz
        The frequency of the mains.
    """

    def __init__(
        self,
        seed: int,
        scenario: str | Scenario = "healthy",
        *,
        noise: Mapping[Source, float] | None = None,
        mains_hz: float = 50.0,
    ) -> None:
        given = scenario_named(scenario) if isinstance(scenario, str) else scenario
        self.seed = seed
        self.person, self.scenario = person_of(seed, given)
        mine = self.scenario
        self.noise = dict(mine.noise if noise is None else noise)
        self.breathing = Breathing(seed, mine.respiration_rate, mine.desaturations)
        self.beats = Beats(seed, mine, self.breathing)
        self.heart = Heart(seed, mine, self.person, self.beats, self.breathing)
        self.circulation = Circulation(seed, mine, self.beats, self.breathing)
        self.saturation = Saturation(seed, mine.spo2, mine.desaturations)
        self.warmth = Warmth(seed, mine.temperature_c)
        kind = BeatType.PACED if mine.rhythm is Rhythm.PACED else BeatType.NORMAL
        self._noise = ElectrodeNoise(
            seed,
            self.noise,
            self.heart.qrs_swing(kind),
            self.breathing,
            motion=mine.motion,
            mains_hz=mains_hz,
        )

    def state(self, at_s: float) -> State:
        """Return the true values at a moment."""
        beats = self.beats.last(AVERAGED_BEATS + 1, at_s)
        pulses = [
            pulse.foot_s
            for pulse in self.circulation.pulses(at_s - 20.0, at_s)
            if pulse.felt and pulse.foot_s < at_s
        ][-AVERAGED_BEATS - 1 :]
        systolic, diastolic, mean = self.circulation.pressures(at_s)
        return State(
            heart_rate=60 * (len(beats) - 1) / (beats[-1].r_s - beats[0].r_s),
            pulse_rate=60 * (len(pulses) - 1) / (pulses[-1] - pulses[0]),
            respiration_rate=self.breathing.rate(at_s),
            spo2=self.saturation.at(at_s),
            perfusion_index=self.scenario.perfusion_index,
            systolic=systolic,
            diastolic=diastolic,
            mean_pressure=mean,
            temperature_c=self.warmth.at(at_s),
            moving=self.circulation.is_moving(at_s),
            electrodes_off=frozenset(
                electrode
                for electrode, (begin, end) in self.scenario.electrodes_off
                if begin <= at_s < end
            ),
        )

    def ecg(self, begin_s: float, end_s: float, fs: float) -> Floats:
        """Return (12, n) in microvolts in the order of `LEADS`, NaN where an electrode is off.

        Samples are at k/fs in [begin_s, end_s); ValueError for a rate or times that cannot be.
        """
        times = sample_times(begin_s, end_s, fs)
        leads = self.heart.leads(times)
        if self.noise:
            measured = leads[[LEADS.index(name) for name in MEASURED]]
            self._noise.add_to(measured, times)
            leads = twelve(measured)
        for electrode, (begin, end) in self.scenario.electrodes_off:
            off = (times >= begin) & (times < end)
            for name in leads_of(electrode):
                leads[LEADS.index(name), off] = np.nan
        return leads

    def pleth(self, begin_s: float, end_s: float, fs: float) -> Floats:
        """Return the pulsating light at the finger in percent; its crest is `perfusion_index`."""
        return self.circulation.pleth(sample_times(begin_s, end_s, fs))

    def arterial_pressure(self, begin_s: float, end_s: float, fs: float) -> Floats:
        """Return the pressure in the upper arm, mmHg."""
        return self.circulation.pressure(sample_times(begin_s, end_s, fs))

    def respiration(self, begin_s: float, end_s: float, fs: float) -> Floats:
        """Return how full the lung is, 0 to 1, as impedance shows it."""
        return self.breathing.volume(sample_times(begin_s, end_s, fs))

    def deflation(self, begin_s: float, step_mmhg: float = STEP_MMHG) -> Deflation:
        """Measure the pressure with a cuff from `begin_s` on, so much lower at each step."""
        leaks = self.scenario.cuff_leaks
        return deflation(self.seed, self.circulation, begin_s, leaks=leaks, step_mmhg=step_mmhg)

    def beat_truth(self, begin_s: float, end_s: float) -> tuple[BeatTruth, ...]:
        """Return what is true of the beats whose R peak lies in [begin_s, end_s)."""
        return self.heart.truth(begin_s, end_s)

    def pulses(self, begin_s: float, end_s: float) -> tuple[Pulse, ...]:
        """Return the pulses of the beats whose R peak lies in [begin_s, end_s)."""
        return self.circulation.pulses(begin_s, end_s)


def leads_of(electrode: Electrode) -> tuple[str, ...]:
    """Return the leads that need an electrode; Wilson's terminal needs all three limbs."""
    limb = _LIMBS.get(electrode)
    return (electrode.value,) if limb is None else (*limb, *LEADS[6:])
