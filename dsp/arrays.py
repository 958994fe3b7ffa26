"""What every function here accepts as an ECG, and how it says no."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

LOWEST_FS, HIGHEST_FS = 100.0, 2000.0  # below, a QRS is a few samples; above, nothing records
FEW = 64  # windows: for fewer a view of all of them is not worth the making
LARGEST = 1e100  # what is larger is no ECG in any unit, and would overflow


def checked_rate(fs: float) -> float:
    """Return the sampling rate in Hz; ValueError outside `LOWEST_FS` to `HIGHEST_FS`."""
    try:
        rate = float(fs)
    except (TypeError, ValueError) as wrong:
        raise ValueError(f"fs: {fs!r} is not a number of Hz") from wrong
    if not LOWEST_FS <= rate <= HIGHEST_FS:
        raise ValueError(f"fs: {rate} Hz; give {LOWEST_FS:.0f} to {HIGHEST_FS:.0f}")
    return rate


def checked_leads(ecg: ArrayLike) -> Floats:
    """Return float64 shaped (leads, n), NaN for all that is not a usable number.

    Not to be written to: it is the caller's own array where that needs no change.

    ValueError for any shape but (n,) and (leads, n), and for a dtype that is not real numbers.
    """
    try:
        array = np.asarray(ecg)
    except ValueError as ragged:
        raise ValueError("ecg: rows of different lengths; give (n,) or (leads, n)") from ragged
    if array.dtype.kind not in "iuf":
        raise ValueError(f"ecg: dtype {array.dtype}; give real numbers")
    if array.ndim not in {1, 2} or (array.ndim == 2 and array.shape[0] == 0):
        raise ValueError(f"ecg: shape {array.shape}; give (n,) or (leads, n)")
    leads = array if array.ndim == 2 else array[np.newaxis]
    if leads.dtype != np.float64:
        with np.errstate(all="ignore"):
            leads = leads.astype(np.float64)
    if leads.size == 0 or (leads.min() > -LARGEST and leads.max() < LARGEST):
        return leads
    return np.where(np.abs(leads) < LARGEST, leads, np.nan)


def checked_peaks(r_peaks: ArrayLike, samples: int) -> Places:
    """Return indices as intp; ValueError unless they are one increasing row within the samples."""
    try:
        peaks = np.asarray(r_peaks)
    except ValueError as ragged:
        raise ValueError("r_peaks: give one row of sample indices") from ragged
    if peaks.size == 0 and peaks.ndim <= 1:
        return np.empty(0, dtype=np.intp)
    if peaks.ndim != 1 or peaks.dtype.kind not in "iuf":
        raise ValueError("r_peaks: give one row of sample indices")
    if peaks.dtype.kind == "f" and not (np.isfinite(peaks) & (peaks == np.floor(peaks))).all():
        raise ValueError("r_peaks: give whole numbers, indices of samples")
    if not (peaks[0] >= 0 and peaks[-1] < samples and (peaks[1:] > peaks[:-1]).all()):
        raise ValueError(f"r_peaks: give strictly increasing indices below {samples}")
    return peaks.astype(np.intp)


def windows_at(samples: Floats, begins: Places, width: int) -> Floats:
    """Return a copy of the `width` samples from each of these places on, (places, width)."""
    if begins.size < FEW:
        few: Floats = samples[begins[:, np.newaxis] + np.arange(width)]
        return few
    # A view of every window there is; `sliding_window_view` does the same, more slowly.
    row = np.ascontiguousarray(samples)
    step = row.itemsize
    every: Floats = np.ndarray((row.size - width + 1, width), row.dtype, row, 0, (step, step))
    many: Floats = every[begins]
    return many
