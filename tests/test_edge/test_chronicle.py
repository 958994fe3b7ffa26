import asyncio

import pytest

from drivers.model import Instant, InstrumentId, Kind, Measurement, Metric, Reading, Unit
from drivers.registry import Memory
from edge.chronicle import Chronicle
from edge.clock import ManualClock
from edge.events import AssociationOpened, Measured
from edge.observation import Method, Moment
from edge.room import ItemState
from edge.store import Store


@pytest.fixture
def clock():
    return ManualClock()


def moment(clock):
    return Moment.of(clock.now(), clock.era)


def measured(clock, value):
    at = Instant(0, 0, trusted=True)
    reading = Reading(Metric.SPO2, value, Unit.PERCENT)
    return Measured(
        at=moment(clock),
        instrument="oximeter",
        identity=InstrumentId("nonin"),
        measurement=Measurement(Kind.OXIMETRY, (reading,), at, b"raw"),
        memory=Memory.LIVE,
        settle_s=0.0,
    )


def opened(clock):
    return AssociationOpened(
        at=moment(clock),
        association="visit",
        subject="key",
        method=Method.SCAN,
        person="Practitioner/1",
        verified=True,
    )


async def test_what_was_recorded_is_folded_when_record_returns(tmp_path, clock):
    async with await Store.open(tmp_path / "hub.db", clock=clock) as store:
        chronicle = await Chronicle.resumed(store)
        (recorded,) = await chronicle.record(measured(clock, 97.0))
        assert chronicle.state.items.get(recorded.sequence).state is ItemState.HELD


async def test_many_tasks_recording_at_once_are_folded_in_the_order_of_the_journal(tmp_path, clock):
    async with await Store.open(tmp_path / "hub.db", clock=clock) as store:
        chronicle = await Chronicle.resumed(store)
        heard = []
        chronicle.listeners.append(lambda recorded: heard.append(recorded.sequence))
        await asyncio.gather(*(chronicle.record(measured(clock, float(n))) for n in range(100)))
        assert heard == list(range(1, 101))


async def test_a_restart_gives_the_same_room_with_and_without_a_snapshot(tmp_path, clock):
    async with await Store.open(tmp_path / "hub.db", clock=clock) as store:
        chronicle = await Chronicle.resumed(store)
        await chronicle.record(opened(clock), measured(clock, 97.0))
        await chronicle.keep_snapshot()
        await chronicle.record(measured(clock, 95.0))
        before = chronicle.state
    async with await Store.open(tmp_path / "hub.db", clock=clock) as store:
        kept = await store.snapshot()
        after = await Chronicle.resumed(store)
        assert kept is not None
        assert kept.sequence == 2
        assert (after.state, after.folded) == (before, 3)


async def test_a_snapshot_of_other_software_is_passed_over_for_the_journal(tmp_path, clock):
    async with await Store.open(tmp_path / "hub.db", clock=clock) as store:
        chronicle = await Chronicle.resumed(store)
        await chronicle.record(measured(clock, 97.0))
        kept = await store.snapshot()
        assert kept is None
        await chronicle.keep_snapshot()
        stored = await store.snapshot()
        newer = type(stored)(stored.sequence, b'{"version": 99}', stored.needed, stored.subjects)
        await store.keep_snapshot(newer)
        after = await Chronicle.resumed(store)
        assert after.state == chronicle.state
