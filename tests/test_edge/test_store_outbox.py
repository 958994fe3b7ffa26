"""The outbox against a model of it, through any course of events and restarts."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from drivers.model import Instant, Kind
from edge.clock import ManualClock
from edge.events import Enqueued, Parked
from edge.observation import Moment, Space
from edge.store import AlreadyEnqueued, NoSuchResult, Store, StoreRefused
from edge.store.outbox import Enqueue, Move, OutboxRow, RowState

AT = Moment(0, 0, trusted=True, era="recording")
HOUR_S = 3600.0

names = st.sampled_from([f"result-{n}" for n in range(8)])
patients = st.sampled_from(["anna", "bertha"])


@dataclass
class Row:
    """What the model knows of a row."""

    order: int
    payload: bytes
    subject: str | None
    after: str | None
    state: RowState = RowState.WAITING
    attempts: int = 0
    filed_s: float | None = None


class Outbox(RuleBasedStateMachine):
    results = Bundle("results")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.now_s = 0.0
        self.rows: dict[str, Row] = {}
        self.head = 0
        self.store = None
        self.open()

    def open(self):
        path = Path(self.folder.name) / "store.db"
        self.store = self.run(Store.open(path, clock=self.clock, inline=True))

    def run(self, awaitable):
        return self.runner.run(awaitable)

    def attempt(self, call, *errors):
        """Run a call and return the error it is refused with, None if it is not."""
        try:
            self.run(call)
        except errors as error:
            return type(error)
        return None

    @rule(name=names, after=st.none() | names, subject=st.none() | patients)
    def accept(self, name, after, subject):
        payload = f"{name} {self.head}".encode()
        row = OutboxRow(name, Kind.WEIGHT, payload, "h", Space.DEMO, after=after, subject=subject)
        event = Enqueued(at=AT, item=1, result_id=name, content_sha256="h")
        call = self.store.append([event], outbox=[Enqueue(row)])
        refusal = self.attempt(call, AlreadyEnqueued)
        assert refusal is (AlreadyEnqueued if name in self.rows else None)
        if refusal is None:
            self.head += 1
            self.rows[name] = Row(self.head, payload, subject, after)

    @rule(name=names, state=st.sampled_from(RowState))
    def move(self, name, state):
        event = Parked(at=AT, result_id=name, reason="")
        refusal = self.attempt(
            self.store.append([event], outbox=[Move(name, state)]), NoSuchResult, StoreRefused
        )
        row = self.rows.get(name)
        if row is None:
            assert refusal is NoSuchResult
        elif row.state is RowState.FILED and state is not RowState.FILED:
            assert refusal is StoreRefused
        elif not row.payload and state is RowState.WAITING:
            assert refusal is StoreRefused, "there is nothing left to send"
        else:
            assert refusal is None
            self.head += 1
            if state is RowState.FILED and row.state is not RowState.FILED:
                row.filed_s = self.now_s
            row.state = state

    @rule(name=names)
    def send_again(self, name):
        refusal = self.attempt(self.store.requeue(name), NoSuchResult, StoreRefused)
        row = self.rows.get(name)
        if row is None:
            assert refusal is NoSuchResult
        elif not row.payload:
            assert refusal is StoreRefused
        else:
            assert refusal is None
            row.state, row.filed_s = RowState.WAITING, None

    @rule(sent=st.sets(names))
    def mark_sent(self, sent):
        self.store.mark_sent(sent)
        for name in sent & self.rows.keys():
            self.rows[name].attempts += 1

    @rule(subject=patients)
    def erase(self, subject):
        refusal = self.attempt(self.store.erase(subject), StoreRefused)
        theirs = [row for row in self.rows.values() if row.subject == subject]
        unfinished = any(row.state in {RowState.WAITING, RowState.PARKED} for row in theirs)
        assert refusal is (StoreRefused if unfinished else None)
        if refusal is None:
            for row in theirs:
                row.payload, row.subject = b"", None

    @rule(hours=st.integers(0, 3))
    def purge(self, hours):
        now = Instant(round(self.now_s * 1e9), 0, trusted=True)
        purged = self.run(self.store.purge(now, hours * HOUR_S))
        gone = [
            name
            for name, row in self.rows.items()
            if row.state is RowState.FILED and row.filed_s <= self.now_s - hours * HOUR_S
        ]
        assert purged.results == len(gone)
        for name in gone:
            del self.rows[name]

    @rule(hours=st.integers(1, 2))
    def time_passes(self, hours):
        self.run(self.clock.advance(hours * HOUR_S))
        self.now_s += hours * HOUR_S

    @rule()
    def restart(self):
        self.run(self.store.close())
        self.open()

    @rule(limit=st.integers(1, 5), after_order=st.integers(0, 5))
    def ask_what_to_send(self, limit, after_order):
        sendable = [
            name
            for name, row in sorted(self.rows.items(), key=lambda pair: pair[1].order)
            if row.state is RowState.WAITING and row.order > after_order and not self.blocked(row)
        ]
        found = self.run(self.store.waiting(limit, after_order))
        assert [row.result_id for row in found] == sendable[:limit]

    def blocked(self, row):
        first = self.rows.get(row.after)
        return first is not None and first.state is not RowState.FILED

    @invariant()
    def rows_are_as_the_model_has_them(self):
        found = {row.result_id: row for row in self.run(self.store.rows(100))}
        assert found.keys() == self.rows.keys()
        for name, row in self.rows.items():
            other = found[name]
            assert (other.order, other.payload, other.state) == (row.order, row.payload, row.state)
            assert (other.after, other.subject) == (row.after, row.subject)
            assert other.attempts == row.attempts

    @invariant()
    def counts_are_those_of_the_rows(self):
        states = [row.state for row in self.rows.values()]
        assert self.run(self.store.counts()) == {state: states.count(state) for state in RowState}

    def teardown(self):
        self.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()


class TestOutbox(Outbox.TestCase):
    settings = settings(max_examples=15, stateful_step_count=25)
