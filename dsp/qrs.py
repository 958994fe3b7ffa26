"""Where a QRS complex could be: a slope envelope at about 120 Hz, its maxima, their steepness.

Every value here is a function of a finite window of samples, at absolute positions, and is computed
with element-wise operations and short FIR sums alone. So it does not matter in which blocks the
samples came, and no result depends on which matrix kernels a processor has. That is why there is no
running sum and no matrix product in this file.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dsp.arrays import Floats

WORKING_RATE_HZ = 120.0  # twice the upper end of the QRS energy and more; one in k samples is kept
SLOPE_SPAN_S = 0.033  # a third of a narrow QRS: differences over it favour steep parts
CENTRE_HZ = 11.0  # QRS stands out most from all else at 8 to 15 Hz (Thakor et al. 1984)
TAPS = 11  # about 90 ms, the width of a QRS; numpy sums up to 11 taps in plain loops
SMOOTHING_TAPS = 5
MIDDLE = (TAPS + SMOOTHING_TAPS - 2) // 2  # slope sample in the middle of an envelope sample
STRETCH = 8192  # samples computed at a time: what is between input and result stays in the cache
SURROUNDINGS_S = 0.35  # before a candidate, with which it is compared
REFRACTORY_S = 0.25  # two ventricular beats do not follow closer than this (240 a minute)


@dataclass(frozen=True, slots=True)
class Rates:
    """The sampling rate and what follows from it, all in samples."""

    fs: float
    step: int  # input samples per working sample
    lag: int  # input samples of the slope's span
    refractory: int  # working samples
    surroundings: int  # working samples

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
            surroundings=int(SURROUNDINGS_S * rate),
        )

    @property
    def rate(self) -> float:
        """Working samples per second."""
        return self.fs / self.step

    @property
    def reach(self) -> int:
        """Input samples that one envelope sample is made of."""
        return self.step * (TAPS + SMOOTHING_TAPS - 1) + self.lag

    def samples_for(self, places: int) -> int:
        """Return how many input samples make this many envelope samples."""
        return (places - 1) * self.step + self.reach

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
    """Return the slope envelope of one lead and, in row 1, how fast the slope itself changes.

    There are `(n - reach) // step + 1` columns, none if the lead is too short. All starts from
    differences, so an offset that adds without rounding changes nothing at all.
    """
    one: Floats = envelopes(ecg[np.newaxis], rates)[0]
    return one


def envelopes(leads: Floats, rates: Rates) -> Floats:
    """Return `envelope` of each lead, (leads, 2, n)."""
    n = max(0, (leads.shape[1] - rates.reach) // rates.step + 1)
    waves = np.empty((len(leads), 2, n))
    stretch = max(1, STRETCH // len(leads))
    for at in range(0, n, stretch):
        end = min(n, at + stretch)
        _stretch(leads[:, at * rates.step :], rates, waves[:, :, at:end])
    return waves


def _stretch(leads: Floats, rates: Rates, out: Floats) -> None:
    """Write as many columns of the envelope and the bend as `out` has, for all leads in one go."""
    n = out.shape[2]
    step, kept = rates.step, n + TAPS + SMOOTHING_TAPS - 2
    rise = leads[:, rates.lag : rates.lag + kept * step] - leads[:, : kept * step]
    slope = rise[:, ::step].copy()
    for phase in range(1, step):
        slope += rise[:, phase::step]
    even, odd, smooth = _taps(rates.rate)
    in_phase, quadrature = _filtered(slope, even), _filtered(slope, odd)
    np.multiply(in_phase, in_phase, out=in_phase)
    np.multiply(quadrature, quadrature, out=quadrature)
    in_phase += quadrature
    out[:, 0] = _filtered(np.sqrt(in_phase, out=in_phase), smooth)[:, TAPS + SMOOTHING_TAPS - 2 :]
    bend = slope[:, MIDDLE + 1 : MIDDLE + 1 + n] - slope[:, MIDDLE - 1 : MIDDLE - 1 + n]
    np.abs(bend, out=out[:, 1])


def _filtered(rows: Floats, taps: Floats) -> Floats:
    """Return each row's FIR sums at their last sample; the first `taps.size - 1` mean nothing.

    The rows are filtered as one, end to end: small blocks of many leads cost one call.
    """
    summed = np.convolve(rows.ravel(), taps)
    return summed[: rows.size].reshape(rows.shape)
