"""What is withheld of the beats that electrode motion makes, and how much good goes with it.

Record 118e_6 of the noise stress database, on which the likeness asked for was chosen, and the same
noise on the other records of MIT-BIH, which had no say in it.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import recordings
from benchmarks.recordings import Recording
from benchmarks.report import Report
from dsp import beat_quality, find_r_peaks
from dsp.scoring import MATCH_WINDOW_S

SNRS_DB = (-6, 0, 6)


def run(report: Report) -> None:
    """Report what `beat_quality` withholds and keeps, of one lead."""
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        report.say("VITALS_EDGE_DATA is not set: nothing to judge.")
        return
    data = Path(folder)
    rows = [("118e_6, -6 dB (fitted)", *_shares([_counts(_stressed(data))]))]
    for snr_db in SNRS_DB:
        counts = [_counts(record) for record in recordings.with_electrode_motion(data, snr_db)]
        rows.append((f"{len(counts)} other records, {snr_db:+d} dB", *_shares(counts)))
    report.say(
        "Electrode motion added to one lead for 2 of every 4 min. Wrong: what is found in those "
        "and is no beat. Clean: what is found outside them, ectopic beats included."
    )
    report.table(
        ("record", "wrong beats", "withheld %", "clean beats kept %", "right ones in noise kept %"),
        rows,
    )


def _stressed(data: Path) -> Recording:
    return recordings.read_wfdb(data / "nstdb" / "118e_6.hea", "atr")


def _counts(record: Recording) -> list[int]:
    """Return wrong beats and those withheld, clean ones and kept, right ones in noise and kept."""
    found = find_r_peaks(record.ecg, record.fs)
    usable = beat_quality(record.ecg, record.fs, found).usable
    right = np.abs(found[:, np.newaxis] - _nearest(record.beats, found)).min(axis=1)
    right = right <= MATCH_WINDOW_S * record.fs
    noisy = _inside(found, recordings.noisy_spans(record))
    scored = ~_inside(found, record.excluded)
    wrong, clean, buried = scored & noisy & ~right, scored & ~noisy, scored & noisy & right
    sets = (wrong, wrong & ~usable, clean, clean & usable, buried, buried & usable)
    return [int(np.count_nonzero(one)) for one in sets]


def _nearest(beats: NDArray[np.intp], places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the reference beats before and after each place, (places, 2)."""
    after = np.clip(np.searchsorted(beats, places), 1, beats.size - 1)
    return np.stack([beats[after - 1], beats[after]], axis=1)


def _inside(places: NDArray[np.intp], spans: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Say which places lie in any of the spans."""
    inside = np.zeros(places.size, dtype=bool)
    for begin, end in spans:
        inside |= (places >= begin) & (places < end)
    return inside


def _shares(counts: list[list[int]]) -> tuple[str, ...]:
    """Write the counts of several records, added up."""
    wrong, withheld, clean, kept, buried, saved = np.sum(counts, axis=0).tolist()
    pairs = ((withheld, wrong), (kept, clean), (saved, buried))
    return str(wrong), *(f"{100 * part / whole:.1f}" if whole else "-" for part, whole in pairs)
