"""TaiDoc and FORA instruments, eight-byte frames over cable, Bluetooth serial profile or BLE pipe.

byte  content
0     51
1     command; the reply repeats it
2-5   data, several bytes little-endian
6     A3 from the host, A5 from the instrument
7     low byte of the sum of bytes 0-6

command  asks for                     data of the reply
23       the clock                    as bytes 0-3 of 25, flags aside
24       the model                    d0 d1: the number in BCD, 28 31 is TD-3128
25       time and flags of a record   d0 b4-0 day, d0 b7-5 and d1 b0 month, d1 b7-1 year - 2000;
                                      d2 b5-0 minute, b6 arrhythmia, b7 pressure (else glucose);
                                      d3 b4-0 hour, b6-5 irregular heartbeat, b7 an average
26       value of a record            blood pressure: d0 systolic, d1 mean, d2 diastolic, d3 pulse;
                                      oximeter: d0 d1 b11-0 SpO2, d3 pulse;
                                      thermometer: d0 d1 tenths of a degree Celsius, from 1000 on
                                      hundredths
27, 28   halves of the serial number
49       saturation now (TD-8201)     as the record of an oximeter
71, 77   a scale's last weight        asked with 51 71 02 00 00 A3 67; the reply has 32 or 40 bytes,
         (TD-2555; other TD-25xx)     of which 16-17 are tenths of a kilogram, *high byte first*

25 and 26 ask for a record by its number in d0 d1, 0 the newest, of the user in d3. Baud is not
stated in any source: 19200 8N1 is a common claim.

Resynchronisation: at the next 51 whose frame ends with A5 and the right sum.
Sources: advmeds-bluetooth-lib; pico-vitals-gateway; TransafeRx; FORA IR40 reader (record 0 is the
newest, its time comes from 25); ForaD40. No vendor document was seen. That the clock has the layout
of a record's time is an assumption: no source says so. A clock that is no date, or a day from the
hub's, is not used. The reply of a scale has one source, an author whose two decoders agree; its
frame (51 at the start, A5 and the sum at the end) is inferred from the other replies.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

START = 0x51
FROM_HOST = 0xA3
FROM_INSTRUMENT = 0xA5
SIZE = 8
SCALE_SIZES = (32, 40)
MAX_PENDING = max(SCALE_SIZES)

CLOCK = 0x23
MODEL = 0x24
RECORD_TIME = 0x25
RECORD_VALUE = 0x26
SERIAL_LOW = 0x27
SERIAL_HIGH = 0x28
LIVE_SPO2 = 0x49
SCALE = 0x71
SCALES = 0x77
FIRST_SCALE = "2555"


@dataclass(frozen=True, slots=True)
class Reply:
    """One frame of the instrument; `data` are its four bytes, 28 or 36 of a scale."""

    command: int
    data: bytes
    raw: bytes = field(default=b"", compare=False)

    @property
    def word(self) -> int:
        """The first two bytes of the data as a number."""
        return int.from_bytes(self.data[:2], "little")

    @property
    def is_scale(self) -> bool:
        """Whether this is the long reply of a scale."""
        return len(self.data) + 4 in SCALE_SIZES

    @property
    def weight(self) -> float:
        """The weight in kilograms in the reply of a scale, 0 if there is none."""
        return int.from_bytes(self.data[14:16], "big") / 10

    @property
    def model(self) -> str:
        """The model in a reply to MODEL, as four digits of its BCD."""
        return f"{self.word:04X}"

    @property
    def time(self) -> datetime | None:
        """The time in a reply to CLOCK or RECORD_TIME, to the minute; None where it is no date."""
        word, minute, hour = self.word, self.data[2] & 0x3F, self.data[3] & 0x1F
        try:
            return datetime(2000 + (word >> 9), word >> 5 & 0xF, word & 0x1F, hour, minute)  # noqa: DTZ001 - no zone
        except ValueError:
            return None


class Decoder(Scanner[Reply]):
    """Turn bytes into replies. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"\x51"), _look)


def encode(reply: Reply) -> bytes:
    """Return the bytes of a reply on the wire."""
    return _frame(reply.command, reply.data, FROM_INSTRUMENT)


def command(code: int, *, record: int = 0, user: int = 0) -> bytes:
    """Return the bytes of a question; `record` and `user` where it is about a record."""
    return _frame(code, record.to_bytes(2, "little") + bytes((0, user)), FROM_HOST)


def scale_command(code: int) -> bytes:
    """Return the bytes of a question to a scale, which are seven."""
    body = bytes((START, code, 2, 0, 0, FROM_HOST))
    return body + bytes((sum(body) & 0xFF,))


def read_command(buffer: bytes | bytearray, at: int) -> Reply | NeedMore | None:
    """Return the question that stands at `at`, as an instrument reads it."""
    return _read(bytes(buffer), at, FROM_HOST)


def time_bytes(time: datetime) -> bytes:
    """Return the four bytes of a time, to the minute, years 2000 to 2127."""
    word = (time.year - 2000) << 9 | time.month << 5 | time.day
    return word.to_bytes(2, "little") + bytes((time.minute, time.hour))


def scrub(reply: Reply) -> bytes:
    """Return the reply with zeros for the serial number, all that identifies."""
    if reply.command in {SERIAL_LOW, SERIAL_HIGH}:
        return encode(Reply(reply.command, bytes(len(reply.data))))
    if reply.is_scale:
        kept = reply.data[14:16]
        return encode(Reply(reply.command, bytes(14) + kept + bytes(len(reply.data) - 16)))
    return encode(reply)


def broken(skipped: bytes) -> int:
    """Return how many replies with a wrong sum stand in bytes that were skipped."""
    return len(re.findall(rb"\x51.{5}\xa5.", skipped, re.DOTALL))


def _frame(code: int, data: bytes, end: int) -> bytes:
    body = bytes((START, code)) + data + bytes((end,))
    return body + bytes((sum(body) & 0xFF,))


def _look(buffer: bytes, at: int) -> Reply | NeedMore | None:
    found = _read(buffer, at, FROM_INSTRUMENT)
    if found is not None or buffer[at + 1] not in {SCALE, SCALES}:
        return found
    for size in SCALE_SIZES:
        found = _read(buffer, at, FROM_INSTRUMENT, size)
        if found is not None:
            return found
    return None


def _read(buffer: bytes, at: int, end: int, size: int = SIZE) -> Reply | NeedMore | None:
    raw = buffer[at : at + size]
    if len(raw) < size:
        return NEED_MORE
    if raw[0] != START or raw[-2] != end or sum(raw[:-1]) & 0xFF != raw[-1]:
        return None
    return Reply(raw[1], raw[2:-2], raw)
