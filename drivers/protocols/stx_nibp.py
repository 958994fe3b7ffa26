"""Blood-pressure modules with text frames (UN300C, SINNOR N6 and boards of their kind), 4800 8N1.

02 TEXT 03 0D     from the module; from the host the same, with or without 0D

from the host     two digits, ";;" and the check: 01 start, 18 ask for the result, 24 adult,
                  25 neonate, 19 to 23 first pressure 100, 120, 140, 160, 180 mmHg.
                  The byte X alone ends a measurement
from the module   pppCeSs       while it measures: cuff pressure, cuff error, status
                  999           it has ended: ask for the result
                  S0;A0;C03;M00;P120080090;R080;T0005;;hh   status, patient (0 adult), cycle,
                                error, systolic diastolic mean, pulse, time since

The check is the low byte of the sum of the text before it, two upper-case hexadecimal digits.
Dashes, or blanks for the time, stand where there is no number. *Beside an error the pressure of the
measurement before may stand.*

Resynchronisation: at the next 02 behind which a text of the table ends with 03.
Sources: open programs for modules of this kind (Abaton, SINNOR N6, a monitor's firmware, an
ergometer) that agree; two of them quote the maker's technical description of NIBP2020 UP (PAR
Medizintechnik), rev. 2.14, whose printed example has D2 for a check that by its own rule is 40.
"""

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

STX = b"\x02"
ETX = b"\x03"
CR = b"\r"
MAX_PENDING = 42
"""A result: 39 characters between its ends, and what may follow."""

START = 1
ASK = 18
ADULT = 24
NEONATE = 25
FIRST_PRESSURE = {100: 19, 120: 20, 140: 21, 160: 22, 180: 23}
ABORT = b"X"

ERRORS = MappingProxyType(
    {
        "02": "invalid command",
        "06": "cuff loose or not connected, or inflation took too long",
        "07": "a leak",
        "08": "pneumatic fault",
        "09": "took too long, or too few oscillations",
        "10": "out of range",
        "11": "movement",
        "12": "overpressure",
        "13": "amplitudes saturated",
        "14": "a leak in the leak test",
        "15": "system error",
    }
)

_ENDED = b"999"
_PROGRESS = re.compile(rb"(\d{3})C(\d)S(\d)")
_RESULT = re.compile(
    r"S(?P<status>\d);A(?P<patient>\d);C(?P<cycle>\d\d|--);M(?P<error>\d\d|--);"
    r"P(?P<systolic>[-\d]{3})(?P<diastolic>[-\d]{3})(?P<mean>[-\d]{3});"
    r"R(?P<pulse>[-\d]{3});T(?P<time>[-\d]{4}| {4});;",
    re.ASCII,
)
_RESULT_LONG = re.compile(rb"\x02[^\x02\x03]{39}\x03", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Progress:
    """The cuff while it measures."""

    pressure: int
    cuff_error: int
    status: int
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """A measurement is over."""

    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What the last measurement found, fields as sent; dashes are no number."""

    status: str
    patient: str
    cycle: str
    error: str
    systolic: str
    diastolic: str
    mean: str
    pulse: str
    time: str
    raw: bytes = field(default=b"", compare=False)


Said: TypeAlias = Progress | Ended | Result


class Decoder(Scanner[Said]):
    """Turn bytes into frames. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"\x02"), _look)


def encode(said: Said) -> bytes:
    """Return the bytes of a frame of the module."""
    if isinstance(said, Ended):
        return STX + _ENDED + ETX + CR
    if isinstance(said, Progress):
        text = f"{said.pressure:03}C{said.cuff_error}S{said.status}".encode("ascii")
        return STX + text + ETX + CR
    text = (
        f"S{said.status};A{said.patient};C{said.cycle};M{said.error};"
        f"P{said.systolic}{said.diastolic}{said.mean};R{said.pulse};T{said.time};;"
    ).encode("ascii")
    return STX + text + _check(text) + ETX + CR


def command(number: int) -> bytes:
    """Return the bytes of what a host says."""
    text = f"{number:02};;".encode("ascii")
    return STX + text + _check(text) + ETX


def scrub(said: Said) -> bytes:
    """Return the bytes as they are: they identify nobody."""
    return encode(said)


def broken(skipped: bytes) -> int:
    """Return how many results with a wrong check, or a damaged text, stand in skipped bytes."""
    return len(_RESULT_LONG.findall(skipped))


def _check(text: bytes) -> bytes:
    return f"{sum(text) & 0xFF:02X}".encode("ascii")


def _look(buffer: bytes, at: int) -> Said | NeedMore | None:
    raw = buffer[at : at + MAX_PENDING]
    end = raw.find(ETX)
    if STX in raw[1 : end if end > 0 else len(raw)]:
        return None
    if end < 0:
        return NEED_MORE if len(raw) < MAX_PENDING else None
    text = raw[1:end]
    if len(raw) == end + 1 < MAX_PENDING:
        return NEED_MORE if _said(text, b"") is not None else None
    return _said(text, raw[: end + 2] if raw[end + 1 :][:1] == CR else raw[: end + 1])


def _said(text: bytes, raw: bytes) -> Said | None:
    if text == _ENDED:
        return Ended(raw)
    if (found := _PROGRESS.fullmatch(text)) is not None:
        return Progress(int(found[1]), int(found[2]), int(found[3]), raw)
    body, check = text[:-2], text[-2:]
    result = _RESULT.fullmatch(body.decode("latin-1"))
    if result is None or _check(body) != check:
        return None
    return Result(**result.groupdict(), raw=raw)
