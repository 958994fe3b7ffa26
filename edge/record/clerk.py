"""What the record system does with what arrives: files, answers, and says who is in which room.

Messages in, messages out; what goes out counts only after what came in is durable. Nothing here
logs anything of a patient, and only replies and assignments say anything of one.
"""

import logging
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from drivers.errors import SettingsError
from edge.clock import Clock, utc
from edge.contract import topics
from edge.contract.dialogue import (
    Assignment,
    AssignPatient,
    CloseAssociation,
    Closing,
    OperatorReply,
    OperatorRequest,
    PatientReply,
    PatientRequest,
    Reply,
    Request,
    RoomListReply,
    RoomListRequest,
    WorklistReply,
    WorklistRequest,
    decode_request,
)
from edge.contract.messages import Ack, HubState, OperationOutcome, Status, decode_status
from edge.contract.topics import Address, Channel, CommandName, TopicError
from edge.contract.wire import MessageError, encode
from edge.events import Outcome
from edge.record.filing import Assigned, Filed, Filing, HeldHub, Submission
from edge.record.register import Register, Room
from edge.record.validate import Refusal, check

ASSIGNMENT_VALID = timedelta(minutes=10)  # a visit that has not begun by then is announced anew

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """What is received or sent; `expires_s` is how long the broker may keep it."""

    topic: str
    payload: bytes
    expires_s: int | None = None


