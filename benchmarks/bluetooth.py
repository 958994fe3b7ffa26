"""A 12-lead-sized stream and an oximeter at once, through the hub's Bluetooth and real bleak.

The radio is virtual and in another process with the message bus, so what is counted for the hub is
what the hub does: D-Bus, bleak, links and the oximeter's driver. Every payload has a number.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmarks.bluetooth_ward import CHANNEL, ECG, NUMBER_BYTES, OXIMETER, PER_S, payload
from benchmarks.report import Report
from drivers.errors import LinkLost
from drivers.model import Measurement
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost
from drivers.transports.ble.ladder import Limits
from drivers.transports.ble.radio import News, Radio
from drivers.virtual.bluetooth.bus import ADDRESS_VARIABLE
from edge.clock import SystemClock

WATCHED_S = 30.0
READY_S = 30.0


@dataclass(slots=True)
class Seen:
    """What came in the time watched."""

    payloads: list[bytes] = field(default_factory=list)
    measurements: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0


def run(report: Report) -> None:
    """Watch both streams, and say what was lost, out of order, and what it cost."""
    with tempfile.TemporaryDirectory() as folder, _ward(Path(folder)) as bench:
        seen = asyncio.run(_watch(report.seconds or WATCHED_S))
        bench_s = _cpu_s(bench.pid)
    numbers = [int.from_bytes(each[:NUMBER_BYTES], "little") for each in seen.payloads]
    lost = numbers[-1] + 1 - len({*numbers}) if numbers else 0
    turned = sum(now != before + 1 for before, now in pairwise(numbers))
    damaged = sum(each != payload(n) for n, each in zip(numbers, seen.payloads, strict=True))
    count = sum(map(len, seen.payloads))
    report.say(
        f"{seen.seconds:.0f} s: {len(numbers)} payloads of 240 bytes, {PER_S} a second, and an "
        "oximeter's second by second, each on its own connection, through unmodified bleak."
    )
    report.table(
        ("what", "seen"),
        (
            ("12-lead payloads", len(numbers)),
            ("bytes a second", f"{count / seen.seconds:.0f}"),
            ("lost", lost),
            ("out of order or twice", turned),
            ("damaged", damaged),
            ("oximeter measurements", seen.measurements),
            ("CPU of the hub's side, % of one core", f"{100 * seen.cpu_s / seen.seconds:.1f}"),
            ("CPU of the virtual radio and instruments, s in all", f"{bench_s:.1f}"),
        ),
    )


async def _watch(seconds: float) -> Seen:
    clock, seen = SystemClock(assume_trusted=True), Seen()

    async def tell(_: News) -> None:
        pass

    radio = Radio(clock, frozenset({ECG, OXIMETER}), Limits(), tell)
    listening = asyncio.ensure_future(radio.run())
    streaming = asyncio.Event()
    oximeter = asyncio.ensure_future(_oximeter(radio, clock, seen, streaming))
    try:
        async with radio.open(ECG, clock.now, frozenset()) as link:
            async with asyncio.timeout(READY_S):
                await streaming.wait()
            await link.subscribe(CHANNEL)
            seen.measurements = 0
            began, cpu_s = time.monotonic(), time.process_time()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    async for chunk in link:
                        seen.payloads.append(chunk.data)
            seen.seconds = time.monotonic() - began
            seen.cpu_s = time.process_time() - cpu_s
    finally:
        for task in (oximeter, listening):
            task.cancel()
        await asyncio.gather(oximeter, listening, return_exceptions=True)
    return seen


async def _oximeter(radio: Radio, clock: SystemClock, seen: Seen, streaming: asyncio.Event) -> None:
    entry = REGISTRY["ble-oximeter"]
    host = BenchHost(clock)

    async def emit(item: object) -> None:
        if isinstance(item, Measurement):
            seen.measurements += 1
            streaming.set()

    async with radio.open(OXIMETER, clock.now, frozenset()) as link:
        with suppress(LinkLost):
            await entry.gatt_factory()(host, entry.options({})).run(link, emit)


@contextmanager
def _ward(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the bench in a process of its own, as the system's bus of this one."""
    command = [sys.executable, "-m", "benchmarks.bluetooth_ward", str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as bench:
        if bench.stdin is None or bench.stdout is None:
            raise RuntimeError("the bench has no pipes")
        before = os.environ.get(ADDRESS_VARIABLE)
        os.environ[ADDRESS_VARIABLE] = bench.stdout.readline().strip()
        try:
            yield bench
        finally:
            bench.stdin.close()
            os.environ.pop(ADDRESS_VARIABLE)
            if before is not None:
                os.environ[ADDRESS_VARIABLE] = before


def _cpu_s(pid: int) -> float:
    """Return the CPU time that the kernel has charged a process for."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
