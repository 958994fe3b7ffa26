"""Nonin Data Formats 2 and 7: pulse waveform and values, 75 frames a second, five bytes a frame.

byte   Data Format 2                    Data Format 7
0      01                               STATUS
1      STATUS                           pulse waveform, high byte
2      pulse waveform, 8 bits           pulse waveform, low byte
3      slot (what it holds depends on the frame's number, below)
4      sum of bytes 0-3, low byte

STATUS  b7 always 1, b6 sensor disconnected (OEM III; reserved on 9560), b5 artifact, b4 out of
        track, b3 sensor alarm (no finger), b2 red and b1 green perfusion light (both: yellow; lit
        for 12 frames a pulse), b0 SYNC: 1 only in frame 1

25 frames, the first with SYNC, are one packet of 1/3 s. Its slots, numbered from 1:

1-2    HR       4-beat average        14-15  E-HR      8-beat average
3      SpO2     4-beat average        16     E-SpO2    8-beat average
4      firmware revision              17     E-SpO2-D  8-beat average for display
6-7    timer, thirds of a second      20-21  HR-D      4-beat average for display
8      STAT2: b5 SmartPoint good,     22-23  E-HR-D    8-beat average for display
       b0 battery low
9      SpO2-D   4-beat for display
10     SpO2 Fast, 4-beat fast         5, 12, 13, 18, 19, 24, 25  reserved: any value
11     SpO2 B-B, beat to beat

A heart rate is (high & 03) << 7 | low & 7F, 511 when missing; SpO2 is slot & 7F, 127 when missing;
the timer is 7 + 7 bits. The bit above each field is undefined (a firmware revision of 94 hex was
seen although slots are said to end at 7F), so fields are masked and never refused for it.
Display values are renewed every 1.5 s and *held for 10 s after the finger has gone*, with the
sensor alarm set.

A packet counts only whole: 25 sound frames in a row, SYNC in the first alone. An unexpected SYNC
or a bad sum ends the attempt, and the search goes on for the next SYNC.

Sources: Nonin "Model 9560 OEM Specification" 6470-000-01; MD PnP `devices/nonin`; Pufferfish
firmware (OEM III).
"""

from dataclasses import dataclass, field
from enum import IntFlag
from functools import reduce
from operator import or_

FRAME_BYTES = 5
FRAMES = 25
PACKET_BYTES = FRAME_BYTES * FRAMES
FS = 75.0

HEART_RATE_MISSING = 511
SPO2_MISSING = 127

_DF2_START = 0x01
_ALWAYS = 0x80
TIMER_STEPS = 1 << 14


class FrameStatus(IntFlag):
    """The STATUS byte of one frame."""

    SYNC = 0x01
    GREEN = 0x02
    RED = 0x04
    SENSOR_ALARM = 0x08
    OUT_OF_TRACK = 0x10
    ARTIFACT = 0x20
    SENSOR_DISCONNECTED = 0x40
    ALWAYS = 0x80


@dataclass(frozen=True, slots=True)
class PlethPacket:
    """A third of a second: 25 status bytes, 25 waveform samples, 25 slot bytes, as sent.

    Samples are 0-255 in Data Format 2, 0-65535 in 7. The properties are the slots by name;
    heart rates in /min and saturations in percent are None where the instrument sends "missing".
    """

    data_format: int
    status: bytes
    pleth: tuple[int, ...]
    slots: bytes
    raw: bytes = field(default=b"", compare=False)

    def __post_init__(self) -> None:
        if self.data_format not in (2, 7):
            raise ValueError(f"a pleth packet is of Data Format 2 or 7, not {self.data_format}")
        if not len(self.status) == len(self.pleth) == len(self.slots) == FRAMES:
            raise ValueError(f"a pleth packet has {FRAMES} frames")

    @property
    def seen(self) -> FrameStatus:
        """Every status bit that was set in any frame."""
        return FrameStatus(reduce(or_, self.status))

    @property
    def heart_rate(self) -> int | None:
        """HR: 4-beat average, for recording."""
        return self._rate(1)

    @property
    def heart_rate_8(self) -> int | None:
        """E-HR: 8-beat average, for recording."""
        return self._rate(14)

    @property
    def heart_rate_display(self) -> int | None:
        """HR-D: 4-beat average, for display; held for 10 s after the finger has gone."""
        return self._rate(20)

    @property
    def heart_rate_8_display(self) -> int | None:
        """E-HR-D: 8-beat average, for display; held."""
        return self._rate(22)

    @property
    def spo2(self) -> int | None:
        """SpO2: 4-beat average, for recording."""
        return self._saturation(3)

    @property
    def spo2_display(self) -> int | None:
        """SpO2-D: 4-beat average, for display; held for 10 s after the finger has gone."""
        return self._saturation(9)

    @property
    def spo2_fast(self) -> int | None:
        """SpO2 Fast: 4-beat average, quick to follow."""
        return self._saturation(10)

    @property
    def spo2_beat(self) -> int | None:
        """SpO2 B-B: not averaged."""
        return self._saturation(11)

    @property
    def spo2_8(self) -> int | None:
        """E-SpO2: 8-beat average, for recording."""
        return self._saturation(16)

    @property
    def spo2_8_display(self) -> int | None:
        """E-SpO2-D: 8-beat average, for display; held."""
        return self._saturation(17)

    @property
    def firmware(self) -> int:
        """SREV: the firmware's revision, all eight bits."""
        return self.slots[3]

    @property
    def timer(self) -> int:
        """Thirds of a second, 14 bits, wraps."""
        return (self.slots[5] & 0x7F) << 7 | self.slots[6] & 0x7F

    @property
    def smartpoint(self) -> bool:
        """Whether the instrument's own algorithm calls the values good (STAT2)."""
        return bool(self.slots[7] & 0x20)

    @property
    def low_battery(self) -> bool:
        """Whether the battery is low (STAT2)."""
        return bool(self.slots[7] & 0x01)

    def _rate(self, number: int) -> int | None:
        value = (self.slots[number - 1] & 0x03) << 7 | self.slots[number] & 0x7F
        return None if value == HEART_RATE_MISSING else value

    def _saturation(self, number: int) -> int | None:
        value = self.slots[number - 1] & 0x7F
        return None if value == SPO2_MISSING else value


