"""Whether a lead can be used, and if not, why: a first, honest set of tests.

Each test has one cause that can be seen in the samples themselves. Levels in microvolts apply only
where the unit is known; all others are ratios.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.arrays import Floats, checked_leads, checked_rate
from dsp.qrs import Rates, envelope
from dsp.qrs_leads import LEAST_CONTRAST
from dsp.qrs_levels import RunningLevels

SHORTEST_S = 1.0
MOST_GAP = 0.2  # share of a strip; beyond it a rhythm cannot be followed
MOST_FLAT = 0.75  # share of samples that repeat the one before for FLAT_RUN_S at least
FLAT_RUN_S = 0.2  # longer than an isoelectric stretch stays on one converter step with any noise
RAIL_SHARE = 0.02  # of the samples at one and the same extreme value
RAIL_RUN = 5  # samples in a row that make a rail rather than a peak
MAINS_SHARE = 0.5  # of the power above 5 Hz that lies within 1 Hz of 50 or 60 Hz
LEAST_QRS_SWING_UV = 50.0  # below it a lead shows no QRS a person would accept


class Flaw(StrEnum):
    """What is wrong with a lead."""

    SHORT = "short"
    GAP = "gap"
    FLAT = "flat"
    SATURATED = "saturated"
    LEAD_OFF = "lead-off"
    MAINS = "mains"
    NOISE = "noise"


# Mains is filtered out of what is shown and lies outside the detector's band: it is said, no more.
DISQUALIFYING = frozenset(Flaw) - {Flaw.MAINS}


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """Whether one lead can be used; `flaws` in the order of `Flaw`, none if nothing was found."""

    usable: bool
    flaws: tuple[Flaw, ...]


def ecg_quality(ecg: ArrayLike, fs: float, *, microvolts: bool = False) -> tuple[LeadQuality, ...]:
    """Judge each lead of a strip.

    Parameters
    ----------
    ecg
        (n,) or (leads, n), real numbers; NaN, infinity or beyond 1e100 is a gap.
    fs
        Sampling rate in Hz, 100 to 2000.
    microvolts
        Whether the samples are microvolts, so that a lead without any visible QRS is told.

    Returns
    -------
    tuple of LeadQuality
        One per lead. `LEAD_OFF` is said where all that a lead has is gaps or the rail, or a swing
        under 50 uV; `NOISE` where the QRS band is as busy between the beats as in them.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, or a rate out of range.
    """
    rate = checked_rate(fs)
    leads = checked_leads(ecg)
    return tuple(_judge(lead, rate, microvolts=microvolts) for lead in leads)


def _judge(lead: Floats, fs: float, *, microvolts: bool) -> LeadQuality:
    """Return what is found in one lead."""
    there = lead[~np.isnan(lead)]
    found: set[Flaw] = set()
    if lead.size < SHORTEST_S * fs:
        found.add(Flaw.SHORT)
    if lead.size and there.size < (1 - MOST_GAP) * lead.size:
        found.add(Flaw.GAP)
    if there.size == 0:
        found.add(Flaw.LEAD_OFF)
    elif there.size >= SHORTEST_S * fs:
        found |= _of_samples(there, fs)
        if not found & {Flaw.FLAT, Flaw.SATURATED}:
            found |= _of_bands(lead, there, fs)
        if microvolts and np.ptp(there) < LEAST_QRS_SWING_UV:
            found.add(Flaw.LEAD_OFF)
    flaws = tuple(flaw for flaw in Flaw if flaw in found)
    return LeadQuality(usable=not found & DISQUALIFYING, flaws=flaws)


def _of_samples(there: Floats, fs: float) -> set[Flaw]:
    """Return what equal neighbouring samples tell: a flat line, or a converter at its rail."""
    found: set[Flaw] = set()
    still = _in_runs(np.diff(there) == 0, round(FLAT_RUN_S * fs))
    if still.mean() > MOST_FLAT:
        found.add(Flaw.FLAT)
    for rail in (there.min(), there.max()):
        # The isoelectric line of a lead with upright waves alone is an extreme as well, not a rail.
        outlying = abs(rail - np.median(there)) > np.ptp(there) / 8
        if outlying and _in_runs(there == rail, RAIL_RUN).mean() > RAIL_SHARE:
            found.add(Flaw.SATURATED)
    if Flaw.SATURATED in found and still.mean() > 1 - RAIL_SHARE:
        found.add(Flaw.LEAD_OFF)
    return found


def _of_bands(lead: Floats, there: Floats, fs: float) -> set[Flaw]:
    """Return what the mains and the QRS band tell."""
    found: set[Flaw] = set()
    power = np.abs(np.fft.rfft((there - there.mean()) * np.hanning(there.size))) ** 2
    hertz = np.fft.rfftfreq(there.size, 1 / fs)
    total = power[hertz > 5].sum()
    for mains in (50.0, 60.0):
        if total > 0 and power[np.abs(hertz - mains) <= 1].sum() > MAINS_SHARE * total:
            found.add(Flaw.MAINS)
    rates = Rates.of(fs)
    levels = RunningLevels(rates.rate)
    with np.errstate(all="ignore"):
        levels.push(envelope(lead, rates)[0], last=True)
        of_blocks = levels.of(np.arange(levels.ready))
    known = of_blocks[~np.isnan(of_blocks).any(axis=1)]
    peak, quiet = np.median(known, axis=0) if len(known) else (0.0, 0.0)
    if not quiet < (1 - LEAST_CONTRAST) * peak:
        found.add(Flaw.NOISE)
    return found


def _in_runs(marked: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Return the marks that stand in unbroken runs of at least `least`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    long = ends - begins >= least
    steps = np.zeros(marked.size + 1, dtype=np.intp)
    steps[begins[long]] += 1
    steps[ends[long]] -= 1
    inside: NDArray[np.bool_] = np.cumsum(steps[:-1]) > 0
    return inside
