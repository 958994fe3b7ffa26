"""What could be a beat: the maxima of the slope envelope, their height, steepness and contrast.

As in `dsp.qrs`, every value is a function of a finite window at absolute positions, and nothing
here is a running sum or a matrix product. What can be no beat is sorted out by the cheapest look
first, so that few are left for those at all that surrounds a candidate.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import Floats, Places, windows_at
from dsp.qrs import STRETCH, Rates
from dsp.qrs_levels import RunningLevels
from dsp.qrs_rules import WEAK_CONTRAST, WEAK_EVIDENCE, WEAK_SHARE, Candidates

BEND_REACH = 4  # working samples around an envelope maximum in which its steepest part lies
QRS_HALF_S = 0.1  # from its middle, the envelope's own width included
ROWS_AT_ONCE = 256  # candidates looked at in one go, so that what is computed stays in the cache
GLANCES = 3  # on each side: samples at which an outshone maximum mostly shows


def search(
    waves: Floats, first: int, span: tuple[int, int], rates: Rates, levels: RunningLevels
) -> Candidates:
    """Return the candidates in `span`, columns of `waves`, of which column 0 stands at `first`.

    `waves` holds envelope and bend, (2, n), with all that is known around the span.
    """
    wave = waves[0]
    at = local_maxima(wave, *span)
    block = (at + first) // levels.size
    begin, end = (int(block[0]), int(block[-1]) + 1) if at.size else (0, 0)
    peak, quiet = levels.of(np.arange(begin, end)).T
    low = np.minimum(quiet, peak)
    swing = peak - low
    kept = wave[at] >= (low + WEAK_SHARE * swing)[block - begin]
    kept[kept] = _unsurpassed(wave, at[kept], rates.refractory)
    at, block = at[kept], block[kept] - begin
    rows = np.empty((6, at.size))
    rows[:] = (
        at + first,
        wave[at],
        at,
        contrast(wave, at, rates),
        wave[at] - low[block],
        swing[block],
    )
    enough = (rows[3] >= WEAK_CONTRAST) & (rows[3] * rows[4] >= WEAK_EVIDENCE * rows[5])
    rows = rows[:, enough]
    rows[2] = steepness(waves[1], at[enough])
    return Candidates(rows)


def tallest(wave: Floats, first: int, span: tuple[int, int], levels: RunningLevels) -> int | None:
    """Return the place of the highest sample in this span, None if it is too low for a beat.

    A gap is taken for high, and where no level is known nothing is too low. The span is no longer
    than a block of the levels.
    """
    begin, end = span
    top = begin + int(wave[begin:end].argmax())
    height = float(wave[top])
    for block in {(begin + first) // levels.size, (end - 1 + first) // levels.size}:
        level = levels.at(block)
        if level is None or math.isnan(height):
            return top
        peak, low = level[0], min(level)
        if height >= low + WEAK_SHARE * (peak - low):
            return top
    return None


def look_at(
    waves: Floats, first: int, span: tuple[int, int], rates: Rates, levels: RunningLevels
) -> list[list[float]]:
    """Return the columns that `search` finds in a span no longer than the refractory time.

    There can be one at most, the highest sample; plain numbers are enough to see whether it is one.
    """
    wave, back, ahead = waves[0], rates.surroundings, rates.refractory
    top = span[0] + int(wave[span[0] : span[1]].argmax())
    height = float(wave[top])
    level = levels.at((top + first) // levels.size)
    peak, low = (level[0], min(level)) if level else (math.nan, math.nan)
    above, swing = height - low, peak - low
    if not (math.isnan(height) or height >= low + WEAK_SHARE * swing):
        return []
    around = wave[max(0, top - back) : top + ahead + 1].copy()
    if around.size <= back + ahead or math.isnan(around.sum()):  # an end or a gap is near
        columns: list[list[float]] = search(waves, first, span, rates, levels).rows.T.tolist()
        return columns
    if around[back - ahead : back].max() >= height or around[back + 1 :].max() > height:
        return []
    inner = int(QRS_HALF_S * rates.rate)
    around[back - inner : back + inner + 1] = 0.0
    stands_out = height * (back + ahead - 2 * inner) / float(around.sum())
    if not (stands_out >= WEAK_CONTRAST and stands_out * above >= WEAK_EVIDENCE * swing):
        return []
    steep = float(waves[1, top - BEND_REACH : top + BEND_REACH + 1].max())
    return [[top + first, height, steep, stands_out, above, swing]]


def local_maxima(wave: Floats, begin: int, end: int) -> Places:
    """Return the places that rise above the one before and do not fall short of the one after.

    A sample beside a gap or at an end of `wave` is none.
    """
    begin, end = max(begin, 1), min(end, wave.size - 1)
    if end <= begin:
        return np.empty(0, dtype=np.intp)
    found = []
    for at in range(begin, end, STRETCH):
        around = wave[at - 1 : min(end, at + STRETCH) + 1]
        holds = around[1:-1] >= around[2:]
        holds &= around[1:-1] > around[:-2]
        found.append(holds.nonzero()[0] + at)
    return found[0] if len(found) == 1 else np.concatenate(found)


def contrast(wave: Floats, at: Places, rates: Rates) -> Floats:
    """Return by how much each local maximum stands out of the mean of what surrounds it.

    0 where another one within the refractory time outshines it, the first of equals; NaN where
    nothing surrounds it. The surroundings begin where a QRS complex ends; ahead they reach no
    farther than the envelope has to be known for the candidate anyway.
    """
    if at.size > ROWS_AT_ONCE:
        portions = np.split(at, range(ROWS_AT_ONCE, at.size, ROWS_AT_ONCE))
        return np.concatenate([contrast(wave, portion, rates) for portion in portions])
    back, ahead, inner = rates.surroundings, rates.refractory, int(QRS_HALF_S * rates.rate)
    around, height = _around(wave, at, back, ahead), wave[at]
    before = np.fmax.reduce(around[:, back - ahead : back], axis=1)
    after = np.fmax.reduce(around[:, back + 1 :], axis=1)
    around[:, back - inner : back + inner + 1] = 0.0
    total, count = around.sum(axis=1), np.full(at.size, back + ahead - 2 * inner)
    torn = np.flatnonzero(np.isnan(total))
    if torn.size:
        missing = np.isnan(around[torn])
        total[torn] = np.where(missing, 0.0, around[torn]).sum(axis=1)
        count[torn] -= missing.sum(axis=1)
    return np.where((height > before) & (height >= after), height * count / total, 0.0)


def steepness(bends: Floats, at: Places) -> Floats:
    """Return the largest bend within `BEND_REACH` of each place; NaN where there is none."""
    steepest: Floats = np.fmax.reduce(_around(bends, at, BEND_REACH, BEND_REACH), axis=1)
    return steepest


def _unsurpassed(wave: Floats, at: Places, reach: int) -> NDArray[np.bool_]:
    """Say which of these places are not outshone at a few samples within reach."""
    height, last = wave[at], wave.size - 1
    kept = np.ones(at.size, dtype=bool)
    for nth in range(1, GLANCES + 1):
        apart = nth * reach // GLANCES
        kept &= ~(wave[np.maximum(at - apart, 0)] > height)
        kept &= ~(wave[np.minimum(at + apart, last)] > height)
    return kept


def _around(wave: Floats, at: Places, back: int, ahead: int) -> Floats:
    """Return the samples around each place, NaN beyond the ends."""
    width = back + 1 + ahead
    whole = (at >= back) & (at + ahead < wave.size)
    if whole.all() and at.size:
        return windows_at(wave, at - back, width)
    windows = np.full((at.size, width), np.nan)
    if whole.any():
        windows[whole] = windows_at(wave, at[whole] - back, width)
    for row in np.flatnonzero(~whole).tolist():
        begin = max(0, int(at[row]) - back)
        piece = wave[begin : int(at[row]) + ahead + 1]
        first = begin - int(at[row]) + back
        windows[row, first : first + piece.size] = piece
    return windows
