"""From the last byte of a measurement on the wire until the record system's receipt is durable.

The whole hub, as `vitals-edge run` assembles it, in this process; a real broker and the real record
system beside it. An oximeter speaks on a pseudo-terminal; each of its packets is asked for by a
person, as `take-now` does, in a visit long enough that its span lies inside. What it takes at
least, two commits and one publish of such a payload, is the floor of ``delivery``.
"""

import asyncio
import os
import statistics
import tempfile
import time
import tty
from contextlib import AsyncExitStack
from pathlib import Path
from unittest.mock import patch

from benchmarks.report import Report
from config.load import parse
from drivers.virtual.nonin import VirtualNonin
from edge import assembly
from edge.chronicle import Chronicle
from edge.demo.door import Door
from edge.demo.processes import broker, until_there, verb
from edge.demo.scene import BADGE, HUB, REGISTER, SITE, WRISTBAND
from edge.events import Enqueued, Measured, Receipted, Recorded
from edge.publish.mqtt import Acknowledged
from edge.publish.mqtt import Event as Heard
from edge.publish.publisher import Publisher
from edge.store import Store

ROUNDS = 60
SETTLED_S = 22.0  # longer than the oximeter's averaging and display can reach back
PACKET_S = 1 / 3
PACKET_BYTES = 125
PATIENCE_S = 10.0
LOOK_S = 0.05
WARM_UP = 40  # packets, until the oximeter has found the pulse
STAGES = {"durable": Measured, "in the outbox": Enqueued, "receipt durable": Receipted}
PUBACK = "PUBACK"


class _Watch:
    """When each stage of the present round was reached."""

    def __init__(self) -> None:
        self.began = 0.0
        self.reached: dict[str, float] = {}
        self.done = asyncio.Event()

    def begin(self) -> None:
        self.began, self.reached = time.perf_counter(), {}
        self.done.clear()

    def note(self, stage: str) -> None:
        self.reached.setdefault(stage, time.perf_counter() - self.began)
        if stage == "receipt durable":
            self.done.set()

    def heard(self, recorded: Recorded) -> None:
        for stage, kind in STAGES.items():
            if isinstance(recorded.event, kind):
                self.note(stage)


def run(report: Report) -> None:
    """Measure one value after another."""
    with tempfile.TemporaryDirectory(prefix="vitals-edge-last-byte-") as name:
        rounds = asyncio.run(_measure(Path(name)))
    report.say(
        f"One value at a time, {ROUNDS} in all, from the last byte of its packet on the port, ms. "
        "Decoding, intake, journal, room, FHIR encoding, outbox and broker are in it."
    )
    order = ("durable", "in the outbox", PUBACK, "receipt durable")
    report.table(("until", "p50", "p95"), [(stage, *_ms(rounds, stage)) for stage in order])


async def _measure(folder: Path) -> list[dict[str, float]]:
    watch = _Watch()
    master, slave = os.openpty()
    tty.setraw(slave)
    register, record = folder / "register.toml", folder / "record.db"
    register.write_text(REGISTER, "utf-8")
    try:
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(broker(folder))
            options = ("--store", str(record), "--register", str(register), "--accept-demo")
            peer = await stack.enter_async_context(
                verb("record-system", ("--broker", f"mqtt://127.0.0.1:{port}", *options), folder)
            )
            await until_there(record, peer, "record-system", folder)
            stack.enter_context(patch.object(assembly, "Publisher", _publisher_with(watch)))
            stack.enter_context(patch.object(assembly, "Chronicle", _chronicle_with(watch)))
            settings = parse(_settings(folder, port, os.ttyname(slave)), "benchmark")
            service = await stack.enter_async_context(assembly.assembled(settings))
            serving = asyncio.create_task(service.run())
            try:
                return await _rounds(folder, master, watch)
            finally:
                serving.cancel()
                await asyncio.wait({serving})
    finally:
        os.close(master)
        os.close(slave)


async def _rounds(folder: Path, master: int, watch: _Watch) -> list[dict[str, float]]:
    path = folder / "hub" / "control.sock"
    for _ in range(round(PATIENCE_S / LOOK_S)):
        if os.path.lexists(path):  # noqa: ASYNC240 - nothing else runs yet
            break
        await asyncio.sleep(LOOK_S)
    door = await Door.open(path)
    spoken = VirtualNonin(1, data_format=2).due(PACKET_S * (WARM_UP + ROUNDS))
    packets = [spoken[at : at + PACKET_BYTES] for at in range(0, len(spoken), PACKET_BYTES)]
    taken: list[dict[str, float]] = []
    try:
        await door.until(lambda view: view.record_system.connected, PATIENCE_S)
        await door.act("sign-in", badge=BADGE)
        candidate = await door.act("scan", code=WRISTBAND)
        await door.act("confirm-patient", reference=candidate["patient"]["reference"])
        await asyncio.sleep(SETTLED_S)
        for packet in packets[:WARM_UP]:
            os.write(master, packet)
            await asyncio.sleep(LOOK_S)
        for packet in packets[WARM_UP:]:
            await door.act("take-now", instrument="oximeter", kind="oximetry")
            watch.begin()
            os.write(master, packet)
            async with asyncio.timeout(PATIENCE_S):
                await watch.done.wait()
            taken.append(watch.reached)
    finally:
        await door.close()
    return taken


def _publisher_with(watch: _Watch) -> type[Publisher]:
    class Timed(Publisher):
        def _hear(self, event: Heard) -> None:
            if isinstance(event, Acknowledged):
                watch.note(PUBACK)
            super()._hear(event)

    return Timed


def _chronicle_with(watch: _Watch) -> type[Chronicle]:
    class Timed(Chronicle):
        @staticmethod
        async def resumed(store: Store) -> Chronicle:
            chronicle = await Chronicle.resumed(store)
            chronicle.listeners.append(watch.heard)
            return chronicle

    return Timed


def _settings(folder: Path, port: int, path: str) -> str:
    return f"""
[hub]
site = "{SITE}"
name = "{HUB}"
state_dir = "{folder / "hub"}"
space = "demo"
[broker]
port = {port}
[room]
confirm = "auto"
[clock]
trust = "assume"
[analysis]
enabled = false
[instruments.oximeter]
driver = "nonin"
link = "serial:{path}"
"""


def _ms(rounds: list[dict[str, float]], stage: str) -> tuple[str, str]:
    values = [1e3 * each[stage] for each in rounds if stage in each]
    return f"{statistics.median(values):.2f}", f"{statistics.quantiles(values, n=20)[18]:.2f}"
