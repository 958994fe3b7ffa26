"""Nonin Data Format 8: four bytes a second, values for display, no checksum.

byte   b7   b6-b0
0      1    b6 sensor disconnected (OEM III; reserved elsewhere), b5 out of track, b4 low and
            b3 marginal perfusion, b2 artifact, b1-b0 heart rate bits 8-7
1      0    heart rate bits 6-0; 511 in all nine bits: missing
2      0    SpO2 for display in percent, 127: missing
3      0    STAT2: b5 SmartPoint good, b3 sensor alarm (no finger), b0 battery low

Only byte 0 has bit 7 set, so a frame begins at any such byte and an unfinished one ends there.
One frame proves little. Three in a row cannot be cut from Data Format 2 or 7: any ten bytes of
those hold two status bytes with bit 7 set five bytes apart, which twelve bytes of this format
never do. Noise can show the pattern, so the proof is four in a row with numbers the instrument
can send and the undefined bits of STAT2 (seen set by some) unchanged: 1 place in 2**32 of noise.

Sources: Nonin "Model 9560 OEM Specification" 6470-000-01; drivers of M. Lewis and MD PnP.
"""

from dataclasses import dataclass, field
from enum import IntFlag

FRAME_BYTES = 4
PROOF_FRAMES = 4
MAX_HEART_RATE = 321  # the end of the maker's stated range

HEART_RATE_MISSING = 511
SPO2_MISSING = 127

_START = 0x80


class SecondStatus(IntFlag):
    """The status bits of byte 0."""

    ARTIFACT = 0x04
    MARGINAL_PERFUSION = 0x08
    LOW_PERFUSION = 0x10
    OUT_OF_TRACK = 0x20
    SENSOR_DISCONNECTED = 0x40


class Stat2(IntFlag):
    """Byte 3, as far as it is defined."""

    LOW_BATTERY = 0x01
    SENSOR_ALARM = 0x08
    SMARTPOINT = 0x20


_STAT2_DEFINED = Stat2.LOW_BATTERY | Stat2.SENSOR_ALARM | Stat2.SMARTPOINT


@dataclass(frozen=True, slots=True)
class SecondFrame:
    """One second: the fields as sent; 511 and 127 are still in `rate_code` and `spo2_code`."""

    status: int
    rate_code: int
    spo2_code: int
    stat2: int
    raw: bytes = field(default=b"", compare=False)

    @property
    def heart_rate(self) -> int | None:
        """In /min, None when missing."""
        return None if self.rate_code == HEART_RATE_MISSING else self.rate_code

    @property
    def spo2(self) -> int | None:
        """In percent, for display (held for 10 s after the finger has gone); None when missing."""
        return None if self.spo2_code == SPO2_MISSING else self.spo2_code


def fits(start: bytes | bytearray) -> bool:
    """Whether these one to four bytes can be the start of a frame."""
    return start[0] >= _START and all(byte < _START for byte in start[1:])


def proves(frames: bytes | bytearray) -> bool:
    """Whether frames that fit in a row are those of one instrument and not noise."""
    found = [
        unpack(bytes(frames[at : at + FRAME_BYTES])) for at in range(0, len(frames), FRAME_BYTES)
    ]
    undefined = {frame.stat2 & ~_STAT2_DEFINED for frame in found}
    return len(undefined) == 1 and all(
        (frame.heart_rate or 0) <= MAX_HEART_RATE and (frame.spo2 or 0) <= 100 for frame in found
    )


def unpack(raw: bytes) -> SecondFrame:
    """Return the frame that four sound bytes hold."""
    return SecondFrame(
        status=raw[0] & 0x7C,
        rate_code=(raw[0] & 0x03) << 7 | raw[1],
        spo2_code=raw[2],
        stat2=raw[3],
        raw=raw,
    )


def encode_second(frame: SecondFrame) -> bytes:
    """Return the four bytes of a frame."""
    first = _START | frame.status & 0x7C | frame.rate_code >> 7
    return bytes((first, frame.rate_code & 0x7F, frame.spo2_code, frame.stat2))
