"""Taking fields off a payload in order, and the reasons why a payload is no frame."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from drivers.protocols.gatt import medical_float
from drivers.protocols.gatt.medical_float import FLOAT_BYTES, SFLOAT_BYTES, MedicalFloat

F = TypeVar("F")


class Reason(StrEnum):
    """What is wrong with a payload."""

    TRUNCATED = "truncated"  # shorter than its own flags say
    OVERLONG = "overlong"  # longer, and no reserved flag that could announce more
    NOT_TEXT = "not-text"  # a string that is not UTF-8
    RESERVED = "reserved"  # the only value it has is one reserved for future use
    UNKNOWN = "unknown"  # a characteristic without a layout here


@dataclass(frozen=True, slots=True)
class Malformed:
    """A payload that is no frame."""

    reason: Reason
    raw: bytes


class Fields:
    """The fields of one payload.

    Past the end every field is zero; `whole` then returns Malformed in place of the frame that
    was made of them, so that a decoder reads straight on and never raises.
    """

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes have not been taken."""
        return max(0, len(self._payload) - self._at)

    def take(self, size: int) -> bytes:
        """Take so many bytes."""
        taken = self._payload[self._at : self._at + size]
        self._at += size
        return taken.ljust(size, b"\0")

    def number(self, size: int) -> int:
        """Take an unsigned whole number."""
        return int.from_bytes(self.take(size), "little")

    def u8(self) -> int:
        """Take one byte."""
        return self.number(1)

    def u16(self) -> int:
        """Take two bytes."""
        return self.number(2)

    def sfloat(self) -> MedicalFloat:
        """Take an SFLOAT."""
        return medical_float.decode(self.take(SFLOAT_BYTES))

    def float(self) -> MedicalFloat:
        """Take a FLOAT."""
        return medical_float.decode(self.take(FLOAT_BYTES))

    def rest(self) -> bytes:
        """Take all that is left."""
        return self.take(self.left)

    def whole(self, frame: F) -> F | Malformed:
        """Return the frame if its fields were exactly the payload, else what was wrong."""
        if self._at > len(self._payload):
            return Malformed(Reason.TRUNCATED, self._payload)
        if self.left:
            return Malformed(Reason.OVERLONG, self._payload)
        return frame


def packed(number: int, size: int) -> bytes:
    """Return an unsigned whole number in so many bytes; ValueError if it does not fit."""
    if not 0 <= number < 1 << (8 * size):
        raise ValueError(f"{number} does not fit into {size} bytes")
    return number.to_bytes(size, "little")


def packed_sfloat(number: MedicalFloat) -> bytes:
    """Return the bytes of an SFLOAT."""
    return medical_float.encode(number, SFLOAT_BYTES)


def packed_float(number: MedicalFloat) -> bytes:
    """Return the bytes of a FLOAT."""
    return medical_float.encode(number, FLOAT_BYTES)


def packed_rest(rest: bytes, rfu: int, allowed: int) -> bytes:
    """Return what reserved flags announced; ValueError where no such flag is set."""
    if rfu & ~allowed:
        raise ValueError(f"flags {rfu:#x}: only the bits {allowed:#x} are reserved")
    if rest and not rfu:
        raise ValueError("more bytes than the flags announce")
    return rest
