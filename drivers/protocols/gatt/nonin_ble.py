"""Oximetry of Nonin 3230 and 3150, in their own service, once a second.

byte  content, several bytes most significant first
0     length of the payload, itself included: 10
1     0 in step with the display, 1 weak signal, 2 SmartPoint, 3 searching, 4 CorrectCheck,
      5 low battery, 6 encrypted
2     battery, 0.1 V
3-4   pulse amplitude index, 0.01 %
5-6   counter, seconds
7     SpO2 in percent, 127 missing
8-9   pulse rate in /min, 511 missing

A payload that is longer says so in byte 0; what is behind byte 9 is handed on.
Sources: Nonin's own sample for its 3230 (2013); nonin-3230-ble, which reads the same bytes.
"""

from dataclasses import dataclass, field
from enum import IntFlag

from drivers.protocols.gatt.fields import Fields, Malformed, Reason

SIZE = 10
MISSING_SPO2 = 127
MISSING_PULSE = 511


class NoninStatus(IntFlag):
    """The bits of byte 1; bit 7 has no meaning."""

    DISPLAY_SYNC = 1
    WEAK_SIGNAL = 2
    SMART_POINT = 4
    SEARCHING = 8
    CORRECT_CHECK = 16
    LOW_BATTERY = 32
    ENCRYPTED = 64


@dataclass(frozen=True, slots=True)
class NoninOximetry:
    """One payload; numbers as sent, `status` the whole byte."""

    status: int
    battery_dv: int
    amplitude: int
    counter: int
    spo2: int
    pulse_rate: int
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)


def decode(payload: bytes) -> NoninOximetry | Malformed:
    """Return what a payload says."""
    fields = Fields(payload)
    length = fields.u8()
    frame = NoninOximetry(
        status=fields.u8(),
        battery_dv=fields.u8(),
        amplitude=_word(fields),
        counter=_word(fields),
        spo2=fields.u8(),
        pulse_rate=_word(fields),
        rest=fields.rest(),
        raw=payload,
    )
    whole = fields.whole(frame)
    if isinstance(whole, NoninOximetry) and length != len(payload):
        return Malformed(Reason.TRUNCATED if length > len(payload) else Reason.OVERLONG, payload)
    return whole


def encode(frame: NoninOximetry) -> bytes:
    """Return the payload; ValueError where a number does not fit."""
    if len(frame.rest) > 0xFF - SIZE:
        raise ValueError(f"{len(frame.rest)} bytes more: the length is one byte")
    body = bytes((SIZE + len(frame.rest), frame.status, frame.battery_dv))
    body += frame.amplitude.to_bytes(2) + frame.counter.to_bytes(2)
    return body + bytes((frame.spo2,)) + frame.pulse_rate.to_bytes(2) + frame.rest


def _word(fields: Fields) -> int:
    return int.from_bytes(fields.take(2))
