"""Runs in the environment of the peers: detects on request, one JSON line in, one out.

``{"peer", "samples": path of a .npy, "fs"}`` is answered with ``{"beats", "seconds"}`` (of the
processor), or with ``{"error"}``. Each peer gets the cleaning its own package recommends for it.
Nothing of the project is imported here.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable

import neurokit2
import numpy as np
from biosppy.signals import ecg as biosppy_ecg
from biosppy.signals import tools
from ecgdetectors import Detectors
from sleepecg import detect_heartbeats
from wfdb.processing import gqrs_detect, xqrs_detect

ADC_GAIN = 200.0  # units per millivolt: gqrs works on converter units

Detector = Callable[[np.ndarray, float], np.ndarray]


def _sleepecg(ecg: np.ndarray, fs: float) -> np.ndarray:
    return detect_heartbeats(ecg, fs)


def _neurokit(method: str, clean: str | None) -> Detector:
    def detect(ecg: np.ndarray, fs: float) -> np.ndarray:
        signal = ecg if clean is None else neurokit2.ecg_clean(ecg, int(fs), method=clean)
        return neurokit2.ecg_peaks(signal, int(fs), method=method)[1]["ECG_R_Peaks"]

    return detect


def _hamilton(ecg: np.ndarray, fs: float) -> np.ndarray:
    band = tools.filter_signal(
        signal=ecg,
        ftype="FIR",
        band="bandpass",
        order=int(0.3 * fs),
        frequency=[3, 45],
        sampling_rate=fs,
    )["signal"]
    found = biosppy_ecg.hamilton_segmenter(signal=band, sampling_rate=fs)["rpeaks"]
    return biosppy_ecg.correct_rpeaks(signal=band, rpeaks=found, sampling_rate=fs, tol=0.05)[
        "rpeaks"
    ]


def _gqrs(ecg: np.ndarray, fs: float) -> np.ndarray:
    units = np.round(ecg * ADC_GAIN)
    return gqrs_detect(d_sig=units, fs=fs, adc_gain=ADC_GAIN, adc_zero=0)


def _xqrs(ecg: np.ndarray, fs: float) -> np.ndarray:
    return xqrs_detect(ecg, fs, verbose=False)


def _pan_tompkins(ecg: np.ndarray, fs: float) -> np.ndarray:
    return np.asarray(Detectors(fs).pan_tompkins_detector(ecg))


PEERS: dict[str, Detector] = {
    "sleepecg": _sleepecg,
    "biosppy hamilton": _hamilton,
    "neurokit2 neurokit": _neurokit("neurokit", "neurokit"),
    "neurokit2 pantompkins1985": _neurokit("pantompkins1985", "pantompkins1985"),
    "neurokit2 khamis2016 (UNSW)": _neurokit("khamis2016", None),
    "py-ecg-detectors pan_tompkins": _pan_tompkins,
    "wfdb xqrs": _xqrs,
    "wfdb gqrs": _gqrs,
}


def answer(request: dict[str, object]) -> dict[str, object]:
    """Detect the beats of one recording with one peer."""
    ecg = np.load(str(request["samples"]))
    detect = PEERS[str(request["peer"])]
    begin = time.process_time()
    try:
        found = np.unique(np.asarray(detect(ecg, float(str(request["fs"]))), dtype=np.int64))
    except Exception as failed:  # noqa: BLE001 -- a peer that fails has found nothing, and it is said
        return {"error": f"{type(failed).__name__}: {failed}"}
    return {"beats": found.tolist(), "seconds": time.process_time() - begin}


def main() -> None:
    """Answer requests until there are no more."""
    warnings.simplefilter("ignore")
    out, sys.stdout = sys.stdout, sys.stderr  # peers may print
    for line in sys.stdin:
        out.write(json.dumps(answer(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
