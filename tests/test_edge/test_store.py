"""The store: what a call reports is on the disk, in order, once, and within bounds."""

import asyncio
import sqlite3
import uuid
from contextlib import suppress
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.model import (
    Chunk,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Reading,
    Unit,
    Waveform,
)
from drivers.registry import Memory
from edge.clock import NS, ManualClock
from edge.events import ClockTrusted, Discarded, Enqueued, Measured, Outcome, Receipted
from edge.journal import SEGMENT_ENTRIES, Flaw, JournalError
from edge.observation import Moment, Space, Subject
from edge.store import (
    AlreadyEnqueued,
    NoSuchResult,
    Purged,
    Snapshot,
    Store,
    StoreClosed,
    StoreError,
    StoreFull,
    StoreRefused,
)
from edge.store.outbox import Enqueue, Move, OutboxRow, RowState

AT = Moment(wall_ns=1_700_000_000 * NS, mono_ns=5, trusted=True, era="boot")
INSTANT = Instant(AT.wall_ns, AT.mono_ns, AT.trusted)
ANNA = Subject("Patient/17", ("Anna Quellwasser", "1950-02-03"))
DAY_S = 86400.0


def happened(text="x"):
    return Discarded(at=AT, item=1, person=text, reason="")


def measured(raw=b"raw", kept=()):
    reading = Reading(Metric.SPO2, 97.0, Unit.PERCENT)
    measurement = Measurement(Kind.OXIMETRY, (reading,), INSTANT, raw, kept=kept)
    return Measured(
        at=AT,
        instrument="finger",
        identity=InstrumentId("nonin"),
        measurement=measurement,
        memory=Memory.LIVE,
        settle_s=4.0,
    )


def accept(store, name, payload=b"payload", subject=None, after=None):
    """Append the acceptance of a result."""
    row = OutboxRow(name, Kind.OXIMETRY, payload, "hash", Space.DEMO, subject=subject, after=after)
    event = Enqueued(at=AT, item=1, result_id=name, content_sha256="hash")
    return store.append([event], outbox=[Enqueue(row)])


def file(store, name):
    """Append the receipt of a result."""
    event = Receipted(at=AT, result_id=name, outcome=Outcome.ACCEPTED, content_sha256="hash")
    return store.append([event], outbox=[Move(name, RowState.FILED)])


@pytest.fixture
def clock():
    return ManualClock(AT.wall_ns)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hub" / "store.db"


@pytest.fixture
async def store(path, clock):
    async with await Store.open(path, clock=clock) as opened:
        yield opened


async def events_of(store, start=None):
    return [recorded.event async for recorded in store.recorded(start)]


async def test_what_append_returned_is_seen_by_another_connection(store, path):
    await store.append([happened("one")])
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as other:
        found = other.execute("SELECT sequence FROM entries").fetchall()
    other.close()
    assert found == [(1,)]


async def test_every_commit_is_forced_to_the_disk(store):
    found = await store._ask(lambda book: book.connection.execute("PRAGMA synchronous").fetchone())
    assert found == (2,)


async def test_events_have_consecutive_places_from_one_on(store):
    first = await store.append([happened(), happened()])
    second = await store.append([happened()])
    assert [recorded.sequence for recorded in first + second] == [1, 2, 3]


async def test_events_read_back_after_a_restart(path, clock):
    async with await Store.open(path, clock=clock) as store:
        await store.append([happened("one"), measured()])
        journal, head = store.journal, store.head
    async with await Store.open(path, clock=clock) as store:
        assert (store.journal, store.head) == (journal, head)
        assert await events_of(store) == [happened("one"), measured()]


async def test_reading_can_begin_anywhere(store):
    await store.append([happened(str(n)) for n in range(5)])
    assert await events_of(store, 4) == [happened("3"), happened("4")]


async def test_a_long_journal_is_read_in_pages_and_whole(store):
    await store.append([happened(str(n)) for n in range(1203)])
    assert await events_of(store) == [happened(str(n)) for n in range(1203)]


async def test_reading_beyond_the_end_is_refused(store):
    with pytest.raises(StoreRefused, match="holds no entry 4"):
        await events_of(store, 5)


