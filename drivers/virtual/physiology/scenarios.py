"""What is the matter with the patient, or with the sensors: named scenarios, and one person each.

A scenario gives the means; a seed draws the person around them, so that two seeds are two people
with the same trouble. Spans are from and until, in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from drivers.virtual.physiology.signals import Topic, chance

Span: TypeAlias = tuple[float, float]


class Rhythm(StrEnum):
    """What leads the heart."""

    SINUS = "sinus"
    FIBRILLATION = "atrial-fibrillation"
    ECTOPY = "ectopy"
    PACED = "paced"


class Source(StrEnum):
    """Where noise in an ECG comes from."""

    MAINS = "mains"
    MUSCLE = "muscle"
    WANDER = "wander"
    MOTION = "motion"


class Electrode(StrEnum):
    """An electrode of a twelve-lead ECG; the one on the right leg measures nothing."""

    RA = "RA"
    LA = "LA"
    LL = "LL"
    V1 = "V1"
    V2 = "V2"
    V3 = "V3"
    V4 = "V4"
    V5 = "V5"
    V6 = "V6"


@dataclass(frozen=True, slots=True)
class Desaturation:
    """No breath from `begin_s` until `end_s`; the saturation would fall by `depth` percent."""

    begin_s: float
    end_s: float
    depth: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """Means of a patient at rest, what befalls them, and the noise that belongs to it (SNR in dB).

    Rates are per minute, pressures mmHg, temperature Celsius; `perfusion_index` is the pulsating
    share of light at the finger in percent, `finger_transit_s` what a pulse takes from R to there,
    `sway` how much of a healthy person's variation the sinus rate has.
    """

    name: str
    title: str
    rhythm: Rhythm = Rhythm.SINUS
    heart_rate: float = 70.0
    sway: float = 1.0
    respiration_rate: float = 14.0
    temperature_c: float = 36.7
    systolic: float = 121.0
    diastolic: float = 77.0
    spo2: float = 97.6
    perfusion_index: float = 2.4
    finger_transit_s: float = 0.21
    desaturations: tuple[Desaturation, ...] = ()
    motion: tuple[Span, ...] = ()
    electrodes_off: tuple[tuple[Electrode, Span], ...] = ()
    cuff_leaks: bool = False
    noise: Mapping[Source, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Person:
    """One body: where its heart lies, how strong its ECG is, and its size."""

    roll_rad: float
    yaw_rad: float
    gain: float
    weight_kg: float
    height_m: float


_ALL = (
    Scenario("healthy", "a healthy adult at rest"),
    Scenario(
        "atrial-fibrillation",
        "irregular RR intervals, no P waves, fibrillatory waves largest in V1",
        rhythm=Rhythm.FIBRILLATION,
        heart_rate=92.0,
        systolic=128.0,
        diastolic=81.0,
    ),
    Scenario(
        "ectopy",
        "a premature ventricular beat after every third to seventh sinus beat, with its pause",
        rhythm=Rhythm.ECTOPY,
        heart_rate=72.0,
    ),
    Scenario(
        "paced",
        "a pacemaker that follows the atrium and paces the right ventricle",
        rhythm=Rhythm.PACED,
        heart_rate=68.0,
        sway=0.3,
        systolic=132.0,
        diastolic=74.0,
    ),
    Scenario(
        "fever",
        "39.2 Celsius, fast heart and breath, warm hands",
        heart_rate=108.0,
        sway=0.5,
        respiration_rate=22.0,
        temperature_c=39.2,
        systolic=112.0,
        diastolic=62.0,
        spo2=95.6,
        perfusion_index=4.1,
        finger_transit_s=0.19,
    ),
    Scenario(
        "low-perfusion",
        "low pressure, cold hands, a pulse hardly seen at the finger",
        heart_rate=104.0,
        sway=0.3,
        respiration_rate=20.0,
        temperature_c=35.8,
        systolic=88.0,
        diastolic=57.0,
        spo2=93.4,
        perfusion_index=0.25,
        finger_transit_s=0.27,
    ),
    Scenario(
        "desaturation",
        "breath stops for forty seconds, and saturation falls and comes back",
        desaturations=(Desaturation(30.0, 70.0, 14.0),),
        spo2=95.4,
    ),
    Scenario(
        "motion",
        "a patient who does not keep still: two seconds in ten, then fifteen at a stretch",
        motion=((4.0, 6.0), (14.0, 16.0), (24.0, 39.0)),
        noise={Source.MOTION: 0.0, Source.MUSCLE: 18.0},
    ),
    Scenario(
        "electrode-off",
        "V3 is off for three seconds, later the left leg for twenty",
        electrodes_off=((Electrode.V3, (3.0, 6.0)), (Electrode.LL, (20.0, 40.0))),
    ),
    Scenario("cuff-leak", "a healthy adult in a cuff that does not hold its air", cuff_leaks=True),
)
SCENARIOS: Mapping[str, Scenario] = MappingProxyType({each.name: each for each in _ALL})


def scenario_named(name: str) -> Scenario:
    """Return a scenario, or raise ValueError with the names there are."""
    try:
        return SCENARIOS[name]
    except KeyError:
        raise ValueError(
            f"no scenario is called {name!r}; known are: {', '.join(SCENARIOS)}"
        ) from None


def person_of(seed: int, scenario: Scenario) -> tuple[Person, Scenario]:
    """Draw a person, and the scenario with that person's own means."""
    draw = chance(seed, Topic.PERSON)
    rate, systolic, diastolic, spo2, warmth, roll, yaw = draw.uniform(-1.0, 1.0, 7)
    height_m = float(_clipped(draw.normal(1.70, 0.09), 1.48, 1.96))
    weight_kg = float(_clipped(draw.normal(25.0, 3.2), 18.5, 36.0)) * height_m**2
    person = Person(
        roll_rad=0.16 * float(roll),
        yaw_rad=0.10 * float(yaw),
        gain=float(draw.uniform(0.88, 1.15)),
        weight_kg=round(weight_kg, 1),
        height_m=round(height_m, 2),
    )
    own = replace(
        scenario,
        heart_rate=scenario.heart_rate * (1 + 0.07 * float(rate)),
        systolic=scenario.systolic + 7 * float(systolic),
        diastolic=scenario.diastolic + 4 * float(diastolic),
        spo2=scenario.spo2 + 0.7 * float(spo2),
        temperature_c=scenario.temperature_c + 0.2 * float(warmth),
    )
    return person, own


def _clipped(value: float, low: float, high: float) -> float:
    """Return the value, or the bound it is beyond."""
    return min(max(value, low), high)


def inside(spans: tuple[Span, ...], at_s: float) -> bool:
    """Whether a moment lies in one of the spans."""
    return any(begin <= at_s < end for begin, end in spans)
