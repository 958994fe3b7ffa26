"""The one table of codes: every metric in LOINC, ISO/IEEE 11073-10101 (MDC) and UCUM.

An MDC number is 32 bits, partition * 65536 + code; its name travels with it so that a reader can
compare the two and refuse what disagrees. A value that no instrument measured (derived by us,
entered by a person) never carries the code of an instrument's measurement.

Sources: IEEE 11073-10101 as used by the HL7 PHD and PoCD implementation guides; US Core for the two
SpO2 codes; the FHIR R4 vital-signs profile, which wants the unit code ``/min`` for every rate.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drivers.model import Flag, Kind, Metric, Status, Unit


@dataclass(frozen=True, slots=True)
class Mdc:
    """A term of the 11073 nomenclature."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Code:
    """What a value is called: its LOINC codes, its MDC term, and the unit it is filed in."""

    text: str
    loinc: tuple[str, ...]
    mdc: Mdc | None
    unit: Unit | None


PANEL = Code("Blood pressure", ("85354-9",), Mdc(150020, "MDC_PRESS_BLD_NONINV"), None)
PRESSURES = (Metric.SYSTOLIC, Metric.DIASTOLIC, Metric.MEAN_PRESSURE)

_OXIMETER_PULSE = Mdc(149530, "MDC_PULS_OXIM_PULS_RATE")
_CUFF_PULSE = Mdc(149546, "MDC_PULS_RATE_NON_INV")
_ANY_PULSE = Mdc(149514, "MDC_PULS_RATE")  # says what it is, and nothing of how it was measured

CODES: Mapping[Metric, Code] = MappingProxyType(
    {
        Metric.SYSTOLIC: Code(
            "Systolic blood pressure",
            ("8480-6",),
            Mdc(150021, "MDC_PRESS_BLD_NONINV_SYS"),
            Unit.MMHG,
        ),
        Metric.DIASTOLIC: Code(
            "Diastolic blood pressure",
            ("8462-4",),
            Mdc(150022, "MDC_PRESS_BLD_NONINV_DIA"),
            Unit.MMHG,
        ),
        Metric.MEAN_PRESSURE: Code(
            "Mean blood pressure",
            ("8478-0",),
            Mdc(150023, "MDC_PRESS_BLD_NONINV_MEAN"),
            Unit.MMHG,
        ),
        Metric.PULSE_RATE: Code("Pulse rate", ("8867-4",), _ANY_PULSE, Unit.PER_MIN),
        Metric.HEART_RATE: Code(
            "Heart rate", ("8867-4",), Mdc(147842, "MDC_ECG_HEART_RATE"), Unit.PER_MIN
        ),
        Metric.SPO2: Code(
            "Oxygen saturation by pulse oximetry",
            ("2708-6", "59408-5"),
            Mdc(150456, "MDC_PULS_OXIM_SAT_O2"),
            Unit.PERCENT,
        ),
        Metric.PERFUSION_INDEX: Code(
            "Perfusion index",
            ("61006-3",),
            Mdc(150448, "MDC_PULS_OXIM_PERF_REL"),
            Unit.PERCENT,
        ),
        Metric.RESPIRATION_RATE: Code(
            "Respiratory rate", ("9279-1",), Mdc(151562, "MDC_RESP_RATE"), Unit.PER_MIN
        ),
        Metric.BODY_TEMPERATURE: Code(
            "Body temperature", ("8310-5",), Mdc(150364, "MDC_TEMP_BODY"), Unit.CELSIUS
        ),
        Metric.WEIGHT: Code(
            "Body weight", ("29463-7",), Mdc(188736, "MDC_MASS_BODY_ACTUAL"), Unit.KG
        ),
        Metric.HEIGHT: Code(
            "Body height", ("8302-2",), Mdc(188740, "MDC_LEN_BODY_ACTUAL"), Unit.CM
        ),
        Metric.BMI: Code(
            "Body mass index",
            ("39156-5",),
            Mdc(188752, "MDC_RATIO_MASS_BODY_LEN_SQ"),
            Unit.KG_PER_M2,
        ),
        Metric.BODY_FAT: Code(
            "Body fat percentage", ("41982-0",), Mdc(188748, "MDC_BODY_FAT"), Unit.PERCENT
        ),
    }
)

# What an instrument of a kind measures under a more exact term.
_EXACT: Mapping[tuple[Kind, Metric], Mdc] = MappingProxyType(
    {
        (Kind.OXIMETRY, Metric.PULSE_RATE): _OXIMETER_PULSE,
        (Kind.BLOOD_PRESSURE, Metric.PULSE_RATE): _CUFF_PULSE,
    }
)

# Terms that others send for the same; read, never written.
_ALSO_READ: Mapping[Mdc, Metric] = MappingProxyType(
    {
        Mdc(150301, "MDC_PRESS_CUFF_SYS"): Metric.SYSTOLIC,
        Mdc(150302, "MDC_PRESS_CUFF_DIA"): Metric.DIASTOLIC,
        Mdc(150303, "MDC_PRESS_CUFF_MEAN"): Metric.MEAN_PRESSURE,
    }
)

