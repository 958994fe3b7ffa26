"""What virtual instruments share: when something is due, and when something befalls the patient."""

import math
from collections.abc import Sequence
from typing import TypeAlias

Span: TypeAlias = tuple[float, float]


class Ticks:
    """Counts the periods that are over; each comes up once."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._told = 0

    def until(self, elapsed_s: float) -> range:
        """Return the numbers, from 1, of the periods that ended since the last call."""
        over = max(self._told, int(elapsed_s / self._every_s + 1e-6))
        first, self._told = self._told + 1, over
        return range(first, over + 1)


def within(spans: Sequence[Span], at_s: float) -> bool:
    """Tell whether a time lies in one of the spans, which are from and until."""
    return any(start <= at_s < end for start, end in spans)


def drift(seed: int, at_s: float, period_s: float) -> float:
    """Return a slow wave between -1 and 1 whose phase is the seed's."""
    return math.sin(math.tau * at_s / period_s + seed)
