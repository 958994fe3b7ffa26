"""Whether a lead, or a beat in it, can be used; and if not, why.

Each test has one cause that can be seen in the samples themselves. Levels in microvolts apply only
where the unit is known; all others are ratios.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.arrays import Floats, Places, checked_leads, checked_peaks, checked_rate
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
MUSCLE_SHARE = 0.015  # usual bend over 20 ms, mains aside, against the QRS complexes
BEND_S = 0.01
MOTION_SHARE = 0.5  # step of the level within half a second, against the QRS complexes
WANDER_SHARE = 0.8  # range of the level over the strip, against the QRS complexes
LEVEL_S = 0.5  # over which a level is read
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
    MUSCLE = "muscle"
    WANDER = "wander"
    ELECTRODE_MOTION = "electrode-motion"


# Filters and medians deal with these: they are said and lower the score, no more.
DISQUALIFYING = frozenset(Flaw) - {
    Flaw.MAINS,
    Flaw.MUSCLE,
    Flaw.WANDER,
    Flaw.ELECTRODE_MOTION,
}
_LOWERS = {Flaw.MAINS: 0.9, Flaw.MUSCLE: 0.7, Flaw.WANDER: 0.9, Flaw.ELECTRODE_MOTION: 0.5}

NEIGHBOURS = 8  # on each side, among which a beat must have its like
FELLOWS = 4  # so many of them: an artefact has one by chance, a kind of ectopic beat has several
LEAST_LIKENESS = 0.82
MOST_UNLIKE = 0.5  # of the beats around: a beat unlike the others is ectopic, many are an artefact
LEAST_BEATS = 6
SURROUNDINGS_S = 0.35  # around a beat, in which its level must not move
MOST_SWING = 1.0  # of the level and all waves around a QRS, against the QRS itself


@dataclass(frozen=True, slots=True)
class LeadQuality:
    """Whether one lead can be used; `flaws` in the order of `Flaw`, none if nothing was found.

    `score` is 0 for a lead that cannot be used; else how clearly beats stand out (0.65 to 1), less
    for each flaw.
    """

    usable: bool
    flaws: tuple[Flaw, ...]
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class BeatQuality:
    """Per beat, (beats,) for one row of samples, (leads, beats) for several.

    `score` is the likeness of its QRS complex, in shape and size, to the fourth most similar of the
    beats around (1 the same, 0 nothing alike); NaN where the beat cannot be compared. `reasons` is
    nested as the arrays are, None where `usable`.
    """

    score: Floats
    usable: NDArray[np.bool_]
    reasons: tuple[object, ...]


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


def beat_quality(ecg: ArrayLike, fs: float, r_peaks: ArrayLike) -> BeatQuality:
    """Say which beats can be believed: those that look like others around them.

    Motion of an electrode makes waves as steep and as tall as a QRS complex, and no detector that
    sees one lead tells them apart. But no two of them are alike, and beats are. A beat without its
    like among beats that have theirs is ectopic, and is believed.

    Parameters
    ----------
    ecg
        (n,) or (leads, n), real numbers; NaN, infinity or beyond 1e100 is a gap.
    fs
        Sampling rate in Hz, 100 to 2000.
    r_peaks
        Sample indices, strictly increasing, as of `find_r_peaks`.

    Returns
    -------
    BeatQuality
        Reasons: `SHORT` with fewer than six beats, `GAP` for a beat at a gap or an end, `FLAT`
        where a lead has no QRS complex, `ELECTRODE_MOTION` where the level around the beat moves by
        more than the QRS complex, `NOISE` where half of the beats around have no like either.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, a rate out of range, or indices that
        are not one increasing row within the strip.
    """
    rate = checked_rate(fs)
    leads = checked_leads(ecg)
    peaks = checked_peaks(r_peaks, leads.shape[1])
    with np.errstate(all="ignore"):
        each = [_of_beats(lead, rate, peaks) for lead in leads]
    scores = np.stack([score for score, _ in each])
    reasons = tuple(why for _, why in each)
    usable = np.array([[one is None for one in why] for why in reasons], dtype=bool)
    usable = usable.reshape(scores.shape)
    if np.ndim(ecg) == 1:
        return BeatQuality(scores[0], usable[0], reasons[0])
    return BeatQuality(scores, usable, reasons)


def _of_beats(lead: Floats, fs: float, peaks: Places) -> tuple[Floats, tuple[Flaw | None, ...]]:
    """Return score and reason of each beat of one lead."""
    score = np.full(peaks.size, np.nan)
    if peaks.size < LEAST_BEATS:
        return score, (Flaw.SHORT,) * peaks.size
    span = np.arange(-round(0.10 * fs), round(0.12 * fs) + 1)
    qrs = _around(lead, peaks, span)
    whole = np.asarray(np.isfinite(qrs).all(axis=1))
    qrs = np.where(whole[:, np.newaxis], qrs, 0.0)
    qrs = qrs - qrs.mean(axis=1, keepdims=True)
    power = (qrs * qrs).sum(axis=1)
    likeness = np.full((peaks.size, 2 * NEIGHBOURS), -1.0)
    for apart in range(1, min(NEIGHBOURS, peaks.size - 1) + 1):
        # Over the larger power, not the root of both: half the size is half as like.
        both = (qrs[apart:] * qrs[:-apart]).sum(axis=1) / np.maximum(power[apart:], power[:-apart])
        likeness[apart:, apart - 1] = likeness[:-apart, NEIGHBOURS + apart - 1] = both
    best = np.sort(np.nan_to_num(likeness, nan=-1.0), axis=1)[:, -FELLOWS]
    score[whole] = np.clip(best[whole], 0.0, 1.0)
    wide = np.arange(-round(SURROUNDINGS_S * fs), round(SURROUNDINGS_S * fs) + 1)
    outside = _around(lead, peaks, wide[np.abs(wide - (span[0] + span[-1]) / 2) > span.size / 2])
    swing = np.fmax.reduce(outside, axis=1) - np.fmin.reduce(outside, axis=1)
    moves = swing > MOST_SWING * np.ptp(qrs, axis=1)
    unlike: NDArray[np.bool_] = ~(score >= LEAST_LIKENESS)
    flat: NDArray[np.bool_] = power == 0
    causes = (
        ((~whole).tolist(), Flaw.GAP),
        (flat.tolist(), Flaw.FLAT),
        ((unlike & moves).tolist(), Flaw.ELECTRODE_MOTION),
        (_among_unlike(unlike).tolist(), Flaw.NOISE),
    )
    reasons = (next((why for holds, why in causes if holds[at]), None) for at in range(peaks.size))
    return score, tuple(reasons)


def _among_unlike(unlike: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which beats are unlike others where beats mostly are."""
    window = np.ones(2 * NEIGHBOURS + 1)
    around = np.convolve(unlike, window)[NEIGHBOURS : NEIGHBOURS + unlike.size]
    count = np.convolve(np.ones(unlike.size), window)[NEIGHBOURS : NEIGHBOURS + unlike.size]
    among: NDArray[np.bool_] = unlike & (around >= MOST_UNLIKE * count)
    return among


