"""What the running hub says of its instruments, asked at its own door."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.verbs.findings import Finding, Level

CONTROL = "control.sock"
ANSWER_S = 3.0
FAULTS = frozenset({"wrong-instrument", "refused"})
COUNTERS = ("frames", "skipped_bytes", "broken", "missing", "sessions")


def look_at_hub(state_dir: Path) -> Iterator[Finding]:
    """Say how each instrument is; nothing where no hub of this user runs."""
    path = state_dir / CONTROL
    if not path.exists():
        return
    try:
        instruments = _instruments(path)
    except (OSError, ValueError, KeyError) as error:
        told = getattr(error, "strerror", None) or "no answer that can be read"
        yield Finding(
            Level.NOTE,
            f"the running hub could not be asked at {path}: {told}",
            "run the doctor as the service's user, if it runs",
        )
        return
    for each in instruments:
        yield _finding(each)


def _instruments(path: Path) -> list[dict[str, Any]]:
    """Ask for the view and keep of it nothing but the instruments: the rest is a patient's."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(ANSWER_S)
        line.connect(str(path))
        line.sendall(b'{"do": "view"}\n')
        with line.makefile("rb") as answer:
            view = json.loads(answer.readline())
    found: list[dict[str, Any]] = view["result"]["instruments"]
    return found


def _finding(each: dict[str, Any]) -> Finding:
    state, reason = each["state"], each["reason"]
    counters = each.get("counters", {})
    counted = ", ".join(f"{counters[name]} {name}" for name in COUNTERS if counters.get(name))
    what = f"running hub: {each['name']} is {state}" + (f" ({counted})" if counted else "")
    if state in FAULTS:
        return Finding(Level.WRONG, what, reason)
    return Finding(Level.NOTE if reason else Level.OK, what, reason)
