"""Global intervals beside those that the marks of LUDB give when they are read in the same way.

Of each lead the median over its marked beats, from R; then, as `measure_ecg` does, the second
earliest and second latest of the leads that lie near their median. They are marks of single leads,
not global ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.wave_marks import Marked
from drivers.virtual.physiology.dipole import LEADS
from dsp import EcgMeasurements, find_r_peaks, measure_ecg
from dsp.measurements import global_bound

# Bounds of each interval, and around R, in seconds, where a mark of the same beat lies.
INTERVALS = {
    "p_ms": ("P on", "P off"),
    "pr_ms": ("P on", "QRS on"),
    "qrs_ms": ("QRS on", "QRS off"),
    "qt_ms": ("QRS on", "T off"),
}
_SPANS_S = {
    "P on": (-0.35, -0.05),
    "P off": (-0.30, 0.0),
    "QRS on": (-0.12, 0.02),
    "QRS off": (-0.02, 0.20),
    "T off": (0.10, 0.70),
}


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """By interval ours minus the marks', in ms; and how recordings without any P wave fared."""

    differences: dict[str, NDArray[np.float64]]
    without_p: int
    p_said_all_the_same: int


def compare(records: Sequence[Marked]) -> Compared:
    """Measure twelve-lead recordings and compare with what the marks of their leads give."""
    differences: dict[str, list[float]] = {name: [] for name in INTERVALS}
    without = said = 0
    for record in records:
        ours = measure_ecg(record.ecg, record.fs, LEADS)
        theirs = _of_marks(record, ours)
        if "P on" not in theirs:
            without += 1
            said += ours.p_ms is not None
        for name, (first, last) in INTERVALS.items():
            own = getattr(ours, name)
            if own is not None and first in theirs and last in theirs:
                differences[name].append(own - (theirs[last] - theirs[first]))
    arrays = {name: np.array(each) for name, each in differences.items()}
    return Compared(arrays, without, said)


def _of_marks(record: Marked, ours: EcgMeasurements) -> dict[str, float]:
    """Return the global bounds in ms from R; none of a kind that no lead has."""
    beat = ours.median_beat
    peaks = (find_r_peaks(record.ecg, record.fs) + beat.lags)[beat.used]
    bounds: dict[str, float] = {}
    for point, span in _SPANS_S.items():
        of_leads = [_usual(marks[point], peaks, span, record.fs) for marks in record.marks]
        known = np.array([place for place in of_leads if place is not None])
        if known.size:
            last = point.endswith("off")
            bounds[point] = global_bound(known, record.fs, last=last) / record.fs * 1000
    return bounds


def _usual(
    marked: NDArray[np.float64], peaks: NDArray[np.intp], span_s: tuple[float, float], fs: float
) -> float | None:
    """Return where from R one kind of mark usually lies; None where there is none."""
    away = marked[:, np.newaxis] - peaks
    away = np.where((away >= span_s[0] * fs) & (away <= span_s[1] * fs), away, np.inf)
    if away.size == 0:
        return None
    nearest = away[np.arange(len(away)), np.abs(away).argmin(axis=1)]
    nearest = nearest[np.isfinite(nearest)]
    return float(np.median(nearest)) if nearest.size else None
