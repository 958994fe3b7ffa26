"""What a hub costs that has nothing to do, and one with two instruments streaming.

The real service with a real broker; memory is what the kernel calls resident, CPU what it charged
over the time watched. The floor is a bare Python process that only imports what the hub cannot do
without. The analysis process is apart: a hub without waveforms does not need it (analysis.enabled).
"""

import asyncio
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from benchmarks.report import Report
from edge.demo.bedside import Bedside
from edge.demo.door import Door
from edge.demo.instruments import instruments
from edge.demo.processes import broker, until_there, verb
from edge.demo.scene import hub_settings

ROOM = tuple(each for each in instruments(1, "healthy") if not each.is_gatt)
WATCHED_S = 20.0
SETTLE_S = 8.0
TICKS = 100  # per second, what Linux reports CPU in
PAGE_KIB = 4
FLOOR = (
    "import asyncio, numpy, msgspec, sqlite3, ssl, paho.mqtt.client, serial, time; "
    "print('ready', flush=True); time.sleep(600)"
)


def run(report: Report) -> None:
    """Watch a hub without instruments, one with two streaming, and the floor."""
    rows = asyncio.run(_measure())
    report.say(
        f"Resident memory after {SETTLE_S:g} s, and CPU over the next {WATCHED_S:g} s. Floor: "
        "Python with the libraries that a hub cannot do without, imported."
    )
    report.table(("process", "RSS MB", "CPU %", "RSS x floor"), rows)


async def _measure() -> list[tuple[str, ...]]:
    floor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FLOOR, stdout=asyncio.subprocess.PIPE, stderr=DEVNULL
    )
    try:
        if floor.stdout is not None:
            await floor.stdout.readline()
        least = rss_mb(floor.pid)
    finally:
        floor.kill()
        await floor.wait()
    rows: list[tuple[str, ...]] = [("floor", f"{least:.1f}", "0.0", "1.0")]
    for name, streaming, analysis in (
        ("idle hub", False, False),
        ("idle hub, analysis process beside it", False, True),
        ("two instruments streaming", True, True),
    ):
        for label, rss, cpu in await _hub(streaming=streaming, analysis=analysis):
            rows.append((f"{name}: {label}", f"{rss:.1f}", f"{cpu:.1f}", f"{rss / least:.1f}"))
    return rows


async def _hub(*, streaming: bool, analysis: bool) -> list[tuple[str, float, float]]:
    """Return memory and CPU of a hub's processes."""
    with tempfile.TemporaryDirectory(prefix="vitals-edge-idle-") as name, ExitStack() as plugs:
        folder = Path(name)
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(broker(folder))
            bedside = Bedside(folder, 1, ROOM)
            text = hub_settings(folder / "hub", port, ROOM, bedside.link)
            if not streaming:
                text = text.partition("[instruments.")[0]
            if not analysis:
                text = text.replace("[analysis]", "[analysis]\nenabled = false")
            settings = folder / "hub.toml"
            settings.write_text(text, "utf-8")
            if streaming:
                plugs.enter_context(bedside.plugged_in())
            hub = await stack.enter_async_context(verb("run", ("--config", str(settings)), folder))
            await until_there(folder / "hub" / "control.sock", hub, "run", folder)
            door = await Door.open(folder / "hub" / "control.sock")
            try:
                await door.until(lambda view: view.record_system.connected, SETTLE_S)
            finally:
                await door.close()
            return await _watch(hub)


async def _watch(hub: Process) -> list[tuple[str, float, float]]:
    await asyncio.sleep(SETTLE_S)
    processes = {"hub": hub.pid} | dict(zip(("analysis",), children(hub.pid), strict=False))
    before = {label: cpu_s(pid) for label, pid in processes.items()}
    await asyncio.sleep(WATCHED_S)
    return [
        (label, rss_mb(pid), 100 * (cpu_s(pid) - before[label]) / WATCHED_S)
        for label, pid in processes.items()
    ]


def children(pid: int) -> Sequence[int]:
    """Return the processes a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(child) for child in text.split()]


def rss_mb(pid: int) -> float:
    """Return the memory of a process that is resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * PAGE_KIB * 1024 / 1e6


def cpu_s(pid: int) -> float:
    """Return the CPU time a process was charged."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
