"""Weight Measurement (2A9D) and Weight Scale Feature (2A9E).

2A9D   flags u8, then the weight u16: 0.005 kg, flag 0: 0.01 lb; FFFF: it did not succeed
       flag 1: Date Time   flag 2: user u8   flag 3: BMI u16, 0.1 kg/m2, and height u16, 0.001 m
       or 0.1 in           flags 4-7 reserved
2A9E   u32: bit 0 time, 1 users, 2 BMI, 3-6 resolution of weight, 7-9 of height

Source: Bluetooth SIG Weight Scale Service 1.0 (GATT XML).
"""

from dataclasses import dataclass, field

from drivers.protocols.gatt.date_time import DateTime, encode_date_time, take_date_time
from drivers.protocols.gatt.fields import Fields, Malformed, packed, packed_rest

UNSUCCESSFUL = 0xFFFF

_IMPERIAL = 1
_TIME = 2
_USER = 4
_BODY = 8
_RESERVED = 0xF0


@dataclass(frozen=True, slots=True)
class Weight:
    """One payload of 2A9D, in the steps of its unit; BMI and height come together."""

    weight: int
    is_imperial: bool = False
    taken: DateTime | None = None
    user: int | None = None
    bmi: int | None = None
    height: int | None = None
    rfu: int = 0
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ScaleFeature:
    """What a scale can do."""

    bits: int
    raw: bytes = field(default=b"", compare=False, repr=False)


def mass(steps: int, *, is_imperial: bool) -> float:
    """Return a mass in pounds or kilograms."""
    return steps / 100 if is_imperial else steps * 5 / 1000


def length(steps: int, *, is_imperial: bool) -> float:
    """Return a length in inches or metres."""
    return steps / 10 if is_imperial else steps / 1000


def decode(payload: bytes) -> Weight | Malformed:
    """Return what 2A9D says."""
    fields = Fields(payload)
    flags = fields.u8()
    rfu = flags & _RESERVED
    frame = Weight(
        weight=fields.u16(),
        is_imperial=bool(flags & _IMPERIAL),
        taken=take_date_time(fields) if flags & _TIME else None,
        user=fields.u8() if flags & _USER else None,
        bmi=fields.u16() if flags & _BODY else None,
        height=fields.u16() if flags & _BODY else None,
        rfu=rfu,
        rest=fields.rest() if rfu else b"",
        raw=payload,
    )
    return fields.whole(frame)


def encode(frame: Weight) -> bytes:
    """Return the payload of 2A9D."""
    flags = frame.rfu | (_IMPERIAL if frame.is_imperial else 0)
    body = packed(frame.weight, 2)
    if frame.taken is not None:
        flags, body = flags | _TIME, body + encode_date_time(frame.taken)
    if frame.user is not None:
        flags, body = flags | _USER, body + packed(frame.user, 1)
    if (frame.bmi is None) is not (frame.height is None):
        raise ValueError("weight: BMI and height come together")
    if frame.bmi is not None and frame.height is not None:
        flags, body = flags | _BODY, body + packed(frame.bmi, 2) + packed(frame.height, 2)
    return packed(flags, 1) + body + packed_rest(frame.rest, frame.rfu, _RESERVED)


def decode_feature(payload: bytes) -> ScaleFeature | Malformed:
    """Return what 2A9E or 2A9B says."""
    fields = Fields(payload)
    return fields.whole(ScaleFeature(fields.number(4), payload))


def encode_feature(frame: ScaleFeature) -> bytes:
    """Return the payload of 2A9E or 2A9B."""
    return packed(frame.bits, 4)
