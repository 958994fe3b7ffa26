"""A program that lives with a store and is killed: forked once a run, so that a run takes moments.

Reads runs as JSON lines ``{"path", "log", "seed", "fault", "kill_after_s"}`` and answers each with
the signal that ended it (0: none). What the store reported as done goes to the log, line by line.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from drivers.model import Chunk, Instant, InstrumentId, Kind, Measurement, Metric, Reading, Unit
from drivers.registry import Memory
from edge.clock import NS, ManualClock
from edge.events import Discarded, Enqueued, Measured, Outcome, Receipted
from edge.journal import SEGMENT_ENTRIES
from edge.observation import Moment, Space
from edge.store import Snapshot, Store
from edge.store.outbox import Enqueue, Move, OutboxRow, RowState

AT = Moment(1_700_000_000 * NS, 0, trusted=True, era="recording")
INSTANT = Instant(AT.wall_ns, 0, trusted=True)
ROUNDS = 14


class Life:
    def __init__(self, store, log, rng):
        self.store, self.log, self.rng = store, log, rng
        self.accepted = []
        self.acts = 0

    def report(self, *words):
        os.write(self.log, (" ".join(map(str, words)) + "\n").encode())

    async def pair(self, act):
        events = [Discarded(at=AT, item=act, person=half, reason="") for half in "ab"]
        await self.store.append(events)
        self.report("pair", act)

    async def measure(self, act):
        raw = f"raw {act}".encode()
        kept = await self.store.keep("cuff", Chunk(raw, INSTANT))
        self.report("kept", kept)
        reading = Reading(Metric.WEIGHT, 70.5, Unit.KG)
        measurement = Measurement(Kind.WEIGHT, (reading,), INSTANT, raw, kept=(kept,))
        event = Measured(
            at=AT,
            instrument="cuff",
            identity=InstrumentId("scale"),
            measurement=measurement,
            memory=Memory.LIVE,
            settle_s=1.0,
        )
        await self.store.append([event])
        self.report("measured", kept)

    async def accept(self, act):
        name = f"result-{act}"
        row = OutboxRow(name, Kind.WEIGHT, name.encode() * 500, "hash", Space.DEMO)
        event = Enqueued(at=AT, item=act, result_id=name, content_sha256="hash")
        await self.store.append([event], outbox=[Enqueue(row)])
        self.report("accepted", name)
        self.accepted.append(name)

    async def file(self, _act):
        if not self.accepted:
            return
        name = self.accepted.pop(0)
        event = Receipted(at=AT, result_id=name, outcome=Outcome.ACCEPTED, content_sha256="hash")
        await self.store.append([event], outbox=[Move(name, RowState.FILED)])
        self.report("filed", name)

    async def purge(self, _act):
        await self.store.purge(Instant(AT.wall_ns + NS, 0, trusted=True), 0)
        self.report("purged")

    async def run(self):
        old = [Discarded(at=AT, item=0, person="old", reason="")] * SEGMENT_ENTRIES
        await self.store.append(old)
        await self.store.keep_snapshot(Snapshot(SEGMENT_ENTRIES, b"state"))
        kinds = [self.pair, self.measure, self.accept, self.file, self.purge]
        for _ in range(ROUNDS):
            chosen = self.rng.choices(kinds, [3, 3, 3, 3, 1], k=self.rng.randint(2, 6))
            numbered = []
            for kind in chosen:
                self.acts += 1
                numbered.append(kind(self.acts))
            await asyncio.gather(*numbered)


async def live(run):
    log = os.open(run["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    store = await Store.open(Path(run["path"]), clock=ManualClock(AT.wall_ns))
    await Life(store, log, random.Random(run["seed"])).run()
    await store.close()


def fork(run):
    child = os.fork()
    if child == 0:
        os.environ["VITALS_EDGE_FAULT"] = run["fault"] or ""
        status = 1
        try:
            asyncio.run(live(run))
            status = 0
        finally:
            os._exit(status)
    if run["kill_after_s"] is not None:
        time.sleep(run["kill_after_s"])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{fork(json.loads(line))}\n")
        sys.stdout.flush()
