"""ECGs of the virtual patient with their truth, as files that other tools read.

`ecg.csv` has the time in seconds and twelve leads in microvolts, a gap is an empty field.
`truth.json` is all that is true of it. A WFDB record is `ecg.hea`, `ecg.dat` (format 16, a
microvolt a step, -32768 is a gap) and `ecg.atr`; `annotations.csv` has the same marks as text:
where each wave begins, `(`, has its peak, `p`, the beat's type or `t`, and ends, `)`.

Source: WFDB applications guide, header(5), signal(5), annot(5).
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from drivers.virtual.patient import Patient
from drivers.virtual.physiology.beats import BeatType
from drivers.virtual.physiology.dipole import LEAD_VECTORS, LEADS, MEASURED, VISIBLE_UV
from drivers.virtual.physiology.heart import BeatTruth
from drivers.virtual.physiology.signals import Floats

RULES: Mapping[str, str] = MappingProxyType(
    {
        "boundaries": f"a wave begins and ends where the magnitude of its own dipole first and last"
        f" exceeds {VISIBLE_UV:g} uV",
        "peaks": "the extremum of lead II of the wave alone; R is that of QRS, whatever its sign",
        "axis": "of the net area of QRS in leads I and aVF, atan2(2 aVF / sqrt 3, I)",
        "snr": "in lead II: power of a sine as high as QRS peak to peak over mean square of noise",
    }
)
GAP = -32768
_WFDB_CODES: Mapping[str, int] = MappingProxyType(
    {"N": 1, "V": 5, "/": 12, "p": 24, "t": 27, "(": 39, ")": 40}
)
_WFDB_SKIP = 59
_AROUND_S = 1.0  # a beat whose R peak lies outside of a strip may have a wave in it


@dataclass(frozen=True, slots=True)
class Mark:
    """A WFDB annotation."""

    sample: int
    symbol: str


@dataclass(frozen=True, slots=True)
class SimulatedEcg:
    """A strip from second 0 on; `microvolts` is (12, n) in the order of `LEADS`, NaN a gap."""

    patient: Patient
    seconds: float
    fs: float
    microvolts: Floats
    beats: tuple[BeatTruth, ...]


def simulate(patient: Patient, seconds: float, fs: float) -> SimulatedEcg:
    """Record a patient; ValueError for a rate or a length that cannot be."""
    return SimulatedEcg(
        patient, seconds, fs, patient.ecg(0.0, seconds, fs), patient.beat_truth(0.0, seconds)
    )


def truth(strip: SimulatedEcg) -> dict[str, Any]:
    """Return what is true of a strip, in plain values; times in seconds from its first sample."""
    patient, scenario = strip.patient, strip.patient.scenario
    middle = patient.state(strip.seconds / 2)
    types = [beat.type.value for beat in strip.beats]
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": patient.seed,
        "seconds": strip.seconds,
        "fs": strip.fs,
        "leads": LEADS,
        "unit": "uV",
        "rules": dict(RULES),
        "noise_snr_db": dict(patient.noise),
        "heart_rate": mean_rate(strip.beats),
        "qrs_axis_deg": _middle_axis(strip.beats),
        "beat_types": {kind.value: types.count(kind.value) for kind in BeatType},
        "beats": [_beat(beat, strip.fs) for beat in strip.beats],
        "pulses": [
            {name: _rounded(getattr(pulse, name)) for name in ("r_s", "foot_s", "peak_s")}
            for pulse in patient.pulses(0.0, strip.seconds)
            if pulse.felt
        ],
        "breaths_s": [_rounded(at_s) for at_s in patient.breathing.breaths(0.0, strip.seconds)],
        "electrodes_off": [
            {"electrode": electrode, "from_s": begin, "until_s": end}
            for electrode, (begin, end) in scenario.electrodes_off
        ],
        "motion_s": scenario.motion,
        "state": {
            each.name: _rounded(getattr(middle, each.name))
            for each in fields(middle)
            if isinstance(getattr(middle, each.name), float)
        },
        "parameters": _parameters(patient),
    }


def mean_rate(beats: tuple[BeatTruth, ...]) -> float | None:
    """Return the beats per minute between the first and the last R peak, None of fewer than two."""
    if len(beats) < 2:
        return None
    return round(60 * (len(beats) - 1) / (beats[-1].r_s - beats[0].r_s), 2)


def csv_text(strip: SimulatedEcg) -> str:
    """Return `ecg.csv`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time_s", *LEADS])
    for number, row in enumerate(np.round(strip.microvolts.T, 2) + 0.0):
        values = ["" if np.isnan(value) else f"{value:.2f}" for value in row]
        writer.writerow([f"{number / strip.fs:.6f}", *values])
    return out.getvalue()