def _around(lead: Floats, peaks: Places, span: Places) -> Floats:
    """Return the samples around each peak, NaN outside the strip."""
    places = peaks[:, np.newaxis] + span
    outside = (places < 0) | (places >= lead.size)
    return np.where(outside, np.nan, lead[np.clip(places, 0, lead.size - 1)])


def _judge(lead: Floats, fs: float, *, microvolts: bool) -> LeadQuality:
    """Return what is found in one lead."""
    there = lead[~np.isnan(lead)]
    found: set[Flaw] = set()
    contrast = 0.0
    if lead.size < SHORTEST_S * fs:
        found.add(Flaw.SHORT)
    if lead.size and there.size < (1 - MOST_GAP) * lead.size:
        found.add(Flaw.GAP)
    if there.size == 0:
        found.add(Flaw.LEAD_OFF)
    elif there.size >= SHORTEST_S * fs:
        found |= _of_samples(there, fs)
        if not found & {Flaw.FLAT, Flaw.SATURATED}:
            of_bands, contrast = _of_bands(lead, there, fs)
            found |= of_bands
            if Flaw.NOISE not in found:
                found |= _of_levels(there, fs)
        if microvolts and np.ptp(there) < LEAST_QRS_SWING_UV:
            found.add(Flaw.LEAD_OFF)
    flaws = tuple(flaw for flaw in Flaw if flaw in found)
    usable = not found & DISQUALIFYING
    score = contrast if usable else 0.0
    for flaw in flaws:
        score *= _LOWERS.get(flaw, 1.0)
    return LeadQuality(usable=usable, flaws=flaws, score=score)


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


def _of_bands(lead: Floats, there: Floats, fs: float) -> tuple[set[Flaw], float]:
    """Return what the mains and the QRS band tell, and the contrast of the latter."""
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
    contrast = float(1 - quiet / peak) if peak > 0 else 0.0
    return found, min(1.0, max(0.0, contrast))


def _of_levels(there: Floats, fs: float) -> set[Flaw]:
    """Return what tells a lead with beats that is disturbed all the same."""
    size = max(1, round(LEVEL_S * fs))
    blocks = there[: there.size // size * size].reshape(-1, size)
    levels = np.median(blocks, axis=1)
    # Two blocks hold a beat at any rate a person lives with; the median is that of most pairs.
    pairs = blocks[: len(blocks) // 2 * 2].reshape(-1, 2 * size)
    beat = float(np.median(np.ptp(pairs, axis=1))) if len(pairs) else 0.0
    found: set[Flaw] = set()
    if len(levels) < 2 or not beat > 0:
        return found
    # Mains is said by itself: a mean over a period of 50 and of 60 Hz leaves none of either.
    calm = _mean_over(_mean_over(there, round(fs / 50)), round(fs / 60))
    apart = max(1, round(BEND_S * fs))
    bend = calm[2 * apart :] - 2 * calm[apart:-apart] + calm[: -2 * apart]
    if np.median(np.abs(bend)) > MUSCLE_SHARE * beat:
        found.add(Flaw.MUSCLE)
    if np.abs(np.diff(levels)).max() > MOTION_SHARE * beat:
        found.add(Flaw.ELECTRODE_MOTION)
    elif np.ptp(levels) > WANDER_SHARE * beat:
        found.add(Flaw.WANDER)
    return found


def _mean_over(samples: Floats, width: int) -> Floats:
    """Return moving means over `width` samples."""
    return np.convolve(samples, np.full(max(1, width), 1 / max(1, width)), mode="valid")


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
