"""Which RR intervals are said not to be of sinus rhythm, beside the beat types experts gave.

MIT-BIH, channel 0, minute by minute, from the reference beats: an interval is ectopic when either
of its beats is premature, ventricular, escaped or fused, and of sinus rhythm when both are normal
or of bundle branch block. Records with fibrillation are told apart: there the beats are called
normal and the intervals are not of sinus rhythm all the same.
"""

import os
from pathlib import Path

import numpy as np

from benchmarks.recordings import BEAT_CODES, read_annotations, read_wfdb
from benchmarks.report import Report
from dsp import median_beat, rr_series

MINUTE_S = 60.0
# ecgcodes.h
CONDUCTED = (1, 2, 3)
ECTOPIC = (4, 5, 6, 7, 8, 9, 10, 11)
FIBRILLATING = frozenset({"201", "202", "203", "210", "217", "219", "221", "222"})


def run(report: Report) -> None:
    """Report what is marked, by rhythm alone and with the shapes of the beats."""
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        report.say("VITALS_EDGE_DATA names no folder: nothing to measure on.")
        return
    counts = {shaped: np.zeros(4, dtype=np.intp) for shaped in (False, True)}
    for header in sorted((Path(folder) / "mitdb").glob("*.hea")):
        if header.stem not in FIBRILLATING:
            for shaped in counts:
                counts[shaped] += _of_record(header, shaped=shaped)
    report.say("MIT-BIH without the records of fibrillation: RR intervals, minute by minute.")
    report.table(
        ("told by", "ectopic", "of these marked %", "of sinus rhythm", "of these kept %"),
        [
            (
                "interval and shape" if shaped else "interval alone",
                ectopic,
                f"{100 * marked / ectopic:.1f}",
                sinus,
                f"{100 * kept / sinus:.1f}",
            )
            for shaped, (ectopic, marked, sinus, kept) in counts.items()
        ],
    )


def _of_record(header: Path, *, shaped: bool) -> np.ndarray:
    """Return ectopic intervals, those marked, sinus intervals, those kept."""
    record = read_wfdb(header, "atr")
    codes, places = read_annotations(header.with_suffix(".atr"))
    beats = np.isin(codes, list(BEAT_CODES))
    places, first = np.unique(places[beats], return_index=True)
    codes = codes[beats][first]
    total = np.zeros(4, dtype=np.intp)
    size = round(MINUTE_S * record.fs)
    for begin in range(0, record.ecg.size, size):
        inside = (places >= begin) & (places < begin + size)
        at, kind = places[inside] - begin, codes[inside]
        usual = None
        if shaped:
            usual = median_beat(record.ecg[begin : begin + size], record.fs, at).used
        sinus = rr_series(at, record.fs, usual).sinus
        ectopic = np.isin(kind, ECTOPIC)
        conducted = np.isin(kind, CONDUCTED)
        touched = ectopic[1:] | ectopic[:-1]
        pure = conducted[1:] & conducted[:-1]
        total += (touched.sum(), (touched & ~sinus).sum(), pure.sum(), (pure & sinus).sum())
    return total
