"""What a resting ECG costs from samples to waves: ours, the least it could cost, and NeuroKit2.

Twelve leads, 10 s, 500 Hz: cleaned, R peaks, a median beat of each lead, waves. All contestants run
once in every round, in turn, in time of the processor; ratios are medians over the rounds. The
floor is what any such work must do at least: five second-order sections both ways over all leads
(high-pass, low-pass of the fourth order, a notch), one envelope over the leads and its peaks, and
the median over the beats of each lead.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, find_peaks, iirnotch, sosfiltfilt, tf2sos

from benchmarks.peers.environment import peers
from benchmarks.recordings import read_wfdb
from benchmarks.report import Report, median_ratio
from benchmarks.wave_marks import LUDB_LEADS
from drivers.virtual.patient import Patient
from drivers.virtual.physiology.dipole import LEADS
from dsp import clean_ecg, delineate, find_r_peaks, measure_ecg, median_beat

FS = 500.0
STRIP_S = 10.0
ROUNDS = 15
PEERS = ("neurokit2 ecg_process", "neurokit2 prominence")
FLOOR = "floor"
PER_BEAT = "clean, R, median beats, every wave of every beat"
RESTING = "clean, R, median beats, waves of these, intervals"

Leads = NDArray[np.float64]


def run(report: Report) -> None:
    """Report the time of each stage and of the whole, beside floor and peers."""
    ecg = _strip()
    stages = _stages(ecg)
    seconds: dict[str, list[float]] = {name: [] for name in (*stages, *PEERS)}
    with peers("waves_worker.py") as others:
        others.load(ecg)
        for number in range(ROUNDS + 1):
            taken = {name: _seconds(stage) for name, stage in stages.items()}
            taken |= {peer: float(others.reply(peer, FS)["seconds"]) for peer in PEERS}
            for name, one in taken.items():
                if number:  # the first round loads and warms
                    seconds[name].append(one)
    beats = find_r_peaks(ecg, FS).size
    report.say(
        f"{len(ecg)} leads, {ecg.shape[1]} samples, {beats} beats; {ROUNDS} rounds in turn, "
        "processor time, one thread."
    )
    report.table(
        ("what", "ms", "x floor", "ecg_process is slower by"),
        [
            (
                name,
                f"{1e3 * statistics.median(times):.2f}",
                f"{median_ratio(times, seconds[FLOOR]):.1f}",
                f"{median_ratio(seconds[PEERS[0]], times):.0f}",
            )
            for name, times in seconds.items()
        ],
    )


def _stages(ecg: Leads) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name; the whole twice: for every beat, and for a resting ECG."""
    peaks = find_r_peaks(ecg, FS)

    def per_beat() -> None:
        found = find_r_peaks(ecg, FS)
        clean_ecg(ecg, FS)
        median_beat(ecg, FS, found)
        delineate(ecg, FS, found)

    def resting() -> None:
        clean_ecg(ecg, FS)
        measure_ecg(ecg, FS, LEADS)

    return {
        FLOOR: _floor(ecg),
        "clean_ecg": lambda: clean_ecg(ecg, FS),
        "find_r_peaks": lambda: find_r_peaks(ecg, FS),
        "median_beat": lambda: median_beat(ecg, FS, peaks),
        "delineate": lambda: delineate(ecg, FS, peaks),
        "measure_ecg": lambda: measure_ecg(ecg, FS, LEADS),
        PER_BEAT: per_beat,
        RESTING: resting,
    }


def _floor(ecg: Leads) -> Callable[[], object]:
    """Return the least there is to do."""
    sections = np.concatenate(
        [
            butter(2, 0.5, "high", fs=FS, output="sos"),
            butter(4, 150, "low", fs=FS, output="sos"),
            tf2sos(*iirnotch(50, 30, fs=FS)),
            tf2sos(*iirnotch(100, 30, fs=FS)),
        ]
    )
    beats = np.arange(300, ecg.shape[1] - 400, 400)
    columns = beats[:, np.newaxis] + np.arange(-250, 376)

    def floor() -> None:
        clean = sosfiltfilt(sections, ecg, axis=-1)
        envelope = np.sqrt(np.square(np.diff(clean, axis=-1)).mean(axis=0))
        find_peaks(envelope, distance=125)
        np.median(clean[:, columns], axis=1)

    return floor


def _seconds(stage: Callable[[], object]) -> float:
    begin = time.process_time()
    stage()
    return time.process_time() - begin


def _strip() -> Leads:
    """Return a strip of LUDB where `VITALS_EDGE_DATA` has one, else of the virtual patient."""
    folder = os.environ.get("VITALS_EDGE_DATA")
    if folder:
        header = Path(folder) / "ludb" / "1.hea"
        return np.stack([read_wfdb(header, lead, lead).ecg for lead in LUDB_LEADS])
    return Patient(1, "healthy").ecg(0.0, STRIP_S, FS)
