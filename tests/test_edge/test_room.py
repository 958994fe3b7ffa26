from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drivers.model import (
    DeviceTime,
    Flag,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Reading,
    Unit,
)
from drivers.registry import Memory
from edge.acceptance import Hub, due, result_of, timing_of
from edge.clock import NS
from edge.events import (
    AssociationClosed,
    AssociationOpened,
    AssociationVerified,
    ClockTrusted,
    CloseReason,
    Confirm,
    Confirmed,
    Discarded,
    Enqueued,
    HubStarted,
    LinkClosed,
    LinkOpened,
    Measured,
    Outcome,
    Parked,
    Policy,
    Receipted,
    Recorded,
    Taken,
    WrongPatient,
)
from edge.ledger import Ledger
from edge.observation import (
    Compared,
    Method,
    Moment,
    Origin,
    Space,
    StudyPart,
    Subject,
    content_sha256,
)
from edge.room import ItemState, RoomState, Withdrawal, fold, snapshot

JOURNAL = "5e7d3e0a-0000-4000-8000-000000000001"
HUB = Hub("main", "room-1", "vitals-edge 0", Space.PRODUCTION)


def moment(seconds, *, trusted=True, era="boot-1"):
    return Moment(round(seconds * NS), round(seconds * NS), trusted, era)


def measurement(value=97.0, *, at=0.0, metric=Metric.SPO2, **more):
    kind = Kind.BLOOD_PRESSURE if metric is Metric.SYSTOLIC else Kind.OXIMETRY
    instant = Instant(round(at * NS), round(at * NS), trusted=True)
    return Measurement(kind, (Reading(metric, value, Unit.PERCENT),), instant, b"raw", **more)


def measured(at, memory=Memory.LIVE, *, settle_s=5.0, serial=None, **more):
    fields = {
        "instrument": "ox",
        "identity": InstrumentId("nonin", serial=serial),
        "measurement": more.pop("measurement", None) or measurement(at=at),
        "origin": more.pop("origin", Origin.MEASURED),
        "unchanged_until": more.pop("unchanged_until", None),
        "study": more.pop("study", None),
    }
    when = more.pop("moment", None) or moment(at)
    return Measured(at=when, memory=memory, settle_s=settle_s, **fields)


def opened(at, name="visit-1", *, verified=True, moment=moment):
    return AssociationOpened(
        at=moment(at),
        association=name,
        subject=f"key-{name}",
        method=Method.SCAN,
        person="Practitioner/1",
        verified=verified,
    )


def closed(at, name="visit-1", reason=CloseReason.END_OF_VISIT):
    return AssociationClosed(at=moment(at), association=name, reason=reason)


def unsynchronised(seconds):
    return moment(seconds, trusted=False)


def room(*events, confirm=Confirm.AUTO, started=moment, **policy):
    start = HubStarted(at=started(0), run="run-1", software="0", policy=Policy(confirm, **policy))
    state = RoomState(JOURNAL)
    for sequence, event in enumerate((start, *events), 1):
        state = fold(state, Recorded(sequence, event))
    return state


def only_item(state):
    (item,) = state.items.values()
    return item


def test_a_live_value_inside_the_visit_is_accepted_where_the_site_sends_by_itself():
    item = only_item(room(opened(100), measured(110)))
    assert (item.state, item.association) == (ItemState.ACCEPTED, "visit-1")


def test_a_live_value_inside_the_visit_waits_for_a_person_where_the_site_confirms():
    state = room(opened(100), measured(110), confirm=Confirm.CONFIRM)
    assert only_item(state).state is ItemState.OFFERED


def test_with_nobody_identified_a_value_is_held():
    item = only_item(room(measured(10)))
    assert (item.state, item.association) == (ItemState.HELD, None)


def test_a_value_that_may_have_begun_before_the_patient_came_is_quarantined():
    assert only_item(room(opened(100), measured(104))).state is ItemState.QUARANTINED


def seen_to_begin(at, began, **more):
    return measurement(at=at, began=Instant(began * NS, began * NS, trusted=True), **more)


