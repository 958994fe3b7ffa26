"""Runs in the environment of the peers: reads ECG files on request, one JSON line in, one out.

``{"peer", "samples": path of a .npy of bytes, "fs"}`` is answered with ``{"seconds"}`` (of the
processor) and ``{"sums": for each lead label its count of samples, their sum and maximum}``, or
with ``{"error"}``. Nothing of the project is imported here.
"""

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

Sums = dict[str, tuple[int, float, float]]


def _ecgdatakit() -> Callable[[str], Sums]:
    from ecgdatakit import FileParser  # noqa: PLC0415 - each peer may be absent

    def read(path: str) -> Sums:
        leads = FileParser().parse(path).leads
        return {lead.label: _sums(np.asarray(lead.samples, dtype=float)) for lead in leads}

    return read


def _biosig() -> Callable[[str], Sums]:
    import biosig  # noqa: PLC0415 - the same

    def read(path: str) -> Sums:
        data = np.asarray(biosig.data(path), dtype=float)
        return {f"{at}": _sums(column) for at, column in enumerate(data.T)}

    return read


PEERS: dict[str, Callable[[], Callable[[str], Sums]]] = {
    "ecgdatakit": _ecgdatakit,
    "biosig": _biosig,
}


def _sums(samples: np.ndarray) -> tuple[int, float, float]:
    return int(samples.size), float(samples.sum()), float(samples.max())


def answer(request: dict[str, object], folder: Path) -> dict[str, object]:
    """Read one file with one peer."""
    path = folder / "file.scp"
    path.write_bytes(np.load(str(request["samples"])).tobytes())
    try:
        read = PEERS[str(request["peer"])]()
        begin = time.process_time()
        sums = read(str(path))
    except Exception as failed:  # noqa: BLE001 -- a peer that fails has read nothing, and it is said
        return {"error": f"{type(failed).__name__}: {failed}"}
    return {"sums": sums, "seconds": time.process_time() - begin}


def main() -> None:
    """Answer requests until there are no more."""
    warnings.simplefilter("ignore")
    out, sys.stdout = sys.stdout, sys.stderr  # peers may print
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            out.write(json.dumps(answer(json.loads(line), Path(folder))) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
