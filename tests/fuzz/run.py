"""Fuzz every decoder and every reader of ECG files: no bytes may break their laws.

    python tests/fuzz/run.py --seconds 600
    python tests/fuzz/run.py --seconds 60 --decoder nonin
    python tests/fuzz/run.py --decoder nonin --input build/fuzz/nonin-1f2e3d
    python tests/fuzz/run.py --seconds 60 --decoder ecg-scp

The corpus is what fixtures hold, virtual instruments say and encoders write. Where atheris is
installed it guides the search by coverage of the decoder; elsewhere inputs are mutated at random
from a seed. Prints what was executed; exit code 1 if an input broke a law, which is then written
down.
"""

import argparse
import hashlib
import random
import re
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import numpy as np

from drivers.errors import FormatError
from drivers.formats import FORMATS
from drivers.model import EcgRecording, Skipped
from drivers.registry import REGISTRY, Entry
from drivers.transports.capture_file import load_case

ROOT = Path(__file__).resolve().parents[2]
CAPTURES = ROOT / "fixtures" / "captures"
FINDINGS = ROOT / "build" / "fuzz"
MAX_INPUT = 2048
HEAD = 2
VIRTUAL_S = 10
FOUND = 1
FORMAT = "ecg-"  # before the name of a file format
STREAMS = sorted(
    name for name, entry in REGISTRY.items() if not (entry.is_gatt or entry.leaves_files)
)
NAMES = STREAMS + [f"{FORMAT}{name}" for name in sorted(FORMATS)]


class Target:
    """One decoder; of an input the first byte chooses settings, the second the size of chunks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entry: Entry = REGISTRY[name]
        self.bound: int = self.entry.protocol_module().MAX_PENDING
        self.cases = [
            load_case(toml.parent) for toml in sorted(CAPTURES.glob(f"{name}/*/case.toml"))
        ]
        tables: list[dict[str, object]] = [{}]
        tables += [x.case.options for x in self.cases if x.case.options not in tables]
        self.tables = tables

    def corpus(self) -> Iterator[bytes]:
        """Yield inputs of at most MAX_INPUT bytes."""
        for loaded in self.cases:
            head = bytes([self.tables.index(loaded.case.options), 7])
            yield from (head + piece for piece in _pieces(loaded.recording.received))
        for seed in range(3):
            virtual = self.entry.simulator()(seed)
            said = b"".join(virtual.due(tick / 10) for tick in range(1, VIRTUAL_S * 10 + 1))
            yield from (b"\0\7" + piece for piece in _pieces(said))

    def check(self, fuzzed: bytes) -> None:
        """Raise AssertionError, or whatever the decoder raises, if a law is broken."""
        if len(fuzzed) < HEAD:
            return
        options, size, data = self.tables[fuzzed[0] % len(self.tables)], fuzzed[1], fuzzed[HEAD:]
        whole = self._decoded(options, [data])
        items, pending = whole
        out = b"".join(x.data if isinstance(x, Skipped) else x.raw for x in items) + pending
        assert sorted(out) == sorted(data), "bytes were lost or made up"
        chunks = [data[at : at + max(1, size)] for at in range(0, len(data), max(1, size))]
        assert self._decoded(options, chunks) == whole, "chunking changes what is decoded"

    def _decoded(self, options: dict[str, object], pieces: list[bytes]) -> tuple[list, bytes]:
        decoder = self.entry.decoder(options)
        items: list = []
        for piece in pieces:
            for item in decoder.feed(piece):
                if items and isinstance(item, Skipped) and isinstance(items[-1], Skipped):
                    items[-1] = Skipped(items[-1].data + item.data)
                else:
                    items.append(item)
            assert len(decoder.pending) <= self.bound, "more is pending than MAX_PENDING"
        return items, bytes(decoder.pending)


def _scp_oracle() -> dict:
    return runpy.run_path(str(ROOT / "tests" / "test_drivers" / "scp_oracle.py"))


def _scp_files() -> list[bytes]:
    oracle = _scp_oracle()
    return [oracle["record"](oracle["everything"](), version=version) for version in (10, 20, 30)]


class FormatTarget:
    """One reader of ECG files; the first byte of an input says whether checksums are put right."""

    # By format: files that its own writer never makes, and what puts checksums right.
    FILES = MappingProxyType({"scp": _scp_files})
    SEALS = MappingProxyType({"scp": lambda: _scp_oracle()["resealed"]})

    def __init__(self, name: str) -> None:
        self.name = name
        self.known = FORMATS[name.removeprefix(FORMAT)]
        self.module = self.known.load()
        own = name.removeprefix(FORMAT)
        self.files = self.FILES.get(own, list)()
        self.seal = self.SEALS.get(own, lambda: bytes)()

    def corpus(self) -> Iterator[bytes]:
        """Yield inputs of at most MAX_INPUT bytes."""
        files = list(self.files)
        if self.known.suffix:
            waves = np.arange(60.0).reshape(2, 30)
            files.append(self.module.encode(EcgRecording(("I", "II"), 500.0, waves, None, "00")))
        yield from (head + data for data in files for head in (b"\0\0", b"\1\0"))

    def check(self, fuzzed: bytes) -> None:
        """Raise AssertionError, or whatever the reader raises, if a law is broken."""
        data = self.seal(fuzzed[HEAD:]) if fuzzed[:1] > b"\0" else fuzzed[HEAD:]
        try:
            recording = self.module.read(data)
        except FormatError as error:
            placed = bool(error.reason) and 0 <= error.offset <= len(data)
        else:
            placed = True
            self._sound(recording)
        assert placed, "an error without a reason or at no place in the file"

    def _sound(self, recording: EcgRecording) -> None:
        assert recording.microvolts.shape[0] == len(recording.leads), "leads without samples"
        assert not recording.microvolts.flags.writeable, "samples that can be changed"


def target_of(name: str) -> Target | FormatTarget:
    """Return what is fuzzed under this name."""
    return FormatTarget(name) if name.startswith(FORMAT) else Target(name)


def _pieces(data: bytes) -> Iterator[bytes]:
    size = MAX_INPUT - HEAD
    yield from (data[at : at + size] for at in range(0, min(len(data), 4 * size), size))


def main() -> int:
    """Fuzz the decoders asked for, one after another, for their share of the time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="for all decoders together")
    parser.add_argument("--decoder", choices=NAMES, help="this one alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--input", type=Path, help="try this input again (with --decoder)")
    parser.add_argument("--guided", type=Path, help=argparse.SUPPRESS)  # our own sub-process
    args = parser.parse_args()
    if args.input or args.guided:
        if args.decoder is None:
            parser.error("--decoder says whose input it is")
        return _guided_here(args) if args.guided else _again(args.decoder, args.input)
    names = [args.decoder] if args.decoder else NAMES
    fuzz = _guided if find_spec("atheris") else _mutated
    share = args.seconds / len(names)
    return max([fuzz(name, share, args.seed) for name in names], default=0)