def test_a_measurement_that_was_seen_to_begin_in_the_visit_is_offered_however_long_it_may_take():
    cuff = measured(140, settle_s=180, measurement=seen_to_begin(140, 110))
    assert only_item(room(opened(100), cuff)).state is ItemState.ACCEPTED


def test_a_measurement_that_was_seen_to_begin_before_the_patient_came_is_quarantined():
    cuff = measured(140, settle_s=180, measurement=seen_to_begin(140, 90))
    assert only_item(room(opened(100), cuff)).state is ItemState.QUARANTINED


def test_a_beginning_seen_long_ago_does_not_widen_what_a_measurement_can_span():
    cuff = measured(300, settle_s=180, measurement=seen_to_begin(300, 90))
    assert only_item(room(opened(100), cuff)).state is ItemState.ACCEPTED


@pytest.mark.parametrize(("age_s", "state"), [(2.0, "accepted"), (60.0, "quarantined")])
def test_a_beginning_counts_for_a_stored_value_only_if_that_is_surely_later(age_s, state):
    local = datetime(2026, 1, 1, 9)  # noqa: DTZ001 - no zone
    time = DeviceTime(local, 1.0, age_s, 1.0)
    cuff = seen_to_begin(140, 110, device_time=time)
    event = measured(140, Memory.STAMPED, settle_s=180, measurement=cuff)
    assert only_item(room(opened(100), event)).state == state


@pytest.mark.parametrize("memory", [Memory.STICKY, Memory.SEQUENCED, Memory.BLIND])
def test_a_beginning_makes_no_value_new_that_may_be_old(memory):
    event = measured(140, memory, measurement=seen_to_begin(140, 110))
    assert only_item(room(opened(100), event)).state is ItemState.QUARANTINED


def test_a_change_that_was_seen_to_begin_in_the_visit_is_offered():
    said = seen_to_begin(140, 110)
    event = measured(
        140, Memory.STICKY, settle_s=180, unchanged_until=moment(109), measurement=said
    )
    assert only_item(room(opened(100), event)).state is ItemState.ACCEPTED


def test_a_measurement_cannot_begin_after_it_ended():
    with pytest.raises(ValueError, match="began after it ended"):
        seen_to_begin(140, 141)


def test_what_comes_from_a_memory_was_not_seen_to_begin():
    with pytest.raises(ValueError, match="seen to begin"):
        seen_to_begin(140, 110, flags=frozenset({Flag.FROM_MEMORY}))


def test_bytes_read_again_after_a_crash_are_no_second_value_though_the_instrument_has_no_name_yet():
    time = DeviceTime(datetime(2026, 1, 5), 1.0)  # noqa: DTZ001 - an instrument's own, without a zone
    stored = measurement(at=10, device_time=time)
    live = measured(10, serial="501234567", measurement=stored)
    recovered = measured(10, measurement=stored)
    assert set(room(live, recovered).items) == {2}


def test_the_same_bytes_at_another_moment_are_another_value():
    first, second = measured(110), measured(111)
    assert set(room(opened(100), first, second).items) == {3, 4}


def test_an_association_that_is_long_over_is_not_opened_a_second_time():
    state = room(opened(100), closed(200), opened(300, "visit-2"), opened(400))
    assert state.association.id == "visit-2"


def test_the_first_value_of_an_instrument_that_repeats_its_last_one_is_nobody_s():
    state = room(opened(100), measured(400, Memory.STICKY))
    assert only_item(state).state is ItemState.QUARANTINED


def test_a_change_seen_in_the_visit_is_offered_when_the_whole_cycle_fits():
    change = measured(400, Memory.STICKY, settle_s=180, unchanged_until=moment(399))
    assert only_item(room(opened(100), change)).state is ItemState.ACCEPTED


def test_a_change_to_a_value_out_of_a_memory_does_not_make_it_new():
    said = measurement(at=400, flags=frozenset({Flag.FROM_MEMORY}))
    change = measured(
        400, Memory.STICKY, settle_s=180, unchanged_until=moment(399), measurement=said
    )
    assert only_item(room(opened(100), change)).state is ItemState.QUARANTINED


