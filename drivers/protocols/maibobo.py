"""Maibobo arm-in blood-pressure kiosks (RBP), 115200 8N1, in the field also 9600.

AA 80 | CC 80   preamble: from the kiosk, from the host
03              version
LL              bytes of type, code and data
01              type: blood pressure
code            see below
data            LL - 2 bytes, numbers high byte first
check           exclusive or of everything between preamble and check

code  data
01    00: connection, the kiosk answers with the same      02 start, 03 stop: the same
05    cuff pressure, two bytes, mmHg
06    user, year - 2000, month, day, hour, minute, second; systolic, diastolic, pulse, two bytes
      each
07    error, one byte: `ERRORS`

Frames come merged and split. Resynchronisation: at the next AA 80 03 whose frame has a right check.
Sources: three open programs (C#, Python, JavaScript) that agree; exact models are not stated.
"""

import re
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from types import MappingProxyType

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

FROM_KIOSK = b"\xaa\x80"
FROM_HOST = b"\xcc\x80"
VERSION = 0x03
BLOOD_PRESSURE = 0x01

CONNECT = 0x01
START = 0x02
STOP = 0x03
CUFF_PRESSURE = 0x05
RESULT = 0x06
ERROR = 0x07

RESULT_BYTES = 13
MAX_LENGTH = 32  # the longest known is 15
MAX_PENDING = MAX_LENGTH + 5

ERRORS = MappingProxyType(
    {
        0x01: "overpressure",
        0x02: "wrong position of the arm, or a leak before the bladder",
        0x05: "a leak behind the bladder",
        0x06: "wrong position of the arm, or no pulse signal",
        0x09: "deflates too slowly",
        0x0F: "a leak in the system",
        0x10: "motor error",
    }
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of blood pressure."""

    code: int
    data: bytes
    raw: bytes = field(default=b"", compare=False)


class Decoder(Scanner[Frame]):
    """Turn bytes into frames. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"\xaa"), _look)


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame of the kiosk."""
    return _frame(FROM_KIOSK, frame)


def command(code: int) -> bytes:
    """Return the bytes of a host's command."""
    return _frame(FROM_HOST, Frame(code, b"\x00"))


def scrub(frame: Frame) -> bytes:
    """Return the frame with a zero for the number of the user."""
    if frame.code == RESULT and len(frame.data) == RESULT_BYTES:
        return encode(Frame(RESULT, b"\x00" + frame.data[1:]))
    return encode(frame)


def broken(skipped: bytes) -> int:
    """Return how many frames with a wrong check stand in bytes that were skipped."""
    heads = re.finditer(rb"\xaa\x80\x03(?=([\x02-\x20])\x01)", skipped, re.DOTALL)
    return sum(head.start() + head[1][0] + 5 <= len(skipped) for head in heads)


def _frame(preamble: bytes, frame: Frame) -> bytes:
    body = bytes((VERSION, len(frame.data) + 2, BLOOD_PRESSURE, frame.code)) + frame.data
    return preamble + body + bytes((reduce(xor, body),))


def _look(buffer: bytes, at: int) -> Frame | NeedMore | None:
    head = FROM_KIOSK + bytes((VERSION,))
    raw = buffer[at : at + MAX_PENDING]
    if raw[: len(head)] != head[: len(raw)]:
        return None
    if len(raw) < 4:
        return NEED_MORE
    end = raw[3] + 4
    if not 2 <= raw[3] <= MAX_LENGTH:
        return None
    if len(raw) <= end:
        return NEED_MORE
    if reduce(xor, raw[2:end]) != raw[end] or raw[4] != BLOOD_PRESSURE:
        return None
    return Frame(raw[5], raw[6:end], raw[: end + 1])
