"""Who is in the bed of a virtual Ivy 450C: nobody, whose ECG is drawn, or the virtual patient."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivers.protocols.ivy_ansarb import ECG_FS, ECG_SAMPLES, SLOW_FS, SLOW_SAMPLES
from drivers.virtual.patient import Patient
from drivers.virtual.physiology.dipole import LEADS
from drivers.virtual.physiology.scenarios import scenario_named

Span: TypeAlias = tuple[float, float]
Signal: TypeAlias = NDArray[np.float64]
Pressure: TypeAlias = tuple[int, int, int, int]  # systolic, diastolic, mean, pulse rate

APNEA_S = 20  # without a breath before the monitor says so

_NEVER = (math.inf, math.inf)
_NOISE_MV = 0.01
_FULL_PULSE = 2.4  # percent of the light: a warm finger fills the monitor's range
_FIRST_NIBP = ((0.0, 118, 76, 90),)
# seconds from R, mV, width in seconds: P, Q, R, S, T of a lead II at rest
_WAVES = (
    (-0.16, 0.14, 0.022),
    (-0.028, -0.10, 0.009),
    (0.0, 1.15, 0.011),
    (0.030, -0.22, 0.011),
    (0.25, 0.30, 0.045),
)


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The patient and what befalls the sensors; spans are from and until, in seconds.

    `nibp` holds (second, systolic, diastolic, mean), rising; before the first the field is empty.
    With `patient_seed` or `scenario` the virtual patient is in the bed, and the rates, the
    saturation and the waves are that patient's; so is the first pressure unless `nibp` is given
    (with `nibp_pulse_rate`, for the pulse that was counted then may be another's too),
    and those that the monitor's own cuff begins to measure at the seconds of `nibp_at_s`.
    """

    heart_rate: Annotated[int, msgspec.Meta(ge=20, le=250)] = 72
    spo2: Annotated[int, msgspec.Meta(ge=1, le=100)] = 98
    respiration_rate: Annotated[int, msgspec.Meta(ge=1, le=150)] = 14
    nibp: tuple[tuple[float, int, int, int], ...] | None = None
    nibp_pulse_rate: int | None = None
    sensor_off: Span = _NEVER
    apnea: Span = _NEVER
    lead_off: Span = _NEVER
    patient_seed: Annotated[int, msgspec.Meta(ge=0)] | None = None
    scenario: str | None = None
    nibp_at_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a cuff on nobody, and a scenario nobody knows."""
        if self.nibp_at_s and not self.is_on_patient:
            raise ValueError("nibp_at_s: there is no patient to measure; give patient_seed")
        if self.scenario is not None:
            scenario_named(self.scenario)

    @property
    def is_on_patient(self) -> bool:
        """Whether the virtual patient is in the bed."""
        return self.patient_seed is not None or self.scenario is not None


@dataclass(frozen=True, slots=True)
class Second:
    """What is to be seen of one second, `breath` from -1 to 1, `pulse` from 0 to 1 at rest."""

    ecg_mv: Signal
    breath: Signal
    pulse: Signal
    heart_rate: int
    pulse_rate: int
    spo2: int
    respiration_rate: int
    lead_off: bool
    apnea: bool
    nibp: Pressure | None


class Bed(Protocol):
    """Who is in the bed."""

    def second(self, number: int) -> Second:
        """Return what is to be seen of a second."""
        ...


class Drawing:
    """Nobody: a drawn ECG at a rate that never changes, and the scene's own numbers."""

    def __init__(self, seed: int, scene: Scene) -> None:
        self._seed = seed
        self._scene = scene
        given = _FIRST_NIBP if scene.nibp is None else scene.nibp
        self._nibp = [
            (at_s, (systolic, diastolic, mean, scene.heart_rate))
            for at_s, systolic, diastolic, mean in given
        ]

    def second(self, number: int) -> Second:
        """Return a second of the drawing."""
        scene = self._scene
        lead_off, apnea = within(scene.lead_off, number), within(scene.apnea, number)
        fast, slow = _times(number)
        breath = np.sin(2 * np.pi * slow * scene.respiration_rate / 60)
        return Second(
            ecg_mv=np.zeros(ECG_SAMPLES) if lead_off else self._ecg(fast, number),
            breath=slow * 0 if lead_off or apnea else breath,
            pulse=self._pulse(slow),
            heart_rate=scene.heart_rate,
            pulse_rate=scene.heart_rate,
            spo2=scene.spo2,
            respiration_rate=scene.respiration_rate,
            lead_off=lead_off,
            apnea=apnea,
            nibp=_latest(self._nibp, number),
        )

    def _ecg(self, time: Signal, second: int) -> Signal:
        ecg = _front_end(self._seed, second)
        for beat in (-1, 0, 1):
            since = self._since_beat(time) + beat * 60 / self._scene.heart_rate
            for centre, height, width in _WAVES:
                ecg += height * np.exp(-(((since - centre) / width) ** 2) / 2)
        return ecg

    def _pulse(self, time: Signal) -> Signal:
        """Return a pulse wave between 0 and 1: steep rise after R, dicrotic shoulder."""
        since = self._since_beat(time) % (60 / self._scene.heart_rate)
        peak = np.exp(-(((since - 0.28) / 0.09) ** 2) / 2)
        shoulder = 0.35 * np.exp(-(((since - 0.50) / 0.08) ** 2) / 2)
        return np.minimum(1.0, peak + shoulder)

    def _since_beat(self, time: Signal) -> Signal:
        """Return the seconds since the nearest R, negative before it."""
        beats = time * self._scene.heart_rate / 60
        return (beats - np.round(beats)) * 60 / self._scene.heart_rate


