"""The table of supported instruments, with the evidence for each."""

import argparse
import sys
from collections.abc import Sequence

import msgspec

from drivers.registry import REGISTRY, Entry, LinkKind

HEADINGS = ("driver", "instrument", "links", "gives", "may write", "confidence")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON line an instrument")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    if args.json:
        lines = [
            msgspec.json.encode(_fields(name, entry)).decode()
            for name, entry in sorted(REGISTRY.items())
        ]
    else:
        lines = _table([HEADINGS, *(_row(name, REGISTRY[name]) for name in sorted(REGISTRY))])
        unproven = {name: entry.unproven for name, entry in REGISTRY.items() if entry.unproven}
        lines += ["", "unproven:", *(f"  {name}: {text}" for name, text in unproven.items())]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _fields(name: str, entry: Entry) -> dict[str, object]:
    return {
        "driver": name,
        "title": entry.title,
        "links": sorted(entry.links),
        "line": entry.line if LinkKind.SERIAL in entry.links else None,
        "kinds": {
            kind: {
                "memory": remembers.memory,
                "settle_s": remembers.settle_s,
                "spot": remembers.stream is None,
            }
            for kind, remembers in sorted(entry.memory.items())
        },
        "writes": sorted(entry.writes),
        "confidence": entry.confidence,
        "sources": entry.sources,
        "unproven": entry.unproven,
        "matches": entry.matches,
    }


def _row(name: str, entry: Entry) -> tuple[str, ...]:
    gives = ", ".join(f"{kind} ({entry.memory[kind].memory})" for kind in sorted(entry.memory))
    links = ", ".join(sorted(entry.links))
    writes = ", ".join(sorted(entry.writes)) or "nothing"
    return (name, entry.title, links, gives, writes, entry.confidence)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
