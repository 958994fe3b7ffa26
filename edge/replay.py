"""Recorded cases through the whole hub but its network: the same bytes out, anywhere, at any speed.

The real driver, supervisor, journal, room, acceptance and encoder run in the recording's time on a
store that does its work in the loop. A made-up patient is in the room from the recording's first
moment to its last, so a value is accepted exactly where it can be proven to be of that time, and is
quarantined elsewhere. All names that are drawn at random in a hub derive from the case's here.
"""

import asyncio
import hashlib
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from drivers.contract import ByteLink, GattLink
from drivers.errors import LinkLost
from drivers.model import Instant
from drivers.transports.capture_file import LoadedCase, Recording
from drivers.transports.recorded_time import NS, US, RecordedTime
from drivers.transports.replay import ReplayLink
from drivers.transports.replay_gatt import ReplayGattLink
from edge.acceptance import Hub, timing_of
from edge.chronicle import Chronicle
from edge.clock import utc
from edge.decoding import entry_named, reading_fields
from edge.events import (
    AssociationClosed,
    AssociationOpened,
    CloseReason,
    Confirm,
    Measured,
    Policy,
    Recorded,
)
from edge.inline_analysis import InlineAnalysis
from edge.observation import Method, Space, Subject
from edge.plan import Plan
from edge.room import Item, RoomState, fold
from edge.station import Station, Ways
from edge.store import Store

NAMES = uuid.UUID("5d3f8f2e-6a0b-5e7c-9c1d-7e1b8a4f2c60")  # of cases, under which all ids derive
HUB = Hub(site="replay", name="replay", software="vitals-edge replay", space=Space.REPLAY)
POLICY = Policy(confirm=Confirm.AUTO, publish_derived=True)
PATIENT = Subject("Patient/replay", ("Replay, A. Recording", "2000-01-01"))
PERSON = "Practitioner/replay"
REPEATED = "seen before: it changes nothing"


def results_of(loaded: LoadedCase, *, speed: float | None = None) -> list[str]:
    """Return a line for each measurement of a case that became an event, in journal order.

    `speed` is recorded seconds to a real one, None or 0 as fast as it goes; it changes no line.
    ReplayMismatch says where driver and recording part ways; what else a driver raises passes.
    """
    tape = _Tape(loaded.case.start_ns, trusted=loaded.case.clock.trusted, speed=speed)
    with TemporaryDirectory(prefix="vitals-edge-replay-") as folder:
        return tape.run(_replayed(loaded, tape, Path(folder) / "store.db"))


class _Tape(RecordedTime):
    """The recording's time as a hub's clock."""

    era = "recording"


async def _replayed(loaded: LoadedCase, tape: _Tape, path: Path) -> list[str]:
    name = uuid.uuid5(NAMES, f"{loaded.case.driver}/{loaded.folder.resolve().name}")
    async with await Store.open(path, clock=tape, journal=name, inline=True) as store:
        station = _station(store, tape, run=str(uuid.uuid5(name, "run")))
        await station.begin()
        async with _visit(station, str(uuid.uuid5(name, "association"))):
            await _play(loaded, station, tape)
        while await station.accept_what_is_due():
            pass
        history = [recorded async for recorded in store.recorded()]
        return [line async for line in _lines(history, store)]


def _station(store: Store, tape: _Tape, run: str) -> Station:
    return Station(
        Ways(hub=HUB, run=run, policy=POLICY, retention_s=0.0),
        clock=tape,
        store=store,
        chronicle=Chronicle(store, RoomState(journal=store.journal), folded=0),
        analysis=InlineAnalysis(),
        fits=lambda _: None,
    )


@asynccontextmanager
async def _visit(station: Station, association: str) -> AsyncIterator[None]:
    """Have the made-up patient in the room, identified beyond doubt."""
    opened = AssociationOpened(
        at=station.moment(),
        association=association,
        subject=association,
        method=Method.DEMO,
        person=PERSON,
        verified=True,
    )
    await station.chronicle.record(opened, subjects=[(association, PATIENT)])
    yield
    await station.chronicle.record(
        AssociationClosed(
            at=station.moment(), association=association, reason=CloseReason.END_OF_VISIT
        )
    )