async def test_a_new_journal_has_the_name_it_is_given(path, clock):
    name = uuid.UUID(int=7)
    async with await Store.open(path, clock=clock, journal=name) as store:
        assert store.journal == str(name)


async def test_appending_nothing_changes_nothing(store):
    before = store.head
    assert await store.append([]) == ()
    assert store.head == before


async def test_an_event_that_cannot_be_written_leaves_no_trace(store):
    with pytest.raises(JournalError):
        await store.append([happened(), happened("\ud800")])
    assert store.head.sequence == 0


async def test_calls_of_many_tasks_are_numbered_in_the_order_of_the_calls(store):
    replies = await asyncio.gather(*(store.append([happened(str(n))]) for n in range(700)))
    assert [reply[0].sequence for reply in replies] == list(range(1, 701))
    assert await events_of(store) == [happened(str(n)) for n in range(700)]


async def test_calls_that_pile_up_share_a_commit(store):
    commits = []
    await store._ask(
        lambda book: book.connection.set_trace_callback(
            lambda sql: commits.append(sql) if sql == "COMMIT" else None
        )
    )
    await asyncio.gather(*(store.append([happened()]) for _ in range(300)))
    assert 1 <= len(commits) <= 3


async def test_a_single_call_waits_for_nobody(store):
    assert [await store.append([happened()]) for _ in range(3)][2][0].sequence == 3


CALLS = st.lists(
    st.sampled_from(["good", "two", "twice", "unknown", "other patient", "no such item"]),
    max_size=25,
)


@given(calls=CALLS, inline=st.booleans())
@settings(max_examples=20)
def test_a_failing_call_leaves_its_neighbours_alone(tmp_path_factory, calls, inline):
    async def run():
        path = tmp_path_factory.mktemp("group") / "store.db"
        async with await Store.open(path, clock=ManualClock(), inline=inline) as store:
            await accept(store, "taken")
            await store.append([], subjects=[("key", ANNA)])
            acts = {
                "good": lambda: store.append([happened("good")]),
                "two": lambda: store.append([happened("two"), happened("two")]),
                "twice": lambda: accept(store, "taken"),
                "unknown": lambda: store.append(
                    [happened("bad")], outbox=[Move("unknown", RowState.FILED)]
                ),
                "other patient": lambda: store.append(
                    [happened("bad")], subjects=[("key", Subject("Patient/18", ("", "")))]
                ),
                "no such item": lambda: store.keep_waveform(99, wave([[0.0]])),
            }
            replies = await asyncio.gather(
                *(acts[call]() for call in calls), return_exceptions=True
            )
            errors = {"twice": AlreadyEnqueued, "unknown": NoSuchResult}
            errors |= {"other patient": StoreRefused, "no such item": StoreRefused}
            for call, reply in zip(calls, replies, strict=True):
                assert type(reply) is errors.get(call, tuple)
            written = [event.person for event in (await events_of(store))[1:]]
            expected = {"good": ["good"], "two": ["two", "two"]}
            assert written == [text for call in calls for text in expected.get(call, [])]
            assert (await store.verify()).intact

    asyncio.run(run())


async def test_a_result_enters_with_the_order_of_its_event(store):
    await store.append([happened()])
    await accept(store, "a", b"exact bytes")
    row = await store.row("a")
    assert (row.order, row.payload, row.state) == (2, b"exact bytes", RowState.WAITING)


@pytest.mark.parametrize("event", [True, False])
async def test_a_result_and_its_event_enter_together_or_not_at_all(store, event):
    row = OutboxRow("a", Kind.OXIMETRY, b"", "hash", Space.DEMO)
    enqueued = Enqueued(at=AT, item=1, result_id="a", content_sha256="hash")
    with pytest.raises(ValueError, match="each Enqueue needs its Enqueued event"):
        await store.append([enqueued] if event else [], outbox=[] if event else [Enqueue(row)])
    assert store.head.sequence == 0


