"""Enhanced Blood Pressure Measurement (2B34) and Enhanced Intermediate Cuff Pressure (2B35).

flags u8, then
systolic, diastolic, mean: SFLOAT each, always; flag 0: kPa, else mmHg
flag 1: time stamp u32    flag 2: pulse rate SFLOAT, /min    flag 3: user u8
flag 4: status u16        flag 5: user-facing time u32       flag 7 reserved

Both times are seconds since 1900-01-01, or since 2000-01-01 where flag 6 is set. The user-facing
time is what the instrument shows to people; the time stamp is its own count. In 2B35 the first
number is the pressure in the cuff now, the other two are unused.

Sources: Bluetooth SIG GATT Specification Supplement as quoted in trouble-host; the layout, not the
numbers, of the tests of bluetooth-sig-python.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drivers.protocols.gatt.blood_pressure import CuffStatus
from drivers.protocols.gatt.fields import Fields, Malformed, packed, packed_rest, packed_sfloat
from drivers.protocols.gatt.medical_float import MedicalFloat

_KPA = 1
_TIME = 2
_PULSE = 4
_USER = 8
_STATUS = 16
_USER_FACING = 32
_SINCE_2000 = 64
_RESERVED = 0x80


@dataclass(frozen=True, slots=True)
class EnhancedBloodPressure:
    """One payload of 2B34 or 2B35; times in seconds since `epoch`."""

    systolic: MedicalFloat
    diastolic: MedicalFloat
    mean: MedicalFloat
    is_kpa: bool = False
    time_stamp: int | None = None
    pulse_rate: MedicalFloat | None = None
    user: int | None = None
    status: CuffStatus | None = None
    user_facing: int | None = None
    since_2000: bool = False
    rfu: int = 0
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def epoch(self) -> datetime:
        """What the times count from."""
        return datetime(2000 if self.since_2000 else 1900, 1, 1)  # noqa: DTZ001 - no zone is sent

    @property
    def local(self) -> datetime | None:
        """The user-facing time."""
        if self.user_facing is None:
            return None
        return self.epoch + timedelta(seconds=self.user_facing)


def decode(payload: bytes) -> EnhancedBloodPressure | Malformed:
    """Return what 2B34 or 2B35 says."""
    fields = Fields(payload)
    flags = fields.u8()
    rfu = flags & _RESERVED
    frame = EnhancedBloodPressure(
        systolic=fields.sfloat(),
        diastolic=fields.sfloat(),
        mean=fields.sfloat(),
        is_kpa=bool(flags & _KPA),
        time_stamp=fields.number(4) if flags & _TIME else None,
        pulse_rate=fields.sfloat() if flags & _PULSE else None,
        user=fields.u8() if flags & _USER else None,
        status=CuffStatus(fields.u16()) if flags & _STATUS else None,
        user_facing=fields.number(4) if flags & _USER_FACING else None,
        since_2000=bool(flags & _SINCE_2000),
        rfu=rfu,
        rest=fields.rest() if rfu else b"",
        raw=payload,
    )
    return fields.whole(frame)


def encode(frame: EnhancedBloodPressure) -> bytes:
    """Return the payload of 2B34 or 2B35."""
    flags = frame.rfu | (_KPA if frame.is_kpa else 0) | (_SINCE_2000 if frame.since_2000 else 0)
    numbers = (frame.systolic, frame.diastolic, frame.mean)
    body = b"".join(packed_sfloat(number) for number in numbers)
    if frame.time_stamp is not None:
        flags, body = flags | _TIME, body + packed(frame.time_stamp, 4)
    if frame.pulse_rate is not None:
        flags, body = flags | _PULSE, body + packed_sfloat(frame.pulse_rate)
    if frame.user is not None:
        flags, body = flags | _USER, body + packed(frame.user, 1)
    if frame.status is not None:
        flags, body = flags | _STATUS, body + packed(frame.status, 2)
    if frame.user_facing is not None:
        flags, body = flags | _USER_FACING, body + packed(frame.user_facing, 4)
    return packed(flags, 1) + body + packed_rest(frame.rest, frame.rfu, _RESERVED)
