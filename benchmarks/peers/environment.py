"""The peers, in an environment of their own that is thrown away, spoken to over a pipe."""

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
READY_MADE = "VITALS_EDGE_PEERS"  # an interpreter that has the peers already, to save the minutes


@dataclass(frozen=True, slots=True)
class Answer:
    """What one peer found in one recording, and the seconds of processor it took."""

    beats: NDArray[np.intp]
    seconds: float
    error: str = ""


class Peers:
    """Asks the worker; samples go through a file that is written once a recording."""

    def __init__(self, worker: "subprocess.Popen[str]", folder: Path) -> None:
        self._worker = worker
        self._samples = folder / "samples.npy"

    def load(self, ecg: NDArray[np.float64]) -> None:
        """Make this the recording the next questions are about."""
        np.save(self._samples, ecg)

    def reply(self, peer: str, fs: float) -> dict[str, Any]:
        """Return what the worker says of one peer and the recording loaded."""
        request = {"peer": peer, "samples": str(self._samples), "fs": fs}
        to, back = _pipes(self._worker)
        to.write(json.dumps(request) + "\n")
        to.flush()
        answered: dict[str, Any] = json.loads(back.readline())
        return answered

    def ask(self, peer: str, fs: float) -> Answer:
        """Let one peer find the beats of the recording loaded."""
        reply = self.reply(peer, fs)
        if "error" in reply:
            return Answer(np.empty(0, dtype=np.intp), float("nan"), reply["error"])
        return Answer(np.array(reply["beats"], dtype=np.intp), reply["seconds"])


@contextmanager
def peers(worker_name: str = "worker.py", wanted: str = "requirements.txt") -> Iterator[Peers]:
    """Install what is wanted into a folder of its own, run a worker there, and remove both."""
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        folder = Path(name)
        python = os.environ.get(READY_MADE) or _installed(folder / "venv", wanted)
        worker = subprocess.Popen(
            [python, str(HERE / worker_name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        try:
            yield Peers(worker, folder)
        finally:
            to, back = _pipes(worker)
            to.close()
            back.close()
            worker.wait()


def _installed(folder: Path, wanted: str) -> str:
    """Return the interpreter of a fresh environment that has the peers."""
    print("Installing the peers into an environment of their own ...", file=sys.stderr)
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-r", str(HERE / wanted)], check=True)
    return python


def _pipes(worker: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    if worker.stdin is None or worker.stdout is None:
        raise RuntimeError("the worker was started without pipes")
    return worker.stdin, worker.stdout
