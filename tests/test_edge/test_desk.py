"""What people do in the room, answered by the reference record system and its register."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import pytest

from drivers.model import Instant, InstrumentId, Kind, Measurement, Metric, Reading, Unit
from drivers.registry import Memory
from edge.chronicle import Chronicle
from edge.clock import ManualClock, utc
from edge.contract.dialogue import (
    Assignment,
    AssignPatient,
    CloseAssociation,
    Closing,
    OperatorRequest,
    Patient,
    PatientRequest,
    RoomListRequest,
    decode_reply,
)
from edge.contract.topics import Hub, RequestKind
from edge.contract.wire import encode
from edge.desk import Candidate, Desk, NoAnswer, Refused
from edge.events import AssociationOpened, CloseReason, Confirm, HubStarted, Measured, Policy
from edge.observation import Method, Moment, Origin, Subject
from edge.record.clerk import Clerk, Message
from edge.record.filing import Filing
from edge.record.register import Register
from edge.room import ItemState
from edge.store import Store

HUB = Hub("north", "room-3")
START_NS = 1_767_600_000 * 10**9
RUN = "run-1"
ERIKA = Patient("Patient/p-17", ("Example, Erika", "1964-08-12"), ("0017-4", "shared"))
SVEN = Patient("Patient/p-18", ("Lindqvist, Sven", "1958-07-01"), ("0018-2", "shared"))
PERSON = "Practitioner/5"
KINDS = {
    PatientRequest: RequestKind.PATIENT,
    RoomListRequest: RequestKind.ROOM_LIST,
    OperatorRequest: RequestKind.OPERATOR,
}
REGISTER = {
    "patient": [
        {
            "reference": patient.reference,
            "name": patient.display[0],
            "birth_date": patient.display[1],
            "identifiers": list(patient.identifiers),
        }
        for patient in (ERIKA, SVEN)
    ],
    "operator": [{"reference": PERSON, "name": "R. Amsel", "badge": "B-5"}],
    "room": [{"site": "north", "hub": "room-3", "patients": [SVEN.reference, ERIKA.reference]}],
}


class RecordSystem:
    """The clerk and its register behind the contract's messages, away or slow if wanted."""

    def __init__(self, path, clock):
        self.filing = Filing(path)
        self.clerk = Clerk(self.filing, msgspec.convert(REGISTER, Register), clock)
        self.away = False
        self.gates = []

    def register(self, **changed):
        self.clerk.use(msgspec.convert(REGISTER | changed, Register))

    async def ask(self, request):
        if self.gates:
            await self.gates.pop(0).wait()
        if self.away:
            raise NoAnswer
        message = Message(HUB.request(KINDS[type(request)]), encode(request))
        (reply,) = self.clerk.handle([message])
        answered = decode_reply(reply.payload)
        assert answered.correlation_id == request.correlation_id
        return answered


class Room:
    """A desk, its journal and the values that instruments bring."""

    def __init__(self, store, chronicle, clock, record):
        self.store = store
        self.chronicle = chronicle
        self.clock = clock
        self.record = record
        self.desk = Desk(chronicle, clock, record.ask, store.subject, RUN)

    @property
    def association(self):
        return self.chronicle.state.association

    def now(self):
        return Moment.of(self.clock.now(), self.clock.era)

    async def start(self, **policy):
        policy = Policy(**policy)
        await self.chronicle.record(
            HubStarted(at=self.now(), run=RUN, software="tests", policy=policy)
        )

    async def measure(self, value=97.0):
        """Return the number of a value that is measured now, and takes no time."""
        measurement = Measurement(
            kind=Kind.OXIMETRY,
            readings=(Reading(Metric.SPO2, value, Unit.PERCENT),),
            at=self.clock.now(),
            raw=str(value).encode(),
        )
        (recorded,) = await self.chronicle.record(
            Measured(
                at=self.now(),
                instrument="oximeter",
                identity=InstrumentId("nonin"),
                measurement=measurement,
                memory=Memory.LIVE,
                settle_s=0.0,
            )
        )
        return recorded.sequence

    def item(self, sequence):
        return self.chronicle.state.items.get(sequence)

    async def patient(self, association=None):
        known = self.chronicle.state.known(association) if association else self.association
        return await self.store.subject(known.subject)

    def command(self, patient=ERIKA, association="a-1", **changed):
        now = utc(self.clock.now().wall_ns)
        fields = {
            "issued_at": now,
            "expires_at": now + timedelta(minutes=10),
            "boot_id": RUN,
            "correlation_id": "c-1",
            "validated_by": "Practitioner/6",
        } | changed
        body = Assignment(
            association_id=association,
            patient=patient,
            asserted_by=PERSON,
            validated_by=fields.pop("validated_by"),
        )
        return AssignPatient(**fields, body=body)


