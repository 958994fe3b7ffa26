"""What people do in the room: sign in, say who the patient is, decide about values.

Every act is checked here against the present room and answered in plain words; what it changes is
an event. A patient is taken only with two identifiers from the record system, which a person
compared.
While the record system cannot be reached, a scan opens an unverified association: values are held,
and sent only after the second check when it is back.
"""

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypedDict

from msgspec import Struct

from drivers.model import Instant, Kind, Unit
from edge.acceptance import ERASED, needs
from edge.chronicle import Chronicle
from edge.clock import Clock, utc
from edge.contract.commands import why_refused
from edge.contract.dialogue import (
    AssignPatient,
    CloseAssociation,
    Operator,
    OperatorReply,
    OperatorRequest,
    Patient,
    PatientReply,
    PatientRequest,
    Reply,
    Request,
    RoomListReply,
    RoomListRequest,
    ScannedBadge,
    ScannedPatient,
)
from edge.entering import NotEntered, entered
from edge.events import (
    AssociationClosed,
    AssociationOpened,
    AssociationVerified,
    CloseReason,
    Confirm,
    Confirmed,
    Discarded,
    Taken,
    WrongPatient,
)
from edge.observation import Association, Compared, Method, Moment, Subject
from edge.room.state import Item, ItemState
from edge.store.outbox import Move, RowState
from edge.study import Content, compared

Ask = Callable[[Request], Awaitable[Reply]]
WhoIs = Callable[[str], Awaitable[Subject | None]]
WhatIsIn = Callable[[str], Awaitable[Content | None]]

_UNSENT = (ItemState.OFFERED, ItemState.ACCEPTED)


class Refused(Exception):  # noqa: N818 - what a person is told, not a fault
    """An act that cannot be done now; the message is for the person."""


class NoAnswer(Exception):  # noqa: N818 - a state
    """The record system did not answer in time, or is not connected."""


class Candidate(Struct, frozen=True):
    """A patient the record system named, whom nobody has confirmed yet.

    `verifies` is an unverified association this is the second check for; `association` the id that
    the record system gave to the one to be opened.
    """

    patient: Patient
    method: Method
    verifies: str | None = None
    association: str | None = None


class FilePatient(Struct, frozen=True):
    """Whom a cart's file names, as somebody typed it there, when it was recorded, what it says."""

    number: str | None
    name: str | None
    birth_date: str | None
    acquired: str | None
    statements: tuple[str, ...] = ()


