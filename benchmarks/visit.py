"""The demonstration's two visits: how long they take, and what each process costs meanwhile.

Every process below the demonstration is looked at in /proc a few times a second. Its peak is what
the kernel says (VmHWM), its CPU what it had used when it was last seen.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Report

LOOK_S = 0.1
TICKS = 100  # per second, what Linux reports CPU in
COMMAND = (sys.executable, "-P", "-m", "edge.cli", "demo", "--once")
OURS = {
    "demo": "demonstration, with the virtual instruments",
    "run": "hub",
    "record-system": "record system",
}


@dataclass(slots=True)
class Seen:
    """What a process had used when it was last there."""

    name: str
    cpu_s: float = 0.0
    peak_mb: float = 0.0


def run(report: Report) -> None:
    """Run the demonstration once and say what it cost."""
    begin = time.perf_counter()
    process = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True)
    seen: dict[int, Seen] = {}
    while process.poll() is None:
        for pid in _below(process.pid):
            _look(pid, seen)
        time.sleep(LOOK_S)
    took_s = time.perf_counter() - begin
    busy = f"{os.getloadavg()[0]:.0f} on {os.cpu_count()} cores"
    last = [line for line in (process.stdout or ()) if line.strip()][-1].strip()
    report.say(
        f"`vitals-edge demo --once`, two visits: {took_s:.1f} s, exit {process.returncode}; "
        f"the load of the computer was {busy}. It ends with: {last}"
    )
    report.table(
        ("process", "CPU s", "peak RSS MB"),
        [
            (each.name, f"{each.cpu_s:.1f}", f"{each.peak_mb:.0f}")
            for each in sorted(seen.values(), key=lambda each: -each.cpu_s)
            if each.peak_mb
        ],
    )


def _below(pid: int) -> list[int]:
    """Return a process and all that it has started and that are still there."""
    found, look_at = [], [pid]
    while look_at:
        one = look_at.pop()
        found.append(one)
        try:
            tasks = list(Path(f"/proc/{one}/task").iterdir())
            for task in tasks:
                look_at += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue  # it ended in between
    return found


def _look(pid: int, seen: dict[int, Seen]) -> None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        status = Path(f"/proc/{pid}/status").read_text()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return
    one = seen.setdefault(pid, Seen(""))
    one.name = _name([part.decode() for part in command if part]) or one.name
    one.cpu_s = (int(fields[11]) + int(fields[12])) / TICKS
    peak = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    one.peak_mb = int(peak[0]) * 1024 / 1e6 if peak else one.peak_mb


def _name(command: list[str]) -> str:
    if "edge.cli" in command:
        verb = command[command.index("edge.cli") + 1]
        listing = " (read back)" if "--list" in command else ""
        return OURS.get(verb, verb) + listing
    if any("analysis" in part for part in command):
        return "analysis"
    if any("multiprocessing" in part for part in command):
        return "analysis" if any("spawn" in part for part in command) else "resource tracker"
    return Path(command[0]).name if command else ""
