"""How often a respiration rate is given, how right it is, and whether pulses are found.

Truth is that of virtual patients whose seeds were not used while the constants were chosen: six
troubles, breaths of 9 to 28 a minute, without noise and with mains, muscle and wander, and patients
who do not breathe at all, of whom no rate must be said. One real recording, where
``VITALS_EDGE_DATA`` has it, is measured as well: its pleth and ECG against the rate that its
impedance gives, its pulses against its R peaks.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from benchmarks.report import Report
from drivers.virtual.patient import Patient
from drivers.virtual.physiology.dipole import LEADS
from drivers.virtual.physiology.scenarios import SCENARIOS, Desaturation, Source
from dsp import find_r_peaks, heart_rate, match_beats, pulse_agreement, pulse_peaks
from dsp import respiration_rate as rate_of
from dsp.scoring import BeatScore, pool

SEEDS = range(200, 208)
TROUBLES = ("healthy", "fever", "low-perfusion", "atrial-fibrillation", "ectopy", "paced")
QUIET = "no noise"
NOISY = "mains 20, muscle 18, wander 10 dB"
STILL = "no breath, the same noise"
NOISE = {Source.MAINS: 20.0, Source.MUSCLE: 18.0, Source.WANDER: 10.0}
BEGIN_S, WINDOW_S = 10.0, 40.0
ECG_FS, SLOW_FS = 250.0, 100.0
RIGHT_PER_MIN = 2.0
PULSE_RATES = (25.0, 75.0, 125.0, 500.0)
PULSE_S = 15.0  # of pleth that a rate is compared on
WRONG_SHARE = 1.25

Row = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One patient's signals; `per_min` None who does not breathe."""

    kind: str
    per_min: float | None
    signals: dict[str, tuple[Row, float]]


def run(report: Report) -> None:
    """Report respiration and pulse, of virtual patients and of the recording there is."""
    _virtual_breath(report)
    _virtual_pulse(report)
    folder = os.environ.get("VITALS_EDGE_DATA")
    if folder:
        _recorded(report, Path(folder) / "bidmc" / "bidmc_01_Signals.csv")
    else:
        report.say("VITALS_EDGE_DATA names no folder: no recording of a patient.")


def cases(seeds: range = SEEDS, troubles: tuple[str, ...] = TROUBLES) -> Iterator[Case]:
    """Yield each patient quiet, noisy and without breath."""
    for seed in seeds:
        for trouble in troubles:
            draw = np.random.default_rng([seed, 99])
            breathing = replace(SCENARIOS[trouble], respiration_rate=float(draw.uniform(9, 28)))
            still = replace(breathing, desaturations=(Desaturation(0.0, 500.0, 5.0),))
            for kind, scenario in ((QUIET, breathing), (NOISY, breathing), (STILL, still)):
                yield _case(
                    kind, Patient(seed, scenario, noise={} if kind == QUIET else NOISE), draw
                )


def _case(kind: str, patient: Patient, draw: np.random.Generator) -> Case:
    end = BEGIN_S + WINDOW_S
    impedance = patient.respiration(BEGIN_S, end, SLOW_FS)
    pleth = patient.pleth(BEGIN_S, end, SLOW_FS)
    if kind != QUIET:
        impedance += 0.1 * draw.normal(size=impedance.size)
        pleth += 0.03 * np.ptp(pleth) * draw.normal(size=pleth.size)
    begins = patient.breathing.breaths(BEGIN_S, end)
    signals = {
        "impedance": (impedance, SLOW_FS),
        "pleth": (pleth, SLOW_FS),
        "ecg": (patient.ecg(BEGIN_S, end, ECG_FS)[LEADS.index("II")], ECG_FS),
    }
    return Case(kind, 60 / float(np.mean(np.diff(begins))) if begins else None, signals)


def _virtual_breath(report: Report) -> None:
    said: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    for case in cases():
        for source, (signal, fs) in case.signals.items():
            found = rate_of(signal, fs, source).per_min
            error = None if found is None else found - (case.per_min or 0.0)
            said[source, case.kind].append(error)
    report.say(
        f"Respiration rate of virtual patients, {WINDOW_S:.0f} s each, seeds {SEEDS[0]} to "
        f"{SEEDS[-1]} (held out), {', '.join(TROUBLES)}; 9 to 28 breaths a minute. Right: within "
        f"{RIGHT_PER_MIN:.0f} a minute."
    )
    rows = []
    for (source, kind), every in said.items():
        given = np.array([error for error in every if error is not None])
        right = "-" if kind == STILL else f"{100 * (np.abs(given) <= RIGHT_PER_MIN).mean():.0f}"
        mean = "-" if kind == STILL else f"{np.abs(given).mean():.2f}"
        rows.append((source, kind, len(every), given.size, right, mean))
    report.table(("from", "with", "patients", "rate given", "right %", "mean error /min"), rows)