async def test_a_correction_waits_until_what_it_corrects_is_filed(store):
    await accept(store, "a")
    await accept(store, "b", after="a")
    assert [row.result_id for row in await store.waiting(9)] == ["a"]
    await file(store, "a")
    assert [row.result_id for row in await store.waiting(9)] == ["b"]


async def test_a_correction_of_a_result_that_was_purged_is_not_held_for_ever(store):
    await accept(store, "a")
    await file(store, "a")
    await accept(store, "b", after="a")
    await store.purge(Instant(AT.wall_ns + NS, 0, trusted=True), 0)
    assert await store.row("a") is None
    assert [row.result_id for row in await store.waiting(9)] == ["b"]


async def test_what_was_sent_is_remembered_in_the_next_run(path, clock):
    async with await Store.open(path, clock=clock) as store:
        await accept(store, "a")
        await accept(store, "b")
        store.mark_sent(["a"])
    async with await Store.open(path, clock=clock) as store:
        assert [row.attempts for row in await store.waiting(9)] == [1, 0]


async def test_marks_of_sending_need_no_other_write_to_become_durable(store):
    await accept(store, "a")
    store.mark_sent(["a"])
    while not (await store.row("a")).attempts:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)


async def test_a_filed_result_goes_back_only_when_a_person_wants_it(store):
    await accept(store, "a")
    await file(store, "a")
    with pytest.raises(StoreRefused, match="is filed and cannot become parked"):
        await store.append([happened()], outbox=[Move("a", RowState.PARKED)])
    assert (await store.requeue("a")).state is RowState.WAITING
    assert [row.result_id for row in await store.waiting(9)] == ["a"]


async def test_sending_again_what_is_not_there_is_refused(store):
    with pytest.raises(NoSuchResult, match="no result nothing"):
        await store.requeue("nothing")


async def test_raw_bytes_wait_until_their_measurement_is_journaled(path, clock):
    first = Chunk(b"first", Instant(1, 2, trusted=False), "2a35")
    second = Chunk(b"second", Instant(3, 4, trusted=True))
    async with await Store.open(path, clock=clock) as store:
        one = await store.keep("cuff", first)
        two = await store.keep("cuff", second)
        await store.keep("other", second)
    async with await Store.open(path, clock=clock) as store:
        assert await store.unsettled("cuff") == [("recording", [(one, first), (two, second)])]
        await store.append([measured(kept=(one,))])
        assert await store.unsettled("cuff") == [("recording", [(two, second)])]
        await store.settle(two)
        assert await store.unsettled("cuff") == []


async def test_raw_bytes_of_an_earlier_boot_keep_their_era(path):
    chunk = Chunk(b"x", INSTANT)
    for era in ("first", "second"):
        async with await Store.open(path, clock=ManualClock(era=era)) as store:
            await store.keep("cuff", chunk)
    async with await Store.open(path, clock=ManualClock(era="third")) as store:
        assert await store.unsettled("cuff") == [("first", [(1, chunk)]), ("second", [(2, chunk)])]


async def test_a_number_of_raw_bytes_is_never_given_twice(path, clock):
    async with await Store.open(path, clock=clock) as store:
        one = await store.keep("cuff", Chunk(b"x", INSTANT))
        await store.settle(one)
    async with await Store.open(path, clock=clock) as store:
        assert await store.keep("cuff", Chunk(b"y", INSTANT)) > one


async def test_a_refused_append_settles_nothing(store):
    one = await store.keep("cuff", Chunk(b"x", INSTANT))
    with pytest.raises(NoSuchResult):
        await store.append([measured(kept=(one,))], outbox=[Move("none", RowState.FILED)])
    assert len(await store.unsettled("cuff")) == 1


async def test_a_patient_key_never_comes_to_mean_another_patient(store):
    await store.append([happened()], subjects=[("key", ANNA)])
    with pytest.raises(StoreRefused, match="stands for another patient"):
        await store.append([happened()], subjects=[("key", Subject("Patient/18", ANNA.display))])
    assert await store.subject("key") == ANNA


