"""Recordings whose waves experts have marked, and how far what is found lies from the marks.

LUDB marks each of twelve leads; a mark is compared with the nearest point found in its lead. QTDB
(q1c) marks two leads together; each mark takes the nearer of both (Martinez et al. 2004). Beyond
150 ms nothing is found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import read_annotations, read_wfdb
from dsp import delineate, find_r_peaks

TOLERANCE_S = 0.15
POINTS = ("P on", "P peak", "P off", "QRS on", "QRS off", "T peak", "T off")
LUDB_LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
LEAD_II = 1
_WAVES = {24: "P", 1: "QRS", 27: "T"}  # ecgcodes.h
_BEGIN, _END = 39, 40
_AROUND_QTDB_S = 60.0  # the marked stretch is measured with what a strip would have around it

Points = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class Marked:
    """Leads, the R peaks found in them, and the marks: of each lead, or one for all together."""

    name: str
    fs: float
    ecg: NDArray[np.float64]
    peaks: NDArray[np.intp]
    marks: tuple[Points, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Errors of one kind of point in one recording, in ms, found minus marked, mark by mark.

    Beyond the tolerance the point is missed.
    """

    each: NDArray[np.float64]

    @property
    def near(self) -> NDArray[np.bool_]:
        """Say which marks were found."""
        return np.abs(self.each) <= 1000 * TOLERANCE_S

    @property
    def ms(self) -> NDArray[np.float64]:
        """Return the errors of those found."""
        return self.each[self.near]

    @property
    def missed(self) -> int:
        """Count those missed."""
        return int((~self.near).sum())


@dataclass(frozen=True, slots=True)
class Presence:
    """How many waves experts marked between their first and last QRS complex, and we found."""

    marked: int
    found: int
    wrong: int

    def __add__(self, other: "Presence") -> "Presence":
        return Presence(
            self.marked + other.marked, self.found + other.found, self.wrong + other.wrong
        )

    @property
    def sensitivity(self) -> float:
        """Share of the marked that are found, percent."""
        return 100 * self.found / max(1, self.marked)

    @property
    def precision(self) -> float:
        """Share of what is found that is marked, percent."""
        return 100 * self.found / max(1, self.found + self.wrong)


def ludb(data: Path) -> Iterator[Marked]:
    """Lobachevsky University Database, twelve leads; R peaks from lead II."""
    for header in sorted((data / "ludb").glob("*.hea"), key=lambda path: int(path.stem)):
        records = [read_wfdb(header, lead, lead) for lead in LUDB_LEADS]
        ecg, fs = np.stack([record.ecg for record in records]), records[0].fs
        marks = tuple(marks_in(header.with_suffix(f".{lead}")) for lead in LUDB_LEADS)
        yield Marked(header.stem, fs, ecg, find_r_peaks(ecg[LEAD_II], fs), marks)


def qtdb(data: Path) -> Iterator[Marked]:
    """QT Database, the stretch that was marked and a minute on each side."""
    for header in sorted((data / "qtdb").glob("*.hea")):
        both = [read_wfdb(header, "q1c", lead) for lead in (0, 1)]
        fs = both[0].fs
        marked = marks_in(header.with_suffix(".q1c"))
        every = np.concatenate(list(marked.values()))
        begin = max(0, int(every.min() - _AROUND_QTDB_S * fs))
        ecg = np.stack([one.ecg for one in both])[:, begin : int(every.max() + _AROUND_QTDB_S * fs)]
        marks = {point: places - begin for point, places in marked.items()}
        yield Marked(header.stem, fs, ecg, find_r_peaks(ecg, fs), (marks,))


def marks_in(path: Path) -> Points:
    """Return the samples that the expert marked, by kind of point."""
    codes, places = read_annotations(path)
    marked: dict[str, list[int]] = {point: [] for point in (*POINTS, "QRS peak", "T on")}
    for at, code in enumerate(codes.tolist()):
        if code not in _WAVES:
            continue
        wave = _WAVES[code]
        marked[f"{wave} peak"].append(int(places[at]))
        if at and codes[at - 1] == _BEGIN:
            marked[f"{wave} on"].append(int(places[at - 1]))
        if at + 1 < codes.size and codes[at + 1] == _END:
            marked[f"{wave} off"].append(int(places[at + 1]))
    return {point: np.array(samples, dtype=np.float64) for point, samples in marked.items()}


def found_by_us(record: Marked, leads: Sequence[int]) -> list[Points]:
    """Return the points that `delineate` finds in each of these leads."""
    result = delineate(record.ecg[list(leads)], record.fs, record.peaks)
    found: list[dict[str, NDArray[np.float64]]] = [{} for _ in leads]
    for name, wave in (("P", result.p), ("QRS", result.qrs), ("T", result.t)):
        for part, samples in (("on", wave.onset), ("peak", wave.peak), ("off", wave.offset)):
            for points, row in zip(found, samples, strict=True):
                points[f"{name} {part}"] = np.sort(row[row >= 0]).astype(np.float64)
    return list(found)


def errors(
    marked: Points, found: Sequence[Points], fs: float, points: Iterable[str] = POINTS
) -> dict[str, Errors]:
    """Return what is wrong with each kind of point, the nearest of the leads for each mark."""
    return {point: _errors(marked[point], [one[point] for one in found], fs) for point in points}


def presence(marked: Points, found: Points, wave: str, fs: float) -> Presence:
    """Return how many waves of one kind were marked, found, and made up, in one lead."""
    qrs = marked["QRS peak"]
    ours = found[f"{wave} peak"]
    ours = ours[(ours >= qrs.min()) & (ours <= qrs.max())]
    theirs = marked[f"{wave} peak"]
    theirs = theirs[(theirs >= qrs.min()) & (theirs <= qrs.max())]
    missed = _errors(theirs, [ours], fs).missed
    # What was found need only lie near a mark: one of both at the edge has its mate outside.
    wrong = _errors(ours, [marked[f"{wave} peak"]], fs).missed
    return Presence(theirs.size, theirs.size - missed, wrong)


def _errors(marked: NDArray[np.float64], found: Sequence[NDArray[np.float64]], fs: float) -> Errors:
    """Return the smallest error over the leads of each mark that has one within the tolerance."""
    best = np.full(marked.size, np.inf)
    for places in found:
        if places.size:
            away = places[np.newaxis] - marked[:, np.newaxis]
            nearest = away[np.arange(marked.size), np.abs(away).argmin(axis=1)]
            best = np.where(np.abs(nearest) < np.abs(best), nearest, best)
    return Errors(best / fs * 1000)
