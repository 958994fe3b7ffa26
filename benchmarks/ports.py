"""What eight serial instruments that stream at once cost a hub, and whether it loses a byte.

The real service with a real broker reads eight pseudo-terminals. A process of its own plays the
virtual instruments at wire rate and never waits: what a full terminal refuses is lost, as a UART
would lose it, and counted. CPU is what the kernel charged the hub over the time watched, memory
what it calls resident. The floor is a bare loop in a process of its own that reads the same ports
and throws the bytes away. `--seconds` says how long to watch.
"""

import asyncio
import json
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.idle import SETTLE_S, children, cpu_s, rss_mb
from benchmarks.report import Report
from drivers.registry import REGISTRY
from drivers.virtual.pty_port import PtyPort
from edge.clock import SystemClock
from edge.demo.processes import broker, until_there, verb

WATCHED_S = 60.0
EIGHT = (
    "nonin",
    "masimo-ascii1",
    "nellcor",
    "contec-v7",
    "bci-5byte",
    "nonin-ascii",
    "ivy-450c",
    "healthypi-v4",
)
OPTIONS = {"nonin": {"data_format": 2}}
SETTINGS = """\
[hub]
site = "bench"
name = "ports"
state_dir = "{folder}/hub"
space = "demo"

[broker]
port = {port}

[analysis]
enabled = {analysis}
"""
INSTRUMENT = """
[instruments.{name}]
driver = "{name}"
link = "serial:{folder}/{name}"
allow = {allow}
"""
FLOOR = """
import os, select, sys
ports = [os.open(name, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK) for name in sys.argv[1:]]
poll = select.poll()
for port in ports:
    poll.register(port, select.POLLIN)
while True:
    for port, _ in poll.poll():
        os.read(port, 4096)
"""


def run(report: Report) -> None:
    """Watch the floor and the hub, without and with its analysis process."""
    seconds = report.seconds or WATCHED_S
    rows = asyncio.run(_measure(seconds))
    report.say(
        f"Eight instruments at once ({', '.join(EIGHT)}), watched for {seconds:g} s after "
        f"{SETTLE_S:g} s. Overrun: bytes the ports refused because nobody had read them. Floor: a "
        "loop that reads the same ports and throws away what it reads."
    )
    report.table(("reader", "bytes/s", "overrun", "CPU % of one core", "RSS MB"), rows)


async def _measure(seconds: float) -> list[tuple[str, ...]]:
    rows = [await _floor(seconds)]
    for analysis in (False, True):
        rows += await _hub(seconds, analysis=analysis)
    return rows


async def _floor(seconds: float) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory(prefix="vitals-edge-ports-") as name:
        folder = Path(name)
        async with _playing(folder) as players:
            ports = [str(folder / each) for each in EIGHT]
            reader = await asyncio.create_subprocess_exec(sys.executable, "-c", FLOOR, *ports)
            try:
                ((_, rss, cpu),) = await _watched({"floor": reader.pid}, seconds)
            finally:
                reader.kill()
                await reader.wait()
            return _row("floor", await _told(players), rss, cpu)


async def _hub(seconds: float, *, analysis: bool) -> list[tuple[str, ...]]:
    async with AsyncExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="vitals-edge-ports-"))
        folder = Path(name)
        port = await stack.enter_async_context(broker(folder))
        players = await stack.enter_async_context(_playing(folder))
        settings = folder / "hub.toml"
        settings.write_text(_settings(folder, port, analysis=analysis), "utf-8")
        hub = await stack.enter_async_context(verb("run", ("--config", str(settings)), folder))
        await until_there(folder / "hub" / "control.sock", hub, "run", folder)
        await asyncio.sleep(SETTLE_S)
        label = "hub, analysis beside it" if analysis else "hub"
        processes = {label: hub.pid}
        if analysis:
            processes |= dict(zip(("analysis process",), children(hub.pid), strict=False))
        watched = await _watched(processes, seconds)
        told = await _told(players)
        return [_row(who, told, rss, cpu) for who, rss, cpu in watched]


def _settings(folder: Path, port: int, *, analysis: bool) -> str:
    text = SETTINGS.format(folder=folder, port=port, analysis=str(analysis).lower())
    for name in EIGHT:
        allow = json.dumps(sorted(REGISTRY[name].writes - {"set-clock"}))
        text += INSTRUMENT.format(name=name, folder=folder, allow=allow)
    return text


async def _watched(processes: dict[str, int], seconds: float) -> list[tuple[str, float, float]]:
    before = {label: cpu_s(pid) for label, pid in processes.items()}
    await asyncio.sleep(seconds)
    return [
        (label, rss_mb(pid), 100 * (cpu_s(pid) - before[label]) / seconds)
        for label, pid in processes.items()
    ]


@asynccontextmanager
async def _playing(folder: Path) -> AsyncIterator[Process]:
    """Run the eight instruments in a process of their own, on ports in the folder."""
    command = [sys.executable, "-m", "benchmarks.ports", str(folder)]
    players = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    try:
        if players.stdout is not None:
            await players.stdout.readline()
        yield players
    finally:
        if players.returncode is None:
            players.kill()
            await players.wait()


async def _told(players: Process) -> dict[str, float]:
    """End the players and return what they counted."""
    out, _ = await players.communicate(b"")
    counted: dict[str, float] = json.loads(out)
    return counted


def _row(who: str, told: dict[str, float], rss: float, cpu: float) -> tuple[str, ...]:
    rate, overrun = told["bytes"] / told["seconds"], int(told["overrun"])
    return (who, f"{rate:.0f}", str(overrun), f"{cpu:.1f}", f"{rss:.1f}")


class _Counted:
    """An instrument whose bytes are counted."""

    def __init__(self, name: str) -> None:
        self._on = REGISTRY[name].simulator()(1, **OPTIONS.get(name, {}))
        self.said = 0

    def due(self, elapsed_s: float) -> bytes:
        data: bytes = self._on.due(elapsed_s)
        self.said += len(data)
        return data

    def hear(self, data: bytes) -> bytes:
        answer: bytes = self._on.hear(data)
        self.said += len(answer)
        return answer


async def _play(folder: Path) -> None:
    """Play until standard input ends, then say what was said and what was lost."""
    clock = SystemClock()
    instruments = {name: _Counted(name) for name in EIGHT}
    ports = [
        PtyPort(each, REGISTRY[name].line, link=folder / name) for name, each in instruments.items()
    ]
    begin = clock.now().mono_ns
    running = [asyncio.ensure_future(port.run(clock)) for port in ports]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    seconds = (clock.now().mono_ns - begin) / 1e9
    for each in running:
        each.cancel()
    said = sum(each.said for each in instruments.values())
    lost = sum(port.overrun for port in ports)
    sys.stdout.write(json.dumps({"bytes": said, "overrun": lost, "seconds": seconds}))
    for port in ports:
        port.close()


if __name__ == "__main__":
    asyncio.run(_play(Path(sys.argv[1])))
