"""The beats whose waves are marked worst, drawn so that a person can look.

Plain SVG, a few kilobytes each: the lead, the expert's waves above it, ours below; of each wave a
bar from onset to end with its peak, P, QRS and T in colours of their own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from benchmarks.wave_marks import LEAD_II, POINTS, TOLERANCE_S, Marked, Points, found_by_us

BEFORE_S, AFTER_S = 0.7, 0.9
WIDTH, HEIGHT, MARGIN = 800, 260, 50
MOST_POINTS = 400
COLOURS = {"P": "#a40", "QRS": "#06c", "T": "#083"}
LEAD = "#333"


@dataclass(frozen=True, slots=True, eq=False)
class Beat:
    """One beat with the point of it that is farthest from the expert's."""

    title: str
    ecg: NDArray[np.float64]
    fs: float
    at: int  # of the mark
    marked: Points
    found: Points
    error_ms: float


def worst_beats(name: str, records: Sequence[Marked], count: int) -> list[Beat]:
    """Return the beats with the largest errors, one a recording; a missed point is the largest."""
    beats = [_worst(name, record) for record in records]
    return sorted(beats, key=lambda beat: -beat.error_ms)[:count]


def _worst(name: str, record: Marked) -> Beat:
    """Return the worst beat of a recording: of lead II of twelve, of the nearer of two leads."""
    leads = (LEAD_II,) if len(record.marks) > 1 else tuple(range(len(record.ecg)))
    marked = record.marks[LEAD_II if len(record.marks) > 1 else 0]
    found = found_by_us(record, leads)
    away: list[tuple[float, str, int, int]] = [(0.0, POINTS[0], 0, 0)]
    for point in POINTS:
        for at in marked[point].tolist():
            each = [_distance(one[point], at, record.fs) for one in found]
            lead = int(np.argmin(each))
            away.append((each[lead], point, int(at), lead))
    error, point, at, lead = max(away)
    limit = 1000 * TOLERANCE_S
    what = f"{point} missed" if error > limit else f"{point} {error:.0f} ms away"
    title = f"{name} {record.name}, {what}"
    return Beat(title, record.ecg[leads[lead]], record.fs, at, marked, found[lead], error)


def _distance(places: NDArray[np.float64], at: float, fs: float) -> float:
    """Return how far the nearest place is in ms, at most a second."""
    return 1000.0 if places.size == 0 else min(1000.0, float(np.abs(places - at).min()) / fs * 1000)


def drawn(beat: Beat) -> str:
    """Return the picture of a beat."""
    begin = max(0, beat.at - round(BEFORE_S * beat.fs))
    end = min(beat.ecg.size, beat.at + round(AFTER_S * beat.fs))
    strip = beat.ecg[begin:end]
    step = max(1, strip.size // MOST_POINTS)
    low, high = float(np.nanmin(strip)), float(np.nanmax(strip))
    tall = (HEIGHT - 2 * MARGIN) / ((high - low) or 1.0)
    line = " ".join(
        f"{at * WIDTH / strip.size:.0f},{HEIGHT - MARGIN - (value - low) * tall:.0f}"
        for at, value in zip(range(0, strip.size, step), strip[::step].tolist(), strict=True)
    )
    caption = (
        f"{escape(beat.title)}: the expert's waves above, ours below (P brown, QRS blue, T green)"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
            f'<text x="4" y="14" font-family="sans-serif" font-size="12">{caption}</text>',
            f'<polyline fill="none" stroke="{LEAD}" points="{line}"/>',
            *_waves(beat.marked, begin, end, MARGIN - 22),
            *_waves(beat.found, begin, end, HEIGHT - MARGIN + 12),
            "</svg>\n",
        ]
    )


def _waves(points: Points, begin: int, end: int, y: int) -> Iterator[str]:
    """Yield a bar from each onset to the end that follows it, and a stroke at each peak."""
    scale = WIDTH / (end - begin)
    for wave, colour in COLOURS.items():
        offs = points[f"{wave} off"]
        for on in points[f"{wave} on"].tolist():
            after = offs[offs > on]
            if begin <= on < end and after.size:
                x, width = (on - begin) * scale, (float(after[0]) - on) * scale
                yield f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="8" fill="{colour}"/>'
        for peak in points.get(f"{wave} peak", np.empty(0)).tolist():
            if begin <= peak < end:
                yield f'<path d="M{(peak - begin) * scale:.1f} {y - 4}v16" stroke="{colour}"/>'