async def test_an_erased_patient_is_in_no_file_and_the_chain_still_verifies(store, path):
    await store.append([happened()], subjects=[("key", ANNA)])
    await accept(store, "a", b"bundle of Patient/17, Anna Quellwasser", subject="key")
    await file(store, "a")
    assert await store.erase("key") == 1
    assert (await store.subject("key"), (await store.row("a")).payload) == (None, b"")
    everything = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"Quellwasser" not in everything
    assert b"Patient/17" not in everything
    assert (await store.verify()).intact


async def test_a_patient_with_unfiled_results_is_not_erased(store):
    await store.append([happened()], subjects=[("key", ANNA)])
    await accept(store, "a", subject="key")
    with pytest.raises(StoreRefused, match="1 results of this patient are not filed yet"):
        await store.erase("key")
    assert await store.subject("key") == ANNA


async def test_a_result_of_an_erased_patient_cannot_be_sent_again(store):
    await store.append([happened()], subjects=[("key", ANNA)])
    await accept(store, "a", subject="key")
    await file(store, "a")
    await store.erase("key")
    with pytest.raises(StoreRefused, match="was erased"):
        await store.requeue("a")


def wave(samples):
    rows = np.array(samples, dtype=np.float64)
    names = tuple("ab"[: len(rows)])
    return Waveform(names, 200.0, Unit.MILLIVOLT, rows, INSTANT)


@pytest.mark.parametrize("samples", [[[1.0, np.nan, -3.5], [0, 0, 0]], [[0.1, 1e-300]], [[]]])
async def test_a_waveform_reads_back_sample_for_sample(store, samples):
    await store.append([measured()])
    await store.keep_waveform(1, wave(samples))
    (kept,) = await store.waveforms(1)
    np.testing.assert_array_equal(kept.waveform.samples, wave(samples).samples)
    assert (kept.item, kept.era, kept.waveform.signals) == (1, "recording", wave(samples).signals)


async def old_journal(store, clock, *, entries=3 * SEGMENT_ENTRIES):
    """Fill some segments and return a moment a day later."""
    await asyncio.gather(*(store.append([happened(str(n))]) for n in range(entries)))
    await clock.advance(DAY_S)
    return clock.now()


async def test_a_purge_removes_whole_old_segments_and_the_rest_verifies(store, clock):
    later = await old_journal(store, clock)
    await store.keep_snapshot(Snapshot(2 * SEGMENT_ENTRIES + 7, b"state"))
    head = store.head
    assert await store.purge(later, DAY_S / 2) == Purged(2 * SEGMENT_ENTRIES, 0)
    assert await events_of(store) == [happened(str(n)) for n in range(2000, 3000)]
    verdict = await store.verify(head)
    assert (verdict.fault, verdict.checked) == (None, SEGMENT_ENTRIES)


async def test_after_a_purge_the_chain_goes_on_through_a_restart(path, clock):
    async with await Store.open(path, clock=clock) as store:
        later = await old_journal(store, clock)
        await store.keep_snapshot(Snapshot(3 * SEGMENT_ENTRIES, b"state"))
        assert (await store.purge(later, 0)).entries == 3 * SEGMENT_ENTRIES
    async with await Store.open(path, clock=clock) as store:
        (recorded,) = await store.append([happened("next")])
        assert recorded.sequence == 3 * SEGMENT_ENTRIES + 1
        assert (await store.snapshot()) == Snapshot(3 * SEGMENT_ENTRIES, b"state")
        assert (await store.verify()).fault is None


async def test_nothing_is_purged_that_no_snapshot_stands_for(store, clock):
    assert await store.purge(await old_journal(store, clock), 0) == Purged(0, 0)


async def test_nothing_is_purged_that_an_unfinished_item_refers_to(store, clock):
    later = await old_journal(store, clock)
    await store.keep_snapshot(Snapshot(3 * SEGMENT_ENTRIES, b"", needed=SEGMENT_ENTRIES + 1))
    assert (await store.purge(later, 0)).entries == SEGMENT_ENTRIES


async def test_nothing_is_purged_that_an_unfiled_result_came_after(store, clock):
    await accept(store, "a")
    later = await old_journal(store, clock)
    await store.keep_snapshot(Snapshot(3 * SEGMENT_ENTRIES, b""))
    assert await store.purge(later, 0) == Purged(0, 0)
    await file(store, "a")
    assert (await store.purge(later, 0)).entries == 3 * SEGMENT_ENTRIES


