"""The command line: one table of verbs, each imported only when it is asked for.

Machine output is JSON lines on stdout, messages go to stderr. Exit codes: 0 done, 1 done and
something is wrong, 2 not done (usage, settings, files, links), said in one line.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from types import MappingProxyType
from typing import Protocol, cast

from config.load import SettingsError
from drivers.errors import DriverError

VERBS: Mapping[str, str] = MappingProxyType(
    {
        "run": "the service",
        "demo": "a whole virtual exam room on this machine, and one visit in it",
        "decode": "recorded bytes of one instrument to JSON lines",
        "replay": "recorded cases through the whole hub, compared with what is expected",
        "capture": "record a live instrument into a case that can be decoded again",
        "ecg": "an ECG file: what it holds, or the same in another format",
        "detect": "find out which instrument is at which serial port",
        "instruments": "the table of supported instruments",
        "pair": "Bluetooth instruments: list, find, pair, remove",
        "virtual": "virtual instruments, on a port or on a virtual radio, for trying things out",
        "simulate": "ECGs of a virtual patient, with everything that is true of them",
        "record-system": "the reference record system: files results, knows the patients",
        "outbox": "what waits for the record system: list, export, resend",
        "journal": "what happened in the room: list, verify, export",
        "doctor": "check this machine and say what to do",
    }
)
PROGRAM = "vitals-edge"
WRONG = 1
NOT_DONE = 2


class Verb(Protocol):
    """What a module in `edge.verbs` offers; its docstring is its description."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit code."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if not args or args[0] not in VERBS:
        return _about(args)
    name = args[0]
    verb = cast("Verb", import_module(f"edge.verbs.{name.replace('-', '_')}"))
    parser = argparse.ArgumentParser(f"{PROGRAM} {name}", description=verb.__doc__)
    verb.add_arguments(parser)
    return _guarded(verb, parser.parse_args(args[1:]))


def _guarded(verb: Verb, args: argparse.Namespace) -> int:
    """Run a verb; what a person can put right is one line, not a traceback."""
    try:
        code = verb.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone; the interpreter's own flush at exit must find somewhere to write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except KeyboardInterrupt:
        return WRONG
    except (DriverError, SettingsError) as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(_about_file(error))
    return code


def _about_file(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _refuse(message: str) -> int:
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return NOT_DONE


def _about(args: Sequence[str]) -> int:
    """Answer what is not a verb: help, version, a slip."""
    parser = argparse.ArgumentParser(
        PROGRAM,
        description="Brings exam-room vital signs and ECGs to the clinic's record system.",
        epilog="verbs:\n" + "".join(f"  {name:14} {text}\n" for name, text in VERBS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version(PROGRAM)}")
    parser.add_argument(
        "verb", metavar="VERB", choices=VERBS, help="what to do; VERB --help says more"
    )
    parser.parse_args(args)
    return NOT_DONE


if __name__ == "__main__":
    sys.exit(main())
