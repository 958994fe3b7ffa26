"""What the filters do to what matters: ST levels under a wandering line, and mains before a QRS.

Drawn signals, so that the truth is known: beats of 1 mV with an ST segment of -200 to +200 uV,
without and with a wander of breath; triangles of 1 mV and 24 ms with and without mains.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import filtfilt, iirnotch, lfilter

from benchmarks.report import Report
from dsp import EcgFilterStream, clean_ecg, median_beat

FS = 500.0
SECONDS = 30.0
ST_LEVELS_MV = (-0.2, -0.1, 0.1, 0.2)
PQ_S, ST_S = -0.08, 0.13  # from R: where levels are read
HALF = 6  # samples of a triangle: one of 40 ms would hold no 50 Hz at all
NOTCH_Q = 25.0  # 2 Hz wide at 50 Hz
WAYS = ("as it is", "diagnostic", "monitor", "st", "stream, diagnostic", "stream, monitor")

Samples = NDArray[np.float64]


def run(report: Report) -> None:
    """Report errors of ST levels, and what rings."""
    bare, wandering = (_st_errors(wander) for wander in (0.0, 0.3))
    report.say(
        "Largest error of an ST level (-200 to +200 µV, read 130 ms after R against 80 ms before "
        "it) of single beats, and of the median beat, whose wander is a curve through the PQ "
        "levels. Wander: sines of 0.25 and 0.11 Hz of 300 and 150 µV."
    )
    report.table(
        ("filter", "µV without wander", "µV with wander"),
        [(name, f"{bare[name]:.0f}", f"{wandering[name]:.0f}") for name in bare],
    )
    report.say(
        "Mains of 50 Hz. Rings: the most that a way of taking it out adds 20 to 200 ms before and "
        "after a triangle of 1 mV and 24 ms. Left: of a sine of 300 µV at 50.05 Hz."
    )
    report.table(("way", "rings before µV", "rings after µV", "left %"), _mains())


def _st_errors(wander: float) -> dict[str, float]:
    """Return the largest error per filter, in microvolts."""
    worst: dict[str, float] = dict.fromkeys((*WAYS, "median beat"), 0.0)
    for level in ST_LEVELS_MV:
        beats = np.arange(2.0, SECONDS - 2, 0.8)
        drawn = _beats(beats, level)
        t = np.arange(drawn.size) / FS
        line = np.sin(2 * np.pi * 0.25 * t) + 0.5 * np.sin(2 * np.pi * 0.11 * t)
        strip = drawn + wander * line
        peaks = np.round(beats * FS).astype(np.intp)
        truth = _st(drawn, peaks)
        for name in WAYS:
            error = np.abs(_st(_filtered(strip, name), peaks) - truth).max()
            worst[name] = max(worst[name], 1e3 * float(error))
        beat = median_beat(strip, FS, peaks)
        error = abs(float((_st(beat.waves[0], np.array([beat.centre])) - truth[:1])[0]))
        worst["median beat"] = max(worst["median beat"], 1e3 * error)
    return worst


def _filtered(strip: Samples, name: str) -> Samples:
    if name == "as it is":
        return strip
    kind, _, preset = name.partition(", ")
    return EcgFilterStream(FS, preset=preset).push(strip) if preset else clean_ecg(strip, FS, kind)


def _st(ecg: Samples, peaks: NDArray[np.intp]) -> Samples:
    """Return the ST levels against the PQ levels."""
    levels: Samples = ecg[peaks + round(ST_S * FS)] - ecg[peaks + round(PQ_S * FS)]
    return levels


def _beats(beats: Samples, level: float) -> Samples:
    """Draw beats with a flat ST segment of 120 ms and a T wave behind it."""
    t = np.arange(round(SECONDS * FS)) / FS
    ecg = np.zeros(t.size)
    for beat in beats:
        since = t - beat
        ecg += np.exp(-0.5 * (since / 0.011) ** 2)
        ecg += 0.25 * np.exp(-0.5 * ((since - 0.28) / 0.04) ** 2)
        ecg += level / 2 * (np.tanh((since - 0.06) / 0.01) - np.tanh((since - 0.18) / 0.02))
    return ecg


def _mains() -> list[tuple[str, str, str, str]]:
    """Return a row for each way of taking mains out."""
    strip = np.zeros(5000)
    tops = np.arange(300, 5000, 400)
    for top in tops:
        strip[top - HALF : top + HALF + 1] = 1.0 - np.abs(np.arange(-HALF, HALF + 1)) / HALF
    sine = 0.3 * np.sin(2 * np.pi * 50.05 * np.arange(strip.size) / FS)
    notch = iirnotch(50.0, NOTCH_Q, fs=FS)
    ways = {
        "clean_ecg, subtracted": lambda x: clean_ecg(
            x, FS, highpass_hz=0, lowpass_hz=250, mains_hz=50
        ),
        "notch, both ways": lambda x: filtfilt(*notch, x),
        "notch, causal": lambda x: lfilter(*notch, x),
    }
    rows = []
    for name, way in ways.items():
        rings, both = way(strip) - strip, way(strip + sine)
        before, after = (
            1e3 * max(float(np.abs(rings[top + a : top + b]).max()) for top in tops[1:-1])
            for a, b in ((-110, -20), (20, 110))
        )
        left = 100 * np.std((both - way(strip))[1000:-1000]) / np.std(sine)
        rows.append((name, f"{before:.2f}", f"{after:.2f}", f"{left:.1f}"))
    return rows
