"""Rate, intervals and axes of a twelve-lead ECG, from one median beat per lead.

Global intervals, as Rautaharju, Surawicz and Gettes ask (AHA/ACC/HRS 2009, part IV): from the
earliest onset to the latest end in any of the simultaneous leads. With six leads or more the second
earliest and the second latest stand for these, so that one noisy lead cannot decide alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.arrays import Floats, Places, checked_leads, checked_rate
from dsp.beats import HeartRate, MedianBeat, beats_of, heart_rate
from dsp.delineation import Delineation, Wave, step_of
from dsp.rpeaks import find_r_peaks
from dsp.wave_search import ABSENT, Beats, irregular, p_and_t
from dsp.waves import qrs_bounds, thinned

LEAST_BEATS = 3
MANY_LEADS = 6
APART_S = 0.04  # leads of one heart begin and end no further from their median
P_LEADS_SHARE = 0.25  # of the leads in which a P wave must stand to be one
LEAST_AXIS_SHARE = 0.05  # of the largest area of a lead; a smaller vector has no sure direction
QTC_FORMULAE = ("Bazett", "Fridericia", "Framingham", "Hodges")


@dataclass(frozen=True, slots=True, eq=False)
class EcgMeasurements:
    """Times in ms, rate per minute, axes in degrees (-180 to 180, 0 along I, 90 along aVF).

    A value is None exactly when `reasons` has its name. `waves` holds the bounds of each lead as
    columns of `median_beat`, (leads,), absent as in `Delineation`.
    """

    heart_rate: float | None
    p_ms: float | None
    pr_ms: float | None
    qrs_ms: float | None
    qt_ms: float | None
    qtc_ms: Mapping[str, float | None]
    p_axis: float | None
    qrs_axis: float | None
    t_axis: float | None
    median_beat: MedianBeat
    waves: Delineation
    reasons: Mapping[str, str]


def measure_ecg(microvolts: ArrayLike, fs: float, leads: Sequence[str]) -> EcgMeasurements:
    """Measure a resting ECG.

    Not for pacing spikes, nor for P waves that no QRS complex follows. Statements are not made.

    Parameters
    ----------
    microvolts
        (leads, n), simultaneous, best unfiltered; NaN is a gap. Any other unit gives the same, as
        no amplitude is returned but `median_beat`.
    fs
        Sampling rate in Hz, 100 to 2000.
    leads
        Their names, one each: I, II, III, aVR, aVL, aVF, V1 ...; axes need I and one of aVF, II
        and III.

    Returns
    -------
    EcgMeasurements
        QTc by Bazett, Fridericia, Framingham and Hodges from the median RR. A value that cannot be
        had is None, with its reason under the same name.

    Raises
    ------
    ValueError
        For another shape, a dtype that is not real numbers, a rate out of range, or names that are
        not as many as the leads or not all different.
    """
    rate = checked_rate(fs)
    strips = checked_leads(microvolts)
    try:
        names = tuple(leads)
    except TypeError as wrong:
        raise ValueError(f"leads: {leads!r}; give a name for each lead") from wrong
    if isinstance(leads, str) or len(names) != len(strips) or len({*names}) != len(names):
        raise ValueError(f"leads: {len(names)} names for {len(strips)} leads; each needs its own")
    peaks = find_r_peaks(strips, rate)
    pulse = heart_rate(peaks, rate)
    with np.errstate(all="ignore"):
        beat, rows = beats_of(strips, rate, peaks)
        if beat.used.sum() < LEAST_BEATS:
            none = np.full((9, len(strips)), ABSENT, dtype=np.intp)
            why = f"fewer than {LEAST_BEATS} beats of one shape"
            return _Reader(rate, beat, none, names, why).measurements(pulse)
        points = _points(beat, np.nan_to_num(rows), rate, np.diff(peaks) / rate)
        return _Reader(rate, beat, points, names).measurements(pulse)


def _points(beat: MedianBeat, beats: Floats, fs: float, rr_s: Floats) -> Places:
    """Return the nine points of each lead's median beat, (9, leads), from the beats it is of."""
    waves, centre = np.nan_to_num(beat.waves), beat.centre
    onset, offset = qrs_bounds(waves, centre, fs)
    step = step_of(fs)
    around = np.full(len(waves), np.median(rr_s))
    bounds = [np.round(bound / step).astype(np.intp)[np.newaxis] for bound in (onset, offset)]
    p, t = p_and_t(
        Beats(
            rows=thinned(waves, step)[np.newaxis],
            own=thinned(beats, step)[np.newaxis],
            onset=bounds[0],
            offset=bounds[1],
            fs=fs / step,
            centre=round(centre / step),
            before_s=around,
            after_s=around,
            irregular=np.full(len(waves), np.median(irregular(rr_s)) > 0),
            common=np.ones((1, len(waves)), dtype=bool),
        )
    )
    qrs = np.stack([onset, np.full_like(onset, centre), offset])
    qrs[:, (onset == centre) | (offset == centre)] = ABSENT
    p, t = (np.where(wave >= 0, wave * step, ABSENT)[:, 0] for wave in (p, t))
    return np.concatenate([p, qrs, t])


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Reads values off the median beats; notes why where there is none."""

    fs: float
    beat: MedianBeat
    points: Places  # nine per lead, columns of the median beat
    names: tuple[str, ...]
    nothing: str = ""  # why there is nothing to read

    def measurements(self, pulse: HeartRate) -> EcgMeasurements:
        """Return all values."""
        why: dict[str, str] = {}
        if pulse.reason is not None:
            why["heart_rate"] = pulse.reason.value
        p, qrs, t = (self.extent(wave) for wave in range(3))
        p_missing = self.nothing or ("no P wave of its own in most beats" if p is None else "")
        qrs_missing = self.nothing or ("no QRS complex" if qrs is None else "")
        t_missing = self.nothing or ("no T wave" if t is None else "")
        p_ms = pr_ms = qrs_ms = qt_ms = None
        if p is not None:
            p_ms = self.ms(p[1] - p[0])
            pr_ms = self.ms(qrs[0] - p[0]) if qrs is not None else None
        if qrs is not None:
            qrs_ms = self.ms(qrs[1] - qrs[0])
            qt_ms = self.ms(t[1] - qrs[0]) if t is not None else None
        missing = {
            "p_ms": p_missing,
            "pr_ms": p_missing or qrs_missing,
            "qrs_ms": qrs_missing,
            "qt_ms": qrs_missing or t_missing,
        }
        why |= {name: reason for name, reason in missing.items() if reason}
        corrected = _corrected(qt_ms, pulse.per_min)
        if None in corrected.values():
            why["qtc_ms"] = why.get("qt_ms") or f"no heart rate: {why.get('heart_rate')}"
        axes = {
            name: self.axis(name, extent, reason, why)
            for name, extent, reason in (
                ("p_axis", p, p_missing),
                ("qrs_axis", qrs, qrs_missing),
                (
                    "t_axis",
                    (qrs[1], t[1]) if qrs is not None and t is not None else None,
                    t_missing,
                ),
            )
        }
        return EcgMeasurements(
            heart_rate=pulse.per_min,
            p_ms=p_ms,
            pr_ms=pr_ms,
            qrs_ms=qrs_ms,
            qt_ms=qt_ms,
            qtc_ms=MappingProxyType(corrected),
            p_axis=axes["p_axis"],
            qrs_axis=axes["qrs_axis"],
            t_axis=axes["t_axis"],
            median_beat=self.beat,
            waves=Delineation(*(Wave(*self.points[at : at + 3]) for at in (0, 3, 6))),
            reasons=MappingProxyType(why),
        )

    def ms(self, samples: int) -> float:
        """Return a span in ms."""
        return samples / self.fs * 1000.0

    def extent(self, wave: int) -> tuple[int, int] | None:
        """Return the global onset and end of P (0), QRS (1) or T (2); None where it is absent."""
        onset, _, offset = self.points[3 * wave : 3 * wave + 3]
        there = onset >= 0
        leads = int((self.points[3] >= 0).sum())
        least = max(1, math.ceil(P_LEADS_SHARE * leads)) if wave == 0 else 1
        if there.sum() < least:
            return None
        return (
            int(global_bound(onset[there], self.fs, last=False)),
            int(global_bound(offset[there], self.fs, last=True)),
        )

    def axis(
        self, name: str, extent: tuple[int, int] | None, missing: str, why: dict[str, str]
    ) -> float | None:
        """Return the frontal axis of the area between two columns."""
        if extent is None or missing:
            why[name] = missing or "bounds are not known"
            return None
        begin, end = extent
        waves = self.beat.waves[:, begin : end + 1]
        if name == "p_axis":  # what is before the P wave need not be at the PQ level
            waves = waves - np.linspace(waves[:, 0], waves[:, -1], waves.shape[1], axis=1)
        area = dict(zip(self.names, waves.sum(axis=1).tolist(), strict=True))
        across, down = area.get("I", math.nan), _down(area)
        if math.isnan(across) or math.isnan(down):
            why[name] = "needs lead I and one of aVF, II and III"
            return None
        size = math.hypot(across, down)
        if not size > LEAST_AXIS_SHARE * float(np.abs(waves).sum(axis=1).max()):
            why[name] = "indeterminate: the areas in the limb leads cancel"
            return None
        return math.degrees(math.atan2(down, across))


def global_bound(points: NDArray[Any], fs: float, *, last: bool) -> float:
    """Return where a wave begins or ends in all leads, from where it does in each (samples).

    With `MANY_LEADS` or more, of those that lie with most others the second earliest or latest: an
    outlying one is an error, not a lead's own, and one noisy lead must not decide.
    """
    points = np.sort(points)
    middle = (points[(points.size - 1) // 2] + points[points.size // 2]) / 2
    near = points[np.abs(points - middle) <= APART_S * fs]
    together = near if near.size >= MANY_LEADS else points
    rank = 1 if points.size >= MANY_LEADS else 0
    return float(together[-1 - rank if last else rank])


def _down(area: Mapping[str, float]) -> float:
    """Return the vertical part of the frontal vector, in the scale of lead I."""
    first = area.get("I", math.nan)
    vertical = area.get("aVF", math.nan)
    if math.isnan(vertical):
        vertical = area.get("II", math.nan) - first / 2
    if math.isnan(vertical):
        vertical = area.get("III", math.nan) + first / 2
    return vertical * 2 / math.sqrt(3)  # Einthoven's triangle: an augmented lead is the shorter


def _corrected(qt_ms: float | None, per_min: float | None) -> dict[str, float | None]:
    """Return QTc by each formula, in ms."""
    if qt_ms is None or per_min is None:
        return dict.fromkeys(QTC_FORMULAE)
    rr = 60.0 / per_min
    return {
        "Bazett": qt_ms / math.sqrt(rr),
        "Fridericia": qt_ms / rr ** (1 / 3),
        "Framingham": qt_ms + 154.0 * (1.0 - rr),
        "Hodges": qt_ms + 1.75 * (per_min - 60.0),
    }
