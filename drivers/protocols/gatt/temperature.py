"""Temperature Measurement (2A1C), Intermediate Temperature (2A1E), Type (2A1D), Interval (2A21).

2A1C and 2A1E   flags u8, then the temperature: FLOAT, flag 0: Fahrenheit, else Celsius
                flag 1: Date Time    flag 2: type u8    flags 3-7 reserved
2A1D            type u8: where on the body, for every measurement that does not say so itself
2A21            u16: seconds between measurements, 0: none are made by themselves

Sources: Bluetooth SIG Health Thermometer Service 1.0 (GATT XML); a vector of Nordic's Android BLE
Common Library. Type 10 is of a later GATT Specification Supplement.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from drivers.protocols.gatt.date_time import DateTime, encode_date_time, take_date_time
from drivers.protocols.gatt.fields import (
    Fields,
    Malformed,
    Reason,
    packed,
    packed_float,
    packed_rest,
)
from drivers.protocols.gatt.medical_float import MedicalFloat

_FAHRENHEIT = 1
_TIME = 2
_TYPE = 4
_RESERVED = 0xF8


class Site(IntEnum):
    """Where a temperature was taken."""

    ARMPIT = 1
    BODY = 2
    EAR = 3
    FINGER = 4
    GASTROINTESTINAL = 5
    MOUTH = 6
    RECTUM = 7
    TOE = 8
    TYMPANUM = 9
    FOREHEAD = 10


@dataclass(frozen=True, slots=True)
class Temperature:
    """One payload of 2A1C or 2A1E; `type` as sent, see `site_of`."""

    temperature: MedicalFloat
    is_fahrenheit: bool = False
    taken: DateTime | None = None
    type: int | None = None
    rfu: int = 0
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TemperatureType:
    """Where a thermometer measures."""

    site: Site
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MeasurementInterval:
    """Seconds between measurements that a thermometer makes by itself."""

    seconds: int
    raw: bytes = field(default=b"", compare=False, repr=False)


def site_of(type_: int | None) -> Site | None:
    """Return where a temperature was taken, None where that is not said or a reserved value."""
    return Site(type_) if type_ in set(Site) else None


def decode(payload: bytes) -> Temperature | Malformed:
    """Return what 2A1C or 2A1E says."""
    fields = Fields(payload)
    flags = fields.u8()
    rfu = flags & _RESERVED
    frame = Temperature(
        temperature=fields.float(),
        is_fahrenheit=bool(flags & _FAHRENHEIT),
        taken=take_date_time(fields) if flags & _TIME else None,
        type=fields.u8() if flags & _TYPE else None,
        rfu=rfu,
        rest=fields.rest() if rfu else b"",
        raw=payload,
    )
    return fields.whole(frame)


def encode(frame: Temperature) -> bytes:
    """Return the payload of 2A1C or 2A1E."""
    flags = frame.rfu | (_FAHRENHEIT if frame.is_fahrenheit else 0)
    body = packed_float(frame.temperature)
    if frame.taken is not None:
        flags, body = flags | _TIME, body + encode_date_time(frame.taken)
    if frame.type is not None:
        flags, body = flags | _TYPE, body + packed(frame.type, 1)
    return packed(flags, 1) + body + packed_rest(frame.rest, frame.rfu, _RESERVED)


def decode_type(payload: bytes) -> TemperatureType | Malformed:
    """Return what 2A1D says."""
    fields = Fields(payload)
    site = site_of(fields.u8())
    if site is None:
        return fields.whole(Malformed(Reason.RESERVED, payload))
    return fields.whole(TemperatureType(site, payload))


def encode_type(frame: TemperatureType) -> bytes:
    """Return the payload of 2A1D."""
    return packed(frame.site, 1)


def decode_interval(payload: bytes) -> MeasurementInterval | Malformed:
    """Return what 2A21 says."""
    fields = Fields(payload)
    return fields.whole(MeasurementInterval(fields.u16(), payload))


def encode_interval(frame: MeasurementInterval) -> bytes:
    """Return the payload of 2A21."""
    return packed(frame.seconds, 2)