def test_a_change_whose_cycle_may_have_begun_before_the_visit_is_quarantined():
    change = measured(200, Memory.STICKY, settle_s=180, unchanged_until=moment(199))
    assert only_item(room(opened(100), change)).state is ItemState.QUARANTINED


def test_a_repeating_instrument_plugged_in_again_does_not_fill_the_tray():
    first = measured(110, Memory.STICKY)
    again = measured(300, Memory.STICKY)
    replugged = LinkOpened(at=moment(299), instrument="ox", identity=InstrumentId("nonin"))
    assert len(room(opened(100), first, replugged, again).items) == 1


def test_the_same_value_again_without_a_replug_may_be_a_new_one_and_is_shown():
    first = measured(110, Memory.STICKY)
    again = measured(300, Memory.STICKY)
    assert len(room(opened(100), first, again).items) == 2


def test_an_instrument_that_cannot_say_when_is_never_believed():
    assert only_item(room(opened(100), measured(900, Memory.BLIND))).state is ItemState.QUARANTINED


@pytest.mark.parametrize(
    ("age_s", "error_s", "state"),
    [
        (20.0, 1.0, ItemState.ACCEPTED),  # made at 180, the visit began at 100
        (100.0, 1.0, ItemState.QUARANTINED),  # made at 100: cannot be told from before
        (70.0, 30.0, ItemState.QUARANTINED),  # inside, but the clock may err by half a minute
        (None, 0.0, ItemState.QUARANTINED),  # clocks never compared
        (-3600.0, 1.0, ItemState.QUARANTINED),  # from the future
    ],
)
def test_a_stored_value_counts_only_if_its_own_time_proves_it(age_s, error_s, state):
    time = DeviceTime(datetime(2026, 1, 1, 9), 1.0, age_s, error_s)  # noqa: DTZ001 - instruments have no zone
    stored = measured(200, Memory.STAMPED, measurement=measurement(at=200, device_time=time))
    assert only_item(room(opened(100), stored)).state is state


def test_a_stored_value_from_a_streaming_instrument_is_judged_by_its_time():
    time = DeviceTime(datetime(2026, 1, 1, 9), 1.0)  # noqa: DTZ001
    stored = measured(200, Memory.LIVE, measurement=measurement(at=200, device_time=time))
    assert only_item(room(opened(100), stored)).state is ItemState.QUARANTINED


def test_a_backlog_sent_twice_is_seen_once():
    time = DeviceTime(datetime(2026, 1, 1, 9), 1.0)  # noqa: DTZ001
    stored = measured(
        200, Memory.STAMPED, serial="501", measurement=measurement(at=200, device_time=time)
    )
    assert len(room(stored, stored).items) == 1


def test_after_a_restart_of_the_machine_only_synchronised_clocks_prove_a_visit():
    later = Moment(500 * NS, 3 * NS, trusted=True, era="boot-2")
    untrusted = Moment(500 * NS, 3 * NS, trusted=False, era="boot-2")
    assert only_item(room(opened(100), measured(500, moment=later))).state is ItemState.ACCEPTED
    unsure = only_item(room(opened(100), measured(500, moment=untrusted)))
    assert unsure.state is ItemState.QUARANTINED


def test_an_unverified_identity_holds_values_until_it_is_verified_even_after_the_visit():
    held = [opened(100, verified=False), measured(110)]
    assert only_item(room(*held)).state is ItemState.HELD
    late = [*held, closed(120), AssociationVerified(at=moment(130), association="visit-1")]
    assert only_item(room(*late)).state is ItemState.ACCEPTED


def test_a_mismatch_leaves_nothing_attached():
    state = room(
        opened(100, verified=False), measured(110), closed(120, reason=CloseReason.MISMATCH)
    )
    assert (only_item(state).state, only_item(state).association) == (ItemState.HELD, None)


def test_the_next_scan_ends_the_visit_before():
    state = room(opened(100), opened(200, "visit-2"), measured(210))
    assert only_item(state).association == "visit-2"


