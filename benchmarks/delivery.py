"""How long until a result is filed, and how fast a backlog drains, beside what that takes at least.

The payload is an oximetry Bundle of the size hubs send. Broker (Mosquitto on loopback) and the peer
that gives receipts are processes of their own and the same for both contestants. The floor is one
thread with bare paho and bare sqlite3: it publishes the same bytes with the same window, and writes
the same number of bytes for each receipt, all receipts that have come in one transaction.
"""

import asyncio
import queue
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.receipts import ACK, CONTENT_SHA256, at_once
from benchmarks.report import Report
from drivers.model import Instant, Kind
from edge.clock import SystemClock
from edge.contract.dialogue import Command
from edge.contract.messages import JournalHead, decode_ack
from edge.contract.topics import Hub
from edge.demo.processes import broker, program_running
from edge.events import Enqueued, Outcome, Receipted
from edge.journal import encode
from edge.observation import Moment, Space
from edge.publish.mqtt import Acknowledged, Endpoint, Event
from edge.publish.outgoing import Sender
from edge.publish.publisher import Publisher
from edge.publish.window import Limits, Parked, Receipt
from edge.store import Store
from edge.store.outbox import Enqueue, Move, OutboxRow

BACKLOG = 20_000
ROUNDS = 3
ONE_BY_ONE = 300
PAYLOAD_BYTES = 8000
TOPICS = Hub("bench", "hub")
TOPIC = TOPICS.result(Kind.OXIMETRY)
AT = Moment(1_700_000_000_000_000_000, 0, trusted=True, era="benchmark")
PAYLOAD = b'{"resourceType":"Bundle","entry":"' + b"x" * (PAYLOAD_BYTES - 36) + b'"}'


def run(report: Report) -> None:
    """Measure single results and the drain of a backlog, in turn with the floor."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        asyncio.run(_measure(report, Path(name)))


async def _measure(report: Report, folder: Path) -> None:
    drains: dict[str, list[float]] = {"hub": [], "floor": []}
    async with broker(folder) as port, _peer(port, folder):
        ours, bare = await _single(folder, port), _bare_single(folder / "one.db", port)
        for number in range(ROUNDS):
            drains["hub"].append(await _drain(folder / f"hub-{number}.db", port))
            drains["floor"].append(
                await asyncio.to_thread(_bare_drain, folder / f"floor-{number}.db", port)
            )
    report.say(
        f"One result at a time, {ONE_BY_ONE} of {len(PAYLOAD)} bytes, from its acceptance, ms. The "
        "floor makes two commits and one publish."
    )
    report.table(
        ("until", "p50", "p99", "floor p50", "floor p99"),
        [(stage, *_quantiles(ours[stage]), *_quantiles(bare[stage])) for stage in _STAGES],
    )
    report.say(
        f"Backlog of {BACKLOG:,} results of {len(PAYLOAD)} bytes until the last receipt is there; "
        f"at most {Limits().unreceipted} un-receipted, {ROUNDS} rounds in turn."
    )
    ratios = [a / b for a, b in zip(drains["hub"], drains["floor"], strict=True)]
    report.table(
        ("", "median s", "results/s", "x floor"),
        [
            _drained("hub", drains["hub"], statistics.median(ratios)),
            _drained("bare paho and grouped commits", drains["floor"], 1.0),
        ],
    )


@asynccontextmanager
async def _peer(port: int, folder: Path) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "benchmarks.receipts", str(port)]
    async with program_running("receipts", command, folder):
        log = folder / "receipts.log"
        await _until(lambda: "ready" in log.read_text("utf-8"), 0.05)
        yield


async def _until(condition: Callable[[], bool], every_s: float) -> None:
    while True:
        if condition():
            return
        await asyncio.sleep(every_s)


class _Filing:
    """The service's side of the publisher: an event and the end of a row for each receipt."""

    def __init__(self, store: Store) -> None:
        self.filed = 0
        self.heard: dict[str, float] = {}
        self.durable: dict[str, float] = {}
        self._store = store

    async def on_receipt(self, receipt: Receipt) -> None:
        result_id = receipt.ack.result_id
        self.heard[result_id] = time.perf_counter()
        event = _receipted(result_id)
        await self._store.append([event], outbox=[Move(result_id, receipt.state)])
        self.durable[result_id] = time.perf_counter()
        self.filed += 1

    async def on_parked(self, parked: Parked) -> None:
        raise RuntimeError(f"parked: {parked.reason}")

    async def on_command(self, command: Command, received: Instant) -> None:
        raise RuntimeError(f"nobody commands here: {command} at {received}")

    def head(self) -> JournalHead:
        return JournalHead(self._store.head.sequence, self._store.head.hash.hex())


class _Timed(Publisher):
    """A publisher that notes when the broker acknowledges."""

    acknowledged = 0.0

    def _hear(self, event: Event) -> None:
        if isinstance(event, Acknowledged):
            self.acknowledged = time.perf_counter()
        super()._hear(event)


def _publisher(store: Store, port: int) -> tuple[_Timed, _Filing]:
    filing = _Filing(store)
    sender = Sender(TOPICS, boot_id="bench")
    endpoint = Endpoint("127.0.0.1", port, "hub")
    return _Timed(sender, endpoint, store, filing, SystemClock()), filing


async def _drain(path: Path, port: int) -> float:
    async with await Store.open(path, clock=SystemClock()) as store:
        for start in range(0, BACKLOG, 500):
            await _accept(store, [f"r-{start + at}" for at in range(500)])
        publisher, filing = _publisher(store, port)
        begin = time.perf_counter()
        task = asyncio.create_task(publisher.run())
        await _until(lambda: filing.filed == BACKLOG, 0.005)
        taken = time.perf_counter() - begin
        await _end(task)
    return taken


