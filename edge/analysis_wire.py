"""Messages between the hub and its analysis process.

bytes   what
4       length of the header, big endian
4       length of the arrays together
...     header: one of the structs below, msgpack
...     arrays: float64, little endian, one after the other, shaped as the header says; of a
        StudyRequest one array of bytes, the file

Both sides refuse what is longer than the limits below, and neither reads anything but numbers and
these structs from the other.
"""

import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]  # float64, but for the bytes of a file
Shape: TypeAlias = tuple[int, ...]

FLOATS = "<f8"
BYTES = "u1"
PREFIX = struct.Struct(">II")
MAX_HEADER_BYTES = 64 * 1024
MAX_ARRAY_BYTES = 64 * 1024 * 1024  # 12 leads at 500 Hz for 23 minutes


class Ready(msgspec.Struct, frozen=True, tag="ready", forbid_unknown_fields=True):
    """The process has loaded what it needs."""

    shapes: tuple[Shape, ...] = ()


class RateRequest(msgspec.Struct, frozen=True, tag="rate?", forbid_unknown_fields=True):
    """Find the beats of an ECG, array 0, and its rate; filter it too where `preset` is given.

    `microvolts` is what one unit of the samples is worth, None where nobody knows.
    """

    fs: float
    shapes: tuple[Shape, ...]
    microvolts: float | None = None
    preset: str | None = None


class LeadVerdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `dsp.ecg_quality` says of one lead."""

    usable: bool
    flaws: tuple[str, ...]


class RateReply(msgspec.Struct, frozen=True, tag="rate", forbid_unknown_fields=True):
    """The beats are array 0, the filtered ECG array 1 where it was asked for."""

    per_min: float | None
    intervals: int
    reason: str | None
    leads: tuple[LeadVerdict, ...]
    shapes: tuple[Shape, ...]


class StudyRequest(msgspec.Struct, frozen=True, tag="study?", forbid_unknown_fields=True):
    """Read the file of an ECG cart, array 0, and measure what it holds."""

    shapes: tuple[Shape, ...]


Pairs: TypeAlias = tuple[tuple[str, str], ...]


class StudyReply(msgspec.Struct, frozen=True, tag="study", forbid_unknown_fields=True):
    """What the file says, and what was measured here; array 0 are the stored leads in microvolts.

    `patient` is (id, name, birth date, sex), `device` (model, serial, firmware), as the cart said
    them. `samples_sha256` is of the canonical samples, see `edge.samples`. `ours` are our
    values by the names of cart values, `reasons` why others are missing, `leads` the standard leads
    with what `dsp.ecg_quality` says of each, `derived` those among them that were not stored.
    """

    stored: tuple[str, ...]
    fs: float
    acquired: str | None
    patient: tuple[str | None, str | None, str | None, str | None]
    device: tuple[str | None, str | None, str | None]
    order: str | None
    filters: tuple[str, ...]
    measurements: Pairs
    statements: tuple[str, ...]
    samples_sha256: str
    ours: tuple[tuple[str, float], ...]
    reasons: Pairs
    beats: int
    leads: tuple[tuple[str, LeadVerdict], ...]
    derived: tuple[str, ...]
    shapes: tuple[Shape, ...]


class Refusal(msgspec.Struct, frozen=True, tag="no", forbid_unknown_fields=True):
    """Why there is no result: `memory`, `input`, `format` or `error`."""

    reason: str
    detail: str
    shapes: tuple[Shape, ...] = ()


Header: TypeAlias = Ready | RateRequest | RateReply | StudyRequest | StudyReply | Refusal
Message: TypeAlias = tuple[Header, tuple[Floats, ...]]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Header)


class MessageError(Exception):
    """What came is no message of this protocol, or too long for it."""


def array_bytes(shapes: Sequence[Shape], of: str = FLOATS) -> int:
    """Return the bytes arrays of these shapes take; MessageError for negative sizes."""
    total = 0
    for shape in shapes:
        size = np.dtype(of).itemsize
        for length in shape:
            if length < 0:
                raise MessageError(f"array of shape {shape}")
            size *= length
        total += size
    return total


def encode(header: Header, arrays: Sequence[Floats] = ()) -> list[bytes]:
    """Return the pieces of a message, to be sent one after the other; MessageError if too long."""
    if tuple(array.shape for array in arrays) != header.shapes:
        raise MessageError(f"arrays are not shaped {header.shapes}")
    packed = _encoder.encode(header)
    of = _element(header)
    size = array_bytes(header.shapes, of)
    check_sizes(len(packed), size)
    plain = (np.ascontiguousarray(array, dtype=of).tobytes() for array in arrays)
    return [PREFIX.pack(len(packed), size) + packed, *plain]


def check_sizes(header: int, arrays: int) -> None:
    """Raise MessageError where a length exceeds its limit."""
    if header > MAX_HEADER_BYTES or arrays > MAX_ARRAY_BYTES:
        raise MessageError(
            f"{header} and {arrays} bytes; at most {MAX_HEADER_BYTES} and {MAX_ARRAY_BYTES} fit"
        )


def decode(header: bytes, arrays: bytes) -> Message:
    """Return the message of these two pieces; MessageError where they are not one."""
    try:
        head = _decoder.decode(header)
    except msgspec.MsgspecError as wrong:
        raise MessageError("the header is none") from wrong
    of = _element(head)
    if array_bytes(head.shapes, of) != len(arrays):
        raise MessageError(f"{len(arrays)} bytes for shapes {head.shapes}")
    found, at = [], 0
    for shape in head.shapes:
        size = array_bytes([shape], of)
        count = size // np.dtype(of).itemsize
        found.append(np.frombuffer(arrays, dtype=of, count=count, offset=at).reshape(shape))
        at += size
    return head, tuple(found)


def _element(header: Header) -> str:
    """Return what the arrays behind a header are made of."""
    return BYTES if isinstance(header, StudyRequest) else FLOATS
