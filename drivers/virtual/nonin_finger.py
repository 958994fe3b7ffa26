"""The finger in a virtual Nonin oximeter: what its sensor sees and its averages show at any time.

All functions of time are closed forms, so that the same scene gives the same bytes whenever and
however often it is asked.
"""

import math
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec.structs import replace

from drivers.virtual.patient import Patient
from drivers.virtual.physiology.scenarios import scenario_named

Span: TypeAlias = tuple[float, float]

AVERAGE_BEATS = 4
REFRESH_S = 1.5
HOLD_S = 10.0
LIGHT_S = 12 / 75
OUT_OF_TRACK_AFTER_S = 3.0
WEAK_PERCENT = 0.4  # of pulsating light, below which the perfusion light is red

_RATE_SWING = 2.0
_RATE_PERIOD_S = 37.0
_SPO2_SWING = 0.6
_SPO2_PERIOD_S = 53.0
_SYSTOLE = (0.20, 0.075, 1.0)  # position and width in parts of a beat, height
_DICROTIC = (0.52, 0.110, 0.42)
_DARK, _LIGHT_PER_PERCENT = 0.1, 0.3
_LOOK_BACK_S = 12.0  # holds five pulses of any scenario


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The patient, the instrument and what befalls them; spans are from and until, in seconds.

    `data_format` None is what the model sends from the factory. `started` is the right local time
    at second 0, `clock_offset_s` how far the instrument's clock is ahead of it. `backlog` spot
    checks of other people wait in the memory; `spot_at_s` are those made while connected.
    With `patient_seed` or `scenario` the finger is the virtual patient's, with that patient's
    pulse, saturation, motion and perfusion.
    """

    model: Literal["OEM III", "3150", "9560"] = "3150"
    data_format: Literal[2, 7, 8, 13] | None = 2
    spo2: Annotated[int, msgspec.Meta(ge=1, le=100)] = 97
    pulse_rate: Annotated[int, msgspec.Meta(ge=18, le=321)] = 72
    finger_off: tuple[Span, ...] = ()
    artifact: tuple[Span, ...] = ()
    low_perfusion: tuple[Span, ...] = ()
    sensor_disconnected: tuple[Span, ...] = ()
    low_battery: bool = False
    serial: Annotated[str, msgspec.Meta(min_length=9, max_length=9)] = "501234567"
    started: datetime = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone
    clock_offset_s: float = 0.0
    backlog: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    spot_at_s: tuple[float, ...] = ()
    patient_seed: Annotated[int, msgspec.Meta(ge=0)] | None = None
    scenario: str | None = None

    def __post_init__(self) -> None:
        """Refuse a scenario nobody knows."""
        if self.scenario is not None:
            scenario_named(self.scenario)


class Finger:
    """Pulse and saturation of one scene; a seed moves their phases, not their means."""

    def __init__(self, seed: int, scene: Scene) -> None:
        chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.scene = scene
        self._rate_phase = chance.uniform(0, math.tau)
        self._spo2_phase = chance.uniform(0, math.tau)

    def rate(self, at_s: float) -> float:
        """Return the pulse rate in /min."""
        swing = math.sin(math.tau * at_s / _RATE_PERIOD_S + self._rate_phase)
        return self.scene.pulse_rate + _RATE_SWING * swing

    def spo2(self, at_s: float) -> float:
        """Return the saturation in percent."""
        swing = math.sin(math.tau * at_s / _SPO2_PERIOD_S + self._spo2_phase)
        return min(100.0, self.scene.spo2 + _SPO2_SWING * swing)

    def _pleth(self, at_s: float) -> float:
        """Return the pulse wave, 0 to 1: a systolic wave and its echo, weak where perfusion is."""
        if self.is_off(at_s):
            return 0.0
        beat = self._beats(at_s) % 1.0
        wave = sum(
            height * math.exp(-0.5 * ((beat - where) / width) ** 2)
            for where, width, height in (_SYSTOLE, _DICROTIC)
        )
        gain = 0.15 if within(self.scene.low_perfusion, at_s) else 0.8
        return 0.1 + gain * min(1.0, wave)

    def wave(self, times: Sequence[float]) -> list[float]:
        """Return the pulse wave at rising times."""
        return [self._pleth(at_s) for at_s in times]

    def is_off(self, at_s: float) -> bool:
        """Whether there is no finger in the sensor, or no sensor."""
        scene = self.scene
        return within(scene.finger_off, at_s) or within(scene.sensor_disconnected, at_s)

    def is_out_of_track(self, at_s: float) -> bool:
        """Whether artifact has lasted so long that there was no good pulse for some time."""
        return any(start + OUT_OF_TRACK_AFTER_S <= at_s < end for start, end in self.scene.artifact)

    def is_lit(self, at_s: float) -> bool:
        """Whether the perfusion light, which is lit after each pulse, is on."""
        return not self.is_off(at_s) and self.since_pulse(at_s) < LIGHT_S

    def since_pulse(self, at_s: float) -> float:
        """Return the seconds since the last pulse began."""
        return self._beats(at_s) % 1.0 * 60 / self.rate(at_s)

    def recorded(self, at_s: float) -> tuple[int, int] | None:
        """Return pulse rate and SpO2 for recording: from the fourth beat until the finger goes."""
        if self.is_off(at_s):
            return None
        warm_up_s = AVERAGE_BEATS * 60 / self.rate(at_s)
        if at_s - self._on_since(at_s) < warm_up_s:
            return None
        return round(self.rate(at_s)), round(self.spo2(at_s))

    def displayed(self, at_s: float) -> tuple[int, int] | None:
        """Return what the display shows: renewed every 1.5 s, held for 10 s without a finger."""
        refreshed_s = math.floor(at_s / REFRESH_S) * REFRESH_S
        for start, end in (*self.scene.finger_off, *self.scene.sensor_disconnected):
            if start <= at_s < end:
                before = (math.ceil(start / REFRESH_S) - 1) * REFRESH_S
                return self.recorded(before) if at_s - start < HOLD_S else None
        return self.recorded(refreshed_s)

    def _on_since(self, at_s: float) -> float:
        scene = self.scene
        ends = [end for _, end in (*scene.finger_off, *scene.sensor_disconnected) if end <= at_s]
        return max(ends, default=0.0)

    def _beats(self, at_s: float) -> float:
        """Return the beats since second 0: the integral of the rate."""
        swing = math.cos(self._rate_phase) - math.cos(
            math.tau * at_s / _RATE_PERIOD_S + self._rate_phase
        )
        return (self.scene.pulse_rate * at_s + _RATE_SWING * _RATE_PERIOD_S / math.tau * swing) / 60


class PatientFinger(Finger):
    """The virtual patient's finger: what moves or hides its pulse is the patient's too."""

    def __init__(self, seed: int, scene: Scene) -> None:
        who = seed if scene.patient_seed is None else scene.patient_seed
        self._patient = patient = Patient(who, scene.scenario or "healthy")
        weak = patient.scenario.perfusion_index < WEAK_PERCENT
        worn = replace(
            scene,
            artifact=(*scene.artifact, *patient.scenario.motion),
            low_perfusion=((0.0, math.inf),) if weak else scene.low_perfusion,
        )
        super().__init__(seed, worn)

    def rate(self, at_s: float) -> float:
        """Return the pulse rate in /min, of the last four beats."""
        pulses = self._felt(at_s)[-AVERAGE_BEATS - 1 :]
        return 60 * (len(pulses) - 1) / (pulses[-1] - pulses[0])

    def spo2(self, at_s: float) -> float:
        """Return the saturation in percent."""
        return self._patient.saturation.at(at_s)

    def wave(self, times: Sequence[float]) -> list[float]:
        """Return the pulse wave, 0 to 1, at rising times, at a gain that a warm finger fills."""
        light = self._patient.circulation.pleth(np.array(times))
        wave = np.clip(_DARK + _LIGHT_PER_PERCENT * light, 0.0, 1.0)
        return [0.0 if self.is_off(at_s) else float(x) for at_s, x in zip(times, wave, strict=True)]

    def since_pulse(self, at_s: float) -> float:
        """Return the seconds since the last pulse that can be felt began."""
        return at_s - self._felt(at_s)[-1]

    def _felt(self, at_s: float) -> list[float]:
        pulses = self._patient.pulses(at_s - _LOOK_BACK_S, at_s)
        return [pulse.foot_s for pulse in pulses if pulse.felt and pulse.foot_s <= at_s]


def finger_of(seed: int, scene: Scene) -> Finger:
    """Return the finger in the sensor: the virtual patient's if the scene names one."""
    on_patient = scene.patient_seed is not None or scene.scenario is not None
    return PatientFinger(seed, scene) if on_patient else Finger(seed, scene)


def within(spans: tuple[Span, ...], at_s: float) -> bool:
    """Whether a moment lies in one of the spans."""
    return any(start <= at_s < end for start, end in spans)
