"""How near the onsets, peaks and ends of P, QRS and T are to those that experts marked.

LUDB: every mark of lead II (and of all leads) is matched with the nearest found within 150 ms; mean
and SD over all marks. QTDB (q1c): of two leads, each mark takes the nearer (Martinez et al. 2004);
mean of the record means and mean of the record SDs. Nothing here was fitted to single records; the
two halves of each set are given so that the scatter between recordings can be seen.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.recordings import read_annotations, read_wfdb
from benchmarks.report import Report
from dsp import delineate, find_r_peaks
from dsp.delineation import Delineation

TOLERANCE_S = 0.15
POINTS = ("P on", "P peak", "P off", "QRS on", "QRS off", "T peak", "T off")
LUDB_LEADS = ("i", "ii", "iii", "avr", "avl", "avf", "v1", "v2", "v3", "v4", "v5", "v6")
_WAVES = {24: "P", 1: "QRS", 27: "T"}  # ecgcodes.h
_BEGIN, _END = 39, 40
_AROUND_QTDB_S = 60.0  # the marked stretch is measured with what a strip would have around it

Marks = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of one kind of point in one recording, in ms, found minus marked, and those missed."""

    ms: NDArray[np.float64]
    missed: int


def run(report: Report) -> None:
    """Measure on the recordings that `VITALS_EDGE_DATA` names."""
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        report.say("VITALS_EDGE_DATA names no folder: nothing to measure on.")
        return
    data = Path(folder)
    lead_ii = list(ludb(data, ("ii",)))
    for name, errors in (
        ("LUDB lead II", lead_ii),
        ("LUDB lead II, first half", lead_ii[0::2]),
        ("LUDB lead II, second half", lead_ii[1::2]),
        ("LUDB, all leads", list(ludb(data, LUDB_LEADS))),
    ):
        report.say(f"{name}: ms, mean ± SD over all marks [share found]")
        report.table(POINTS, [[_pooled([one[point] for one in errors]) for point in POINTS]])
    both = list(qtdb(data))
    for name, errors in (("QTDB", both), ("first half", both[0::2]), ("second half", both[1::2])):
        report.say(f"{name}: ms, mean of record means (mean of record SDs) [share found]")
        report.table(POINTS, [[_by_record([one[point] for one in errors]) for point in POINTS]])


def ludb(data: Path, leads: Sequence[str]) -> Iterator[dict[str, Errors]]:
    """Yield per recording and lead what is wrong with each kind of point."""
    for header in sorted((data / "ludb").glob("*.hea"), key=lambda path: int(path.stem)):
        peaks = None
        for lead in leads:
            record = read_wfdb(header, lead, lead)
            if peaks is None:
                peaks = find_r_peaks(read_wfdb(header, "ii", "ii").ecg, record.fs)
            found = _found(delineate(record.ecg, record.fs, peaks))
            marked = marks(header.with_suffix(f".{lead}"))
            yield {point: _errors(marked[point], [found[point]], record.fs) for point in POINTS}


def qtdb(data: Path) -> Iterator[dict[str, Errors]]:
    """Yield per recording what is wrong with each kind of point, the better lead for each mark."""
    for header in sorted((data / "qtdb").glob("*.hea")):
        both = [read_wfdb(header, "q1c", lead) for lead in (0, 1)]
        fs = both[0].fs
        marked = marks(header.with_suffix(".q1c"))
        every = np.concatenate(list(marked.values()))
        begin = max(0, int(every.min() - _AROUND_QTDB_S * fs))
        ecg = np.stack([one.ecg for one in both])[:, begin : int(every.max() + _AROUND_QTDB_S * fs)]
        peaks = find_r_peaks(ecg, fs)
        found = [_found(delineate(lead, fs, peaks)) for lead in ecg]
        yield {
            point: _errors(marked[point] - begin, [one[point] for one in found], fs)
            for point in POINTS
        }


def marks(path: Path) -> Marks:
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


def _found(result: Delineation) -> Marks:
    points = {}
    for name, wave in (("P", result.p), ("QRS", result.qrs), ("T", result.t)):
        for part, samples in (("on", wave.onset), ("peak", wave.peak), ("off", wave.offset)):
            points[f"{name} {part}"] = np.sort(samples[samples >= 0]).astype(np.float64)
    return points


def _errors(marked: NDArray[np.float64], found: Sequence[NDArray[np.float64]], fs: float) -> Errors:
    """Return the smallest error over the leads of each mark that has one within the tolerance."""
    best = np.full(marked.size, np.inf)
    for places in found:
        if places.size:
            away = places[np.newaxis] - marked[:, np.newaxis]
            nearest = away[np.arange(marked.size), np.abs(away).argmin(axis=1)]
            best = np.where(np.abs(nearest) < np.abs(best), nearest, best)
    near = np.abs(best) <= TOLERANCE_S * fs
    return Errors(best[near] / fs * 1000, int((~near).sum()))


def _pooled(errors: Sequence[Errors]) -> str:
    every = np.concatenate([one.ms for one in errors])
    return f"{every.mean():+.1f} ± {every.std():.1f} [{_share(errors)}]"


def _by_record(errors: Sequence[Errors]) -> str:
    each = [one.ms for one in errors if one.ms.size > 1]
    means, spreads = [ms.mean() for ms in each], [ms.std(ddof=1) for ms in each]
    return f"{np.mean(means):+.1f} ({np.mean(spreads):.1f}) [{_share(errors)}]"


def _share(errors: Sequence[Errors]) -> str:
    found, missed = sum(one.ms.size for one in errors), sum(one.missed for one in errors)
    return f"{100 * found / max(1, found + missed):.1f}"