async def _play(loaded: LoadedCase, station: Station, tape: _Tape) -> None:
    """Run the hub's tasks until the recording is over and nothing of it is left to be done."""
    case = loaded.case
    entry = entry_named(case.driver)
    cable = _Cable(loaded, tape, station)
    plan = Plan(
        name=case.driver,
        driver=case.driver,
        entry=entry,
        options=entry.options(case.options),
        open=cable.open,
        granted=frozenset(case.grants),
    )
    async with asyncio.TaskGroup() as group:
        accepting = group.create_task(station.accept_for_ever())
        driving = group.create_task(station.add(plan).run())
        await cable.over.wait()
        driving.cancel()
        await station.deriving.finish()
        accepting.cancel()
    if cable.fault is not None:
        raise cable.fault


class _Cable:
    """Gives the supervisor one session of a recording after the other, each at its time.

    What a driver raises in it would be the supervisor's to log and try again; here it ends all.
    """

    def __init__(self, loaded: LoadedCase, tape: _Tape, station: Station) -> None:
        self.over = asyncio.Event()
        self.fault: Exception | None = None
        self._driver = loaded.case.driver
        self._station = station
        self._sessions = deque(loaded.recording.sessions())
        self._granted = frozenset(loaded.case.grants)
        self._tape = tape
        self._start = tape.now()

    @asynccontextmanager
    async def open(self, now: Callable[[], Instant]) -> AsyncIterator[ByteLink | GattLink]:
        session = self._sessions.popleft()
        begins_s = session.lines[0].at_us / US if session.lines else 0.0
        await self._tape.sleep(max(0.0, begins_s - (now().mono_ns - self._start.mono_ns) / NS))
        with self._noted():
            yield self._link(session)

    def _link(self, session: Recording) -> ByteLink | GattLink:
        granted, start = self._granted, self._start
        if entry_named(self._driver).is_gatt:
            return ReplayGattLink(session, self._tape, granted, start)
        wishes = self._station.supervisors[self._driver].wishes
        return ReplayLink(session, self._tape, granted, start, wishes.tell)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except LinkLost:
            raise
        except Exception as error:
            self.fault = error
            self.over.set()
            raise
        finally:
            if not self._sessions:
                self.over.set()


async def _lines(history: list[Recorded], store: Store) -> AsyncIterator[str]:
    """Yield the lines of a journal that is folded anew: what was last known of each measurement."""
    state, known = RoomState(journal=store.journal), dict[int, Item]()
    for recorded in history:
        state = fold(state, recorded)
        known.update(state.items.items())
    for recorded in history:
        if isinstance(recorded.event, Measured):
            item = known.get(recorded.sequence)
            fields = _event_fields(recorded.event) | await _item_fields(state, item, store)
            yield msgspec.json.encode(fields).decode()


def _event_fields(event: Measured) -> dict[str, object]:
    return {
        "type": "item",
        "kind": event.measurement.kind,
        "readings": reading_fields(event.measurement),
        "origin": event.origin,
    }


async def _item_fields(state: RoomState, item: Item | None, store: Store) -> dict[str, object]:
    if item is None:
        names = ("taken", "result_id", "content_sha256", "bundle_sha256")
        return {"state": None, "reason": REPEATED, **dict.fromkeys(names)}
    row = await store.row(item.result_id)
    return {
        "state": item.state,
        "reason": item.reason,
        "taken": utc(timing_of(state, item).wall_ns).isoformat(timespec="milliseconds"),
        "result_id": item.result_id,
        "content_sha256": item.content_sha256,
        "bundle_sha256": hashlib.sha256(row.payload).hexdigest() if row else None,
    }
