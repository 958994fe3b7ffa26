"""Respiration rate from chest impedance, or from what breathing does to a pulse wave or an ECG.

Breathing shows in a pleth and in an ECG three times over: beats grow and shrink, their level moves,
and they come sooner while breathing in. Each is a row of values at the beats, brought to 4 Hz. Rows
are fused by the mean of their autocorrelations, in which the more regular ones weigh more: breaths
need not be sine waves, but each must be like the last and like the one before. What the rows say
has to be the same in two of them at least, as Karlen et al. 2013 ask, or very regular in one; the
level alone does not count, as wander does the same. Else there is no result.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from dsp.arrays import Floats, checked_rate
from dsp.modulation import PULSE, QRS, WORKING_HZ, Modulations, modulations
from dsp.pulse import checked_row, checked_slow_rate, pulse_peaks
from dsp.rpeaks import find_r_peaks

SHORTEST_S = 20.0
SLOWEST_PER_MIN, FASTEST_PER_MIN = 4.0, 60.0
# Slower than this the beats' modulation is that of blood pressure (0.1 Hz), not of breathing.
SLOWEST_OF_BEATS_PER_MIN = 8.0
BEATS_A_BREATH = 2.2  # with fewer, a fast breath looks like a slow one
MOST_GAP = 0.2
FIRST_SHARE = 0.7  # a peak of the autocorrelation so near to the best is one breath, not two
FUSED_FIRST_SHARE = 0.5  # in a mean of rows the noise of each is less


@dataclass(frozen=True, slots=True)
class Regularity:
    """Least autocorrelation at one breath, and at two.

    A slow random walk repeats once by chance, hardly twice.
    """

    once: float
    twice: float


OF_BREATHS = Regularity(0.5, 0.4)
FUSED = Regularity(0.5, 0.35)
ALONE = Regularity(0.75, 0.6)
LEAST_SUPPORT = 0.25  # autocorrelation of a row at one breath of the others
LEAST_ROWS = 2


class Source(StrEnum):
    """What a signal is."""

    IMPEDANCE = "impedance"
    PLETH = "pleth"
    ECG = "ecg"


class NoRespiration(StrEnum):
    """Why there is no respiration rate."""

    SHORT = "short"
    GAP = "gap"
    FLAT = "flat"
    TOO_FEW_BEATS = "too-few-beats"
    IRREGULAR = "irregular"
    DISAGREEMENT = "disagreement"


@dataclass(frozen=True, slots=True)
class RespirationRate:
    """A rate exactly when `reason` is None; `quality` is how alike the breaths are, 0 to 1."""

    per_min: float | None
    quality: float
    reason: NoRespiration | None = None


def respiration_rate(signal: ArrayLike, fs: float, source: str = "impedance") -> RespirationRate:
    """Return the breaths a minute, or why there is no such rate.

    Parameters
    ----------
    signal
        (n,) real numbers, best 40 to 60 s; NaN, infinity or beyond 1e100 is a gap.
    fs
        Sampling rate in Hz: 25 to 500, for an ECG 100 to 2000.
    source
        ``"impedance"`` (or any signal that goes up and down with each breath), ``"pleth"`` or
        ``"ecg"``.

    Returns
    -------
    RespirationRate
        From 4 to 60 a minute; from a pleth or an ECG 8 to not quite half the heart rate, and a
        breath that is faster or slower gives no result. None when under 20 s are given, a fifth is
        missing, breaths are not alike, or size, level and rhythm of the beats do not agree.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, a rate out of range, or a source that
        does not exist.
    """
    if source not in list(Source):
        raise ValueError(f"source: {source!r}; give one of {', '.join(Source)}")
    rate = checked_rate(fs) if source == Source.ECG else checked_slow_rate(fs)
    row = checked_row(signal, "signal")
    gaps = np.isnan(row)
    if row.size < SHORTEST_S * rate:
        return RespirationRate(None, 0.0, NoRespiration.SHORT)
    if gaps.mean() > MOST_GAP:
        return RespirationRate(None, 0.0, NoRespiration.GAP)
    there = np.flatnonzero(~gaps)
    with np.errstate(all="ignore"):
        row = np.interp(np.arange(row.size), there, row[there])
        span = float(np.ptp(row))
        if not span > 0:
            return RespirationRate(None, 0.0, NoRespiration.FLAT)
        row = row / span - row[0] / span
        if source == Source.IMPEDANCE:
            return _of_breaths(_slowed(row, rate))
        if source == Source.PLETH:
            return _of_beats(modulations(row, pulse_peaks(row, rate), rate, PULSE))
        return _of_beats(modulations(row, find_r_peaks(row, rate), rate, QRS))


def _of_breaths(row: Floats) -> RespirationRate:
    """Return the rate of a signal that goes up and down with each breath, at 4 Hz."""
    slowest = round(WORKING_HZ * 60 / SLOWEST_PER_MIN)
    alike = _autocorrelation(row, slowest)
    lag = _breath(alike, _lags(FASTEST_PER_MIN), slowest, FIRST_SHARE)
    quality = _quality(alike, lag)
    if lag is None or not _regular(alike, lag, OF_BREATHS):
        return RespirationRate(None, quality, NoRespiration.IRREGULAR)
    return RespirationRate(_per_min(alike, lag), quality)


def _of_beats(found: Modulations | None) -> RespirationRate:
    """Return the rate that the modulations of the beats agree on."""
    if found is None:
        return RespirationRate(None, 0.0, NoRespiration.TOO_FEW_BEATS)
    slowest = round(WORKING_HZ * 60 / SLOWEST_OF_BEATS_PER_MIN)
    fastest = _lags(min(FASTEST_PER_MIN, found.beats_per_min / BEATS_A_BREATH))
    each = [_autocorrelation(row, slowest) for row in found.rows]
    weights = [_quality(one, _breath(one, fastest, slowest, 1.0)) ** 2 for one in each]
    if not sum(weights) > 0:
        return RespirationRate(None, 0.0, NoRespiration.IRREGULAR)
    fused: Floats = np.average(each, axis=0, weights=weights)
    lag = _breath(fused, fastest, slowest, FUSED_FIRST_SHARE)
    if lag is None:
        return RespirationRate(None, 0.0, NoRespiration.IRREGULAR)
    return _agreed(each, fused, lag)


def _agreed(each: list[Floats], fused: Floats, lag: int) -> RespirationRate:
    """Return the rate at a lag if two rows or more are for it, or one but for the last surely."""
    together = _regular(fused, lag, FUSED)
    if together and sum(_near(one, lag) > LEAST_SUPPORT for one in each) >= LEAST_ROWS:
        return RespirationRate(_per_min(fused, lag), _quality(fused, lag))
    for one in each[:-1]:
        if _regular(one, lag, ALONE):
            return RespirationRate(_per_min(one, lag), _quality(one, lag))
    reason = NoRespiration.DISAGREEMENT if together else NoRespiration.IRREGULAR
    return RespirationRate(None, _quality(fused, lag), reason)


def _lags(per_min: float) -> int:
    """Return the shortest lag, in samples at 4 Hz, that is no faster than this."""
    return int(np.ceil(WORKING_HZ * 60 / per_min))


def _slowed(row: Floats, fs: float) -> Floats:
    """Return means over a quarter of a second."""
    step = max(1, round(fs / WORKING_HZ))
    edges = (np.arange(int(row.size * WORKING_HZ / fs) + 1) * fs / WORKING_HZ).astype(np.intp)
    sums = np.concatenate([[0.0], np.cumsum(row)])
    edges = np.minimum(edges, row.size - step)
    means: Floats = (sums[edges + step] - sums[edges]) / step
    return means


def _autocorrelation(row: Floats, slowest: int) -> Floats:
    """Return how alike a row is to itself up to two of the slowest breaths later; 0 of nothing.

    What is slower than a breath is taken out first.
    """
    window = np.hanning(min(slowest | 1, max(3, (row.size - 1) | 1)))
    padded = np.pad(row, window.size // 2, mode="reflect")
    wave = row - np.convolve(padded, window / window.sum(), mode="valid")[: row.size]
    wave = np.convolve(wave, [0.25, 0.5, 0.25], mode="same")
    wave = wave - wave.mean()
    power = float(wave @ wave)
    longest = min(2 * slowest + 2, 2 * row.size // 3)
    if not power > 0:
        return np.zeros(longest + 1)
    lags = np.arange(longest + 1)
    alike = np.array([wave[: wave.size - lag] @ wave[lag:] for lag in lags.tolist()])
    return np.asarray(alike / power * wave.size / (wave.size - lags))


def _breath(alike: Floats, fastest: int, slowest: int, share: float) -> int | None:
    """Return the first peak that is nearly as high as the highest; None where there is none."""
    inner = alike[1:-1]
    at = np.flatnonzero((inner > alike[:-2]) & (inner >= alike[2:])) + 1
    at = at[(at >= fastest) & (at <= slowest)]
    if at.size == 0:
        return None
    high = at[alike[at] >= share * alike[at].max()]
    return int(high[0]) if high.size else None


def _near(alike: Floats, lag: int) -> float:
    """Return the highest value at or beside a lag."""
    return float(alike[lag - 1 : lag + 2].max())


def _quality(alike: Floats, lag: int | None) -> float:
    return 0.0 if lag is None else min(1.0, max(0.0, float(alike[lag])))


def _regular(alike: Floats, lag: int, least: Regularity) -> bool:
    """Say whether one breath is like the last, and like the one before."""
    twice = alike[2 * lag - 2 : 2 * lag + 3]
    return _near(alike, lag) >= least.once and twice.size > 0 and bool(twice.max() >= least.twice)


def _per_min(alike: Floats, lag: int) -> float:
    """Return the rate at a peak, between the lags by a parabola."""
    before, here, after = alike[lag - 1 : lag + 2].tolist()
    bend = before - 2 * here + after
    exact = lag + (0.5 * (before - after) / bend if bend else 0.0)
    return 60.0 * WORKING_HZ / exact
