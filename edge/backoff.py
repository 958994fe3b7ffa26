"""How long to wait before trying again: pure, so that the waiting can be shown and tested."""

import random
from collections.abc import Iterator

FIRST_S = 0.5
LONGEST_S = 30.0


def delays(seed: int, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> Iterator[float]:
    """Yield ever longer waits, doubled up to `longest_s`, each drawn from its upper half.

    The jitter keeps a building full of hubs from knocking at a restarted broker in step; its seed
    makes a course of events repeatable.
    """
    draw = random.Random(seed)  # noqa: S311 - spreads load, hides nothing
    delay = first_s
    while True:
        yield delay * draw.uniform(0.5, 1.0)
        delay = min(delay * 2, longest_s)
