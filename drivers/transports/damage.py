"""What cables, adapters and wrong settings do to bytes, the same for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.contract import SerialLine


@dataclass(frozen=True, slots=True)
class Damage:
    """How likely each byte is to be hit, 0 to 1; `cut_start` bytes are missing at the beginning."""

    flip: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    cut_start: int = 0


NONE = Damage()


class Damager:
    """Damage a stream as it goes by; the outcome depends on seed and bytes, not on chunking."""

    def __init__(self, damage: Damage, seed: int) -> None:
        self._damage = damage
        self._cut = damage.cut_start
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def through(self, data: bytes) -> bytes:
        """Return what is left of these bytes."""
        if self._damage == NONE:
            return data
        out = bytearray()
        for byte in data:
            out += self._one(byte)
        return bytes(out)

    def _one(self, byte: int) -> bytes:
        if self._cut:
            self._cut -= 1
            return b""
        flip, drop, duplicate = (self._random.random() for _ in range(3))
        bit = self._random.randrange(8)
        if flip < self._damage.flip:
            byte ^= 1 << bit
        if drop < self._damage.drop:
            return b""
        return bytes([byte, byte] if duplicate < self._damage.duplicate else [byte])


def resliced(data: bytes, seed: int, longest: int = 64) -> Iterator[bytes]:
    """Yield the same bytes in chunks of 1 to `longest`, split and merged at random."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    at = 0
    while at < len(data):
        size = chance.randint(1, longest)
        yield data[at : at + size]
        at += size


def as_heard(data: bytes, spoken: SerialLine, set_to: SerialLine) -> bytes:
    """Return what a port set to one line hears of bytes spoken on another.

    The line is drawn as a level over time and sampled in the middle of each expected bit; a byte
    with a framing or parity error is delivered as it was read, as ports do by default.
    """
    return bytes(_heard(_levels(data, spoken), spoken.baud / set_to.baud, set_to))


def _levels(data: bytes, line: SerialLine) -> list[int]:
    levels: list[int] = []
    for byte in data:
        bits = [byte >> n & 1 for n in range(line.bits)]
        levels += [0, *bits, *_parity(bits, line.parity), *[1] * line.stop]
    return levels


def _parity(bits: list[int], parity: str) -> list[int]:
    odd = sum(bits) & 1
    return {"N": [], "E": [odd], "O": [1 - odd], "M": [1], "S": [0]}[parity]


def _heard(levels: list[int], bit: float, line: SerialLine) -> Iterator[int]:
    """Yield bytes from levels one spoken bit long, where an expected bit lasts `bit` of them."""

    def level(at: float) -> int:
        return levels[int(at)] if at < len(levels) else 1

    at = 0.0
    while at < len(levels):
        if level(at):
            at = float(int(at) + 1)
            continue
        yield sum(level(at + (n + 1.5) * bit) << n for n in range(line.bits))
        at += (line.bits_per_byte - 0.5) * bit
        while at < len(levels) and not level(at):
            at += bit  # a break: a start is an edge, so wait for the line to rise
