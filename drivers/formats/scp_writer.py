"""SCP-ECG, written: edition 2, default Huffman table, second differences where they fit.

Sections 1, 2, 3, 6, and 7 and 8 where there is something to say. Samples are rounded to the step,
which is the largest number of nanovolts that needs no rounding, where there is one and the samples
fit into 16 bits with it. Left out: derived leads (whoever reads can derive them), the order (SCP
has no field), measurements of single leads, and of the measurements of one beat those that cannot
be told without an interval that is absent.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack

import numpy as np
from numpy.typing import NDArray

from drivers.errors import NotRepresentable
from drivers.formats.scp_huffman import DEFAULT, DEFAULT_TABLE, Row
from drivers.formats.scp_rhythm import LEADS, STEP_LIMITS, UNNAMED
from drivers.formats.scp_sections import HEADER, POINTER, PROTOCOL_2, TABLE_AT, checksum
from drivers.formats.scp_text import charset
from drivers.formats.scp_writer_words import header, language_of, measurements, statements
from drivers.model import EcgRecording

STANDARD_SECTIONS = 12
MAX_STEP_NV = 65535
LEAST_STEP_NV = 1000  # of a recording that is zero throughout
MAX_RATE_ERROR = 1e-3  # 600 Hz is written as 1667 µs, 0.02 % off
_CODES = {name: code for code, name in LEADS.items()}
_LITERALS = {row.literal_bits: row for row in DEFAULT if row.literal_bits}
_VALUES = {row.value: row for row in DEFAULT if not row.literal_bits}


@dataclass(frozen=True, slots=True)
class _Lead:
    """One lead as it will be stored: code, first sample counted from 1, samples in steps."""

    code: int
    first: int
    steps: NDArray[np.int64]


def encode(recording: EcgRecording, *, step_nv: int | None = None) -> bytes:
    """Return the recording as an SCP-ECG record.

    Raises NotRepresentable where the format has no way to say what the recording says: a gap inside
    a lead, a lead or letters without a code, a rate that is no number of microseconds, too long a
    lead.
    """
    step = _step(recording) if step_nv is None else step_nv
    leads = _leads(recording, step)
    language = language_of(recording)
    bodies = {
        1: header(recording, language),
        2: pack("<H", DEFAULT_TABLE),
        3: _definition(leads),
        6: _rhythm(leads, step, _interval(recording.fs)),
        7: measurements(dict(recording.measurements)),
        8: statements(recording, charset(language)),
    }
    return _record({number: body for number, body in bodies.items() if body})


def _record(bodies: dict[int, bytes]) -> bytes:
    made = {number: _section(number, body) for number, body in bodies.items()}
    length = HEADER + POINTER.size * STANDARD_SECTIONS
    at = TABLE_AT + length
    pointers = [POINTER.pack(0, length, TABLE_AT + 1)]
    for number in range(1, STANDARD_SECTIONS):
        section = made.get(number, b"")
        pointers.append(POINTER.pack(number, len(section), at + 1 if section else 0))
        at += len(section)
    content = _section(0, b"".join(pointers), b"SCPECG") + b"".join(made.values())
    rest = pack("<I", TABLE_AT + len(content)) + content
    return pack("<H", checksum(rest)) + rest


def _section(number: int, body: bytes, reserved: bytes = bytes(6)) -> bytes:
    body += bytes(len(body) % 2)
    rest = pack("<HIBB", number, HEADER + len(body), PROTOCOL_2, PROTOCOL_2) + reserved + body
    return pack("<H", checksum(rest)) + rest


def _step(recording: EcgRecording) -> int:
    """Return the step in nanovolts that loses nothing, or as little as 16 bits allow."""
    nanovolts = recording.microvolts[np.isfinite(recording.microvolts)] * 1000
    largest = float(np.abs(nanovolts).max(initial=0.0))
    if largest == 0.0:
        return LEAST_STEP_NV
    least = max(1, int(np.ceil(largest / STEP_LIMITS[1])))
    if least > MAX_STEP_NV:
        raise NotRepresentable(f"SCP-ECG has no step for {largest / 1e6:.0f} mV")
    whole = np.rint(nanovolts)
    if np.allclose(whole, nanovolts, rtol=0, atol=1e-6):
        common = int(np.gcd.reduce(whole.astype(np.int64)))
        steps = (n for n in range(min(common, MAX_STEP_NV), least - 1, -1) if common % n == 0)
        return next(steps, least)
    return least


def _leads(recording: EcgRecording, step_nv: int) -> list[_Lead]:
    stored = [n for n, name in enumerate(recording.leads) if name not in recording.derived]
    if len(stored) > 255 or not stored:
        raise NotRepresentable(f"SCP-ECG has room for 1 to 255 leads, not {len(stored)}")
    return [_lead(recording.leads[n], recording.microvolts[n] * 1000 / step_nv) for n in stored]


def _lead(name: str, wave: NDArray[np.float64]) -> _Lead:
    code = _CODES.get(name)
    if code is None and re.fullmatch(UNNAMED + r"\d{1,3}", name):
        code = int(name.removeprefix(UNNAMED))
    if code is None or not 0 < code < 256:
        raise NotRepresentable(f"SCP-ECG has no code for lead {name}")
    (present,) = np.nonzero(np.isfinite(wave))
    if not len(present) or len(present) != present[-1] - present[0] + 1:
        raise NotRepresentable(f"SCP-ECG cannot say that lead {name} has a gap inside, or nothing")
    steps = np.rint(wave[present[0] : present[-1] + 1]).astype(np.int64)
    if steps.min() < STEP_LIMITS[0] or steps.max() > STEP_LIMITS[1]:
        raise NotRepresentable(f"lead {name} leaves the 16 bits of SCP-ECG with this step")
    return _Lead(code, int(present[0]) + 1, steps)


def _interval(fs: float) -> int:
    interval = round(1e6 / fs)
    if not 1 <= interval <= 65535 or abs(1e6 / interval - fs) > MAX_RATE_ERROR * fs:
        raise NotRepresentable(f"SCP-ECG has no whole number of microseconds for {fs:g} Hz")
    return interval


def _definition(leads: Sequence[_Lead]) -> bytes:
    together = len({(lead.first, len(lead.steps)) for lead in leads}) == 1
    body = bytes([len(leads), together << 2 | min(31, len(leads)) << 3])
    for lead in leads:
        body += pack("<IIB", lead.first, lead.first + len(lead.steps) - 1, lead.code)
    return body


def _rhythm(leads: Sequence[_Lead], step_nv: int, interval_us: int) -> bytes:
    for times in (2, 1, 0):
        values = [_differences(lead.steps, times) for lead in leads]
        if all(v.min() >= STEP_LIMITS[0] and v.max() <= STEP_LIMITS[1] for v in values):
            break
    else:
        raise AssertionError("samples of 16 bits fit without differences")
    chunks = [_bits(lead.tolist()) for lead in values]
    if max(map(len, chunks)) > 65535:
        raise NotRepresentable("a lead is too long for SCP-ECG")
    head = pack("<HHBB", step_nv, interval_us, times, 0)
    return head + b"".join(pack("<H", len(chunk)) for chunk in chunks) + b"".join(chunks)


def _differences(steps: NDArray[np.int64], times: int) -> NDArray[np.int64]:
    """Return differences behind the first one or two samples as they are."""
    if times == 0 or len(steps) <= times:
        return steps
    return np.concatenate([steps[:times], np.diff(steps, times)])


def _bits(values: Sequence[int]) -> bytes:
    """Return numbers in the default table's code."""
    codes = {value: _code(value) for value in set(values)}
    bits = "".join([codes[value] for value in values])
    bits += "0" * (-len(bits) % 16)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _code(value: int) -> str:
    row = _VALUES.get(value)
    if row is not None:
        return _prefix(row)
    row = _LITERALS[8 if -128 <= value < 128 else 16]
    return _prefix(row) + f"{value % (1 << row.literal_bits):0{row.literal_bits}b}"


def _prefix(row: Row) -> str:
    return f"{row.prefix:0{row.prefix_bits}b}"
