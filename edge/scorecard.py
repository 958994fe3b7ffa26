"""What each supported instrument rests on: the registry's words, and counted evidence.

The evidence is counted, never claimed: captures by where their bytes are from, the reasons for "no
value" that they show, and the cases of tests that hold a driver to bytes of its sources and to its
reserved codes (tests/evidence.toml names them; they must pass for the project to build). `make
scorecard` counts and writes ``evidence.json`` beside this module and ``docs/instruments.md``; a
test holds both to what is there.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import msgspec
from msgspec import Struct

from drivers.contract import Write
from drivers.model import Kind
from drivers.registry import REGISTRY, Confidence, Entry, LinkKind, Memory
from drivers.transports.capture_file import EXPECTED, Origin, load_case

FILE = "evidence.json"
PAGE = "docs/instruments.md"

HEAD = """\
# Supported instruments

Made by `make scorecard` from the registry and from what the tests show; do not edit. A test fails
when this page says something else than they do. `vitals-edge instruments [--json]` prints the same.

**Confidence**: *confirmed*, two or more sources agree that do not copy each other; *single*, one
source or one lineage; *experimental*, parts are unproven: each says which.
**Memory** is how an instrument could deceive about whose a value is: *live* says only what it
measures now; *sticky* repeats its last value; *stamped* stores with its own time; *sequenced*
stores with a number; *blind* stores with no proof of when.
**Captures**: *devices*, recorded from a real instrument; *sources*, bytes that a maker or an
independent program published; *own*, made by this project's encoder, which proves only that
decoder and encoder agree. **Vectors** and **reserved** codes are cases of tests: bytes from the
sources, and what the format says is no value.
"""
LEFT_OUT = """\
## Left out, and why

A title more is worth less than a value that can be trusted.

- Infra-red thermometer modules with FA and FE frames: of the nine bytes of a reply four are known
  and no check, so a wrong temperature could not be told from a right one.
- DINAMAP host port, ASCII commands (PRO 100-400, ProCare, Dash 2500): the questions are known, the
  layout of the answers is not.
- Welch Allyn Spot LXi and Connex, SureTemp, Braun PRO docks, Omron HEM-907, A&D UT-302: their
  serial formats are not published.
- Twelve-lead carts over a serial line: no published stream with its layout was found; their files
  are read instead.
"""
COLUMNS = (
    *("driver", "instrument", "confidence"),
    *("captures: devices / sources / own", "vectors", "reserved"),
)


class Evidence(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was counted for one driver; `reasons` are metrics with a status in place of a value."""

    recorded: int = 0
    published: int = 0
    own: int = 0
    devices: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    device_times: bool = False
    vectors: int = 0
    reserved: int = 0


NONE = Evidence()


def evidence() -> Mapping[str, Evidence]:
    """Return what was counted when the scorecard was last made."""
    file = resources.files("edge").joinpath(FILE)
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Evidence])


def counted(
    captures: Path, vectors: Mapping[str, int], reserved: Mapping[str, int]
) -> dict[str, Evidence]:
    """Return the evidence for every driver, from its captures and the cases of tests."""
    return {
        name: msgspec.structs.replace(
            _shown(captures / name), vectors=vectors.get(name, 0), reserved=reserved.get(name, 0)
        )
        for name in sorted(REGISTRY)
    }


def encoded(found: Mapping[str, Evidence]) -> str:
    """Return the evidence as it is kept."""
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n"


def page(found: Mapping[str, Evidence]) -> str:
    """Return the page of all instruments."""
    table = [
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
        *(_row(name, REGISTRY[name], found.get(name, NONE)) for name in sorted(REGISTRY)),
    ]
    chapters = [_chapter(name, REGISTRY[name], found.get(name, NONE)) for name in sorted(REGISTRY)]
    return "\n".join([HEAD, *table, "", *chapters, LEFT_OUT])


def clock_behaviour(entry: Entry, found: Evidence) -> str:
    """Return what is done with the instrument's own clock."""
    placed = any(known.memory is Memory.STAMPED for known in entry.memory.values())
    if placed:
        said = "places stored values in time, once it has been compared with the hub's"
    elif found.device_times:
        said = "told with the value"
    else:
        said = "if it has one, evidence only"
    return f"{said}; set where granted" if Write.SET_CLOCK in entry.writes else said


def _shown(folder: Path) -> Evidence:
    cases = [load_case(toml.parent) for toml in sorted(folder.glob("*/case.toml"))]
    origins = [loaded.case.origin for loaded in cases]
    devices = {
        f"{case.device} ({case.firmware})" if case.firmware else case.device
        for case in (loaded.case for loaded in cases)
        if case.origin is Origin.HARDWARE
    }
    lines = [
        msgspec.json.decode(line)
        for file in sorted(folder.glob(f"*/{EXPECTED}"))
        for line in file.read_text("utf-8").splitlines()
    ]
    measured = [line for line in lines if line["type"] == "measurement"]
    reasons = {
        f"{reading['metric']}: {reading['status']}"
        for line in measured
        for reading in line["readings"]
        if reading["value"] is None
    }
    return Evidence(
        recorded=origins.count(Origin.HARDWARE),
        published=origins.count(Origin.SPEC_EXAMPLE),
        own=origins.count(Origin.SIMULATED),
        devices=tuple(sorted(devices)),
        reasons=tuple(sorted(reasons)),
        device_times=any(line.get("device_time") for line in measured),
    )


def _row(name: str, entry: Entry, found: Evidence) -> str:
    captures = f"{found.recorded} / {found.published} / {found.own}"
    cells = (f"[`{name}`](#{name})", entry.title, entry.confidence, captures)
    return f"| {' | '.join(cells)} | {found.vectors} | {found.reserved} |"


def _chapter(name: str, entry: Entry, found: Evidence) -> str:
    facts = {
        "sources": entry.sources,
        "unproven": entry.unproven,
        "reached by": _links(entry),
        "gives": "; ".join(_gives(entry, kind) for kind in sorted(entry.memory)),
        "its clock": clock_behaviour(entry, found),
        "may write, each where granted": ", ".join(sorted(entry.writes)) or "nothing",
        "recognised by": entry.matches,
        "no value, shown in captures": ", ".join(found.reasons) or "none",
        "recorded from": ", ".join(found.devices) or "no real instrument yet",
    }
    lines = [f"- {what}: {said}" for what, said in facts.items() if said]
    return "\n".join([f"## {name}", "", entry.title + _doubt(entry, found), "", *lines, ""])


def _doubt(entry: Entry, found: Evidence) -> str:
    if entry.confidence is Confidence.EXPERIMENTAL:
        return ". **Experimental**"
    if found.recorded:
        return ""
    if not found.published + found.vectors:
        return ". No bytes of its sources are at hand: only our own encoder speaks for the decoder"
    return ". Not yet seen with a real instrument"


def _links(entry: Entry) -> str:
    links = ", ".join(sorted(entry.links))
    if LinkKind.SERIAL not in entry.links:
        return links
    lines = [str(entry.line), *(f"or {line}" for line in entry.also)]
    return f"{links}; {' '.join(lines)}"


def _gives(entry: Entry, kind: Kind) -> str:
    known = entry.memory[kind]
    stable = known.stream
    how = "spot values" if stable is None else f"a stream, taken when steady {stable.seconds:g} s"
    return f"{kind} ({known.memory}, {how}, spans up to {known.settle_s:g} s)"
