"""A cart's files in a room: read, compared, journaled, filed or quarantined, in recorded time."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import msgspec
import numpy as np
import pytest

from drivers.errors import FileRefused
from drivers.formats import read_ecg
from drivers.model import CartClock, EcgFile, Kind, Metric
from drivers.registry import REGISTRY
from drivers.transports.memory_folder import MemoryFolder
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.ecg_cart import VirtualEcgCart
from edge.acceptance import ERASED, Hub
from edge.analysis import AnalysisFailed, Failure
from edge.chronicle import Chronicle
from edge.clock import utc
from edge.contract.dialogue import Operator
from edge.desk import Desk, FilePatient, Refused
from edge.events import (
    AssociationClosed,
    AssociationOpened,
    AssociationVerified,
    CloseReason,
    Confirm,
    Confirmed,
    Discarded,
    Measured,
    Outcome,
    Policy,
    Receipted,
)
from edge.fhir.read import read
from edge.fhir.read_ecg import file_of, waveform_of
from edge.inline_analysis import InlineAnalysis
from edge.journal import SEGMENT_ENTRIES
from edge.observation import Compared, Method, Origin, Space, Subject
from edge.plan import Plan
from edge.receiving import AGAIN_S
from edge.record.register import Register
from edge.record.validate import check
from edge.room import ItemState
from edge.room.measuring import NO_NUMBER, NO_PATIENT, NOBODY, NOT_SENT, OTHER_PATIENT
from edge.station import Station, Ways
from edge.store import Store
from edge.store.outbox import Move, RowState
from edge.study import compared

START_NS = 1_767_600_000 * 10**9
NUMBER = "0017-4"
BORN = "1964-08-12"
ERIKA = Subject("Patient/17", ("Example, Erika", BORN), (NUMBER,))
SVEN = Subject("Patient/18", ("Lindqvist, Sven", "1958-07-01"), ("0018-2",))
PERSON = "Practitioner/5"
REGISTER = msgspec.convert(
    {"patient": [{"reference": "Patient/17", "name": "N", "birth_date": BORN}]}, Register
)
VOUCHED = {"clock_error_s": 1.0}
DROPPED_S = 40
PARTS = [
    (Kind.ECG12, Origin.MEASURED),
    (Kind.ECG12, Origin.DERIVED),
    (Kind.ECG12_WAVEFORM, Origin.MEASURED),
    (Kind.ECG12_ORIGINAL, Origin.MEASURED),
]
STATEMENTS = ("Sinus rhythm", "Unconfirmed report")


class Time(RecordedTime):
    def __init__(self, **more):
        super().__init__(START_NS, **more)
        self.era = "this boot"


@cache
def recorded(at_s=25, patient_id=NUMBER, birth_date=BORN, statements=STATEMENTS, seed=3):
    """A recording that began `at_s` after the start of the room's time, by the cart's clock."""
    scene = {
        "started": utc(START_NS).replace(tzinfo=None) + timedelta(seconds=at_s - 20),
        "patient_id": patient_id,
        "birth_date": birth_date,
        "statements": statements,
    }
    (data,) = VirtualEcgCart(seed, **scene).due(30.0)
    return data


class Reader(InlineAnalysis):
    """The analysis of the hub, which remembers what it has read."""

    known = {}  # noqa: RUF012 - the tests' own, for as long as they run

    async def read_study(self, data):
        if data not in self.known:
            self.known[data] = await super().read_study(data)
        return self.known[data]


class Room:
    """A station with a cart, and what it did."""

    def __init__(self, station, time, group, options):
        self.station, self.time, self.store = station, time, station.store
        self.link = None
        entry = REGISTRY["ecg-folder"]
        plan = Plan("cart", "ecg-folder", entry, entry.options(options), self._open)
        group.create_task(station.add(plan).run())
        group.create_task(station.accept_for_ever())

    @asynccontextmanager
    async def _open(self, now):
        self.link = MemoryFolder(now)
        yield self.link

    @property
    def items(self):
        state = self.station.chronicle.state
        return sorted(state.items.values(), key=lambda item: item.sequence)

    def states(self):
        return {(each.state, each.reason) for each in self.items}

    async def visit(self, subject=ERIKA, association="visit-1"):
        opened = AssociationOpened(
            at=self.station.moment(),
            association=association,
            subject=f"key of {association}",
            method=Method.SCAN,
            person=PERSON,
            verified=bool(subject.reference),
        )
        await self.station.chronicle.record(opened, subjects=[(opened.subject, subject)])

    async def desk_discards(self):
        """Somebody says of everything in the room that it is none."""
        await self.desk().discard(self.items[0].sequence, "no")
        await self.visit()
        await self.leave()

    def desk(self, content=True):
        """Somebody who is signed in."""
        what_is_in = self.store.study if content else None
        who_is = self.store.subject
        desk = Desk(self.station.chronicle, self.time, None, who_is, "run", what_is_in)
        desk.operator = Operator(PERSON, "R. Amsel")
        return desk

    async def leave(self, association="visit-1"):
        over = AssociationClosed(
            at=self.station.moment(), association=association, reason=CloseReason.END_OF_VISIT
        )
        await self.station.chronicle.record(over)

    async def drop(self, *files):
        await self.time.sleep(max(0, DROPPED_S - self.time.elapsed_s))
        for data in files:
            self.link.drop(data)
        await self.time.sleep(5)

    async def rows(self):
        return {row.kind: row for row in await self.store.rows(100)}


def in_a_room(tmp_path, story, *, options=None, analysis=None, **policy):
    clock = Time()
    policy = Policy(**{"confirm": Confirm.AUTO, "publish_derived": True} | policy)
    hub = Hub("north", "room-3", "vitals-edge test", Space.PRODUCTION)
    ways = Ways(hub=hub, run="run", policy=policy, retention_s=0.0)

    async def play():
        async with await Store.open(tmp_path / "hub.db", clock=clock, inline=True) as store:
            station = Station(
                ways,
                clock=clock,
                store=store,
                chronicle=await Chronicle.resumed(store),
                analysis=analysis or Reader(),
                fits=lambda payload: "too large" if len(payload) > 1_000_000 else None,
            )
            await station.begin()
            with pytest.raises(asyncio.CancelledError):  # noqa: PT012 - the room's tasks never end
                async with asyncio.TaskGroup() as group:
                    room = Room(station, clock, group, VOUCHED if options is None else options)
                    await clock.sleep(1)
                    await story(room)
                    raise asyncio.CancelledError

    clock.run(play())


def test_a_study_of_the_patient_in_the_room_becomes_four_results_that_read_back_equal(tmp_path):
    data = recorded()
    stored = read_ecg(data)

    async def story(room):
        await room.visit()
        await room.drop(data)
        assert [(i.event.measurement.kind, i.event.origin) for i in room.items] == PARTS
        assert room.states() == {(ItemState.QUEUED, "")}
        rows = await room.store.rows(10)
        contents = [check(r.payload, r.kind, REGISTER, accept_demo=False) for r in rows]
        assert [(each.kind, each.subjects) for each in contents] == [
            (kind, {"Patient/17"}) for kind, _ in PARTS
        ]
        assert len({each.study for each in contents}) == 1
        assert len({each.result_id for each in contents}) == 4
        measured, derived, _, _ = contents
        said = dict(stored.measurements)
        values = {value.metric: value.value for value in measured.values}
        assert values == {
            "heart-rate": float(said["heart_rate"]),
            "rr-interval": float(said["rr_ms"]),
            "p-duration": float(said["p_ms"]),
            "pr-interval": float(said["pr_ms"]),
            "qrs-duration": float(said["qrs_ms"]),
            "qt-interval": float(said["qt_ms"]),
            "qtc-bazett": float(said["qtc_ms"]),
            "qrs-axis": float(said["qrs_axis"]),
        }
        assert measured.statements == STATEMENTS
        ours = {value.metric: value.value for value in derived.values}
        assert ours["heart-rate"] == pytest.approx(values["heart-rate"], abs=1)
        assert {value.origin for value in derived.values} == {"derived"}
        wave = waveform_of(rows[2].payload)
        assert (wave.leads, wave.fs) == (stored.leads, stored.fs)
        assert np.array_equal(wave.microvolts, stored.microvolts)
        assert file_of(rows[3].payload) == data
        acquired = stored.acquired.isoformat(timespec="milliseconds") + "Z"
        assert {value.time for value in measured.values} == {acquired}
        assert room.link.finished == [data]

    in_a_room(tmp_path, story)


def test_a_file_that_is_set_aside_is_told_with_the_instrument_and_the_reason(tmp_path):
    async def story(room):
        told = []
        room.station.file_listeners.append(lambda *said: told.append(said))
        await room.drop(b"no ECG")
        ((instrument, reason),) = told
        assert instrument == "cart"
        assert "not an ECG file of a known format" in reason

    in_a_room(tmp_path, story)


def test_nothing_of_the_patient_is_in_the_journal(tmp_path):
    async def story(room):
        await room.visit()
        await room.drop(recorded())
        journal = b"".join([entry.data async for entry in room.store.entries()])
        for secret in (NUMBER, "Example", BORN, "Sinus rhythm"):
            assert secret.encode() not in journal

    in_a_room(tmp_path, story)


def test_derived_values_stay_in_the_room_where_the_site_does_not_send_them(tmp_path):
    async def story(room):
        await room.visit()
        await room.drop(recorded())
        states = [(item.event.origin, item.state, item.reason) for item in room.items]
        assert states.count((Origin.DERIVED, ItemState.SHOWN, NOT_SENT)) == 1
        assert states.count((Origin.MEASURED, ItemState.QUEUED, "")) == 3

    in_a_room(tmp_path, story, publish_derived=False)


@pytest.mark.parametrize(
    ("file", "subject", "reason"),
    [
        (recorded(patient_id="4711"), ERIKA, OTHER_PATIENT),
        (recorded(birth_date="1965-08-12"), ERIKA, OTHER_PATIENT),
        (recorded(), SVEN, OTHER_PATIENT),
        (recorded(patient_id=None), ERIKA, NO_PATIENT),
        (recorded(), Subject("Patient/17", ERIKA.display), NO_NUMBER),
        (recorded(at_s=-7200), ERIKA, "it may have begun before the patient was identified"),
        (recorded(at_s=7200), ERIKA, "the instrument's clock puts the value in the future"),
    ],
)
def test_what_is_not_proven_to_be_this_patients_is_quarantined_whole(
    tmp_path, file, subject, reason
):
    async def story(room):
        await room.visit(subject)
        await room.drop(file)
        assert room.states() == {(ItemState.QUARANTINED, reason)}
        assert len(room.items) == 4
        assert await room.store.rows(10) == []
        assert room.link.finished == [file]

    in_a_room(tmp_path, story)


def test_without_anybody_to_vouch_for_its_clock_a_carts_study_waits_for_a_person(tmp_path):
    async def story(room):
        await room.visit()
        await room.drop(recorded())
        ((state, reason),) = room.states()
        assert (state, "was not compared with ours" in reason) == (ItemState.QUARANTINED, True)

    in_a_room(tmp_path, story, options={})


def test_a_study_that_comes_while_nobody_is_there_is_held(tmp_path):
    async def story(room):
        await room.drop(recorded())
        assert room.states() == {(ItemState.HELD, NOBODY)}

    in_a_room(tmp_path, story)


def test_a_study_of_the_visit_before_is_not_filed_to_the_next_patient(tmp_path):
    async def story(room):
        await room.visit(ERIKA)
        await room.time.sleep(DROPPED_S - 3)
        await room.leave()
        await room.visit(SVEN, "visit-2")
        await room.drop(recorded())
        assert {item.state for item in room.items} == {ItemState.QUARANTINED}
        assert await room.store.rows(10) == []

    in_a_room(tmp_path, story)


def test_a_number_that_was_only_scanned_proves_no_file_to_be_this_patients(tmp_path):
    scanned = Subject("", (NUMBER, ""), (NUMBER,))

    async def story(room):
        await room.visit(scanned)
        await room.drop(recorded(birth_date="1965-08-12"))
        verified = AssociationVerified(at=room.station.moment(), association="visit-1")
        known = [("key of visit-1", ERIKA)]
        await room.station.chronicle.record(verified, subjects=known)
        assert room.states() == {(ItemState.QUARANTINED, NO_NUMBER)}
        with pytest.raises(Refused, match="names another patient"):
            await room.desk().take(room.items[0].sequence)

    in_a_room(tmp_path, story)


def test_a_person_can_take_a_quarantined_study_after_comparing(tmp_path):
    async def story(room):
        await room.visit()
        await room.drop(recorded(patient_id=None))
        desk = room.desk()
        assert await desk.compare(room.items[0].sequence) == FilePatient(
            None, "Example, Erika", BORN, "2026-01-05T08:00:25", STATEMENTS
        )
        await desk.take(room.items[2].sequence)
        await room.time.sleep(5)
        assert room.states() == {(ItemState.QUEUED, "")}
        assert set(await room.rows()) == {kind for kind, _ in PARTS}

    in_a_room(tmp_path, story)


def test_a_study_that_names_another_patient_is_taken_only_by_who_says_so(tmp_path):
    async def story(room):
        await room.visit(SVEN)
        await room.drop(recorded())
        desk, item = room.desk(), room.items[0].sequence
        with pytest.raises(Refused, match="names another patient than the one in the room"):
            await desk.take(item)
        assert {each.state for each in room.items} == {ItemState.QUARANTINED}
        await desk.take(item, despite=True)
        await room.time.sleep(5)
        rows = await room.store.rows(10)
        assert [read(row.payload).subjects for row in rows] == [{SVEN.reference}] * 4

    in_a_room(tmp_path, story)


def test_a_contradiction_stands_when_what_the_file_held_cannot_be_looked_at_any_more(tmp_path):
    async def story(room):
        await room.visit(SVEN)
        await room.drop(recorded())
        with pytest.raises(Refused, match="names another patient than the one in the room"):
            await room.desk(content=False).take(room.items[0].sequence)

    in_a_room(tmp_path, story)


def test_a_study_is_confirmed_discarded_and_withdrawn_as_one(tmp_path):
    async def story(room):
        await room.visit()
        await room.drop(recorded(), recorded(at_s=30, seed=5))
        assert {item.state for item in room.items} == {ItemState.OFFERED}
        desk, (first, *_, last) = room.desk(), room.items
        await desk.confirm((first.sequence,))
        await desk.discard(last.sequence, "the wrong leads")
        await room.time.sleep(5)
        states = [item.state for item in room.items]
        assert states == [ItemState.QUEUED] * 4 + [ItemState.DISCARDED] * 4
        rows = await room.store.rows(10)
        for row in rows:
            receipt = Receipted(
                at=room.station.moment(),
                result_id=row.result_id,
                outcome=Outcome.ACCEPTED,
                content_sha256=row.content_sha256,
            )
            moved = [Move(row.result_id, RowState.FILED)]
            await room.station.chronicle.record(receipt, outbox=moved)
        await desk.wrong_patient(first.sequence)
        await room.time.sleep(5)
        corrections = [r for r in await room.store.rows(20) if r.after]
        assert {r.after for r in corrections} == {r.result_id for r in rows}
        checked = [check(r.payload, r.kind, REGISTER, accept_demo=False) for r in corrections]
        assert {each.corrects for each in checked} == {r.result_id for r in rows}

    in_a_room(tmp_path, story, confirm=Confirm.CONFIRM)


def test_the_same_file_again_changes_nothing(tmp_path):
    async def story(room):
        await room.visit()
        await room.drop(recorded(), recorded())
        await room.drop(recorded())
        assert len(room.items) == 4
        assert room.link.finished == [recorded()] * 3
        assert room.station.supervisors["cart"].intake.counts["duplicate_files"] == 2

    in_a_room(tmp_path, story)


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (recorded(statements=("Sinus rhythm", "Confirmed")), "the same recording came before"),
        (recorded(patient_id="4711"), "the same recording came before"),
        (recorded(seed=4), "another recording of this device, time and patient came before"),
    ],
)
def test_another_file_of_the_same_recording_is_set_aside_for_a_person(tmp_path, again, said):
    async def story(room):
        await room.visit()
        await room.drop(recorded(), again)
        assert len(room.items) == 4
        ((data, reason),) = room.link.aside
        assert (data, said in reason) == (again, True)

    in_a_room(tmp_path, story)


def test_a_file_that_is_no_ecg_is_set_aside_with_the_readers_reason(tmp_path):
    async def story(room):
        await room.visit()
        await room.drop(b"no ECG", recorded()[:-10], recorded())
        assert [data for data, _ in room.link.aside] == [b"no ECG", recorded()[:-10]]
        assert all("(at byte" in reason for _, reason in room.link.aside)
        assert len(room.items) == 4

    in_a_room(tmp_path, story)


class Broken(Reader):
    """Analysis that fails so many times before it works."""

    def __init__(self, failure, times):
        self.failure, self.left = failure, times

    async def read_study(self, data):
        if self.left:
            self.left -= 1
            return AnalysisFailed(self.failure)
        return await super().read_study(data)


@pytest.mark.parametrize("failure", [Failure.CRASHED, Failure.TIMEOUT, Failure.MEMORY])
def test_a_file_that_breaks_the_reader_twice_is_set_aside_and_the_next_one_read(tmp_path, failure):
    async def story(room):
        await room.visit()
        await room.drop(b"hostile", recorded())
        ((data, reason),) = room.link.aside
        assert (data, reason.endswith("2 times")) == (b"hostile", True)
        assert len(room.items) == 4

    in_a_room(tmp_path, story, analysis=Broken(failure, 2))


def test_a_reader_that_broke_once_gets_the_file_again(tmp_path):
    async def story(room):
        await room.drop(recorded())
        assert (len(room.items), room.link.aside) == (4, [])

    in_a_room(tmp_path, story, analysis=Broken(Failure.CRASHED, 1))


@pytest.mark.parametrize("failure", [Failure.BUSY, Failure.NOT_STARTED])
def test_a_file_waits_for_as_long_as_analysis_cannot_be_had(tmp_path, failure):
    async def story(room):
        await room.drop(recorded())
        assert (room.items, room.link.finished, room.link.aside) == ([], [], [])
        await room.time.sleep(50 * AGAIN_S)
        assert len(room.items) == 4

    in_a_room(tmp_path, story, analysis=Broken(failure, 20))


def test_a_restart_between_durable_and_done_files_nothing_twice(tmp_path):
    async def first(room):
        await room.visit()
        await room.drop(recorded())
        assert len(await room.store.rows(10)) == 4

    async def again(room):
        await room.drop(recorded())  # the folder finds it claimed, and not done with
        assert len(await room.store.rows(10)) == 4
        assert room.link.finished == [recorded()]
        events = [e async for e in room.store.recorded() if isinstance(e.event, Measured)]
        assert len(events) == 4

    in_a_room(tmp_path, first)
    in_a_room(tmp_path, again)


def test_an_original_that_fits_no_packet_is_parked_and_says_so(tmp_path):
    async def story(room):
        await room.visit()
        room.station._fits = lambda payload: "too large" if len(payload) > 30_000 else None
        await room.drop(recorded())
        rows = await room.rows()
        assert rows[Kind.ECG12_WAVEFORM].state is RowState.PARKED
        assert rows[Kind.ECG12_ORIGINAL].state is RowState.WAITING
        assert rows[Kind.ECG12].state is RowState.WAITING

    in_a_room(tmp_path, story)


def test_an_erased_patients_study_is_emptied(tmp_path):
    async def story(room):
        await room.visit()
        await room.drop(recorded())
        study = room.items[0].event.study.study
        rows = await room.store.rows(10)
        assert (await room.store.study(study)).original == recorded()
        await room.store.append([], outbox=[Move(r.result_id, RowState.FILED) for r in rows])
        whole = {("key of visit-1", study), ("key of visit-1", None)}
        assert await room.store.lacks(whole) == set()
        await room.visit(SVEN, "visit-2")
        await room.store.erase("key of visit-1")
        assert await room.store.study(study) is None
        others = {("key of visit-2", None), ("key of visit-2", study)}
        assert await room.store.lacks(whole | others) == whole | {("key of visit-2", study)}

    in_a_room(tmp_path, story)


def test_parts_of_an_erased_patients_study_that_were_never_sent_are_said_to_be_so_and_discarded(
    tmp_path,
):
    async def story(room):
        await room.visit()
        await room.drop(recorded())
        parts = [item.sequence for item in room.items]
        sent, never = parts[:1], parts[1:]
        person = {"at": room.station.moment(), "person": PERSON}
        await room.station.chronicle.record(*(Confirmed(item=i, **person) for i in sent))
        await room.time.sleep(5)
        (row,) = await room.store.rows(10)
        await room.store.append([], outbox=[Move(row.result_id, RowState.FILED)])
        await room.leave()
        assert [v for v in (await room.station.view()).values if v.item in never] == []
        await room.store.erase("key of visit-1")
        await room.visit(SVEN, "visit-2")
        seen = {v.item: (v.state, v.reason) for v in (await room.station.view()).values}
        assert seen == dict.fromkeys(never, ("erased", ERASED))
        with pytest.raises(Refused, match="it can never be sent"):
            await room.desk().confirm((never[0],))
        await room.desk().discard(never[0], "its patient was erased")
        assert (await room.station.view()).values == ()
        states = [item.state for item in room.items]
        assert states == [ItemState.QUEUED] + [ItemState.DISCARDED] * 3

    in_a_room(tmp_path, story, confirm=Confirm.CONFIRM)


def test_a_study_goes_with_its_entries_and_then_is_new_again(tmp_path):
    async def story(room):
        await room.drop(recorded())
        study = room.items[0].event.study
        await room.desk_discards()
        # A segment is closed by its length, and by nothing else.
        nothing = [Discarded(at=room.station.moment(), item=0, person="", reason="")]
        await room.station.chronicle.record(*nothing * SEGMENT_ENTRIES)
        await room.station.chronicle.keep_snapshot()
        assert await room.store.has_original(study.original_sha256)
        await room.time.sleep(10)
        assert (await room.store.purge(room.time.now(), 0)).entries >= SEGMENT_ENTRIES
        assert not await room.store.has_original(study.original_sha256)
        assert await room.store.study(study.study) is None

    in_a_room(tmp_path, story)


@pytest.mark.parametrize("year", [1, 1979, 2100, 9999])
def test_a_recording_of_a_year_that_cannot_be_waits_for_a_person_without_a_time(tmp_path, year):
    local = datetime(year, 1, 1, 12)  # noqa: DTZ001 - a cart's own time
    (data,) = VirtualEcgCart(3, started=local, patient_id=NUMBER).due(30.0)

    async def story(room):
        await room.visit()
        await room.drop(data)
        assert room.states() == {(ItemState.QUARANTINED, "a stored value without a time")}
        await room.station.view()
        await room.desk().take(room.items[0].sequence)
        await room.time.sleep(5)
        rows = await room.store.rows(10)
        checked = [check(r.payload, r.kind, REGISTER, accept_demo=False) for r in rows]
        assert {each.clock for each in checked} == {"synced"}

    in_a_room(tmp_path, story)


class Contradictory(Reader):
    """Analysis of a cart that says one value twice, under two names, in one file of two."""

    async def read_study(self, data):
        found = await super().read_study(data)
        if data != recorded():
            return found
        twice = (*found.said.measurements, ("qtc_bazett_ms", "401"))
        return replace(found, said=msgspec.structs.replace(found.said, measurements=twice))


def test_a_study_that_cannot_be_recorded_is_set_aside_and_keeps_no_other_waiting(tmp_path):
    async def story(room):
        await room.drop(recorded(), recorded(at_s=30, seed=5))
        ((data, reason),) = room.link.aside
        assert (data, reason) == (recorded(), "it cannot be recorded: ValueError")
        assert len(room.items) == 4

    in_a_room(tmp_path, story, analysis=Contradictory())


def test_the_cart_that_the_settings_name_is_the_only_one_taken(tmp_path):
    async def story(room):
        at = room.time.now()
        file = EcgFile(recorded(), at, CartClock())
        intake = room.station.supervisors["cart"].intake
        intake.serial = "VC-0002"
        with pytest.raises(FileRefused, match="another cart"):
            await intake.emit(file)
        intake.serial = "VC-0001"
        await intake.emit(file)
        assert len(room.items) == 4

    in_a_room(tmp_path, story)


@pytest.mark.parametrize(
    ("number", "born", "verdict"),
    [
        (" 0017-4 ", BORN, Compared.SAME),
        (NUMBER, None, Compared.SAME),
        (NUMBER, "1964", Compared.SAME),
        (NUMBER, "1964-08-13", Compared.OTHER),
        ("17-4", BORN, Compared.OTHER),
        ("", BORN, Compared.NOT_NAMED),
        (None, None, Compared.NOT_NAMED),
    ],
)
def test_a_files_patient_is_compared_by_number_and_then_by_birth_date(number, born, verdict):
    said = asyncio.run(Reader().read_study(recorded())).said
    said = msgspec.structs.replace(said, patient=(number, "Any Name", born, None))
    assert compared(said, ERIKA) is verdict


def test_a_bundle_of_a_study_names_the_study_and_the_file_but_nobody(tmp_path):
    async def story(room):
        await room.visit()
        await room.drop(recorded())
        rows = await room.rows()
        row = rows[Kind.ECG12]
        bundle = json.loads(row.payload)
        assert "Example" not in row.payload.decode()
        part = room.items[0].event.study
        assert read(row.payload).study == part.study
        assert part.original_sha256 in json.dumps(bundle)
        metrics = {value.metric for value in read(row.payload).values}
        assert Metric.QTC_BAZETT in metrics

    in_a_room(tmp_path, story)
