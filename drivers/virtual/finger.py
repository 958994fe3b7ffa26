"""The finger in a simple virtual oximeter: what 60 samples a second and the display show of it."""

import math
from typing import Annotated

import msgspec

from drivers.virtual.course import Span, drift, within

SEARCHES_S = 4.0


class FingerScene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The patient, and when the finger is out; spans are from and until, in seconds."""

    spo2: Annotated[int, msgspec.Meta(ge=1, le=100)] = 97
    pulse_rate: Annotated[int, msgspec.Meta(ge=20, le=250)] = 72
    finger_off: tuple[Span, ...] = ()


class SimpleFinger:
    """Closed forms of time, so the same scene gives the same bytes however often it is asked."""

    def __init__(self, seed: int, scene: FingerScene) -> None:
        self._seed = seed
        self._scene = scene

    def is_off(self, at_s: float) -> bool:
        """Tell whether there is no finger."""
        return within(self._scene.finger_off, at_s)

    def is_searched(self, at_s: float) -> bool:
        """Tell whether the finger was put in just now."""
        ends = [(until, until + SEARCHES_S) for _, until in self._scene.finger_off]
        return not self.is_off(at_s) and within(ends, at_s)

    def shown(self, at_s: float) -> tuple[int, int]:
        """Return saturation and pulse rate as displayed, which change once a second."""
        whole = math.floor(at_s)
        spo2 = self._scene.spo2 + round(0.6 * drift(self._seed, whole, 53.0))
        return min(100, spo2), self._scene.pulse_rate + round(2 * drift(self._seed, whole, 37.0))

    def pulse_wave(self, at_s: float) -> float:
        """Return the pulse wave between 0 and 1: a steep rise and a dicrotic shoulder."""
        beat = at_s * self._scene.pulse_rate / 60 % 1
        peak = math.exp(-(((beat - 0.2) / 0.09) ** 2))
        return min(1.0, peak + 0.4 * math.exp(-(((beat - 0.5) / 0.12) ** 2)))