async def _single(folder: Path, port: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {stage: [] for stage in _STAGES}
    async with await Store.open(folder / "single.db", clock=SystemClock()) as store:
        publisher, filing = _publisher(store, port)
        task = asyncio.create_task(publisher.run())
        await _until(lambda: publisher.state.connected, 0.01)
        for number in range(ONE_BY_ONE):
            name, begin = f"s-{number}", time.perf_counter()
            await _accept(store, [name])
            durable = time.perf_counter()
            publisher.wake()
            await _until(lambda: filing.filed > number, 0.0005)  # noqa: B023 - awaited at once
            ends = (durable, publisher.acknowledged, filing.heard[name], filing.durable[name])
            for stage, end in zip(_STAGES, ends, strict=True):
                taken[stage].append(end - begin)
        await _end(task)
    return taken


async def _accept(store: Store, names: list[str]) -> None:
    rows = [
        OutboxRow(
            result_id=name,
            kind=Kind.OXIMETRY,
            payload=PAYLOAD,
            content_sha256=CONTENT_SHA256,
            space=Space.DEMO,
        )
        for name in names
    ]
    events = [
        Enqueued(at=AT, item=1, result_id=name, content_sha256=CONTENT_SHA256) for name in names
    ]
    await store.append(events, outbox=[Enqueue(row) for row in rows])


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class _Bare:
    """paho and sqlite3 and nothing between them."""

    def __init__(self, path: Path, port: int) -> None:
        self.receipts: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.acknowledged = 0.0
        self.database = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self.database.execute(f"PRAGMA {pragma}")
        self.database.execute(
            "CREATE TABLE outbox (id TEXT PRIMARY KEY, payload BLOB, filed INTEGER DEFAULT 0)"
        )
        self.database.execute("CREATE TABLE entries (n INTEGER PRIMARY KEY, data BLOB)")
        subscribed: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id="bare", protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.max_inflight_messages_set(Limits().unreceipted)
        self.client.on_socket_open = at_once
        self.client.on_connect = lambda *_: self.client.subscribe(ACK, 1)
        self.client.on_subscribe = lambda *_: subscribed.put(True)
        self.client.on_publish = lambda *_: self._note()
        self.client.on_message = lambda _c, _u, message: self.receipts.put(
            decode_ack(message.payload).result_id
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        subscribed.get(timeout=10)

    def put(self, names: list[str]) -> None:
        self.database.execute("BEGIN IMMEDIATE")
        for name in names:
            self.database.execute("INSERT INTO outbox (id, payload) VALUES (?, ?)", (name, PAYLOAD))
        self.database.execute("COMMIT")

    def send(self, name: str) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # not annotated
        properties.CorrelationData = name.encode()
        (payload,) = self.database.execute(
            "SELECT payload FROM outbox WHERE id = ?", (name,)
        ).fetchone()
        self.client.publish(TOPIC, payload, 1, properties=properties)

    def file(self, names: list[str]) -> None:
        self.database.execute("BEGIN IMMEDIATE")
        rows = [(encode(_receipted(name)),) for name in names]
        self.database.executemany("INSERT INTO entries (data) VALUES (?)", rows)
        ended = [(name,) for name in names]
        self.database.executemany("UPDATE outbox SET filed = 1 WHERE id = ?", ended)
        self.database.execute("COMMIT")

    def taken(self) -> list[str]:
        """Wait for a receipt and return all that have come."""
        names = [self.receipts.get(timeout=10)]
        with suppress(queue.Empty):
            while True:
                names.append(self.receipts.get_nowait())
        return names

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.database.close()

    def _note(self) -> None:
        self.acknowledged = time.perf_counter()


def _bare_drain(path: Path, port: int) -> float:
    bare = _Bare(path, port)
    names = [f"r-{at}" for at in range(BACKLOG)]
    for start in range(0, BACKLOG, 500):
        bare.put(names[start : start + 500])
    begin = time.perf_counter()
    sent = Limits().unreceipted
    for name in names[:sent]:
        bare.send(name)
    filed = 0
    while filed < BACKLOG:
        receipted = bare.taken()
        bare.file(receipted)
        filed += len(receipted)
        for name in names[sent : sent + len(receipted)]:
            bare.send(name)
        sent += len(receipted)
    taken = time.perf_counter() - begin
    bare.close()
    return taken


def _bare_single(path: Path, port: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {stage: [] for stage in _STAGES}
    bare = _Bare(path, port)
    for number in range(ONE_BY_ONE):
        name, begin = f"s-{number}", time.perf_counter()
        bare.put([name])
        durable = time.perf_counter()
        bare.send(name)
        bare.taken()
        heard = time.perf_counter()
        bare.file([name])
        ends = (durable, bare.acknowledged, heard, time.perf_counter())
        for stage, end in zip(_STAGES, ends, strict=True):
            taken[stage].append(end - begin)
    bare.close()
    return taken


def _receipted(result_id: str) -> Receipted:
    return Receipted(
        at=AT, result_id=result_id, outcome=Outcome.ACCEPTED, content_sha256=CONTENT_SHA256
    )


def _quantiles(seconds: list[float]) -> tuple[str, str]:
    p99 = statistics.quantiles(seconds, n=100)[98]
    return f"{statistics.median(seconds) * 1e3:.2f}", f"{p99 * 1e3:.2f}"


def _drained(name: str, seconds: list[float], ratio: float) -> tuple[str, str, str, str]:
    median = statistics.median(seconds)
    return name, f"{median:.2f}", f"{BACKLOG / median:,.0f}", f"{ratio:.2f}"


_STAGES = ("durable", "PUBACK", "receipt heard", "receipt durable")
