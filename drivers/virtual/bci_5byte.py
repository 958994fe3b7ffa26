"""A virtual five-byte oximeter: 60 frames a second, zeros while there is no finger."""

import msgspec

from drivers.protocols.bci_5byte import FS, Sample, encode
from drivers.virtual.course import Ticks
from drivers.virtual.finger import FingerScene, SimpleFinger


class VirtualBci5byte:
    """The options are those of FingerScene."""

    def __init__(self, seed: int, **options: object) -> None:
        self._finger = SimpleFinger(seed, msgspec.convert(options, FingerScene))
        self._ticks = Ticks(1 / FS)

    def due(self, elapsed_s: float) -> bytes:
        """Return the frames of the samples since the last call."""
        return b"".join(encode(self._sample(tick / FS)) for tick in self._ticks.until(elapsed_s))

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - it is never spoken to
        """Ignore what the host wrote."""
        return b""

    def _sample(self, at_s: float) -> Sample:
        if self._finger.is_off(at_s):
            return Sample(0x10, 0, 0x10, 0, 0)
        if self._finger.is_searched(at_s):
            return Sample(0x02, 0, 0x20, 0, 0)
        spo2, pulse = self._finger.shown(at_s)
        wave = round(127 * self._finger.pulse_wave(at_s))
        return Sample(0x05, wave, wave >> 3, pulse, spo2)
