"""What happened in the room, and whether it still is what was written.

list      one JSON line an event
verify    check the chain; exit code 1 where it is broken, with the first place
export    name, segments and entries with their hashes as JSON lines, to be verified anywhere

A head (SEQUENCE:SHA256) is in the hub's status; whoever kept one can tell whether the journal was
cut or written anew since.
"""

import argparse
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from drivers.errors import SettingsError
from edge.journal import Entry, Head, Segment, Verdict, verify
from edge.store import Store
from edge.verbs.storage import add_store, said, store_path


class Cover(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of an export; hashes are in base64."""

    journal: uuid.UUID
    head: str
    segments: tuple[Segment, ...]


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of an export; `event` is the very text that was hashed."""

    sequence: int
    hash: str
    event: msgspec.Raw


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    acts = parser.add_subparsers(dest="act", required=True, metavar="list|verify|export")
    listing = acts.add_parser("list", help="one JSON line an event")
    listing.add_argument("--from", dest="start", type=int, metavar="SEQUENCE")
    check = acts.add_parser("verify", help="check the chain")
    check.add_argument("--head", type=_head, metavar="SEQUENCE:SHA256", help="a head seen before")
    check.add_argument("--exported", type=Path, metavar="FILE", help="an export, not the store")
    acts.add_parser("export", help="all of it, to be verified anywhere")
    for act in acts.choices.values():
        add_store(act)


def run(args: argparse.Namespace) -> int:
    """List, verify or export."""
    match args.act:
        case "list":
            return said(_list(args))
        case "export":
            return said(_export(args))
        case _ if args.exported:
            return _tell(_verify_export(args.exported, args.head))
        case _:
            return said(_verify(args))


async def _list(args: argparse.Namespace) -> int:
    async with await Store.open_to_read(store_path(args)) as store:
        async for recorded in store.recorded(args.start):
            sys.stdout.write(f"{msgspec.json.encode(recorded).decode()}\n")
    return 0


async def _export(args: argparse.Namespace) -> int:
    async with await Store.open_to_read(store_path(args)) as store:
        segments, head = await store.outline()
        _write(Cover(store.name, str(head), tuple(segments)))
        async for entry in store.entries():
            if entry.sequence <= head.sequence:
                _write(Line(entry.sequence, entry.hash.hex(), msgspec.Raw(entry.data)))
    return 0


async def _verify(args: argparse.Namespace) -> int:
    async with await Store.open_to_read(store_path(args)) as store:
        return _tell(await store.verify(args.head))


def _verify_export(path: Path, witness: Head | None) -> Verdict:
    with path.open("rb") as lines:
        try:
            cover = msgspec.json.decode(lines.readline(), type=Cover)
            entries = _entries(lines)
            head = Head.parse(cover.head)
            return verify(entries, cover.segments, cover.journal, head=head, witness=witness)
        except (msgspec.MsgspecError, ValueError) as error:
            raise SettingsError(f"{path}: not an exported journal: {error}") from error


def _entries(lines: Iterator[bytes]) -> Iterator[Entry]:
    for text in lines:
        line = msgspec.json.decode(text, type=Line)
        yield Entry(line.sequence, bytes(line.event), bytes.fromhex(line.hash))


def _tell(verdict: Verdict) -> int:
    fault = verdict.fault
    found: dict[str, object] = {"intact": verdict.intact, "checked": verdict.checked}
    found["head"] = str(verdict.head)
    if fault is not None:
        found |= {"flaw": fault.flaw, "sequence": fault.sequence, "message": fault.message}
    sys.stdout.write(f"{msgspec.json.encode(found).decode()}\n")
    return 0 if verdict.intact else 1


def _write(line: Struct) -> None:
    sys.stdout.write(f"{msgspec.json.encode(line).decode()}\n")


def _head(text: str) -> Head:
    try:
        return Head.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
