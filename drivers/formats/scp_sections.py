"""SCP-ECG: the record, its checksums, and where its sections lie.

record    checksum u16, length u32, sections
section   checksum u16, number u16, length u32 with this header, version u8, protocol u8, 6 reserved
section 0 pointers to all sections: number u16, length u32, position u32 counted from 1

Checksums are CRC-CCITT (0x1021, begun with 0xFFFF) over all that follows them. Sections lie in any
order and not upon each other; length 0 is an absent one, a bare header an empty one. Old carts put
anything into version and reserved bytes. Bytes after the record are nobody's, unless they are
another record.
"""

from binascii import crc_hqx
from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct

from drivers.errors import FormatError
from drivers.formats.signatures import is_scp

HEADER = 16
TABLE_AT = 6
STANDARD = range(12)  # the sections whose headers are the standard's; others are a vendor's own
POINTER = Struct("<HII")
SECTION_HEADER = Struct("<HHIBB6s")
PROTOCOL_2 = 20  # 2.0; 13 is 1.3
EDITION_3 = range(30, 40)  # protocols 3.x; old carts put anything into the byte
LONGEST_RECORD = 255 * 65535 + 5_000_000  # all leads of section 6 full, and much text
MAX_POINTERS = 1024  # section numbers end at 1023, those of vendors included

_U8, _U16, _S16, _U32 = Struct("<B"), Struct("<H"), Struct("<h"), Struct("<I")


@dataclass(frozen=True, slots=True)
class Section:
    """One section; `at` is where its header begins in the file, `protocol` its edition."""

    number: int
    at: int
    body: bytes
    protocol: int

    def cursor(self) -> "Cursor":
        """Read the body from its start."""
        return Cursor(self.body, self.at + HEADER, f"section {self.number}")


class Cursor:
    """A place in bytes from a file; reading past their end is a FormatError that says where."""

    def __init__(self, data: bytes, origin: int, what: str) -> None:
        self._data = data
        self._origin = origin
        self._what = what
        self._next = 0

    @property
    def at(self) -> int:
        """The place in the file."""
        return self._origin + self._next

    @property
    def left(self) -> int:
        """How many bytes remain."""
        return len(self._data) - self._next

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if count > self.left:
            raise self.wrong(f"ends {count - self.left} bytes too early")
        taken = self._data[self._next : self._next + count]
        self._next += count
        return taken

    def u8(self) -> int:
        """Return an unsigned byte."""
        return self._number(_U8)

    def u16(self) -> int:
        """Return an unsigned 16-bit number."""
        return self._number(_U16)

    def s16(self) -> int:
        """Return a signed 16-bit number."""
        return self._number(_S16)

    def u32(self) -> int:
        """Return an unsigned 32-bit number."""
        return self._number(_U32)

    def part(self, count: int) -> "Cursor":
        """Return a cursor for the next bytes alone."""
        at = self.at
        return Cursor(self.take(count), at, self._what)

    def wrong(self, reason: str) -> FormatError:
        """Return the error for what is found here."""
        return FormatError(f"{self._what}: {reason}", self.at)

    def _number(self, layout: Struct) -> int:
        value: int = layout.unpack(self.take(layout.size))[0]
        return value


def read_sections(data: bytes) -> Mapping[int, Section]:
    """Return the sections that hold something, by number, with all checksums proven."""
    record = _record(data)
    spans = _spans(record)
    sections = {}
    for number, at, length in spans:
        if section := _section(record, number, at, length):
            sections[number] = section
    return sections


def checksum(data: bytes) -> int:
    """Return the checksum over bytes that follow it."""
    return crc_hqx(data, 0xFFFF)


def _record(data: bytes) -> bytes:
    head = Cursor(data, 0, "record")
    stored, length = head.u16(), head.u32()
    if length > len(data):
        why = "it is cut off" if length <= LONGEST_RECORD else "no ECG has so many, this is not SCP"
        reason = f"the record says it has {length} bytes, the file has {len(data)}: {why}"
        raise FormatError(reason, 2)
    if length < TABLE_AT + HEADER:
        raise FormatError(f"the record says it has {length} bytes, too few for section 0", 2)
    if checksum(data[2:length]) != stored:
        raise FormatError("the record's checksum does not match: the file is damaged", 0)
    if is_scp(data[length:]):
        raise FormatError("a second record follows; one file is one recording", length)
    return data[:length]


def _spans(record: bytes) -> list[tuple[int, int, int]]:
    """Return number, place and length of each section in the order of the file."""
    _, number, length, *_ = SECTION_HEADER.unpack_from(record, TABLE_AT)
    if number != 0:
        raise FormatError(f"section 0 is expected here, not section {number}", TABLE_AT + 2)
    if not HEADER <= length <= len(record) - TABLE_AT:
        raise FormatError(f"section 0 says it has {length} bytes", TABLE_AT + 4)
    if length > HEADER + MAX_POINTERS * POINTER.size:
        raise FormatError(f"section 0 has more than {MAX_POINTERS} pointers", TABLE_AT + 4)
    spans = [(0, TABLE_AT, length)]
    table_end = TABLE_AT + length
    for at in range(TABLE_AT + HEADER, table_end - POINTER.size + 1, POINTER.size):
        number, length, index = POINTER.unpack_from(record, at)
        if number == 0 or length == 0:
            continue
        if index == 0 or index - 1 + length > len(record) or length < HEADER:
            reason = f"section {number} of {length} bytes at {index} is not inside the record"
            raise FormatError(reason, at)
        spans.append((number, index - 1, length))
    return _apart(spans)


def _apart(spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return the spans in the order of the file, when none is there twice or lies upon another."""
    numbers = {number for number, _, _ in spans}
    if len(numbers) < len(spans):
        raise FormatError("section 0 points twice to one section number", TABLE_AT)
    spans.sort(key=lambda span: span[1])
    end, before = 0, 0
    for number, at, length in spans:
        if at < end:
            raise FormatError(f"sections {before} and {number} lie upon each other", at)
        end, before = at + length, number
    return spans


def _section(record: bytes, number: int, at: int, length: int) -> Section | None:
    """Return a section with its checksum proven; None for an empty one.

    What the standard does not lay out is taken as it lies; the record's checksum covers it.
    """
    if length <= HEADER:
        return None
    if number not in STANDARD:
        return Section(number, at, record[at + HEADER : at + length], protocol=0)
    stored, said, own_length, _, protocol, _ = SECTION_HEADER.unpack_from(record, at)
    if said != number:
        raise FormatError(f"section 0 says section {number} is here, its header {said}", at + 2)
    # A pointer may count the byte that makes the length even.
    if not length - 1 <= own_length <= length:
        reason = f"section {number} has {length} bytes by its pointer, {own_length} by its header"
        raise FormatError(reason, at + 4)
    if checksum(record[at + 2 : at + own_length]) != stored:
        raise FormatError(f"the checksum of section {number} does not match", at)
    return Section(number, at, record[at + HEADER : at + own_length], protocol)