@asynccontextmanager
async def opened(tmp_path, clock):
    async with await Store.open(tmp_path / "hub.db", clock=clock, inline=True) as store:
        record = RecordSystem(tmp_path / "record.db", clock)
        try:
            yield Room(store, await Chronicle.resumed(store), clock, record)
        finally:
            record.filing.close()


@pytest.fixture
async def room(tmp_path):
    """A room in which the service has just started and nobody has signed in."""
    async with opened(tmp_path, ManualClock(START_NS)) as room:
        await room.start()
        yield room


@pytest.fixture
async def staffed(room):
    """The same with a person signed in."""
    await room.desk.sign_in("B-5")
    return room


def shown(room):
    """The reference of the patient who is proposed, as a screen has it."""
    return room.desk.candidate.patient.reference if room.desk.candidate else ERIKA.reference


async def scanned_offline(room, code="0017-4"):
    room.record.away = True
    assert await room.desk.scan(code) is None
    room.record.away = False
    return room.association.id


# ---- who is acting


async def test_a_badge_signs_its_person_in(room):
    operator = await room.desk.sign_in("B-5")
    assert (operator.reference, operator.display) == (PERSON, "R. Amsel")
    assert room.desk.operator == operator


async def test_a_badge_that_nobody_has_signs_nobody_in(room):
    with pytest.raises(Refused, match="badge is not known"):
        await room.desk.sign_in("B-999")
    assert room.desk.operator is None


async def test_a_person_who_may_not_act_in_this_room_cannot_sign_in(room):
    elsewhere = {"site": "north", "hub": "room-3", "operators": []}
    room.record.register(room=[elsewhere])
    with pytest.raises(Refused):
        await room.desk.sign_in("B-5")


async def test_nobody_can_sign_in_while_the_record_system_is_away(room):
    room.record.away = True
    with pytest.raises(Refused, match="does not answer"):
        await room.desk.sign_in("B-5")


@pytest.mark.parametrize(
    "act",
    [
        lambda desk, _: desk.scan("0017-4"),
        lambda desk, _: desk.choose(ERIKA.reference),
        lambda desk, _: desk.confirm_patient(ERIKA.reference),
        lambda desk, item: desk.take(item),
        lambda desk, item: desk.confirm((item,)),
        lambda desk, item: desk.discard(item, "a slip"),
        lambda desk, item: desk.wrong_patient(item),
    ],
    ids=["scan", "choose", "confirm-patient", "take", "send", "discard", "wrong-patient"],
)
async def test_nothing_is_done_while_nobody_is_signed_in(staffed, act):
    await staffed.desk.scan("0017-4")
    item = await staffed.measure()
    staffed.desk.sign_out()
    before = staffed.store.head
    with pytest.raises(Refused, match="nobody is signed in"):
        await act(staffed.desk, item)
    assert staffed.store.head == before


# ---- who the patient is


async def test_a_scan_proposes_a_patient_and_opens_nothing_until_a_person_compared(staffed):
    candidate = await staffed.desk.scan("0017-4")
    assert candidate == Candidate(ERIKA, Method.SCAN)
    assert staffed.association is None
    association = await staffed.desk.confirm_patient(ERIKA.reference)
    assert staffed.association.id == association
    assert (staffed.association.verified, staffed.association.person) == (True, PERSON)
    assert await staffed.patient() == Subject(ERIKA.reference, ERIKA.display, ERIKA.identifiers)


