"""Compare detected beats with reference beats, as the comparators of the field do.

One detection answers at most one reference beat and the other way round; a pair is a match when it
lies within 150 ms. Spans of ventricular flutter are left out on both sides. Sources: ANSI/AAMI
EC57, beat-by-beat comparison; bxb in the WFDB Applications Guide.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MATCH_WINDOW_S = 0.150  # EC57
LEARNING_S = 300.0  # what EC57 lets a detector learn from before it is judged


@dataclass(frozen=True, slots=True, eq=False)
class BeatScore:
    """Counts of one comparison, or of several pooled; `offsets_s` is detected minus reference.

    Rates are None where they are undefined (nothing to find, nothing found).
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    offsets_s: NDArray[np.float64]

    @property
    def sensitivity(self) -> float | None:
        """Share of the reference beats that were found."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def positive_predictivity(self) -> float | None:
        """Share of the detections that are beats."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of sensitivity and positive predictivity."""
        wrong = self.false_positives + self.false_negatives
        return _share(2 * self.true_positives, 2 * self.true_positives + wrong)


def match_beats(
    reference: ArrayLike,
    detected: ArrayLike,
    fs: float,
    *,
    window_s: float = MATCH_WINDOW_S,
    excluded: Sequence[tuple[int, int]] = (),
    learning_s: float = 0.0,
) -> BeatScore:
    """Match detections with reference beats one to one, nearest pairs first.

    Parameters
    ----------
    reference, detected
        Sample indices, increasing.
    fs
        Sampling rate in Hz.
    window_s
        Largest distance of a pair in seconds, the bound included.
    excluded
        Half-open spans of samples. A detection in one is never wrong, a reference beat in one never
        missed; a pair that reaches across the border still counts as a match.
    learning_s
        Seconds at the start that are excluded as well; `LEARNING_S` for the figures of EC57.

    Returns
    -------
    BeatScore
        With `true_positives + false_negatives` the reference beats scored, and
        `true_positives + false_positives` the detections scored.
    """
    ref = np.asarray(reference, dtype=np.intp)
    det = np.asarray(detected, dtype=np.intp)
    spans = [*excluded, (0, round(learning_s * fs))]
    ref_skip, det_skip = _inside(ref, spans), _inside(det, spans)
    pairs = _pairs(ref, det, window_s * fs)
    counted = pairs[~(ref_skip[pairs[:, 0]] & det_skip[pairs[:, 1]])]
    ref_skip[pairs[:, 0]] = det_skip[pairs[:, 1]] = True
    return BeatScore(
        true_positives=len(counted),
        false_positives=int((~det_skip).sum()),
        false_negatives=int((~ref_skip).sum()),
        offsets_s=(det[counted[:, 1]] - ref[counted[:, 0]]) / fs,
    )


def pool(scores: Iterable[BeatScore]) -> BeatScore:
    """Add up scores, so that every beat weighs the same (the gross figure of EC57)."""
    every = list(scores)
    return BeatScore(
        true_positives=sum(score.true_positives for score in every),
        false_positives=sum(score.false_positives for score in every),
        false_negatives=sum(score.false_negatives for score in every),
        offsets_s=np.concatenate([np.empty(0), *(score.offsets_s for score in every)]),
    )


def f1_interval(
    scores: Iterable[BeatScore], *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """Return the bounds of the gross F1 had other records been drawn (bootstrap over records).

    Beats of one record fail together, so it is records that are drawn. None where no draw has a
    beat or a detection.
    """
    counts = np.array(
        [(s.true_positives, s.false_positives + s.false_negatives) for s in scores],
        dtype=np.float64,
    ).reshape(-1, 2)
    if len(counts) == 0:
        return None
    drawn = np.random.default_rng(seed).integers(len(counts), size=(draws, len(counts)))
    found, wrong = counts[drawn].sum(axis=1).T
    some = 2 * found + wrong > 0
    if not some.any():
        return None
    figures = 2 * found[some] / (2 * found[some] + wrong[some])
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high


def _pairs(ref: NDArray[np.intp], det: NDArray[np.intp], reach: float) -> NDArray[np.intp]:
    """Return (k, 2) positions in `ref` and `det`: mutual nearest neighbours until none is left."""
    free_ref, free_det = np.arange(ref.size), np.arange(det.size)
    found: list[NDArray[np.intp]] = []
    while free_ref.size and free_det.size:
        to_det = _nearest(ref[free_ref], det[free_det])
        to_ref = _nearest(det[free_det], ref[free_ref])
        far = np.abs(ref[free_ref] - det[free_det[to_det]]) > reach
        mutual = (to_ref[to_det] == np.arange(free_ref.size)) & ~far
        if not mutual.any():
            break
        found.append(np.stack([free_ref[mutual], free_det[to_det[mutual]]], axis=1))
        keep_det = np.ones(free_det.size, dtype=bool)
        keep_det[to_det[mutual]] = False
        free_ref, free_det = free_ref[~mutual], free_det[keep_det]
    return np.concatenate(found) if found else np.empty((0, 2), dtype=np.intp)


def _nearest(points: NDArray[np.intp], among: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each point the position of the nearest of `among`, the earlier one of two."""
    right = np.clip(np.searchsorted(among, points), 1, max(1, among.size - 1))
    right = np.minimum(right, among.size - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(points - among[left]) <= np.abs(among[right] - points), left, right)


def _inside(places: NDArray[np.intp], spans: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Say which places lie in any of the spans."""
    inside = np.zeros(places.shape, dtype=bool)
    for begin, end in spans:
        inside |= (places >= begin) & (places < end)
    return inside


def _share(part: int, whole: int) -> float | None:
    """Return part of whole, None of nothing."""
    return part / whole if whole else None
