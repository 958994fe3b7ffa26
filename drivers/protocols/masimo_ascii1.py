"""Masimo ASCII-1: one line a second, 9600 8N1, no checksum.

MM/DD/YY HH:MM:SS KEY=VALUE KEY=VALUE ... CR LF

key       value                          missing
SN        ten digits, of the instrument
SPO2      nnn%                           ---%
BPM       nnn                            ---
PI        nn.nn%                         --.--%
SPCO      nn.n%                          --.-%
SPMET     nn.n%                          --.-%
PVI       nnn                            ---
DESAT     nn                             --
PIDELTA   +nn                            +--
ALARM     hexadecimal; its bits are not published
EXC       hexadecimal; see `Exception12`
EXC1      hexadecimal, on some Rad-8

Which keys come depends on model and licence (Radical-5 sends SPO2, BPM, PI, ALARM and EXC alone),
so a line is read by its keys; SPO2, BPM and EXC are in all that were seen.
A key that comes twice contradicts itself, and such a line is no line of the format. Numbers keep
their columns, so SPO2 and BPM of other than three characters have lost one on the way.

Resynchronisation: at every line end; a line that was cut into does not begin with its date.
Sources: Masimo Rad-8 operator's manual; Rad-87 manual; MD PnP Radical-7 driver; open programs that
log Rad-8 and Radical-5. The trend download (ASCII-2) has another grammar and is not read.
"""

import re
from dataclasses import dataclass, field, replace
from enum import IntFlag

from drivers.protocols.lines import LineDecoder

MAX_LINE = 256
MAX_PENDING = MAX_LINE

_FIELD = rb"[A-Z][A-Z0-9]{0,11}=[0-9A-Fa-f.%+-]{1,16}"
_LINE = re.compile(
    rb"[\r\n]*(\d\d/\d\d/\d\d \d\d:\d\d:\d\d)((?: +" + _FIELD + rb")+) *\r?\n", re.ASCII
)
_COLUMNS = {"SPO2": re.compile(r"[0-9]{3}%|---%"), "BPM": re.compile(r"[0-9]{3}|---")}
_REQUIRED = frozenset({"SPO2", "BPM", "EXC"})
_HEX = re.compile(r"[0-9A-Fa-f]{2,8}", re.ASCII)


class Exception12(IntFlag):
    """The low twelve bits of EXC."""

    NO_SENSOR = 0x001
    DEFECTIVE_SENSOR = 0x002
    LOW_PERFUSION = 0x004
    PULSE_SEARCH = 0x008
    INTERFERENCE = 0x010
    SENSOR_OFF = 0x020
    AMBIENT_LIGHT = 0x040
    UNRECOGNISED_SENSOR = 0x080
    RESERVED_8 = 0x100
    RESERVED_9 = 0x200
    LOW_SIGNAL_IQ = 0x400
    RUNNING = 0x800  # "SET" measures: the normal state, not an error


@dataclass(frozen=True, slots=True)
class Line:
    """One second of the oximeter: its clock, and what it said as it said it, in its order."""

    clock: str
    fields: tuple[tuple[str, str], ...]
    raw: bytes = field(default=b"", compare=False, repr=False)

    def get(self, key: str) -> str | None:
        """Return the value of a key, None where the line has none."""
        return next((value for name, value in self.fields if name == key), None)

    @property
    def exceptions(self) -> Exception12:
        """What EXC says."""
        return Exception12(int(self.get("EXC") or "0", 16) & 0xFFF)


class Decoder(LineDecoder[Line]):
    """Turn bytes into lines. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(_parse, MAX_LINE)


def encode(line: Line) -> bytes:
    """Return the bytes of a line on the wire."""
    said = " ".join((line.clock, *(f"{key}={value}" for key, value in line.fields)))
    return said.encode("ascii") + b"\r\n"


def scrub(line: Line) -> bytes:
    """Return the line with zeros for the instrument's serial number, all that identifies."""
    fields = ((key, "0" * len(value) if key == "SN" else value) for key, value in line.fields)
    return encode(replace(line, fields=tuple(fields)))


def _parse(raw: bytes) -> Line | None:
    match = _LINE.fullmatch(raw)
    if match is None:
        return None
    pairs = [part.partition("=") for part in match[2].decode("ascii").split()]
    said = {key: value for key, _, value in pairs}
    if len(said) != len(pairs) or not said.keys() >= _REQUIRED or not _HEX.fullmatch(said["EXC"]):
        return None
    if not all(form.fullmatch(said[key]) for key, form in _COLUMNS.items()):
        return None
    line = Line(match[1].decode("ascii"), tuple(said.items()), raw)
    return line if len(encode(line)) <= MAX_LINE else None