METRIC_OF_MDC: Mapping[int, tuple[Metric, str]] = MappingProxyType(
    {code.mdc.number: (metric, code.mdc.name) for metric, code in CODES.items() if code.mdc}
    | {term.number: (metric, term.name) for (_, metric), term in _EXACT.items()}
    | {term.number: (metric, term.name) for term, metric in _ALSO_READ.items()}
)
METRIC_OF_LOINC: Mapping[str, Metric] = MappingProxyType(
    # 8867-4 alone is a heart rate: a pulse always comes with an MDC term that says so.
    {loinc: metric for metric, code in CODES.items() for loinc in code.loinc}
    | {"8867-4": Metric.HEART_RATE}
)


def code_of(metric: Metric, kind: Kind, *, measured: bool) -> Code:
    """Return what a metric of a measurement is called; `measured`: by the instrument itself."""
    general = CODES[metric]
    if measured:
        return Code(
            general.text, general.loinc, _EXACT.get((kind, metric), general.mdc), general.unit
        )
    unspecific = _ANY_PULSE if metric is Metric.PULSE_RATE else None
    return Code(general.text, general.loinc, unspecific, general.unit)


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no value: the R4 reason, words for people, and `<` or `>` for off the scale."""

    reason: str
    text: str
    off_scale: str | None = None


ABSENT: Mapping[Status, Absence] = MappingProxyType(
    {
        Status.NO_VALUE: Absence("unknown", "the instrument gave no value"),
        Status.NOT_A_NUMBER: Absence("not-a-number", "the instrument sent its code for no number"),
        Status.SENSOR_OFF: Absence("not-performed", "the sensor was not on the patient"),
        Status.SENSOR_DISCONNECTED: Absence("not-performed", "the sensor was not connected"),
        Status.SEARCHING: Absence("temp-unknown", "the instrument was still searching"),
        Status.ARTIFACT: Absence("error", "the instrument disowned the value: artifact"),
        Status.FAILED: Absence("error", "the measurement failed"),
        Status.UNDER_RANGE: Absence("error", "below the instrument's range", "<"),
        Status.OVER_RANGE: Absence("error", "above the instrument's range", ">"),
        Status.IMPLAUSIBLE: Absence("error", "a number that no patient can have"),
        Status.NOT_CALIBRATED: Absence("error", "the instrument was not calibrated"),
    }
)


@dataclass(frozen=True, slots=True)
class Remark:
    """What a flag says to people; `status` where the PoCD measurement status has a word for it.

    A remark that is not `of_value` is about the instrument or the way of the value.
    """

    text: str
    status: str | None = None
    of_value: bool = True


QUESTIONABLE = "questionable"

REMARKS: Mapping[Flag, Remark] = MappingProxyType(
    {
        Flag.IRREGULAR_PULSE: Remark("the instrument found an irregular pulse"),
        Flag.BODY_MOVEMENT: Remark("body movement during the measurement", QUESTIONABLE),
        Flag.CUFF_LOOSE: Remark("the cuff was loose", QUESTIONABLE),
        Flag.WRONG_POSITION: Remark("wrong position during the measurement", QUESTIONABLE),
        Flag.ARTIFACT: Remark("artifact in the signal", QUESTIONABLE),
        Flag.OUT_OF_TRACK: Remark("the instrument had lost track of the signal", QUESTIONABLE),
        Flag.LOW_PERFUSION: Remark("low perfusion"),
        Flag.MEDIUM_PERFUSION: Remark("medium perfusion"),
        Flag.GOOD_QUALITY: Remark("good signal quality by the instrument's own measure"),
        Flag.LOW_BATTERY: Remark("the instrument's battery was low", of_value=False),
        Flag.FROM_MEMORY: Remark("read from the instrument's memory", of_value=False),
        Flag.APNEA: Remark("the instrument reported apnea"),
        Flag.ALARM: Remark("the instrument was in alarm", "in-alarm"),
        Flag.QUESTIONABLE: Remark("the instrument called the value questionable", QUESTIONABLE),
        Flag.POSSIBLE_DUPLICATE: Remark(
            "the instrument sent the same before; perhaps one measurement sent twice", QUESTIONABLE
        ),
    }
)


def in_filed_unit(metric: Metric, value: float, unit: Unit) -> tuple[float, Unit]:
    """Return the value in the unit of its code; unchanged where it already is, or cannot be.

    The result is rounded below the resolution of any instrument: what the device sent goes along
    with it unrounded (`edge/fhir/observations.py`).
    """
    wanted = CODES[metric].unit
    if wanted is None or (unit, wanted) not in _CONVERSIONS:
        return value, unit
    scale, offset, digits = _CONVERSIONS[unit, wanted]
    converted = round((value + offset) * scale, digits)
    return (converted, wanted) if math.isfinite(converted) else (value, unit)


# (value + offset) * scale; exact by definition except the millimetre of mercury, which is UCUM's.
_CONVERSIONS: Mapping[tuple[Unit, Unit], tuple[float, float, int]] = MappingProxyType(
    {
        (Unit.KPA, Unit.MMHG): (1 / 0.133322, 0.0, 1),
        (Unit.FAHRENHEIT, Unit.CELSIUS): (5 / 9, -32.0, 2),
        (Unit.POUND, Unit.KG): (0.45359237, 0.0, 2),
        (Unit.METRE, Unit.CM): (100.0, 0.0, 2),
        (Unit.INCH, Unit.CM): (2.54, 0.0, 2),
    }
)
