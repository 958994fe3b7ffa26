"""Nellcor N-595, NPB-290 and NPB-295: printout on the data port, a row every 2 s, 9600 8N1.

NPB-295 VERSION 1.0.0.1 CRC: XXXX SpO2 Limit: 85-100% PR Limit: 40-170BPM    live rows follow
NPB-295 VERSION 1.0.0.1 TREND SpO2 Limit: 85-100% PR Limit: 40-170BPM        stored rows follow
ADULT 10SAT-S SPO2 RESP MODE: NORMAL                                         N-595 only
TIME %SPO2 BPM PA Status                                                     heads the columns
12-NOV-98 14:00:05 100 120 50 LB                                             a row
Output Complete                                                              ends stored rows

A row has the oximeter's clock, saturation, pulse rate, pulse amplitude, then codes of two letters
(`CODES`). A number may be followed by `*`; `---` stands for none. Columns are padded with blanks.
The heading is sent again every 25 rows and when something in it changes. Lines of the N-595's menu
and all others are no lines of the printout.

Resynchronisation: at every line end.
Sources: Mallinckrodt operator's manuals of NPB-290 and NPB-295, data port appendix; MD PnP driver
for N-595 (codes and lines of the N-595: that one source).
"""

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import TypeAlias

from drivers.protocols.lines import LineDecoder

MAX_LINE = 160
MAX_PENDING = MAX_LINE

CODES = MappingProxyType(
    {
        "AO": "alarm off",
        "AS": "alarm silenced",
        "LB": "low battery",
        "LM": "loss of pulse with interference",
        "LP": "loss of pulse",
        "MO": "interference or motion",
        "PH": "pulse above its limit",
        "PL": "pulse below its limit",
        "PS": "pulse search",
        "SD": "sensor disconnected",
        "SH": "saturation above its limit",
        "SL": "saturation below its limit",
        "SO": "sensor off",
    }
)

_NUMBER = r"(\d{1,3}|---)(\*?)"
_ROW = re.compile(
    r"(\d\d-[A-Z]{3}-\d\d \d\d:\d\d:\d\d) +"
    rf"{_NUMBER} +{_NUMBER} +{_NUMBER}"
    r"((?: +[A-Z]{2})*)"
)
_HEADING = re.compile(
    r"([A-Z]{1,4}-\d{3}[A-Z]?) +VERSION +([0-9.]{1,16}) +(CRC: *\S{1,8}|TREND) .*"
)
_COLUMNS = re.compile(r"TIME +%SPO2 +BPM +PA(?: +STATUS)?", re.IGNORECASE)
_MODE = re.compile(r"(?:ADULT|NEO) .{0,60}", re.ASCII)


class Mark(Enum):
    """A line that only says where in the printout one is."""

    COLUMNS = auto()
    MODE = auto()
    COMPLETE = auto()


@dataclass(frozen=True, slots=True)
class Row:
    """One row; numbers are None for dashes, `marked` names those with an asterisk."""

    clock: str
    spo2: int | None
    pulse: int | None
    amplitude: int | None
    marked: frozenset[str]
    codes: tuple[str, ...]
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Heading:
    """Which model prints, and whether rows of its memory follow."""

    model: str
    version: str
    is_trend: bool
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Other:
    """A line of the printout without a value."""

    mark: Mark
    raw: bytes = field(default=b"", compare=False, repr=False)


Line: TypeAlias = Row | Heading | Other

_OTHER_TEXTS = MappingProxyType(
    {
        Mark.COLUMNS: "TIME %SPO2 BPM PA Status",
        Mark.MODE: "ADULT 10SAT-S SPO2 RESP MODE: NORMAL",
        Mark.COMPLETE: "Output Complete",
    }
)


class Decoder(LineDecoder[Line]):
    """Turn bytes into lines. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(_parse, MAX_LINE)


def encode(line: Line) -> bytes:
    """Return the bytes of a line on the wire."""
    return _text(line).encode("ascii") + b"\r\n"


def scrub(line: Line) -> bytes:
    """Return the line in the project's own words for what is no value; rows identify nobody."""
    return encode(line)


def _text(line: Line) -> str:
    match line:
        case Row():
            return _row_text(line)
        case Heading(model, version, is_trend):
            what = "TREND" if is_trend else "CRC:XXXX"
            return f"{model} VERSION {version} {what}  SpO2 Limit: 85-100%  PR Limit: 40-170BPM"
        case Other(mark):
            return _OTHER_TEXTS[mark]


def _row_text(row: Row) -> str:
    numbers = (("spo2", row.spo2), ("pulse", row.pulse), ("amplitude", row.amplitude))
    columns = [
        f"{'---' if number is None else number:>3}{'*' if name in row.marked else ' '}"
        for name, number in numbers
    ]
    return " ".join((row.clock, *columns, *row.codes)).rstrip()


def _parse(raw: bytes) -> Line | None:
    try:
        text = raw.decode("ascii").strip()
    except UnicodeDecodeError:
        return None
    if match := _ROW.fullmatch(text):
        return _row(match, raw)
    if match := _HEADING.fullmatch(text):
        return Heading(match[1], match[2], match[3] == "TREND", raw)
    if _COLUMNS.fullmatch(text):
        return Other(Mark.COLUMNS, raw)
    if _MODE.fullmatch(text):
        return Other(Mark.MODE, raw)
    return Other(Mark.COMPLETE, raw) if text == "Output Complete" else None


def _row(match: re.Match[str], raw: bytes) -> Row | None:
    codes = tuple(match[8].split())
    if len(codes) > len(CODES):
        return None
    spo2, pulse, amplitude = (None if match[at] == "---" else int(match[at]) for at in (2, 4, 6))
    names = ("spo2", "pulse", "amplitude")
    marked = frozenset(name for name, at in zip(names, (3, 5, 7), strict=True) if match[at])
    return Row(match[1], spo2, pulse, amplitude, marked, codes, raw)
