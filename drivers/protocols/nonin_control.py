"""Nonin commands and the replies to them: format selection, clock, identity.

A block, in both directions:

byte   content
0      02 STX
1      operation: 7x asked by the host, Fx answered by the instrument
2      LL, number of data bytes
3..    data, binary (the clock is *not* BCD here, unlike in Data Format 13)
3+LL   03 ETX

asked                       means                       answer
02 70 02 02 ZZ 03           send Data Format ZZ         06 ACK or 15 NAK
02 70 04 02 ZZ FL CK 03     the same, long form: FL = 01 | 40 spot check | 20 Bluetooth on at
                            power-up, CK = sum of 70 04 02 ZZ FL, low byte
02 72 06 YY MM DD hh mm ss 03   set the clock, YY from 2000   none
02 72 00 03                 tell the clock              02 F2 06 YY MM DD hh mm ss 03
02 73 00 03                 tell the device type        02 F3 LL type 03
02 74 02 02 02 03           tell the serial number      02 F4 0A id, nine characters, 03

A block has no checksum of its own, so ETX and the length each operation has are what makes one.
No frame of any Data Format begins with 02, 06 or 15, so answers may stand between frames.
Model 9560 answers only in the first five seconds after connection, and keeps the selected
format through a change of batteries.

Sources: Nonin "Model 9560 OEM Specification" 6470-000-01 (short form, clock, ACK and NAK); MD PnP
`devices/nonin` (long form, device type, serial number: one source).
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, TypeAlias

STX = 0x02
ETX = 0x03
ACK = 0x06
NAK = 0x15
CONTROL_STARTS = frozenset((STX, ACK, NAK))

SELECT_FORMAT = 0x70
CLOCK = 0x72
DEVICE_TYPE = 0x73
SERIAL = 0x74
ANSWER = 0x80  # an answer repeats the operation with this bit set

CLOCK_YEARS = range(2000, 2100)
MAX_DATA = 32  # the longest block known carries 10; a length byte hit by noise must not stall us
MAX_BLOCK = MAX_DATA + 4

_MODELS = MappingProxyType(
    {b"\x18\x05\x09": "3150", b"\x9e\x09": "9560", b"\x93\x06": "9560"},
)


class NeedMore(Enum):
    """The bytes so far may begin something; only more of them can tell."""

    NEED_MORE = auto()


NEED_MORE: Final = NeedMore.NEED_MORE


@dataclass(frozen=True, slots=True)
class Ack:
    """The instrument took the last command."""

    raw: bytes = field(default=b"\x06", compare=False)


@dataclass(frozen=True, slots=True)
class Nak:
    """The instrument refused the last command."""

    raw: bytes = field(default=b"\x15", compare=False)


@dataclass(frozen=True, slots=True)
class ClockReply:
    """The instrument's clock: year since 2000, month, day, hour, minute, second, as sent."""

    stamp: bytes
    raw: bytes = field(default=b"", compare=False)

    @property
    def local(self) -> datetime | None:
        """The time it says, without a zone, to the second; None where that is no date."""
        year, month, day, hour, minute, second = self.stamp
        try:
            return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - no zone
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class DeviceTypeReply:
    """Which model answers."""

    code: bytes
    raw: bytes = field(default=b"", compare=False)

    @property
    def model(self) -> str | None:
        """The model's number; None for a code this project has not seen documented."""
        return _MODELS.get(self.code)


@dataclass(frozen=True, slots=True)
class SerialReply:
    """The serial number: `serial` is the nine characters as sent, `ident` the byte before them."""

    ident: int
    serial: str
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class OtherReply:
    """An answer this project has no name for, kept as it came."""

    operation: int
    data: bytes
    raw: bytes = field(default=b"", compare=False)


Reply: TypeAlias = Ack | Nak | ClockReply | DeviceTypeReply | SerialReply | OtherReply


