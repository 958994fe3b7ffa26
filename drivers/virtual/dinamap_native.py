"""A virtual DINAMAP PRO 1000: two channels, and a crisis alarm now and then."""

import math

import msgspec

from drivers.protocols.dinamap_native import FS, SAMPLES, SEQUENCES, Block, encode
from drivers.virtual.course import Span, Ticks, within
from drivers.virtual.finger import FingerScene, SimpleFinger

BLOCKS = FS // SAMPLES


class Scene(FingerScene, frozen=True, forbid_unknown_fields=True):
    """The patient, and when the crisis alarm sounds; spans are from and until, in seconds."""

    crisis: tuple[Span, ...] = ((20.0, 25.0),)


class VirtualDinamapNative:
    """The options are those of Scene."""

    def __init__(self, seed: int, **options: object) -> None:
        self._scene = msgspec.convert(options, Scene)
        self._finger = SimpleFinger(seed, self._scene)
        self._ticks = Ticks(1 / BLOCKS)

    def due(self, elapsed_s: float) -> bytes:
        """Return the blocks since the last call."""
        return b"".join(encode(self._block(tick)) for tick in self._ticks.until(elapsed_s))

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - it takes no orders
        """Ignore what the host wrote."""
        return b""

    def _block(self, tick: int) -> Block:
        times = [(tick * SAMPLES + at) / FS for at in range(SAMPLES)]
        first = tuple(384 + round(200 * self._finger.pulse_wave(at)) for at in times)
        second = tuple(508 + round(60 * math.sin(at * 1.6)) for at in times)
        state = 0x40 if within(self._scene.crisis, times[0]) else 0
        return Block(tick % SEQUENCES, state | 0x0E, first, second, bytes(3))
