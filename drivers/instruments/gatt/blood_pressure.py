"""Blood pressure monitors with the Blood Pressure Service (0x1810).

mmHg and kPa are passed on as sent; which of them it is, a flag says and never the size. A status
bit counts only if the cuff says that it can set it, where it says what it can. A pulse outside the
range that the cuff can measure is no value, whatever number is sent with it. Mean 0 is how many
cuffs say that they measure none. The pressure in the cuff while it measures is nobody's blood
pressure: it is told once, as a state, and can prove when the measurement began.

Of the enhanced form's two times only the one shown to people is on the clock that can be read.
"""

from datetime import datetime

from drivers import plausibility
from drivers.inflation import mmhg
from drivers.instruments.gatt.meaning import (
    Command,
    InCuff,
    Meaning,
    Said,
    evidence_of,
    flags_of,
    reading,
    shown,
    status_shown,
    user_of,
)
from drivers.model import Flag, Kind, Metric, Reading, Status, Unit
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.blood_pressure import (
    BloodPressure,
    BloodPressureFeature,
    CuffFeature,
    CuffStatus,
)
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.enhanced_blood_pressure import EnhancedBloodPressure
from drivers.protocols.gatt.medical_float import MedicalFloat, Special

CUFF_PRESSURES = (characteristics.CUFF_PRESSURE, characteristics.ENHANCED_CUFF_PRESSURE)

_PULSE_RANGE = CuffStatus.PULSE_ABOVE_RANGE | CuffStatus.PULSE_BELOW_RANGE
_NEEDS = (
    (CuffFeature.MOVEMENT, CuffStatus.MOVEMENT),
    (CuffFeature.LOOSE, CuffStatus.LOOSE),
    (CuffFeature.IRREGULAR_PULSE, CuffStatus.IRREGULAR_PULSE),
    (CuffFeature.PULSE_RANGE, _PULSE_RANGE),
    (CuffFeature.POSITION, CuffStatus.WRONG_POSITION),
)
_FLAGS = (
    (CuffStatus.MOVEMENT, Flag.BODY_MOVEMENT),
    (CuffStatus.LOOSE, Flag.CUFF_LOOSE),
    (CuffStatus.IRREGULAR_PULSE, Flag.IRREGULAR_PULSE),
    (CuffStatus.WRONG_POSITION, Flag.WRONG_POSITION),
)
_PULSE_STATUS = {
    CuffStatus.PULSE_ABOVE_RANGE: Status.OVER_RANGE,
    CuffStatus.PULSE_BELOW_RANGE: Status.UNDER_RANGE,
}


class Cuff:
    """Remembers what the cuff can do, and whether it was said that it measures."""

    driver = "ble-blood-pressure"
    stored = ((characteristics.BLOOD_PRESSURE, characteristics.ENHANCED_BLOOD_PRESSURE),)
    streamed = (CUFF_PRESSURES,)
    facts = (characteristics.BLOOD_PRESSURE_FEATURE,)
    commands: tuple[Command, ...] = ()
    has_records = False

    def __init__(self) -> None:
        self._can: CuffFeature | None = None
        self._measures = False

    def learn(self, frame: Frame) -> None:
        """Take what the cuff can do."""
        if isinstance(frame, BloodPressureFeature):
            self._can = frame.supported

    def read(self, channel: str, frame: Frame) -> Said:
        """Return the blood pressure, or that one is being measured."""
        if not isinstance(frame, BloodPressure | EnhancedBloodPressure):
            return None
        if channel in CUFF_PRESSURES:
            was, self._measures = self._measures, True
            return InCuff(_in_cuff(frame), None if was else "the cuff is measuring")
        self._measures = False
        return self._meaning(frame)

    def end(self) -> Meaning | None:
        """Return nothing: every payload is whole."""
        return None

    def _meaning(self, frame: BloodPressure | EnhancedBloodPressure) -> Meaning:
        unit = Unit.KPA if frame.is_kpa else Unit.MMHG
        pressures = (
            reading(Metric.SYSTOLIC, frame.systolic, unit),
            reading(Metric.DIASTOLIC, frame.diastolic, unit),
            reading(Metric.MEAN_PRESSURE, frame.mean, unit),
        )
        status = self._meant(frame.status)
        readings = plausibility.agreeing(pressures)
        if frame.pulse_rate is not None:
            readings += (_pulse(frame.pulse_rate, status),)
        return Meaning(
            Kind.BLOOD_PRESSURE,
            readings,
            taken=_taken(frame),
            flags=flags_of(status, _FLAGS),
            evidence=evidence_of(
                ("user", user_of(frame.user)),
                ("measurement-status", status_shown(frame.status, 4)),
                ("pulse-rate-sent", shown(frame.pulse_rate) if status & _PULSE_RANGE else None),
                ("time-stamp", getattr(frame, "time_stamp", None)),
            ),
        )

    def _meant(self, status: CuffStatus | None) -> CuffStatus:
        """Return the bits that this cuff can set."""
        meant = CuffStatus(status or 0)
        if self._can is not None:
            for feature, bits in _NEEDS:
                meant = meant if feature in self._can else meant & ~bits
        return meant


def _in_cuff(frame: BloodPressure | EnhancedBloodPressure) -> float | None:
    """Return the pressure in the cuff: by the profile it stands where systolic does in a result."""
    if isinstance(frame.systolic, Special):
        return None
    return mmhg(frame.systolic.value, Unit.KPA if frame.is_kpa else Unit.MMHG)


def _pulse(rate: MedicalFloat, status: CuffStatus) -> Reading:
    beyond = _PULSE_STATUS.get(status & _PULSE_RANGE, Status.OK)
    return reading(Metric.PULSE_RATE, rate, Unit.PER_MIN, beyond)


def _taken(frame: BloodPressure | EnhancedBloodPressure) -> datetime | None:
    if isinstance(frame, EnhancedBloodPressure):
        return frame.local
    return frame.taken.local if frame.taken else None
