"""How much of a QRS complex there is at each moment: a slope envelope at about 120 Hz.

Every value here is a function of a finite window of samples, at absolute positions, and is computed
with element-wise sums alone. So it does not matter in which blocks the samples came, and no result
depends on which matrix kernels a processor has. That is why there is no running sum, no library's
filter and no matrix product in this file.
"""

from dataclasses import dataclass

import numpy as np

from dsp.arrays import Floats

WORKING_RATE_HZ = 120.0  # twice the upper end of the QRS energy and more; one in k samples is kept
SLOPE_SPAN_S = 0.033  # a third of a narrow QRS: differences over it favour steep parts
# Two differences of boxes of 3 samples that are 33 ms apart again: a quarter of a period from each
# other, largest at 11 to 15 Hz, where QRS stands out most from all else (Thakor et al. 1984), and
# 11 samples long, 90 ms, the width of a QRS. The root of their squares is smoothed by two boxes.
APART = 4
MIDDLE = APART + 3  # slope sample in the middle of an envelope sample
SLOPES = 2 * MIDDLE + 1  # of which an envelope sample is made
STRETCH = 16384  # samples computed at a time: what is between input and result stays in the cache
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
        return self.step * SLOPES + self.lag

    def samples_for(self, places: int) -> int:
        """Return how many input samples make this many envelope samples."""
        return (places - 1) * self.step + self.reach

    def to_input(self, place: int) -> int:
        """Return the input sample in the middle of what this envelope sample is made of."""
        return place * self.step + (self.reach - 1) // 2


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
    step, kept = rates.step, n + SLOPES - 1
    rise = leads[:, rates.lag : rates.lag + kept * step] - leads[:, : kept * step]
    slope = rise[:, ::step] + rise[:, 1::step] if step > 1 else rise
    for phase in range(2, step):
        slope += rise[:, phase::step]
    box = _of_three(slope)
    quadrature = box[:, : -2 * APART] + box[:, 2 * APART :]
    quadrature *= 0.5
    quadrature -= box[:, APART:-APART]
    at = APART // 2
    in_phase = box[:, at + APART : -at] - box[:, at : -at - APART]
    quadrature *= quadrature
    in_phase *= in_phase
    in_phase += quadrature
    length = np.sqrt(in_phase, out=in_phase)
    length = _of_three(length)
    np.add(length[:, :-2], length[:, 1:-1], out=out[:, 0])
    out[:, 0] += length[:, 2:]
    bend = slope[:, MIDDLE + 1 : MIDDLE + 1 + n] - slope[:, MIDDLE - 1 : MIDDLE - 1 + n]
    np.abs(bend, out=out[:, 1])


def _of_three(rows: Floats) -> Floats:
    """Return the sums of three samples in a row."""
    sums = rows[:, :-2] + rows[:, 1:-1]
    sums += rows[:, 2:]
    return sums