class Clerk:
    """Files results, answers hubs and tells them who is in their room."""

    def __init__(
        self, filing: Filing, register: Register, clock: Clock, *, accept_demo: bool = False
    ) -> None:
        self._filing = filing
        self._register = register
        self._clock = clock
        self._accept_demo = accept_demo

    def handle(self, arrived: Sequence[Message]) -> list[Message]:
        """Deal with messages in order and return what is to be sent.

        All results among them are filed in one transaction.
        """
        results: list[tuple[Address, bytes]] = []
        answers: list[Message] = []
        for message in arrived:
            try:
                address = topics.parse(message.topic)
            except TopicError:
                log.warning("a message on a topic that the contract does not know")
                continue
            if address.channel is Channel.RESULT:
                results.append((address, message.payload))
            else:
                answers += self._about_hub(address, message.payload)
        return [*self._results(results), *answers]

    def use(self, register: Register) -> list[Message]:
        """Go by another register from now on; return what the rooms must be told."""
        self._register = register
        return list(self._announcements())

    # ---- results

    def _results(self, results: Sequence[tuple[Address, bytes]]) -> Iterator[Message]:
        now = self._clock.now().wall_ns
        submissions: list[Submission] = []
        addresses: list[Address] = []
        for address, payload in results:
            checked = check(
                payload, address.names[0], self._register, accept_demo=self._accept_demo
            )
            if isinstance(checked, Refusal):
                yield from _refusal(address, checked)
                continue
            submissions.append(Submission(checked, payload, address.site, address.hub, now))
            addresses.append(address)
        filed = self._filing.file(submissions) if submissions else []
        for address, submission, done in zip(addresses, submissions, filed, strict=True):
            yield _ack(address, _receipt(submission, done))

    # ---- hubs

    def _about_hub(self, address: Address, payload: bytes) -> list[Message]:
        try:
            if address.channel is Channel.STATUS:
                return list(self._status(address, decode_status(payload)))
            if address.channel is Channel.REQUEST:
                return [self._reply(address, decode_request(payload))]
        except MessageError as error:
            log.warning("%s: %s, not understood: %s", _room(address), address.channel, error)
        return []

    def _status(self, address: Address, status: Status) -> Iterator[Message]:
        """Note that a hub came or went; an offline message ends only the birth it belongs to."""
        before = self._filing.hub(address.site, address.hub)
        connection = (status.boot_id, status.seq)
        if (
            status.state is HubState.OFFLINE
            and before
            and connection
            != (
                before.boot_id,
                before.seq,
            )
        ):
            return
        seen = HeldHub(
            address.site, address.hub, status.state, *connection, self._clock.now().wall_ns
        )
        self._remember(seen)
        log.info("%s: %s", _room(address), status.state)
        room = self._register.room(address.site, address.hub)
        if room and status.state is HubState.ONLINE:
            yield from self._announcement(room, repeat=True)

    def _remember(self, hub: HeldHub) -> None:
        try:
            self._filing.heard(hub)
        except (sqlite3.Error, OverflowError) as error:
            log.warning("%s/%s: its state is not remembered: %s", hub.site, hub.hub, error)

    def _reply(self, address: Address, request: Request) -> Message:
        reply = self._answer(address, request)
        own = topics.Hub(address.site, address.hub)
        kind = topics.RequestKind(address.names[0])
        if reply.problem:
            log.info("%s: %s request: %s", _room(address), kind, reply.problem)
        return Message(own.reply(kind), encode(reply), expires_s=REPLY_EXPIRES_S)

    def _answer(self, address: Address, request: Request) -> Reply:
        """Answer one question of a hub."""
        correlation = request.correlation_id
        room = self._register.room(address.site, address.hub)
        unknown = None if room else "this room is not in the register"
        match request:
            case PatientRequest(body=scanned):
                found = self._register.identified(scanned.identifier)
                problem = None if found else "nobody has this identifier"
                return PatientReply(correlation_id=correlation, problem=problem, patients=found)
            case RoomListRequest():
                expected = [
                    self._register.patient(each) for each in (room.patients if room else ())
                ]
                patients = tuple(each for each in expected if each)
                return RoomListReply(correlation_id=correlation, problem=unknown, patients=patients)
            case WorklistRequest():
                return WorklistReply(correlation_id=correlation, problem=unknown)
            case OperatorRequest(body=badge):
                person = self._register.operator(badge.badge)
                if person is None:
                    problem = "nobody has this badge"
                elif room and room.operators is not None and person.reference not in room.operators:
                    person, problem = None, "this person may not act in this room"
                else:
                    problem = None
                return OperatorReply(correlation_id=correlation, problem=problem, operator=person)

    # ---- who is where

    def _announcements(self) -> Iterator[Message]:
        for room in self._register.rooms:
            yield from self._announcement(room, repeat=False)

    def _announcement(self, room: Room, *, repeat: bool) -> Iterator[Message]:
        """Say who is in a room when that has changed, or again to a hub that has just come back.

        An announcement keeps its association however often it is made, so that a hub which has
        followed it passes over the repeat; after it has expired it is not made again.
        """
        hub = self._filing.hub(room.site, room.hub)
        if hub is None:
            return
        said = self._filing.assigned(room.site, room.hub)
        if said and said.patient != room.assigned:
            if not self._assign(room, None):
                return
            yield self._closing(hub, said)
            said = None
        if room.assigned is None or hub.state != HubState.ONLINE:
            return
        now = self._clock.now().wall_ns
        if said is None:
            said = Assigned(room.assigned, str(uuid.uuid4()), now)
            if not self._assign(room, said):
                return
        elif not repeat or utc(now) - utc(said.issued_ns) >= ASSIGNMENT_VALID:
            return
        yield self._assigning(hub, room, said)

    def _assign(self, room: Room, assigned: Assigned | None) -> bool:
        try:
            self._filing.assign(room.site, room.hub, assigned)
        except sqlite3.Error as error:
            log.warning("%s/%s: not told who is there: %s", room.site, room.hub, error)
            return False
        return True

    def _assigning(self, hub: HeldHub, room: Room, said: Assigned) -> Message:
        patient = self._register.patient(said.patient)
        if patient is None or room.asserted_by is None:
            raise SettingsError("the register was changed under way")
        issued = utc(said.issued_ns)
        command = AssignPatient(
            issued_at=issued,
            expires_at=issued + ASSIGNMENT_VALID,
            boot_id=hub.boot_id,
            correlation_id=str(uuid.uuid4()),
            body=Assignment(said.association_id, patient, room.asserted_by, room.validated_by),
        )
        log.info("%s/%s: association %s announced", hub.site, hub.hub, said.association_id)
        topic = topics.Hub(hub.site, hub.hub).command(CommandName.ASSIGN_PATIENT)
        return Message(topic, encode(command), int(ASSIGNMENT_VALID.total_seconds()))

    def _closing(self, hub: HeldHub, said: Assigned) -> Message:
        now = utc(self._clock.now().wall_ns)
        command = CloseAssociation(
            issued_at=now,
            expires_at=now + CLOSING_VALID,
            boot_id=hub.boot_id,
            correlation_id=str(uuid.uuid4()),
            body=Closing(said.association_id),
        )
        log.info("%s/%s: association %s closed", hub.site, hub.hub, said.association_id)
        topic = topics.Hub(hub.site, hub.hub).command(CommandName.CLOSE)
        return Message(topic, encode(command), int(CLOSING_VALID.total_seconds()))


def _refusal(address: Address, refusal: Refusal) -> Iterator[Message]:
    if refusal.result_id is None:
        log.warning("%s: a result without an id: %s", _room(address), refusal.reason)
        return
    ack = Ack(
        result_id=refusal.result_id,
        outcome=Outcome.REJECTED,
        reason=refusal.reason,
        operation_outcome=OperationOutcome(refusal.issues),
    )
    yield _ack(address, ack)


def _receipt(submission: Submission, done: Filed) -> Ack:
    return Ack(
        result_id=submission.contents.result_id,
        outcome=done.outcome,
        content_sha256=done.held,
        reason=done.reason,
    )


def _ack(address: Address, ack: Ack) -> Message:
    log.info("%s: result %s %s %s", _room(address), ack.result_id, ack.outcome, ack.reason)
    return Message(topics.Hub(address.site, address.hub).ack, encode(ack))


def _room(address: Address) -> str:
    return f"{address.site}/{address.hub}"


REPLY_EXPIRES_S = 60  # the person who asked has long given up
CLOSING_VALID = timedelta(days=1)
