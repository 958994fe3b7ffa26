"""What breathing does to the beats of an ECG or of a pulse wave: their size, level and rhythm.

Size is by how much each beat is the usual beat, scaled (a regression, so that noise averages out);
level is that of the foot of a pulse, or of the PQ segment; rhythm is the interval before the beat.
Beats that come early or late are left out: an ectopic beat is no breath.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import Floats, Places

WORKING_HZ = 4.0
LEAST_BEATS = 12
EARLY_SHARE, LATE_SHARE = 0.8, 1.2  # of the usual interval; breathing changes it by less
LEAST_REGULAR = 0.6  # of the intervals; else there is no rhythm that breathing could modulate
LEAST_KEPT = 2 / 3  # of the beats; between fewer, a fast breath looks like a slow one
OUTLYING = 4 * 1.4826  # median absolute deviations


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of a signal around a beat is looked at, in seconds from its R peak or crest."""

    begin_s: float
    end_s: float
    level_begin_s: float
    level_end_s: float
    level_is_lowest: bool


QRS = Surroundings(-0.06, 0.08, -0.12, -0.06, level_is_lowest=False)
PULSE = Surroundings(-0.30, 0.15, -0.30, 0.0, level_is_lowest=True)


@dataclass(frozen=True, slots=True, eq=False)
class Modulations:
    """Rows of one length at `WORKING_HZ`; no rhythm where there is none that could be modulated."""

    size: Floats
    level: Floats
    rhythm: Floats | None
    beats_per_min: float

    @property
    def rows(self) -> list[Floats]:
        """Return those that there are, the level last."""
        rhythm = [] if self.rhythm is None else [self.rhythm]
        return [self.size, *rhythm, self.level]


def modulations(
    signal: Floats, peaks: Places, fs: float, around: Surroundings
) -> Modulations | None:
    """Return how the beats at `peaks` are modulated; None where too few are not ectopic."""
    span = _columns(around.begin_s, around.end_s, fs)
    level_span = _columns(around.level_begin_s, around.level_end_s, fs)
    before = -min(int(span[0]), int(level_span[0]))
    peaks = peaks[(peaks >= before) & (peaks + int(span[-1]) < signal.size)]
    if peaks.size < LEAST_BEATS:
        return None
    size = _size(signal[peaks[:, np.newaxis] + span])
    levels = signal[peaks[:, np.newaxis] + level_span]
    level = levels.min(axis=1) if around.level_is_lowest else levels.mean(axis=1)
    interval = np.diff(peaks) / fs
    usual = float(np.median(interval))
    regular = (interval > EARLY_SHARE * usual) & (interval < LATE_SHARE * usual)
    rhythmic = bool(regular.mean() >= LEAST_REGULAR)
    kept = np.ones(interval.size, dtype=bool)
    if rhythmic:
        kept = regular & np.append(regular[1:], regular[-1])
        if kept.sum() < max(LEAST_BEATS, LEAST_KEPT * kept.size):
            return None
    at = peaks[1:] / fs
    seconds = np.arange(at[0], at[-1], 1 / WORKING_HZ)
    return Modulations(
        size=_resampled(at, size[1:], kept, seconds),
        level=_resampled(at, level[1:], kept, seconds),
        rhythm=_resampled(at, interval, regular, seconds) if rhythmic else None,
        beats_per_min=60.0 / usual,
    )


def _columns(begin_s: float, end_s: float, fs: float) -> Places:
    return np.arange(round(begin_s * fs), round(end_s * fs) + 1)


def _size(beats: Floats) -> Floats:
    """Return by what each row is to be divided to be the usual one, any level aside."""
    usual = np.median(beats, axis=0)
    usual = usual - usual.mean()
    return np.asarray(beats @ usual / (usual @ usual))


def _resampled(at: Floats, values: Floats, kept: NDArray[np.bool_], seconds: Floats) -> Floats:
    """Return the kept values in even steps of time, outliers drawn in."""
    values = values[kept]
    middle = np.median(values)
    scatter = OUTLYING * np.median(np.abs(values - middle))
    drawn_in = np.clip(values, middle - scatter, middle + scatter)
    return np.asarray(np.interp(seconds, at[kept], drawn_in))
