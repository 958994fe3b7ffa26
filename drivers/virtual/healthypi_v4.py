"""A virtual HealthyPi v4: a sample every 8 ms, with the two constants that are no pressure."""

import math

import msgspec

from drivers.protocols.healthypi_v4 import FS, NO_PRESSURE, Sample, encode
from drivers.virtual.course import Span, Ticks, within
from drivers.virtual.finger import FingerScene, SimpleFinger


class Scene(FingerScene, frozen=True, forbid_unknown_fields=True):
    """A finger, and the rest of the patient; spans are from and until, in seconds."""

    respiration_rate: int = 15
    temperature: float = 36.6
    lead_off: tuple[Span, ...] = ()


class VirtualHealthyPiV4:
    """The options are those of Scene."""

    def __init__(self, seed: int, **options: object) -> None:
        self._scene = msgspec.convert(options, Scene)
        self._finger = SimpleFinger(seed, self._scene)
        self._ticks = Ticks(1 / FS)

    def due(self, elapsed_s: float) -> bytes:
        """Return the samples since the last call."""
        return b"".join(encode(self._sample(tick / FS)) for tick in self._ticks.until(elapsed_s))

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - it takes no orders
        """Ignore what the host wrote."""
        return b""

    def _sample(self, at_s: float) -> Sample:
        scene = self._scene
        out, off = self._finger.is_off(at_s), within(scene.lead_off, at_s)
        spo2, pulse = self._finger.shown(at_s)
        wave = self._finger.pulse_wave(at_s)
        breath = math.sin(math.tau * at_s * scene.respiration_rate / 60)
        return Sample(
            ecg=0 if off else round(2000 * wave**8),
            breath=0 if off else round(900 * breath),
            infrared=0 if out else 80_000 + round(900 * wave),
            red=0 if out else 60_000 + round(500 * wave),
            temperature=round(scene.temperature * 100),
            respiration_rate=0 if off else scene.respiration_rate,
            spo2=0 if out else spo2,
            heart_rate=0 if off else pulse,
            constants=NO_PRESSURE,
            state=off | out << 1,
        )
