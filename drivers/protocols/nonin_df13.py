"""Nonin Data Format 13: one record for each spot check, sent at once or kept and sent later.

byte        content
0-3         00 02 00 0D
4-5         LL LL, number of data bytes, high byte first; 14 or more
6-13        century, year, month, day, hour, minute, second, hundredths, each BCD
14          b1 SmartPoint good, b0 no measurement was made
15          b4 from memory, b0 battery low
16          b0 heart rate bit 8
17          heart rate bits 7-0: eight, where Data Formats 2, 7 and 8 have seven; 511: missing
18          reserved
19          SpO2 in percent, 127: missing
20..        whatever a later firmware adds; obey LL
6+LL        sum of the data bytes alone, low byte
7+LL        03

Header, length, sum and trailer together prove a record by itself. Time is the instrument's local
time. Sources: Nonin "Model 9560 OEM Specification" 6470-000-01; M. Lewis, NoninPulseOx (which
reads the date as binary; the vendor says BCD).
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag

from drivers.protocols.nonin_control import ETX, NEED_MORE, NeedMore

HEADER = b"\x00\x02\x00\x0d"
MIN_DATA = 14
MAX_DATA = 64  # room to grow; a length hit by noise must not swallow the next records

HEART_RATE_MISSING = 511
SPO2_MISSING = 127


class SpotStatus(IntFlag):
    """Both status bytes, high byte first."""

    LOW_BATTERY = 0x0001
    FROM_MEMORY = 0x0010
    NO_MEASUREMENT = 0x0100
    SMARTPOINT = 0x0200


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """One spot check: `stamp` is its time, eight BCD bytes; `extra` what later firmware adds."""

    stamp: bytes
    status: int
    rate_code: int
    spo2_code: int
    reserved: int = 0
    extra: bytes = b""
    raw: bytes = field(default=b"", compare=False)

    @property
    def taken(self) -> datetime | None:
        """When, by the instrument's clock, to 10 ms; None where the bytes are no BCD date."""
        text = self.stamp.hex()
        if not text.isdecimal():
            return None
        century, *rest = (int(text[at : at + 2]) for at in range(0, 16, 2))
        year, month, day, hour, minute, second, hundredths = rest
        try:
            return datetime(  # noqa: DTZ001 - an instrument has no zone
                century * 100 + year, month, day, hour, minute, second, hundredths * 10_000
            )
        except ValueError:
            return None

    @property
    def heart_rate(self) -> int | None:
        """In /min, None when missing."""
        return None if self.rate_code == HEART_RATE_MISSING else self.rate_code

    @property
    def spo2(self) -> int | None:
        """In percent, None when missing."""
        return None if self.spo2_code == SPO2_MISSING else self.spo2_code


def bcd_stamp(taken: datetime) -> bytes:
    """Return the eight BCD bytes of a time, to 10 ms."""
    return bytes.fromhex(f"{taken:%Y%m%d%H%M%S}{taken.microsecond // 10_000:02d}")


def read_record(buffer: bytearray) -> SpotCheck | NeedMore | None:
    """Return the record that stands at the head of `buffer`, None if none does."""
    if not (buffer.startswith(HEADER) or HEADER.startswith(buffer[:4])):
        return None
    if len(buffer) < 6:
        return NEED_MORE
    size = buffer[4] << 8 | buffer[5]
    if not MIN_DATA <= size <= MAX_DATA:
        return None
    if len(buffer) < size + 8:
        return NEED_MORE
    data = bytes(buffer[6 : 6 + size])
    if sum(data) & 0xFF != buffer[6 + size] or buffer[7 + size] != ETX:
        return None
    return SpotCheck(
        stamp=data[:8],
        status=data[8] << 8 | data[9],
        rate_code=(data[10] & 0x01) << 8 | data[11],
        spo2_code=data[13] & 0x7F,
        reserved=data[12],
        extra=data[14:],
        raw=bytes(buffer[: size + 8]),
    )


def encode_record(record: SpotCheck) -> bytes:
    """Return the bytes of a record."""
    rate = record.rate_code
    data = record.stamp + bytes(
        (
            record.status >> 8,
            record.status & 0xFF,
            rate >> 8,
            rate & 0xFF,
            record.reserved,
            record.spo2_code,
        )
    )
    data += record.extra
    return HEADER + len(data).to_bytes(2) + data + bytes((sum(data) & 0xFF, ETX))
