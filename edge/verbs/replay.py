"""Play recorded cases through the real drivers and the whole hub, and compare what comes out.

A line for every measurement that was journaled, with what became of it; the results must be those
of the files beside the recording, at any speed. Exit code 1 and a diff where they are not.
"""

import argparse
import sys
from pathlib import Path

from drivers.errors import DriverError, SettingsError
from drivers.transports.capture_file import CASE, LoadedCase, load_case
from edge import golden
from edge.decoding import decode_lines
from edge.replay import results_of

CAPTURES = Path("fixtures/captures")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("cases", nargs="*", type=Path, metavar="CASE", help="a case folder")
    parser.add_argument("--all", action="store_true", help=f"every case under {CAPTURES}")
    parser.add_argument(
        "--speed",
        type=float,
        default=0.0,
        metavar="N",
        help="N recorded seconds in a real one; as fast as it goes without",
    )
    parser.add_argument(
        "--update",
        action="store_true",
        help="write the files beside the recordings anew, and their manifest; shows the diff, and "
        "refuses while git has other changes among the fixtures",
    )


def run(args: argparse.Namespace) -> int:
    """Play the cases, one after the other."""
    if args.speed < 0:
        raise SettingsError("--speed N: N recorded seconds in a real one, so not below 0")
    cases = [load_case(folder) for folder in _folders(args)]
    if args.update:
        for scope in sorted({golden.manifest_root(case.folder) or case.folder for case in cases}):
            golden.refuse_uncommitted(scope)
    failed = sum(not _compared(case, args) for case in cases)
    if args.update:
        for root in sorted({root for case in cases if (root := golden.manifest_root(case.folder))}):
            sys.stderr.write(golden.refresh_manifest(root))
    fine = "written anew" if args.update else "as expected"
    _say(f"{len(cases) - failed} of {len(cases)} {fine}")
    return int(failed > 0)


def _folders(args: argparse.Namespace) -> list[Path]:
    if args.all == bool(args.cases):
        raise SettingsError("name the case folders to play, or --all of them")
    if not args.all:
        return [path.parent if path.is_file() else path for path in args.cases]
    folders = sorted(file.parent for file in CAPTURES.glob(f"*/*/{CASE}"))
    if not folders:
        raise SettingsError(f"no case under {CAPTURES} here: run this in the project's folder")
    return folders


def _compared(case: LoadedCase, args: argparse.Namespace) -> bool:
    """Play a case, print its lines and show what is other than expected; False if anything is."""
    try:
        expected, results = decode_lines(case), results_of(case, speed=args.speed)
    except DriverError as error:
        _say(f"{case.folder}: {error}")
        return False
    sys.stdout.writelines(f"{line}\n" for line in results)
    texts = golden.texts_of(expected, results)
    diff = golden.diff_of(case.folder, texts)
    sys.stderr.write(diff)
    if args.update:
        golden.write(case.folder, texts)
        return True
    return not diff


def _say(message: str) -> None:
    sys.stderr.write(f"vitals-edge replay: {message}\n")
