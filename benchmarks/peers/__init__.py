"""Ours beside the public detectors: beats found in every set, and time in turn, in one run.

The peers are installed for the run alone, or taken from the interpreter that ``VITALS_EDGE_PEERS``
names. Where ``VITALS_EDGE_DATA`` is not set there is nothing to compare on.
"""

import os
import statistics
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import recordings
from benchmarks.peers.environment import Answer, Peers, peers
from benchmarks.recordings import Recording
from benchmarks.report import Report, median_ratio
from benchmarks.rpeaks import SETS, errors, figures, interval
from dsp import find_r_peaks, match_beats
from dsp.scoring import BeatScore, pool

OURS = "vitals-edge"
FLOOR = "copy of the samples"
YARDSTICK = "sleepecg"
PEERS = (
    YARDSTICK,
    "biosppy hamilton",
    "neurokit2 neurokit",
    "neurokit2 pantompkins1985",
    "neurokit2 khamis2016 (UNSW)",
    "py-ecg-detectors pan_tompkins",
    "wfdb xqrs",
    "wfdb gqrs",
)
QUICK = (YARDSTICK, "neurokit2 pantompkins1985", "neurokit2 neurokit")
ROUNDS = 9
HARDEST = 10


def run(report: Report) -> None:
    """Report accuracy on every set, record by record where we do worst, and the speed."""
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        report.say("VITALS_EDGE_DATA is not set: nothing to compare on.")
        return
    with peers() as others:
        for name, (read, window_s) in SETS.items():
            scores: dict[str, list[BeatScore]] = defaultdict(list)
            names = []
            for record in read(Path(folder)):
                names.append(record.name)
                for detector, answer in _answers(others, record).items():
                    scores[detector].append(_scored(record, answer, window_s))
            _table(report, name, names, scores)
        _speed(report, others, next(iter(recordings.mitdb(Path(folder)))))


def _answers(others: Peers, record: Recording) -> dict[str, Answer]:
    """Return what each detector finds in one recording."""
    others.load(record.ecg)
    return {OURS: _ours(record)} | {peer: others.ask(peer, record.fs) for peer in PEERS}


def _ours(record: Recording) -> Answer:
    begin = time.process_time()
    found = find_r_peaks(record.ecg, record.fs)
    return Answer(found, time.process_time() - begin)


def _scored(record: Recording, answer: Answer, window_s: float) -> BeatScore:
    return match_beats(
        record.beats, answer.beats, record.fs, window_s=window_s, excluded=record.excluded
    )


def _table(report: Report, name: str, names: list[str], scores: dict[str, list[BeatScore]]) -> None:
    """Say what each detector makes of a set, and of the records on which we are wrong most."""
    report.say(f"{name}: {len(names)} records. A peer that fails on a record has missed its beats.")
    ranked = sorted(scores, key=lambda detector: -(pool(scores[detector]).f1 or 0.0))
    report.table(
        (
            "detector",
            "beats",
            "Se %",
            "+P %",
            "F1 %",
            "FP",
            "FN",
            "offset ms",
            "F1 % 50 ms",
            "95 % of F1",
        ),
        [
            (detector, *figures(pool(scores[detector])), interval(scores[detector]))
            for detector in ranked
        ],
    )
    hardest = sorted(range(len(names)), key=lambda at: -errors(scores[OURS][at]))[:HARDEST]
    report.say("False positives and negatives together, in the records with most of ours:")
    report.table(
        ("record", *ranked),
        [(names[at], *(errors(scores[detector][at]) for detector in ranked)) for at in hardest],
    )


def _speed(report: Report, others: Peers, record: Recording) -> None:
    """Say what half an hour costs ours and the quick peers, in turn, in time of the processor."""
    target = np.empty_like(record.ecg)
    seconds: dict[str, list[float]] = defaultdict(list)
    others.load(record.ecg)
    for number in range(ROUNDS + 1):
        taken = {FLOOR: _copied(target, record.ecg), OURS: _ours(record).seconds}
        taken |= {peer: others.ask(peer, record.fs).seconds for peer in QUICK}
        for name, one in taken.items():
            if number:  # the first round loads and warms
                seconds[name].append(one)
    report.say(
        f"{record.ecg.size} samples at {record.fs:.0f} Hz, {ROUNDS} rounds in turn, seconds of the "
        "processor; ratios are medians over the rounds."
    )
    report.table(
        ("detector", "ms", f"x {YARDSTICK}", "x copy"),
        [
            (
                name,
                f"{1e3 * statistics.median(times):.2f}",
                f"{median_ratio(times, seconds[YARDSTICK]):.2f}",
                f"{median_ratio(times, seconds[FLOOR]):.1f}",
            )
            for name, times in seconds.items()
        ],
    )


def _copied(target: NDArray[np.float64], ecg: NDArray[np.float64]) -> float:
    begin = time.process_time()
    np.copyto(target, ecg)
    return time.process_time() - begin
