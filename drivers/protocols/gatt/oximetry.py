"""Pulse oximeters: Spot-check (2A5E), Continuous Measurement (2A5F) and Features (2A60).

2A5E   flags u8, SpO2 SFLOAT %, pulse rate SFLOAT /min, then
       flag 0: Date Time   flag 1: measurement status u16   flag 2: device and sensor status u24
       flag 3: pulse amplitude index SFLOAT %   flag 4: the clock is not set   flags 5-7 reserved
2A5F   flags u8, SpO2 and pulse rate of the normal averaging, then
       flag 0: the same, fast   flag 1: the same, slow   flag 2: measurement status
       flag 3: device and sensor status   flag 4: pulse amplitude index   flags 5-7 reserved
2A60   u16, then bit 0: supported measurement status u16, bit 1: supported device status u24

ChoiceMMed C208S sets flag 5 of 2A5E and puts a respiration rate into the third byte of the device
status, whose bits 16-23 are reserved: whoever reads the status takes bits 0-15 only.

Sources: Bluetooth SIG Pulse Oximeter Service 1.0.1 (GATT XML); a recorded frame of a C208S.
"""

from dataclasses import dataclass, field
from enum import IntFlag

from drivers.protocols.gatt.date_time import DateTime, encode_date_time, take_date_time
from drivers.protocols.gatt.fields import Fields, Malformed, packed, packed_rest, packed_sfloat
from drivers.protocols.gatt.medical_float import MedicalFloat

DEVICE_STATUS_BITS = 0xFFFF  # the others are reserved, and in use by a vendor

_RESERVED = 0xE0
_SPOT_TIME, _SPOT_STATUS, _SPOT_DEVICE, _SPOT_AMPLITUDE, _SPOT_UNSET = 1, 2, 4, 8, 16
_FAST, _SLOW, _STATUS, _DEVICE, _AMPLITUDE = 1, 2, 4, 8, 16
_HAS_STATUS, _HAS_DEVICE = 1, 2


class MeasurementStatus(IntFlag):
    """How a value came about; reserved bits are kept."""

    ONGOING = 1 << 5
    EARLY = 1 << 6
    VALIDATED = 1 << 7
    FULLY_QUALIFIED = 1 << 8
    FROM_STORAGE = 1 << 9
    DEMO = 1 << 10
    TEST = 1 << 11
    CALIBRATING = 1 << 12
    UNAVAILABLE = 1 << 13
    QUESTIONABLE = 1 << 14
    INVALID = 1 << 15


class DeviceStatus(IntFlag):
    """How oximeter and sensor are; reserved bits are kept."""

    EXTENDED_DISPLAY_UPDATE = 1 << 0
    EQUIPMENT_MALFUNCTION = 1 << 1
    SIGNAL_IRREGULARITY = 1 << 2
    INADEQUATE_SIGNAL = 1 << 3
    POOR_SIGNAL = 1 << 4
    LOW_PERFUSION = 1 << 5
    ERRATIC_SIGNAL = 1 << 6
    NON_PULSATILE = 1 << 7
    QUESTIONABLE_PULSE = 1 << 8
    SIGNAL_ANALYSIS_ONGOING = 1 << 9
    SENSOR_INTERFERENCE = 1 << 10
    SENSOR_UNCONNECTED_TO_USER = 1 << 11
    UNKNOWN_SENSOR = 1 << 12
    SENSOR_DISPLACED = 1 << 13
    SENSOR_MALFUNCTION = 1 << 14
    SENSOR_DISCONNECTED = 1 << 15


class OximeterFeature(IntFlag):
    """What an oximeter can do; reserved bits are kept."""

    MEASUREMENT_STATUS = 1
    DEVICE_STATUS = 2
    STORAGE = 4
    TIMESTAMP = 8
    FAST = 16
    SLOW = 32
    PULSE_AMPLITUDE = 64
    MULTIPLE_BONDS = 128


@dataclass(frozen=True, slots=True)
class Saturation:
    """SpO2 in percent and pulse rate in /min, of one averaging."""

    spo2: MedicalFloat
    pulse_rate: MedicalFloat


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """One payload of 2A5E."""

    saturation: Saturation
    taken: DateTime | None = None
    status: MeasurementStatus | None = None
    device: DeviceStatus | None = None
    pulse_amplitude: MedicalFloat | None = None
    clock_unset: bool = False
    rfu: int = 0
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Continuous:
    """One payload of 2A5F."""

    saturation: Saturation
    fast: Saturation | None = None
    slow: Saturation | None = None
    status: MeasurementStatus | None = None
    device: DeviceStatus | None = None
    pulse_amplitude: MedicalFloat | None = None
    rfu: int = 0
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OximeterFeatures:
    """What an oximeter can do, and which status bits it can set."""

    supported: OximeterFeature
    status: MeasurementStatus | None = None
    device: DeviceStatus | None = None
    raw: bytes = field(default=b"", compare=False, repr=False)