def test_a_held_value_is_taken_only_by_a_person_and_only_into_the_open_verified_visit():
    held = [measured(10), opened(100)]
    for person, visit, state in [
        ("", "visit-1", ItemState.HELD),
        ("Practitioner/1", "visit-0", ItemState.HELD),
        ("Practitioner/1", "visit-1", ItemState.ACCEPTED),
    ]:
        taken = Taken(at=moment(110), item=2, association=visit, person=person)
        assert only_item(room(*held, taken)).state is state


def test_derived_values_are_shown_and_sent_only_where_the_site_says_so():
    derived = measured(110, origin=Origin.DERIVED)
    assert only_item(room(opened(100), derived)).state is ItemState.SHOWN
    sent = room(opened(100), derived, publish_derived=True)
    assert only_item(sent).state is ItemState.ACCEPTED


def sent(at=110):
    state = room(opened(100), measured(at))
    item = only_item(state)
    enqueued = Enqueued(at=moment(at), item=3, result_id=item.result_id, content_sha256="a" * 64)
    return [opened(100), measured(at), enqueued], item.result_id


def receipt(result_id, outcome, sha="a" * 64, at=120):
    return Receipted(
        at=moment(at), result_id=result_id, outcome=outcome, content_sha256=sha, reason="because"
    )


@pytest.mark.parametrize(
    ("outcome", "sha", "state"),
    [
        (Outcome.ACCEPTED, "a" * 64, ItemState.FILED),
        (Outcome.DUPLICATE, "a" * 64, ItemState.FILED),
        (Outcome.DUPLICATE, "b" * 64, ItemState.REFUSED),
        (Outcome.REJECTED, "", ItemState.REFUSED),
        (Outcome.RETRY, "", ItemState.QUEUED),
    ],
)
def test_what_the_record_system_says_is_what_the_room_says(outcome, sha, state):
    events, result_id = sent()
    assert only_item(room(*events, receipt(result_id, outcome, sha))).state is state


def test_a_value_filed_once_stays_filed_whatever_comes_after():
    events, result_id = sent()
    filed = receipt(result_id, Outcome.ACCEPTED)
    later = [receipt(result_id, Outcome.REJECTED), receipt(result_id, Outcome.DUPLICATE, "b" * 64)]
    state = room(*events, filed, *later)
    assert (only_item(state).state, state.filed, state.refused) == (ItemState.FILED, 1, 0)


def test_a_result_the_broker_will_not_take_is_refused_and_seen():
    events, result_id = sent()
    state = room(*events, Parked(at=moment(115), result_id=result_id, reason="not authorised"))
    assert (only_item(state).state, only_item(state).reason) == (
        ItemState.REFUSED,
        "not authorised",
    )


def test_a_wrong_patient_is_withdrawn_after_the_original_is_filed_and_not_before():
    events, result_id = sent()
    wrong = WrongPatient(at=moment(130), item=3, person="Practitioner/1")
    waiting = room(*events, wrong)
    assert due(waiting, moment(131)) == ()
    state = room(*events, wrong, receipt(result_id, Outcome.ACCEPTED, at=140))
    (withdrawal,) = due(state, moment(141))
    assert isinstance(withdrawal, Withdrawal)
    correction = result_of(state, withdrawal, Subject("Patient/1", ("A", "B")), HUB)
    assert correction.corrects is not None
    assert correction.corrects.result_id == result_id != correction.result_id


def test_nothing_is_withdrawn_that_was_never_filed():
    events, result_id = sent()
    wrong = WrongPatient(at=moment(130), item=3, person="Practitioner/1")
    state = room(*events, wrong, receipt(result_id, Outcome.REJECTED))
    assert due(state, moment(200)) == ()


def test_a_moved_value_goes_to_the_right_patient_under_another_result_id():
    events, result_id = sent()
    state = room(
        *events,
        receipt(result_id, Outcome.ACCEPTED),
        WrongPatient(at=moment(130), item=3, person="Practitioner/1"),
        opened(200, "visit-2"),
        Taken(at=moment(210), item=3, association="visit-2", person="Practitioner/1"),
    )
    moved = [what for what in due(state, moment(220)) if not isinstance(what, Withdrawal)]
    assert [(item.association, item.result_id != result_id) for item in moved] == [
        ("visit-2", True)
    ]


