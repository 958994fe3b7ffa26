"""The stretches on which the detector is wrong most, drawn so that a person can look.

Plain SVG, a few kilobytes each: the lead, our marks below it, the reference above it, what is wrong
in red.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import Recording

STRETCH_S = 10.0
WIDTH, HEIGHT, MARGIN = 1000, 220, 30
COLUMNS = 500  # of each the lowest and the highest sample are drawn
WRONG, OURS, REFERENCE, LEAD = "#c00", "#06c", "#090", "#333"


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Ten seconds of a recording, with how many beats are missed or made up in them."""

    title: str
    record: Recording
    found: NDArray[np.intp]
    begin: int
    errors: int
    window_s: float

    @property
    def end(self) -> int:
        """Sample after the last."""
        return self.begin + round(STRETCH_S * self.record.fs)


def worst_stretch(
    name: str, record: Recording, found: NDArray[np.intp], window_s: float
) -> Stretch | None:
    """Return the stretch of a recording with the most errors, None if it has none."""
    wrong = np.sort(np.concatenate(_wrong(record, found, window_s)))
    if wrong.size == 0:
        return None
    length = round(STRETCH_S * record.fs)
    within = np.searchsorted(wrong, wrong + 0.8 * length) - np.arange(wrong.size)
    worst = int(np.argmax(within))
    begin = max(0, min(int(wrong[worst]) - length // 10, record.ecg.size - length))
    seconds = begin / record.fs
    title = f"{name} {record.name} from {seconds:.0f} s"
    return Stretch(title, record, found, begin, int(within[worst]), window_s)


def drawn(stretch: Stretch) -> str:
    """Return the picture of a stretch."""
    missed, made_up = _wrong(stretch.record, stretch.found, stretch.window_s)
    caption = f"{escape(stretch.title)}: reference above, ours below, wrong ones red"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f'<text x="4" y="14" font-family="sans-serif" font-size="12">{caption}</text>',
        f'<polyline fill="none" stroke="{LEAD}" points="{" ".join(_line(stretch))}"/>',
    ]
    reference, ours = stretch.record.beats, stretch.found
    parts += _marks(stretch, reference, missed, REFERENCE, (MARGIN - 10, MARGIN))
    parts += _marks(stretch, ours, made_up, OURS, (HEIGHT - MARGIN, HEIGHT - MARGIN + 10))
    return "\n".join([*parts, "</svg>\n"])


def _wrong(
    record: Recording, found: NDArray[np.intp], window_s: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the reference beats missed and the detections made up."""
    return _unmatched(record.beats, found, record, window_s), _unmatched(
        found, record.beats, record, window_s
    )


def _unmatched(
    places: NDArray[np.intp], others: NDArray[np.intp], record: Recording, window_s: float
) -> NDArray[np.intp]:
    """Return the places that no other one answers, each scored for itself."""
    alone = [
        at
        for at in places[_apart(places, others) > window_s * record.fs].tolist()
        if not any(begin <= at < end for begin, end in record.excluded)
    ]
    return np.array(alone, dtype=np.intp)


def _apart(places: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return how far the nearest of the others is from each place."""
    if others.size == 0:
        return np.full(places.size, np.inf)
    right = np.minimum(np.searchsorted(others, places), others.size - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.minimum(np.abs(others[left] - places), np.abs(others[right] - places))
    return nearest.astype(np.float64)


def _line(stretch: Stretch) -> Iterator[str]:
    """Yield the points of the lead."""
    ecg = stretch.record.ecg[stretch.begin : stretch.end]
    low, high = float(np.nanmin(ecg)), float(np.nanmax(ecg))
    scale = (HEIGHT - 2 * MARGIN - 10) / ((high - low) or 1.0)
    for column, piece in enumerate(np.array_split(ecg, min(COLUMNS, ecg.size))):
        x = (column + 0.5) * WIDTH / min(COLUMNS, ecg.size)
        first_low = piece.argmin() < piece.argmax()
        for value in (piece.min(), piece.max()) if first_low else (piece.max(), piece.min()):
            yield f"{x:.0f},{HEIGHT - MARGIN - 5 - (value - low) * scale:.0f}"


def _marks(
    stretch: Stretch,
    places: NDArray[np.intp],
    wrong: NDArray[np.intp],
    colour: str,
    span: tuple[int, int],
) -> Iterator[str]:
    """Yield a stroke for each place."""
    bad = set(wrong.tolist())
    for at in places[(places >= stretch.begin) & (places < stretch.end)].tolist():
        x = (at - stretch.begin) * WIDTH / (stretch.end - stretch.begin)
        paint = f'stroke="{WRONG}" stroke-width="4"' if at in bad else f'stroke="{colour}"'
        yield f'<path d="M{x:.0f} {span[0]}V{span[1]}" {paint}/>'
