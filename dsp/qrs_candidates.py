"""What could be a beat: the maxima of the slope envelope, their height, steepness and contrast.

As in `dsp.qrs`, every value is a function of a finite window at absolute positions, and nothing
here is a running sum or a matrix product. What can be no beat is sorted out by the cheapest look
first, so that few are left for those at all that surrounds a candidate.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import FEW, Floats, Places, windows_at
from dsp.qrs import Rates
from dsp.qrs_levels import RunningLevels
from dsp.qrs_rules import THRESHOLD, WEAK_CONTRAST, WEAK_THRESHOLD, Candidates, level_between

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
    peak, quiet = levels.of((at + first) // levels.size).T
    kept = wave[at] >= level_between(quiet, peak, WEAK_THRESHOLD)
    if at.size > FEW:
        kept[kept] = _unsurpassed(wave, at[kept], rates.refractory)
    at, level = at[kept], level_between(quiet[kept], peak[kept], THRESHOLD)
    stands_out = contrast(wave, at, rates)
    kept = stands_out >= WEAK_CONTRAST
    at, level, stands_out = at[kept], level[kept], stands_out[kept]
    rows = np.empty((5, at.size))
    rows[:] = at + first, wave[at], steepness(waves[1], at), stands_out, level
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
        if height >= low + WEAK_THRESHOLD * (peak - low):
            return top
    return None


def local_maxima(wave: Floats, begin: int, end: int) -> Places:
    """Return the places that rise above the one before and do not fall short of the one after.

    A sample beside a gap or at an end of `wave` is none.
    """
    begin, end = max(begin, 1), min(end, wave.size - 1)
    if end <= begin:
        return np.empty(0, dtype=np.intp)
    here = wave[begin:end]
    rises, holds = here > wave[begin - 1 : end - 1], here >= wave[begin + 1 : end + 1]
    return np.flatnonzero(rises & holds) + begin


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