def begins_df2(byte: int) -> bool:
    """Whether a frame of Data Format 2 can begin with this byte."""
    return byte == _DF2_START


def begins_df7(byte: int) -> bool:
    """Whether a frame of Data Format 7 can begin with this byte."""
    return byte >= _ALWAYS


def sound_df2(buffer: bytearray, at: int, index: int) -> bool:
    """Whether the five bytes at `at` are frame `index` (from 0) of a Data Format 2 packet."""
    status = buffer[at + 1]
    return (
        buffer[at] == _DF2_START
        and status >= _ALWAYS
        and (status & FrameStatus.SYNC.value == 1) is (index == 0)
        and _checked(buffer, at)
    )


def sound_df7(buffer: bytearray, at: int, index: int) -> bool:
    """Whether the five bytes at `at` are frame `index` (from 0) of a Data Format 7 packet."""
    status = buffer[at]
    return (
        status >= _ALWAYS
        and (status & FrameStatus.SYNC.value == 1) is (index == 0)
        and _checked(buffer, at)
    )


def _checked(buffer: bytearray, at: int) -> bool:
    return sum(buffer[at : at + 4]) & 0xFF == buffer[at + 4]


def broken(skipped: bytes) -> int:
    """Return how many frames have a wrong sum; one counts only where its neighbour before is sound.

    Of Data Format 2 the constant first byte does as well.
    """
    buffer, at, count, in_step = bytearray(skipped), 0, 0, False
    while at + FRAME_BYTES <= len(buffer):
        head = buffer[at] == _DF2_START and buffer[at + 1] >= _ALWAYS
        framed = head or (in_step and buffer[at] >= _ALWAYS)
        if framed and not _checked(buffer, at):
            count += 1
        in_step = framed or (buffer[at] >= _ALWAYS and _checked(buffer, at))
        at += FRAME_BYTES if in_step else 1
    return count


def missing(before: PlethPacket, after: PlethPacket) -> int:
    """Return how many packets are lost between two; none where the timer began anew."""
    steps = (after.timer - before.timer) % TIMER_STEPS
    return steps - 1 if 0 < steps < TIMER_STEPS // 2 else 0


def unpack_df2(raw: bytes) -> PlethPacket:
    """Return the packet that 125 sound bytes of Data Format 2 hold."""
    return PlethPacket(2, raw[1::5], tuple(raw[2::5]), raw[3::5], raw)


def unpack_df7(raw: bytes) -> PlethPacket:
    """Return the packet that 125 sound bytes of Data Format 7 hold."""
    pleth = tuple(high << 8 | low for high, low in zip(raw[1::5], raw[2::5], strict=True))
    return PlethPacket(7, raw[0::5], pleth, raw[3::5], raw)


def encode_packet(packet: PlethPacket) -> bytes:
    """Return the 125 bytes of a packet."""
    return b"".join(encode_frame(packet, index) for index in range(FRAMES))


def encode_frame(packet: PlethPacket, index: int) -> bytes:
    """Return the five bytes of one frame of a packet, `index` from 0."""
    status, pleth, slot = packet.status[index], packet.pleth[index], packet.slots[index]
    if packet.data_format == 2:
        head = bytes((_DF2_START, status, pleth, slot))
    else:
        head = bytes((status, pleth >> 8, pleth & 0xFF, slot))
    return head + bytes((sum(head) & 0xFF,))
