"""Pulse oximeters with the Pulse Oximeter Service (0x1822): stored spot checks and the stream.

Of the three averagings of a stream the normal one is the value; fast and slow are evidence. What
the oximeter disowns is no value: demonstration and test data, invalid, unavailable, no pulse, no
finger, a fault. Everything else is a flag. A spot check whose clock was never set has no time.
"""

from datetime import datetime

from drivers.instruments.gatt.meaning import (
    Command,
    Meaning,
    Said,
    evidence_of,
    flags_of,
    reading,
    shown,
    status_shown,
)
from drivers.model import Flag, Kind, Metric, Reading, Status, Unit
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.medical_float import MedicalFloat
from drivers.protocols.gatt.oximetry import (
    DEVICE_STATUS_BITS,
    Continuous,
    DeviceStatus,
    MeasurementStatus,
    Saturation,
    SpotCheck,
)

# The first that holds says why there is no value.
_NO_VALUE_DEVICE = (
    (DeviceStatus.SENSOR_DISCONNECTED, Status.SENSOR_DISCONNECTED),
    (DeviceStatus.EQUIPMENT_MALFUNCTION | DeviceStatus.SENSOR_MALFUNCTION, Status.FAILED),
    (DeviceStatus.SENSOR_UNCONNECTED_TO_USER | DeviceStatus.SENSOR_DISPLACED, Status.SENSOR_OFF),
    (DeviceStatus.INADEQUATE_SIGNAL | DeviceStatus.NON_PULSATILE, Status.ARTIFACT),
)
_NO_VALUE_STATUS = (
    (MeasurementStatus.DEMO | MeasurementStatus.TEST | MeasurementStatus.INVALID, Status.ARTIFACT),
    (MeasurementStatus.CALIBRATING, Status.NOT_CALIBRATED),
    (MeasurementStatus.UNAVAILABLE, Status.NO_VALUE),
)
_STATUS_FLAGS = (
    (MeasurementStatus.QUESTIONABLE | MeasurementStatus.EARLY, Flag.QUESTIONABLE),
    (MeasurementStatus.VALIDATED | MeasurementStatus.FULLY_QUALIFIED, Flag.GOOD_QUALITY),
    (MeasurementStatus.FROM_STORAGE, Flag.FROM_MEMORY),
)
_DEVICE_FLAGS = (
    (
        DeviceStatus.SIGNAL_IRREGULARITY
        | DeviceStatus.POOR_SIGNAL
        | DeviceStatus.ERRATIC_SIGNAL
        | DeviceStatus.SENSOR_INTERFERENCE,
        Flag.ARTIFACT,
    ),
    (DeviceStatus.LOW_PERFUSION, Flag.LOW_PERFUSION),
    (DeviceStatus.QUESTIONABLE_PULSE | DeviceStatus.UNKNOWN_SENSOR, Flag.QUESTIONABLE),
)


class Finger:
    """What an oximeter says of the finger in it; remembers nothing."""

    driver = "ble-oximeter"
    stored = ((characteristics.SPOT_CHECK,),)
    streamed = ((characteristics.CONTINUOUS,),)
    facts = ()
    commands: tuple[Command, ...] = ()
    has_records = True

    def __init__(self, *, respires: bool = False) -> None:
        self._respires = respires

    def learn(self, frame: Frame) -> None:
        """Take nothing: a status bit that is set takes a value away, whoever may set it."""

    def read(self, channel: str, frame: Frame) -> Said:
        """Return the spot check, or the value of the moment."""
        del channel
        if not isinstance(frame, SpotCheck | Continuous):
            return None
        device = DeviceStatus((frame.device or 0) & DEVICE_STATUS_BITS)
        why_none = _why_none(frame.status, device)
        flags = flags_of(frame.status, _STATUS_FLAGS) | flags_of(device, _DEVICE_FLAGS)
        more = _of_spot_check(frame) if isinstance(frame, SpotCheck) else _of_stream(frame)
        return Meaning(
            Kind.OXIMETRY,
            _readings(frame.saturation, frame.pulse_amplitude, why_none),
            taken=_taken(frame),
            flags=flags if why_none is Status.OK else flags - {Flag.GOOD_QUALITY},
            evidence=evidence_of(
                ("measurement-status", status_shown(frame.status, 4)),
                ("device-status", status_shown(frame.device, 6)),
                ("respiration-rate", _breaths(frame) if self._respires else None),
                *more,
            ),
            is_live=isinstance(frame, Continuous),
        )

    def end(self) -> Meaning | None:
        """Return nothing: every payload is whole."""
        return None


def _readings(
    saturation: Saturation, amplitude: MedicalFloat | None, status: Status
) -> tuple[Reading, ...]:
    readings = (
        reading(Metric.SPO2, saturation.spo2, Unit.PERCENT, status),
        reading(Metric.PULSE_RATE, saturation.pulse_rate, Unit.PER_MIN, status),
    )
    if amplitude is None:
        return readings
    return (*readings, reading(Metric.PERFUSION_INDEX, amplitude, Unit.PERCENT, status))


def _why_none(status: MeasurementStatus | None, device: DeviceStatus) -> Status:
    for bits, why in _NO_VALUE_DEVICE:
        if device & bits:
            return why
    for flags, why in _NO_VALUE_STATUS:
        if status is not None and status & flags:
            return why
    return Status.OK


def _breaths(frame: SpotCheck | Continuous) -> int | None:
    """Return what a ChoiceMMed has in the third byte of the device status, reserved elsewhere."""
    return None if frame.device is None else (frame.device >> 16) or None


def _taken(frame: SpotCheck | Continuous) -> datetime | None:
    if isinstance(frame, Continuous) or frame.clock_unset or frame.taken is None:
        return None
    return frame.taken.local


def _of_spot_check(frame: SpotCheck) -> tuple[tuple[str, object], ...]:
    return (("clock", "never set" if frame.clock_unset else None),)


def _of_stream(frame: Continuous) -> tuple[tuple[str, object], ...]:
    pairs = (("fast", frame.fast), ("slow", frame.slow))
    return tuple(
        (name, f"{shown(pair.spo2)} %, {shown(pair.pulse_rate)} /min" if pair else None)
        for name, pair in pairs
    )
