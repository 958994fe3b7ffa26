"""The reference record system: files results exactly once, knows patients, rooms and people.

Without --list it serves a broker until it is told to stop; results are durable before they are
receipted. With --list it prints what it holds, read back from what was filed.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from drivers.errors import SettingsError
from edge.logs import log_to_stderr
from edge.record.filing import Filing, HeldEcg
from edge.record.misbehaviour import MODES
from edge.record.mqtt import broker_at
from edge.record.program import Options, serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--store", required=True, type=Path, metavar="FILE", help="the record")
    parser.add_argument("--broker", metavar="URL", help="mqtt://localhost:1883, or mqtts://...")
    parser.add_argument("--register", type=Path, metavar="FILE", help="patients, people and rooms")
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="who signed the broker's certificate"
    )
    parser.add_argument("--cert", type=Path, metavar="FILE", help="our own certificate")
    parser.add_argument("--key", type=Path, metavar="FILE", help="its private key")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="of the URL's user")
    parser.add_argument("--client-id", default="record-system", metavar="NAME")
    parser.add_argument("--share", metavar="GROUP", help="share the work with others of this name")
    parser.add_argument(
        "--accept-demo", action="store_true", help="file results of demonstrations and replays too"
    )
    parser.add_argument("--list", action="store_true", help="print the hubs and values it holds")
    parser.add_argument("--json", action="store_true", help="with --list: JSON lines")
    parser.add_argument(
        "--misbehave-to-test-hubs",
        choices=sorted(MODES),
        metavar="MODE",
        help=f"never in a clinic, only with --accept-demo: {', '.join(sorted(MODES))}",
    )


def run(args: argparse.Namespace) -> int:
    """Serve, or list."""
    if args.list:
        return _list(args.store, as_json=args.json)
    if args.broker is None or args.register is None:
        raise SettingsError("record-system: give --broker URL and --register FILE, or --list")
    if args.misbehave_to_test_hubs and not args.accept_demo:
        raise SettingsError("--misbehave-to-test-hubs is for demonstrations: add --accept-demo")
    if bool(args.cert) != bool(args.key):
        raise SettingsError("give --cert and --key together")
    log_to_stderr()
    broker = broker_at(
        args.broker,
        ca=args.ca,
        certificate=(args.cert, args.key) if args.cert else None,
        password_file=args.password_file,
    )
    options = Options(
        broker=broker,
        store=args.store,
        register=args.register,
        client_id=args.client_id,
        group=args.share,
        accept_demo=args.accept_demo,
    )
    mode = args.misbehave_to_test_hubs
    serve(options, MODES[mode]() if mode else None)
    return 0


def _list(store: Path, *, as_json: bool) -> int:
    if not store.exists():
        raise SettingsError(f"record {store}: there is no such file")
    filing = Filing(store)
    try:
        for hub in filing.hubs():
            told = msgspec.structs.asdict(hub)
            _print(_json("hub", told) if as_json else f"hub {hub.site}/{hub.hub}: {hub.state}")
        for result in filing.results() if as_json else ():
            _print(_json("result", msgspec.structs.asdict(result)))
        for value in filing.values():
            told = msgspec.structs.asdict(value)
            _print(_json("value", told) if as_json else _line(told))
        for ecg in filing.ecgs():
            told = msgspec.structs.asdict(ecg)
            _print(_json("ecg", told) if as_json else _ecg_line(ecg))
    finally:
        filing.close()
    return 0


def _ecg_line(ecg: HeldEcg) -> str:
    said = " / ".join(ecg.statements)
    if ecg.samples_sha256:
        said = f"{len(ecg.leads)} leads, {ecg.n} samples at {ecg.fs:g} Hz"
    elif ecg.file_sha256:
        said = f"{ecg.bytes} bytes, sha256 {ecg.file_sha256}"
    withdrawn = "  (withdrawn)" if ecg.withdrawn else ""
    return f"{ecg.kind}  {ecg.subject}  study {ecg.study[:12]}  {said}{withdrawn}"


def _json(kind: str, told: dict[str, object]) -> str:
    return msgspec.json.encode({"type": kind, **told}).decode()


def _line(told: dict[str, object]) -> str:
    shown = f"{told['value']:g} {told['unit']}" if told["value"] is not None else told["status"]
    withdrawn = "  (withdrawn)" if told["withdrawn"] else ""
    return (
        f"{told['time']}  {told['subject']}  {told['metric']}  {shown}  {told['origin']}  "
        f"{told['site']}/{told['hub']}{withdrawn}"
    )


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
