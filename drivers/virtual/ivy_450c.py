"""A virtual Ivy 450C: a packet a second with a believable ECG, pleth and respiration.

The packet is laid out as the recording of the real monitor. What that recording does not show is
this project's wording, in the monitor's own style: the alarm fields `LEAD OFF`, `SENSOR OFF` and
`APNEA`.
"""

import math
from typing import Annotated, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from drivers.protocols.ivy_ansarb import (
    ECG_FS,
    ECG_MV_PER_STEP,
    ECG_SAMPLES,
    ECG_ZERO,
    OFF,
    SLOW_FS,
    SLOW_SAMPLES,
    Packet,
    encode,
)

Span: TypeAlias = tuple[float, float]
Signal: TypeAlias = NDArray[np.float64]

_NEVER = (math.inf, math.inf)
_TOP = 250  # the highest sample of the recording's live waves
_NOISE_MV = 0.01
# seconds from R, mV, width in seconds: P, Q, R, S, T of a lead II at rest
_WAVES = (
    (-0.16, 0.14, 0.022),
    (-0.028, -0.10, 0.009),
    (0.0, 1.15, 0.011),
    (0.030, -0.22, 0.011),
    (0.25, 0.30, 0.045),
)


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The patient and what befalls the sensors; spans are from and until, in seconds.

    `nibp` holds (second, systolic, diastolic, mean), rising; before the first the field is empty.
    """

    heart_rate: Annotated[int, msgspec.Meta(ge=20, le=250)] = 72
    spo2: Annotated[int, msgspec.Meta(ge=1, le=100)] = 98
    respiration_rate: Annotated[int, msgspec.Meta(ge=1, le=150)] = 14
    nibp: tuple[tuple[float, int, int, int], ...] = ((0.0, 118, 76, 90),)
    sensor_off: Span = _NEVER
    apnea: Span = _NEVER
    lead_off: Span = _NEVER


class VirtualIvy450C:
    """Sends packet n when second n is over; the options are those of Scene."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._scene = msgspec.convert(options, Scene)
        self._sent = 0

    def due(self, elapsed_s: float) -> bytes:
        """Return the packets of the seconds that ended since the last call."""
        whole = max(self._sent, int(elapsed_s))
        packets = [encode(self._packet(second)) for second in range(self._sent, whole)]
        self._sent = whole
        return b"".join(packets)

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - the monitor takes no orders
        """Ignore what the host wrote, as the monitor does."""
        return b""

    def _packet(self, second: int) -> Packet:
        scene = self._scene
        lead_off = _within(scene.lead_off, second)
        breathes = not (lead_off or _within(scene.apnea, second))
        worn = not _within(scene.sensor_off, second)
        fast = second + np.arange(ECG_SAMPLES) / ECG_FS
        slow = second + np.arange(SLOW_SAMPLES) / SLOW_FS
        ecg = np.zeros(ECG_SAMPLES) if lead_off else self._ecg(fast, second)
        breath = np.sin(2 * np.pi * slow * scene.respiration_rate / 60) if breathes else slow * 0
        return Packet(
            ecg=_bytes(ecg / ECG_MV_PER_STEP + ECG_ZERO),
            respiration=_bytes(125 + 100 * breath),
            pleth=_bytes(118 + 36 * self._pulse(slow) * worn),
            p1=bytes([OFF]) * SLOW_SAMPLES,
            p2=bytes([OFF]) * SLOW_SAMPLES,
            lines=self._lines(second),
        )

    def _ecg(self, time: Signal, second: int) -> Signal:
        noise = np.random.default_rng([self._seed, second])
        ecg = noise.normal(0.0, _NOISE_MV, time.size)
        for beat in (-1, 0, 1):
            since = self._since_beat(time) + beat * 60 / self._scene.heart_rate
            for centre, height, width in _WAVES:
                ecg += height * np.exp(-(((since - centre) / width) ** 2) / 2)
        return ecg

    def _pulse(self, time: Signal) -> Signal:
        """Return a pulse wave between 0 and 1: steep rise after R, dicrotic shoulder."""
        since = self._since_beat(time) % (60 / self._scene.heart_rate)
        peak = np.exp(-(((since - 0.28) / 0.09) ** 2) / 2)
        shoulder = 0.35 * np.exp(-(((since - 0.50) / 0.08) ** 2) / 2)
        return np.minimum(1.0, peak + shoulder)

    def _since_beat(self, time: Signal) -> Signal:
        """Return the seconds since the nearest R, negative before it."""
        beats = time * self._scene.heart_rate / 60
        return (beats - np.round(beats)) * 60 / self._scene.heart_rate

    def _lines(self, second: int) -> tuple[bytes, ...]:
        scene = self._scene
        lead_off = _within(scene.lead_off, second)
        apnea = _within(scene.apnea, second)
        rate = "" if lead_off else scene.heart_rate
        breaths = "" if lead_off else 0 if apnea else scene.respiration_rate
        lead = "LEAD OFF" if lead_off else ""
        stops = lead or ("APNEA" if apnea else "")
        oximetry = f"SPO2=1;{scene.spo2};PR={scene.heart_rate:<3};"
        if _within(scene.sensor_off, second):
            oximetry = "SPO2=1;;PR=   ;SENSOR OFF"
        texts = (
            f"HR=1;{rate};ECG-II-DIAG;{lead}",
            f"RR=1;{breaths};APNEA: 20 SEC;{stops}",
            "ETCO2=1;;;",
            oximetry,
            f"NIBP=4;{self._pressure(second)};;",
            "P1=3;;;;NO TRANSDUCER;",
            "P2=3;;;;NO TRANSDUCER;",
            "T1=1;;;",
            "T2=1;;;",
        )
        return tuple(text.encode("ascii") for text in texts)

    def _pressure(self, second: int) -> str:
        done = [each[1:] for each in self._scene.nibp if each[0] <= second]
        return ";".join(map(str, (*done[-1], self._scene.heart_rate))) if done else ";;;"


def _within(span: Span, second: float) -> bool:
    return span[0] <= second < span[1]


def _bytes(samples: Signal) -> bytes:
    return np.clip(np.rint(samples), 0, _TOP).astype(np.uint8).tobytes()
