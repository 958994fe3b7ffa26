"""The messages that name patients: commands to a hub, its requests, and the replies to them.

What a hub reads is open: fields it does not know are passed over. Whether a command may be followed
is `edge/contract/commands.py`. A reply is found by its correlation id; one that nobody waits for is
dropped.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from edge.contract.wire import Counter, ResultId, Text, Time, decode

RESEND_AT_ONCE = 1000


class Patient(Struct, frozen=True, omit_defaults=True):
    """A patient as the record system names them: its own reference, and what a person compares.

    `identifiers` are the numbers that wristbands give and that are typed into ECG carts; with them
    a hub tells whether a cart's file names the patient in the room.
    """

    reference: Annotated[str, Meta(pattern=r"^Patient/[A-Za-z0-9.-]{1,64}$")]
    display: tuple[Text, Text]  # name, birth date
    identifiers: tuple[Text, ...] = ()


class Assignment(Struct, frozen=True, omit_defaults=True):
    """Who is in the room, and who says so; not `validated_by` a second look, it is unverified."""

    association_id: Text
    patient: Patient
    asserted_by: Text
    validated_by: Text | None = None


class Closing(Struct, frozen=True):
    """Which association ends; any other stays."""

    association_id: Text


class Resending(Struct, frozen=True, omit_defaults=True):
    """Which results are wanted again: by id, or all that the hub still has from a seq on."""

    result_ids: Annotated[tuple[ResultId, ...], Meta(max_length=RESEND_AT_ONCE)] = ()
    from_seq: Counter | None = None

    def __post_init__(self) -> None:
        if not self.result_ids and self.from_seq is None:
            raise ValueError("resend: name result_ids or from_seq")


class _Command(Struct, frozen=True, kw_only=True, tag_field="name"):
    issued_at: Time
    expires_at: Time
    boot_id: Text
    correlation_id: Text


class AssignPatient(_Command, frozen=True, kw_only=True, tag="assign-patient"):
    """Open an association in this room."""

    body: Assignment


class CloseAssociation(_Command, frozen=True, kw_only=True, tag="close"):
    """End an association in this room."""

    body: Closing


class Resend(_Command, frozen=True, kw_only=True, tag="resend"):
    """Send results again, byte for byte."""

    body: Resending


Command: TypeAlias = AssignPatient | CloseAssociation | Resend


class ScannedPatient(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was read from a wristband or typed in."""

    identifier: Text
    system: str | None = None


class ScannedBadge(Struct, frozen=True, forbid_unknown_fields=True):
    """What was read from a person's badge."""

    badge: Text


class _Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    correlation_id: Text
    boot_id: Text
    at: Time


class PatientRequest(_Request, frozen=True, kw_only=True, tag="patient"):
    """Ask who has this identifier."""

    body: ScannedPatient


class RoomListRequest(_Request, frozen=True, kw_only=True, tag="room-list"):
    """Ask who is expected in this room."""


class WorklistRequest(_Request, frozen=True, kw_only=True, tag="worklist"):
    """Ask what is ordered for the patients of this room."""


class OperatorRequest(_Request, frozen=True, kw_only=True, tag="operator"):
    """Ask whose badge this is."""

    body: ScannedBadge


Request: TypeAlias = PatientRequest | RoomListRequest | WorklistRequest | OperatorRequest


class Order(Struct, frozen=True, omit_defaults=True):
    """Something to be measured for a patient."""

    reference: Text  # the record system's, as in ServiceRequest/77
    patient: Patient
    kind: Text
    text: str = ""


class Operator(Struct, frozen=True):
    """A person who may answer for values, as the record system names them."""

    reference: Text  # as in Practitioner/5
    display: Text


class _Reply(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    correlation_id: Text
    problem: str | None = None  # why there is no answer, for the person who asked


class PatientReply(_Reply, frozen=True, kw_only=True, tag="patient"):
    """The patients with that identifier; only exactly one can be taken."""

    patients: tuple[Patient, ...] = ()


class RoomListReply(_Reply, frozen=True, kw_only=True, tag="room-list"):
    """The patients expected in the room, next one first."""

    patients: tuple[Patient, ...] = ()


class WorklistReply(_Reply, frozen=True, kw_only=True, tag="worklist"):
    """The open orders of the room."""

    orders: tuple[Order, ...] = ()


class OperatorReply(_Reply, frozen=True, kw_only=True, tag="operator"):
    """The person with that badge; None when nobody has it."""

    operator: Operator | None = None


Reply: TypeAlias = PatientReply | RoomListReply | WorklistReply | OperatorReply


def decode_command(payload: bytes) -> Command:
    """Read a command; raises `MessageError`."""
    return decode(_COMMAND, payload)


def decode_request(payload: bytes) -> Request:
    """Read a hub's question; raises `MessageError`."""
    return decode(_REQUEST, payload)


def decode_reply(payload: bytes) -> Reply:
    """Read the record system's answer; raises `MessageError`."""
    return decode(_REPLY, payload)


_COMMAND: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_REQUEST: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_REPLY: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
