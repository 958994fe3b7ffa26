"""A virtual EG01010: curves, a rate at each beat and each breath, in either of its protocols."""

import math
from typing import Literal

import msgspec

from drivers.protocols.medlab_eg01010 import (
    BREATHS,
    LEAD_OFF,
    PULSE,
    Identity,
    Info,
    Said,
    Samples,
    State,
    Value,
    encode,
)
from drivers.virtual.course import Span, Ticks, within

FS = 100
_BEAT_WIDTH = 0.03


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The patient and the module; spans are from and until, in seconds."""

    protocol: Literal[1, 2] = 2
    heart_rate: int = 72
    respiration_rate: int = 14
    lead_off: tuple[Span, ...] = ((30.0, 40.0),)


class VirtualMedlabEg01010:
    """The options are those of Scene; the seed moves the heart rate."""

    def __init__(self, seed: int, **options: object) -> None:
        self._scene = scene = msgspec.convert(options, Scene)
        self._rate = scene.heart_rate + seed % 5
        self._ticks = Ticks(1 / FS)
        self._beats = Ticks(60 / self._rate)
        self._breaths = Ticks(60 / scene.respiration_rate)
        self._seconds = Ticks(1.0)

    def due(self, elapsed_s: float) -> bytes:
        """Return the blocks since the last call."""
        return b"".join(
            encode(said) for tick in self._ticks.until(elapsed_s) for said in self._at(tick / FS)
        )

    def hear(self, data: bytes) -> bytes:
        """Answer the question who it is, in protocol 2."""
        asked = data.count(b"I") if self._scene.protocol == 2 else 0
        return encode(Identity('"EG01010H0S61"')) * asked

    def _at(self, at_s: float) -> list[Said]:
        scene, protocol = self._scene, self._scene.protocol
        off = within(scene.lead_off, at_s)
        said: list[Said] = []
        for _ in self._seconds.until(at_s):
            if protocol == 2:
                said.append(State(0x40 if off else 0x47, 0x02, (0x04, 0)))
            elif off:
                said.append(Info(LEAD_OFF))
        if list(self._beats.until(at_s)) and not off:
            said.append(Value(protocol, PULSE, self._rate))
        if list(self._breaths.until(at_s)) and not off:
            said.append(Value(protocol, BREATHS, scene.respiration_rate))
        beat = at_s * self._rate / 60 % 1
        ecg = 128 + round(80 * math.exp(-(((beat - 0.5) / _BEAT_WIDTH) ** 2)))
        breath = 128 + round(40 * math.sin(math.tau * at_s * scene.respiration_rate / 60))
        if protocol == 2:
            return [*said, Samples(2, (ecg, breath))]
        mark = [Samples(1, ())] if said or at_s <= 1 / FS else []
        return [*said, *mark, Samples(1, (ecg,))]
