"""Nonin 3230 and 3150 by their own oximetry service: a value a second, nothing stored.

What is no value: 127 of the saturation, 511 of the pulse, all while it searches, and all that is
encrypted. What the bit CorrectCheck says of the finger is not certain: it is evidence.
"""

from drivers import plausibility
from drivers.instruments.gatt.meaning import Meaning, Said, Streaming, evidence_of, flags_of
from drivers.model import Flag, Kind, Metric, Reading, Status, Unit
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.nonin_ble import (
    MISSING_PULSE,
    MISSING_SPO2,
    NoninOximetry,
    NoninStatus,
)

_FLAGS = (
    (NoninStatus.WEAK_SIGNAL, Flag.LOW_PERFUSION),
    (NoninStatus.SMART_POINT, Flag.GOOD_QUALITY),
    (NoninStatus.LOW_BATTERY, Flag.LOW_BATTERY),
)


class NoninFinger(Streaming):
    """What the oximeter says of the finger in it; remembers nothing."""

    driver = "nonin-ble"
    streamed = ((characteristics.NONIN_OXIMETRY,),)

    def read(self, channel: str, frame: Frame) -> Said:
        """Return the value of the moment."""
        del channel
        if not isinstance(frame, NoninOximetry):
            return None
        readings = _readings(frame)
        flags = flags_of(frame.status, _FLAGS)
        is_value = readings[0].value is not None
        return Meaning(
            Kind.OXIMETRY,
            readings,
            flags=flags if is_value else flags - {Flag.GOOD_QUALITY},
            evidence=evidence_of(
                ("status", f"{frame.status:02x}"),
                ("battery-v", f"{frame.battery_dv / 10:g}"),
                ("counter-s", frame.counter),
            ),
            is_live=True,
        )


def _readings(frame: NoninOximetry) -> tuple[Reading, ...]:
    status = Status.OK
    if frame.status & NoninStatus.ENCRYPTED:
        status = Status.NOT_A_NUMBER
    elif frame.status & NoninStatus.SEARCHING:
        status = Status.SEARCHING
    spo2 = status if frame.spo2 != MISSING_SPO2 else _missing(status)
    pulse = status if frame.pulse_rate != MISSING_PULSE else _missing(status)
    amplitude = frame.amplitude / 100
    return (
        plausibility.reading(Metric.SPO2, frame.spo2, Unit.PERCENT, spo2),
        plausibility.reading(Metric.PULSE_RATE, frame.pulse_rate, Unit.PER_MIN, pulse),
        plausibility.reading(Metric.PERFUSION_INDEX, amplitude, Unit.PERCENT, spo2),
    )


def _missing(status: Status) -> Status:
    return Status.NOT_A_NUMBER if status is Status.OK else status