def test_values_taken_before_the_clock_was_right_wait_and_get_their_right_time():
    before = Moment(5 * NS, 110 * NS, trusted=False, era="boot-1")
    taken = [opened(100, moment=unsynchronised), measured(110, moment=before)]
    now = Moment(15 * NS, 120 * NS, trusted=False, era="boot-1")
    assert due(room(*taken, started=unsynchronised, clock_limit_s=3600), now) == ()
    synced = ClockTrusted(at=Moment(9_000 * NS, 130 * NS, trusted=True, era="boot-1"))
    state = room(*taken, synced, started=unsynchronised)
    (item,) = due(state, now)
    assert timing_of(state, item).wall_ns == 8_980 * NS
    assert timing_of(state, item).trusted


def test_after_the_limit_a_value_goes_out_with_its_time_marked_as_uncertain():
    before = Moment(5 * NS, 110 * NS, trusted=False, era="boot-1")
    taken = [opened(100, moment=unsynchronised), measured(110, moment=before)]
    state = room(*taken, started=unsynchronised, clock_limit_s=60)
    assert due(state, Moment(0, 169 * NS, trusted=False, era="boot-1")) == ()
    (item,) = due(state, Moment(0, 170 * NS, trusted=False, era="boot-1"))
    assert timing_of(state, item).trusted is False


def test_the_content_hash_tells_patients_values_and_withdrawals_apart():
    state = room(opened(100), measured(110))
    item = only_item(state)
    hashes = {
        content_sha256(result_of(state, item, Subject(reference, ("A", "B")), HUB))
        for reference in ("Patient/1", "Patient/2", "Patient/1")
    }
    assert len(hashes) == 2


# ---- any order of events

fractions = st.floats(0, 1)
people = st.sampled_from(["", "Practitioner/1"])
leads = st.none() | st.sampled_from([0.0, 5.0, 500.0])  # how much too early a beginning is proven
EVER_AGO_S = 100_000.0
REBOOT_S = 60.0
ROUNDING_S = 1e-5