async def test_the_journal_does_not_name_the_patient(staffed):
    await staffed.desk.scan("0017-4")
    await staffed.desk.confirm_patient(shown(staffed))
    written = b"".join([entry.data async for entry in staffed.store.entries()])
    assert b"p-17" not in written
    assert b"Erika" not in written


async def test_the_next_scan_ends_the_visit_before(staffed):
    await staffed.desk.scan("0017-4")
    first = await staffed.desk.confirm_patient(shown(staffed))
    await staffed.desk.scan("0018-2")
    assert staffed.association is None
    assert await staffed.desk.confirm_patient(shown(staffed)) != first


@pytest.mark.parametrize(
    ("code", "words"), [("nobody", "knows nobody"), ("shared", "more than one person")]
)
async def test_a_code_that_is_not_exactly_one_persons_identifies_nobody(staffed, code, words):
    with pytest.raises(Refused, match=words):
        await staffed.desk.scan(code)
    assert (staffed.association, staffed.desk.candidate) == (None, None)


async def test_a_proposed_patient_can_be_dropped(staffed):
    await staffed.desk.scan("0017-4")
    await staffed.desk.not_this_person()
    with pytest.raises(Refused, match="no patient to confirm"):
        await staffed.desk.confirm_patient(shown(staffed))


async def test_a_person_who_compared_one_patient_does_not_confirm_another(staffed):
    await staffed.desk.scan("0017-4")
    await staffed.desk.assigned(staffed.command(SVEN), staffed.clock.now())
    with pytest.raises(Refused, match="another patient was proposed"):
        await staffed.desk.confirm_patient(ERIKA.reference)
    assert staffed.association is None


async def test_the_answer_to_an_earlier_scan_comes_too_late(staffed):
    slow = asyncio.Event()
    staffed.record.gates.append(slow)
    first = asyncio.ensure_future(staffed.desk.scan("0017-4"))
    await asyncio.sleep(0)
    assert (await staffed.desk.scan("0018-2")).patient == SVEN
    slow.set()
    with pytest.raises(Refused, match="in the meantime"):
        await first
    assert staffed.desk.candidate.patient == SVEN


async def test_a_scan_that_nobody_answered_opens_nothing_over_a_later_one(staffed):
    slow = asyncio.Event()
    staffed.record.gates.append(slow)
    first = asyncio.ensure_future(staffed.desk.scan("0017-4"))
    await asyncio.sleep(0)
    await staffed.desk.scan("0018-2")
    await staffed.desk.confirm_patient(shown(staffed))
    staffed.record.away = True
    slow.set()
    with pytest.raises(Refused, match="in the meantime"):
        await first
    assert (await staffed.patient()).reference == SVEN.reference


async def test_the_rooms_list_is_in_the_record_systems_order(staffed):
    assert await staffed.desk.room_list() == (SVEN, ERIKA)


async def test_one_of_the_rooms_list_can_be_chosen_and_is_then_compared(staffed):
    assert await staffed.desk.choose(SVEN.reference) == Candidate(SVEN, Method.ROOM_LIST)
    await staffed.desk.confirm_patient(shown(staffed))
    assert staffed.association.method is Method.ROOM_LIST


async def test_who_is_not_on_the_rooms_list_cannot_be_chosen(staffed):
    with pytest.raises(Refused, match="not on the room's list"):
        await staffed.desk.choose("Patient/p-99")


async def test_without_the_record_system_there_is_no_list_but_a_scan(staffed):
    staffed.record.away = True
    with pytest.raises(Refused, match="scan the patient instead"):
        await staffed.desk.room_list()


# ---- while the record system is away


async def test_an_offline_scan_holds_values_until_the_second_check(staffed):
    association = await scanned_offline(staffed)
    assert staffed.association.verified is False
    item = await staffed.measure()
    assert staffed.item(item).state is ItemState.HELD
    candidate = await staffed.desk.check_unverified()
    assert candidate == Candidate(ERIKA, Method.SCAN, association)
    assert staffed.item(item).state is ItemState.HELD
    assert await staffed.desk.confirm_patient(shown(staffed)) == association
    assert staffed.item(item).state is ItemState.OFFERED
    assert await staffed.patient() == Subject(ERIKA.reference, ERIKA.display, ERIKA.identifiers)


