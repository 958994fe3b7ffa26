"""Instruments, journal and acceptance of one room, in a time that passes as fast as it can."""

import asyncio
import dataclasses
import sys
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from types import ModuleType

import msgspec
import pytest

from drivers.contract import Wish, Write
from drivers.errors import LinkNotFound
from drivers.model import Chunk, Flag, Instant, InstrumentId, Kind
from drivers.protocols.nonin import encode
from drivers.protocols.nonin_df13 import SpotCheck, SpotStatus, bcd_stamp
from drivers.registry import REGISTRY, Memory
from drivers.transports.memory import MemoryLink
from drivers.transports.memory_gatt import MemoryGattLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.gatt.radio import on_the_air
from drivers.virtual.memory_port import speak
from edge.acceptance import Hub
from edge.analysis import AnalysisFailed, EcgRate, Failure
from edge.chronicle import Chronicle
from edge.contract.dialogue import Operator
from edge.desk import Desk, NoAnswer
from edge.events import (
    AssociationClosed,
    AssociationOpened,
    CloseReason,
    Confirm,
    Enqueued,
    HubStarted,
    LinkClosed,
    LinkOpened,
    Measured,
    Outcome,
    Policy,
    Receipted,
    WrongPatient,
)
from edge.health import LinkState
from edge.observation import Method, Origin, Space, Subject
from edge.plan import Plan
from edge.room import ItemState
from edge.room.measuring import NOBODY
from edge.station import Station, Ways
from edge.store import Store, StoreFull
from edge.store.outbox import Move, RowState

START_NS = 1_767_600_000 * 10**9
ERA = "this boot"
PATIENT = Subject("Patient/17", ("Example, Erika", "1964-08-12"))
PERSON = "Practitioner/5"
HR_60 = EcgRate(r_peaks=(), per_min=60.0, intervals=9, reason=None, leads=())
ROOM_S = 60.0  # long enough for every steady value, shorter than an idle visit
NINE = datetime(2026, 1, 5, 9)  # noqa: DTZ001 - an instrument's own time, without a zone
SPOT = encode(SpotCheck(bcd_stamp(NINE), SpotStatus.SMARTPOINT, 72, 97))


class Time(RecordedTime):
    """A hub's clock that can be wrong, then right."""

    def __init__(self, *, trusted=True, era=ERA):
        super().__init__(START_NS, trusted=trusted)
        self.era = era

    def synchronise(self):
        self._trusted = True

    def jump(self, hours):
        """Step the wall clock alone."""
        self._start_ns += hours * 3600 * 10**9


class Beats:
    """Analysis that always finds the same, or fails."""

    def __init__(self, found=HR_60):
        self.found = found
        self.strips = []

    async def heart_rate_from_ecg(self, samples, fs, *, microvolts=None, preset=None):
        self.strips.append((samples.shape, fs, microvolts, preset))
        if isinstance(self.found, AnalysisFailed):
            return self.found
        return dataclasses.replace(self.found, cleaned=samples - samples.mean())


class Socket:
    """Where one instrument is plugged in and pulled out."""

    def __init__(self, time, granted):
        self.time = time
        self.granted = frozenset(granted)
        self.virtual = None
        self.link = None

    @asynccontextmanager
    async def open(self, now):
        if self.virtual is None:
            raise LinkNotFound("nothing is plugged in")
        self.link = MemoryLink(now, self.granted, hear=self.virtual.hear)
        speaking = asyncio.ensure_future(speak(self.virtual, self.link, self.time, 1e6))
        try:
            yield self.link
        finally:
            speaking.cancel()

    def pull(self):
        self.virtual = None
        self.link.lose()


class Radio(Socket):
    """Where one Bluetooth instrument is near, or not."""

    @asynccontextmanager
    async def open(self, now):
        if self.virtual is None:
            raise LinkNotFound("nothing is near")
        self.link = MemoryGattLink(self.virtual, now, self.granted)
        sending = asyncio.ensure_future(on_the_air(self.link, self.time, 1e5))
        try:
            yield self.link
        finally:
            sending.cancel()


