"""Medlab EG01010 ECG module, protocol 1 (9600 8N1) and 2 (115200 8E1), told from the bytes.

protocol 1   F8: samples follow, each 00 to F6, neutral 128
             F9 value: respiration rate      FA value: pulse, at each beat
             FB code: 11 is an electrode off

protocol 2   every block begins with a byte from F8 on, which no other byte of it reaches
             F8, number of samples (high half) and check (low half), samples
             F9 or FA, check, value          as above
             FC, check, electrodes (b4-0 connected, b5 mains, b6 respiration is sent), channels
             (b2 III, b1 II, b0 I), two bytes of settings: once a second
             FD text 00: who it is
             the check is the sum of the block without the check, & 0F of samples, & 7F of the rest

It is protocol 1 once a value is followed by a mark, a code is 11 or a run of samples is longer than
any block; it is protocol 2 once a check other than that of samples is right, or three blocks of
samples in a row are. Until then nothing is told. Samples are not scaled: their gain can be changed
at any time.

Resynchronisation: protocol 1 at the next byte from F8 on, protocol 2 at the next right block.
Source: Medlab EG01010 manual v1.06. One place says that a status block has five bytes; its table
and the sentence before have six.
"""

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.model import Skipped
from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

WAVE, BREATHS, PULSE, INFO, STATUS, IDENTITY = 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD
LEAD_OFF = 0x11
MOST_SAMPLES = 14  # more, and the byte with their number could be taken for the start of a block
MAX_IDENTITY = 32
UNDECIDED = 300
LONG_RUN = 40
MAX_PENDING = UNDECIDED

