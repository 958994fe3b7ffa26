"""Sample times on one grid, and chance that depends on a seed and a name and nothing else."""

import math
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_GRID_SLACK = 1e-6  # of a sample: seconds times a rate rarely is the whole number that is meant


class Topic(IntEnum):
    """What a draw of chance is for; topics never disturb each other."""

    PERSON = 1
    AUTONOMIC = 2
    CONDUCTION = 3
    BREATH = 4
    FIBRILLATION = 5
    PRESSURE = 6
    SATURATION = 7
    MAINS = 8
    WANDER = 9
    MUSCLE = 10
    MOTION = 11
    PLETH_MOTION = 12
    CUFF = 13
    TEMPERATURE = 14


def chance(seed: int, topic: Topic, *more: int) -> np.random.Generator:
    """Return the generator of a topic, and of a place within it; ValueError for a seed below 0."""
    if seed < 0:
        raise ValueError(f"seed: {seed}; give 0 or more")
    return np.random.default_rng([seed, topic, *more])


def sample_times(begin_s: float, end_s: float, fs: float) -> Floats:
    """Return the times k/fs in [begin_s, end_s), k whole: adjoining spans share no sample.

    Raises ValueError for a rate that is not positive, or times before 0 or not finite.
    """
    if not (fs > 0 and math.isfinite(fs)):
        raise ValueError(f"fs: {fs} Hz; give a positive rate")
    if not (begin_s >= 0 and math.isfinite(begin_s) and math.isfinite(end_s)):
        raise ValueError(f"from {begin_s} s until {end_s} s; give finite times from 0 on")
    first, last = (math.ceil(at_s * fs - _GRID_SLACK) for at_s in (begin_s, end_s))
    grid: Floats = np.arange(first, max(first, last)) / fs
    return grid


def near(times: Floats, begin_s: float, end_s: float) -> slice:
    """Return where increasing times lie in [begin_s, end_s)."""
    begin, end = np.searchsorted(times, (begin_s, end_s))
    return slice(int(begin), int(end))
