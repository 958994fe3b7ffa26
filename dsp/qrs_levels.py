"""What height a beat has at present, and what the signal does where there is none.

The envelope is cut into blocks of two seconds at absolute positions. Only order statistics are
taken of it, so nothing here rounds.
"""

import math

import numpy as np

from dsp.arrays import Floats, Places

BLOCK_S = 2.0  # holds a beat down to 30 a minute
PARTS = 16  # of a block, 125 ms each: shorter than the time between two beats at 240 a minute
QUIET = 4  # peaks of parts that are lower: the lower quartile, free of QRS at any rhythm
AT_ONCE = 64  # blocks, so that what is computed of them stays in the cache
HISTORY = 8  # blocks: 16 s, so that the level follows a patient who turns over
NO_PEAKS: Floats = np.empty((0, PARTS))


class RunningLevels:
    """Levels of an envelope that grows; `size` is the samples of a block, `ready` counts blocks.

    Column 0 of a level is the usual peak of a block, column 1 its usual quiet level.
    """

    def __init__(self, rate: float) -> None:
        self.size = round(BLOCK_S * rate / PARTS) * PARTS
        self.ready = 0
        self._open: list[Floats] = []  # the samples of the block in progress
        self._open_size = 0
        self._blocks = np.empty((0, 2))
        self._blocks_first = 0
        self._levels = np.empty((0, 2))
        self._levels_first = 0

    def push(self, wave: Floats, *, last: bool) -> None:
        """Take the next samples; with `last`, the block in progress ends here."""
        self._open_size += wave.size
        if self._open_size < self.size and not last:
            self._open.append(wave.copy())
            return
        if self._open:
            wave = np.concatenate([*self._open, wave])
        whole = wave.size // self.size * self.size
        rest = wave[whole:].copy()
        fresh = _block_levels(wave[:whole], self.size)
        if last and rest.size:
            rest = np.concatenate([rest, np.full(self.size - rest.size, np.nan)])
            fresh = np.concatenate([fresh, _block_levels(rest, self.size)])
        self._open, self._open_size = [rest], rest.size
        self._blocks = np.concatenate([self._blocks, fresh])
        begin = self.ready - self._blocks_first
        levels = (_few_levels if len(fresh) == 1 else _levels)(self._blocks, begin, last=last)
        end = begin + len(levels)
        self._levels = np.concatenate([self._levels, levels])
        self.ready = self._blocks_first + end
        drop = max(0, end - HISTORY)
        self._blocks = self._blocks[drop:]
        self._blocks_first += drop

    def of(self, blocks: Places) -> Floats:
        """Return the levels of these blocks, (n, 2): ready ones, none before the last `forget`."""
        return self._levels[blocks - self._levels_first]

    def at(self, block: int) -> tuple[float, float] | None:
        """Return the levels of one block, None where they are not ready."""
        row = block - self._levels_first
        if row >= len(self._levels):
            return None
        peak, quiet = self._levels[row].tolist()
        return peak, quiet

    def forget(self, before: int) -> None:
        """Drop the levels of the blocks before this one."""
        drop = max(0, before - self._levels_first)
        self._levels = self._levels[drop:]
        self._levels_first += drop


def _block_levels(wave: Floats, size: int) -> Floats:
    """Return the peak and the quiet level per block of `size` samples; NaN if half is missing.

    The quiet level is the lower quartile of the peaks of the parts.
    """
    part, at_once = size // PARTS, AT_ONCE * size
    found = [_highest(wave[at : at + at_once], part) for at in range(0, wave.size, at_once)]
    peaks = np.sort(np.concatenate(found).reshape(-1, PARTS), axis=1) if found else NO_PEAKS
    levels: Floats = peaks[:, (PARTS - 1, QUIET)]
    torn = np.flatnonzero(np.isnan(levels[:, 0]))  # what is missing stands last
    if torn.size:
        present = PARTS - np.isnan(peaks[torn]).sum(axis=1)
        levels[torn, 0] = peaks[torn, np.maximum(present, 1) - 1]
        levels[torn[present < PARTS // 2]] = np.nan
    return levels


def _highest(wave: Floats, width: int) -> Floats:
    """Return the highest sample of each `width` in a row, NaN aside.

    Maxima of ever twice as many samples; a reduction over so short an axis takes twice as long.
    """
    highest, covered = wave, 1
    while 2 * covered <= width:
        highest = np.fmax(highest[:-covered], highest[covered:])
        covered *= 2
    rest = width - covered
    return np.fmax(highest[: highest.size - rest : width], highest[rest::width])


def _levels(blocks: Floats, begin: int, *, last: bool) -> Floats:
    """Return the levels from block `begin` on, up to that in progress, as far as they are certain.

    A level is the lower median over the `HISTORY` blocks before. With fewer than two of those
    present the block's own joins them, with none the next one too; NaN where there is nothing.
    Either all `HISTORY` blocks are there, or all since the start of the signal.
    """
    n = len(blocks) + 1
    padded = np.full((HISTORY + n + 1, 2), np.nan)
    padded[HISTORY : HISTORY + n - 1] = blocks
    windows = np.lib.stride_tricks.sliding_window_view(padded, HISTORY + 2, axis=0).copy()
    seen = HISTORY - np.isnan(windows[:, 0, :HISTORY]).sum(axis=1)
    windows[seen >= 2, :, HISTORY] = np.nan
    windows[seen >= 1, :, HISTORY + 1] = np.nan
    ordered = np.sort(windows, axis=2)
    present = HISTORY + 2 - np.isnan(ordered[:, 0]).sum(axis=1)
    middle = np.maximum(present - 1, 0) // 2
    levels = ordered[np.arange(n), :, middle]
    needed = np.arange(n) + np.where(seen >= 2, 0, np.where(seen >= 1, 1, 2))
    end = n - 1 if last else int(np.searchsorted(needed, n - 1, side="right"))
    return levels[begin : max(begin, end)]


def _few_levels(blocks: Floats, begin: int, *, last: bool) -> Floats:
    """Return the same, with plain numbers: cheaper where one block came."""
    table: list[list[float]] = blocks.tolist()
    known, levels = len(table), list[list[float]]()
    for row in range(begin, known + (not last)):
        used = [one for one in table[max(0, row - HISTORY) : row] if not math.isnan(one[0])]
        more = 0 if len(used) > 1 else 2 - len(used)
        if row + more > known and not last:
            break
        used += [one for one in table[row : row + more] if not math.isnan(one[0])]
        columns = zip(*used, strict=True) if used else ((math.nan,), (math.nan,))
        levels.append([sorted(column)[(len(column) - 1) // 2] for column in columns])
    return np.array(levels).reshape(-1, 2)
