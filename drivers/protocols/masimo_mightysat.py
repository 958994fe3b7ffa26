"""Masimo MightySat Rx, over its Bluetooth LE pipe, once it is told to send.

byte  content
0     77
1     length of what follows: command, content and sum
2     command: from the host 01 state, 03 send; from the oximeter 01 state, 05 the numbers
3-    content
last  CRC-8, polynomial 07, of command and content

The numbers are the second byte of each pair, by place in the frame of 19 bytes, most significant
first: 7-8 SpO2 in percent, 9-10 pulse rate in /min, 12-13 PVi, 14-15 perfusion index in 0.01 %.
Told to send with 77 05 03 1F 00 03 D6; the phone's app must be closed.

Resynchronisation: at the next 77 whose sum is right.
Source: one public driver, firmware 1.0.6.3; its example frames have these sums. No vendor document,
no recording of a device: experimental.
"""

import re
from dataclasses import dataclass, field

from drivers.protocols.crc import crc8
from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

START = 0x77
NUMBERS = 0x05
SEND = bytes.fromhex("77 05 03 1f 00 03 d6")
SIZE = 19
MAX_PENDING = 2 + 0xFF

_HEAD = 2
_SHORTEST = 2  # a command and a sum


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the oximeter."""

    command: int
    content: bytes
    raw: bytes = field(default=b"", compare=False)

    @property
    def has_numbers(self) -> bool:
        """Whether it holds the numbers of the display."""
        return self.command == NUMBERS and len(self.content) == SIZE - 4

    def word(self, at: int) -> int:
        """Return the number at a place in the frame, the table's."""
        return int.from_bytes(self.content[at - 3 : at - 1])


class Decoder(Scanner[Frame]):
    """Turn bytes into frames. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"\x77"), _look)


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame on the wire."""
    body = bytes((frame.command,)) + frame.content
    return bytes((START, len(body) + 1)) + body + bytes((crc8(body),))


def scrub(frame: Frame) -> bytes:
    """Return a frame without what could name the device: only the numbers are known."""
    if frame.has_numbers:
        return encode(frame)
    return encode(Frame(frame.command, bytes(len(frame.content))))


def broken(skipped: bytes) -> int:
    """Return how many frames of the numbers with a wrong sum stand in bytes that were skipped."""
    return len(re.findall(rb"\x77\x11\x05.{16}", skipped, re.DOTALL))


def _look(buffer: bytes, at: int) -> Frame | NeedMore | None:
    head = buffer[at : at + _HEAD]
    if len(head) < _HEAD:
        return NEED_MORE
    size = head[1]
    if size < _SHORTEST:
        return None
    raw = buffer[at : at + _HEAD + size]
    if len(raw) < _HEAD + size:
        return NEED_MORE
    if crc8(raw[_HEAD:-1]) != raw[-1]:
        return None
    return Frame(raw[2], raw[3:-1], raw)
