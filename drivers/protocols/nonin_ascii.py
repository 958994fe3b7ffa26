"""Nonin bedside and handheld oximeters, ASCII (2500, 8500, 8600, 9847, Avant 9600, 4000), 9600 8N1.

SPO2=097 HR=072            a line a second, CR LF; 8600 and 9847 put HH:MM:SS and a blank before it
SPO2=--- HR=---            no value

After it may stand F (fast averaging), * (an event was marked), B (breath, 9847). Eight data bits,
no parity, one stop bit read all of them: the manuals' ninth bit is a mark, and odd parity only
while the memory is sent. A header with format, date and time comes at power-up: it is no line of
the format. Resynchronisation: at every line end.
Sources: Nonin manuals of 2500, 8500, 8600V, 9600, 9847 and BT4000.
"""

import re
from dataclasses import dataclass, field

from drivers.protocols.lines import LineDecoder

MAX_LINE = 64
MAX_PENDING = MAX_LINE

_LINE = re.compile(
    rb"[\r\n]*(?:(\d\d:\d\d:\d\d) )?SPO2=(\d{3}|---) HR=(\d{3}|---)([ F*B]{0,8})\r?\n"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One second; numbers are None for dashes, `marks` the letters after them, sorted."""

    clock: str
    spo2: int | None
    pulse: int | None
    marks: str
    raw: bytes = field(default=b"", compare=False)


class Decoder(LineDecoder[Line]):
    """Turn bytes into lines. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(_parse, MAX_LINE)


def encode(line: Line) -> bytes:
    """Return the bytes of a line on the wire."""
    spo2, pulse = ("---" if n is None else f"{n:03}" for n in (line.spo2, line.pulse))
    clock = f"{line.clock} " if line.clock else ""
    marks = f" {line.marks}" if line.marks else ""
    return f"{clock}SPO2={spo2} HR={pulse}{marks}\r\n".encode("ascii")


def scrub(line: Line) -> bytes:
    """Return the line as it is: it identifies nobody."""
    return encode(line)


def _parse(raw: bytes) -> Line | None:
    match = _LINE.fullmatch(raw)
    if match is None:
        return None
    spo2, pulse = (None if match[at] == b"---" else int(match[at]) for at in (2, 3))
    marks = "".join(sorted(set(match[4].decode("ascii").replace(" ", ""))))
    return Line((match[1] or b"").decode("ascii"), spo2, pulse, marks, raw)