class Room:
    """A station with its tasks running."""

    def __init__(self, station, time, group):
        self.station = station
        self.time = time
        self.store = station.store
        self.group = group

    @property
    def state(self):
        return self.station.chronicle.state

    def plug(self, name, driver, virtual, *, granted=(), options=None, **plan):
        entry = plan.pop("entry", REGISTRY[driver])
        socket = (Radio if entry.is_gatt else Socket)(self.time, granted)
        socket.virtual = virtual
        options = entry.options(options or {})
        plan = Plan(name, driver, entry, options, socket.open, frozenset(granted), **plan)
        self.group.create_task(self.station.add(plan).run())
        return socket

    async def visit(self, association="visit-1", *, verified=True):
        opened = AssociationOpened(
            at=self.station.moment(),
            association=association,
            subject=f"key of {association}",
            method=Method.SCAN,
            person=PERSON,
            verified=verified,
        )
        await self.station.chronicle.record(opened, subjects=[(opened.subject, PATIENT)])

    async def close(self, association="visit-1"):
        await self.station.chronicle.record(
            AssociationClosed(
                at=self.station.moment(),
                association=association,
                reason=CloseReason.END_OF_VISIT,
            )
        )

    async def after(self, seconds=ROOM_S):
        await self.time.sleep(seconds)
        await self.station.deriving.finish()

    def items(self, *states, kind=None):
        return [
            item
            for item in sorted(self.state.items.values(), key=lambda item: item.sequence)
            if (not states or item.state in states) and kind in {None, item.event.measurement.kind}
        ]

    def kinds(self, *states):
        return [item.event.measurement.kind for item in self.items(*states)]

    async def events(self, of):
        return [r.event async for r in self.store.recorded() if isinstance(r.event, of)]

    async def rows(self):
        return await self.store.rows(1000)

    def health(self, name):
        return self.station.supervisors[name].health


@asynccontextmanager
async def hub(path, time, **wishes):
    """A hub without a network, on a store that does its work in the loop."""
    limit = {"limit_bytes": wishes.pop("limit_bytes")} if "limit_bytes" in wishes else {}
    analysis = wishes.pop("analysis", None)
    fits = wishes.pop("fits", lambda _: None)
    policy = Policy(**({"confirm": Confirm.AUTO} | wishes))
    async with await Store.open(path, clock=time, inline=True, **limit) as store:
        station = Station(
            Ways(Hub("north", "room-3", "tests", Space.PRODUCTION), "run-1", policy, 0.0),
            clock=time,
            store=store,
            chronicle=await Chronicle.resumed(store),
            analysis=analysis,
            fits=fits,
        )
        await station.begin()
        running = asyncio.Event()

        async def tasks(room):
            async with asyncio.TaskGroup() as group:
                group.create_task(station.accept_for_ever())
                group.create_task(station.mind_the_clock())
                room.append(Room(station, time, group))
                running.set()

        room = []
        task = asyncio.ensure_future(tasks(room))
        await running.wait()
        try:
            yield room[0]
        finally:
            assert not task.done(), "a task of the station ended"
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def play(tmp_path):
    """Run a scenario in a hub of its own; `again` is the same store after a restart."""

    def run(scenario, *, time=None, **wishes):
        time = time or Time()

        async def main():
            async with hub(tmp_path / "store.db", time, **wishes) as room:
                return await scenario(room)

        return time.run(main())

    return run


def ivy(**scene):
    return REGISTRY["ivy-450c"].simulator()(1, **scene)


def nonin(**scene):
    return REGISTRY["nonin"].simulator()(1, **scene)


def desk_of(room):
    """A desk whose record system is away and at which somebody signed in before."""

    async def ask(_request):
        raise NoAnswer

    desk = Desk(room.station.chronicle, room.time, ask, room.store.subject, room.state.run)
    desk.operator = Operator(PERSON, "M. Example")
    return desk


# ---- values


def test_steady_values_of_two_instruments_are_accepted_and_wait_to_be_sent(play):
    async def scenario(room):
        room.plug("monitor", "ivy-450c", ivy())
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        return room.kinds(ItemState.QUEUED), await room.rows()

    kinds, rows = play(scenario)
    assert sorted(kinds) == ["heart-rate", "oximetry", "oximetry"]
    assert [row.state for row in rows] == [RowState.WAITING] * 3
    assert {row.subject for row in rows} == {"key of visit-1"}
    assert all(b"Patient/17" in row.payload for row in rows)
    assert not any(b"Example" in row.payload for row in rows)


