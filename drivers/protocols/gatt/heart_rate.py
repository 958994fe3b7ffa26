"""Heart Rate Measurement (2A37).

flags u8, then the rate in /min: u8, flag 0: u16
flags 1-2: contact (0, 1 cannot tell; 2 none; 3 contact)   flag 3: energy since reset u16, kJ
flag 4: RR intervals u16 each to the end, 1/1024 s, oldest first, at least one   flags 5-7 reserved

Sources: Bluetooth SIG Heart Rate Service 1.0 (GATT XML); vectors of Nordic's Android BLE Common
Library.
"""

from dataclasses import dataclass, field

from drivers.protocols.gatt.fields import Fields, Malformed, packed, packed_rest

RR_PER_S = 1024

_WIDE = 1
_CONTACT_SHIFT = 1
_CONTACT = 3
_ENERGY = 8
_RR = 16
_RESERVED = 0xE0


@dataclass(frozen=True, slots=True)
class HeartRate:
    """One payload of 2A37; `contact_bits` as sent, see `contact`."""

    rate: int
    is_wide: bool = False
    contact_bits: int = 0
    energy_kj: int | None = None
    rr: tuple[int, ...] | None = None
    rfu: int = 0
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def contact(self) -> bool | None:
        """Whether the sensor touches skin, None where it cannot tell."""
        return {2: False, 3: True}.get(self.contact_bits)


def decode(payload: bytes) -> HeartRate | Malformed:
    """Return what 2A37 says."""
    fields = Fields(payload)
    flags = fields.u8()
    rfu = flags & _RESERVED
    frame = HeartRate(
        rate=fields.u16() if flags & _WIDE else fields.u8(),
        is_wide=bool(flags & _WIDE),
        contact_bits=flags >> _CONTACT_SHIFT & _CONTACT,
        energy_kj=fields.u16() if flags & _ENERGY else None,
        rr=_intervals(fields) if flags & _RR else None,
        rfu=rfu,
        rest=fields.rest() if rfu else b"",
        raw=payload,
    )
    return fields.whole(frame)


def encode(frame: HeartRate) -> bytes:
    """Return the payload of 2A37."""
    if frame.contact_bits & ~_CONTACT:
        raise ValueError(f"contact {frame.contact_bits}: two bits")
    flags = frame.rfu | frame.contact_bits << _CONTACT_SHIFT | (_WIDE if frame.is_wide else 0)
    body = packed(frame.rate, 2 if frame.is_wide else 1)
    if frame.energy_kj is not None:
        flags, body = flags | _ENERGY, body + packed(frame.energy_kj, 2)
    if frame.rr is not None:
        if not frame.rr or len(frame.rest) > 1:
            raise ValueError("heart rate: RR intervals are at least one and reach to the end")
        flags, body = flags | _RR, body + b"".join(packed(rr, 2) for rr in frame.rr)
    return packed(flags, 1) + body + packed_rest(frame.rest, frame.rfu, _RESERVED)


def _intervals(fields: Fields) -> tuple[int, ...]:
    return tuple(fields.u16() for _ in range(max(1, fields.left // 2)))
