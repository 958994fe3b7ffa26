"""The window: at most 64 out, nothing lost, nothing overtaken, poison isolated."""

import hashlib
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from drivers.model import Kind
from edge.clock import NS
from edge.contract.messages import Ack
from edge.events import Outcome
from edge.observation import Space
from edge.publish.window import Limits, Window
from edge.store.outbox import OutboxRow, RowState

LOST, TIMED_OUT, TOO_LARGE = 128, 141, 149
OTHER_HASH = "0" * 64


def sha(result_id):
    return hashlib.sha256(result_id.encode()).hexdigest()


def row(order, **changes):
    result_id = f"j.{order}"
    fields = {
        "result_id": result_id,
        "kind": Kind.OXIMETRY,
        "payload": b"{}",
        "content_sha256": sha(result_id),
        "space": Space.PRODUCTION,
        "order": order,
    }
    return OutboxRow(**{**fields, **changes})


def ack(result_id, outcome=Outcome.ACCEPTED, held=None):
    return Ack(result_id=result_id, outcome=outcome, content_sha256=held or sha(result_id))


class Bench:
    """A window with its rows, a connection that numbers messages, and a clock."""

    def __init__(self, n, **limits):
        self.window = Window(Limits(**limits))
        self.window.offer([row(order) for order in range(1, n + 1)], 0)
        self.now, self.mid, self.epoch = 0, 0, 0
        self.mids = {}

    def connect(self):
        self.epoch += 1
        self.mid = 0  # a new connection numbers its messages anew
        self.window.connected(self.epoch, self.now)

    def pump(self):
        """Send all that is ready and return it as pairs of order and "again"."""
        sent = []
        for dispatch in self.window.ready(self.now):
            self.mid += 1
            self.window.sent(dispatch.row.result_id, self.mid)
            self.mids[dispatch.row.order] = self.mid
            sent.append((dispatch.row.order, dispatch.again))
        return sent

    def puback(self, order, code=0):
        return self.window.acknowledged(self.epoch, self.mids[order], code, self.now)

    def receipt(self, order, outcome=Outcome.ACCEPTED, held=None):
        got = self.window.receipt(ack(f"j.{order}", outcome, held), self.now)
        if got is not None and got.state is not RowState.WAITING:
            self.window.settled(f"j.{order}")
        return got

    def after(self, seconds):
        self.now += round(seconds * NS)


def test_sixty_four_are_sent_in_order_and_the_next_only_when_a_receipt_is_durable():
    bench = Bench(70)
    bench.connect()
    assert bench.pump() == [(order, False) for order in range(1, 65)]
    for order in range(1, 65):
        bench.puback(order)
    assert bench.pump() == []
    bench.window.receipt(ack("j.7"), bench.now)
    bench.window.settled("j.7")
    assert bench.pump() == [(65, False)]


def test_nothing_is_sent_before_there_is_a_connection():
    bench = Bench(3)
    assert bench.pump() == []


def test_without_a_receipt_a_result_is_sent_again_marked_as_a_repeat():
    bench = Bench(1, resend_s=30)
    bench.connect()
    bench.pump()
    bench.puback(1)
    bench.after(29.9)
    assert bench.pump() == []
    bench.after(0.1)
    assert bench.pump() == [(1, True)]


def test_a_full_window_does_not_keep_its_own_rows_from_being_sent_again():
    bench = Bench(2, unreceipted=1, resend_s=30)
    bench.connect()
    bench.pump()
    bench.puback(1)
    bench.after(30)
    assert bench.pump() == [(1, True)]


def test_each_sending_without_a_receipt_waits_twice_as_long_for_the_next():
    bench = Bench(1, resend_s=30, longest_s=100)
    bench.connect()
    waits = []
    for _ in range(4):
        bench.pump()
        bench.puback(1)
        waits.append((bench.window.wake_ns(bench.now) - bench.now) / NS)
        bench.after(waits[-1])
    assert waits == [30, 60, 100, 100]