async def test_nothing_is_purged_before_its_time(store, clock):
    later = await old_journal(store, clock)
    await store.keep_snapshot(Snapshot(3 * SEGMENT_ENTRIES, b""))
    assert await store.purge(later, DAY_S * 2) == Purged(0, 0)


async def test_nothing_is_purged_while_the_clock_is_not_synchronised(store):
    await accept(store, "a")
    await file(store, "a")
    assert await store.purge(Instant(2**62, 0, trusted=False), 0) == Purged(0, 0)


async def test_what_was_filed_under_a_wrong_clock_is_kept_from_the_first_right_time_on(path):
    clock = ManualClock(0, trusted=False)
    async with await Store.open(path, clock=clock) as store:
        await accept(store, "a")
        await file(store, "a")
        right = Instant(AT.wall_ns, 0, trusted=True)
        assert (await store.purge(right, DAY_S)).results == 0
        later = Instant(AT.wall_ns + round(DAY_S) * NS, 0, trusted=True)
        assert (await store.purge(later, DAY_S)).results == 1


async def test_filed_results_go_after_the_retention_and_others_stay(store, clock):
    for name in ("filed", "waiting", "rejected"):
        await accept(store, name)
    await file(store, "filed")
    await store.append([happened()], outbox=[Move("rejected", RowState.REJECTED)])
    await clock.advance(DAY_S)
    assert (await store.purge(clock.now(), DAY_S)).results == 1
    assert [row.result_id for row in await store.rows(9)] == ["waiting", "rejected"]


async def test_with_its_segment_a_patient_goes_whom_nothing_refers_to(store, clock):
    await store.append([happened()], subjects=[("gone", ANNA), ("open", ANNA), ("unfiled", ANNA)])
    later = await old_journal(store, clock)
    await accept(store, "a", subject="unfiled")
    await store.keep_snapshot(Snapshot(store.head.sequence, b"", subjects=("open",)))
    await store.purge(later, 0)
    assert [await store.subject(key) for key in ("gone", "open", "unfiled")] == [None, ANNA, ANNA]


async def test_a_waveform_goes_with_its_measurement(store, clock):
    await store.append([measured()])
    await store.keep_waveform(1, wave([[1.0]]))
    later = await old_journal(store, clock)
    await store.keep_snapshot(Snapshot(store.head.sequence, b""))
    await store.purge(later, 0)
    assert await store.waveforms(1) == []


async def test_room_that_a_purge_made_goes_back_to_the_file_system(store, clock):
    await store.append([happened("x" * 300_000) for _ in range(30)])
    await clock.advance(DAY_S)
    await store.keep_snapshot(Snapshot(30, b""))
    before = await store.used_bytes()
    assert (await store.purge(clock.now(), 0)).entries == 30
    pages = await store._ask(lambda book: book.connection.execute("PRAGMA page_count").fetchone())
    assert pages[0] * 4096 < before - 3_000_000


async def test_a_snapshot_never_gets_older(store):
    await store.append([happened(), happened()])
    await store.keep_snapshot(Snapshot(2, b"new"))
    with pytest.raises(StoreRefused, match="a snapshot of entry 2 is there"):
        await store.keep_snapshot(Snapshot(1, b"old"))


async def test_a_snapshot_of_what_is_yet_to_come_is_refused(store):
    with pytest.raises(StoreRefused, match="holds no entry 1"):
        await store.keep_snapshot(Snapshot(1, b"state"))


async def test_an_altered_snapshot_is_not_believed(store, path):
    await store.append([happened()])
    await store.keep_snapshot(Snapshot(1, b"state"))
    tamper(path, "UPDATE snapshots SET state = x'00'")
    with pytest.raises(StoreError, match="stored state of the room is not what was written"):
        await store.snapshot()


def tamper(path, statement):
    other = sqlite3.connect(path)
    with other:
        other.execute(statement)
    other.close()


