"""Heart rate from beats, or the reason why there is none."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

LEAST_INTERVALS = 3
LONGEST_RR_S = 3.0  # 20 a minute; a longer pause in a list of beats is a stretch without detection


class NoRate(StrEnum):
    """Why there is no heart rate."""

    TOO_FEW_BEATS = "too-few-beats"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class HeartRate:
    """A rate exactly when `reason` is None, from the median of so many RR `intervals`."""

    per_min: float | None
    intervals: int
    reason: NoRate | None = None


def heart_rate(r_peaks: ArrayLike, fs: float) -> HeartRate:
    """Return the ventricular rate, 60 s over the median RR interval.

    The median is not moved by a single ectopic beat and its pause; in atrial fibrillation it is the
    usual interval of the strip, which is not the number of beats over its length.

    Parameters
    ----------
    r_peaks
        Sample indices, strictly increasing, as of `find_r_peaks`.
    fs
        Sampling rate in Hz.

    Returns
    -------
    HeartRate
        Without a value when there are fewer than three intervals, or when one is longer than 3 s:
        then beats were not seen, and the intervals on both sides may be from other rhythms.

    Raises
    ------
    ValueError
        When `fs` is not positive, or the indices are not one row of increasing numbers.

    Examples
    --------
    >>> heart_rate([100, 600, 1100, 1600], fs=500.0)
    HeartRate(per_min=60.0, intervals=3, reason=None)
    """
    peaks = np.asarray(r_peaks, dtype=np.float64)
    if not (np.isfinite(fs) and fs > 0):
        raise ValueError(f"fs: {fs} Hz; give a positive rate")
    if peaks.ndim != 1 or not (np.diff(peaks) > 0).all():
        raise ValueError("r_peaks: give one row of strictly increasing sample indices")
    intervals = np.diff(peaks) / fs
    if intervals.size < LEAST_INTERVALS:
        return HeartRate(None, intervals.size, NoRate.TOO_FEW_BEATS)
    if intervals.max() > LONGEST_RR_S:
        return HeartRate(None, intervals.size, NoRate.GAP)
    return HeartRate(60.0 / float(np.median(intervals)), intervals.size)