async def test_values_of_an_offline_visit_that_is_over_are_released_by_its_check(staffed):
    association = await scanned_offline(staffed)
    item = await staffed.measure()
    await staffed.desk.scan("0018-2")
    await staffed.desk.confirm_patient(shown(staffed))
    assert (await staffed.desk.check_unverified()).verifies == association
    await staffed.desk.confirm_patient(shown(staffed))
    assert staffed.item(item).state is ItemState.OFFERED
    assert (await staffed.patient()).reference == SVEN.reference
    assert (await staffed.patient(association)).reference == ERIKA.reference


async def test_where_values_go_out_by_themselves_they_do_after_the_check(staffed):
    await staffed.start(confirm=Confirm.AUTO)
    await scanned_offline(staffed)
    item = await staffed.measure()
    await staffed.desk.check_unverified()
    await staffed.desk.confirm_patient(shown(staffed))
    assert staffed.item(item).state is ItemState.ACCEPTED


async def test_the_check_asks_nothing_while_the_record_system_is_still_away(staffed):
    await scanned_offline(staffed)
    staffed.record.away = True
    assert await staffed.desk.check_unverified() is None


async def test_the_check_has_nothing_to_ask_when_everybody_is_verified(staffed):
    await staffed.desk.scan("0017-4")
    await staffed.desk.confirm_patient(shown(staffed))
    assert await staffed.desk.check_unverified() is None


async def test_after_a_mismatch_the_values_are_nobodys(staffed):
    association = await scanned_offline(staffed)
    item = await staffed.measure()
    await staffed.desk.check_unverified()
    await staffed.desk.not_this_person()
    assert staffed.association is None
    held = staffed.item(item)
    assert (held.state, held.association) == (ItemState.HELD, None)
    assert staffed.chronicle.state.known(association) is None
    assert await staffed.desk.check_unverified() is None


async def test_an_offline_code_that_nobody_has_does_not_keep_others_waiting(staffed):
    await scanned_offline(staffed, "nobody")
    await staffed.measure()
    await staffed.clock.advance(1.0)
    second = await scanned_offline(staffed)
    await staffed.measure()
    assert (await staffed.desk.check_unverified()).verifies == second
    await staffed.desk.confirm_patient(shown(staffed))
    with pytest.raises(Refused, match="knows nobody"):
        await staffed.desk.check_unverified()


async def test_an_offline_scan_survives_a_restart(tmp_path):
    clock = ManualClock(START_NS)
    async with opened(tmp_path, clock) as room:
        await room.start()
        await room.desk.sign_in("B-5")
        association = await scanned_offline(room)
        item = await room.measure()
    async with opened(tmp_path, clock) as room:
        await room.start()
        await room.desk.sign_in("B-5")
        assert (await room.desk.check_unverified()).verifies == association
        await room.desk.confirm_patient(shown(room))
        assert room.item(item).state is ItemState.OFFERED


# ---- the record system's word


async def test_an_assignment_is_compared_by_a_person_where_the_site_confirms(room):
    assert await room.desk.assigned(room.command(), room.clock.now()) is None
    assert room.association is None
    assert room.desk.candidate == Candidate(ERIKA, Method.RECORD_SYSTEM, association="a-1")


async def test_a_validated_assignment_opens_by_itself_where_values_do(room):
    await room.start(confirm=Confirm.AUTO)
    assert await room.desk.assigned(room.command(), room.clock.now()) is None
    assert (room.association.id, room.association.person) == ("a-1", "Practitioner/6")
    assert await room.patient() == Subject(ERIKA.reference, ERIKA.display, ERIKA.identifiers)


async def test_an_assignment_that_nobody_validated_is_compared_everywhere(room):
    await room.start(confirm=Confirm.AUTO)
    await room.desk.assigned(room.command(validated_by=None), room.clock.now())
    assert (room.association, room.desk.candidate.patient) == (None, ERIKA)


async def test_an_assignment_said_twice_is_one_visit(room):
    await room.start(confirm=Confirm.AUTO)
    for _ in range(2):
        await room.desk.assigned(room.command(), room.clock.now())
    events = [recorded.event async for recorded in room.store.recorded()]
    assert sum(isinstance(event, AssociationOpened) for event in events) == 1


