"""Body Composition Measurement (2A9C).

flags u16, then the body fat percentage u16, 0.1 %, always; FFFF: it did not succeed
flag 1: Date Time                 flag 2: user u8             flag 3: basal metabolism u16, kJ
flag 4: muscle percentage 0.1 %   flag 5: muscle mass         flag 6: fat-free mass
flag 7: soft lean mass            flag 8: body water mass     flag 9: impedance 0.1 ohm
flag 10: weight                   flag 11: height             flags 13-15 reserved
flag 12: one measurement over two indications, merged in the order they come

Masses are u16 of 0.005 kg, heights of 0.001 m; with flag 0 of 0.01 lb and 0.1 in.

Source: Bluetooth SIG Body Composition Service 1.0 (GATT XML).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from drivers.protocols.gatt.date_time import DateTime, encode_date_time, take_date_time
from drivers.protocols.gatt.fields import Fields, Malformed, packed, packed_rest

_IMPERIAL = 1
_TIME = 1 << 1
_USER = 1 << 2
_MULTI_PACKET = 1 << 12
_RESERVED = 0xE000
_QUANTITIES = {
    "basal_kj": 1 << 3,
    "muscle_percent": 1 << 4,
    "muscle_mass": 1 << 5,
    "fat_free_mass": 1 << 6,
    "soft_lean_mass": 1 << 7,
    "water_mass": 1 << 8,
    "impedance": 1 << 9,
    "weight": 1 << 10,
    "height": 1 << 11,
}


@dataclass(frozen=True, slots=True)
class BodyComposition:
    """One payload of 2A9C, quantities in the steps of the table."""

    fat_percent: int
    is_imperial: bool = False
    taken: DateTime | None = None
    user: int | None = None
    basal_kj: int | None = None
    muscle_percent: int | None = None
    muscle_mass: int | None = None
    fat_free_mass: int | None = None
    soft_lean_mass: int | None = None
    water_mass: int | None = None
    impedance: int | None = None
    weight: int | None = None
    height: int | None = None
    is_multi_packet: bool = False
    rfu: int = 0
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)


def quantities(frame: BodyComposition) -> Iterator[tuple[str, int]]:
    """Yield name and steps of each quantity that was sent, but for the fat percentage."""
    for name in _QUANTITIES:
        steps = getattr(frame, name)
        if steps is not None:
            yield name, steps


def decode(payload: bytes) -> BodyComposition | Malformed:
    """Return what 2A9C says."""
    fields = Fields(payload)
    flags = fields.u16()
    rfu = flags & _RESERVED
    fat_percent = fields.u16()
    taken = take_date_time(fields) if flags & _TIME else None
    user = fields.u8() if flags & _USER else None
    sent = {name: fields.u16() for name, bit in _QUANTITIES.items() if flags & bit}
    frame = BodyComposition(
        fat_percent,
        is_imperial=bool(flags & _IMPERIAL),
        taken=taken,
        user=user,
        is_multi_packet=bool(flags & _MULTI_PACKET),
        rfu=rfu,
        rest=fields.rest() if rfu else b"",
        raw=payload,
        **sent,
    )
    return fields.whole(frame)


def encode(frame: BodyComposition) -> bytes:
    """Return the payload of 2A9C."""
    flags = frame.rfu | (_IMPERIAL if frame.is_imperial else 0)
    flags |= _MULTI_PACKET if frame.is_multi_packet else 0
    body = packed(frame.fat_percent, 2)
    if frame.taken is not None:
        flags, body = flags | _TIME, body + encode_date_time(frame.taken)
    if frame.user is not None:
        flags, body = flags | _USER, body + packed(frame.user, 1)
    for name, steps in quantities(frame):
        flags, body = flags | _QUANTITIES[name], body + packed(steps, 2)
    return packed(flags, 2) + body + packed_rest(frame.rest, frame.rfu, _RESERVED)
