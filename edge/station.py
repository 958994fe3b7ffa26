"""One room's instruments, journal and acceptances: the hub without its network.

instruments → intake → chronicle ─→ acceptance → outbox
                          ↑  └────→ deriving
                          └───────────┘
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from drivers.contract import Wish
from drivers.model import Instant, Kind
from edge.acceptance import Due, Hub, due, needs, result_of, study_of, subject_key
from edge.chronicle import Chronicle
from edge.clock import NS, Clock
from edge.deriving import Deriving, EcgAnalysis
from edge.events import (
    ClockTrusted,
    Enqueued,
    Event,
    HubStarted,
    Measured,
    Parked,
    Policy,
)
from edge.fhir.actors import HubIdentity
from edge.fhir.bundle import encode
from edge.intake import Intake, Surroundings
from edge.live import Live
from edge.observation import Moment, Subject, content_sha256
from edge.plan import Plan
from edge.receiving import EcgReader, Receiving
from edge.room import Withdrawal
from edge.store import Store, StoreFull
from edge.store.outbox import Enqueue, OutboxRow, RowState
from edge.strips import Strips
from edge.study import Content
from edge.supervisor import Supervisor
from edge.view import InstrumentView, RoomView, view_of

log = logging.getLogger(__name__)

STRIPS_S = 30.0  # of every signal, in memory
ACCEPTED_AT_ONCE = 64
STUDIES_AT_ONCE = 4  # in memory, and encoded, before others get a turn
TICK_S = 1.0
HOUSEKEEPING_S = 3600.0


class Ways(Struct, frozen=True):
    """How a service differs from site to site."""

    hub: Hub
    run: str
    policy: Policy
    retention_s: float


class Analyst(EcgAnalysis, EcgReader, Protocol):
    """All that the room has analysed."""


Fits = Callable[[bytes], str | None]


class Station:
    """Instruments, journal and acceptance of one room; the network is somebody else's."""

    def __init__(
        self,
        ways: Ways,
        *,
        clock: Clock,
        store: Store,
        chronicle: Chronicle,
        analysis: Analyst | None,
        fits: Fits,
    ) -> None:
        self.ways = ways
        self.clock = clock
        self.store = store
        self.chronicle = chronicle
        self.live = Live()
        self.supervisors: dict[str, Supervisor] = {}
        self.accepted = asyncio.Event()  # something new waits in the outbox
        self.deriving = Deriving(store, chronicle, self.live, analysis)
        self.receiving = Receiving(store, chronicle, analysis, clock)
        self.file_listeners: list[Callable[[str, str], None]] = []  # of files that are set aside
        self._fits = fits

    async def begin(self) -> None:
        """Journal that the service started, and under which policy."""
        await self.chronicle.record(
            HubStarted(
                at=self.moment(),
                run=self.ways.run,
                software=self.ways.hub.software,
                policy=self.ways.policy,
            )
        )

    def moment(self) -> Moment:
        """Return the present, for the journal."""
        return Moment.of(self.clock.now(), self.clock.era)

    def add(self, plan: Plan) -> Supervisor:
        """Return the supervisor of one more instrument."""
        supervisor = Supervisor(plan, self.clock, self.store, self._record, self._intake)
        self.supervisors[plan.name] = supervisor
        return supervisor

    async def accept_what_is_due(self) -> int:
        """Enqueue what the room says is due, each with its acceptance in one transaction."""
        subjects = await self._subjects()
        contents = await self._contents()
        await self.chronicle.settled()
        # From here to the journal nothing waits: what is due now is due when it is enqueued.
        waiting = due(self.chronicle.state, self.moment())
        made = [
            self._enqueue(what, key, subject, contents.get(study_of(what)))
            for what in waiting
            if (key := subject_key(self.chronicle.state, what))
            and (subject := subjects.get(key)) is not None
            and (study_of(what) is None or study_of(what) in contents)
        ][:ACCEPTED_AT_ONCE]
        if made:
            events = [event for events, _ in made for event in events]
            await self.chronicle.record(*events, outbox=[row for _, row in made])
            self.accepted.set()
        return len(made)

    async def accept_for_ever(self) -> None:
        """Accept whenever something happened, and when time alone makes something due."""
        full = False
        while True:
            changed = asyncio.ensure_future(self.chronicle.change())
            second = asyncio.ensure_future(self.clock.sleep(TICK_S))
            try:
                while await self.accept_what_is_due():
                    full = False
                await asyncio.wait({changed, second}, return_when=asyncio.FIRST_COMPLETED)
            except StoreFull as error:
                if not full:
                    log.error("accepted values wait: %s", error)  # noqa: TRY400 - it says all
                full = True
                await second
            finally:
                changed.cancel()
                second.cancel()

    async def mind_the_clock(self) -> None:
        """Notice that the clock became right, and that a visit has long been quiet."""
        trusted = self.clock.now().trusted
        while True:
            await self.clock.sleep(TICK_S)
            now = self.moment()
            if now.trusted and not trusted:
                await _if_there_is_room(self.chronicle.record(ClockTrusted(at=now)))
            trusted = now.trusted

    def is_idle(self) -> bool:
        """Tell whether the open visit has shown no sign of life for the site's limit."""
        state, now = self.chronicle.state, self.moment()
        last = state.last_activity
        if state.association is None or last is None:
            return False
        if last.era != now.era:
            return True  # the machine was off: nobody knows for how long
        return now.mono_ns - last.mono_ns > state.policy.idle_close_s * NS

    async def keep_house(self) -> None:
        """Keep a snapshot and purge, now and then: a hub may be switched off every evening."""
        while True:
            await _if_there_is_room(self.chronicle.keep_snapshot())
            await self.store.purge(self.clock.now(), self.ways.retention_s)
            await self.clock.sleep(HOUSEKEEPING_S)

    async def view(self) -> RoomView:
        """Return the room for a screen."""
        state = self.chronicle.state
        key = state.association.subject if state.association else None
        subject = await self.store.subject(key) if key else None
        needed = needs(state)
        lacking = await self.store.lacks(set(needed.values()))
        erased = frozenset(item for item, need in needed.items() if need in lacking)
        now = self.clock.now()
        instruments = tuple(_instrument(name, each, now) for name, each in self.supervisors.items())
        return replace(view_of(state, subject, self.live, now, erased), instruments=instruments)

    def take_now(self, instrument: str, kind: Kind) -> bool:
        """Take an instrument's current value of a stream; False if it streams no such thing."""
        supervisor = self.supervisors.get(instrument)
        return supervisor is not None and supervisor.intake.ask(kind)

    def wish(self, instrument: str, wish: Wish) -> str | None:
        """Tell an instrument what a person wants of it now; return why not, None if it is done."""
        supervisor = self.supervisors.get(instrument)
        return "there is no such instrument" if supervisor is None else supervisor.tell(wish)

    # ---- from instruments

    def _intake(self, plan: Plan) -> Intake:
        return Intake(
            instrument=plan.name,
            memory=plan.entry.memory,
            room=Surroundings(
                record=self._measured,
                association=lambda: self.chronicle.state.association,
                live=self.live,
                set_aside=self._set_aside,
                receive=self.receiving.receive,
            ),
            strips=Strips(STRIPS_S),
            identity=plan.identity,
            era=self.clock.era,
            serial=plan.serial,
        )

    def _set_aside(self, instrument: str, reason: str) -> None:
        log.warning("%s: %s", instrument, reason)
        for listener in self.file_listeners:
            listener(instrument, reason)

    async def _record(self, event: Event) -> None:
        await self.chronicle.record(event)

    async def _measured(self, event: Measured, strips: Strips) -> None:
        (recorded,) = await self.chronicle.record(event)
        self.deriving.follow(recorded, event, strips)

    # ---- to the record system

    async def _subjects(self) -> dict[str, Subject]:
        """Return the patients of what is due, as far as the record system knows them."""
        state = self.chronicle.state
        keys = {subject_key(state, what) for what in due(state, self.moment())} - {None}
        known = {key: await self.store.subject(key) for key in sorted(filter(None, keys))}
        return {key: subject for key, subject in known.items() if subject and subject.reference}

    async def _contents(self) -> dict[str | None, Content]:
        """Return what the studies hold of which something is due now."""
        waiting = due(self.chronicle.state, self.moment())[:ACCEPTED_AT_ONCE]
        studies = sorted({study for what in waiting if (study := study_of(what))})[:STUDIES_AT_ONCE]
        found = {study: await self.store.study(study) for study in studies}
        return {study: content for study, content in found.items() if content is not None}

    def _enqueue(
        self, what: Due, key: str, subject: Subject, content: Content | None
    ) -> tuple[list[Event], Enqueue]:
        hub, run = self.ways.hub, self.ways.run
        result = result_of(self.chronicle.state, what, subject, hub)
        identity = HubIdentity(hub.site, hub.name, hub.software, run)
        payload = encode(result, hub=identity, sequence=what.sequence, content=content)
        too_large = self._fits(payload)
        sha, at = content_sha256(result), self.moment()
        item, corrects = (
            (what.item, what.item.result_id) if isinstance(what, Withdrawal) else (what, None)
        )
        row = OutboxRow(
            result_id=result.result_id,
            kind=result.measurement.kind,
            payload=payload,
            content_sha256=sha,
            space=result.space,
            after=corrects,
            state=RowState.PARKED if too_large else RowState.WAITING,
            subject=key,
        )
        enqueued = Enqueued(
            at=at,
            item=item.sequence,
            result_id=result.result_id,
            content_sha256=sha,
            corrects=corrects,
        )
        if too_large:
            parked = Parked(at=at, result_id=result.result_id, reason=too_large)
            return [enqueued, parked], Enqueue(row, study_of(what))
        return [enqueued], Enqueue(row, study_of(what))


def _instrument(name: str, supervisor: Supervisor, now: Instant) -> InstrumentView:
    seen = supervisor.health.seen_at(now)
    counts = dict(supervisor.health.counts)
    takes = tuple(sorted(supervisor.wishes.open_to))
    return InstrumentView(name, supervisor.plan.driver, seen.state, seen.reason, counts, takes)


async def _if_there_is_room(work: Awaitable[object]) -> None:
    """Do what can be left out for now when the store is full; what needs room is told elsewhere."""
    try:
        await work
    except StoreFull as error:
        log.warning("left out for now: %s", error)