class PatientInBed:
    """The virtual patient, with the monitor's lead II, its impedance, finger and cuff."""

    def __init__(self, seed: int, scene: Scene) -> None:
        self._seed = seed
        self._scene = scene
        who = seed if scene.patient_seed is None else scene.patient_seed
        self._patient = Patient(who, scene.scenario or "healthy")
        self._nibp = self._pressures()

    def second(self, number: int) -> Second:
        """Return a second of the patient."""
        patient, scene = self._patient, self._scene
        state = patient.state(number + 1.0)
        ecg_mv = patient.ecg(number, number + 1, ECG_FS)[LEADS.index("II")] / 1000
        lead_off = bool(np.isnan(ecg_mv).any()) or within(scene.lead_off, number)
        apnea = within(scene.apnea, number) or all(
            patient.breathing.is_stopped(number - before) for before in (0, APNEA_S)
        )
        breath = 2 * patient.respiration(number, number + 1, SLOW_FS) - 1
        if lead_off:
            ecg_mv = np.zeros(ECG_SAMPLES)
        rate = round(state.respiration_rate or patient.scenario.respiration_rate)
        return Second(
            ecg_mv=ecg_mv if lead_off else ecg_mv + _front_end(self._seed, number),
            breath=breath * 0 if lead_off or within(scene.apnea, number) else breath,
            pulse=np.clip(patient.pleth(number, number + 1, SLOW_FS) / _FULL_PULSE, -1, 2),
            heart_rate=round(state.heart_rate),
            pulse_rate=round(state.pulse_rate),
            spo2=round(state.spo2),
            respiration_rate=rate,
            lead_off=lead_off,
            apnea=apnea,
            nibp=_latest(self._nibp, number),
        )

    def _pressures(self) -> list[tuple[float, Pressure]]:
        """Return what the monitor shows and since when, its pulse rate as of the measurement."""
        given = self._scene.nibp_pulse_rate
        shown: list[tuple[float, Pressure]] = [
            (at_s, (high, low, mean, given or round(self._patient.state(at_s).pulse_rate)))
            for at_s, high, low, mean in self._scene.nibp or ()
        ]
        if self._scene.nibp is None:
            first = self._patient.state(0.0)
            values = (first.systolic, first.diastolic, first.mean_pressure, first.pulse_rate)
            shown.append((0.0, _rounded(values)))
        for run in map(self._patient.deflation, self._scene.nibp_at_s):
            if not run.leaked and run.pulse_rate is not None:
                values = (run.systolic, run.diastolic, run.mean, run.pulse_rate)
                shown.append((run.end_s, _rounded(values)))
        return sorted(shown)


def _times(second: int) -> tuple[Signal, Signal]:
    return second + np.arange(ECG_SAMPLES) / ECG_FS, second + np.arange(SLOW_SAMPLES) / SLOW_FS


def _front_end(seed: int, second: int) -> Signal:
    """Return the noise of the monitor's own input."""
    return np.random.default_rng([seed, second]).normal(0.0, _NOISE_MV, ECG_SAMPLES)


def _latest(history: Sequence[tuple[float, Pressure]], second: int) -> Pressure | None:
    done = [shown for since_s, shown in history if since_s <= second]
    return done[-1] if done else None


def _rounded(values: tuple[float, float, float, float]) -> Pressure:
    systolic, diastolic, mean, pulse_rate = map(round, values)
    return systolic, diastolic, mean, pulse_rate


def within(span: Span, second: float) -> bool:
    """Tell whether a second lies in a span."""
    return span[0] <= second < span[1]