class AnyCourseOfEvents(RuleBasedStateMachine):
    """Whatever happens in whatever order, no value is on a chart it was not made for.

    The machine knows the truth: when each act of measuring really began and ended, and when each
    patient was really there. The room sees only what instruments and clocks tell.
    """

    def __init__(self):
        super().__init__()
        self.true_s = 1000.0
        self.booted_s = 0.0
        self.era = 1
        self.trusted = True
        self.wall_error_s = 0.0
        self.state = RoomState(JOURNAL)
        self.history = []
        self.visits = {}  # association -> [opened, closed] in true time
        self.open = None
        self.acts = {}  # item -> (began, ended) in true time
        self.backlog = []  # what instruments have stored, and when it was really made
        self.taken = set()
        self.sent = {}
        self.filed = set()
        self.start(Confirm.AUTO, derived=False)

    # -- the world

    def now(self):
        wall = self.true_s + (0 if self.trusted else self.wall_error_s)
        mono = self.true_s - self.booted_s
        return Moment(round(wall * NS), round(mono * NS), self.trusted, f"boot-{self.era}")

    def happen(self, event):
        recorded = Recorded(len(self.history) + 1, event)
        self.history.append(recorded)
        self.state = fold(self.state, recorded)
        return recorded.sequence

    def start(self, confirm, *, derived):
        policy = Policy(confirm, publish_derived=derived)
        self.happen(HubStarted(at=self.now(), run="r", software="0", policy=policy))

    def leave(self):
        if self.open is not None:
            self.visits[self.open][1] = self.true_s
            self.open = None

    @rule(seconds=st.floats(0.1, 300))
    def time_passes(self, seconds):
        self.true_s += seconds

    @rule(error=st.sampled_from([-7200.0, 7200.0]), trusted=st.booleans())
    def the_wall_clock_is_wrong_or_right(self, error, trusted):
        self.trusted, self.wall_error_s = trusted, error

    @rule(confirm=st.sampled_from(Confirm), derived=st.booleans())
    def the_service_restarts(self, confirm, derived):
        self.start(confirm, derived=derived)

    @rule()
    def the_machine_restarts(self):
        self.era += 1
        self.true_s += REBOOT_S
        self.booted_s = self.true_s

    # -- the people

    @rule(verified=st.booleans())
    def a_patient_is_identified(self, verified):
        self.leave()
        self.open = f"visit-{len(self.visits)}"
        self.visits[self.open] = [self.true_s, None]
        event = AssociationOpened(
            at=self.now(),
            association=self.open,
            subject=f"key-{self.open}",
            method=Method.SCAN,
            person="Practitioner/1",
            verified=verified,
        )
        self.happen(event)

    def draw_visit(self, data):
        return data.draw(st.sampled_from(["visit-none", *self.visits]))

    def draw_item(self, data):
        return data.draw(st.sampled_from([0, *sorted(self.state.items)]))

    @rule(data=st.data())
    def an_identity_is_verified(self, data):
        self.happen(AssociationVerified(at=self.now(), association=self.draw_visit(data)))

    @rule(data=st.data(), reason=st.sampled_from(CloseReason))
    def a_visit_ends(self, data, reason):
        visit = self.draw_visit(data)
        if visit == self.open:
            self.leave()
        self.happen(AssociationClosed(at=self.now(), association=visit, reason=reason))

    @rule(data=st.data(), person=people)
    def somebody_takes_a_value(self, data, person):
        item, visit = self.draw_item(data), self.draw_visit(data)
        before = self.state.items.get(item)
        self.happen(Taken(at=self.now(), item=item, association=visit, person=person))
        if before != self.state.items.get(item):
            assert person
            assert visit == self.open
            self.taken.add(item)

    @rule(data=st.data(), person=people)
    def somebody_confirms(self, data, person):
        self.happen(Confirmed(at=self.now(), item=self.draw_item(data), person=person))

    @rule(data=st.data(), person=people)
    def somebody_discards(self, data, person):
        item = self.draw_item(data)
        self.happen(Discarded(at=self.now(), item=item, person=person, reason="no"))

    @rule(data=st.data(), person=people)
    def somebody_says_wrong_patient(self, data, person):
        item = self.draw_item(data)
        self.happen(WrongPatient(at=self.now(), item=item, person=person))
        if (now := self.state.items.get(item)) is not None and now.association is None:
            self.taken.discard(item)

    # -- the instruments

    def measure(self, memory, ended, settle, fraction, **more):
        serial, lead = more.pop("serial", None), more.pop("lead", None)
        began = ended - fraction * settle
        said = more.pop("measurement", None) or measurement()
        if lead is not None:  # the link showed it begin, and nothing of it was earlier than that
            said = self.seen_from(said, began - lead)
        event = measured(
            0.0, memory, settle_s=settle, serial=serial, moment=self.now(), measurement=said, **more
        )
        self.acts[self.happen(event)] = (began, ended)

    def seen_from(self, said, true_s):
        now, back = self.now(), round((self.true_s - true_s) * NS)
        at = Instant(now.wall_ns, now.mono_ns, now.trusted)
        return replace(said, at=at, began=Instant(at.wall_ns - back, at.mono_ns - back, at.trusted))

    @rule(
        settle=st.sampled_from([0.0, 10.0, 200.0]),
        fraction=fractions,
        origin=st.sampled_from([Origin.MEASURED, Origin.MEASURED, Origin.DERIVED]),
        lead=leads,
    )
    def a_live_instrument_measures(self, settle, fraction, origin, lead):
        self.measure(Memory.LIVE, self.true_s, settle, fraction, origin=origin, lead=lead)

    @rule(
        memory=st.sampled_from([Memory.STICKY, Memory.SEQUENCED]),
        settle=st.sampled_from([0.0, 10.0, 200.0]),
        seen_ago=st.floats(0, 300),
        value=st.sampled_from([95.0, 97.0]),
        fraction=fractions,
        when=fractions,
        lead=leads,
    )
    def a_repeating_instrument_shows_a_change(  # noqa: PLR0913, PLR0917 - hypothesis draws each
        self, memory, settle, seen_ago, value, fraction, when, lead
    ):
        seen_ago = min(seen_ago, self.true_s - self.booted_s)
        now, back = self.now(), round(seen_ago * NS)
        before = Moment(now.wall_ns - back, now.mono_ns - back, now.trusted, now.era)
        ended = self.true_s - when * seen_ago
        self.measure(
            memory,
            ended,
            settle,
            fraction,
            unchanged_until=before,
            lead=lead,
            measurement=measurement(value, sequence=1 if memory is Memory.SEQUENCED else None),
        )

    @rule(memory=st.sampled_from([Memory.STICKY, Memory.SEQUENCED, Memory.BLIND]), when=fractions)
    def an_instrument_shows_what_it_remembers(self, memory, when):
        self.measure(memory, self.true_s - when * EVER_AGO_S, 10.0, 1.0)

    @rule(
        memory=st.sampled_from([Memory.STAMPED, Memory.LIVE]),
        ago=st.floats(0, 400),
        error=st.sampled_from([0.0, 30.0]),
        wrong=st.floats(-1, 1),
        fraction=fractions,
        compared=st.booleans(),
        serial=st.none() | st.sampled_from(["501", "502"]),
        lead=leads,
        another=st.none() | fractions,
    )
    def an_instrument_sends_a_stored_value(  # noqa: PLR0913, PLR0917 - hypothesis draws each
        self, memory, ago, error, wrong, fraction, compared, serial, lead, another
    ):
        age = ago + wrong * (error + 1.0)  # off by up to the error and the resolution
        local = datetime(2026, 1, 1, 9, len(self.history) % 60)  # noqa: DTZ001 - no zone
        time = DeviceTime(local, 1.0, age if compared else None, error)
        stored, ended = measurement(97.0, device_time=time), self.true_s - ago
        if another is not None and ago > 1:  # it is taken for another act, that began later
            stored, lead = self.seen_from(stored, ended + 0.1 + another * (ago - 1)), None
        more = {"serial": serial, "measurement": stored, "lead": lead}
        self.measure(memory, ended, 10.0, fraction, **more)
        self.backlog.append((stored, memory, serial, (ended - fraction * 10.0, ended)))

    @precondition(lambda self: self.backlog)
    @rule(data=st.data(), error=st.sampled_from([0.0, 30.0]), wrong=st.floats(-1, 1))
    def an_instrument_sends_its_backlog_again(self, data, error, wrong):
        stored, memory, serial, (began, ended) = data.draw(st.sampled_from(self.backlog))
        age = self.true_s - ended + wrong * (error + 1.0)
        time = replace(stored.device_time, age_s=age, age_error_s=error)
        again = replace(stored, device_time=time, began=None)
        event = measured(
            0.0, memory, settle_s=10.0, serial=serial, moment=self.now(), measurement=again
        )
        self.acts[self.happen(event)] = (began, ended)

    @rule(memory=st.sampled_from(Memory), when=fractions)
    def an_instrument_sends_a_stored_value_without_a_time(self, memory, when):
        stored = measurement(97.0, flags=frozenset({Flag.FROM_MEMORY}))
        self.measure(memory, self.true_s - when * EVER_AGO_S, 10.0, 1.0, measurement=stored)

    @rule(closed=st.booleans())
    def an_instrument_goes_or_is_connected_anew(self, closed):
        if closed:
            self.happen(LinkClosed(at=self.now(), instrument="ox", reason="out of range"))
        else:
            identity = InstrumentId("nonin")
            self.happen(LinkOpened(at=self.now(), instrument="ox", identity=identity))

    @rule(
        data=st.data(),
        ago=st.floats(0, 400),
        wrong=st.floats(-1, 1),
        fraction=fractions,
        verdict=st.sampled_from([*Compared, Compared.SAME]),
        kind=st.sampled_from([Kind.ECG12, Kind.ECG12_WAVEFORM, Kind.ECG12_ORIGINAL]),
    )
    def a_cart_leaves_a_file(self, data, ago, wrong, fraction, verdict, kind):
        compared_with = data.draw(st.sampled_from([None, self.open, "visit-0"]))
        local = datetime(2026, 1, 1, 9, len(self.history) % 60)  # noqa: DTZ001 - no zone
        time = DeviceTime(local, 1.0, ago + wrong * 11.0, 10.0)
        said = Measurement(kind, (), Instant(0, 0, trusted=True), b"file", device_time=time)
        samples = f"{len(self.history):064}"
        part = StudyPart("study", samples, None, "0" * 64, "0" * 64, verdict, compared_with)
        self.measure(Memory.STAMPED, self.true_s - ago, 5.0, fraction, measurement=said, study=part)

    # -- the record system

    @rule()
    def the_hub_sends_what_is_due(self):
        for what in due(self.state, self.now()):
            withdrawn = what.item if isinstance(what, Withdrawal) else None
            visit = withdrawn.association if withdrawn else what.association
            result = result_of(self.state, what, Subject(f"Patient/{visit}", ("A", "B")), HUB)
            assert result.result_id not in self.sent, "a result id is used once"
            assert result.association.verified
            corrects = result.corrects.result_id if result.corrects else None
            if corrects is not None:
                assert corrects in self.filed, "a correction never overtakes"
                assert self.sent[corrects].subject == result.subject, "withdrawn where it was sent"
            self.sent[result.result_id] = result
            self.happen(
                Enqueued(
                    at=self.now(),
                    item=withdrawn.sequence if withdrawn else what.sequence,
                    result_id=result.result_id,
                    content_sha256=content_sha256(result),
                    corrects=corrects,
                )
            )

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome), same=st.booleans())
    def a_receipt_arrives(self, data, outcome, same):
        result_id = data.draw(st.sampled_from(sorted(self.sent)))
        sha = content_sha256(self.sent[result_id]) if same else "f" * 64
        receipt = Receipted(
            at=self.now(), result_id=result_id, outcome=outcome, content_sha256=sha, reason="why"
        )
        self.happen(receipt)
        if outcome is Outcome.ACCEPTED or (outcome is Outcome.DUPLICATE and same):
            self.filed.add(result_id)

    # -- what always holds

    @invariant()
    def a_value_with_a_patient_was_made_for_that_patient_or_taken_by_a_person(self):
        for item in self.state.items.values():
            if item.association is None or item.sequence in self.taken:
                continue
            came, left = self.visits[item.association]
            began, ended = self.acts[item.sequence]
            assert came <= began + ROUNDING_S
            part = item.event.study
            assert part is None or (part.compared, part.association) == (
                Compared.SAME,
                item.association,
            )
            assert ended <= (self.true_s if left is None else left) + ROUNDING_S

    @invariant()
    def nothing_is_in_the_room_under_two_names(self):
        results = [item.result_id for item in self.state.items.values()]
        assert len(set(results)) == len(results)

    def teardown(self):
        """Folding the journal again gives the same room, and so does keeping it as bytes."""
        state = RoomState(JOURNAL)
        for recorded in self.history:
            state = fold(state, recorded)
        assert state == self.state
        assert snapshot.decode(snapshot.encode(self.state)) == self.state


TestAnyCourseOfEvents = AnyCourseOfEvents.TestCase
TestAnyCourseOfEvents.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=60))
def test_the_ledger_is_a_mapping_that_never_changes_under_your_feet(changes):
    ledger, model, versions = Ledger(), {}, []
    for key, value in changes:
        ledger = ledger.put(key, value) if value else ledger.without(key)
        model = {**model, key: value} if value else {k: v for k, v in model.items() if k != key}
        versions.append((ledger, model))
    for version, expected in versions:
        assert dict(version.items()) == expected
        assert len(version) == len(expected)
