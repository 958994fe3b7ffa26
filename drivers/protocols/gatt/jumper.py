"""Jumper JPD-500F oximeters ("My Oximeter"), in their own service.

first byte  the rest
81          pulse rate in /min, 255 missing; SpO2 in percent, 127 missing; perfusion index, 0.1 %
80          samples of the pulse wave, a byte each

177 is documented as a second code for "no saturation"; it is above 100 % as well.
Sources: the obniz parts library; smarttelemed-v4, with the vector 81 38 63 44. No vendor document.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.protocols.gatt.fields import Malformed, Reason

VALUES = 0x81
WAVE = 0x80
MISSING_PULSE = 255
MISSING_SPO2 = 127

_SIZE = 4


@dataclass(frozen=True, slots=True)
class JumperValues:
    """The numbers of the display, as sent."""

    pulse_rate: int
    spo2: int
    perfusion: int
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class JumperWave:
    """Some samples of the pulse wave; how many a second is not documented."""

    samples: bytes
    raw: bytes = field(default=b"", compare=False, repr=False)


Said: TypeAlias = JumperValues | JumperWave


def decode(payload: bytes) -> Said | Malformed:
    """Return what a payload says."""
    if payload[:1] == bytes((WAVE,)) and len(payload) > 1:
        return JumperWave(payload[1:], payload)
    if payload[:1] != bytes((VALUES,)):
        return Malformed(Reason.UNKNOWN, payload)
    if len(payload) != _SIZE:
        reason = Reason.TRUNCATED if len(payload) < _SIZE else Reason.OVERLONG
        return Malformed(reason, payload)
    _, pulse_rate, spo2, perfusion = payload
    return JumperValues(pulse_rate, spo2, perfusion, payload)


def encode(said: Said) -> bytes:
    """Return the payload; ValueError where a number is no byte."""
    if isinstance(said, JumperWave):
        return bytes((WAVE,)) + said.samples
    return bytes((VALUES, said.pulse_rate, said.spo2, said.perfusion))
