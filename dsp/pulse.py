"""Pulse waves of an oximeter: where each beat arrives, and the pulse rate they give.

A pulse is the steepest rise within its beat; its foot and crest move with breathing and with the
cuff, the rise does not. Rises are counted where they reach a share of what rises usually reach, so
neither gain nor the dicrotic wave, whose rise is smaller, plays a part.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.ndimage import maximum_filter1d

from dsp.arrays import LARGEST, Floats, Places
from dsp.beats import HeartRate, heart_rate

LOWEST_FS, HIGHEST_FS = 25.0, 500.0
SHORTEST_S = 2.0
WORKING_HZ = 50.0  # a pulse wave holds nothing above 15 Hz
SMOOTHING_S = 0.12
REFRACTORY_S = 0.27  # 220 a minute
USUAL_S = 3.0  # the highest rise within it is a pulse at any rate above 20 a minute
RISE_SHARE = 0.5
CREST_S = 0.35  # from the steepest rise to the crest
AGREE_SHARE, AGREE_PER_MIN = 0.10, 5.0


@dataclass(frozen=True, slots=True)
class RateAgreement:
    """Whether our rate and the instrument's are the same, to 10 % or 5 a minute; None: unknown."""

    agrees: bool | None
    ours: HeartRate


def pulse_peaks(pleth: ArrayLike, fs: float) -> Places:
    """Find the crests of the pulse waves of a plethysmogram.

    Unit, offset and gain do not matter; the wave must be upright (crest at systole), as oximeters
    give it. Not for a signal that the instrument has scaled to full range beat by beat.

    Parameters
    ----------
    pleth
        (n,) real numbers; NaN, infinity or beyond 1e100 is a gap.
    fs
        Sampling rate in Hz, 25 to 500.

    Returns
    -------
    Places
        Sample indices (intp), strictly increasing, at least 0.25 s apart. Empty when flat, all gaps
        or under 2 s.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, or a rate out of range.
    """
    rate = checked_slow_rate(fs)
    wave = checked_row(pleth, "pleth")
    gaps = np.isnan(wave)
    if wave.size < SHORTEST_S * rate or gaps.all():
        return np.empty(0, dtype=np.intp)
    with np.errstate(all="ignore"):
        there = np.flatnonzero(~gaps)
        filled = np.interp(np.arange(wave.size), there, wave[there]) - wave[there[0]]
        if not np.ptp(filled) > 0:
            return np.empty(0, dtype=np.intp)
        filled = filled / np.ptp(filled)
        rises = _rises(filled, rate)
    reach = round(CREST_S * rate)
    ends = np.minimum(rises + reach, np.append(rises[1:], wave.size))
    crests = [
        at + int(np.argmax(filled[at:end]))
        for at, end in zip(rises.tolist(), ends.tolist(), strict=True)
    ]
    found = np.unique(np.array(crests, dtype=np.intp))
    near = np.array([gaps[max(0, at - 2) : at + 3].any() for at in found.tolist()], dtype=bool)
    found = found[~near]
    apart = np.diff(found, prepend=-rate) >= 0.25 * rate
    return np.asarray(found[apart], dtype=np.intp)


def pulse_agreement(pleth: ArrayLike, fs: float, instrument_per_min: float | None) -> RateAgreement:
    """Compare the rate of the pulse waves with the one that the instrument says.

    Instruments count over some beats or seconds; in an irregular rhythm that is not the median that
    `heart_rate` gives. The instrument is right when either the median or the mean is near.

    Parameters
    ----------
    pleth, fs
        As for `pulse_peaks`; best the 10 to 20 s before the value.
    instrument_per_min
        What the instrument says, None where it says nothing.

    Returns
    -------
    RateAgreement
        `agrees` is None where either of both has no rate.

    Raises
    ------
    ValueError
        As `pulse_peaks`, and for an instrument's rate that is no number.
    """
    if instrument_per_min is not None:
        try:
            instrument_per_min = float(instrument_per_min)
        except (TypeError, ValueError) as wrong:
            raise ValueError(f"instrument_per_min: {instrument_per_min!r} is no rate") from wrong
    peaks = pulse_peaks(pleth, fs)
    ours = heart_rate(peaks, fs)
    if ours.per_min is None or instrument_per_min is None or not np.isfinite(instrument_per_min):
        return RateAgreement(None, ours)
    allowed = max(AGREE_PER_MIN, AGREE_SHARE * instrument_per_min)
    mean = 60.0 * fs * (peaks.size - 1) / float(peaks[-1] - peaks[0])
    away = min(abs(rate - instrument_per_min) for rate in (ours.per_min, mean))
    return RateAgreement(away <= allowed, ours)


def _rises(wave: Floats, fs: float) -> Places:
    """Return the samples of the steepest rise of each pulse."""
    width = max(1, round(SMOOTHING_S * fs)) | 1
    window = np.hanning(width + 2)[1:-1]
    smooth = np.convolve(np.pad(wave, width // 2, mode="edge"), window / window.sum(), "valid")
    rise = np.maximum(np.gradient(smooth), 0.0)
    highest = maximum_filter1d(rise, 2 * int(REFRACTORY_S * fs) + 1, mode="nearest")
    size = max(1, round(USUAL_S * fs))
    blocks = [rise[at : at + size].max() for at in range(0, rise.size, size)]
    last = len(blocks) - 1
    # The middle one of three: an artefact is in one, a weak stretch does not hide the next.
    usual = [np.median(blocks[max(0, at - 1) : at + 2]) for at in range(last + 1)]
    limit = RISE_SHARE * np.repeat(usual, size)[: rise.size]
    return np.flatnonzero((rise == highest) & (rise > limit) & (rise > 0))


def checked_slow_rate(fs: float) -> float:
    """Return the sampling rate in Hz; ValueError outside 25 to 500."""
    try:
        rate = float(fs)
    except (TypeError, ValueError) as wrong:
        raise ValueError(f"fs: {fs!r} is not a number of Hz") from wrong
    if not LOWEST_FS <= rate <= HIGHEST_FS:
        raise ValueError(f"fs: {rate} Hz; give {LOWEST_FS:.0f} to {HIGHEST_FS:.0f}")
    return rate


def checked_row(signal: ArrayLike, name: str) -> Floats:
    """Return one row as float64, NaN for what is not usable; ValueError naming the argument."""
    try:
        array = np.asarray(signal)
    except ValueError as ragged:
        raise ValueError(f"{name}: give one row of samples") from ragged
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name}: dtype {array.dtype}; give real numbers")
    if array.ndim != 1:
        raise ValueError(f"{name}: shape {array.shape}; give (n,)")
    with np.errstate(all="ignore"):
        row = array.astype(np.float64)
        return np.where(np.abs(row) < LARGEST, row, np.nan)
