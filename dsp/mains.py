"""Mains in an ECG: whether it is there, and taking it out without ringing at the QRS complexes.

A notch answers the steep flank of a QRS complex with an oscillation of its own, the longer the
narrower it is. So here nothing is filtered: the amplitude and phase of the mains are measured where
the signal is calm, carried across the QRS complexes, and the sine is subtracted.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import oaconvolve

from dsp.arrays import Floats, checked_leads, checked_rate

CANDIDATES_HZ = (50.0, 60.0)
NEAR_HZ = 0.6  # what a network's frequency and a converter's clock are off by, with the bin width
AROUND_HZ = 6.0
LEAST_RATIO = 20.0  # of the peak's power to the median of what surrounds it
SHORTEST_S = 2.0
WINDOW_S = 2.0  # over which amplitude and phase are taken as steady
CALM_FACTOR = 3.0  # of the usual slope; steeper is a QRS complex
MARGIN_S = 0.03


def detect_mains(ecg: ArrayLike, fs: float) -> float | None:
    """Return 50.0 or 60.0 where that mains frequency stands out in any lead, else None.

    Parameters
    ----------
    ecg
        (n,) or (leads, n), real numbers; NaN, infinity or beyond 1e100 is a gap.
    fs
        Sampling rate in Hz, 100 to 2000.

    Returns
    -------
    float or None
        The stronger one of both. None under 2 s, and where it lies at or above half of `fs`.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, or a rate out of range.
    """
    rate = checked_rate(fs)
    leads = checked_leads(ecg)
    if leads.shape[1] < SHORTEST_S * rate:
        return None
    with np.errstate(all="ignore"):
        gaps = np.isnan(leads)
        count = np.maximum(1, (~gaps).sum(axis=1))
        middle = (np.where(gaps, 0.0, leads) / count[:, np.newaxis]).sum(axis=1)
        filled = np.where(gaps, middle[:, np.newaxis], leads)
        span = np.ptp(filled, axis=1)
        filled = (filled - middle[:, np.newaxis]) / np.where(span > 0, span, 1.0)[:, np.newaxis]
        spectrum = np.fft.rfft(filled * np.hanning(leads.shape[1]), axis=1)
        power = np.square(np.abs(spectrum)).astype(np.float64)
    hertz = np.fft.rfftfreq(leads.shape[1], 1 / rate).astype(np.float64)
    ratios = [_ratio(power, hertz, mains) for mains in CANDIDATES_HZ]
    best = int(np.argmax(ratios))
    return CANDIDATES_HZ[best] if ratios[best] > LEAST_RATIO else None


def _ratio(power: Floats, hertz: Floats, mains: float) -> float:
    """Return by how much a frequency stands out from those around it, in the lead where most."""
    near = np.abs(hertz - mains) <= NEAR_HZ
    around = (np.abs(hertz - mains) <= AROUND_HZ) & (np.abs(hertz - mains) > 2 * NEAR_HZ)
    if mains + NEAR_HZ >= hertz[-1] or not (near.any() and around.any()):
        return 0.0
    level = np.median(power[:, around], axis=1)
    # What is less than a part in 10^12 of a lead is its arithmetic, not its mains.
    level = np.maximum(level, 1e-12 * power.max(axis=1, initial=0.0))
    peak = power[:, near].max(axis=1)
    return float(np.max(np.where(level > 0, peak / np.where(level > 0, level, 1.0), 0.0)))


def without_mains(leads: Floats, fs: float, mains_hz: float) -> Floats:
    """Return the leads (..., n), which have no gaps, less their mains; its phase may wander slowly.

    Within a QRS complex nothing changes but by the sine that was there before and after it.
    """
    period = fs / mains_hz
    width = round(period) | 1
    calm = uniform_filter1d(leads, width, axis=-1, mode="nearest")
    slope = np.abs(np.gradient(calm, axis=-1)) if leads.shape[-1] > 1 else np.zeros_like(leads)
    limit = CALM_FACTOR * np.median(slope, axis=-1, keepdims=True)
    margin = 2 * round(MARGIN_S * fs) + 1
    steep = maximum_filter1d(slope, margin, axis=-1, mode="nearest") > limit
    weight = np.where(steep, 1e-3, 1.0)
    turn = np.exp(-2j * np.pi * mains_hz / fs * np.arange(leads.shape[-1]))
    window = np.hanning(max(3, round(WINDOW_S * fs) | 1))
    window = np.atleast_2d(window) if leads.ndim > 1 else window
    # Against the mean over a period: what is slower than mains must not count as mains.
    amplitude = oaconvolve(weight * (leads - calm) * turn, window, mode="same", axes=-1)
    total = oaconvolve(weight, window, mode="same", axes=-1)
    sine: NDArray[np.complex128] = amplitude / np.maximum(total, 1e-9) * np.conj(turn)
    # The mean over a whole, odd number of samples leaves a share of the mains in, or turns it over.
    share = np.sin(np.pi * width / period) / (width * np.sin(np.pi / period))
    return np.asarray(np.subtract(leads, 2 * sine.real / (1 - share)))