@dataclass(frozen=True, slots=True)
class Block:
    """One STX ... ETX block of either direction."""

    operation: int
    data: bytes

    def __bytes__(self) -> bytes:
        return bytes((STX, self.operation, len(self.data))) + self.data + bytes((ETX,))


def select_format(data_format: int) -> bytes:
    """Return the command that makes the instrument send Data Format 2, 7, 8 or 13."""
    return bytes(Block(SELECT_FORMAT, bytes((0x02, data_format))))


def select_format_long(data_format: int, *, spot_check: bool, bluetooth_on: bool) -> bytes:
    """Return the long form, which also sets what the instrument does at power-up."""
    flags = 0x01 | (0x40 if spot_check else 0) | (0x20 if bluetooth_on else 0)
    body = bytes((0x02, data_format, flags))
    check = (SELECT_FORMAT + len(body) + 1 + sum(body)) & 0xFF
    return bytes(Block(SELECT_FORMAT, body + bytes((check,))))


def set_clock(local: datetime) -> bytes:
    """Return the command that sets the clock; ValueError outside `CLOCK_YEARS`."""
    return bytes(Block(CLOCK, clock_stamp(local)))


def clock_stamp(local: datetime) -> bytes:
    """Return the six binary bytes of a time, to the second; ValueError outside `CLOCK_YEARS`."""
    if local.year not in CLOCK_YEARS:
        raise ValueError(f"the clock of these instruments cannot show the year {local.year}")
    parts = local.year - 2000, local.month, local.day, local.hour, local.minute, local.second
    return bytes(parts)


GET_CLOCK = bytes(Block(CLOCK, b""))
GET_DEVICE_TYPE = bytes(Block(DEVICE_TYPE, b""))
GET_SERIAL = bytes(Block(SERIAL, b"\x02\x02"))


def read_block(buffer: bytes | bytearray, at: int, first_operation: int) -> Block | NeedMore | None:
    """Return the block at `at`, None if there is none; operations are `first_operation` + 0..F."""
    here = bytes(buffer[at : at + MAX_BLOCK])
    if here[:1] != bytes((STX,)):
        return None if here else NEED_MORE
    if len(here) > 1 and here[1] & 0xF0 != first_operation:
        return None
    if len(here) > 2 and here[2] > MAX_DATA:
        return None
    if len(here) < 3 or len(here) < here[2] + 4:
        return NEED_MORE
    end = here[2] + 3
    return Block(here[1], here[3:end]) if here[end] == ETX else None


def read_reply(buffer: bytes | bytearray, at: int) -> Reply | NeedMore | None:
    """Return the reply that stands at `at`, None if none does."""
    if len(buffer) > at and buffer[at] == ACK:
        return Ack()
    if len(buffer) > at and buffer[at] == NAK:
        return Nak()
    block = read_block(buffer, at, 0xF0)
    return _reply(block) if isinstance(block, Block) else block


def _reply(block: Block) -> Reply:
    """Return what a block says; the length decides whether it is the reply its operation names."""
    raw, data = bytes(block), block.data
    match block.operation & ~ANSWER, len(data):
        case (0x72, 6):
            return ClockReply(data, raw)
        case (0x73, size) if size:
            return DeviceTypeReply(data, raw)
        case (0x74, 10):
            return SerialReply(data[0], data[1:].decode("latin-1"), raw)
        case _:
            return OtherReply(block.operation, data, raw)


def encode_reply(reply: Reply) -> bytes:
    """Return the bytes an instrument sends for this reply."""
    match reply:
        case Ack():
            return bytes((ACK,))
        case Nak():
            return bytes((NAK,))
        case ClockReply(stamp):
            return bytes(Block(CLOCK | ANSWER, stamp))
        case DeviceTypeReply(code):
            return bytes(Block(DEVICE_TYPE | ANSWER, code))
        case SerialReply(ident, serial):
            return bytes(Block(SERIAL | ANSWER, bytes((ident,)) + serial.encode("latin-1")))
        case OtherReply(operation, data):
            return bytes(Block(operation, data))
