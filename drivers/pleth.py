"""What is told of a finger oximeter that repeats its values with every sample of its pulse wave."""

from collections.abc import Iterator

import numpy as np

from drivers.model import Instant, Item, Kind, Measurement, Reading, Unit, Waveform


class PlethStream:
    """One wave a second, and a measurement when something in it changed or a second is over.

    `fs` is how many samples a second the instrument sends. NaN is a sample without a finger.
    """

    def __init__(self, fs: int) -> None:
        self._fs = fs
        self._samples: list[float] = []
        self._told: tuple[Reading, ...] | None = None
        self._since = 0

    def restart(self) -> None:
        """Forget what was begun: samples were lost in between."""
        self._samples.clear()
        self._told = None

    def add(
        self, sample: float, readings: tuple[Reading, ...], raw: bytes, at: Instant
    ) -> Iterator[Item]:
        """Take one frame and yield what is to be told of it."""
        self._samples.append(sample)
        if len(self._samples) == self._fs:
            wave = np.array([self._samples])
            self._samples.clear()
            yield Waveform(("pleth",), float(self._fs), Unit.UNSCALED, wave, at)
        self._since += 1
        if self._told != readings or self._since >= self._fs:
            self._told, self._since = readings, 0
            yield Measurement(Kind.OXIMETRY, readings, at, raw)