def _again(name: str, path: Path) -> int:
    target_of(name).check(path.read_bytes())
    sys.stdout.write(f"{name}: {path} breaks no law\n")
    return 0


def _mutated(name: str, seconds: float, seed: int) -> int:
    """Mutate the corpus at random until the time is over."""
    target, chance = target_of(name), random.Random(seed)
    corpus = list(target.corpus()) or [b"\0\7"]
    runs, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        fuzzed = _mutation(chance, corpus)
        runs += 1
        try:
            target.check(fuzzed)
        except Exception as error:  # noqa: BLE001 - whatever escapes a decoder is the finding
            path = _written(name, fuzzed)
            sys.stdout.write(f"{name}: {type(error).__name__}: {error}; the input is {path}\n")
            return FOUND
    sys.stdout.write(f"{name}: {runs} inputs mutated from {len(corpus)}, seed {seed}: none found\n")
    return 0


def _mutation(chance: random.Random, corpus: list[bytes]) -> bytes:
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.randint(1, 8)):
        at = chance.randint(0, len(data))
        match chance.randrange(5):
            case 0:
                data[at:at] = chance.randbytes(chance.randint(1, 8))
            case 1:
                del data[at : at + chance.randint(1, 40)]
            case 2 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 3:
                other = chance.choice(corpus)
                begin = chance.randint(0, len(other))
                data[at:at] = other[begin : begin + chance.randint(1, 600)]
            case _ if at < len(data):
                data[at] = chance.choice(b"\x00\x01\x02\x03\x06\x0d\x15\x7f\x80\xfe\xff")
    return bytes(data[:MAX_INPUT])


def _written(name: str, fuzzed: bytes) -> Path:
    FINDINGS.mkdir(parents=True, exist_ok=True)
    path = FINDINGS / f"{name}-{hashlib.sha256(fuzzed).hexdigest()[:12]}"
    path.write_bytes(fuzzed)
    return path


def _guided(name: str, seconds: float, seed: int) -> int:
    """Run atheris, which never returns, in a process of its own."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--guided", folder, "--decoder", name]
        command += ["--seconds", str(max(1, round(seconds))), "--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    runs = re.search(r"Done (\d+) runs", done.stderr)
    if done.returncode == 0 and runs:
        cover = re.findall(r"cov: (\d+)", done.stderr)
        covered = f", {cover[-1]} edges covered" if cover else ""
        sys.stdout.write(f"{name}: {runs[1]} inputs by atheris, seed {seed}{covered}: none found\n")
        return 0
    sys.stdout.write(f"{done.stdout}{done.stderr}\n{name}: an input broke a law, see above\n")
    return FOUND


def _guided_here(args: argparse.Namespace) -> int:
    """Instrument the decoder and let atheris search; it ends the process itself."""
    import atheris  # noqa: PLC0415 - not on every platform

    with atheris.instrument_imports(include=["drivers.protocols", "drivers.formats"]):
        target = target_of(args.decoder)
    for number, data in enumerate(target.corpus()):
        (args.guided / str(number)).write_bytes(data)
    flags = [f"-max_total_time={args.seconds:.0f}", f"-seed={args.seed}", f"-max_len={MAX_INPUT}"]
    flags += [f"-artifact_prefix={FINDINGS}/{args.decoder}-", "-timeout=60"]
    atheris.Setup([sys.argv[0], *flags, str(args.guided)], target.check)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