def _virtual_pulse(report: Report) -> None:
    """Say how many felt pulses are found at each sampling rate."""
    rows = []
    for fs in PULSE_RATES:
        scores, confirmed, contradicted, compared = [], 0, 0, 0
        for seed in SEEDS:
            for trouble in TROUBLES:
                patient = Patient(seed, trouble)
                pleth = patient.pleth(BEGIN_S, BEGIN_S + WINDOW_S, fs)
                truth = [
                    round((pulse.peak_s - BEGIN_S) * fs)
                    for pulse in patient.pulses(BEGIN_S - 2, BEGIN_S + WINDOW_S)
                    if pulse.felt
                ]
                edges = ((-round(9 * fs), round(fs)), (pleth.size - round(fs), 2 * pleth.size))
                scores.append(
                    match_beats(sorted(truth), pulse_peaks(pleth, fs), fs, excluded=edges)
                )
                own = patient.state(BEGIN_S + WINDOW_S).pulse_rate
                last = pleth[-round(PULSE_S * fs) :]
                compared += 1
                confirmed += pulse_agreement(last, fs, own).agrees is True
                contradicted += pulse_agreement(last, fs, WRONG_SHARE * own).agrees is False
        rows.append((f"{fs:g}", *_shares(pool(scores)), confirmed, contradicted, compared))
    report.say(
        "Felt pulses of the same virtual patients (fibrillation and ectopy among them), at their "
        f"crests within 150 ms; and whether the last {PULSE_S:.0f} s confirm the true pulse rate, "
        f"and contradict one {100 * (WRONG_SHARE - 1):.0f} % too high."
    )
    report.table(("Hz", "Se %", "+P %", "confirmed", "contradicted", "of"), rows)


def _shares(score: BeatScore) -> tuple[str, str]:
    return (
        f"{100 * (score.sensitivity or 0):.2f}",
        f"{100 * (score.positive_predictivity or 0):.2f}",
    )


def _recorded(report: Report, path: Path) -> None:
    """Say what a recording of a patient gives; its impedance stands for the truth."""
    fs = 125.0
    columns = np.genfromtxt(path, delimiter=",", skip_header=1)
    impedance, pleth, ecg = columns[:, 1], columns[:, 2], columns[:, 5]
    size = round(WINDOW_S * fs)
    begins = range(0, len(columns) - size + 1, size // 2)
    reference = [rate_of(impedance[at : at + size], fs).per_min for at in begins]
    rows = []
    for source, signal in (("impedance", impedance), ("pleth", pleth), ("ecg", ecg)):
        own = [rate_of(signal[at : at + size], fs, source).per_min for at in begins]
        away = np.array(
            [a - b for a, b in zip(own, reference, strict=True) if a is not None and b is not None]
        )
        rows.append(
            (
                source,
                len(own),
                sum(rate is not None for rate in own),
                f"{100 * (np.abs(away) <= RIGHT_PER_MIN).mean():.0f}" if away.size else "-",
                f"{np.abs(away).mean():.2f}" if away.size else "-",
            )
        )
    report.say(
        f"{path.stem}, stretches of {WINDOW_S:.0f} s, half overlapping; compared with what the "
        "impedance gives, for want of counted breaths:"
    )
    report.table(("from", "stretches", "rate given", "within 2 /min %", "mean error /min"), rows)
    _recorded_pulse(report, pleth, ecg, fs)


def _recorded_pulse(report: Report, pleth: Row, ecg: Row, fs: float) -> None:
    beats = find_r_peaks(ecg, fs)
    rows = []
    for up, down in ((1, 5), (3, 5), (1, 1), (4, 1)):
        rate = fs * up / down
        wave = resample_poly(pleth - pleth[0], up, down)
        at = beats * up / down
        crests = pulse_peaks(wave, rate)
        following = crests[np.minimum(np.searchsorted(crests, at), crests.size - 1)]
        delay = float(np.median((following - at)[following > at]))
        score = match_beats(np.round(at + delay), crests, rate)
        size = round(PULSE_S * rate)
        agree = [
            pulse_agreement(wave[begin : begin + size], rate, _true_rate(at, begin, size, rate))
            for begin in range(0, wave.size - size + 1, size)
        ]
        rows.append(
            (
                f"{rate:g}",
                *_shares(score),
                f"{1e3 * delay / rate:.0f}",
                sum(one.agrees is True for one in agree),
                len(agree),
            )
        )
    report.say(
        "Its pulses against its R peaks, later by the median delay; and stretches of "
        f"{PULSE_S:.0f} s whose pulse rate is that of the ECG. Resampled but for 125 Hz."
    )
    report.table(("Hz", "Se %", "+P %", "delay ms", "agree", "stretches"), rows)


def _true_rate(at: Row, begin: int, size: int, fs: float) -> float | None:
    inside = at[(at >= begin) & (at < begin + size)]
    return heart_rate(inside, fs).per_min
