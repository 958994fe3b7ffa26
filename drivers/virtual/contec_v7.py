"""A virtual CMS50D+: silent until told to stream, and again 30 s after it was last kept alive."""

import msgspec

from drivers.protocols import contec_v7
from drivers.protocols.contec_v7 import FS, Packet, encode, read_command
from drivers.protocols.scanning import NeedMore
from drivers.virtual.course import Ticks
from drivers.virtual.finger import FingerScene, SimpleFinger

STOPS_S = 30.0
_MODEL = b"CMS50D+ "
_IDENTIFIER = b"0012345"


class Scene(FingerScene, frozen=True, forbid_unknown_fields=True):
    """A finger, and the oximeter around it; `zeros` is what firmware 4.6 sends for no number."""

    zeros: bool = True
    perfusion: bool = False


class VirtualContecV7:
    """The options are those of Scene."""

    def __init__(self, seed: int, **options: object) -> None:
        self._scene = msgspec.convert(options, Scene)
        self._finger = SimpleFinger(seed, self._scene)
        self._ticks = Ticks(1 / FS)
        self._now_s = 0.0
        self._alive_s: float | None = None
        self._heard = b""

    def due(self, elapsed_s: float) -> bytes:
        """Return the packets of the samples since the last call, while it streams."""
        self._now_s = max(self._now_s, elapsed_s)
        ticks = self._ticks.until(elapsed_s)
        if self._alive_s is not None and self._now_s - self._alive_s > STOPS_S:
            self._alive_s = None
        if self._alive_s is None:
            return b""
        return b"".join(encode(self._packet(tick / FS)) for tick in ticks)

    def hear(self, data: bytes) -> bytes:
        """Take commands and answer those that are whole."""
        self._heard += data
        out = b""
        while self._heard:
            asked = read_command(self._heard, 0)
            if isinstance(asked, NeedMore):
                break
            self._heard = self._heard[len(asked.raw) if asked else 1 :]
            out += self._answer(asked.payload[0]) if asked else b""
        return out

    def _answer(self, code: int) -> bytes:
        if code == contec_v7.START_REALTIME or (
            code == contec_v7.KEEP_ALIVE and self._alive_s is not None
        ):
            self._alive_s = self._now_s
        elif code == contec_v7.ASK_MODEL:
            chunks = (_MODEL[:6], _MODEL[6:].ljust(6))
            packets = [Packet(contec_v7.MODEL, bytes((n,)) + c) for n, c in enumerate(chunks)]
            return b"".join(encode(packet) for packet in packets)
        elif code == contec_v7.ASK_IDENTIFIER:
            return encode(Packet(contec_v7.IDENTIFIER, _IDENTIFIER))
        return b""

    def _packet(self, at_s: float) -> Packet:
        spo2, pulse = self._finger.shown(at_s)
        if self._finger.is_off(at_s) or self._finger.is_searched(at_s):
            none = (0, 0) if self._scene.zeros else (0xFF, 0x7F)
            off = self._finger.is_off(at_s)
            state, wave = (0x80, 0x40) if off else (0x01, 0x80)
            return Packet(contec_v7.REALTIME, bytes((state, wave, 0x10, *none, 0xFF, 0xFF)))
        wave = round(127 * self._finger.pulse_wave(at_s))
        index, bar = ((240, 0), 0) if self._scene.perfusion else ((0xFF, 0xFF), 0x10)
        return Packet(contec_v7.REALTIME, bytes((0x05, wave, bar | wave >> 3, pulse, spo2, *index)))
