"""Respiration rate from chest impedance, or from what breathing does to a pulse wave or an ECG.

Breathing shows in a pleth and in an ECG three times over: beats grow and shrink, their level moves,
and they come sooner while breathing in. Each is a row of values at the beats, brought to 4 Hz; each
gives a rate, or none. They are fused only where they agree, as Karlen et al. 2013 do; else there is
no result. A rate of one row is the first high peak of its autocorrelation: breaths need not be sine
waves, but each must be like the last.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from dsp.arrays import Floats, Places, checked_rate
from dsp.pulse import checked_row, checked_slow_rate, pulse_peaks
from dsp.rpeaks import find_r_peaks

WORKING_HZ = 4.0
SHORTEST_S = 20.0
SLOWEST_PER_MIN, FASTEST_PER_MIN = 4.0, 60.0
# Slower than this the beats' modulation is that of blood pressure (0.1 Hz), not of breathing.
SLOWEST_OF_BEATS_PER_MIN = 8.0
MOST_GAP = 0.2
LEAST_REGULARITY = 0.5  # of the autocorrelation at one breath
LEAST_SECOND = 0.4  # at two breaths: a slow random walk repeats once by chance, hardly twice
FIRST_SHARE = 0.7  # a peak of the autocorrelation so near to the best is one breath, not two
MOST_APART_PER_MIN = 4.0  # standard deviation of what is fused (Karlen et al. 2013)
LEAST_BEATS = 12


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
        (n,) real numbers, best 30 to 60 s; NaN, infinity or beyond 1e100 is a gap.
    fs
        Sampling rate in Hz: 25 to 500, for an ECG 100 to 2000.
    source
        ``"impedance"`` (or any signal that goes up and down with each breath), ``"pleth"`` or
        ``"ecg"``.

    Returns
    -------
    RespirationRate
        From 4 to 60 a minute. None when under 20 s are given, a fifth is missing, breaths are not
        alike, or what amplitude, level and rhythm of the beats say differs by more than 4 a minute.

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
            return _single(_slowed(row, rate))
        if source == Source.PLETH:
            return _fused(_modulations(row, pulse_peaks(row, rate), rate, 0.35))
        return _fused(_modulations(row, find_r_peaks(row, rate), rate, 0.06))


def _modulations(row: Floats, peaks: Places, fs: float, reach_s: float) -> list[Floats]:
    """Return amplitude, level and interval of the beats at 4 Hz; none with too few beats."""
    reach = round(reach_s * fs)
    peaks = peaks[(peaks >= reach) & (peaks < row.size - reach)]
    if peaks.size < LEAST_BEATS:
        return []
    around = row[peaks[:, np.newaxis] + np.arange(-reach, 1)]
    foot, crest = around.min(axis=1), row[peaks]
    interval = np.diff(peaks) / fs
    seconds = np.arange(peaks[1] / fs, peaks[-1] / fs, 1 / WORKING_HZ)
    rows = (crest[1:] - foot[1:], (crest[1:] + foot[1:]) / 2, interval)
    return [np.interp(seconds, peaks[1:] / fs, _without_outliers(one)) for one in rows]


def _without_outliers(values: Floats) -> Floats:
    """Return the values, those beyond four scatters drawn in: an ectopic beat is no breath."""
    middle = np.median(values)
    scatter = 4 * 1.4826 * np.median(np.abs(values - middle))
    return np.clip(values, middle - scatter, middle + scatter)


def _slowed(row: Floats, fs: float) -> Floats:
    """Return means over a quarter of a second."""
    step = max(1, round(fs / WORKING_HZ))
    edges = (np.arange(int(row.size * WORKING_HZ / fs) + 1) * fs / WORKING_HZ).astype(np.intp)
    sums = np.concatenate([[0.0], np.cumsum(row)])
    edges = np.minimum(edges, row.size - step)
    means: Floats = (sums[edges + step] - sums[edges]) / step
    return means


def _single(row: Floats) -> RespirationRate:
    """Return the rate of one row at 4 Hz."""
    per_min, quality = _periodicity(row)
    if per_min is None:
        return RespirationRate(None, quality, NoRespiration.IRREGULAR)
    return RespirationRate(per_min, quality)


def _fused(rows: list[Floats]) -> RespirationRate:
    """Return the rate that the rows agree on."""
    if not rows:
        return RespirationRate(None, 0.0, NoRespiration.TOO_FEW_BEATS)
    found = [
        (rate, quality)
        for rate, quality in (_periodicity(row, SLOWEST_OF_BEATS_PER_MIN) for row in rows)
        if rate is not None
    ]
    if len(found) < 2:
        best = max((quality for _, quality in found), default=0.0)
        return RespirationRate(None, best, NoRespiration.IRREGULAR)
    rates, qualities = np.array(found).T
    if rates.std() > MOST_APART_PER_MIN:
        return RespirationRate(None, float(qualities.mean()), NoRespiration.DISAGREEMENT)
    return RespirationRate(float(np.average(rates, weights=qualities)), float(qualities.mean()))


def _periodicity(row: Floats, slowest: float = SLOWEST_PER_MIN) -> tuple[float | None, float]:
    """Return breaths a minute and how alike they are, from a row at 4 Hz."""
    slow = round(WORKING_HZ * 60 / slowest)
    window = np.hanning(slow | 1)
    if row.size <= window.size:
        window = np.hanning(max(3, (row.size - 1) | 1))
    padded = np.pad(row, window.size // 2, mode="reflect")
    wave = row - np.convolve(padded, window / window.sum(), mode="valid")[: row.size]
    wave = np.convolve(wave, [0.25, 0.5, 0.25], mode="same")
    wave = wave - wave.mean()
    power = float(wave @ wave)
    if not power > 0:
        return None, 0.0
    longest = min(2 * slow + 2, 2 * row.size // 3)
    lags = np.arange(longest + 1)
    alike = np.array([wave[: wave.size - lag] @ wave[lag:] for lag in lags.tolist()])
    alike = alike / power * wave.size / (wave.size - lags)
    first = int(WORKING_HZ * 60 / FASTEST_PER_MIN)
    inner = alike[1:-1]
    at = np.flatnonzero((inner > alike[:-2]) & (inner >= alike[2:])) + 1
    at = at[(at >= first) & (at <= slow)]
    if at.size == 0:
        return None, 0.0
    best = float(alike[at].max())
    quality = min(1.0, max(0.0, best))
    if best < LEAST_REGULARITY:
        return None, quality
    lag = int(at[alike[at] >= FIRST_SHARE * best][0])
    second = alike[2 * lag - 2 : 2 * lag + 3]
    if second.size == 0 or second.max() < LEAST_SECOND:
        return None, quality
    before, here, after = alike[lag - 1 : lag + 2].tolist()
    bend = before - 2 * here + after
    exact = lag + (0.5 * (before - after) / bend if bend else 0.0)
    return 60.0 * WORKING_HZ / exact, quality
