"""Filters for samples as they come: what is out is final, at the price of a delay.

A causal filter delays slow and fast parts differently. A first-order high-pass of 0.05 Hz, which
AHA/ACC/HRS 2007 asks of filters with such a phase, leaves ST where it is; one of 0.5 Hz does not.
For anything but a moving picture take `clean_ecg`.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi, sosfreqz, tf2sos

from dsp.arrays import Floats, checked_leads, checked_rate
from dsp.filters import Preset

NOTCH_WIDTH_HZ = 2.0  # mains keeps within 1 Hz; a narrower notch rings longer around a QRS
# As in `clean_ecg`, but the high-pass corner that is right for a filter with a phase.
PASS_BANDS_HZ = {
    Preset.DIAGNOSTIC: (0.05, 150.0),
    Preset.MONITOR: (0.5, 40.0),
    Preset.ST: (0.05, 150.0),
}


class EcgFilterStream:
    """Filter an ECG as it comes: whatever the blocks, the samples out are the same.

    First-order Butterworth high-pass, second-order low-pass, a notch 2 Hz wide where mains is
    named; a low-pass or notch at or above half the rate is left out, as the samples hold no more
    than that. A gap (NaN) stays one; after it the filter starts anew from the level it finds, so
    that there is no transient of the offset. `delay_s` says what each frequency is delayed by.

    Parameters
    ----------
    fs
        Sampling rate in Hz, 100 to 2000.
    leads
        Number of leads, at least one.
    preset
        ``"diagnostic"`` (0.05 to 150 Hz), ``"monitor"`` (0.5 to 40 Hz) or ``"st"`` (as diagnostic).
    mains_hz
        50 or 60 (40 to 70) for a notch there, None for none.
    """

    def __init__(
        self, fs: float, leads: int = 1, preset: str = "monitor", *, mains_hz: float | None = None
    ) -> None:
        rate = checked_rate(fs)
        if leads < 1:
            raise ValueError(f"leads: {leads}; give at least one")
        if preset not in list(Preset):
            raise ValueError(f"preset: {preset!r}; give one of {', '.join(Preset)}")
        high, low = PASS_BANDS_HZ[Preset(preset)]
        parts = [butter(1, high, "high", fs=rate, output="sos")]
        if low < rate / 2:
            parts.append(butter(2, low, "low", fs=rate, output="sos"))
        if mains_hz is not None:
            if not 40 <= mains_hz <= 70:
                raise ValueError(f"mains_hz: {mains_hz}; give 50, 60 or None")
            if mains_hz < rate / 2:
                parts.append(tf2sos(*iirnotch(mains_hz, mains_hz / NOTCH_WIDTH_HZ, fs=rate)))
        self._rate = rate
        self._sections: Floats = np.concatenate(parts)
        self._rest = sosfilt_zi(self._sections)
        self._state = np.zeros((len(self._sections), leads, 2))
        self._running = np.zeros(leads, dtype=bool)

    def push(self, block: ArrayLike) -> Floats:
        """Take the next samples, (n,) for one lead or (leads, n); return as many, filtered.

        Raises ValueError for another shape or a dtype that is not real numbers.
        """
        fresh = checked_leads(block)
        if len(fresh) != len(self._running):
            raise ValueError(f"ecg: {len(fresh)} leads in a stream of {len(self._running)}")
        out = np.full(fresh.shape, np.nan)
        with np.errstate(all="ignore"):
            for at, lead in enumerate(fresh):
                there = np.concatenate([[False], np.isfinite(lead), [False]])
                edges = np.flatnonzero(there[1:] != there[:-1])
                for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
                    if begin > 0 or not self._running[at]:
                        self._state[:, at] = self._rest * lead[begin]
                    out[at, begin:end], self._state[:, at] = sosfilt(
                        self._sections, lead[begin:end], zi=self._state[:, at]
                    )
                if lead.size:
                    self._running[at] = bool(there[-2])
        return out if np.ndim(block) == 2 else out[0]

    def delay_s(self, hertz: float) -> float:
        """Return by how many seconds a sine of this frequency comes out later (negative: earlier).

        ValueError unless it lies above 0 and below half the sampling rate.
        """
        if not 0 < hertz < self._rate / 2:
            raise ValueError(f"hertz: {hertz}; give more than 0 and under {self._rate / 2}")
        _, response = sosfreqz(self._sections, worN=[hertz], fs=self._rate)
        return -math.atan2(response[0].imag, response[0].real) / (2 * math.pi * hertz)
