"""Read the annotated recordings that accuracy is measured on, from a folder the caller names.

WFDB headers, signal formats 16 and 212, annotation files (`.atr` and the like), and the MATLAB 4
files of the 2019 challenge. Source: WFDB Applications Guide, header(5), signal(5), annot(5).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from dsp.scoring import LEARNING_S

# ecgcodes.h: the codes that stand for a QRS complex (a flutter wave, 31, does not).
BEAT_CODES = frozenset({*range(1, 14), 25, 30, 34, 35, 38, 41})
FLUTTER_BEGINS, FLUTTER_ENDS = 32, 33
PACED = frozenset({"102", "104", "107", "217"})  # of MIT-BIH
_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One lead with its reference beats; an `excluded` span (half-open) is not scored."""

    name: str
    fs: float
    ecg: NDArray[np.float64]
    beats: NDArray[np.intp]
    excluded: tuple[tuple[int, int], ...] = ()


def read_wfdb(header: Path, annotator: str, lead: str | int = 0) -> Recording:
    """Read one lead of a record in physical units and the beats of one annotation file."""
    lines = [line for line in header.read_text().splitlines() if line and line[0] != "#"]
    n_signals, fs = int(lines[0].split()[1]), float(lines[0].split()[2].split("/")[0])
    specs = [line.split() for line in lines[1 : n_signals + 1]]
    at = lead if isinstance(lead, int) else [spec[8].lower() for spec in specs].index(lead)
    gain, zero = _gain(specs[at])
    raw = _samples(header.parent / specs[at][0], specs[at][1], n_signals)[at]
    codes, places = read_annotations(header.with_suffix("." + annotator))
    ons = places[codes == FLUTTER_BEGINS]
    offs = places[codes == FLUTTER_ENDS]
    return Recording(
        name=header.stem,
        fs=fs,
        ecg=(raw - zero) / gain,
        beats=places[np.isin(codes, list(BEAT_CODES))],
        excluded=tuple((int(a), int(b)) for a, b in zip(ons, offs, strict=False)),
    )


