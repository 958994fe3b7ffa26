"""Five-byte oximeter stream: BCI modules, Contec CMS50D and D+ with firmware v5, BerryMed modules.

byte  bit 7   bits 6-0
0     1       6 beat, 5 SpO2 dropping, 4 searching too long or finger out (sources differ),
              3-0 signal strength 0-8 (BerryMed: part of the perfusion index)
1     0       pulse wave 0-127
2     0       6 pulse rate b7, 5 searching, 4 probe error, 3-0 bar graph
3     0       pulse rate b6-0
4     0       SpO2 in percent

FF, FE or FD in byte 0, then four bytes of text: version of software, hardware, Bluetooth part
(BerryMed, on request). Line: BCI 4800 8N1, CMS50 v5 19200 8O1, 60 frames a second.

There is no checksum. Resynchronisation: at every byte with bit 7 set; a frame is five bytes of
which no other has it. Who reads it should trust only several good frames in a row.
Sources: translation of a BCI module manual; CMS50Dplus with unit tests; BerryMed's package parser;
two forum threads. The layout is the same in all, the meaning of byte 0 b4 and b3-0 is not.
"""

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

SIZE = 5
MAX_PENDING = SIZE
FS = 60

_SYNC = 0x80
_FIRST_VERSION = 0xFD


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame: `state` and `more` are bytes 0 and 2 without bit 7 and the pulse rate's bit."""

    state: int
    wave: int
    more: int
    pulse: int
    spo2: int
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Version:
    """Four characters of a version; `part` is byte 0."""

    part: int
    text: bytes
    raw: bytes = field(default=b"", compare=False)


Said: TypeAlias = Sample | Version


class Decoder(Scanner[Said]):
    """Turn bytes into frames. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"[\x80-\xff]"), _look)


def encode(said: Said) -> bytes:
    """Return the bytes of a frame on the wire."""
    if isinstance(said, Version):
        return bytes((said.part,)) + said.text
    high = (said.pulse >> 7) << 6
    return bytes((_SYNC | said.state, said.wave, said.more | high, said.pulse & 0x7F, said.spo2))


def scrub(said: Said) -> bytes:
    """Return the bytes as they are: they identify nobody."""
    return encode(said)


def _look(buffer: bytes, at: int) -> Said | NeedMore | None:
    raw = buffer[at : at + SIZE]
    if any(byte & _SYNC for byte in raw[1:]):
        return None
    if len(raw) < SIZE:
        return NEED_MORE
    if raw[0] >= _FIRST_VERSION:
        return Version(raw[0], raw[1:], raw)
    pulse = (raw[2] & 0x40) << 1 | raw[3]
    return Sample(raw[0] & 0x7F, raw[1], raw[2] & 0x3F, pulse, raw[4], raw)
