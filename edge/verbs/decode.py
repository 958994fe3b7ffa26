"""Recorded bytes of one instrument to JSON lines, by the driver that the hub would use."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from drivers.errors import SettingsError
from drivers.transports.capture_file import (
    WIRE,
    Received,
    load_case,
    read_hex,
)
from edge.decoding import decode_blocks, decode_case, entry_named
from edge.verbs.options import add_settings, settings_of

BLOCK_BYTES = 4096
STDIN = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "file", metavar="FILE", help="bytes, hex text, a case folder, or - for stdin"
    )
    parser.add_argument(
        "--driver", metavar="NAME", help="the instrument; a case folder names its own"
    )
    parser.add_argument(
        "--hex",
        action="store_true",
        help="FILE is hex text: # comments, > lines skipped, < dropped, 2a37: a characteristic",
    )
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for everything the instrument said."""
    path = Path(args.file)
    if args.file != STDIN and (path.is_dir() or path.name == WIRE):
        return _case(path if path.is_dir() else path.parent, args)
    if args.driver is None:
        raise SettingsError(
            "name the instrument: --driver NAME (vitals-edge instruments lists them)"
        )
    entry = entry_named(args.driver)
    left = decode_blocks(entry, settings_of(args), _blocks(args.file, text=args.hex), _print)
    if left:
        _say(f"the last {left} bytes are the start of a frame whose end is not in the file")
    return 0


def _case(folder: Path, args: argparse.Namespace) -> int:
    loaded = load_case(folder)
    if args.driver not in {None, loaded.case.driver}:
        raise SettingsError(f"{folder} is a recording for {loaded.case.driver}, not {args.driver}")
    if args.set:
        raise SettingsError(f"{folder} has its settings in its case.toml; --set is for bare bytes")
    decode_case(loaded, _print)
    return 0


def _blocks(name: str, *, text: bool) -> Iterator[Received]:
    """Yield the instrument's bytes as they can be read."""
    if name == STDIN:
        yield from _content(sys.stdin.buffer, name, text=text)
        return
    with Path(name).open("rb") as stream:
        yield from _content(stream, name, text=text or name.endswith(".hex"))


def _content(stream: BinaryIO, name: str, *, text: bool) -> Iterator[Received]:
    if text:
        for line in read_hex(stream.read(), name).lines:
            if isinstance(line, Received):
                yield line
        return
    read = getattr(stream, "read1", stream.read)
    while block := read(BLOCK_BYTES):
        yield Received(0, block)


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _say(message: str) -> None:
    sys.stderr.write(f"vitals-edge decode: {message}\n")
