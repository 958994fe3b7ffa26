"""ECGs of a virtual patient, twelve leads, with everything that is true of them.

Writes ecg.csv (seconds, then twelve leads in microvolts) and truth.json (R peaks, types of beats,
where each wave begins and ends, rates, axes, all parameters); with --format wfdb also a WFDB record
with annotations. The same arguments give the same files. Nobody's ECG: every value is made up.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from drivers.errors import SettingsError
from drivers.virtual.ecg_files import csv_text, mean_rate, simulate, truth, wfdb_files
from drivers.virtual.patient import Patient
from drivers.virtual.physiology.scenarios import SCENARIOS, Source

LONGEST_S = 3600.0
RATES_HZ = (50.0, 4000.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--scenario",
        default="healthy",
        metavar="NAME",
        help=f"what is the matter: {', '.join(SCENARIOS)}",
    )
    parser.add_argument("--seconds", type=float, default=10.0, metavar="N", help="how long")
    parser.add_argument("--fs", type=float, default=500.0, metavar="HZ", help="sampling rate")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which patient")
    parser.add_argument(
        "--noise",
        action="append",
        default=[],
        metavar="NAME=SNR_DB",
        help=f"add noise, may be repeated: {', '.join(Source)}; NAME=off takes a scenario's away",
    )
    parser.add_argument(
        "--mains", type=float, default=50.0, metavar="HZ", help="frequency of the mains"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to write")
    parser.add_argument(
        "--format", choices=("csv", "wfdb"), default="csv", help="wfdb: a WFDB record as well"
    )


def run(args: argparse.Namespace) -> int:
    """Write the files and say on stdout what they hold."""
    strip = simulate(_patient(args), args.seconds, args.fs)
    files = {
        "ecg.csv": csv_text(strip).encode("ascii"),
        "truth.json": msgspec.json.format(msgspec.json.encode(truth(strip)), indent=1) + b"\n",
    }
    if args.format == "wfdb":
        files |= wfdb_files(strip)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (args.out / name).write_bytes(content)
    summary = {
        "type": "simulation",
        "scenario": args.scenario,
        "seed": args.seed,
        "seconds": args.seconds,
        "fs": args.fs,
        "samples": strip.microvolts.shape[1],
        "beats": len(strip.beats),
        "heart_rate": mean_rate(strip.beats),
        "noise_snr_db": strip.patient.noise,
        "folder": str(args.out),
        "files": sorted(files),
    }
    sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    return 0


def _patient(args: argparse.Namespace) -> Patient:
    if not 0 < args.seconds <= LONGEST_S:
        raise SettingsError(f"--seconds {args.seconds:g}: give more than 0, at most {LONGEST_S:g}")
    if not RATES_HZ[0] <= args.fs <= RATES_HZ[1]:
        raise SettingsError(f"--fs {args.fs:g}: give {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz")
    if args.scenario not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        raise SettingsError(f"no scenario is called {args.scenario!r}; known are: {known}")
    if args.seed < 0:
        raise SettingsError(f"--seed {args.seed}: give 0 or more")
    noise = dict(SCENARIOS[args.scenario].noise)
    for pair in args.noise:
        name, _, ratio = pair.partition("=")
        source, snr_db = _source(pair, name), _ratio(pair, ratio)
        noise.pop(source, None)
        if snr_db is not None:
            noise[source] = snr_db
    if Source.MAINS in noise and not 0 < args.mains < args.fs / 2:
        raise SettingsError(f"--mains {args.mains:g}: give more than 0, less than half of --fs")
    return Patient(args.seed, args.scenario, noise=noise, mains_hz=args.mains)


def _source(pair: str, name: str) -> Source:
    try:
        return Source(name)
    except ValueError:
        raise SettingsError(f"--noise {pair}: known are {', '.join(Source)}") from None


def _ratio(pair: str, text: str) -> float | None:
    """Return the ratio in dB, None for off."""
    if text == "off":
        return None
    try:
        snr_db = float(text)
    except ValueError:
        raise SettingsError(f"--noise {pair}: write NAME=SNR_DB, as in mains=20") from None
    if not -60 <= snr_db <= 120:
        raise SettingsError(f"--noise {pair}: give -60 to 120 dB")
    return snr_db
