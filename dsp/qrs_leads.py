"""Several leads become one envelope, to which each contributes as much as it can be trusted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import Floats, Places
from dsp.qrs_levels import RunningLevels

# Of quiet and peak level. White noise has 0.48, more than this in one of 300 strips of 10 s; ECG
# mostly 0.9 and more, in LUDB's lead II from 0.76 on.
LEAST_CONTRAST = 0.65
LOUDEST = 3.0  # times its usual peak; more is an artefact of one lead and must not outvote the rest


class LeadFusion:
    """Fuse lead envelopes block by block; one lead passes as it is, unscaled and without delay."""

    def __init__(self, rate: float, leads: int) -> None:
        self._levels = [RunningLevels(rate) for _ in range(leads if leads > 1 else 0)]
        self._leads = leads
        self._waves = np.empty((leads, 2, 0))
        self._first = 0  # envelope sample of the first column
        self._block_weights = np.empty((leads, 0))
        self._block_first = 0

    def push(self, waves: Floats, *, last: bool) -> Floats:
        """Take the next envelopes and bends, (leads, 2, n); return those fused so far, (2, n)."""
        if not self._levels:
            only: Floats = waves[0]
            return only
        for level, wave in zip(self._levels, waves, strict=True):
            level.push(wave[0], last=last)
        self._waves = np.concatenate([self._waves, waves], axis=2)
        size = self._levels[0].size
        ready = min(level.ready for level in self._levels)
        count = min(self._waves.shape[2], ready * size - self._first)
        if count <= 0:
            return np.empty((2, 0))
        blocks = np.arange(self._first, self._first + count) // size
        rows = np.arange(self._block_first + self._block_weights.shape[1], blocks[-1] + 1)
        fresh = np.stack([_weights(level.of(rows)) for level in self._levels])
        fresh[:, fresh.max(axis=0, initial=0.0) == 0.0] = 1.0
        self._block_weights = np.concatenate([self._block_weights, fresh], axis=1)
        peaks = np.stack([level.of(blocks)[:, 0] for level in self._levels])
        relative = self._waves[:, :, :count] / peaks[:, np.newaxis]
        np.minimum(relative[:, 0], LOUDEST, out=relative[:, 0])
        fused = _fuse(relative, self.weights(blocks))
        self._waves = self._waves[:, :, count:]
        self._first += count
        for level in self._levels:
            level.forget(self._first // size)
        return fused

    def weights(self, blocks: Places) -> Floats:
        """Return the weight of each lead in these blocks, (leads, n); 0 is left out."""
        return self._block_weights[:, blocks - self._block_first]

    def usable(self, places: Places) -> NDArray[np.bool_]:
        """Say for fused samples which leads count there, (leads, n)."""
        if not self._levels:
            return np.ones((1, places.size), dtype=bool)
        return self.weights(places // self._levels[0].size) > 0

    def usable_leads(self, place: int) -> Sequence[int]:
        """Return which leads count at one fused sample."""
        if not self._levels:
            return (0,)
        row = place // self._levels[0].size - self._block_first
        return np.flatnonzero(self._block_weights[:, row] > 0).tolist()

    def forget(self, before: int) -> None:
        """Drop what is known of the blocks before this fused sample's."""
        if self._levels:
            drop = max(0, before // self._levels[0].size - self._block_first)
            self._block_weights = self._block_weights[:, drop:]
            self._block_first += drop


def _weights(levels: Floats) -> Floats:
    """Return the weight of one lead per block, from its contrast of peak and quiet level."""
    contrast = 1.0 - levels[:, 1] / levels[:, 0]
    return np.where(contrast > LEAST_CONTRAST, contrast - LEAST_CONTRAST, 0.0)


def _fuse(relative: Floats, weights: Floats) -> Floats:
    """Return the weighted mean over the leads that have a value; NaN where none has.

    A QRS complex is in every lead, an artefact mostly in one. So it is the square of the mean root:
    what is high in one lead alone counts less than what is half as high in two.
    """
    total, weight = np.zeros(relative.shape[1:]), np.zeros(relative.shape[1:])
    for waves, share in zip(np.sqrt(relative), weights, strict=True):
        there = ~np.isnan(waves)
        total += np.where(there, waves * share, 0.0)
        weight += np.where(there, share, 0.0)
    return np.where(weight > 0, np.square(total / weight), np.nan)
