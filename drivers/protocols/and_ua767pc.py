"""A&D UA-767PC: ten hexadecimal characters after each reading, 9600 8N1, no line end.

characters  content
0-1         80: a reading; anything else: none was made
2-3         systolic minus diastolic, mmHg
4-5         diastolic, mmHg
6-7         pulse, /min
8-9         mean pressure, mmHg (inferred: it lies between the pressures in all that was seen)

There is neither a mark of the start nor a checksum: the ten come together, in 10 ms, and whoever
reads them in time drops what is left of a torn one (see `drivers.instruments.and_ua767.pc`).
Resynchronisation: at any character that is no upper-case hexadecimal digit.
Sources: python-omhe's script for UA-767PC; log of an open receiver for the Bluetooth sister model.
"""

import re
from dataclasses import dataclass, field

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

SIZE = 10
MAX_PENDING = SIZE
IS_READING = 0x80

_HEX = re.compile(rb"[0-9A-F]+")


@dataclass(frozen=True, slots=True)
class Result:
    """One reading, or the message that none was made (`marker` other than 80)."""

    marker: int
    pulse_pressure: int
    diastolic: int
    pulse: int
    last: int
    raw: bytes = field(default=b"", compare=False)


class Decoder(Scanner[Result]):
    """Turn bytes into results. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"[0-9A-F]"), look)


def encode(result: Result) -> bytes:
    """Return the bytes of a result on the wire."""
    parts = (result.marker, result.pulse_pressure, result.diastolic, result.pulse, result.last)
    return bytes(parts).hex().upper().encode("ascii")


def scrub(result: Result) -> bytes:
    """Return the bytes as they are: they identify nobody."""
    return encode(result)


def look(buffer: bytes, at: int) -> Result | NeedMore | None:
    """Return the result that stands at `at`, None if none does."""
    raw = buffer[at : at + SIZE]
    if not _HEX.fullmatch(raw):
        return None
    if len(raw) < SIZE:
        return NEED_MORE
    marker, over, diastolic, pulse, last = bytes.fromhex(raw.decode("ascii"))
    return Result(marker, over, diastolic, pulse, last, raw)
