"""The one table of codes: every metric in LOINC, ISO/IEEE 11073-10101 (MDC) and UCUM.

An MDC number is 32 bits, partition * 65536 + code; its name travels with it so that a reader can
compare the two and refuse what disagrees. A value that no instrument measured (derived by us,
entered by a person) never carries the code of an instrument's measurement, unless it has no other.

Sources: IEEE 11073-10101 as used by the HL7 PHD and PoCD implementation guides; US Core for the two
SpO2 codes; the FHIR R4 vital-signs profile, which wants the unit code ``/min`` for every rate. The
terms of ECGs are those of DICOM PS3.16 (CID 3228 and 3689), after IEEE 11073-10102.
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


def _interval(text: str, loinc: tuple[str, ...], number: int, name: str) -> Code:
    return Code(text, loinc, Mdc(number, name), Unit.MILLISECOND)


def _axis(text: str, loinc: str, number: int, name: str) -> Code:
    return Code(text, (loinc,), Mdc(number, name), Unit.DEGREE)


# A twelve-lead ECG: the study, the panel of its measurements, what a cart or a person says of it.
ECG_STUDY = Code("12-lead ECG", ("11524-6",), None, None)
ECG_PANEL = Code("12-lead ECG measurements", ("34534-8",), None, None)
ECG_IMPRESSION = Code("ECG impression", ("8601-7",), None, None)
ECG_WAVEFORM = Code("12-lead ECG waveform", ("11524-6",), Mdc(131328, "MDC_ECG_ELEC_POTL"), None)

# The potential of each lead is MDC_ECG_ELEC_POTL plus the lead's own number.
LEADS: Mapping[str, Mdc] = MappingProxyType(
    {
        name: Mdc(131328 + number, f"MDC_ECG_ELEC_POTL_{name.upper()}")
        for name, number in (
            *(("I", 1), ("II", 2), ("V1", 3), ("V2", 4), ("V3", 5), ("V4", 6), ("V5", 7)),
            *(("V6", 8), ("III", 61), ("aVR", 62), ("aVL", 63), ("aVF", 64)),
        )
    }
)
LEAD_OF_MDC: Mapping[str, str] = MappingProxyType(
    {str(term.number): name for name, term in LEADS.items()}
)

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
        Metric.RR_INTERVAL: _interval("RR interval", (), 147240, "MDC_ECG_TIME_PD_RR_GL"),
        Metric.P_DURATION: _interval("P duration", (), 147256, "MDC_ECG_TIME_PD_P_GL"),
        Metric.PR_INTERVAL: _interval("PR interval", ("8625-6",), 146944, "MDC_ECG_TIME_PD_PR"),
        Metric.QRS_DURATION: _interval(
            "QRS duration", ("8633-0",), 147228, "MDC_ECG_TIME_PD_QRS_GL"
        ),
        Metric.QT_INTERVAL: _interval("QT interval", ("8634-8",), 147232, "MDC_ECG_TIME_PD_QT_GL"),
        Metric.QTC: _interval("QTc interval", ("8636-3",), 146948, "MDC_ECG_TIME_PD_QTC"),
        Metric.QTC_BAZETT: _interval(
            "QTc interval by Bazett", ("76635-2",), 146952, "MDC_ECG_TIME_PD_QTC_BAZETT"
        ),
        Metric.QTC_FRIDERICIA: _interval(
            "QTc interval by Fridericia", ("76634-5",), 146964, "MDC_ECG_TIME_PD_QTC_FREDERICA"
        ),
        Metric.P_AXIS: _axis("P axis", "8626-4", 147200, "MDC_ECG_ANGLE_P_FRONT"),
        Metric.QRS_AXIS: _axis("QRS axis", "8632-2", 147204, "MDC_ECG_ANGLE_QRS_FRONT"),
        Metric.T_AXIS: _axis("T axis", "8638-9", 147208, "MDC_ECG_ANGLE_T_FRONT"),
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
    unspecific = None if general.loinc else general.mdc
    if metric is Metric.PULSE_RATE:
        unspecific = _ANY_PULSE
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
