"""One-lead ECG of Movesense sensors with the whiteboard service.

notified, several bytes least significant first
0     01 an answer, 02 data
1     the number given when asked
2-    of an answer: its result u16; of ECG data: time u32 in ms by the sensor's clock, then samples
      of the last interval, signed 32 bits each, in counts

Asked for with 01, a number, then the path /Meas/ECG/200 in ASCII; 02 and the number ends it. What
one count is in microvolts is not documented: the samples have no unit here.
Source: Movesense's published device library and samples.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.protocols.gatt.fields import Fields, Malformed, Reason, packed

FS = 200.0
REFERENCE = 0x2A
START_ECG = bytes((1, REFERENCE)) + b"/Meas/ECG/200"

_ANSWER = 1
_DATA = 2
_SAMPLE_BYTES = 4


@dataclass(frozen=True, slots=True)
class MovesenseAnswer:
    """The result of what was asked, as HTTP counts them: 200 is success."""

    reference: int
    result: int
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MovesenseEcg:
    """A stretch of ECG in counts; `time_ms` is the sensor's own."""

    reference: int
    time_ms: int
    counts: tuple[int, ...]
    raw: bytes = field(default=b"", compare=False, repr=False)


Said: TypeAlias = MovesenseAnswer | MovesenseEcg


def decode(payload: bytes) -> Said | Malformed:
    """Return what a payload says."""
    fields = Fields(payload)
    kind, reference = fields.u8(), fields.u8()
    if kind == _ANSWER:
        return fields.whole(MovesenseAnswer(reference, fields.u16(), fields.rest(), payload))
    if kind != _DATA:
        return Malformed(Reason.UNKNOWN, payload)
    time_ms, body = fields.number(4), fields.rest()
    if not body or len(body) % _SAMPLE_BYTES:
        return Malformed(Reason.TRUNCATED, payload)
    cut = range(0, len(body), _SAMPLE_BYTES)
    samples = (int.from_bytes(body[at : at + 4], "little", signed=True) for at in cut)
    return MovesenseEcg(reference, time_ms, tuple(samples), payload)


def encode(said: Said) -> bytes:
    """Return the payload; ValueError where a number does not fit."""
    if isinstance(said, MovesenseAnswer):
        return packed(_ANSWER, 1) + packed(said.reference, 1) + packed(said.result, 2) + said.rest
    try:
        body = b"".join(each.to_bytes(4, "little", signed=True) for each in said.counts)
    except OverflowError as error:
        raise ValueError(f"a sample does not fit into 32 bits: {error}") from None
    return packed(_DATA, 1) + packed(said.reference, 1) + packed(said.time_ms, 4) + body
