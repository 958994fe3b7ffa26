"""The table of supported instruments, with the evidence for each.

The evidence: captures of devices / of published bytes / of our own encoder, cases of tests that
hold the driver to bytes of its sources, and cases of its reserved codes.
"""

import argparse
import sys
from collections.abc import Sequence

import msgspec

from drivers.registry import REGISTRY, Entry, LinkKind
from edge.scorecard import NONE, Evidence, clock_behaviour, evidence

HEADINGS = ("driver", "instrument", "links", "gives", "may write", "confidence", "evidence")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON line an instrument")


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    found = evidence()
    known = [(name, entry, found.get(name, NONE)) for name, entry in sorted(REGISTRY.items())]
    if args.json:
        lines = [msgspec.json.encode(_fields(*each)).decode() for each in known]
    else:
        lines = _table([HEADINGS, *(_row(*each) for each in known)])
        unproven = {name: entry.unproven for name, entry in REGISTRY.items() if entry.unproven}
        lines += ["", "unproven:", *(f"  {name}: {text}" for name, text in unproven.items())]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _fields(name: str, entry: Entry, found: Evidence) -> dict[str, object]:
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
        "clock": clock_behaviour(entry, found),
        "evidence": found,
    }


def _row(name: str, entry: Entry, found: Evidence) -> tuple[str, ...]:
    gives = ", ".join(f"{kind} ({entry.memory[kind].memory})" for kind in sorted(entry.memory))
    links = ", ".join(sorted(entry.links))
    writes = ", ".join(sorted(entry.writes)) or "nothing"
    captures = f"{found.recorded}/{found.published}/{found.own} captures"
    counted = f"{captures}, {found.vectors} vectors, {found.reserved} reserved"
    return (name, entry.title, links, gives, writes, entry.confidence, counted)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
