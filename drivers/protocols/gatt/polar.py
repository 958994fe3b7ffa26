"""One-lead ECG of Polar H10 belts, in Polar's measurement service (PMD).

control point, answers (indicated)
0     F0
1     what was asked: 02 start, 03 stop
2     kind of measurement: 00 ECG
3     0 done, else the number of an error
4-    more, whatever was asked

data (notified), several bytes least significant first
0     kind of measurement: 00 ECG
1-8   time of the last sample in ns since 2000-01-01, by the belt's clock
9     form: 00 samples of 24 bits; b7 says compressed
10-   samples, signed 24 bits each, microvolts

Asked for with 02 00, then 00 01 82 00 130 Hz, then 01 01 0E 00 14 bits. Compressed data and other
kinds of measurement are handed on undecoded.
Sources: polarpy; Polar's published SDK describes the same service.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.protocols.gatt.fields import Fields, Malformed, Reason, packed

FS = 130.0
START_ECG = bytes.fromhex("02 00 00 01 82 00 01 01 0e 00")
ECG = 0
PLAIN = 0
START = 2

_ANSWER = 0xF0
_SAMPLE_BYTES = 3
_SHORTEST_ANSWER = 4


@dataclass(frozen=True, slots=True)
class PolarAnswer:
    """What came of a command; 0 is success."""

    asked: int
    kind: int
    error: int
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PolarEcg:
    """A stretch of ECG; `time_ns` is the belt's own, of the last sample."""

    time_ns: int
    microvolts: tuple[int, ...]
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PolarOther:
    """Data of another kind or form, not decoded."""

    payload: bytes
    raw: bytes = field(default=b"", compare=False, repr=False)


Data: TypeAlias = PolarEcg | PolarOther


def decode_answer(payload: bytes) -> PolarAnswer | Malformed:
    """Return the answer of the control point."""
    if payload[:1] != bytes((_ANSWER,)):
        return Malformed(Reason.UNKNOWN, payload)
    if len(payload) < _SHORTEST_ANSWER:
        return Malformed(Reason.TRUNCATED, payload)
    asked, kind, error = payload[1:_SHORTEST_ANSWER]
    return PolarAnswer(asked, kind, error, payload[_SHORTEST_ANSWER:], payload)


def encode_answer(answer: PolarAnswer) -> bytes:
    """Return the payload of an answer."""
    return bytes((_ANSWER, answer.asked, answer.kind, answer.error)) + answer.rest


def decode_data(payload: bytes) -> Data | Malformed:
    """Return a stretch of ECG."""
    fields = Fields(payload)
    kind, time_ns, form = fields.u8(), fields.number(8), fields.u8()
    if (kind, form) != (ECG, PLAIN):
        return PolarOther(payload, payload)
    body = fields.rest()
    if not body or len(body) % _SAMPLE_BYTES:
        return Malformed(Reason.TRUNCATED, payload)
    cut = range(0, len(body), _SAMPLE_BYTES)
    samples = (int.from_bytes(body[at : at + 3], "little", signed=True) for at in cut)
    return PolarEcg(time_ns, tuple(samples), payload)


def encode_data(data: Data) -> bytes:
    """Return the payload of a stretch; ValueError where a sample does not fit."""
    if isinstance(data, PolarOther):
        return data.payload
    try:
        body = b"".join(each.to_bytes(3, "little", signed=True) for each in data.microvolts)
    except OverflowError as error:
        raise ValueError(f"a sample does not fit into 24 bits: {error}") from None
    return packed(ECG, 1) + packed(data.time_ns, 8) + packed(PLAIN, 1) + body