def test_a_value_is_taken_once_a_visit_and_again_in_the_next(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit("visit-1")
        await room.after()
        await room.after()
        one = len(await room.rows())
        await room.close("visit-1")
        await room.visit("visit-2")
        await room.after()
        return one, [row.subject for row in await room.rows()]

    assert play(scenario) == (1, ["key of visit-1", "key of visit-2"])


def test_nothing_of_a_stream_is_taken_while_nobody_is_there(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.after()
        live = (await room.station.view()).live
        return await room.events(Measured), [value.kind for value in live]

    assert play(scenario) == ([], ["oximetry"])


def test_a_pressure_the_monitor_repeats_is_quarantined_until_a_person_takes_it(play):
    async def scenario(room):
        room.plug("monitor", "ivy-450c", ivy())
        await room.visit()
        await room.after(5.0)
        (pressure,) = room.items(kind=Kind.BLOOD_PRESSURE)
        before = pressure.state, len(await room.rows())
        await desk_of(room).take(pressure.sequence)
        await room.after(1.0)
        (row,) = await room.rows()
        return before, row.kind, room.state.items.get(pressure.sequence)

    before, kind, item = play(scenario)
    assert before == (ItemState.QUARANTINED, 0)
    assert kind is Kind.BLOOD_PRESSURE
    assert (item.state, item.person) == (ItemState.QUEUED, PERSON)


def test_where_the_site_confirms_a_value_waits_for_a_person(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        (offered,) = room.items(ItemState.OFFERED)
        before = len(await room.rows())
        await desk_of(room).confirm((offered.sequence,))
        await room.after(1.0)
        return before, len(await room.rows())

    assert play(scenario, confirm=Confirm.CONFIRM) == (0, 1)


def test_a_finger_pulled_out_ends_the_value_and_nothing_is_taken_without_one(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin(finger_off=((5.0, 1e9),)))
        await room.visit()
        await room.after()
        (live,) = (await room.station.view()).live
        return await room.events(Measured), {(r.value, r.status) for r in live.readings}

    measured, live = play(scenario)
    assert measured == []
    assert {value for value, _ in live} == {None}


def test_a_person_may_take_the_current_value_without_waiting_for_it_to_be_steady(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after(10.0)
        asked = room.station.take_now("oximeter", Kind.OXIMETRY)
        await room.after(2.0)
        nothing = (
            room.station.take_now("oximeter", Kind.WEIGHT),
            room.station.take_now("scale", Kind.WEIGHT),
        )
        return asked, nothing, [item.state for item in room.items()]

    # Too early to be provably of this visit: the oximeter averages, so a person must look.
    assert play(scenario) == (True, (False, False), [ItemState.QUARANTINED])


def test_a_heart_rate_of_ours_stands_beside_the_monitors_own(play):
    analysis = Beats()

    async def scenario(room):
        room.plug("monitor", "ivy-450c", ivy())
        await room.visit()
        await room.after()
        view = await room.station.view()
        return (
            room.items(kind=Kind.HEART_RATE),
            view,
            await room.store.waveforms(room.items(kind=Kind.HEART_RATE)[0].sequence),
            await room.store.waveforms(room.items(kind=Kind.HEART_RATE)[1].sequence),
        )

    (own, ours), view, kept, cleaned = play(scenario, analysis=analysis)
    assert (own.event.origin, ours.event.origin) == (Origin.MEASURED, Origin.DERIVED)
    assert (own.state, ours.state) == (ItemState.QUEUED, ItemState.SHOWN)
    assert analysis.strips == [((1, 2000), 200.0, 1000.0, "monitor")]
    assert ("II",) in {each.waveform.signals for each in kept}
    assert [each.waveform.signals for each in cleaned] == [("II",)]
    assert {value.origin for value in view.live if value.kind == "heart-rate"} == {
        "measured",
        "derived",
    }


def test_where_analysis_fails_the_monitors_own_value_is_all_there_is(play):
    async def scenario(room):
        room.plug("monitor", "ivy-450c", ivy())
        await room.visit()
        await room.after()
        return [item.event.origin for item in room.items(kind=Kind.HEART_RATE)]

    failing = Beats(AnalysisFailed(Failure.CRASHED))
    assert play(scenario, analysis=failing) == [Origin.MEASURED]


# ---- links


def test_an_instrument_that_is_pulled_out_says_nothing_and_is_found_again(play):
    async def scenario(room):
        socket = room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after(5.0)
        seen = [room.health("oximeter").state, len((await room.station.view()).live)]
        socket.pull()
        await room.after(5.0)
        seen += [room.health("oximeter").state, len((await room.station.view()).live)]
        socket.virtual = nonin()
        await room.after()
        seen += [room.health("oximeter").state, len((await room.station.view()).live)]
        return seen, await room.events((LinkOpened, LinkClosed)), len(await room.rows())

    seen, events, rows = play(scenario)
    assert seen == [LinkState.STREAMING, 1, LinkState.ABSENT, 0, LinkState.STREAMING, 1]
    assert [type(event) for event in events] == [LinkOpened, LinkClosed, LinkOpened]
    assert rows == 1


def test_a_pressure_shown_again_after_a_replug_is_no_second_value(play):
    async def scenario(room):
        socket = room.plug("monitor", "ivy-450c", ivy())
        await room.visit()
        await room.after(5.0)
        socket.pull()
        await room.after(1.0)
        socket.virtual = ivy()
        await room.after(10.0)
        return len(await room.events(LinkOpened)), room.items(kind=Kind.BLOOD_PRESSURE)

    links, pressures = play(scenario)
    assert links == 2
    assert [pressure.state for pressure in pressures] == [ItemState.QUARANTINED]


def test_an_instrument_that_falls_silent_is_seen_to_be_silent(play):
    async def scenario(room):
        socket = room.plug("oximeter", "nonin", nonin())
        await room.after(5.0)
        socket.virtual.due = lambda _elapsed_s: b""
        await room.after(30.0)
        return room.health("oximeter").seen_at(room.time.now())

    seen = play(scenario)
    assert seen.state is LinkState.SILENT
    assert "the stream stopped" in seen.reason


def test_another_instrument_on_the_link_is_named_and_gives_no_value(play):
    async def scenario(room):
        granted = {Write.IDENTIFY}
        room.plug("oximeter", "nonin", nonin(), granted=granted, serial="509999999")
        await room.visit()
        await room.after(30.0)
        health = room.health("oximeter")
        return health.state, health.reason, await room.events(Measured)

    state, reason, measured = play(scenario)
    assert (state, measured) == (LinkState.WRONG, [])
    assert "serial 501234567" in reason
    assert "509999999" in reason


def test_the_instrument_a_link_is_bound_to_gives_values_once_it_has_said_its_number(play):
    async def scenario(room):
        granted = {Write.IDENTIFY}
        room.plug("oximeter", "nonin", nonin(), granted=granted, serial="501234567")
        await room.visit()
        await room.after()
        (item,) = room.items(ItemState.QUEUED)
        return item.event.identity.serial, room.health("oximeter").state

    assert play(scenario) == ("501234567", LinkState.STREAMING)


def test_a_bound_link_whose_instrument_may_not_be_asked_says_so(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin(), serial="501234567")
        await room.visit()
        await room.after(30.0)
        return room.health("oximeter").state, room.health("oximeter").reason, room.items()

    state, reason, items = play(scenario)
    assert (state, items) == (LinkState.WRONG, [])
    assert "allow 'identify'" in reason


def test_a_driver_that_fails_does_not_end_the_others(play, monkeypatch, caplog):
    class Broken:
        def __init__(self, host, settings):
            del host, settings

        async def run(self, link, emit):
            del emit
            async for _ in link:
                raise ZeroDivisionError("of this driver's making")

    module = ModuleType("broken_driver")
    module.Broken = Broken
    monkeypatch.setitem(sys.modules, "broken_driver", module)
    entry = dataclasses.replace(REGISTRY["ivy-450c"], driver="broken_driver:Broken")

    async def scenario(room):
        room.plug("monitor", "ivy-450c", ivy(), entry=entry)
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        return room.health("monitor"), room.kinds(ItemState.QUEUED)

    health, kinds = play(scenario)
    assert health.counts["driver_faults"] > 1
    assert kinds == ["oximetry"]
    assert "of this driver's making" in caplog.text


# ---- Bluetooth


def cuff(**scene):
    return REGISTRY["ble-blood-pressure"].simulator()(1, **scene)


def test_of_a_cuff_full_of_other_peoples_readings_only_the_one_of_the_visit_goes_out(play):
    async def scenario(room):
        await room.visit()
        await room.after(400.0)
        room.plug("cuff", "ble-blood-pressure", cuff(backlog=5, measure_at_s=(20.0,)))
        await room.after()
        return room.kinds(ItemState.QUARANTINED), room.kinds(ItemState.QUEUED)

    quarantined, queued = play(scenario)
    assert (quarantined, queued) == ([Kind.BLOOD_PRESSURE] * 5, [Kind.BLOOD_PRESSURE])


def test_equal_bytes_without_a_time_are_two_values_in_two_sessions_and_the_second_is_marked(play):
    async def scenario(room):
        socket = room.plug("cuff", "ble-blood-pressure", cuff(stamps=False, measure_at_s=(5.0,)))
        await room.after(20.0)
        socket.pull()
        socket.virtual = cuff(stamps=False, measure_at_s=(5.0,))
        await room.after(20.0)
        return await room.events(Measured)

    first, second = [event.measurement for event in play(scenario)]
    assert first.raw == second.raw
    marked = [Flag.POSSIBLE_DUPLICATE in each.flags for each in (first, second)]
    assert marked == [False, True]


def test_how_far_an_instruments_clock_is_off_is_shown_with_its_value_and_its_own_time(play):
    async def scenario(room):
        room.plug("cuff", "ble-blood-pressure", cuff(clock_ahead_s=3600.0, measure_at_s=(5.0,)))
        await room.after(20.0)
        return (await room.station.view()).values

    (value,) = play(scenario)
    assert value.clock_offset_s == pytest.approx(3600.0, abs=90.0)
    assert value.device_time is not None


def test_a_bluetooth_link_bound_to_another_serial_number_takes_nothing(play):
    async def scenario(room):
        room.plug("cuff", "ble-blood-pressure", cuff(backlog=2), serial="another")
        await room.after(30.0)
        return room.health("cuff").state, await room.events(Measured)

    assert play(scenario) == (LinkState.WRONG, [])


def test_an_indication_that_was_kept_and_never_measured_keeps_its_clock_and_its_identity(
    play, tmp_path
):
    time = Time(era="the boot before")
    at = Instant(START_NS - 10**9, 5, trusted=True)
    kept = (
        ("2a25", b"A0012"),
        ("2a2b", bytes.fromhex("ea07 01 05 08 00 05 01 00 00")),
        ("2a35", bytes.fromhex("02 7800 5000 5d00 ea07 01 05 07 3b 1e")),
    )

    async def before():
        async with await Store.open(tmp_path / "store.db", clock=time, inline=True) as store:
            for channel, data in kept:
                await store.keep("cuff", Chunk(data, at, channel))

    async def scenario(room):
        room.plug("cuff", "ble-blood-pressure", None, entry=REGISTRY["ble-blood-pressure"])
        await room.after(5.0)
        return await room.events(Measured), await room.store.unsettled("cuff")

    time.run(before())
    (measured,), unsettled = play(scenario)
    assert (measured.identity.serial, measured.measurement.device_time.age_s) == ("A0012", 35.0)
    assert (measured.at.era, unsettled) == ("the boot before", [])


# ---- kept raw bytes


def keep_and_die(tmp_path, data, era=ERA, who=None):
    """What a kill between keeping and measuring leaves behind."""
    time = Time(era=era)

    async def main():
        async with await Store.open(tmp_path / "store.db", clock=time, inline=True) as store:
            await store.keep("oximeter", Chunk(data, Instant(START_NS - 10**9, 5, True)), who)

    time.run(main())


def test_bytes_that_were_kept_and_never_measured_are_measured_at_the_next_start(play, tmp_path):
    keep_and_die(tmp_path, SPOT, era="the boot before")

    async def scenario(room):
        room.plug("oximeter", "nonin", nonin(finger_off=((0.0, 1e9),)))
        await room.after(5.0)
        return await room.events(Measured), await room.store.unsettled("oximeter"), room.items()

    (measured,), unsettled, (item,) = play(scenario)
    assert [r.value for r in measured.measurement.readings] == [97.0, 72.0]
    assert (measured.at.era, measured.at.mono_ns) == ("the boot before", 5)
    assert unsettled == []
    assert item.state is ItemState.QUARANTINED


def test_recovered_bytes_are_not_measured_a_second_time(play, tmp_path):
    keep_and_die(tmp_path, SPOT)

    async def scenario(room):
        room.plug("oximeter", "nonin", nonin(finger_off=((0.0, 1e9),)))
        await room.after(5.0)
        return len(await room.events(Measured))

    assert [play(scenario), play(scenario)] == [1, 1]


def test_recovered_bytes_of_a_bound_link_are_for_a_person_to_judge(play, tmp_path):
    keep_and_die(tmp_path, SPOT)

    async def scenario(room):
        granted = {Write.IDENTIFY}
        room.plug("oximeter", "nonin", nonin(), granted=granted, serial="501234567")
        await room.visit()
        await room.after()
        return [(item.state, item.event.identity.serial) for item in room.items()]

    assert play(scenario) == [
        (ItemState.QUARANTINED, None),
        (ItemState.QUEUED, "501234567"),
    ]


@pytest.mark.parametrize(
    ("kept_of", "bound_to", "memory"),
    [
        ("501234567", "501234567", Memory.LIVE),
        ("509999999", "501234567", Memory.BLIND),
        (None, "501234567", Memory.BLIND),
        ("501234567", None, Memory.LIVE),
    ],
)
def test_recovered_bytes_are_of_the_instrument_that_had_said_who_it_is(
    play, tmp_path, kept_of, bound_to, memory
):
    who = kept_of and InstrumentId("nonin", "3150", kept_of)
    keep_and_die(tmp_path, SPOT, who=who)

    async def scenario(room):
        granted = {Write.IDENTIFY}
        silent = nonin(finger_off=((0.0, 1e9),))
        room.plug("oximeter", "nonin", silent, granted=granted, serial=bound_to)
        await room.after(20.0)
        return [(m.identity.serial, m.memory) for m in await room.events(Measured)]

    assert play(scenario) == [(kept_of, memory)]


def test_kept_bytes_that_a_driver_fails_on_stay_and_keep_no_instrument_from_working(
    play, tmp_path, monkeypatch, caplog
):
    keep_and_die(tmp_path, SPOT)
    real = REGISTRY["nonin"].factory()

    class FailsOnKept:
        def __init__(self, host, settings):
            self._host, self._driver = host, real(host, settings)

        async def run(self, link, emit):
            if type(link).__name__ == "KeptLink":
                raise ZeroDivisionError("on what was kept")
            await self._driver.run(link, emit)

    module = ModuleType("failing_driver")
    module.FailsOnKept = FailsOnKept
    monkeypatch.setitem(sys.modules, "failing_driver", module)
    entry = dataclasses.replace(REGISTRY["nonin"], driver="failing_driver:FailsOnKept")

    async def scenario(room):
        room.plug("oximeter", "nonin", nonin(), entry=entry)
        await room.visit()
        await room.after()
        return room.kinds(ItemState.QUEUED), len(await room.store.unsettled("oximeter"))

    assert play(scenario) == (["oximetry"], 1)
    assert "on what was kept" in caplog.text


# ---- a full store


async def fill(room):
    """Leave no room for a value, and return what to settle to make some."""
    numbers = []
    for size in (100_000, 0):
        with suppress(StoreFull):
            while True:
                chunk = Chunk(bytes(size), room.time.now())
                numbers.append(await room.store.keep("somebody else", chunk))
    return numbers


def test_a_full_store_is_said_of_the_instrument_and_it_works_again_when_there_is_room(play):
    async def scenario(room):
        await room.visit()
        numbers = await fill(room)
        room.plug("oximeter", "nonin", nonin())
        await room.after()
        refused = room.health("oximeter").state, room.health("oximeter").reason, room.items()
        for number in numbers:
            await room.store.settle(number)
        await room.after()
        return refused, room.kinds(ItemState.QUEUED)

    (state, reason, items), kinds = play(scenario, limit_bytes=2_000_000)
    assert (state, items) == (LinkState.REFUSED, [])
    assert "is full" in reason
    assert kinds == ["oximetry"]


def test_an_instrument_at_a_full_store_does_not_eat_the_room_kept_for_receipts(play):
    async def scenario(room):
        await room.visit()
        await fill(room)
        before = room.store.head.sequence
        room.plug("oximeter", "nonin", nonin())
        await room.after(3600.0)
        return room.store.head.sequence - before

    assert play(scenario, limit_bytes=2_000_000) == 0


def test_values_wait_for_room_in_the_outbox_and_go_when_there_is_some(play, caplog):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        (offered,) = room.items(ItemState.OFFERED)
        numbers = await fill(room)
        desk = desk_of(room)
        with suppress(StoreFull):
            while True:  # what is always taken eats the rest
                await room.station.begin()
        caplog.clear()
        await room.store.settle(numbers[-1])
        await desk.confirm((offered.sequence,))
        await room.after(10.0)
        before = len(await room.rows()), len(caplog.records)
        for number in numbers:
            await room.store.settle(number)
        await room.after(10.0)
        return before, len(await room.rows())

    before, after = play(scenario, confirm=Confirm.CONFIRM, limit_bytes=1_000_000)
    assert before == (0, 1)
    assert after == 1


# ---- clocks


def test_values_taken_under_an_untrusted_clock_wait_until_it_is_right(play):
    time = Time(trusted=False)

    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        waiting = room.kinds(ItemState.ACCEPTED), len(await room.rows())
        time._start_ns += 3600 * 10**9  # the clock was an hour slow
        time.synchronise()
        await room.after(5.0)
        (row,) = await room.rows()
        (item,) = room.items(ItemState.QUEUED)
        return waiting, msgspec.json.decode(row.payload), item.event.at.wall_ns

    waiting, bundle, said_ns = play(scenario, time=time)
    assert waiting == (["oximetry"], 0)
    observation = next(
        entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    )
    taken_s = (said_ns - START_NS) / 1e9
    assert observation["effectiveDateTime"].startswith("2026-01-05T09:")
    assert 20 <= taken_s < 60
    assert {"code": "synced"}.items() <= bundle["meta"]["tag"][3].items()


def test_past_the_sites_limit_values_go_out_with_their_uncertainty_stated(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after(100.0)
        early = len(await room.rows())
        await room.after(100.0)
        (row,) = await room.rows()
        return early, row.payload

    early, payload = play(scenario, time=Time(trusted=False), clock_limit_s=120.0)
    assert early == 0
    assert b'"unsynced"' in payload


@pytest.mark.parametrize("hours", [-9, 7])
def test_a_wall_clock_that_jumps_by_hours_moves_no_value_to_another_visit(play, hours):
    async def scenario(room):
        oximeter = room.plug("oximeter", "nonin", nonin())
        room.plug("monitor", "ivy-450c", ivy())
        await room.visit("visit-1")
        await room.after(15.0)
        room.time.jump(hours)
        await room.after(45.0)
        assert not room.station.is_idle()
        await room.close("visit-1")
        oximeter.pull()
        room.time.jump(-hours)
        await room.visit("visit-2")
        await room.after(15.0)
        room.time.jump(hours)
        await room.after(45.0)
        rows = await room.rows()
        return [(row.subject, row.kind.value) for row in rows], room.station.is_idle()

    rows, idle = play(scenario)
    assert sorted(rows) == [
        *(("key of visit-1", kind) for kind in ("heart-rate", "oximetry", "oximetry")),
        *(("key of visit-2", kind) for kind in ("heart-rate", "oximetry")),
    ]
    assert not idle


def test_the_time_of_a_value_is_that_of_the_clock_when_it_was_taken_whatever_it_shows_now(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after(40.0)
        taken = (await room.station.view()).values[0].taken
        room.time.jump(5)
        await desk_of(room).confirm(tuple(item.sequence for item in room.items()))
        await room.after(5.0)
        (row,) = await room.rows()
        return taken, row.payload.decode()

    taken, payload = play(scenario, confirm=Confirm.CONFIRM)
    assert taken[:19] in payload


# ---- visits


def test_a_visit_in_which_nothing_happens_is_idle_after_the_sites_limit(play):
    async def scenario(room):
        seen = [room.station.is_idle()]
        await room.visit()
        await room.after(800.0)
        seen.append(room.station.is_idle())
        await room.after(200.0)
        seen.append(room.station.is_idle())
        await desk_of(room).close(CloseReason.IDLE)
        return [*seen, room.station.is_idle()], room.state.association

    assert play(scenario) == ([False, False, True, False], None)


def test_a_visit_survives_a_restart_and_what_was_on_the_screen_does_not(play):
    async def before(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        return len((await room.station.view()).live), room.state.association.id

    async def after(room):
        view = await room.station.view()
        return view.patient, view.live, [value.state for value in view.values]

    assert play(before) == (1, "visit-1")
    assert play(after) == (PATIENT.display, (), ["queued"])


def test_a_visit_from_before_the_machine_was_off_is_idle(play):
    async def before(room):
        await room.visit()

    async def after(room):
        return room.station.is_idle()

    play(before)
    assert play(after) is False
    assert play(after, time=Time(era="the next boot")) is True


def test_values_accepted_before_a_kill_are_enqueued_after_it_under_the_same_name(play, tmp_path):
    async def offered(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        (item,) = room.items(ItemState.OFFERED)
        return item.sequence, item.result_id

    sequence, result_id = play(offered, confirm=Confirm.CONFIRM)
    time = Time()

    async def confirmed_and_killed():
        async with await Store.open(tmp_path / "store.db", clock=time, inline=True) as store:
            chronicle = await Chronicle.resumed(store)
            desk = Desk(chronicle, time, None, store.subject, "run-1")
            desk.operator = Operator(PERSON, "M. Example")
            await desk.confirm((sequence,))

    time.run(confirmed_and_killed())

    async def after(room):
        await room.after(2.0)
        return [row.result_id for row in await room.rows()]

    assert play(after) == [result_id]
    assert play(after) == [result_id]


def test_the_journal_folds_to_the_room_that_was_lived_in(play):
    async def scenario(room):
        room.plug("monitor", "ivy-450c", ivy())
        socket = room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        socket.pull()
        await room.after(5.0)
        again = await Chronicle.resumed(room.store)
        return again.state == room.state, again.folded == room.station.chronicle.folded

    assert play(scenario) == (True, True)


def test_values_of_an_unverified_visit_are_held_and_not_sent(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit(verified=False)
        await room.after()
        return [item.state for item in room.items()], await room.rows()

    assert play(scenario) == ([ItemState.HELD], [])


def test_a_stored_value_without_a_visit_is_held_or_quarantined_but_seen(play, tmp_path):
    keep_and_die(tmp_path, SPOT)

    async def scenario(room):
        room.plug("oximeter", "nonin", nonin(finger_off=((0.0, 1e9),)))
        await room.after(5.0)
        view = await room.station.view()
        return view.held + view.quarantined, [value.reason for value in view.values]

    count, (reason,) = play(scenario)
    assert count == 1
    assert reason not in {"", NOBODY}


# ---- to the record system


def test_a_result_too_large_for_the_broker_is_parked_and_seen(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        (item,) = room.items()
        return item.state, item.reason, [row.state for row in await room.rows()]

    assert play(scenario, fits=lambda _: "larger than the broker takes") == (
        ItemState.REFUSED,
        "larger than the broker takes",
        [RowState.PARKED],
    )


async def receipt(room, row):
    filed = Receipted(
        at=room.station.moment(),
        result_id=row.result_id,
        outcome=Outcome.ACCEPTED,
        content_sha256=row.content_sha256,
    )
    move = Move(row.result_id, RowState.FILED)
    await room.station.chronicle.record(filed, outbox=[move])


def test_a_filed_value_that_was_another_patients_is_withdrawn_after_its_receipt(play):
    async def scenario(room):
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        (row,) = await room.rows()
        (item,) = room.items(ItemState.QUEUED)
        await desk_of(room).wrong_patient(item.sequence)
        await room.after(2.0)
        before = len(await room.rows())
        await receipt(room, row)
        await room.after(2.0)
        first, second = await room.rows()
        return before, first, second

    before, first, second = play(scenario)
    assert before == 1
    assert (first.state, second.state) == (RowState.FILED, RowState.WAITING)
    assert (second.after, second.subject) == (first.result_id, "key of visit-1")
    assert b"entered-in-error" in second.payload


async def test_a_value_taken_back_while_it_is_being_accepted_is_not_sent(tmp_path):
    """On a store with a thread, where the word of a person and the acceptance can cross."""
    from edge.clock import SystemClock  # noqa: PLC0415 - the one test on this machine's clock

    clock = SystemClock(assume_trusted=True)
    path = tmp_path / "store.db"

    def offered():
        time = Time()

        async def main():
            async with hub(path, time, confirm=Confirm.CONFIRM) as room:
                room.plug("oximeter", "nonin", nonin())
                await room.visit()
                await room.after()
                (item,) = room.items(ItemState.OFFERED)
                return item.sequence

        return time.run(main())

    sequence = await asyncio.to_thread(offered)
    async with await Store.open(path, clock=clock) as store:
        ways = Ways(Hub("north", "room-3", "tests", Space.PRODUCTION), "run-2", Policy(), 0.0)
        chronicle = await Chronicle.resumed(store)
        station = Station(
            ways, clock=clock, store=store, chronicle=chronicle, analysis=None, fits=lambda _: None
        )
        desk = Desk(chronicle, clock, None, store.subject, "run-2")
        desk.operator = Operator(PERSON, "M. Example")
        await desk.confirm((sequence,))
        wrong = WrongPatient(at=station.moment(), item=sequence, person=PERSON)
        await asyncio.gather(station.accept_what_is_due(), chronicle.record(wrong))
        await station.accept_what_is_due()
        rows = await store.rows(10)
        item = chronicle.state.items.get(sequence)
        withdrawn = list(chronicle.state.withdrawals)
    assert item.state is ItemState.QUARANTINED
    # Either it never left, or it left and will be withdrawn.
    assert len(rows) == len(withdrawn)


async def test_who_stops_waiting_for_an_event_keeps_nobody_else_waiting(tmp_path):
    from edge.clock import SystemClock  # noqa: PLC0415 - a store with a thread

    clock = SystemClock()
    async with await Store.open(tmp_path / "store.db", clock=clock) as store:
        chronicle = await Chronicle.resumed(store)
        station = Station(
            Ways(Hub("north", "room-3", "tests", Space.PRODUCTION), "run-1", Policy(), 0.0),
            clock=clock,
            store=store,
            chronicle=chronicle,
            analysis=None,
            fits=lambda _: None,
        )
        impatient = asyncio.ensure_future(station.begin())
        await asyncio.sleep(0)
        impatient.cancel()
        await station.begin()
        assert chronicle.folded == 2
        assert [type(r.event) async for r in store.recorded()] == [HubStarted, HubStarted]


def test_every_enqueued_event_has_its_row_with_the_same_hash(play):
    async def scenario(room):
        room.plug("monitor", "ivy-450c", ivy())
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after()
        enqueued = await room.events(Enqueued)
        rows = await room.rows()
        return (
            {(event.result_id, event.content_sha256) for event in enqueued},
            {(row.result_id, row.content_sha256) for row in rows},
        )

    events, rows = play(scenario)
    assert events == rows
    assert len(rows) == 3


@pytest.mark.parametrize("driver", ["suntech", "stx-nibp"])
def test_a_measurement_that_a_person_wants_is_made_for_who_is_there_and_otherwise_says_why_not(
    play, driver
):
    async def scenario(room):
        virtual = REGISTRY[driver].simulator()(1)
        room.plug("cuff", driver, virtual, granted=REGISTRY[driver].writes)
        room.plug("other", driver, REGISTRY[driver].simulator()(2))
        room.plug("oximeter", "nonin", nonin())
        await room.visit()
        await room.after(2.0)
        said = [
            room.station.wish(name, wish)
            for name, wish in (
                ("cuff", Wish.STOP),
                ("cuff", Wish.MEASURE),
                ("other", Wish.MEASURE),
                ("oximeter", Wish.MEASURE),
                ("nothing", Wish.MEASURE),
            )
        ]
        await room.after(3.0)
        said.append(room.station.wish("cuff", Wish.MEASURE))
        takes = {each.name: each.takes for each in (await room.station.view()).instruments}
        await room.after(57.0)
        pressures = [each for each in room.items() if each.event.instrument == "cuff"]
        return said, takes, [item.state for item in pressures][-1:]

    said, takes, states = play(scenario)
    assert said[1] is None
    assert [why for why in said if why] == [
        "it is not measuring",
        "allow 'start-measurement' in its settings first",
        "it is started at the instrument itself",
        "there is no such instrument",
        "it is measuring already",
    ]
    assert takes == {"cuff": ("stop",), "other": (), "oximeter": ()}
    assert states == [ItemState.QUEUED]  # when it began is known, so it is of this visit