def test_a_result_the_broker_never_acknowledged_goes_again_at_once_after_a_reconnect():
    bench = Bench(1)
    bench.connect()
    bench.pump()
    bench.window.disconnected(LOST)
    assert bench.pump() == []
    bench.connect()
    assert bench.pump() == [(1, True)]


def test_after_a_reconnect_receipts_on_their_way_get_time_before_anything_is_repeated():
    bench = Bench(1, resend_s=30)
    bench.connect()
    bench.pump()
    bench.puback(1)
    bench.window.disconnected(LOST)
    bench.after(3600)
    bench.connect()
    assert bench.pump() == []
    bench.after(30)
    assert bench.pump() == [(1, True)]


def test_a_row_that_an_earlier_run_sent_is_marked_as_a_repeat():
    window = Window(Limits())
    window.offer([row(1, attempts=1)], 0)
    window.connected(1, 0)
    assert [dispatch.again for dispatch in window.ready(0)] == [True]


def test_an_acknowledgement_of_an_earlier_connection_means_nothing():
    bench = Bench(1)
    bench.connect()
    bench.pump()
    old = bench.mids[1]
    bench.window.disconnected(LOST)
    bench.connect()
    bench.pump()
    bench.window.acknowledged(1, old, 0, bench.now)
    bench.window.disconnected(LOST)
    bench.connect()
    assert bench.pump() == [(1, True)]  # so the second sending still waited for its own


@pytest.mark.parametrize("code", [135, 144, 149, 153])
def test_what_the_broker_will_never_take_is_parked_with_the_reason(code):
    bench = Bench(2)
    bench.connect()
    bench.pump()
    (parked,) = bench.puback(1, code)
    assert parked.result_id == "j.1"
    assert parked.reason


def test_after_a_parked_row_the_others_go_on():
    bench = Bench(2, unreceipted=1)
    bench.connect()
    bench.pump()
    bench.puback(1, 135)
    bench.window.settled("j.1")
    assert bench.pump() == [(2, False)]


def test_a_parked_result_whose_receipt_comes_late_is_filed_after_all():
    bench = Bench(1)
    bench.connect()
    bench.pump()
    bench.puback(1, 135)
    bench.window.settled("j.1")
    assert bench.receipt(1).state is RowState.FILED


def test_a_quota_pauses_everything_and_keeps_the_row():
    bench = Bench(2, unreceipted=1, retry_s=5)
    bench.connect()
    bench.pump()
    assert bench.puback(1, 151) == []
    assert bench.pump() == []
    bench.after(5)
    assert bench.pump() == [(1, True)]


def test_a_refusal_for_now_rests_that_row_while_others_go():
    bench = Bench(2, unreceipted=1, retry_s=5)
    bench.connect()
    bench.pump()
    bench.puback(1, 131)
    assert bench.pump() == [(2, False)]


def test_no_subscribers_keeps_the_row_and_is_counted():
    bench = Bench(3)
    bench.connect()
    bench.pump()
    for order in (1, 2, 3):
        assert bench.puback(order, 16) == []
    assert bench.window.unheard == 3
    bench.after(3600)
    assert [order for order, _ in bench.pump()] == [1, 2, 3]


def test_a_receipt_ends_the_count_of_results_nobody_heard():
    bench = Bench(2)
    bench.connect()
    bench.pump()
    bench.puback(1, 16)
    bench.receipt(1)
    assert bench.window.unheard == 0


def test_a_packet_too_large_parks_the_only_row_under_way():
    bench = Bench(1)
    bench.connect()
    bench.pump()
    (parked,) = bench.window.disconnected(TOO_LARGE)
    assert parked.result_id == "j.1"


def test_of_several_rows_under_way_only_the_one_that_is_too_large_is_parked():
    bench = Bench(5)
    bench.connect()
    bench.pump()
    assert bench.window.disconnected(TOO_LARGE) == []
    parked, filed = [], []
    while len(parked) + len(filed) < 5:
        bench.connect()
        ((order, _),) = bench.pump()  # alone on the line
        if order == 3:
            parked += bench.window.disconnected(TOO_LARGE)
            bench.window.settled("j.3")
        else:
            bench.puback(order)
            bench.receipt(order)
            filed.append(order)
            bench.window.disconnected(LOST)
    assert [park.result_id for park in parked] == ["j.3"]
    assert filed == [1, 2, 4, 5]


