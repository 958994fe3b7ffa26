"""ProtoCentral HealthyPi v4, USB serial, 115200 8N1: a packet of 27 bytes for each sample.

0A FA 14 00 02   twenty bytes of data, kind 2
data             little-endian: 0-1 ECG, 2-3 respiration, 4-7 infra-red, 8-11 red (all signed),
                 12-13 temperature in 1/100 degree Celsius, 14 respiration rate, 15 SpO2,
                 16 heart rate, 17 and 18 the constants 80 and 120, 19 b0 ECG lead off, b1 no finger
00 0B

Bytes 17 and 18 are *not* a blood pressure: the firmware writes the same two numbers for ever, for a
place on its display. There is no checksum: both ends are what holds a packet.

Resynchronisation: at the next 0A FA 14 00 02 whose two last bytes are right.
Source: the maker's firmware and its program for a computer (protocentral_healthypi_v4).
"""

import re
import struct
from dataclasses import dataclass, field

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

HEAD = b"\x0a\xfa\x14\x00\x02"
TAIL = b"\x00\x0b"
SIZE = 27
MAX_PENDING = SIZE
FS = 125
NO_PRESSURE = (80, 120)

_DATA = struct.Struct("<hhiiHBBBBBB")


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of every signal, and what is known at that moment."""

    ecg: int
    breath: int
    infrared: int
    red: int
    temperature: int
    respiration_rate: int
    spo2: int
    heart_rate: int
    constants: tuple[int, int]
    state: int
    raw: bytes = field(default=b"", compare=False)

    @property
    def is_lead_off(self) -> bool:
        """Whether an ECG electrode is off."""
        return bool(self.state & 0x01)

    @property
    def is_finger_out(self) -> bool:
        """Whether no finger is in."""
        return bool(self.state & 0x02)


class Decoder(Scanner[Sample]):
    """Turn bytes into samples. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"\x0a"), _look)


def encode(sample: Sample) -> bytes:
    """Return the bytes of a sample on the wire."""
    data = _DATA.pack(
        sample.ecg,
        sample.breath,
        sample.infrared,
        sample.red,
        sample.temperature,
        sample.respiration_rate,
        sample.spo2,
        sample.heart_rate,
        *sample.constants,
        sample.state,
    )
    return HEAD + data + TAIL


def scrub(sample: Sample) -> bytes:
    """Return the bytes as they are: they identify nobody."""
    return encode(sample)


def _look(buffer: bytes, at: int) -> Sample | NeedMore | None:
    raw = buffer[at : at + SIZE]
    if raw[: len(HEAD)] != HEAD[: len(raw)]:
        return None
    if len(raw) < SIZE:
        return NEED_MORE
    if raw[-len(TAIL) :] != TAIL:
        return None
    said = _DATA.unpack_from(raw, len(HEAD))
    names = ("ecg", "breath", "infrared", "red", "temperature")
    known = dict(zip(names, said, strict=False))
    rate, spo2, heart, first, second, state = said[5:]
    return Sample(
        **known,
        respiration_rate=rate,
        spo2=spo2,
        heart_rate=heart,
        constants=(first, second),
        state=state,
        raw=raw,
    )