@pytest.mark.parametrize(
    ("statement", "flaw"),
    [
        ("UPDATE entries SET data = CAST('{}' AS BLOB) WHERE sequence = 3", Flaw.ALTERED),
        ("UPDATE entries SET hash = zeroblob(32) WHERE sequence = 3", Flaw.ALTERED),
        ("DELETE FROM entries WHERE sequence = 3", Flaw.MISSING),
        ("UPDATE entries SET sequence = 99 WHERE sequence = 3", Flaw.MISSING),
    ],
)
async def test_a_change_in_the_file_is_found_at_its_entry(store, path, statement, flaw):
    await store.append([happened(str(n)) for n in range(6)])
    tamper(path, statement)
    fault = (await store.verify()).fault
    assert (fault.flaw, fault.sequence) == (flaw, 3)


async def test_a_changed_journal_is_not_folded(store, path):
    await store.append([happened(str(n)) for n in range(6)])
    tamper(path, "UPDATE entries SET data = CAST('{}' AS BLOB) WHERE sequence = 3")
    with pytest.raises(StoreError, match="not what was written, from entry 3 on"):
        await events_of(store)


async def test_a_store_whose_journal_has_a_hole_is_not_written_to_but_can_be_looked_at(path, clock):
    async with await Store.open(path, clock=clock) as store:
        await store.append([happened(str(n)) for n in range(6)])
    tamper(path, "DELETE FROM entries WHERE sequence = 3")
    with pytest.raises(StoreError, match="entries 1 to 6 only 5 are there"):
        await Store.open(path, clock=clock)
    async with await Store.open_to_read(path) as store:
        assert (await store.verify()).fault.sequence == 3


async def test_a_cut_journal_is_found_by_its_published_head(path, clock):
    async with await Store.open(path, clock=clock) as store:
        await store.append([happened(str(n)) for n in range(6)])
        head = store.head
    tamper(path, "DELETE FROM entries WHERE sequence > 4")
    async with await Store.open(path, clock=clock) as store:
        assert (await store.verify()).intact
        fault = (await store.verify(head)).fault
    assert (fault.flaw, fault.sequence) == (Flaw.TRUNCATED, 5)


LIMIT = 1 << 20


async def fill(act):
    """Do something until there is no room for it."""
    with pytest.raises(StoreFull, match="nothing new is taken until filed results are purged"):
        await _for_ever(act)


async def _for_ever(act):
    for n in count():
        await act(n)


def measure(store):
    return fill(lambda _: store.append([measured(bytes(20_000))]))


async def test_a_full_store_refuses_new_values_and_still_takes_receipts(path, clock):
    async with await Store.open(path, clock=clock, limit_bytes=LIMIT) as store:
        await accept(store, "a")
        await measure(store)
        with pytest.raises(StoreFull):
            await store.keep("cuff", Chunk(bytes(20_000), INSTANT))
        await accept(store, "b")
        await file(store, "a")
        assert await store.counts() == {
            RowState.WAITING: 1,
            RowState.FILED: 1,
            RowState.REJECTED: 0,
            RowState.PARKED: 0,
            RowState.GIVEN_UP: 0,
        }


async def test_a_full_store_takes_values_again_after_a_purge(path, clock):
    async with await Store.open(path, clock=clock, limit_bytes=LIMIT) as store:
        await accept(store, "a", bytes(500_000))
        await measure(store)
        await file(store, "a")
        await clock.advance(DAY_S)
        await store.purge(clock.now(), DAY_S)
        assert len(await store.append([measured(bytes(20_000))])) == 1


async def test_waveforms_leave_room_for_values(path, clock):
    async with await Store.open(path, clock=clock, limit_bytes=LIMIT) as store:
        await store.append([measured()])
        await fill(lambda _: store.keep_waveform(1, wave([range(5000)])))
        assert len(await store.append([measured(bytes(50_000))])) == 1


async def test_acceptances_leave_room_for_receipts(path, clock):
    async with await Store.open(path, clock=clock, limit_bytes=LIMIT) as store:
        await accept(store, "first")
        await fill(lambda n: accept(store, f"r{n}", bytes(20_000)))
        await file(store, "first")
        assert (await store.row("first")).state is RowState.FILED