def test_a_row_that_breaks_every_connection_is_parked_and_its_neighbours_are_not():
    bench = Bench(4, poison_disconnects=3)
    parked, filed, connections = [], set(), 0
    while len(parked) + len(filed) < 4:
        bench.connect()
        connections += 1
        while sent := bench.pump():
            taken = [order for order, _ in sent if order < 2]
            for order in taken:
                bench.puback(order)
                bench.receipt(order)
                filed.add(order)
            if len(taken) < len(sent):
                break
            if 2 in {order for order, _ in sent}:
                break
        sent_now = {order for order, _ in sent}
        if 2 in sent_now:
            parked += bench.window.disconnected(LOST)
            for park in parked:
                bench.window.settled(park.result_id)
            continue
        for order in sent_now - filed:
            bench.puback(order)
            bench.receipt(order)
            filed.add(order)
    assert [park.result_id for park in parked] == ["j.2"]
    assert filed == {1, 3, 4}
    assert connections <= 6


def test_a_broker_that_stops_answering_casts_no_suspicion_on_rows():
    bench = Bench(1, poison_disconnects=1)
    for _ in range(10):
        bench.connect()
        bench.pump()
        assert bench.window.disconnected(TIMED_OUT) == []


def test_a_duplicate_with_the_same_content_is_filed():
    bench = Bench(1)
    bench.connect()
    bench.pump()
    assert bench.receipt(1, Outcome.DUPLICATE).state is RowState.FILED


@pytest.mark.parametrize("outcome", [Outcome.DUPLICATE, Outcome.ACCEPTED])
def test_a_record_system_that_holds_something_else_under_this_id_has_refused(outcome):
    bench = Bench(1)
    bench.connect()
    bench.pump()
    receipt = bench.receipt(1, outcome, OTHER_HASH)
    assert (receipt.state, receipt.differs) == (RowState.REJECTED, True)


def test_not_now_rests_the_row_longer_each_time():
    bench = Bench(1, retry_s=5)
    bench.connect()
    waits = []
    for _ in range(3):
        assert len(bench.pump()) == 1
        bench.puback(1)
        assert bench.receipt(1, Outcome.RETRY).state is RowState.WAITING
        waits.append((bench.window.wake_ns(bench.now) - bench.now) / NS)
        bench.after(waits[-1])
    assert waits == [5, 10, 20]


def test_not_now_for_one_row_makes_room_for_the_next():
    bench = Bench(2, unreceipted=1)
    bench.connect()
    bench.pump()
    bench.puback(1)
    bench.receipt(1, Outcome.RETRY)
    assert bench.pump() == [(2, False)]


def test_a_receipt_before_the_brokers_own_word_counts():
    bench = Bench(1)
    bench.connect()
    bench.pump()
    assert bench.receipt(1).state is RowState.FILED
    assert bench.puback(1, 135) == []


def test_a_receipt_for_a_result_nobody_sent_is_no_receipt():
    bench = Bench(1)
    bench.connect()
    assert bench.window.receipt(ack("j.99"), 0) is None


def test_a_second_receipt_while_the_first_becomes_durable_is_dropped():
    bench = Bench(1)
    bench.connect()
    bench.pump()
    assert bench.window.receipt(ack("j.1"), 0) is not None
    assert bench.window.receipt(ack("j.1", Outcome.REJECTED), 0) is None


def test_a_row_waits_for_the_receipt_of_the_one_it_comes_after():
    window = Window(Limits())
    window.offer([row(1), row(2, after="j.1"), row(3)], 0)
    window.connected(1, 0)
    assert [dispatch.row.order for dispatch in window.ready(0)] == [1, 3]
    window.sent("j.1", 1)
    window.sent("j.3", 2)
    window.receipt(ack("j.1"), 0)
    assert window.ready(0) == []
    window.settled("j.1")
    assert [dispatch.row.order for dispatch in window.ready(0)] == [2]


