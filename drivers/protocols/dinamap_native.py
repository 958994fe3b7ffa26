"""GE/Critikon DINAMAP PRO 1000, native binary output: waveforms, 50 blocks a second.

0       sequence, 0 to 199 and again
1       state: 06 changes at a QRS, 18 at a breath; 20 warning alarm, 40 crisis alarm
2-6     first channel, 7-11 second channel: four samples of 10 bits each, highest bit first
12-14   numbers that change slowly, one after the other; what they are was not found
15      check of bytes 1-14: CRC-8, polynomial 85 hex, reflected, from 0
16, 17  bytes 15 and 0 with every bit turned over

200 samples a second and channel. Resynchronisation: at the next place where byte 17 is the
inverse of byte 0, byte 16 that of byte 15, and the check is right.
Source: an open reader with a log of 1152 blocks. The check was derived from that log and holds for
every block of it; which channel is what, and the gain, were not found.
"""

import re
from dataclasses import dataclass, field

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

SIZE = 18
MAX_PENDING = SIZE
SEQUENCES = 200
SAMPLES = 4
FS = 200

_STARTS = re.compile(rb"[\x00-\xc7]")
_REFLECTED = 0xA1


def _crc_table() -> bytes:
    table = bytearray()
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_REFLECTED if crc & 1 else 0)
        table.append(crc)
    return bytes(table)


_CRC = _crc_table()


@dataclass(frozen=True, slots=True)
class Block:
    """20 ms of both channels; `slow` are the three bytes nobody knows."""

    sequence: int
    state: int
    first: tuple[int, ...]
    second: tuple[int, ...]
    slow: bytes
    raw: bytes = field(default=b"", compare=False)

    @property
    def is_crisis(self) -> bool:
        """Whether a crisis alarm is on."""
        return bool(self.state & 0x40)

    @property
    def is_warning(self) -> bool:
        """Whether a warning alarm is on."""
        return bool(self.state & 0x20)


class Decoder(Scanner[Block]):
    """Turn bytes into blocks. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(_STARTS, _look)


def encode(block: Block) -> bytes:
    """Return the bytes of a block on the wire."""
    body = bytes((block.state,)) + _packed(block.first) + _packed(block.second) + block.slow
    check = _check(body)
    return bytes((block.sequence, *body, check, check ^ 0xFF, block.sequence ^ 0xFF))


def scrub(block: Block) -> bytes:
    """Return the bytes as they are: they identify nobody."""
    return encode(block)


def broken(skipped: bytes) -> int:
    """Return how many blocks stand in skipped bytes of which one proof in three is wrong."""
    count = at = 0
    while at + SIZE <= len(skipped):
        raw = skipped[at : at + SIZE]
        proofs = (raw[0] ^ raw[17] == 0xFF, raw[15] ^ raw[16] == 0xFF, _check(raw[1:15]) == raw[15])
        is_broken = sum(proofs) == len(proofs) - 1
        count += is_broken
        at += SIZE if is_broken else 1
    return count


def missing(before: Block, after: Block) -> int:
    """Return how many blocks are lost between two, by their number."""
    return (after.sequence - before.sequence - 1) % SEQUENCES


def _check(body: bytes) -> int:
    crc = 0
    for byte in body:
        crc = _CRC[crc ^ byte]
    return crc


def _packed(samples: tuple[int, ...]) -> bytes:
    word = 0
    for sample in samples:
        word = word << 10 | sample
    return word.to_bytes(5)


def _unpacked(data: bytes) -> tuple[int, ...]:
    word = int.from_bytes(data)
    return tuple(word >> shift & 0x3FF for shift in (30, 20, 10, 0))


def _look(buffer: bytes, at: int) -> Block | NeedMore | None:
    raw = buffer[at : at + SIZE]
    if len(raw) < SIZE:
        return NEED_MORE
    if raw[0] ^ raw[17] != 0xFF or raw[15] ^ raw[16] != 0xFF or _check(raw[1:15]) != raw[15]:
        return None
    return Block(raw[0], raw[1], _unpacked(raw[2:7]), _unpacked(raw[7:12]), raw[12:15], raw)