def marks(strip: SimulatedEcg) -> list[Mark]:
    """Return the annotations in the order of time, those outside the strip left out."""
    found = []
    for beat in strip.patient.beat_truth(-_AROUND_S, strip.seconds + _AROUND_S):
        waves = ((beat.p, "p"), (beat.qrs, beat.type.value), (beat.t, "t"))
        for wave, symbol in waves:
            if wave is not None:
                found += [
                    Mark(round(wave.onset_s * strip.fs), "("),
                    Mark(round(wave.peak_s * strip.fs), symbol),
                    Mark(round(wave.offset_s * strip.fs), ")"),
                ]
    inside = [mark for mark in found if 0 <= mark.sample < strip.microvolts.shape[1]]
    return sorted(inside, key=lambda mark: mark.sample)


def marks_csv(strip: SimulatedEcg) -> str:
    """Return `annotations.csv`."""
    rows = [f"{mark.sample / strip.fs:.6f},{mark.sample},{mark.symbol}" for mark in marks(strip)]
    return "\n".join(["time_s,sample,symbol", *rows]) + "\n"


def wfdb_files(strip: SimulatedEcg) -> dict[str, bytes]:
    """Return the files of a WFDB record called `ecg`, by name."""
    limited = np.clip(np.rint(strip.microvolts), GAP + 1, -GAP - 1)
    samples = np.where(np.isnan(limited), GAP, limited).astype("<i2")
    lines = [f"ecg {len(LEADS)} {strip.fs:g} {samples.shape[1]}"]
    for name, row in zip(LEADS, samples, strict=True):
        total = int(row.astype(np.int64).sum()) & 0xFFFF
        checksum = total - 0x10000 if total >= 0x8000 else total
        first = int(row[0]) if row.size else 0
        lines.append(f"ecg.dat 16 1000/mV 16 0 {first} {checksum} 0 {name}")
    lines.append("# simulated; there is no patient")
    return {
        "ecg.hea": ("\n".join(lines) + "\n").encode("ascii"),
        "ecg.dat": samples.T.tobytes(),
        "ecg.atr": _annotations(marks(strip)),
        "annotations.csv": marks_csv(strip).encode("ascii"),
    }


def _annotations(found: list[Mark]) -> bytes:
    """Return marks in WFDB's binary form: a code and the samples since the mark before."""
    out, before = bytearray(), 0
    for mark in found:
        step, before = mark.sample - before, mark.sample
        if step > 1023:
            out += (_WFDB_SKIP << 10).to_bytes(2, "little")
            out += (step >> 16).to_bytes(2, "little") + (step & 0xFFFF).to_bytes(2, "little")
            step = 0
        out += (_WFDB_CODES[mark.symbol] << 10 | step).to_bytes(2, "little")
    return bytes(out) + b"\0\0"


def _beat(beat: BeatTruth, fs: float) -> dict[str, Any]:
    return {
        "r_s": _rounded(beat.r_s),
        "r_sample": round(beat.r_s * fs),
        "rr_s": _rounded(beat.rr_s),
        "type": beat.type.value,
        "axis_deg": round(beat.axis_deg, 2),
        "spike_s": None if beat.spike_s is None else _rounded(beat.spike_s),
        **{
            name: None
            if wave is None
            else {f.name: _rounded(getattr(wave, f.name)) for f in fields(wave)}
            for name, wave in (("p", beat.p), ("qrs", beat.qrs), ("t", beat.t))
        },
    }


def _parameters(patient: Patient) -> dict[str, Any]:
    """Return the model: every kernel of every beat type that occurs, and the lead vectors."""
    shapes = {}
    for kind, shape in patient.heart.morphologies.items():
        shapes[kind.value] = {
            name: {
                "rr_power": wave.power,
                "kernels": [
                    {f.name: round(getattr(kernel, f.name), 6) for f in fields(kernel)}
                    for kernel in wave.kernels
                ],
            }
            for name in ("p", "spike", "qrs", "t")
            if (wave := getattr(shape, name)) is not None
        }
    vectors = dict(zip(MEASURED, LEAD_VECTORS, strict=True))
    person = {f.name: getattr(patient.person, f.name) for f in fields(patient.person)}
    return {"person": person, "lead_vectors": vectors, "kernels": shapes}


def _middle_axis(beats: tuple[BeatTruth, ...]) -> float | None:
    """Return the median axis of the beats that the patient's own rhythm leads."""
    own = [beat.axis_deg for beat in beats if beat.type is not BeatType.PVC]
    return round(float(np.median(own)), 2) if own else None


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
