"""One ECG file of any supported format: what it holds, as text, JSON or CSV, or in another format.

Leads that are not stored but follow from I and II are derived, and marked so. Who the patient is is
told only with --with-patient; a converted file keeps it, as the record of one person.
"""

import argparse
import csv
import io
import json
import math
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from drivers.errors import FormatError, SettingsError
from drivers.formats import FORMATS, MAX_BYTES, Format, format_of
from drivers.model import EcgRecording

STDIN = "-"
OWNER_ONLY = 0o600  # an ECG is patient data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", metavar="FILE", help="an ECG file, or - for stdin")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--csv", metavar="OUT", type=Path, help="write time in seconds and all leads in microvolts"
    )
    parser.add_argument(
        "--convert",
        metavar="OUT",
        type=Path,
        help=f"write it, patient included, in the format of this suffix: {_suffixes()}",
    )
    parser.add_argument(
        "--measure", action="store_true", help="tell rate, intervals and axes computed here, too"
    )
    parser.add_argument("--with-patient", action="store_true", help="tell who the patient is, too")


def run(args: argparse.Namespace) -> int:
    """Read the file and do what is asked with it."""
    target = _target(args.convert) if args.convert else None
    for out in filter(None, (args.csv, args.convert)):
        _not_the_original(out, args.file)
    source, recording = _recording(args.file)
    contents = {}
    if args.csv:
        contents[args.csv] = _csv(recording.standard_leads()).encode()
    if target:
        contents[args.convert] = target.load().encode(recording)
    for out, content in contents.items():
        _write(out, content)
    if contents and not args.json:
        return 0
    said = _said(source, recording, with_patient=args.with_patient)
    if args.measure:
        said["computed"] = _computed(recording)
    if args.json:
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    else:
        sys.stdout.writelines(f"{name:14} {_plain(value)}\n" for name, value in said.items())
    return 0


def _suffixes() -> str:
    return ", ".join(sorted(known.suffix for known in FORMATS.values() if known.suffix))


def _target(out: Path) -> Format:
    for known in FORMATS.values():
        if known.suffix == out.suffix.lower():
            return known
    raise SettingsError(f"--convert {out}: the suffix says the format, one of {_suffixes()}")


def _not_the_original(out: Path, name: str) -> None:
    if name != STDIN and out.exists() and out.samefile(name):
        raise SettingsError(f"{out} is the file that is read; write to another one")


def _recording(name: str) -> tuple[Format, EcgRecording]:
    data = _read(sys.stdin.buffer) if name == STDIN else _read_file(Path(name))
    try:
        source = format_of(data)
        return source, source.load().read(data)
    except FormatError as error:
        raise FormatError(f"{name}: {error.reason}", error.offset) from error


def _read_file(path: Path) -> bytes:
    with path.open("rb") as stream:
        return _read(stream)


def _read(stream: BinaryIO) -> bytes:
    """Return no more than is needed to see that a file is too long."""
    return stream.read(MAX_BYTES + 1)


def _write(out: Path, content: bytes) -> None:
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _csv(recording: EcgRecording) -> str:
    """Return a row a sample; a gap is an empty field."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["time_s", *recording.leads])
    for number, sample in enumerate(recording.microvolts.T.tolist()):
        values = ["" if math.isnan(value) else f"{value:.10g}" for value in sample]
        rows.writerow([f"{number / recording.fs:.6f}", *values])
    return text.getvalue()


def _said(source: Format, recording: EcgRecording, *, with_patient: bool) -> dict[str, object]:
    """Return what the file holds but its samples."""
    samples = recording.microvolts.shape[1]
    device = asdict(recording.device) if recording.device else {}
    derived = [name for name in recording.standard_leads().leads if name not in recording.leads]
    said: dict[str, object] = {
        "format": source.title,
        "leads": list(recording.leads),
        "derived": derived,
        "fs": recording.fs,
        "n": samples,
        "duration_s": samples / recording.fs,
        "acquired": recording.acquired.isoformat() if recording.acquired else None,
        "device": {name: device.get(name) for name in ("model", "serial", "firmware")},
        "filters": list(recording.filters),
        "measurements": dict(recording.measurements),
        "statements": list(recording.statements),
        "sha256": recording.original_sha256,
    }
    if with_patient:
        said["patient"] = asdict(recording.patient)
        said["order"] = recording.order
    return said


def _computed(recording: EcgRecording) -> dict[str, object]:
    """Return what is measured here, and for what is not, why; never the cart's word."""
    from edge.analysis_study import computed  # noqa: PLC0415 - only this needs scipy

    found = computed(recording.standard_leads())
    return dict(found.ours) | ({"missing": dict(found.reasons)} if found.reasons else {})


def _plain(value: object) -> str:
    """Return a value for a person's eyes."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {said}" for name, said in value.items() if said) or "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
