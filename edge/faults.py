"""Places where a test may have the process killed, by name; off, and next to free, in production.

``VITALS_EDGE_FAULT=NAME:COUNT`` kills with SIGKILL the COUNT-th time NAME is reached. A place that
takes time (``inside-...``) is killed in the midst of it: ``NAME:COUNT:SEED`` draws how long after
its beginning. Nothing here cleans up: a power cut does not either.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias, get_args

VARIABLE = "VITALS_EDGE_FAULT"

Point: TypeAlias = Literal[
    "store.append.before-commit",
    "store.append.inside-commit",
    "store.append.after-commit",
    "store.keep.before-commit",
    "store.keep.inside-commit",
    "store.keep.after-commit",
    "store.acceptance.before-commit",
    "store.acceptance.inside-commit",
    "store.acceptance.after-commit",
    "store.receipt.before-commit",
    "store.receipt.inside-commit",
    "store.receipt.after-commit",
    "store.purge.before-commit",
    "store.purge.inside-commit",
    "store.purge.after-commit",
    "record.filing.before-commit",
    "record.filing.inside-commit",
    "record.filing.after-commit",
]
POINTS: tuple[Point, ...] = get_args(Point)

# From "hardly begun" to "long over", so that seeds reach the whole of a commit on any disk.
SHORTEST_DELAY_S = 2e-6
LONGEST_DELAY_S = 5e-3


@dataclass(slots=True)
class _Armed:
    """The one fault this process is to die of, and how often it is still passed."""

    point: str
    left: int
    seed: int

    def due(self, point: str) -> bool:
        if point != self.point:
            return False
        self.left -= 1
        return self.left == 0


def reach(point: Point) -> None:
    """Die here, if this is the place and the time."""
    armed = _armed()
    if armed is not None and armed.due(point):
        _die()


@contextmanager
def inside(point: Point) -> Iterator[None]:
    """Die at some moment of the body, or soon after it, if this is the place and the time."""
    armed = _armed()
    if armed is not None and armed.due(point):
        spread = LONGEST_DELAY_S / SHORTEST_DELAY_S
        # Seeded: the same seed dies at the same place.
        delay_s = SHORTEST_DELAY_S * spread ** random.Random(armed.seed).random()  # noqa: S311 - no secret
        threading.Thread(target=_die_after, args=(delay_s,), daemon=True).start()
    yield


def parse(text: str) -> tuple[str, int, int]:
    """Return point, count and seed; ValueError for a name that is no point, or no count."""
    name, _, rest = text.partition(":")
    count, _, seed = rest.partition(":")
    if name not in POINTS:
        raise ValueError(f"{VARIABLE}: {name!r} is no fault point; there are {', '.join(POINTS)}")
    if not count.isdecimal() or int(count) < 1 or not (seed or "0").isdecimal():
        raise ValueError(f"{VARIABLE}: write NAME:COUNT or NAME:COUNT:SEED, not {text!r}")
    return name, int(count), int(seed or "0")


@cache
def _armed() -> _Armed | None:
    text = os.environ.get(VARIABLE)
    return _Armed(*parse(text)) if text else None


def _die_after(delay_s: float) -> None:
    time.sleep(delay_s)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
