"""Runs in the environment of the peers: delineates on request, one JSON line in, one out.

``{"peer", "samples": path of a .npy shaped (leads, n), "fs"}`` is answered with ``{"leads": for
each a table of points, name to samples, "seconds"}`` (of the processor), or with ``{"error"}``.
Each peer gets the cleaning and the R peaks its own package makes by default. Nothing of the project
is imported here.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable

import neurokit2
import numpy as np

# "R" is how NeuroKit2 calls the bounds of a QRS complex.
NAMES = {"P": "P", "QRS": "R", "T": "T"}

Points = dict[str, list[int]]
Delineator = Callable[[np.ndarray, int], Points]


def _points(waves: dict[str, list[float]]) -> Points:
    found = {}
    for wave, name in NAMES.items():
        for part, ending in (("on", "Onsets"), ("peak", "Peaks"), ("off", "Offsets")):
            places = np.asarray(waves.get(f"ECG_{name}_{ending}", []), dtype=float)
            found[f"{wave} {part}"] = places[np.isfinite(places)].astype(int).tolist()
    return found


def _delineate(method: str) -> Delineator:
    def delineate(lead: np.ndarray, fs: int) -> Points:
        clean = neurokit2.ecg_clean(lead, fs)
        peaks = neurokit2.ecg_peaks(clean, fs)[1]["ECG_R_Peaks"]
        return _points(neurokit2.ecg_delineate(clean, peaks, fs, method=method)[1])

    return delineate


def _process(lead: np.ndarray, fs: int) -> Points:
    return _points(neurokit2.ecg_process(lead, fs)[1])


PEERS: dict[str, Delineator] = {
    "neurokit2 ecg_process": _process,
    "neurokit2 dwt": _delineate("dwt"),
    "neurokit2 cwt": _delineate("cwt"),
    "neurokit2 prominence": _delineate("prominence"),
}


def answer(request: dict[str, object]) -> dict[str, object]:
    """Delineate all leads of one recording with one peer."""
    leads = np.load(str(request["samples"]))
    delineate = PEERS[str(request["peer"])]
    begin = time.process_time()
    try:
        found = [delineate(lead, int(float(str(request["fs"])))) for lead in leads]
    except Exception as failed:  # noqa: BLE001 -- a peer that fails has found nothing, and it is said
        return {"error": f"{type(failed).__name__}: {failed}"}
    return {"leads": found, "seconds": time.process_time() - begin}


def main() -> None:
    """Answer requests until there are no more."""
    warnings.simplefilter("ignore")
    out, sys.stdout = sys.stdout, sys.stderr  # peers may print
    for line in sys.stdin:
        out.write(json.dumps(answer(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