async def test_on_a_full_disk_nothing_is_half_written_and_all_goes_on_when_there_is_room(store):
    await store.append([happened("before")])
    await allow_pages(store, 0)
    replies = await asyncio.gather(
        *(store.append([happened("x" * 30_000), happened("half")]) for _ in range(5)),
        return_exceptions=True,
    )
    assert {type(reply) for reply in replies} == {StoreFull}
    assert await events_of(store) == [happened("before")]
    await allow_pages(store, 10_000)
    await store.append([happened("after")])
    assert await events_of(store) == [happened("before"), happened("after")]
    assert (await store.verify()).intact


async def test_on_a_nearly_full_disk_what_fits_is_written(store):
    await store.append([happened("before")])
    await allow_pages(store, 2)
    small, large = happened("small"), happened("x" * 60_000)
    calls = [[small], [large], [small], [large], [small]]
    replies = await asyncio.gather(*map(store.append, calls), return_exceptions=True)
    assert [type(reply) for reply in replies] == [tuple, StoreFull, tuple, StoreFull, tuple]
    assert [r[0].sequence for r in replies if isinstance(r, tuple)] == [2, 3, 4]
    assert await events_of(store) == [happened("before"), small, small, small]


async def allow_pages(store, more):
    """Let the file grow by so many pages: SQLite then answers as on a full disk."""

    def work(book):
        (now,) = book.connection.execute("PRAGMA page_count").fetchone()
        book.connection.execute(f"PRAGMA max_page_count = {now + more}").fetchall()

    await store._ask(work)


async def test_what_was_asked_for_before_closing_is_done(path, clock):
    store = await Store.open(path, clock=clock)
    calls = [asyncio.create_task(store.append([happened(str(n))])) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert [(await call)[0].sequence for call in calls] == list(range(1, 51))


async def test_opening_that_was_given_up_leaves_the_store_free(path, clock):
    opening = asyncio.create_task(Store.open(path, clock=clock))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    store = None
    while store is None:
        with suppress(StoreError):  # for as long as the thread takes to see that nobody waits
            store = await Store.open(path, clock=clock)
    await store.close()


async def test_a_closed_store_says_so(path, clock):
    store = await Store.open(path, clock=clock)
    await store.close()
    await store.close()
    with pytest.raises(StoreClosed):
        await store.append([happened()])


async def test_a_caller_that_gives_up_does_not_undo_its_call(store):
    call = asyncio.create_task(store.append([happened("given up")]))
    await asyncio.sleep(0)
    call.cancel()
    await store.append([happened("next")])
    assert await events_of(store) == [happened("given up"), happened("next")]


async def test_a_reader_sees_a_store_in_use_and_cannot_write(store, path):
    await store.append([happened("one")])
    reader = await Store.open_to_read(path)
    await store.append([happened("two")])
    assert await events_of(reader) == [happened("one"), happened("two")]
    assert (await reader.verify()).checked == 2
    with pytest.raises(StoreError, match="to read only"):
        await reader.append([happened()])
    with pytest.raises(StoreError, match="readonly"):
        await reader.settle(1)
    await reader.close()


async def test_in_a_replay_every_call_is_done_before_anybody_else_gets_a_turn(path):
    async with await Store.open(path, clock=ManualClock(), inline=True) as store:
        turns = []
        other = asyncio.create_task(asyncio.sleep(0))
        other.add_done_callback(lambda _: turns.append("other"))
        turns.append(len(await store.append([ClockTrusted(at=AT)])))
        await other
        await asyncio.sleep(0)
        assert turns == [1, "other"]


async def test_what_a_person_gave_up_goes_with_the_filed_ones(path, clock):
    async with await Store.open(path, clock=clock) as store:
        await accept(store, "a")
        await store.append([], outbox=[Move("a", RowState.REJECTED)])
        await store.append([], outbox=[Move("a", RowState.GIVEN_UP)])
        assert (await store.purge(clock.now(), 0.0)).results == 1
        assert await store.row("a") is None
