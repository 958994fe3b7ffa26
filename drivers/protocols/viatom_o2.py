"""Viatom and Wellue O2 oximeters (O2Ring, Checkme O2) over their Bluetooth LE pipe, when asked.

byte  content, several bytes least significant first
0     AA from the host, 55 from the oximeter
1     command, or the result of one: 0 done
2     byte 1 inverted
3-4   number of the block
5-6   length of the data
7-    data
last  CRC-8, polynomial 07, of all before

The sensors are asked for with command 17; in the answer's data
0 SpO2 in percent   1 pulse rate in /min   7 battery in percent   9 motion
10 perfusion index, 0.1 %   11 worn: 0 no

A frame names no command it answers: an answer of 12 bytes and more of data is that of the sensors,
the only thing this project asks for. Resynchronisation: at the next 55 whose complement and sum are
right; an answer is at most 512 bytes of data here, for what is longer is a file nobody asked for.
Sources: viatom-develop/LepuBle; o2r; ViatomPy, which read the same bytes.
"""

import re
from dataclasses import dataclass, field

from drivers.protocols.crc import crc8
from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

FROM_HOST = 0xAA
FROM_OXIMETER = 0x55
READ_SENSORS = 0x17
MAX_DATA = 512

_HEAD = 7
_SENSORS = 12
MAX_PENDING = _HEAD + MAX_DATA + 1


@dataclass(frozen=True, slots=True)
class Answer:
    """One frame of the oximeter."""

    result: int
    data: bytes
    block: int = 0
    raw: bytes = field(default=b"", compare=False)

    @property
    def is_of_sensors(self) -> bool:
        """Whether it holds what the sensors say."""
        return self.result == 0 and len(self.data) >= _SENSORS


class Decoder(Scanner[Answer]):
    """Turn bytes into answers. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"\x55"), _look)


def encode(answer: Answer) -> bytes:
    """Return the bytes of an answer on the wire."""
    return _frame(FROM_OXIMETER, answer.result, answer.data, answer.block)


def command(code: int) -> bytes:
    """Return the bytes of a question without data."""
    return _frame(FROM_HOST, code, b"")


def scrub(answer: Answer) -> bytes:
    """Return an answer without what could name somebody: only the sensors' data is known."""
    if answer.is_of_sensors and len(answer.data) <= _SENSORS + 4:
        return encode(answer)
    return encode(Answer(answer.result, bytes(len(answer.data)), answer.block))


def broken(skipped: bytes) -> int:
    """Return how many answers with a wrong sum stand in bytes that were skipped."""
    count = at = 0
    while (at := skipped.find(FROM_OXIMETER, at)) >= 0:
        head = skipped[at : at + _HEAD]
        end = at + _HEAD + int.from_bytes(head[5:7], "little") + 1
        is_head = len(head) == _HEAD and head[1] ^ head[2] == 0xFF
        is_broken = is_head and end <= len(skipped)
        count += is_broken
        at = end if is_broken else at + 1
    return count


def _frame(start: int, code: int, data: bytes, block: int = 0) -> bytes:
    if len(data) > MAX_DATA:
        raise ValueError(f"{len(data)} bytes of data: at most {MAX_DATA}")
    head = bytes((start, code, code ^ 0xFF)) + block.to_bytes(2, "little")
    body = head + len(data).to_bytes(2, "little") + data
    return body + bytes((crc8(body),))


def _look(buffer: bytes, at: int) -> Answer | NeedMore | None:
    head = buffer[at : at + _HEAD]
    if len(head) > 2 and head[1] ^ head[2] != 0xFF:
        return None
    if len(head) < _HEAD:
        return NEED_MORE
    size = int.from_bytes(head[5:7], "little")
    if size > MAX_DATA:
        return None
    raw = buffer[at : at + _HEAD + size + 1]
    if len(raw) <= _HEAD + size:
        return NEED_MORE
    if crc8(raw[:-1]) != raw[-1]:
        return None
    return Answer(head[1], raw[_HEAD:-1], int.from_bytes(head[3:5], "little"), raw)
