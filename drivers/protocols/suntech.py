"""SunTech OEM blood-pressure modules (Advantage, Advantage A+, LX), 9600 8N1.

host      3A command ... CS
module    3E length data ... CS

CS makes the whole frame sum to 00. The length counts the whole frame and is all that tells what a
frame is, for replies carry no type:

04   a letter: O received, K done, A aborted, B busy, E error, N not defined, D not recognised,
     S asleep, T took too long
05   cuff pressure, two bytes, mmHg; FFFF is none
06   two bytes of return code
18   result: 0-1 systolic, 2-3 diastolic, 4 beats, 5 status, 6-13 test codes, 14 heart rate,
     16-17 mean, 18 error (decimal, `ERRORS`), 15, 19, 20 spare
43   text: the version

commands: 20 start adult, 87 start paediatric, 28 start neonatal, 79 01 00 abort, 17 first pressure,
79 05 00 ask cuff pressure, 79 03 00 ask the result, 79 02 40 ask the version. Numbers are
little-endian.

Resynchronisation: at the next 3E whose length is in the table and whose frame sums to 00.
Sources: unit tests of an open program (DemoApp) whose comments quote the maker's manual; a
monitor's provider for these modules (facts only).
"""

import re
from dataclasses import dataclass, field
from types import MappingProxyType

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

FROM_HOST = 0x3A
FROM_MODULE = 0x3E
LETTER = 0x04
PRESSURE = 0x05
CODE = 0x06
RESULT = 0x18
VERSION = 0x43
LENGTHS = frozenset({LETTER, PRESSURE, CODE, RESULT, VERSION})
MAX_PENDING = VERSION

RECEIVED, DONE, ABORTED, BUSY = "O", "K", "A", "B"
NO_PRESSURE = 0xFFFF

START_ADULT = b"\x20"
START_PAEDIATRIC = b"\x87"
START_NEONATAL = b"\x28"
ABORT = b"\x79\x01\x00"
ASK_PRESSURE = b"\x79\x05\x00"
ASK_RESULT = b"\x79\x03\x00"
ASK_VERSION = b"\x79\x02\x40"
FIRST_PRESSURE = b"\x17"

LETTERS = MappingProxyType(
    {
        "O": "received",
        "K": "done",
        "A": "aborted",
        "B": "busy",
        "E": "error",
        "N": "not defined",
        "D": "not recognised",
        "S": "asleep",
        "T": "took too long",
    }
)
ERRORS = MappingProxyType(
    {
        1: "weak or no signal",
        2: "artifact",
        3: "out of range",
        4: "took too long",
        85: "pneumatic blockage",
        86: "ended by a person",
        87: "leak or loose cuff",
        88: "safety time exceeded",
        89: "overpressure",
        90: "hardware or power",
        91: "not permitted, or no zero",
        97: "transducer out of range",
        99: "calibration memory",
    }
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the module; its length says what `data` is."""

    data: bytes
    raw: bytes = field(default=b"", compare=False)

    @property
    def length(self) -> int:
        """The length that stands in the frame."""
        return len(self.data) + 3

    @property
    def letter(self) -> str | None:
        """The letter of a status, None in other frames."""
        return chr(self.data[0]) if self.length == LETTER else None

    @property
    def version(self) -> str | None:
        """The text of a version, None in other frames."""
        if self.length != VERSION:
            return None
        text = self.data.split(b"\0")[0].decode("ascii", "replace").strip()
        return text if text.isprintable() and text.isascii() else None

    @property
    def result(self) -> "Result | None":
        """What a measurement found, None in other frames."""
        if self.length != RESULT:
            return None
        data = self.data
        return Result(
            systolic=_word(data, 0),
            diastolic=_word(data, 2),
            mean=_word(data, 16),
            heart_rate=data[14],
            beats=data[4],
            status=data[5],
            error=data[18],
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What a measurement found; `error` 0 is none."""

    systolic: int
    diastolic: int
    mean: int
    heart_rate: int
    beats: int
    status: int
    error: int


class Decoder(Scanner[Frame]):
    """Turn bytes into frames. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"\x3e"), _look)


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame of the module."""
    return _summed(bytes((FROM_MODULE, frame.length)) + frame.data)


def broken(skipped: bytes) -> int:
    """Return how many frames with a wrong sum stand in bytes that were skipped."""
    heads = re.finditer(rb"\x3e([\x04\x05\x06\x18\x43])", skipped, re.DOTALL)
    return sum(head.start() + head[1][0] <= len(skipped) for head in heads)


def letter(said: str) -> Frame:
    """Return the frame of a status letter."""
    return Frame(said.encode("ascii"))


def result_frame(result: Result) -> Frame:
    """Return the frame of a result."""
    words = (result.systolic, result.diastolic, result.mean)
    systolic, diastolic, mean = (word.to_bytes(2, "little") for word in words)
    middle = bytes((result.beats, result.status)) + bytes(8) + bytes((result.heart_rate, 0))
    return Frame(systolic + diastolic + middle + mean + bytes((result.error, 0, 0)))


def command(body: bytes) -> bytes:
    """Return the bytes of what a host says."""
    return _summed(bytes((FROM_HOST,)) + body)


def first_pressure(mmhg: int) -> bytes:
    """Return the bytes that set how far the cuff is first inflated."""
    return command(FIRST_PRESSURE + mmhg.to_bytes(2, "little"))


def scrub(frame: Frame) -> bytes:
    """Return the bytes as they are: they identify nobody."""
    return encode(frame)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _summed(body: bytes) -> bytes:
    return body + bytes((-sum(body) & 0xFF,))


def _look(buffer: bytes, at: int) -> Frame | NeedMore | None:
    if len(buffer) < at + 2:
        return NEED_MORE
    length = buffer[at + 1]
    if length not in LENGTHS:
        return None
    raw = buffer[at : at + length]
    if len(raw) < length:
        return NEED_MORE
    return None if sum(raw) & 0xFF else Frame(raw[2:-1], raw)