def decode_spot_check(payload: bytes) -> SpotCheck | Malformed:
    """Return what 2A5E says."""
    fields = Fields(payload)
    flags = fields.u8()
    rfu = flags & _RESERVED
    frame = SpotCheck(
        saturation=_saturation(fields),
        taken=take_date_time(fields) if flags & _SPOT_TIME else None,
        status=MeasurementStatus(fields.u16()) if flags & _SPOT_STATUS else None,
        device=DeviceStatus(fields.number(3)) if flags & _SPOT_DEVICE else None,
        pulse_amplitude=fields.sfloat() if flags & _SPOT_AMPLITUDE else None,
        clock_unset=bool(flags & _SPOT_UNSET),
        rfu=rfu,
        rest=fields.rest() if rfu else b"",
        raw=payload,
    )
    return fields.whole(frame)


def encode_spot_check(frame: SpotCheck) -> bytes:
    """Return the payload of 2A5E."""
    flags, body = frame.rfu | (_SPOT_UNSET if frame.clock_unset else 0), _packed(frame.saturation)
    if frame.taken is not None:
        flags, body = flags | _SPOT_TIME, body + encode_date_time(frame.taken)
    if frame.status is not None:
        flags, body = flags | _SPOT_STATUS, body + packed(frame.status, 2)
    if frame.device is not None:
        flags, body = flags | _SPOT_DEVICE, body + packed(frame.device, 3)
    if frame.pulse_amplitude is not None:
        flags, body = flags | _SPOT_AMPLITUDE, body + packed_sfloat(frame.pulse_amplitude)
    return packed(flags, 1) + body + packed_rest(frame.rest, frame.rfu, _RESERVED)


def decode_continuous(payload: bytes) -> Continuous | Malformed:
    """Return what 2A5F says."""
    fields = Fields(payload)
    flags = fields.u8()
    rfu = flags & _RESERVED
    frame = Continuous(
        saturation=_saturation(fields),
        fast=_saturation(fields) if flags & _FAST else None,
        slow=_saturation(fields) if flags & _SLOW else None,
        status=MeasurementStatus(fields.u16()) if flags & _STATUS else None,
        device=DeviceStatus(fields.number(3)) if flags & _DEVICE else None,
        pulse_amplitude=fields.sfloat() if flags & _AMPLITUDE else None,
        rfu=rfu,
        rest=fields.rest() if rfu else b"",
        raw=payload,
    )
    return fields.whole(frame)


def encode_continuous(frame: Continuous) -> bytes:
    """Return the payload of 2A5F."""
    flags, body = frame.rfu, _packed(frame.saturation)
    if frame.fast is not None:
        flags, body = flags | _FAST, body + _packed(frame.fast)
    if frame.slow is not None:
        flags, body = flags | _SLOW, body + _packed(frame.slow)
    if frame.status is not None:
        flags, body = flags | _STATUS, body + packed(frame.status, 2)
    if frame.device is not None:
        flags, body = flags | _DEVICE, body + packed(frame.device, 3)
    if frame.pulse_amplitude is not None:
        flags, body = flags | _AMPLITUDE, body + packed_sfloat(frame.pulse_amplitude)
    return packed(flags, 1) + body + packed_rest(frame.rest, frame.rfu, _RESERVED)


def decode_features(payload: bytes) -> OximeterFeatures | Malformed:
    """Return what 2A60 says."""
    fields = Fields(payload)
    supported = OximeterFeature(fields.u16())
    frame = OximeterFeatures(
        supported=supported,
        status=MeasurementStatus(fields.u16()) if supported & _HAS_STATUS else None,
        device=DeviceStatus(fields.number(3)) if supported & _HAS_DEVICE else None,
        raw=payload,
    )
    return fields.whole(frame)


def encode_features(frame: OximeterFeatures) -> bytes:
    """Return the payload of 2A60; ValueError where its first bits and its parts disagree."""
    has = (frame.status is not None, frame.device is not None)
    if has != (bool(frame.supported & _HAS_STATUS), bool(frame.supported & _HAS_DEVICE)):
        raise ValueError("oximeter features: a supported status goes with its bit")
    payload = packed(frame.supported, 2)
    payload += packed(frame.status, 2) if frame.status is not None else b""
    return payload + (packed(frame.device, 3) if frame.device is not None else b"")


def _saturation(fields: Fields) -> Saturation:
    return Saturation(fields.sfloat(), fields.sfloat())


def _packed(saturation: Saturation) -> bytes:
    return packed_sfloat(saturation.spo2) + packed_sfloat(saturation.pulse_rate)
