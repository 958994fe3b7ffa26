"""IEEE 11073-20601 floating point numbers: SFLOAT in two bytes, FLOAT in four.

         exponent            mantissa
SFLOAT   bits 15-12, signed  bits 11-0, signed
FLOAT    bits 31-24, signed  bits 23-0, signed

The value is mantissa times ten to the exponent. Five mantissas are no numbers, but only with
exponent 0 (FF F7 is 2047e-1 = 204.7, a hypertensive crisis and not a NaN):

                       SFLOAT  FLOAT
not a number           07FF    007FFFFF
not at this resolution 0800    00800000
plus infinity          07FE    007FFFFE
minus infinity         0802    00800002
reserved               0801    00800001

Sources: IEEE 11073-20601; Bluetooth SIG "Personal Health Devices Transcoding"; the test vectors of
Nordic Semiconductor's Android BLE Common Library. Decoders that take the exponents as unsigned or
biased are in circulation; those vectors and real devices contradict them.
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Special(Enum):
    """What stands in place of a number."""

    NAN = "not a number"
    NRES = "not at this resolution"
    POSITIVE_INFINITY = "plus infinity"
    NEGATIVE_INFINITY = "minus infinity"
    RESERVED = "reserved"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as sent: 120 and 1200e-1 are the same value and different bytes."""

    mantissa: int
    exponent: int = 0

    @classmethod
    def of(cls, value: float, decimals: int = 0) -> "Number":
        """Return a value rounded to so many decimals."""
        return cls(round(value * 10**decimals), -decimals)

    @property
    def value(self) -> float:
        """The nearest float; finite for all that fits into SFLOAT or FLOAT."""
        return float(f"{self.mantissa}e{self.exponent}")


MedicalFloat: TypeAlias = Number | Special

SFLOAT_BYTES = 2
FLOAT_BYTES = 4

_MANTISSA_BITS = {SFLOAT_BYTES: 12, FLOAT_BYTES: 24}
_ABOVE_LOWEST = {
    Special.NRES: 0,
    Special.RESERVED: 1,
    Special.NEGATIVE_INFINITY: 2,
    Special.POSITIVE_INFINITY: -2,
    Special.NAN: -1,
}


def decode(data: bytes) -> MedicalFloat:
    """Return the number in two bytes (SFLOAT) or four (FLOAT)."""
    bits = _MANTISSA_BITS[len(data)]
    word = int.from_bytes(data, "little", signed=True)
    exponent = word >> bits
    mantissa = _signed(word, bits)
    if exponent == 0:
        for special in Special:
            if mantissa == _code(special, bits):
                return special
    return Number(mantissa, exponent)


def encode(number: MedicalFloat, size: int) -> bytes:
    """Return the bytes of a number; ValueError for one that would not be read as what it is."""
    bits = _MANTISSA_BITS[size]
    if isinstance(number, Special):
        mantissa, exponent = _code(number, bits), 0
    else:
        mantissa, exponent = number.mantissa, number.exponent
        high = 1 << (bits - 1)
        low, top = -(1 << (8 * size - bits - 1)), 1 << (8 * size - bits - 1)
        if not (-high <= mantissa < high and low <= exponent < top):
            raise ValueError(f"{mantissa}e{exponent} does not fit into {size} bytes")
        if exponent == 0 and mantissa in {_code(special, bits) for special in Special}:
            raise ValueError(f"{mantissa}e0 is the code of something that is not a number")
    word = exponent << bits | mantissa & ((1 << bits) - 1)
    return word.to_bytes(size, "little", signed=True)


def _code(special: Special, bits: int) -> int:
    """Return the signed mantissa that stands for what is not a number."""
    return _signed((1 << (bits - 1)) + _ABOVE_LOWEST[special], bits)


def _signed(word: int, bits: int) -> int:
    word &= (1 << bits) - 1
    return word - (1 << bits) if word >> (bits - 1) else word
