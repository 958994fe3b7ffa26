"""SCP-ECG section 2: tables of codes, and samples out of a stream of bits.

tables u16, or 19999 for the default table; a table is rows u16 and, for each,
prefix bits u8, all bits u8, mode u8, value s16, code u32 with the bit sent first as its lowest.

Mode 1 is a value: the row's own, or where all bits are more than the prefix, those that follow it,
signed. Mode 0 goes on with the table that the value numbers, from 1; each lead begins with table 1.
Bits are sent from the highest of each byte. What follows the last sample is padding, and not always
of zeros: a lead is decoded by its number of samples, never to its end.

Default table: 0 is 0; k ones and 00 is +k, k ones and 01 is -k, k up to 8; nine ones and 0 is
followed by 8 bits, ten ones by 16.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FormatError
from drivers.formats.scp_sections import Section

DEFAULT_TABLE = 19999
MAX_TABLES = 64
MAX_ROWS = 4096  # of all tables; a code for every 12-bit difference
MAX_PREFIX_BITS = 32  # the code field
MAX_LITERAL_BITS = 16  # samples and differences are 16-bit numbers

_WINDOW = 32
_ONES = (1 << _WINDOW) - 1


@dataclass(frozen=True, slots=True)
class Row:
    """One code: prefix with the bit sent first as its highest, and what it stands for."""

    prefix: int
    prefix_bits: int
    value: int = 0
    literal_bits: int = 0
    table: int = 0  # to go on with, from 1; 0 for a value

    @property
    def first(self) -> int:
        """The least window of 32 bits that begins with this prefix."""
        return self.prefix << (_WINDOW - self.prefix_bits)

    @property
    def last(self) -> int:
        """The greatest window of 32 bits that begins with this prefix."""
        return self.first | (_ONES >> self.prefix_bits)


Table = Sequence[Row]  # by their first windows, which do not overlap


def _default() -> Table:
    rows = [Row(0, 1)]
    for size in range(1, 9):
        ones = (1 << size) - 1 << 2
        rows += [Row(ones, size + 2, size), Row(ones | 1, size + 2, -size)]
    rows += [Row(0b1111111110, 10, literal_bits=8), Row(0b1111111111, 10, literal_bits=16)]
    return tuple(sorted(rows, key=lambda row: row.first))


DEFAULT: Table = _default()


def read_tables(section: Section) -> Sequence[Table]:
    """Return the tables of section 2, checked: no code begins with another, all switches lead."""
    cursor = section.cursor()
    count = cursor.u16()
    if count == DEFAULT_TABLE:
        return (DEFAULT,)
    if not 1 <= count <= MAX_TABLES:
        raise FormatError(f"section 2: {count} tables, 1 to {MAX_TABLES} are read", section.at)
    tables, total = [], 0
    for _ in range(count):
        at, rows = cursor.at, cursor.u16()
        total += rows
        if rows == 0 or total > MAX_ROWS:
            raise FormatError(f"section 2: {total} codes; 1 to {MAX_ROWS} are read", at)
        tables.append(_apart([_row(cursor.take(9), cursor.at - 9, count) for _ in range(rows)], at))
    return tables


def _row(data: bytes, at: int, tables: int) -> Row:
    prefix_bits, bits, mode = data[:3]
    value = int.from_bytes(data[3:5], "little", signed=True)
    sent = int.from_bytes(data[5:9], "little")
    literal = bits - prefix_bits
    if not (1 <= prefix_bits <= MAX_PREFIX_BITS and 0 <= literal <= MAX_LITERAL_BITS):
        raise FormatError(f"section 2: a code of {prefix_bits} bits, {bits} in all", at)
    prefix = int(f"{sent & (1 << prefix_bits) - 1:0{prefix_bits}b}"[::-1], 2)
    if mode == 0:
        if not 1 <= value <= tables or literal:
            raise FormatError(f"section 2: a switch to table {value} of {tables}", at)
        return Row(prefix, prefix_bits, table=value)
    if mode != 1:
        raise FormatError(f"section 2: mode {mode} is neither value nor switch", at)
    if literal and value:
        # Readers disagree on whether the value is added.
        raise FormatError(f"section 2: value {value} and {literal} further bits in one code", at)
    return Row(prefix, prefix_bits, value, literal)


def _apart(rows: list[Row], at: int) -> Table:
    rows.sort(key=lambda row: row.first)
    for row, following in pairwise(rows):
        if following.first <= row.last:
            raise FormatError("section 2: one code begins with another", at)
    return rows


class Decoding:
    """The tables of a file, made ready for decoding its leads."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._firsts = [[row.first for row in table] for table in tables]
        self._rows = [
            [(row.last, row.prefix_bits, row.literal_bits, row.value, row.table) for row in table]
            for table in tables
        ]

    def samples(self, data: bytes, count: int, at: int, what: str) -> NDArray[np.int64]:
        """Return `count` numbers from bits that begin at place `at` of the file.

        Raises FormatError where the bits end early, are no code, or only switch tables.
        """
        end = 8 * len(data)
        if count > end:
            raise FormatError(f"{what}: {len(data)} bytes cannot hold {count} samples", at)
        windows = _windows(data)
        values: list[int] = []
        place, switches = 0, 0
        firsts, rows = self._firsts[0], self._rows[0]
        while len(values) < count:
            window = windows[place >> 3] >> (8 - (place & 7)) & _ONES
            index = bisect_right(firsts, window) - 1
            last, prefix_bits, literal_bits, value, table = rows[index]
            place += prefix_bits
            if index < 0 or window > last or place + literal_bits > end:
                break
            if literal_bits:
                window = windows[place >> 3] >> (8 - (place & 7)) & _ONES
                value = window >> (_WINDOW - literal_bits)
                value -= value >> (literal_bits - 1) << literal_bits
                place += literal_bits
            elif table:
                firsts, rows = self._firsts[table - 1], self._rows[table - 1]
                switches += 1
                if switches > 2 * count:
                    break
                continue
            values.append(value)
        if len(values) < count:
            found = "the bits end or are no code"
            raise FormatError(f"{what}: {found} after {len(values)} of {count} samples", at)
        return np.array(values, dtype=np.int64)


def _windows(data: bytes) -> list[int]:
    """Return for each byte the 40 bits from it on, and once more behind the last one."""
    padded = np.frombuffer(data + bytes(5), dtype=np.uint8).astype(np.int64)
    size = len(data) + 1
    window = np.zeros(size, dtype=np.int64)
    for offset in range(5):
        window = window << 8 | padded[offset : offset + size]
    return window.tolist()
