"""Viatom and Wellue PC-60FW finger oximeters, over the Nordic UART pipe; they send on their own.

byte  content
0-1   AA 55
2     token: 0F oximetry, F0 about the device
3     length of what follows: type, content and sum
4     type; of oximetry 01 the numbers, 02 the pulse wave, 03 battery, 21 state
5-    content; of the numbers: SpO2 in percent, pulse rate in /min (two bytes, least first),
      perfusion index in 0.1 %, and more that is handed on
last  CRC-8 of Maxim, of all before

Resynchronisation: at the next AA 55 whose sum is right.
Sources: viatom_pc60fw; viatom-develop/LepuBle. No vendor document, no recording of a device.
"""

import re
from dataclasses import dataclass, field

from drivers.protocols.crc import crc8_maxim
from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

OXIMETRY = 0x0F
NUMBERS = 0x01
MAX_PENDING = 4 + 0xFF

_START = b"\xaa\x55"
_HEAD = 4
_SHORTEST = 2  # a type and a sum
_NUMBERS = 4


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of the oximeter."""

    token: int
    kind: int
    content: bytes
    raw: bytes = field(default=b"", compare=False)

    @property
    def has_numbers(self) -> bool:
        """Whether it holds the numbers of the display."""
        is_numbers = (self.token, self.kind) == (OXIMETRY, NUMBERS)
        return is_numbers and len(self.content) >= _NUMBERS


class Decoder(Scanner[Packet]):
    """Turn bytes into packets. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"\xaa"), _look)


def encode(packet: Packet) -> bytes:
    """Return the bytes of a packet on the wire."""
    size = len(packet.content) + _SHORTEST
    body = _START + bytes((packet.token, size, packet.kind)) + packet.content
    return body + bytes((crc8_maxim(body),))


def scrub(packet: Packet) -> bytes:
    """Return a packet without what could name the device: all that is not oximetry is blanked."""
    if packet.token == OXIMETRY:
        return encode(packet)
    return encode(Packet(packet.token, packet.kind, bytes(len(packet.content))))


def broken(skipped: bytes) -> int:
    """Return how many packets with a wrong sum stand in bytes that were skipped."""
    count = at = 0
    while (at := skipped.find(_START, at)) >= 0:
        size = skipped[at + _HEAD - 1] if at + _HEAD <= len(skipped) else 0
        is_broken = size >= _SHORTEST and at + _HEAD + size <= len(skipped)
        count += is_broken
        at += _HEAD + size if is_broken else 1
    return count


def _look(buffer: bytes, at: int) -> Packet | NeedMore | None:
    head = buffer[at : at + _HEAD]
    if not _START.startswith(head[:2]):
        return None
    if len(head) < _HEAD:
        return NEED_MORE
    size = head[3]
    if size < _SHORTEST:
        return None
    raw = buffer[at : at + _HEAD + size]
    if len(raw) < _HEAD + size:
        return NEED_MORE
    if crc8_maxim(raw[:-1]) != raw[-1]:
        return None
    return Packet(raw[2], raw[4], raw[5:-1], raw)