class Desk:
    """The acts of the people in one room."""

    def __init__(
        self,
        chronicle: Chronicle,
        clock: Clock,
        ask: Ask,
        who_is: WhoIs,
        run: str,
        content: WhatIsIn | None = None,
    ) -> None:
        self.operator: Operator | None = None
        self.candidate: Candidate | None = None
        self._chronicle = chronicle
        self._clock = clock
        self._ask = ask
        self._run = run
        self._who_is = who_is
        self._content = content
        self._turn = 0  # an answer to an earlier question than the latest is nobody's any more

    # ---- who is acting

    async def sign_in(self, badge: str) -> Operator:
        """Return the person with this badge, who from now on answers for what is done."""
        request = OperatorRequest(**self._envelope(), body=ScannedBadge(badge))
        try:
            reply = await self._ask(request)
        except NoAnswer as error:
            raise Refused("the record system does not answer: nobody can sign in now") from error
        if not isinstance(reply, OperatorReply) or reply.operator is None:
            raise Refused("this badge is not known; ask the record system's administrator")
        self.operator = reply.operator
        return reply.operator

    def sign_out(self) -> None:
        """Nobody answers for what is done."""
        self.operator = None

    # ---- who the patient is

    async def scan(self, code: str) -> Candidate | None:
        """Ask who this is, and end the visit before; None when nobody could be asked.

        Then the scan has opened an unverified association.
        """
        person = self._person()
        await self.close(CloseReason.NEXT_PATIENT)
        turn = self._turn
        try:
            found = await self._look_up(code, None)
        except NoAnswer:
            self._still(turn)
            await self._open_unverified(code, person)
            return None
        self._still(turn)
        self.candidate = found
        return found

    async def room_list(self) -> tuple[Patient, ...]:
        """Return whom the record system expects in this room."""
        try:
            reply = await self._ask(RoomListRequest(**self._envelope()))
        except NoAnswer as error:
            raise Refused("the record system does not answer: scan the patient instead") from error
        return reply.patients if isinstance(reply, RoomListReply) else ()

    async def choose(self, reference: str) -> Candidate:
        """Propose one patient of the room's list."""
        self._person()
        for patient in await self.room_list():
            if patient.reference == reference:
                await self.close(CloseReason.NEXT_PATIENT)
                self.candidate = Candidate(patient, Method.ROOM_LIST)
                return self.candidate
        raise Refused("this patient is not on the room's list any more")

    async def confirm_patient(self, reference: str) -> str:
        """Take the proposed patient, whose two identifiers a person compared; the association.

        `reference` is the patient who was shown: another may have been proposed in the meantime,
        by a scan at another screen or by the record system.
        """
        candidate, person = self.candidate, self._person()
        if candidate is None:
            raise Refused("there is no patient to confirm: scan first")
        if reference != candidate.patient.reference:
            raise Refused("another patient was proposed in the meantime: compare again")
        self.candidate = None
        return await self._open(candidate, person)

    async def not_this_person(self) -> None:
        """Drop the proposed patient; what was held for one who was to be verified is nobody's."""
        dropped, self.candidate = self.candidate, None
        if dropped is not None and dropped.verifies is not None:
            await self.mismatch(dropped.verifies)

    async def check_unverified(self) -> Candidate | None:
        """Once the record system is back, ask it about a patient scanned while it was away.

        The earliest comes first; one whose code it does not know does not keep the others waiting.
        """
        refused: Refused | None = None
        turn = self._turn
        for association, code in await self._unverified():
            try:
                found = await self._look_up(code, association.id)
            except NoAnswer:
                return None
            except Refused as error:
                refused = error
                continue
            self._still(turn)
            self.candidate = found
            return found
        if refused is not None:
            raise refused
        return None

    async def mismatch(self, association: str) -> None:
        """End an association that was never this patient's."""
        await self._chronicle.record(
            AssociationClosed(at=self._now(), association=association, reason=CloseReason.MISMATCH)
        )

    async def close(self, reason: CloseReason = CloseReason.END_OF_VISIT) -> None:
        """End the visit, if there is one, and with it whatever was proposed or asked."""
        self.candidate = None
        self._turn += 1
        association = self._chronicle.state.association
        if association is not None:
            await self._chronicle.record(
                AssociationClosed(at=self._now(), association=association.id, reason=reason)
            )

    async def assigned(self, command: AssignPatient, received: Instant) -> str | None:
        """Follow the record system's word on who is here; the reason where it is not followed.

        What was followed once is over when its visit is, however often it is said again.
        A person still compares the two identifiers, except where the site lets values go out by
        themselves and the record system says that somebody validated the assignment.
        """
        refused = why_refused(command, received, self._run)
        if refused is not None:
            return refused
        body = command.body
        if body.association_id in self._chronicle.state.used:
            return None
        await self.close(CloseReason.NEXT_PATIENT)
        candidate = Candidate(body.patient, Method.RECORD_SYSTEM, association=body.association_id)
        auto = self._chronicle.state.policy.confirm is Confirm.AUTO
        if auto and body.validated_by:
            await self._open(candidate, body.validated_by)
        else:
            self.candidate = candidate
        return None

    async def closed_by_record_system(self, command: CloseAssociation) -> None:
        """End the association the record system names; any other stays."""
        association = self._chronicle.state.association
        if association is not None and association.id == command.body.association_id:
            await self.close(CloseReason.RECORD_SYSTEM)

    # ---- values

    async def enter(
        self, kind: Kind, value: float, unit: Unit, seconds: float, method: str, of: str
    ) -> int:
        """Take what a person counted over some seconds, or read and typed; its number.

        `of` is the visit that was shown then: another may have begun in the meantime.
        """
        self._shown(of)
        try:
            event = entered(kind, value, unit, seconds, method, self._now())
        except NotEntered as error:
            raise Refused(str(error)) from error
        (recorded,) = await self._chronicle.record(event)
        return recorded.sequence

    async def compare(self, item: int) -> FilePatient:
        """Return whom a cart's file names, for a person to compare with who is in the room."""
        self._person()
        study = self._item(item).event.study
        content = await self._what_is_in(study.study) if study else None
        if content is None:
            raise Refused(f"value {item} is of no file that is here: there is nothing to compare")
        said = content.said
        number, name, birth_date, _ = said.patient
        return FilePatient(number, name, birth_date, said.acquired, said.statements)

    async def take(self, item: int, *, despite: bool = False, of: str | None = None) -> None:
        """Say that a held or quarantined value is this patient's, after comparing the display.

        `of` is the visit that was shown, where whoever takes it has a screen.

        Of an ECG study all parts are taken. Where its file contradicts the patient in the room, a
        person must say that they compared both: `despite`.
        """
        person, association = self._person(), self._shown(of)
        taken = self._item(item, ItemState.HELD, ItemState.QUARANTINED)
        if not despite and await self._contradicts(taken, association):
            raise Refused(
                "the file names another patient than the one in the room: compare both, and take "
                "it despite that only if the file is wrong"
            )
        at, whole = self._now(), self._whole(taken, ItemState.HELD, ItemState.QUARANTINED)
        await self._chronicle.record(
            *(
                Taken(at=at, item=each.sequence, association=association.id, person=person)
                for each in whole
            )
        )

    async def confirm(self, items: tuple[int, ...]) -> None:
        """Let offered values go out; with one part of an ECG study all that are offered."""
        person = self._person()
        for item in items:
            if await self._is_erased(self._item(item, ItemState.OFFERED)):
                raise Refused(f"value {item}: {ERASED}")
        found = [self._item(item, ItemState.OFFERED) for item in items]
        whole = {each.sequence for item in found for each in self._whole(item, ItemState.OFFERED)}
        at, order = self._now(), (*items, *sorted(whole - set(items)))
        await self._chronicle.record(*(Confirmed(at=at, item=i, person=person) for i in order))

    async def discard(self, item: int, reason: str) -> None:
        """Say that a value is none; what was sent is withdrawn, of an ECG study every part.

        Where it can never be sent, what was sent of the study stays: nothing is wrong with it.
        """
        person, at = self._person(), self._now()
        states = _UNSENT if await self._is_erased(self._item(item)) else ()
        whole = self._whole(self._item(item), *states)
        await self._chronicle.record(
            *(Discarded(at=at, item=i.sequence, person=person, reason=reason) for i in whole),
            outbox=_given_up(whole),
        )

    async def wrong_patient(self, item: int) -> None:
        """Say that a value is another patient's; what was sent is withdrawn, every part of it."""
        person, at, whole = self._person(), self._now(), self._whole(self._item(item))
        await self._chronicle.record(
            *(WrongPatient(at=at, item=i.sequence, person=person) for i in whole),
            outbox=_given_up(whole),
        )

    # ---- details

    def acting(self) -> str:
        """Return who answers for what is done now, or refuse."""
        return self._person()

    def _person(self) -> str:
        if self.operator is None:
            raise Refused("nobody is signed in: scan your badge")
        return self.operator.reference

    def _verified(self) -> Association:
        self._person()
        association = self._chronicle.state.association
        if association is None or not association.verified:
            raise Refused("no verified patient is in the room: identify the patient first")
        return association

    def _shown(self, visit: str | None) -> Association:
        """Return the visit that goes on, where it is the one that a person saw."""
        association = self._verified()
        if visit not in {None, association.id}:
            raise Refused("another patient is in the room than the one who was shown: look again")
        return association

    def _item(self, sequence: int, *states: ItemState) -> Item:
        item = self._chronicle.state.items.get(sequence)
        if item is None:
            raise Refused(f"there is no value {sequence} in the room any more")
        if states and item.state not in states:
            raise Refused(f"value {sequence} is {item.state}, not {' or '.join(states)}")
        return item

    def _whole(self, item: Item, *states: ItemState) -> list[Item]:
        """Return a value with the parts that belong to it: of an ECG study all in these states."""
        study = item.event.study
        if study is None:
            return [item]
        items = sorted(self._chronicle.state.items.values(), key=lambda each: each.sequence)
        return [
            each
            for each in items
            if each.event.study
            and each.event.study.study == study.study
            and (not states or each.state in states)
        ]

    async def _contradicts(self, item: Item, association: Association) -> bool:
        """Tell whether a file names another patient than the one in the room."""
        study = item.event.study
        content = await self._what_is_in(study.study) if study else None
        if content is None:
            return study is not None and study.compared is Compared.OTHER
        verdict = compared(content.said, await self._who_is(association.subject))
        return verdict is Compared.OTHER

    async def _is_erased(self, item: Item) -> bool:
        """Tell whether a value that is not sent yet cannot be any more."""
        needed = needs(self._chronicle.state).get(item.sequence)
        if needed is None:
            return False
        subject, study = needed
        if await self._who_is(subject) is None:
            return True
        return (
            study is not None and self._content is not None and await self._content(study) is None
        )

    async def _what_is_in(self, study: str) -> Content | None:
        return await self._content(study) if self._content else None

    def _still(self, turn: int) -> None:
        if turn != self._turn:
            raise Refused("somebody else was identified in the meantime")

    async def _unverified(self) -> list[tuple[Association, str]]:
        """Return unverified associations with the codes that were scanned, the earliest first."""
        waiting = [
            each for each in self._chronicle.state.associations.values() if not each.verified
        ]
        waiting.sort(key=lambda each: (each.opened.wall_ns, each.id))
        scanned = [(each, await self._who_is(each.subject)) for each in waiting]
        return [(each, subject.display[0]) for each, subject in scanned if subject is not None]

    async def _look_up(self, code: str, verifies: str | None) -> Candidate:
        request = PatientRequest(**self._envelope(), body=ScannedPatient(code))
        reply = await self._ask(request)
        patients = reply.patients if isinstance(reply, PatientReply) else ()
        if len(patients) != 1:
            found = "knows nobody" if not patients else "knows more than one person"
            raise Refused(f"the record system {found} with this code; check the wristband")
        return Candidate(patients[0], Method.SCAN, verifies)

    async def _open(self, candidate: Candidate, person: str) -> str:
        patient = candidate.patient
        subject = Subject(patient.reference, patient.display, patient.identifiers)
        if candidate.verifies is not None:
            return await self._verify(candidate.verifies, subject)
        key, association = str(uuid.uuid4()), candidate.association or str(uuid.uuid4())
        opened = AssociationOpened(
            at=self._now(),
            association=association,
            subject=key,
            method=candidate.method,
            person=person,
            verified=True,
        )
        await self._chronicle.record(opened, subjects=[(key, subject)])
        return association

    async def _open_unverified(self, code: str, person: str) -> None:
        key, association = str(uuid.uuid4()), str(uuid.uuid4())
        opened = AssociationOpened(
            at=self._now(),
            association=association,
            subject=key,
            method=Method.SCAN,
            person=person,
            verified=False,
        )
        await self._chronicle.record(opened, subjects=[(key, Subject("", (code, ""), (code,)))])

    async def _verify(self, association: str, subject: Subject) -> str:
        known = self._chronicle.state.known(association)
        if known is None:
            raise Refused("that visit is over and nothing of it is held any more")
        await self._chronicle.record(
            AssociationVerified(at=self._now(), association=association),
            subjects=[(known.subject, subject)],
        )
        return association

    def _envelope(self) -> "_Envelope":
        at = utc(self._clock.now().wall_ns)
        return _Envelope(correlation_id=str(uuid.uuid4()), boot_id=self._run, at=at)

    def _now(self) -> Moment:
        return Moment.of(self._clock.now(), self._clock.era)


def _given_up(items: list[Item]) -> list[Move]:
    """Return what becomes of the rows of refused results about which a person decides otherwise."""
    return [
        Move(item.result_id, RowState.GIVEN_UP) for item in items if item.state is ItemState.REFUSED
    ]


class _Envelope(TypedDict):
    correlation_id: str
    boot_id: str
    at: datetime
