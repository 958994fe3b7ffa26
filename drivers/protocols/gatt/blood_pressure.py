"""Blood Pressure Measurement (2A35), Intermediate Cuff Pressure (2A36) and Feature (2A49).

2A35 and 2A36   flags u8, then
                systolic, diastolic, mean: SFLOAT each, always; flag 0: kPa, else mmHg
                flag 1: Date Time    flag 2: pulse rate SFLOAT, /min    flag 3: user u8
                flag 4: status u16   flags 5-7 reserved
2A49            u16

In 2A36 the first number is the pressure in the cuff now, the other two are unused.
Status bits 3-4 say how the pulse lies to the range that the cuff can measure.

Sources: Bluetooth SIG Blood Pressure Service 1.0 (GATT XML); vectors of Nordic's Android BLE Common
Library.
"""

from dataclasses import dataclass, field
from enum import IntFlag

from drivers.protocols.gatt.date_time import DateTime, encode_date_time, take_date_time
from drivers.protocols.gatt.fields import Fields, Malformed, packed, packed_rest, packed_sfloat
from drivers.protocols.gatt.medical_float import MedicalFloat

UNKNOWN_USER = 255

_KPA = 1
_TIME = 2
_PULSE = 4
_USER = 8
_STATUS = 16
_RESERVED = 0xE0


class CuffStatus(IntFlag):
    """What the cuff says about a measurement; reserved bits are kept."""

    MOVEMENT = 1
    LOOSE = 2
    IRREGULAR_PULSE = 4
    PULSE_ABOVE_RANGE = 8
    PULSE_BELOW_RANGE = 16  # with the bit above also set: reserved
    WRONG_POSITION = 32


class CuffFeature(IntFlag):
    """Which status bits a cuff can set; reserved bits are kept."""

    MOVEMENT = 1
    LOOSE = 2
    IRREGULAR_PULSE = 4
    PULSE_RANGE = 8
    POSITION = 16
    MULTIPLE_BONDS = 32


@dataclass(frozen=True, slots=True)
class BloodPressure:
    """One payload of 2A35 or 2A36; `rest` is what reserved flags (`rfu`) announced."""

    systolic: MedicalFloat
    diastolic: MedicalFloat
    mean: MedicalFloat
    is_kpa: bool = False
    taken: DateTime | None = None
    pulse_rate: MedicalFloat | None = None
    user: int | None = None
    status: CuffStatus | None = None
    rfu: int = 0
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BloodPressureFeature:
    """What a cuff can do."""

    supported: CuffFeature
    raw: bytes = field(default=b"", compare=False, repr=False)


def decode(payload: bytes) -> BloodPressure | Malformed:
    """Return what 2A35 or 2A36 says."""
    fields = Fields(payload)
    flags = fields.u8()
    rfu = flags & _RESERVED
    frame = BloodPressure(
        systolic=fields.sfloat(),
        diastolic=fields.sfloat(),
        mean=fields.sfloat(),
        is_kpa=bool(flags & _KPA),
        taken=take_date_time(fields) if flags & _TIME else None,
        pulse_rate=fields.sfloat() if flags & _PULSE else None,
        user=fields.u8() if flags & _USER else None,
        status=CuffStatus(fields.u16()) if flags & _STATUS else None,
        rfu=rfu,
        rest=fields.rest() if rfu else b"",
        raw=payload,
    )
    return fields.whole(frame)


def encode(frame: BloodPressure) -> bytes:
    """Return the payload of 2A35 or 2A36."""
    flags = frame.rfu | (_KPA if frame.is_kpa else 0)
    numbers = (frame.systolic, frame.diastolic, frame.mean)
    body = b"".join(packed_sfloat(number) for number in numbers)
    if frame.taken is not None:
        flags, body = flags | _TIME, body + encode_date_time(frame.taken)
    if frame.pulse_rate is not None:
        flags, body = flags | _PULSE, body + packed_sfloat(frame.pulse_rate)
    if frame.user is not None:
        flags, body = flags | _USER, body + packed(frame.user, 1)
    if frame.status is not None:
        flags, body = flags | _STATUS, body + packed(frame.status, 2)
    return packed(flags, 1) + body + packed_rest(frame.rest, frame.rfu, _RESERVED)


def decode_feature(payload: bytes) -> BloodPressureFeature | Malformed:
    """Return what 2A49 says."""
    fields = Fields(payload)
    return fields.whole(BloodPressureFeature(CuffFeature(fields.u16()), payload))


def encode_feature(frame: BloodPressureFeature) -> bytes:
    """Return the payload of 2A49."""
    return packed(frame.supported, 2)
