"""Breath: a lung that fills for two parts of each breath and empties for three, and may stop."""

import math

import numpy as np

from drivers.virtual.physiology.scenarios import Desaturation
from drivers.virtual.physiology.signals import Floats, Topic, chance

INSPIRATION = 0.4  # of a breath
_DRIFT_BREATHS = 0.08
_DRIFT_HZ = 0.031
_EDGE_S = 1.5  # what a breath takes to stop and to start


class Breathing:
    """Closed forms of time: the phase in breaths, the volume, the rate."""

    def __init__(self, seed: int, per_min: float, stops: tuple[Desaturation, ...] = ()) -> None:
        draw = chance(seed, Topic.BREATH)
        self._hz = per_min / 60
        self._begin = float(draw.uniform(0, 1))
        self._drift = float(draw.uniform(0, math.tau))
        self._stops = stops

    @property
    def mean_hz(self) -> float:
        """Breaths per second while there is breath."""
        return self._hz

    def phase(self, times: Floats) -> Floats:
        """Return the breaths since some moment before 0; whole numbers begin an inspiration."""
        drift = np.sin(math.tau * _DRIFT_HZ * times + self._drift)
        breaths: Floats = self._begin + self._hz * times + _DRIFT_BREATHS * drift
        return breaths

    def depth(self, times: Floats) -> Floats:
        """Return how much of a breath is breathed: 1, falling to 0 where breath stops."""
        depth = np.ones(times.shape)
        for stop in self._stops:
            inward = np.minimum(times - stop.begin_s, stop.end_s - times) / _EDGE_S
            part = np.minimum(np.maximum(inward, 0.0), 1.0)
            depth *= 1.0 - part * part * (3.0 - 2.0 * part)
        return depth

    def volume(self, times: Floats) -> Floats:
        """Return how full the lung is, 0 to 1: the impedance wave that a monitor sees."""
        part = self.phase(times) % 1.0
        rising = part / (2 * INSPIRATION)
        falling = 0.5 + (part - INSPIRATION) / (2 * (1 - INSPIRATION))
        turn = np.where(part < INSPIRATION, rising, falling)
        volume: Floats = self.depth(times) * (0.5 - 0.5 * np.cos(math.tau * turn))
        return volume

    def is_stopped(self, at_s: float) -> bool:
        """Whether there is no breath at a moment."""
        return any(stop.begin_s <= at_s < stop.end_s for stop in self._stops)

    def rate(self, at_s: float) -> float:
        """Return the breaths per minute at a moment, 0 where breath stops."""
        if self.is_stopped(at_s):
            return 0.0
        drift = math.cos(math.tau * _DRIFT_HZ * at_s + self._drift)
        return 60 * (self._hz + _DRIFT_BREATHS * math.tau * _DRIFT_HZ * drift)

    def breaths(self, begin_s: float, end_s: float) -> list[float]:
        """Return when inspirations begin in [begin_s, end_s)."""
        ends = self.phase(np.array([begin_s, end_s]))
        numbers = np.arange(math.ceil(ends[0]), math.ceil(ends[1]), dtype=np.float64)
        times = (numbers - self._begin) / self._hz
        for _ in range(60):  # contracts by _DRIFT_BREATHS * tau * _DRIFT_HZ / hz, under 0.1, a turn
            drift = np.sin(math.tau * _DRIFT_HZ * times + self._drift)
            times = (numbers - self._begin - _DRIFT_BREATHS * drift) / self._hz
        return [float(at_s) for at_s in times if not self.is_stopped(float(at_s))]