_BLOCKS_IN_A_ROW = 3
_BLOCK = re.compile(rb"[\xf8-\xfc][^\xf8-\xff]*")
_TEXT = re.compile(rb"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Samples:
    """What belongs together in time; none stands for the mark that samples follow."""

    protocol: int
    values: tuple[int, ...]
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Value:
    """A rate a minute: `mark` says of what."""

    protocol: int
    mark: int
    value: int
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Info:
    """A code of protocol 1."""

    code: int
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class State:
    """The status block of protocol 2."""

    electrodes: int
    channels: int
    settings: tuple[int, int]
    raw: bytes = field(default=b"", compare=False)

    @property
    def connected(self) -> int:
        """How many electrodes are connected."""
        return (self.electrodes & 0x1F).bit_count()


@dataclass(frozen=True, slots=True)
class Identity:
    """The text of protocol 2 that says which module it is."""

    text: str
    raw: bytes = field(default=b"", compare=False)


Said: TypeAlias = Samples | Value | Info | State | Identity


class Decoder:
    """Turn bytes into what they say, once it is clear which protocol it is. Any input is legal."""

    def __init__(self, protocol: int | None = None) -> None:
        self._undecided = b""
        self._reader: _First | Scanner[Said] | None = None
        if protocol is not None:
            self._reader = _reader(protocol)

    @property
    def pending(self) -> bytes:
        """What cannot be told yet."""
        return self._undecided if self._reader is None else self._reader.pending

    def feed(self, data: bytes) -> list[Said | Skipped]:
        """Return what became complete with these bytes, in wire order."""
        out: list[Said | Skipped] = []
        for at, byte in enumerate(data):
            if self._reader is not None:
                return out + self._reader.feed(data[at:])
            self._undecided += bytes((byte,))
            protocol = _evidence(self._undecided)
            if protocol is not None:
                self._reader, held = _reader(protocol), self._undecided
                self._undecided = b""
                out += self._reader.feed(held)
            elif len(self._undecided) == UNDECIDED:
                out.append(Skipped(self._undecided))
                self._undecided = b""
        return out


class _First:
    """Protocol 1: whether a byte is a sample depends on the mark before it."""

    def __init__(self, *, in_wave: bool = False) -> None:
        self.pending = b""
        self._in_wave = in_wave

    def feed(self, data: bytes) -> list[Said | Skipped]:
        buffer, self.pending = self.pending + data, b""
        out: list[Said | Skipped] = []
        at = 0
        while at < len(buffer):
            mark, raw = buffer[at], buffer[at : at + 2]
            if mark in (BREATHS, PULSE, INFO):
                if len(raw) < 2:
                    self.pending = raw
                    break
                out.append(self._valued(mark, raw))
                at += len(out[-1].raw if not isinstance(out[-1], Skipped) else out[-1].data)
            else:
                out.append(self._lone(raw[:1]))
                at += 1
        return out

    def _valued(self, mark: int, raw: bytes) -> Said | Skipped:
        self._in_wave = False
        if raw[1] >= WAVE:
            return Skipped(raw[:1])
        return Info(raw[1], raw) if mark == INFO else Value(1, mark, raw[1], raw)

    def _lone(self, raw: bytes) -> Said | Skipped:
        if raw[0] == WAVE:
            self._in_wave = True
            return Samples(1, (), raw)
        if raw[0] < WAVE - 1 and self._in_wave:
            return Samples(1, (raw[0],), raw)
        self._in_wave = self._in_wave and raw[0] < WAVE
        return Skipped(raw)


def decoder_for(frame: Said) -> Decoder:
    """Return a decoder that takes this frame alone."""
    decoder = Decoder(1 if isinstance(frame, Info) or getattr(frame, "protocol", 2) == 1 else 2)
    if isinstance(frame, Samples) and frame.protocol == 1 and frame.values:
        decoder._reader = _First(in_wave=True)  # noqa: SLF001 - in the middle of its wave
    return decoder


def encode(said: Said) -> bytes:
    """Return the bytes of a frame on the wire."""
    if isinstance(said, Info):
        return bytes((INFO, said.code))
    if isinstance(said, Identity):
        return bytes((IDENTITY,)) + said.text.encode("ascii") + b"\0"
    if isinstance(said, State):
        return _checked(STATUS, bytes((said.electrodes, said.channels, *said.settings)))
    if isinstance(said, Value):
        return (
            bytes((said.mark, said.value))
            if said.protocol == 1
            else _checked(said.mark, bytes((said.value,)))
        )
    if said.protocol == 1:
        return bytes(said.values) or bytes((WAVE,))
    check = (WAVE + sum(said.values)) & 0x0F
    return bytes((WAVE, len(said.values) << 4 | check, *said.values))


def scrub(said: Said) -> bytes:
    """Return the frame with `x` for the text that says which module it is."""
    return encode(Identity("x" * len(said.text)) if isinstance(said, Identity) else said)


def broken(skipped: bytes) -> int:
    """Return how many blocks of protocol 2 with a wrong check stand in bytes that were skipped."""
    blocks = _BLOCK.findall(skipped)
    return sum(len(raw) > 2 and len(raw) == _size(raw[0], raw[1]) for raw in blocks)


def _reader(protocol: int) -> "_First | Scanner[Said]":
    return _First() if protocol == 1 else Scanner[Said](re.compile(rb"[\xf8-\xfd]"), _look)


def _checked(mark: int, rest: bytes) -> bytes:
    return bytes((mark, (mark + sum(rest)) & 0x7F)) + rest


def _look(buffer: bytes, at: int) -> Said | NeedMore | None:
    mark = buffer[at]
    if mark == IDENTITY:
        return _identity(buffer[at : at + MAX_IDENTITY])
    if len(buffer) < at + 2:
        return NEED_MORE
    size = _size(mark, buffer[at + 1])
    raw = buffer[at : at + size]
    if not size or any(byte >= WAVE for byte in raw[1:]) or size - 2 > MOST_SAMPLES:
        return None
    if len(raw) < size:
        return NEED_MORE
    return _block(mark, raw)


def _size(mark: int, second: int) -> int:
    """Return how long a block of protocol 2 is, 0 where it is none."""
    return {WAVE: 2 + (second >> 4), BREATHS: 3, PULSE: 3, STATUS: 6}.get(mark, 0)


def _block(mark: int, raw: bytes) -> Said | None:
    rest = raw[2:]
    if mark == WAVE:
        good = rest and (mark + sum(rest)) & 0x0F == raw[1] & 0x0F
        return Samples(2, tuple(rest), raw) if good else None
    if (mark + sum(rest)) & 0x7F != raw[1]:
        return None
    if mark == STATUS:
        return State(rest[0], rest[1], (rest[2], rest[3]), raw)
    return Value(2, mark, rest[0], raw)


def _identity(raw: bytes) -> Identity | NeedMore | None:
    text = _TEXT.match(raw, 1)
    end = text.end() if text else 1
    if end == len(raw) < MAX_IDENTITY:
        return NEED_MORE
    if end >= len(raw) or raw[end] or end == 1:
        return None
    return Identity(raw[1:end].decode("ascii"), raw[: end + 1])


def _evidence(heard: bytes) -> int | None:
    """Return the protocol that the last byte heard has proven."""
    last = heard[-3:]
    if len(last) == 3 and last[0] in (BREATHS, PULSE) and last[1] < WAVE:
        if last[2] >= WAVE:
            return 1
        if (last[0] + last[2]) & 0x7F == last[1]:
            return 2
    if heard[-2:] == bytes((INFO, LEAD_OFF)) or _is_long_run(heard):
        return 1
    block = heard[-6:]
    if len(block) == 6 and block[0] == STATUS and isinstance(_look(block, 0), State):
        return 2
    return 2 if _blocks_end_here(heard) else None


def _is_long_run(heard: bytes) -> bool:
    run = heard[-LONG_RUN - 1 :]
    return len(run) > LONG_RUN and run[0] == WAVE and all(byte < WAVE for byte in run[1:])


def _blocks_end_here(heard: bytes) -> bool:
    end = len(heard)
    for _ in range(_BLOCKS_IN_A_ROW):
        start = heard.rfind(bytes((WAVE,)), max(0, end - MOST_SAMPLES - 2), end)
        if start < 0 or end - start < 3:
            return False
        found = _look(heard[start:end], 0)
        if not isinstance(found, Samples) or len(found.raw) != end - start:
            return False
        end = start
    return True
