"""What comes back from the record system, made durable; and what a hub reports besides results.

A receipt is an event like any other: it is journaled in one transaction with the end of its row,
and folded into the room.
"""

import logging

from drivers.model import Instant
from drivers.transports.ble.ladder import Step
from edge.chronicle import Chronicle
from edge.clock import Clock, utc
from edge.contract.dialogue import RESEND_AT_ONCE, AssignPatient, CloseAssociation, Command, Resend
from edge.contract.messages import EventNotice, JournalHead
from edge.contract.topics import EventKind
from edge.desk import Desk
from edge.events import Measured, Parked, RadioActed, Receipted, Recorded
from edge.observation import Moment
from edge.publish.publisher import Publisher
from edge.publish.window import Parked as GivenUp
from edge.publish.window import Receipt
from edge.room import ItemState
from edge.store import Store, StoreRefused
from edge.store.outbox import Move, RowState

log = logging.getLogger(__name__)


class Post:
    """The service's side of the publisher; `desk` and `publisher` are set before anything runs."""

    desk: Desk
    publisher: Publisher

    def __init__(self, chronicle: Chronicle, store: Store, clock: Clock) -> None:
        self._chronicle = chronicle
        self._store = store
        self._clock = clock
        self._is_radio_alarmed = False  # of this run: the next one climbs its ladder anew

    async def on_receipt(self, receipt: Receipt) -> None:
        """Journal a receipt and end its row."""
        ack = receipt.ack
        event = Receipted(
            at=self._now(),
            result_id=ack.result_id,
            outcome=ack.outcome,
            content_sha256=ack.content_sha256 or "",
            reason=ack.why,
        )
        await self._chronicle.record(event, outbox=[Move(ack.result_id, receipt.state)])

    async def on_parked(self, parked: GivenUp) -> None:
        """Journal that the broker will not take a result."""
        event = Parked(at=self._now(), result_id=parked.result_id, reason=parked.reason)
        await self._chronicle.record(event, outbox=[Move(parked.result_id, RowState.PARKED)])

    async def on_command(self, command: Command, received: Instant) -> None:
        """Follow a command of the record system, or say why not."""
        match command:
            case AssignPatient():
                refused = await self.desk.assigned(command, received)
                if refused is not None:
                    log.warning("assign-patient is not followed: %s", refused)
            case CloseAssociation():
                await self.desk.closed_by_record_system(command)
            case Resend():
                await self._resend(command)

    def head(self) -> JournalHead:
        """Return how far the journal reaches."""
        head = self._store.head
        return JournalHead(head.sequence, head.hash.hex())

    def notice_of(self, recorded: Recorded) -> EventNotice | None:
        """Return what to report of an event; nothing of it names a patient."""
        event = recorded.event
        kind, detail, instrument, result_id = None, "", None, None
        if isinstance(event, Measured):
            item = self._chronicle.state.items.get(recorded.sequence)
            if item is not None and item.state is ItemState.QUARANTINED:
                kind, detail = EventKind.QUARANTINE, item.reason
                instrument = event.instrument
        elif isinstance(event, Parked):
            kind, detail, result_id = EventKind.RESULT_PARKED, event.reason, event.result_id
        elif isinstance(event, Receipted) and self._is_refused(event.result_id):
            kind, result_id = EventKind.RESULT_REFUSED, event.result_id
        elif isinstance(event, RadioActed):
            kind, detail = self._radio(event.step), event.text
        if kind is None:
            return None
        return EventNotice(
            kind=kind,
            boot_id=self._chronicle.state.run or "",
            at=utc(event.at.wall_ns),
            instrument=instrument,
            result_id=result_id,
            detail=detail or None,
        )

    def _radio(self, step: str) -> EventKind | None:
        """Return what to tell of a step: an alarm, and its end. What is repaired needs nobody."""
        was_alarmed = self._is_radio_alarmed
        if step == Step.ALARM:
            self._is_radio_alarmed = True
            return EventKind.RADIO_ALARM
        if step == Step.RECOVERED:
            self._is_radio_alarmed = False
            return EventKind.RADIO_RECOVERED if was_alarmed else None
        return None

    def _is_refused(self, result_id: str) -> bool:
        state = self._chronicle.state
        sequence = state.results.get(result_id)
        item = state.items.get(sequence) if sequence is not None else None
        return item is not None and item.state is ItemState.REFUSED

    async def _resend(self, command: Resend) -> None:
        body = command.body
        wanted = set(body.result_ids)
        if body.from_seq is not None:
            rows = await self._store.rows(RESEND_AT_ONCE, body.from_seq - 1)
            wanted |= {row.result_id for row in rows}
        for result_id in sorted(wanted):
            try:
                await self._store.requeue(result_id)
            except StoreRefused as refused:
                log.warning("asked to send %s again: %s", result_id, refused)
        self.publisher.wake(from_start=True)

    def report(self, recorded: Recorded) -> None:
        """Tell whoever runs the hub of an event that concerns them."""
        notice = self.notice_of(recorded)
        if notice is not None:
            self.publisher.notice(notice)

    def file_set_aside(self, instrument: str, reason: str) -> None:
        """Tell whoever runs the hub of a cart's file that lies in its folder's quarantine."""
        notice = EventNotice(
            kind=EventKind.FILE_SET_ASIDE,
            boot_id=self._chronicle.state.run or "",
            at=utc(self._clock.now().wall_ns),
            instrument=instrument,
            detail=reason,
        )
        self.publisher.notice(notice)

    def _now(self) -> Moment:
        return Moment.of(self._clock.now(), self._clock.era)
