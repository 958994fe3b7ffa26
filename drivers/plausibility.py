"""What a patient can have: which numbers of an instrument become values.

The ranges are wide on purpose. They catch lost digits, other instruments' bytes and codes nobody
documented; the instrument's own alarms judge the patient.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from drivers.model import Metric, Reading, Status, Unit

_RATE = (10.0, 350.0)  # bradycardia of the dying to neonatal flutter
_QTC = (150.0, 1200.0)
_PRESSURE = (10.0, 300.0)  # no cuff is inflated further (IEC 80601-2-30)
_PRESSURE_KPA = (1.3, 40.0)  # the same

LEAST_PULSE = 0.97
"""Diastolic to systolic, in any unit: where they are nearer, no cuff could have told them apart."""

RANGES: Mapping[tuple[Metric, Unit], tuple[float, float]] = MappingProxyType(
    {
        (Metric.PULSE_RATE, Unit.PER_MIN): _RATE,
        (Metric.HEART_RATE, Unit.PER_MIN): _RATE,
        (Metric.SPO2, Unit.PERCENT): (1.0, 100.0),  # a saturation above 100 % does not exist
        (Metric.PERFUSION_INDEX, Unit.PERCENT): (0.01, 40.0),
        (Metric.SYSTOLIC, Unit.MMHG): _PRESSURE,
        (Metric.DIASTOLIC, Unit.MMHG): _PRESSURE,
        (Metric.MEAN_PRESSURE, Unit.MMHG): _PRESSURE,
        (Metric.SYSTOLIC, Unit.KPA): _PRESSURE_KPA,
        (Metric.DIASTOLIC, Unit.KPA): _PRESSURE_KPA,
        (Metric.MEAN_PRESSURE, Unit.KPA): _PRESSURE_KPA,
        (Metric.BODY_TEMPERATURE, Unit.CELSIUS): (20.0, 46.0),
        (Metric.BODY_TEMPERATURE, Unit.FAHRENHEIT): (68.0, 114.8),
        (Metric.WEIGHT, Unit.KG): (0.2, 500.0),
        (Metric.WEIGHT, Unit.POUND): (0.5, 1100.0),
        (Metric.HEIGHT, Unit.CM): (20.0, 275.0),
        (Metric.HEIGHT, Unit.METRE): (0.2, 2.75),
        (Metric.HEIGHT, Unit.INCH): (8.0, 108.0),
        (Metric.BMI, Unit.KG_PER_M2): (5.0, 200.0),
        (Metric.BODY_FAT, Unit.PERCENT): (1.0, 80.0),
        (Metric.RR_INTERVAL, Unit.MILLISECOND): (150.0, 6000.0),
        (Metric.P_DURATION, Unit.MILLISECOND): (20.0, 300.0),
        (Metric.PR_INTERVAL, Unit.MILLISECOND): (40.0, 800.0),
        (Metric.QRS_DURATION, Unit.MILLISECOND): (30.0, 400.0),
        (Metric.QT_INTERVAL, Unit.MILLISECOND): (120.0, 1000.0),
        (Metric.QTC, Unit.MILLISECOND): _QTC,
        (Metric.QTC_BAZETT, Unit.MILLISECOND): _QTC,
        (Metric.QTC_FRIDERICIA, Unit.MILLISECOND): _QTC,
    }
)


def reading(metric: Metric, value: float | None, unit: Unit, status: Status = Status.OK) -> Reading:
    """Return the value if the instrument stands by it (`status`) and a patient can have it.

    None and 0 are how an instrument says nothing: no metric of `RANGES` can be 0 in a patient.
    """
    low, high = RANGES[metric, unit]
    if status is Status.OK:
        if not value:
            status = Status.NO_VALUE
        elif not low <= value <= high:
            status = Status.IMPLAUSIBLE
    return Reading(metric, float(value) if value and status is Status.OK else None, unit, status)


def axis(metric: Metric, degrees: float | None) -> Reading:
    """Return a frontal axis; 0 is along lead I, and a direction like any other."""
    status = Status.OK
    if degrees is None:
        status = Status.NO_VALUE
    elif not -360.0 <= degrees <= 360.0:
        status = Status.IMPLAUSIBLE
    return Reading(metric, degrees if status is Status.OK else None, Unit.DEGREE, status)


def coded(
    metric: Metric,
    value: int,
    unit: Unit,
    codes: Collection[int],
    status: Status = Status.OK,
) -> Reading:
    """Return the value unless it is one of the `codes` by which the instrument says nothing."""
    if status is Status.OK and value in codes:
        status = Status.NOT_A_NUMBER
    return reading(metric, value, unit, status)


def pressures(
    systolic: float | None,
    diastolic: float | None,
    mean: float | None = None,
    status: Status = Status.OK,
) -> tuple[Reading, ...]:
    """Return the readings of one cuff measurement in mmHg; no mean, no reading of it.

    Pressures that contradict each other are all disbelieved: which of them is wrong cannot be told.
    """
    said = {Metric.SYSTOLIC: systolic, Metric.DIASTOLIC: diastolic}
    if mean is not None:
        said[Metric.MEAN_PRESSURE] = mean
    return agreeing(
        tuple(reading(metric, value, Unit.MMHG, status) for metric, value in said.items())
    )


def agreeing(readings: tuple[Reading, ...]) -> tuple[Reading, ...]:
    """Return the pressures of one cuff measurement, all disbelieved if one of them has to be."""
    value = {each.metric: each.value for each in readings}
    systolic, diastolic = value.get(Metric.SYSTOLIC), value.get(Metric.DIASTOLIC)
    agree = _agree(systolic, value.get(Metric.MEAN_PRESSURE), diastolic)
    if agree and all(each.status is not Status.IMPLAUSIBLE for each in readings):
        return readings
    return tuple(
        each if each.value is None else Reading(each.metric, None, each.unit, Status.IMPLAUSIBLE)
        for each in readings
    )


def _agree(systolic: float | None, mean: float | None, diastolic: float | None) -> bool:
    falling = [value for value in (systolic, mean, diastolic) if value]
    apart = not (systolic and diastolic) or diastolic <= LEAST_PULSE * systolic
    return falling == sorted(falling, reverse=True) and apart
