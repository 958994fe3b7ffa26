"""Samples by absolute position, of which the oldest are let go as new ones come."""

import numpy as np

from dsp.arrays import Floats

LEAST_COLUMNS = 256


class Tape:
    """The last columns of a signal that grows; positions count from its first sample ever."""

    def __init__(self, *rows: int) -> None:
        self._store = np.empty((*rows, LEAST_COLUMNS))
        self._begin = 0  # of what is kept, in the store
        self._end = 0
        self._borrowed = False
        self.first = 0  # position of the oldest column kept

    @property
    def end(self) -> int:
        """Position after the newest column."""
        return self.first + self._end - self._begin

    def append(self, block: Floats) -> None:
        """Add columns. A large first block is borrowed, until `settle`, rather than copied."""
        count, live = block.shape[-1], self._end - self._begin
        if live == 0 and count > self._store.shape[-1]:
            self._store, self._begin, self._end, self._borrowed = block, 0, count, True
            return
        if self._borrowed or self._end + count > self._store.shape[-1]:
            self._move(max(LEAST_COLUMNS, 2 * (live + count)))
        self._store[..., self._end : self._end + count] = block
        self._end += count

    def span(self, begin: int, end: int) -> Floats:
        """Return a view of these positions, as far as they are kept."""
        shift = self._begin - self.first
        part: Floats = self._store[
            ..., max(begin + shift, self._begin) : max(min(end + shift, self._end), self._begin)
        ]
        return part

    def forget(self, before: int) -> None:
        """Let go of what lies before this position."""
        drop = min(max(0, before - self.first), self._end - self._begin)
        self._begin += drop
        self.first += drop

    def settle(self) -> None:
        """Hold nothing that belongs to the caller, nor much more than is kept."""
        live = self._end - self._begin
        if self._borrowed or self._store.shape[-1] > LEAST_COLUMNS + 8 * live:
            self._move(max(LEAST_COLUMNS, 2 * live))

    def _move(self, columns: int) -> None:
        """Copy what is kept to the start of a store of this width."""
        live = self._end - self._begin
        store = np.empty((*self._store.shape[:-1], columns))
        store[..., :live] = self._store[..., self._begin : self._end]
        self._store, self._begin, self._end, self._borrowed = store, 0, live, False
