"""Contec pulse oximeters, protocol V7.0 (CMS50D+ from 4.6, E, F, H, I, EW, FW, IW), 115200 8N1.

byte  content
0     type, the only byte with bit 7 clear
1     80 | the true bits 7: bit i is that of byte 2+i
2-    payload, bit 7 set; how long follows from the type (`LENGTHS`)

type  payload (after the bits 7 are put back)
01    [0] b3-0 strength 0-8, b4 searching too long, b5 SpO2 low, b6 beat, b7 no finger
      [1] b6-0 pulse wave, b7 searching      [2] b3-0 bar graph, b4 perfusion index invalid
      [3] pulse, FF none   [4] SpO2, 7F none   [5] [6] perfusion index in 1/100 %, low byte first,
      FFFF none; about 60 a second
02    model: [0] number of the chunk, two of them, [1..] text       04  device identifier, text
0B    answer to a command: [0] the command, [1] reason, 0 is yes     0D  going away: [0] reason
07 08 09 0A 0F 12 15 03 05 0C 0E 10 11: stored data, names and notices, kept as they come

A command is 7D, the bits 7, the command and six bytes of arguments, 80 where there are none:
A1 starts the stream, A8 asks for the model, AA for the identifier, AF keeps the stream alive: once
in 5 s, or it stops after about 30.
XON/XOFF must be off: types 11 and 13 are those characters.

Resynchronisation: at every byte with bit 7 clear; there is no checksum.
Sources: Contec "Communication protocol of pulse oximeter V7.0" (2010-07-08); CMS50Dplus7; cms50ew;
SleepyHead's loader; Contec_cms50dplus with its USB log, from which the two examples are that the
tests have. Firmware 4.6 sends 0 for pulse and SpO2 without a finger where the document says FF, 7F.
"""

import re
from dataclasses import dataclass, field
from types import MappingProxyType

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

REALTIME = 0x01
MODEL = 0x02
IDENTIFIER = 0x04
USER = 0x05
FEEDBACK = 0x0B
GOING = 0x0D

START_REALTIME = 0xA1
ASK_MODEL = 0xA8
ASK_IDENTIFIER = 0xAA
KEEP_ALIVE = 0xAF

FS = 60

LENGTHS = MappingProxyType(
    {0x01: 9, 0x02: 9, 0x03: 9, 0x04: 9, 0x05: 9, 0x07: 8, 0x08: 8, 0x09: 6, 0x0A: 4}
    | {0x0B: 4, 0x0C: 2, 0x0D: 3, 0x0E: 3, 0x0F: 8, 0x10: 3, 0x11: 9, 0x12: 8, 0x15: 9}
)
COMMAND = 0x7D
COMMAND_BYTES = 9
MAX_PENDING = 9

_BIT7 = 0x80


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet; `payload` with its bits 7 put back."""

    kind: int
    payload: bytes
    raw: bytes = field(default=b"", compare=False)


class Decoder(Scanner[Packet]):
    """Turn bytes into packets. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"[\x00-\x7f]"), _look)


def encode(packet: Packet) -> bytes:
    """Return the bytes of a packet on the wire."""
    return _packed(packet.kind, packet.payload)


def command(code: int) -> bytes:
    """Return the bytes of a command without arguments."""
    return _packed(COMMAND, bytes((code,)) + bytes(6))


def read_command(buffer: bytes, at: int) -> Packet | NeedMore | None:
    """Return the command that stands at `at`, as an instrument reads it."""
    return _read(buffer, at, COMMAND_BYTES) if buffer[at : at + 1] == b"\x7d" else None


def scrub(packet: Packet) -> bytes:
    """Return the packet with zeros for identifier and user name."""
    if packet.kind in {IDENTIFIER, USER}:
        return encode(Packet(packet.kind, bytes(len(packet.payload))))
    return encode(packet)


def _packed(kind: int, payload: bytes) -> bytes:
    high = sum((byte >> 7) << place for place, byte in enumerate(payload))
    return bytes((kind, _BIT7 | high, *(_BIT7 | byte for byte in payload)))


def _look(buffer: bytes, at: int) -> Packet | NeedMore | None:
    length = LENGTHS.get(buffer[at])
    return None if length is None else _read(buffer, at, length)


def _read(buffer: bytes, at: int, length: int) -> Packet | NeedMore | None:
    raw = buffer[at : at + length]
    if any(byte < _BIT7 for byte in raw[1:]):
        return None
    if len(raw) < length:
        return NEED_MORE
    payload = bytes(byte & 0x7F | (raw[1] >> place & 1) << 7 for place, byte in enumerate(raw[2:]))
    return Packet(raw[0], payload, raw)