def read_annotations(path: Path) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the codes and the sample positions of an annotation file."""
    words = np.frombuffer(path.read_bytes(), dtype="<u2").tolist()
    codes, places = [], []
    at, now = 0, 0
    while at < len(words) and words[at] != 0:
        code, step = words[at] >> 10, words[at] & 0x3FF
        at += 1
        if code == _SKIP:
            jump = (words[at] << 16) | words[at + 1]
            now += jump - (1 << 32) if jump & 0x80000000 else jump
            at += 2
        elif code == _AUX:
            at += (step + 1) // 2
        elif code not in {_NUM, _SUB, _CHN}:
            now += step
            codes.append(code)
            places.append(now)
    return np.array(codes, dtype=np.intp), np.array(places, dtype=np.intp)


def mitdb(data: Path) -> Iterator[Recording]:
    """MIT-BIH Arrhythmia Database, channel 0."""
    for header in sorted((data / "mitdb").glob("*.hea")):
        yield read_wfdb(header, "atr")


def qtdb(data: Path) -> Iterator[Recording]:
    """QT Database, channel 0, with reference beats, without the excerpts of MIT-BIH records."""
    for header in sorted((data / "qtdb").glob("*.hea")):
        if header.with_suffix(".atr").exists() and not re.fullmatch(r"sel[12]\d\d", header.stem):
            yield read_wfdb(header, "atr")


def ludb(data: Path) -> Iterator[Recording]:
    """Lobachevsky University Database, lead II; beats are its annotated QRS peaks."""
    for header in sorted((data / "ludb").glob("*.hea"), key=lambda path: int(path.stem)):
        record = read_wfdb(header, "ii", lead="ii")
        # Annotators left out the first and the last cycle: what lies there is not an error.
        first, last = int(record.beats[0]), int(record.beats[-1])
        margin = round(0.15 * record.fs)
        outside = ((0, first - margin), (last + margin + 1, record.ecg.size))
        yield Recording(record.name, record.fs, record.ecg, record.beats, outside)


def cpsc2021(data: Path, lead: int = 0) -> Iterator[Recording]:
    """China Physiological Signal Challenge 2021 (atrial fibrillation), lead I or (1) II."""
    for header in sorted((data / "cpsc2021").glob("*.hea")):
        yield read_wfdb(header, "atr", lead)


def both_leads(data: Path, folder: str) -> Iterator[Recording]:
    """Read the records of a folder with their first two leads, (2, n)."""
    for header in sorted((data / folder).glob("*.hea")):
        one, two = read_wfdb(header, "atr", 0), read_wfdb(header, "atr", 1)
        yield Recording(one.name, one.fs, np.stack([one.ecg, two.ecg]), one.beats, one.excluded)


def mitdb_ec57(data: Path) -> Iterator[Recording]:
    """MIT-BIH as EC57 scores it: five minutes to learn from, and without the paced records."""
    for record in mitdb(data):
        if record.name not in PACED:
            excluded = ((0, round(LEARNING_S * record.fs)), *record.excluded)
            yield Recording(record.name, record.fs, record.ecg, record.beats, excluded)


def cpsc2019(data: Path) -> Iterator[Recording]:
    """China Physiological Signal Challenge 2019: hard single-lead strips of 10 s at 500 Hz."""
    for path in sorted((data / "cpsc2019").glob("data_*.mat")):
        truth = loadmat(path.with_name(path.name.replace("data_", "R_")))["R_peak"]
        ecg = np.asarray(loadmat(path)["ecg"], dtype=np.float64).ravel()
        beats = np.asarray(truth, dtype=np.intp).ravel()
        # The challenge does not score the first and the last half second.
        yield Recording(path.stem, 500.0, ecg, beats, ((0, 250), (ecg.size - 250, ecg.size)))


def with_muscle_noise(data: Path, snr_db: float) -> Iterator[Recording]:
    """MIT-BIH records with electrode muscle noise, 2 min on and 2 min off after a clean 5 min.

    The signal's power is the peak-to-peak of its QRS complexes, squared and divided by 8, as in the
    noise stress test; only the noisy parts are scored.
    """
    noise = read_signal(data / "nstdb" / "ma.hea")
    for record in mitdb(data):
        spans = noisy_spans(record)
        scale = np.sqrt(_power(record) / noise.var() / 10 ** (snr_db / 10))
        clean = [(0, spans[0][0])]
        clean += [(b, c) for (_, b), (c, _) in pairwise(spans)]
        clean.append((spans[-1][1], record.ecg.size))
        yield Recording(
            record.name,
            record.fs,
            _with_noise(record, scale * noise),
            record.beats,
            (*clean, *record.excluded),
        )


def with_electrode_motion(data: Path, snr_db: float) -> Iterator[Recording]:
    """MIT-BIH records other than 118 with the electrode motion of record 118e_6, mixed as there.

    The noise is what 118e_6 has over 118, which has 6 dB less signal than noise.
    """
    stressed = read_wfdb(data / "nstdb" / "118e_6.hea", "atr")
    bare = read_wfdb(data / "mitdb" / "118.hea", "atr")
    n = min(stressed.ecg.size, bare.ecg.size)
    noise = stressed.ecg[:n] - bare.ecg[:n]
    for record in mitdb(data):
        if record.name != bare.name:
            scale = np.sqrt(_power(record) / _power(bare) / 10 ** ((snr_db + 6) / 10))
            ecg = _with_noise(record, scale * noise)
            yield Recording(record.name, record.fs, ecg, record.beats, record.excluded)


def noisy_spans(record: Recording) -> list[tuple[int, int]]:
    """Return where the noise stress test adds noise: 2 of every 4 min after the first five."""
    fs = record.fs
    begins = range(int(300 * fs), record.ecg.size, int(240 * fs))
    return [(begin, min(begin + int(120 * fs), record.ecg.size)) for begin in begins]


def _with_noise(record: Recording, noise: NDArray[np.float64]) -> NDArray[np.float64]:
    ecg = record.ecg.copy()
    for begin, end in noisy_spans(record):
        part = noise[begin:end]
        ecg[begin : begin + part.size] += part
    return ecg


def _power(record: Recording) -> float:
    """Return the signal's power as the noise stress test has it."""
    half = round(0.05 * record.fs)
    inner = record.beats[(record.beats > half) & (record.beats < record.ecg.size - half)]
    swings = [np.ptp(record.ecg[beat - half : beat + half]) for beat in inner[:300]]
    return float(np.median(swings)) ** 2 / 8


def read_signal(header: Path) -> NDArray[np.float64]:
    """Return channel 0 of a record without annotations, in units of its converter."""
    lines = header.read_text().splitlines()
    spec = lines[1].split()
    return _samples(header.parent / spec[0], spec[1], int(lines[0].split()[1]))[0]


def _gain(spec: list[str]) -> tuple[float, float]:
    """Return converter units per millivolt and the converter's zero; header(5)."""
    found = re.match(r"([-\d.e+]+)(?:\((-?\d+)\))?", spec[2])
    if found is None:
        raise ValueError(f"gain {spec[2]!r} is not one")
    gain = float(found[1]) or 200.0
    return gain, float(found[2] if found[2] is not None else spec[4])


def _samples(path: Path, spelled: str, n_signals: int) -> NDArray[np.float64]:
    """Return all signals of one file, (signals, n)."""
    form, _, offset = spelled.partition("+")
    data = path.read_bytes()[int(offset or 0) :]
    if form.split("x")[0] == "16":
        flat = np.frombuffer(data, dtype="<i2").astype(np.float64)
    elif form == "212":
        bytes_ = np.frombuffer(data[: len(data) // 3 * 3], dtype=np.uint8).astype(np.int16)
        low, mid, high = bytes_[0::3], bytes_[1::3], bytes_[2::3]
        both = np.stack([low | ((mid & 0x0F) << 8), high | ((mid & 0xF0) << 4)], axis=1).ravel()
        flat = np.where(both > 2047, both - 4096, both).astype(np.float64)
    else:
        raise ValueError(f"{path.name}: signal format {spelled} is not read here")
    return flat[: flat.size // n_signals * n_signals].reshape(-1, n_signals).T.copy()
