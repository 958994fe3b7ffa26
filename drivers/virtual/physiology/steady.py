"""What changes slowly: saturation of the blood at the finger, and warmth."""

import math

from drivers.virtual.physiology.scenarios import Desaturation
from drivers.virtual.physiology.signals import Topic, chance

LUNG_TO_FINGER_S = 12.0
FALL_S, RISE_S = 22.0, 9.0  # time constants
_SWING = 0.35  # percent
_SWING_S = 53.0
_DRIFT_C = 0.04
_DRIFT_S = 600.0


class Saturation:
    """Falls towards a depth while breath stops, the lung's blood later than the breath."""

    def __init__(self, seed: int, percent: float, stops: tuple[Desaturation, ...]) -> None:
        self._percent = percent
        self._stops = stops
        self._phase = float(chance(seed, Topic.SATURATION).uniform(0, math.tau))

    def at(self, at_s: float) -> float:
        """Return the saturation in percent at a moment, at most 100."""
        swing = _SWING * math.sin(math.tau * at_s / _SWING_S + self._phase)
        fallen = math.fsum(_fallen(stop, at_s - LUNG_TO_FINGER_S) for stop in self._stops)
        return min(100.0, self._percent + swing - fallen)


class Warmth:
    """Drifts by hundredths of a degree."""

    def __init__(self, seed: int, celsius: float) -> None:
        self._celsius = celsius
        self._phase = float(chance(seed, Topic.TEMPERATURE).uniform(0, math.tau))

    def at(self, at_s: float) -> float:
        """Return the core temperature at a moment."""
        return self._celsius + _DRIFT_C * math.sin(math.tau * at_s / _DRIFT_S + self._phase)


def _fallen(stop: Desaturation, at_s: float) -> float:
    if at_s <= stop.begin_s:
        return 0.0
    fallen = stop.depth * (1 - math.exp(-(min(at_s, stop.end_s) - stop.begin_s) / FALL_S))
    return fallen * math.exp(-max(0.0, at_s - stop.end_s) / RISE_S)
