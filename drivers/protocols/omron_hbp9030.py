"""Omron HBP-9030 and HBP-9031C arm-in kiosks, USB (CDC), output format 5 of function item 32.

YYYY,MM,DD,hh,mm,IIIIIIIIIIIIIIIIIIII,E,SSS,DDD,PPP,M      53 characters, CR LF

I  identification of the patient, 20 characters: a patient's
E  error, 0 is none; otherwise systolic, diastolic and pulse are three blanks each
M  how often the arm moved

Other output formats have other columns and are not read: a line is taken only if all 53 characters
stand where this table has them. Resynchronisation: at every line end.
Source: a specification of an open program that quotes the manual 2873643-0F, page 20.
"""

import re
from dataclasses import dataclass, field, replace

from drivers.protocols.lines import LineDecoder

MAX_LINE = 64
MAX_PENDING = MAX_LINE

_IDENT = 20
_LINE = re.compile(
    rb"[\r\n]*(\d{4},\d\d,\d\d,\d\d,\d\d),([\x20-\x7e]{20}),(\d),([ \d]{3}),([ \d]{3}),([ \d]{3}),"
    rb"(\d)\r?\n"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement; numbers are None for blanks, `clock` is YYYY,MM,DD,hh,mm as sent."""

    clock: str
    ident: str = field(repr=False)
    error: int
    systolic: int | None
    diastolic: int | None
    pulse: int | None
    movements: int
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def measured(self) -> bytes:
        """The line's bytes from behind the identification on, as they came."""
        return self.raw[self.raw.index(b",") + 14 + _IDENT :]


class Decoder(LineDecoder[Line]):
    """Turn bytes into lines. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(_parse, MAX_LINE)


def encode(line: Line) -> bytes:
    """Return the bytes of a line on the wire."""
    numbers = (line.systolic, line.diastolic, line.pulse)
    said = ["   " if number is None else f"{number:3}" for number in numbers]
    fields = (line.clock, line.ident, str(line.error), *said, str(line.movements))
    return ",".join(fields).encode("ascii") + b"\r\n"


def scrub(line: Line) -> bytes:
    """Return the line with zeros for the identification."""
    return encode(replace(line, ident="0" * _IDENT))


def _parse(raw: bytes) -> Line | None:
    match = _LINE.fullmatch(raw)
    if match is None:
        return None
    return Line(
        clock=match[1].decode("ascii"),
        ident=match[2].decode("ascii"),
        error=int(match[3]),
        systolic=_number(match[4]),
        diastolic=_number(match[5]),
        pulse=_number(match[6]),
        movements=int(match[7]),
        raw=raw,
    )


def _number(text: bytes) -> int | None:
    digits = text.strip()
    return int(digits) if digits.isdigit() else None