def test_a_row_whose_predecessor_was_refused_is_put_back():
    window = Window(Limits())
    window.offer([row(1), row(2, after="j.1")], 0)
    window.connected(1, 0)
    window.receipt(ack("j.1", Outcome.REJECTED), 0)
    window.settled("j.1")
    assert ("j.2" in window, window.ready(0)) == (False, [])


def test_time_alone_wakes_nobody_while_there_is_no_connection():
    bench = Bench(1)
    bench.connect()
    bench.pump()
    bench.puback(1)
    bench.window.disconnected(LOST)
    assert bench.window.wake_ns(bench.now) is None


def test_no_more_rows_are_taken_into_memory_than_its_bytes_allow():
    window = Window(Limits(held_bytes=10))
    window.offer([row(1, payload=b"x" * 10)], 0)
    assert window.wanted == 0
    window.connected(1, 0)
    window.receipt(ack("j.1"), 0)
    window.settled("j.1")
    assert window.wanted == window.limits.held


def test_a_row_that_cannot_fit_is_given_up_without_being_sent():
    bench = Bench(2)
    bench.connect()
    assert bench.window.give_up("j.1", "too large").result_id == "j.1"
    assert bench.pump() == [(2, False)]


class Delivery(RuleBasedStateMachine):
    """An outbox, a window, a broker that loses and repeats, and a record system with moods."""

    limit = 4

    @initialize()
    def begin(self):
        self.window = Window(Limits(unreceipted=self.limit, held=10, poison_disconnects=3))
        self.states, self.rows = {}, {}
        self.now = self.epoch = self.mid = 0
        self.online = False
        self.under_way = {}  # mid -> result id, this epoch
        self.at_broker, self.receipts, self.old_mids = [], [], [(0, 0)]
        self.settling = []
        self.filed = Counter()
        self.unanswered = Counter()

    @precondition(lambda self: len(self.rows) < 16)
    @rule(n=st.integers(1, 4), correction=st.booleans())
    def accept_results(self, n, correction):
        for _ in range(n):
            order = len(self.rows) + 1
            after = f"j.{order - 1}" if correction and order > 1 else None
            self.rows[f"j.{order}"] = row(order, after=after)
            self.states[f"j.{order}"] = RowState.WAITING
        self.feed()

    def sendable(self):
        return [
            row
            for row in self.rows.values()
            if self.states[row.result_id] is RowState.WAITING
            and self.states.get(row.after, RowState.FILED) is RowState.FILED
        ]

    def feed(self):
        new = [row for row in self.sendable() if row.result_id not in self.window]
        self.window.offer(new[: self.window.wanted], self.now)

    @precondition(lambda self: not self.online)
    @rule()
    def connect(self):
        self.epoch += 1
        self.mid = 0
        self.online = True
        self.window.connected(self.epoch, self.now)

    @precondition(lambda self: self.online)
    @rule(code=st.sampled_from([LOST, TIMED_OUT, TOO_LARGE, 0]), arrived=st.booleans())
    def disconnect(self, code, arrived):
        self.online = False
        self.old_mids += [(self.epoch, mid) for mid in self.under_way]
        if arrived:
            self.at_broker += self.under_way.values()
        self.under_way = {}
        self.settling += [
            (park.result_id, RowState.PARKED) for park in self.window.disconnected(code)
        ]

    @rule(limit=st.integers(1, 10))
    def send(self, limit):
        for dispatch in self.window.ready(self.now)[:limit]:
            result_id = dispatch.row.result_id
            assert self.online
            assert self.states[result_id] is RowState.WAITING
            after = dispatch.row.after
            assert after is None or self.states[after] is RowState.FILED
            assert dispatch.again or self.unanswered[result_id] == 0
            self.mid += 1
            self.under_way[self.mid] = result_id
            self.unanswered[result_id] += 1
            self.window.sent(result_id, self.mid)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), code=st.sampled_from([0, 0, 0, 16, 128, 131, 135, 151]))
    def broker_answers(self, data, code):
        mid = data.draw(st.sampled_from(sorted(self.under_way)))
        result_id = self.under_way.pop(mid)
        if code == 0:
            self.at_broker.append(result_id)
        elif code >= 128:
            self.unanswered[result_id] -= 1
        self.park(self.window.acknowledged(self.epoch, mid, code, self.now))

    def park(self, parks):
        for park in parks:
            self.settling.append((park.result_id, RowState.PARKED))
            self.unanswered[park.result_id] = 0  # a person's business now

    @rule(data=st.data())
    def an_earlier_connection_speaks_late(self, data):
        epoch, mid = data.draw(st.sampled_from(self.old_mids))
        assert self.window.acknowledged(epoch, mid, 135, self.now) == []

    @precondition(lambda self: self.at_broker)
    @rule(data=st.data(), lost=st.booleans())
    def broker_delivers(self, data, lost):
        result_id = self.at_broker.pop(data.draw(st.integers(0, len(self.at_broker) - 1)))
        if not lost:
            outcome = data.draw(st.sampled_from(Outcome))
            held = data.draw(st.sampled_from([None, None, None, OTHER_HASH]))
            self.answer(result_id, outcome, held)

    def answer(self, result_id, outcome, held=None):
        if self.filed[result_id]:
            outcome, held = Outcome.DUPLICATE, None
        elif outcome in {Outcome.ACCEPTED, Outcome.DUPLICATE} and held is None:
            outcome = Outcome.ACCEPTED
            self.filed[result_id] += 1
        self.receipts.append(ack(result_id, outcome, held))

    @precondition(lambda self: self.receipts)
    @rule(data=st.data(), twice=st.booleans())
    def receipt_arrives(self, data, twice):
        at = data.draw(st.integers(0, len(self.receipts) - 1))
        receipt = self.receipts[at] if twice else self.receipts.pop(at)
        self.take(receipt)

    @rule(order=st.integers(50, 60))
    def receipt_of_nothing_arrives(self, order):
        assert self.window.receipt(ack(f"j.{order * 1000}"), self.now) is None

    def take(self, receipt):
        result_id = receipt.result_id
        judged = self.window.receipt(receipt, self.now)
        if judged is None:
            return
        self.unanswered[result_id] = max(0, self.unanswered[result_id] - 1)
        if judged.state is not RowState.WAITING:
            self.settling.append((result_id, judged.state))
            self.unanswered[result_id] = 0

    @precondition(lambda self: self.settling)
    @rule()
    def store_commits(self):
        for result_id, state in self.settling:
            self.states[result_id] = state
            self.window.settled(result_id)
            self.unanswered[result_id] = 0
        self.settling = []
        self.feed()

    @rule(seconds=st.integers(0, 700))
    def time_passes(self, seconds):
        self.now += seconds * NS

    @invariant()
    def never_more_are_out_than_allowed(self):
        out = [result_id for result_id, copies in self.unanswered.items() if copies > 0]
        assert len(out) <= self.limit

    def teardown(self):
        """Once broker and record system behave, every result ends."""
        if not hasattr(self, "window"):
            return
        if self.online:
            self.disconnect(LOST, arrived=False)
        for _ in range(6 * len(self.rows)):
            if self.settling:
                self.store_commits()
            if not self.sendable():
                break
            self.all_goes_well()
        for result_id, state in self.states.items():
            after = self.rows[result_id].after
            in_vain = after is not None and self.states[after] is not RowState.FILED
            assert (state is RowState.WAITING) is in_vain, result_id
            assert state is not RowState.FILED or self.filed[result_id] == 1, result_id

    def all_goes_well(self):
        if not self.online:
            self.connect()
        self.now += 700 * NS
        self.send(100)
        for mid, result_id in self.under_way.items():
            assert self.window.acknowledged(self.epoch, mid, 0, self.now) == []
            self.answer(result_id, Outcome.ACCEPTED)
        self.under_way = {}
        while self.receipts:
            self.take(self.receipts.pop())


TestDelivery = Delivery.TestCase
TestDelivery.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