@pytest.mark.parametrize("confirm", Confirm)
async def test_an_assignment_said_again_after_its_visit_leaves_the_next_patient_alone(
    staffed, confirm
):
    await staffed.start(confirm=confirm)
    await staffed.desk.assigned(staffed.command(), staffed.clock.now())
    if confirm is Confirm.CONFIRM:
        await staffed.desk.confirm_patient(shown(staffed))
    await staffed.desk.scan("0018-2")
    association = await staffed.desk.confirm_patient(shown(staffed))
    await staffed.desk.assigned(staffed.command(), staffed.clock.now())
    assert (staffed.association.id, staffed.desk.candidate) == (association, None)


async def test_a_visit_that_a_person_confirmed_has_the_id_the_record_system_gave_it(staffed):
    await staffed.desk.assigned(staffed.command(), staffed.clock.now())
    assert await staffed.desk.confirm_patient(shown(staffed)) == "a-1"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"expires_at": utc(START_NS)}, "expired"),
        ({"boot_id": "run-0"}, "earlier start"),
        ({"issued_at": utc(START_NS) + timedelta(hours=1)}, "issued in the future"),
    ],
    ids=["expired", "another-boot", "from-the-future"],
)
async def test_an_assignment_that_is_not_for_now_changes_nothing(room, changed, words):
    await room.start(confirm=Confirm.AUTO)
    before = room.store.head
    assert words in await room.desk.assigned(room.command(**changed), room.clock.now())
    assert (room.store.head, room.desk.candidate) == (before, None)


async def test_under_a_clock_that_is_not_synchronised_no_assignment_is_followed(room):
    await room.start(confirm=Confirm.AUTO)
    now = room.clock.now()
    untrusted = Instant(now.wall_ns, now.mono_ns, trusted=False)
    assert "not synchronised" in await room.desk.assigned(room.command(), untrusted)
    assert room.association is None


async def test_a_refused_assignment_leaves_the_visit_as_it_is(staffed):
    await staffed.desk.scan("0018-2")
    association = await staffed.desk.confirm_patient(shown(staffed))
    await staffed.desk.assigned(staffed.command(boot_id="run-0"), staffed.clock.now())
    assert staffed.association.id == association


@pytest.mark.parametrize(("named", "ended"), [("a-1", True), ("a-2", False)])
async def test_the_record_system_ends_the_visit_it_names_and_no_other(room, named, ended):
    await room.start(confirm=Confirm.AUTO)
    command = room.command()
    await room.desk.assigned(command, room.clock.now())
    closing = CloseAssociation(
        issued_at=command.issued_at,
        expires_at=command.expires_at,
        boot_id=RUN,
        correlation_id="c-2",
        body=Closing(association_id=named),
    )
    await room.desk.closed_by_record_system(closing)
    assert (room.association is None) is ended


# ---- values


async def visit(room, code="0017-4"):
    await room.desk.scan(code)
    return await room.desk.confirm_patient(shown(room))


async def test_a_value_held_from_before_is_taken_for_the_patient_who_is_there(staffed):
    item = await staffed.measure()
    assert staffed.item(item).state is ItemState.HELD
    association = await visit(staffed)
    await staffed.desk.take(item)
    taken = staffed.item(item)
    assert (taken.state, taken.association) == (ItemState.ACCEPTED, association)
    assert taken.person == PERSON


async def test_a_value_is_not_taken_for_nobody(staffed):
    item = await staffed.measure()
    with pytest.raises(Refused, match="no verified patient"):
        await staffed.desk.take(item)


async def test_a_value_is_not_taken_for_somebody_unverified(staffed):
    await scanned_offline(staffed)
    item = await staffed.measure()
    with pytest.raises(Refused, match="no verified patient"):
        await staffed.desk.take(item)


async def test_only_what_is_held_or_quarantined_can_be_taken(staffed):
    await visit(staffed)
    item = await staffed.measure()
    with pytest.raises(Refused, match=f"value {item} is offered, not held or quarantined"):
        await staffed.desk.take(item)


