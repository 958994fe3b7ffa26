"""Killed at any point, the store holds what it had reported: whole, once, in an unbroken chain."""

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from edge.clock import ManualClock
from edge.events import Discarded, Enqueued, Measured, Receipted
from edge.faults import POINTS, parse
from edge.store import Store
from edge.store.outbox import RowState

STORE_POINTS = [point for point in POINTS if point.startswith("store.")]
INSIDE = [point for point in STORE_POINTS if "inside" in point]
BETWEEN = [point for point in STORE_POINTS if "inside" not in point]
VICTIM = Path(__file__).with_name("store_victim.py")


@pytest.fixture(scope="module")
def victims():
    """A process that forks victims and says which signal ended each."""
    with subprocess.Popen(
        [sys.executable, VICTIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:

        def end_of(folder, seed, fault=None, kill_after_s=None):
            run = {"path": f"{folder}/store.db", "log": f"{folder}/log", "seed": seed}
            run |= {"fault": fault, "kill_after_s": kill_after_s}
            nursery.stdin.write(json.dumps(run) + "\n")
            nursery.stdin.flush()
            return int(nursery.stdout.readline())

        yield end_of


def reported(folder):
    log = folder / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [tuple(line.split()) for line in lines]


async def contents(folder):
    """Return what a start after the crash finds: events by kind, raw bytes, rows."""
    async with await Store.open(folder / "store.db", clock=ManualClock()) as store:
        verdict = await store.verify()
        events = [recorded.event async for recorded in store.recorded()]
        unsettled = await store.unsettled("cuff")
        raw = [number for _, chunks in unsettled for number, _ in chunks]
        rows = {row.result_id: row for row in await store.rows(1000)}
        await store.append([])
    return verdict, events, raw, rows


def must_hold(folder):
    """Compare what the store has with what it said it has."""
    verdict, events, raw, rows = asyncio.run(contents(folder))
    said = reported(folder)
    assert verdict.fault is None
    halves = [(e.item, e.person) for e in events if isinstance(e, Discarded) and e.person != "old"]
    assert halves == [(act, half) for act, _ in halves[::2] for half in "ab"]
    assert max(Counter(halves).values(), default=1) == 1
    assert {int(act) for word, *rest in said if word == "pair" for act in rest} <= {
        act for act, _ in halves
    }
    must_hold_raw(said, events, raw)
    must_hold_rows(said, events, rows)


def must_hold_raw(said, events, raw):
    journaled = [n for e in events if isinstance(e, Measured) for n in e.measurement.kept]
    assert Counter(journaled + raw) == Counter(set(journaled + raw))
    assert {int(rest[0]) for word, *rest in said if word == "kept"} <= {*journaled, *raw}
    assert {int(rest[0]) for word, *rest in said if word == "measured"} <= set(journaled)


def must_hold_rows(said, events, rows):
    entered = [e.result_id for e in events if isinstance(e, Enqueued)]
    filed = [e.result_id for e in events if isinstance(e, Receipted)]
    assert max(Counter([*entered, "-"]).values()) == max(Counter([*filed, "-"]).values()) == 1
    assert {rest[0] for word, *rest in said if word == "accepted"} <= set(entered)
    assert {rest[0] for word, *rest in said if word == "filed"} <= set(filed)
    assert set(rows) <= set(entered)
    assert set(entered) - set(rows) <= set(filed), "a row is gone that was not filed"
    for name, row in rows.items():
        assert row.payload == name.encode() * 500
        assert (row.state is RowState.FILED) == (name in filed)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("point", BETWEEN)
def test_killed_at_a_named_point_nothing_reported_is_lost(victims, tmp_path, point, count):
    assert victims(tmp_path, seed=count, fault=f"{point}:{count}") == signal.SIGKILL
    must_hold(tmp_path)


@pytest.mark.parametrize("seed", [3, 7, 11])
@pytest.mark.parametrize("point", INSIDE)
def test_killed_within_a_commit_it_is_there_whole_or_not_at_all(victims, tmp_path, point, seed):
    assert victims(tmp_path, seed=seed, fault=f"{point}:2:{seed}") == signal.SIGKILL
    must_hold(tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_killed_at_a_random_moment_nothing_reported_is_lost(victims, tmp_path, seed):
    delay_s = random.Random(seed).uniform(0.0, 0.12)
    victims(tmp_path, seed=seed, kill_after_s=delay_s)
    must_hold(tmp_path)


def test_left_alone_the_victim_lives_to_the_end(victims, tmp_path):
    assert victims(tmp_path, seed=1) == 0
    assert {word for word, *_ in reported(tmp_path)} == {
        *("pair", "kept", "measured", "accepted", "filed", "purged"),
    }
    must_hold(tmp_path)


@pytest.mark.parametrize("text", ["store.append.befor-commit:1", "store.append.before-commit"])
def test_a_fault_point_that_does_not_exist_is_not_passed_over_in_silence(text):
    with pytest.raises(ValueError, match="VITALS_EDGE_FAULT"):
        parse(text)


def test_a_misspelt_fault_stops_the_process_that_was_to_die_of_it(victims, tmp_path):
    assert victims(tmp_path, seed=1, fault="store.append.befor-commit:1") == -1
