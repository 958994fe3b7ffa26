"""How many R peaks are found, where, how soon, and what that costs beside the least it could.

The annotated recordings are looked for where ``VITALS_EDGE_DATA`` points; without them only speed
is measured, on a drawn recording. The floors are a copy of the samples, and one second-order
band-pass over them, with which most detectors begin.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from benchmarks import recordings
from benchmarks.recordings import Recording
from benchmarks.report import Report, interleaved, median_ratio
from benchmarks.stretches import STRETCH_S, Stretch, drawn, worst_stretch
from dsp import RPeakStream, find_r_peaks, match_beats
from dsp.scoring import BeatScore, f1_interval, pool

FS = 360.0
HALF_HOUR = 650_000  # samples: what the records of MIT-BIH have
BLOCK_S = 0.1
ROUNDS = 9
WORST = 8
FIGURES = ("beats", "Se %", "+P %", "F1 %", "FP", "FN", "offset ms", "F1 % 50 ms", "95 % of F1")

Sets = dict[str, tuple[Callable[[Path], Iterable[Recording]], float]]

SETS: Sets = {
    "MIT-BIH, channel 0": (recordings.mitdb, 0.150),
    "QTDB, channel 0": (recordings.qtdb, 0.150),
    "LUDB, lead II": (recordings.ludb, 0.150),
    "CPSC 2021, lead I": (recordings.cpsc2021, 0.150),
    "CPSC 2021, lead II": (lambda data: recordings.cpsc2021(data, 1), 0.150),
    "CPSC 2019, 75 ms": (recordings.cpsc2019, 0.075),
    "MIT-BIH, muscle noise +12 dB": (lambda data: recordings.with_muscle_noise(data, 12), 0.150),
    "MIT-BIH, muscle noise +6 dB": (lambda data: recordings.with_muscle_noise(data, 6), 0.150),
    "MIT-BIH, muscle noise 0 dB": (lambda data: recordings.with_muscle_noise(data, 0), 0.150),
}
# Scored as well, but not by the peers: they read one lead, and the first minutes cost them nothing.
MORE_SETS: Sets = {
    "MIT-BIH, EC57: after 5 min, not paced": (recordings.mitdb_ec57, 0.150),
    "MIT-BIH, both channels": (lambda data: recordings.both_leads(data, "mitdb"), 0.150),
    "CPSC 2021, both leads": (lambda data: recordings.both_leads(data, "cpsc2021"), 0.150),
}
ALL_RECORDS = ("MIT-BIH, channel 0", "CPSC 2021, lead I", "CPSC 2021, lead II")
UNTOUCHED = tuple(SETS)[:6]  # without added noise
PICTURES = 10


def run(report: Report) -> None:
    """Report accuracy on every set there is, then speed."""
    folder = os.environ.get("VITALS_EDGE_DATA")
    if folder:
        _accuracy(report, Path(folder))
        strip = next(iter(recordings.mitdb(Path(folder)))).ecg[:HALF_HOUR]
    else:
        report.say("VITALS_EDGE_DATA is not set: no accuracy, and speed on a drawn recording.")
        strip = _drawn()
    _speed(report, strip)
    _latency(report, strip)
    _footprint(report)


def _accuracy(report: Report, data: Path) -> None:
    """Say the gross figures of every set, record by record where it matters, and draw the worst."""
    rows, records, stretches = [], [], list[Stretch]()
    for name, (read, window_s) in (SETS | MORE_SETS).items():
        scores = []
        for record in read(data):
            found = find_r_peaks(record.ecg, record.fs)
            scores.append((record.name, _score(record, found, window_s)))
            worst = worst_stretch(name, record, found, window_s) if name in UNTOUCHED else None
            stretches += [worst] if worst else []
        every = [score for _, score in scores]
        rows.append((name, len(scores), *figures(pool(every)), interval(every)))
        records += [(name, *_line(record, score)) for record, score in _shown(name, scores)]
    report.say(
        "Beats found, matched one to one within 150 ms as bxb does, ventricular flutter left out; "
        "all beats of a set weigh the same. Offset: detected minus annotated."
    )
    report.table(("set", "records", *FIGURES), rows)
    report.say("Record by record: all of MIT-BIH and CPSC 2021, of the other sets the worst.")
    report.table(("set", "record", "beats", "Se %", "+P %", "FP", "FN"), records)
    stretches.sort(key=lambda stretch: -stretch.errors)
    report.say(f"The worst stretches of {STRETCH_S:.0f} s, one a record, our marks below:")
    for nth, stretch in enumerate(stretches[:PICTURES]):
        report.picture(stretch.title, f"rpeaks-{nth}.svg", drawn(stretch))


def _shown(name: str, scores: list[tuple[str, BeatScore]]) -> list[tuple[str, BeatScore]]:
    """Return the records of a set that get a line of their own."""
    if name in ALL_RECORDS:
        return scores
    return [
        one for one in sorted(scores, key=lambda one: -errors(one[1]))[:WORST] if errors(one[1])
    ]


def _line(record: str, score: BeatScore) -> Iterator[str]:
    yield record
    yield str(score.true_positives + score.false_negatives)
    for share in (score.sensitivity, score.positive_predictivity):
        yield "-" if share is None else f"{100 * share:.2f}"
    yield str(score.false_positives)
    yield str(score.false_negatives)


def _score(record: Recording, found: NDArray[np.intp], window_s: float) -> BeatScore:
    return match_beats(record.beats, found, record.fs, window_s=window_s, excluded=record.excluded)


def errors(score: BeatScore) -> int:
    """Return how many beats are missed or made up."""
    return score.false_positives + score.false_negatives


def figures(score: BeatScore) -> Iterator[str]:
    """Write one line of the table: counts, shares, offsets."""
    yield str(score.true_positives + score.false_negatives)
    for share in (score.sensitivity, score.positive_predictivity, score.f1):
        yield "-" if share is None else f"{100 * share:.2f}"
    yield str(score.false_positives)
    yield str(score.false_negatives)
    yield f"{1e3 * score.offsets_s.mean():+.1f} ± {1e3 * score.offsets_s.std():.1f}"
    # A match within 150 ms that is not one within 50 ms is an error on both sides.
    far = int((np.abs(score.offsets_s) > 0.050).sum())
    close = score.true_positives - far
    yield f"{100 * 2 * close / (2 * close + errors(score) + 2 * far):.2f}"


def interval(scores: list[BeatScore]) -> str:
    """Write the bounds of the F1, had other records been drawn."""
    bounds = f1_interval(scores)
    return "-" if bounds is None else f"{100 * bounds[0]:.2f} to {100 * bounds[1]:.2f}"


def _speed(report: Report, strip: NDArray[np.float64]) -> None:
    """Say what half an hour costs, whole and in blocks, beside the floors."""
    sections = butter(2, (5, 15), "bandpass", fs=FS, output="sos")
    target = np.empty_like(strip)
    contestants: dict[str, Callable[[], object]] = {
        "copy of the samples": lambda: np.copyto(target, strip),
        "one band-pass (sosfilt)": lambda: sosfilt(sections, strip),
        "find_r_peaks": lambda: find_r_peaks(strip, FS),
        "RPeakStream, 100 ms blocks": lambda: list(_streamed(strip)),
    }
    seconds = interleaved(ROUNDS, contestants, time.process_time)
    copy, filtered, *_ = seconds.values()
    block = _per_block(seconds["RPeakStream, 100 ms blocks"], strip)
    report.say(
        f"{strip.size} samples, one lead; processor time, medians of {ROUNDS} rounds in turn. A "
        f"block of 100 ms of the stream takes {block:.0f} µs."
    )
    report.table(
        ("what", "ms", "x copy", "x band-pass"),
        [
            (
                name,
                f"{1e3 * statistics.median(times):.2f}",
                f"{median_ratio(times, copy):.1f}",
                f"{median_ratio(times, filtered):.2f}",
            )
            for name, times in seconds.items()
        ],
    )


def _latency(report: Report, strip: NDArray[np.float64]) -> None:
    """Say how long after its peak a beat is given out, in blocks of 100 ms."""
    waits = np.array([(end - at) / FS for end, at in _streamed(strip)])
    middle, late, longest = np.quantile(waits, (0.5, 0.95, 1.0))
    report.say(
        f"From R peak to answer in blocks of 100 ms: median {middle:.2f} s, 95 % within "
        f"{late:.2f} s, longest {longest:.2f} s (the first beats wait for the levels)."
    )


def _footprint(report: Report) -> None:
    """Say what loading the detector costs, beside numpy alone."""
    rows = []
    for name, program in (
        ("numpy", "import numpy as np; np.zeros(2500)"),
        ("dsp", "import dsp, numpy as np; dsp.find_r_peaks(np.zeros(2500), 250.0)"),
    ):
        runs = [_measured(program) for _ in range(ROUNDS)]
        seconds, kilobytes = (statistics.median(column) for column in zip(*runs, strict=True))
        rows.append((name, f"{1e3 * seconds:.0f}", f"{kilobytes / 1024:.0f}"))
    report.say("A fresh process, to the end of its first ten seconds of ECG:")
    report.table(("imported", "processor ms", "peak RSS MB"), rows)


def _measured(program: str) -> list[float]:
    """Return processor seconds and the peak of resident kilobytes of a Python that runs this."""
    program += (
        "\nimport re, time; status = open('/proc/self/status').read()"
        "\nprint(time.process_time(), re.search(r'VmHWM:\\s+(\\d+)', status)[1])"
    )
    python = [sys.executable, "-c", program]
    done = subprocess.run(python, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def _streamed(strip: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
    """Yield for each beat how many samples had been pushed, and its place."""
    stream = RPeakStream(FS)
    size = round(BLOCK_S * FS)
    for begin in range(0, strip.size, size):
        for at in stream.push(strip[begin : begin + size]).tolist():
            yield begin + size, at
    for at in stream.flush().tolist():
        yield strip.size, at


def _per_block(times: list[float], strip: NDArray[np.float64]) -> float:
    return 1e6 * statistics.median(times) / (strip.size / round(BLOCK_S * FS))


def _drawn() -> NDArray[np.float64]:
    """Draw half an hour of a regular rhythm with noise; its beats are not scored."""
    t = np.arange(HALF_HOUR) / FS
    phase = t % 0.8 - 0.3
    waves = ((0.0, 0.011, 1.1), (0.03, 0.01, -0.2), (0.27, 0.045, 0.3))
    beat = sum(high * np.exp(-0.5 * ((phase - at) / wide) ** 2) for at, wide, high in waves)
    return np.asarray(beat + 0.02 * np.random.default_rng(0).normal(size=t.size))
