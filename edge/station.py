"""One room's instruments, journal and acceptances: the hub without its network.

instruments → intake → chronicle ─→ acceptance → outbox
                          ↑  └────→ deriving
                          └───────────┘
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from msgspec import Struct

from drivers.model import Kind
from edge.acceptance import Due, Hub, due, result_of, subject_key
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
from edge.observation import Moment, content_sha256
from edge.room import Withdrawal
from edge.store import Store
from edge.store.outbox import Enqueue, OutboxChange, OutboxRow, RowState
from edge.strips import Strips
from edge.supervisor import Plan, Supervisor
from edge.view import RoomView, view_of

log = logging.getLogger(__name__)

STRIPS_S = 30.0  # of every signal, in memory
ACCEPTED_AT_ONCE = 64
TICK_S = 1.0
HOUSEKEEPING_S = 3600.0


class Ways(Struct, frozen=True):
    """How a service differs from site to site."""

    hub: Hub
    run: str
    policy: Policy
    retention_s: float


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
        analysis: EcgAnalysis | None,
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
        waiting = due(self.chronicle.state, self.moment())[:ACCEPTED_AT_ONCE]
        events: list[Event] = []
        rows: list[OutboxChange] = []
        for what in waiting:
            made = await self._enqueue(what)
            if made is not None:
                events += made[0]
                rows.append(made[1])
        if events:
            await self.chronicle.record(*events, outbox=rows)
            self.accepted.set()
        return len(rows)

    async def accept_for_ever(self) -> None:
        """Accept whenever something happened, and when time alone makes something due."""
        while True:
            changed = asyncio.ensure_future(self.chronicle.change())
            while await self.accept_what_is_due():
                pass
            await self._first(changed, self.clock.sleep(TICK_S))

    async def mind_the_clock(self) -> None:
        """Notice that the clock became right, and that a visit has long been quiet."""
        trusted = self.clock.now().trusted
        while True:
            await self.clock.sleep(TICK_S)
            now = self.moment()
            if now.trusted and not trusted:
                await self.chronicle.record(ClockTrusted(at=now))
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
        """Keep snapshots and purge what is filed and old."""
        while True:
            await self.clock.sleep(HOUSEKEEPING_S)
            await self.store.purge(self.clock.now(), self.ways.retention_s)

    async def view(self) -> RoomView:
        """Return the room for a screen."""
        state = self.chronicle.state
        key = state.association.subject if state.association else None
        subject = await self.store.subject(key) if key else None
        return view_of(state, subject, self.live, self.clock.now())

    def take_now(self, instrument: str, kind: Kind) -> bool:
        """Take an instrument's current value of a stream; False if it streams no such thing."""
        supervisor = self.supervisors.get(instrument)
        return supervisor is not None and supervisor.intake.ask(kind)

    # ---- from instruments

    def _intake(self, plan: Plan) -> Intake:
        return Intake(
            instrument=plan.name,
            memory=plan.entry.memory,
            room=Surroundings(
                record=self._measured,
                association=lambda: self.chronicle.state.association,
                live=self.live,
            ),
            strips=Strips(STRIPS_S),
            identity=plan.identity,
            era=self.clock.era,
        )

    async def _record(self, event: Event) -> None:
        await self.chronicle.record(event)

    async def _measured(self, event: Measured, strips: Strips) -> None:
        (recorded,) = await self.chronicle.record(event)
        self.deriving.follow(recorded, event, strips)

    # ---- to the record system

    async def _enqueue(self, what: Due) -> tuple[list[Event], Enqueue] | None:
        state, ways = self.chronicle.state, self.ways
        key = subject_key(state, what)
        subject = await self.store.subject(key) if key else None
        if subject is None or not subject.reference:
            log.error("a result waits for a patient who is not known any more")
            return None
        result = result_of(state, what, subject, ways.hub)
        identity = HubIdentity(ways.hub.site, ways.hub.name, ways.hub.software, ways.run)
        payload = encode(result, hub=identity, sequence=what.sequence)
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
            state=RowState.PARKED if too_large else RowState.WAITING,
        )
        events: list[Event] = [
            Enqueued(
                at=at,
                item=item.sequence,
                result_id=result.result_id,
                content_sha256=sha,
                corrects=corrects,
            )
        ]
        if too_large:
            events.append(Parked(at=at, result_id=result.result_id, reason=too_large))
        return events, Enqueue(row)

    async def _first(self, changed: "asyncio.Future[None]", tick: Awaitable[None]) -> None:
        second = asyncio.ensure_future(tick)
        await asyncio.wait({changed, second}, return_when=asyncio.FIRST_COMPLETED)
        changed.cancel()
        second.cancel()
