"""How long until an event is durable, beside the commits that this cannot do without.

Rows of one kilobyte, as a measurement with its raw bytes is. A group is so many calls made at once,
from tasks of their own; the store commits together what piles up. The floor is bare sqlite3, same
pragmas, same payload, one transaction a group: what any store in Python must do on this disk.
"""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from benchmarks.report import Report, median_ratio
from drivers.model import Instant, InstrumentId, Kind, Measurement, Metric, Reading, Unit
from drivers.registry import Memory
from edge.clock import SystemClock
from edge.events import Measured
from edge.journal import encode
from edge.observation import Moment
from edge.store import Store

GROUPS = (1, 10, 100)
ROUNDS = 15
GROUPS_A_ROUND = 20
RAW_BYTES = 350  # makes an event of one kilobyte

Durable = Callable[[int], Coroutine[None, None, None]]


def run(report: Report) -> None:
    """Measure the store and its floor, in turn, at each size of group."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        seconds = asyncio.run(_measure(Path(name)))
    report.say(
        f"Append to durable, WAL, synchronous=FULL, events of {len(encode(_event()))} bytes, "
        f"{ROUNDS} rounds in turn of {GROUPS_A_ROUND} groups each. Floor: bare sqlite3, one "
        "transaction a group, same bytes."
    )
    report.table(
        ("calls at once", "p50 ms", "p99 ms", "rows/s", "floor p50 ms", "floor rows/s", "x floor"),
        [_row(size, seconds[size, "store"], seconds[size, "floor"]) for size in GROUPS],
    )


async def _measure(folder: Path) -> dict[tuple[int, str], list[float]]:
    """Return the seconds of every group, round by round, after one round that does not count."""
    seconds: dict[tuple[int, str], list[float]] = {
        (size, name): [] for size in GROUPS for name in ("store", "floor")
    }
    floor = _Floor(folder / "floor.db")
    async with await Store.open(folder / "store.db", clock=SystemClock()) as store:
        contestants: dict[str, Durable] = {"store": _appending(store), "floor": floor.write}
        for number in range(ROUNDS + 1):
            for size in GROUPS:
                for name, contestant in contestants.items():
                    taken = [await _timed(contestant, size) for _ in range(GROUPS_A_ROUND)]
                    if number:
                        seconds[size, name] += taken
    floor.close()
    return seconds


async def _timed(contestant: Durable, size: int) -> float:
    begin = time.perf_counter()
    await contestant(size)
    return time.perf_counter() - begin


def _appending(store: Store) -> Durable:
    event = _event()

    async def append(size: int) -> None:
        await asyncio.gather(*(store.append([event]) for _ in range(size)))

    return append


class _Floor:
    """Commits the same bytes, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._data = encode(_event())
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE entries (sequence INTEGER PRIMARY KEY, data BLOB)")

    async def write(self, size: int) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        rows = [(self._data,)] * size
        self._connection.executemany("INSERT INTO entries (data) VALUES (?)", rows)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


def _row(size: int, store: list[float], floor: list[float]) -> tuple[object, ...]:
    hundredths = statistics.quantiles(store, n=100)
    return (
        size,
        f"{statistics.median(store) * 1e3:.2f}",
        f"{hundredths[98] * 1e3:.2f}",
        f"{size * len(store) / sum(store):,.0f}",
        f"{statistics.median(floor) * 1e3:.2f}",
        f"{size * len(floor) / sum(floor):,.0f}",
        f"{median_ratio(store, floor):.2f}",
    )


def _event() -> Measured:
    at = Moment(1_700_000_000_000_000_000, 5_000_000_000, trusted=True, era="benchmark")
    reading = Reading(Metric.SPO2, 97.0, Unit.PERCENT)
    instant = Instant(at.wall_ns, at.mono_ns, at.trusted)
    return Measured(
        at=at,
        instrument="finger",
        identity=InstrumentId("nonin"),
        measurement=Measurement(Kind.OXIMETRY, (reading,), instant, bytes(RAW_BYTES)),
        memory=Memory.LIVE,
        settle_s=4.0,
    )
