"""Filters that make an ECG fit to be looked at or measured.

preset      passes          meant for
diagnostic  0.67 to 150 Hz  stored 12-lead ECGs. Kligfield et al. 2007 (AHA/ACC/HRS, part I): low
                            limit 0.05 Hz, or up to 0.67 Hz from a filter without phase distortion,
                            which this one is; high limit 150 Hz (children: 250, by `lowpass_hz`)
monitor     0.5 to 40 Hz    the rhythm on a screen; the same paper warns against reading ST or
                            amplitudes from it
st          0.05 to 150 Hz  ST levels: the limit for filters of any phase, kept although this one
                            has none, so that a slow ST shift survives as well

All are zero phase: a second-order Butterworth filter forward and backward for each corner, designed
so that the corner is 3 dB down in the end. They need the future and so have no streaming twin;
`dsp.stream` has filters that do not.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import butter, sosfiltfilt

from dsp.arrays import Floats, checked_leads, checked_rate
from dsp.mains import without_mains

ORDER = 2


class Preset(StrEnum):
    """Named pass bands."""

    DIAGNOSTIC = "diagnostic"
    MONITOR = "monitor"
    ST = "st"


PASS_BANDS_HZ = {
    Preset.DIAGNOSTIC: (0.67, 150.0),
    Preset.MONITOR: (0.5, 40.0),
    Preset.ST: (0.05, 150.0),
}


def clean_ecg(
    ecg: ArrayLike,
    fs: float,
    preset: str = "diagnostic",
    *,
    highpass_hz: float | None = None,
    lowpass_hz: float | None = None,
    mains_hz: float | None = None,
) -> Floats:
    """Filter an ECG without shifting anything in time.

    Parameters
    ----------
    ecg
        (n,) or (leads, n), real numbers in any unit. NaN, infinity or beyond 1e100 is a gap.
    fs
        Sampling rate in Hz, 100 to 2000.
    preset
        ``"diagnostic"``, ``"monitor"`` or ``"st"``; see the module for what each follows.
    highpass_hz, lowpass_hz
        Corners (3 dB down) in place of the preset's; 0 for no high-pass. A low-pass corner at or
        above half the sampling rate changes nothing: the samples hold no more than that.
    mains_hz
        50 or 60 (40 to 70; `detect_mains` tells) to take mains out, None to leave it: its sine is
        measured between the QRS complexes and subtracted, so that nothing rings at them. Left out
        where it lies at or above half the sampling rate.

    Returns
    -------
    array
        float64, shaped as given, in the same unit. Gaps stay gaps: each stretch between them is
        filtered for itself, mirrored at its ends so that a strip of 10 s keeps its first and last
        beat. With a high-pass, the level of a stretch shorter than its time constant is removed.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, a rate or corner out of range, or a
        preset that does not exist.
    """
    rate = checked_rate(fs)
    leads = checked_leads(ecg)
    if preset not in list(Preset):
        raise ValueError(f"preset: {preset!r}; give one of {', '.join(Preset)}")
    usual_high, usual_low = PASS_BANDS_HZ[Preset(preset)]
    high = usual_high if highpass_hz is None else float(highpass_hz)
    low = usual_low if lowpass_hz is None else float(lowpass_hz)
    plan = _Plan.of(rate, high, low, _audible(rate, mains_hz))
    if plan.changes and leads.size:
        gaps = np.isnan(leads)
        if gaps.any():
            leads = leads.copy()
            for lead, gap in zip(leads, gaps, strict=True):
                _filter_between(lead, gap, plan)
        else:
            leads = plan.filtered(leads)
    cleaned = leads.copy() if np.shares_memory(leads, np.asarray(ecg)) else leads
    return cleaned if np.ndim(ecg) == 2 else cleaned[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is to be done to a stretch without gaps."""

    rate: float
    sections: Floats  # second-order sections of one pass, (k, 6)
    mirror: int  # samples by which each end is continued
    mains: float | None

    @classmethod
    def of(cls, rate: float, high: float, low: float, mains: float | None) -> "_Plan":
        """Design the filters; ValueError for corners out of range."""
        if not 0 <= high < rate / 2:
            raise ValueError(f"highpass_hz: {high} Hz at {rate} samples a second")
        if not low > high:
            raise ValueError(f"lowpass_hz: {low} Hz is not above the high-pass corner, {high} Hz")
        sections = [np.empty((0, 6))]
        if high > 0:
            sections.append(butter(ORDER, _single_pass(high, rate, 1.0), "high", output="sos"))
        if low < rate / 2:
            sections.append(butter(ORDER, _single_pass(low, rate, -1.0), "low", output="sos"))
        # A mirror shorter than the slowest response would leave its transient in the strip.
        mirror = math.ceil(rate / high) if high > 0 else math.ceil(rate)
        return cls(rate, np.concatenate(sections), mirror, mains)

    @property
    def changes(self) -> bool:
        """Whether anything is to be done at all."""
        return self.sections.size > 0 or self.mains is not None

    def filtered(self, stretch: Floats) -> Floats:
        """Return the last axis without mains and filtered both ways, mirrored at its ends."""
        if self.mains is not None:
            stretch = without_mains(stretch, self.rate, self.mains)
        if self.sections.size == 0:
            return stretch
        pad = min(self.mirror, stretch.shape[-1] - 1)
        return np.asarray(sosfiltfilt(self.sections, stretch, axis=-1, padtype="even", padlen=pad))


def _audible(rate: float, mains: float | None) -> float | None:
    """Return the mains frequency if samples at this rate can hold it."""
    if mains is None:
        return None
    if not 40 <= mains <= 70:
        raise ValueError(f"mains_hz: {mains}; give 50, 60 or None")
    return mains if mains < rate / 2 else None


def _single_pass(corner: float, rate: float, sign: float) -> float:
    """Return the corner of one pass, as a share of half the rate, so that two are 3 dB down."""
    shift = (math.sqrt(2) - 1) ** (sign / (2 * ORDER))
    return 2 / math.pi * math.atan(math.tan(math.pi * corner / rate) * shift)


def _filter_between(lead: Floats, gap: NDArray[np.bool_], plan: _Plan) -> None:
    """Filter in place each stretch of one lead that lies between gaps."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], gap, [True]]).astype(np.int8)))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        lead[begin:end] = plan.filtered(lead[begin:end])