async def test_offered_values_go_out_when_a_person_says_so(staffed):
    await visit(staffed)
    items = (await staffed.measure(97.0), await staffed.measure(98.0))
    await staffed.desk.confirm(items)
    assert {staffed.item(item).state for item in items} == {ItemState.ACCEPTED}


async def test_if_one_of_several_cannot_go_out_none_does(staffed):
    await visit(staffed)
    item = await staffed.measure()
    before = staffed.store.head
    with pytest.raises(Refused, match="no value 999"):
        await staffed.desk.confirm((item, 999))
    assert staffed.store.head == before


async def test_a_discarded_value_stays_in_the_journal_with_the_reason(staffed):
    await visit(staffed)
    item = await staffed.measure()
    await staffed.desk.discard(item, "moved")
    assert (staffed.item(item).state, staffed.item(item).reason) == (ItemState.DISCARDED, "moved")
    assert item in [recorded.sequence async for recorded in staffed.store.recorded()]


async def test_another_patients_value_is_in_quarantine_until_it_is_theirs(staffed):
    await visit(staffed)
    item = await staffed.measure()
    await staffed.desk.wrong_patient(item)
    assert staffed.item(item).state is ItemState.QUARANTINED
    second = await visit(staffed, "0018-2")
    await staffed.desk.take(item)
    assert staffed.item(item).association == second


async def test_the_end_of_a_visit_is_the_end_of_what_was_proposed(staffed):
    await staffed.desk.scan("0017-4")
    await staffed.desk.close(CloseReason.END_OF_VISIT)
    assert staffed.desk.candidate is None
    assert staffed.association is None


# ---- what a person counts or types


async def counted(
    room, value=16.0, seconds=15.0, unit=Unit.PER_MIN, kind=Kind.RESPIRATION, of=None
):
    of = of or (room.association.id if room.association else "")
    return await room.desk.enter(kind, value, unit, seconds, f"counted over {seconds:g} s", of)


async def test_what_was_typed_or_taken_for_a_patient_who_left_is_not_the_next_ones(staffed):
    loose = await staffed.measure()
    shown_then = await visit(staffed)
    await visit(staffed, "0018-2")
    await staffed.clock.advance(300)
    with pytest.raises(Refused, match="another patient is in the room"):
        await counted(staffed, of=shown_then)
    with pytest.raises(Refused, match="another patient is in the room"):
        await staffed.desk.take(loose, of=shown_then)
    assert staffed.item(loose).state is ItemState.HELD
    assert len(staffed.chronicle.state.items) == 1


async def test_a_rate_counted_in_the_visit_is_offered_as_entered(staffed):
    await staffed.desk.scan("0017-4")
    await staffed.desk.confirm_patient(shown(staffed))
    await staffed.clock.advance(20)
    item = staffed.item(await counted(staffed))
    assert (item.state, item.event.origin) == (ItemState.OFFERED, Origin.ENTERED)
    assert item.event.method == "counted over 15 s"


async def test_a_count_that_began_before_the_patient_came_is_nobodys(staffed):
    await staffed.desk.scan("0017-4")
    await staffed.desk.confirm_patient(shown(staffed))
    await staffed.clock.advance(10)
    assert staffed.item(await counted(staffed)).state is ItemState.QUARANTINED


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"value": 160.0}, "outside 3 to 120; type it again"),
        ({"value": float("nan")}, "outside"),
        ({"unit": Unit.KG}, "give /min"),
        ({"kind": Kind.OXIMETRY}, "cannot be typed"),
        ({"seconds": 301.0}, "0 to 300 s"),
    ],
)
async def test_what_cannot_be_a_value_is_refused_with_what_to_do(staffed, typed, words):
    await staffed.desk.scan("0017-4")
    await staffed.desk.confirm_patient(shown(staffed))
    with pytest.raises(Refused, match=words):
        await counted(staffed, **typed)
    assert not staffed.chronicle.state.items


async def test_nobody_types_a_value_for_a_patient_who_is_not_identified(staffed):
    with pytest.raises(Refused, match="identify the patient"):
        await counted(staffed)
