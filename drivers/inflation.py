"""Whether a measurement with a cuff was seen on the link from the first stroke of the pump.

An instrument that shows the pressure in its cuff while it measures shows when it began: low, rising
from there to at least the mean pressure it then finds. Then nothing of the measurement is older
than the time the pump took to the first pressure shown. Whatever was seen otherwise proves nothing:
a cuff that empties, or that was heard in the middle.

What began and gave no result is not forgotten: the next result is then believed from that earlier
beginning on, which is never too late.
"""

from collections.abc import Iterable
from dataclasses import replace

from drivers.model import Instant, Metric, Reading, Unit

LOW_MMHG = 40.0  # below any pressure at which a cuff measures
SLOWEST_MMHG_PER_S = 3.0  # of a pump; an assumption: those that measure while it runs make 5 or so
MMHG_PER_KPA = 7.500617
NS = 1_000_000_000


class Inflation:
    """Watches the pressure in one cuff on one link."""

    def __init__(self) -> None:
        self._first: tuple[float, Instant] | None = None
        self._highest = 0.0
        self._rises: bool | None = None

    def saw(self, mmhg: float | None, at: Instant) -> None:
        """Take a pressure that was shown, None where it is no number."""
        if mmhg is None:
            mmhg = LOW_MMHG + 1  # nobody knows: as if it had been in the middle
        if self._first is None:
            self._first = mmhg, at
        elif self._rises is None:
            self._rises = self._first[0] <= LOW_MMHG and mmhg > self._first[0]
        self._highest = max(self._highest, mmhg)

    def result(self, readings: Iterable[Reading], earliest_ns: int) -> Instant | None:
        """Return before when nothing of the measurement with this result can lie, if it was seen.

        `earliest_ns` is the earliest monotonic time the result can be of: one of before the
        beginning belongs to another measurement, and that goes on. Where there is no mean pressure
        the diastolic one has to do.
        """
        if self._first is None:
            return None
        began = _began(*self._first)
        if earliest_ns < began.mono_ns:
            return None
        found = {reading.metric: mmhg(reading.value, reading.unit) for reading in readings}
        mean = found.get(Metric.MEAN_PRESSURE) or found.get(Metric.DIASTOLIC)
        whole = self._rises and mean is not None and self._highest >= mean
        self._first, self._highest, self._rises = None, 0.0, None
        return began if whole else None


def mmhg(pressure: float | None, unit: Unit) -> float | None:
    """Return a pressure in mmHg."""
    return pressure * MMHG_PER_KPA if pressure is not None and unit is Unit.KPA else pressure


def _began(first_mmhg: float, at: Instant) -> Instant:
    pumped = round(min(first_mmhg, LOW_MMHG) / SLOWEST_MMHG_PER_S * NS)
    return replace(at, wall_ns=at.wall_ns - pumped, mono_ns=at.mono_ns - pumped)
