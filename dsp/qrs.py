"""Where a QRS complex could be: a slope envelope at about 120 Hz and its maxima.

Every value here is a function of a finite window of samples, at absolute positions, and is computed
with element-wise operations and short FIR sums alone. So it does not matter in which blocks the
samples came, and no result depends on which matrix kernels a processor has. That is why there is no
running sum and no matrix product in this file.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dsp.arrays import Floats, Places

WORKING_RATE_HZ = 120.0  # twice the upper end of the QRS energy and more; one in k samples is kept
SLOPE_SPAN_S = 0.025  # a quarter of a narrow QRS: differences over it favour steep parts
CENTRE_HZ = 11.0  # QRS stands out most from all else at 8 to 15 Hz (Thakor et al. 1984)
TAPS = 11  # about 90 ms, the width of a QRS; numpy sums up to 11 taps in plain loops
SMOOTHING_TAPS = 5
STRETCH = 8192  # samples computed at a time: what is between input and result stays in the cache
REFRACTORY_S = 0.25  # two ventricular beats do not follow closer than this (240 a minute)


@dataclass(frozen=True, slots=True)
class Rates:
    """The sampling rate and what follows from it, all in samples."""

    fs: float
    step: int  # input samples per working sample
    lag: int  # input samples of the slope's span
    refractory: int  # working samples

    @classmethod
    def of(cls, fs: float) -> "Rates":
        """Choose the working rate nearest to `WORKING_RATE_HZ` that keeps one in `step` samples."""
        step = max(1, round(fs / WORKING_RATE_HZ))
        rate = fs / step
        return cls(
            fs=fs,
            step=step,
            lag=max(1, round(SLOPE_SPAN_S * rate)) * step,
            refractory=int(REFRACTORY_S * rate),
        )

    @property
    def rate(self) -> float:
        """Working samples per second."""
        return self.fs / self.step

    @property
    def reach(self) -> int:
        """Input samples that one envelope sample is made of."""
        return self.step * (TAPS + SMOOTHING_TAPS - 1) + self.lag

    def to_input(self, place: int) -> int:
        """Return the input sample in the middle of what this envelope sample is made of."""
        return place * self.step + (self.reach - 1) // 2


@lru_cache(maxsize=8)
def _taps(rate: float) -> tuple[Floats, Floats, Floats]:
    """Return a pair of band-passes in quadrature, of one gain at their centre, and a smoother."""
    at = np.arange(TAPS) - (TAPS - 1) / 2
    window = np.hanning(TAPS + 2)[1:-1]
    even = window * np.cos(2 * np.pi * CENTRE_HZ / rate * at)
    even -= window * (even.sum() / window.sum())
    odd = window * np.sin(2 * np.pi * CENTRE_HZ / rate * at)
    smooth = np.hanning(SMOOTHING_TAPS + 2)[1:-1]
    turn = np.exp(-2j * np.pi * CENTRE_HZ / rate * at)
    even /= abs(complex((even * turn).sum()))
    odd /= abs(complex((odd * turn).sum()))
    return even, odd, smooth / smooth.sum()


def envelope(ecg: Floats, rates: Rates) -> Floats:
    """Return the slope envelope of one lead, `(n - reach) // step + 1` samples, none if too short.

    It starts from differences, so an offset that adds without rounding changes nothing at all.
    """
    n = (ecg.size - rates.reach) // rates.step + 1
    if n <= STRETCH:
        return _stretch(ecg, rates, n) if n > 0 else np.empty(0)
    wave = np.empty(n)
    for at in range(0, n, STRETCH):
        end = min(n, at + STRETCH)
        wave[at:end] = _stretch(ecg[at * rates.step :], rates, end - at)
    return wave


def _stretch(ecg: Floats, rates: Rates, n: int) -> Floats:
    """Return the first `n` samples of the envelope."""
    step, kept = rates.step, n + TAPS + SMOOTHING_TAPS - 2
    rise = ecg[rates.lag : rates.lag + kept * step] - ecg[: kept * step]
    slope = rise[::step].copy()
    for phase in range(1, step):
        slope += rise[phase::step]
    even, odd, smooth = _taps(rates.rate)
    in_phase = np.convolve(slope, even, mode="valid")
    quadrature = np.convolve(slope, odd, mode="valid")
    np.multiply(in_phase, in_phase, out=in_phase)
    np.multiply(quadrature, quadrature, out=quadrature)
    in_phase += quadrature
    return np.convolve(np.sqrt(in_phase, out=in_phase), smooth, mode="valid")


def maxima(wave: Floats, reach: int) -> Places:
    """Return the places of local maxima that no larger one within `reach` samples outshines."""
    inner = wave[1:-1]
    at = np.flatnonzero((inner > wave[:-2]) & (inner >= wave[2:])) + 1
    height = wave[at]
    stands = np.ones(at.size, dtype=bool)
    for apart in range(1, at.size):
        near = at[apart:] - at[:-apart] <= reach
        if not near.any():
            break
        later_wins = height[apart:] > height[:-apart]
        stands[:-apart] &= ~(near & later_wins)
        stands[apart:] &= ~(near & ~later_wins)
    return at[stands]
