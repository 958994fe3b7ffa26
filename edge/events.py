"""Everything that can happen in a room, as it is journaled.

Each event is frozen, says when, and names no patient: `subject` is a key of a side table that can
be erased without touching the chain. Folding the events in order gives the room (`edge/room.py`).
"""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from drivers.model import InstrumentId, Measurement
from drivers.registry import Memory
from edge.observation import Method, Moment, Origin, StudyPart


class Confirm(StrEnum):
    """Whether values go out by themselves or after a person looked."""

    AUTO = "auto"
    CONFIRM = "confirm"


class Policy(Struct, frozen=True):
    """The site's choices that change what the events mean; journaled with each start."""

    confirm: Confirm = Confirm.CONFIRM
    idle_close_s: float = 900.0
    clock_limit_s: float = 3600.0  # how long to hold values while the clock is not synchronised
    publish_derived: bool = False


class CloseReason(StrEnum):
    """Why an association ended."""

    END_OF_VISIT = "end-of-visit"
    IDLE = "idle"
    NEXT_PATIENT = "next-patient"
    MISMATCH = "mismatch"
    RECORD_SYSTEM = "record-system"


class Outcome(StrEnum):
    """What the record system answered."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    RETRY = "retry"


class _Happened(Struct, frozen=True, kw_only=True, tag_field="event"):
    at: Moment


class HubStarted(_Happened, frozen=True, kw_only=True, tag="hub-started"):
    """The service began; `run` names this run and answers commands of the record system."""

    run: str
    software: str
    policy: Policy


class ClockTrusted(_Happened, frozen=True, kw_only=True, tag="clock-trusted"):
    """The wall clock became synchronised; `at` ties both clocks together for this era."""


class LinkOpened(_Happened, frozen=True, kw_only=True, tag="link-opened"):
    """An instrument answers; what it remembers from before proves nothing now."""

    instrument: str
    identity: InstrumentId


class LinkClosed(_Happened, frozen=True, kw_only=True, tag="link-closed"):
    """An instrument went away."""

    instrument: str
    reason: str


class RadioActed(_Happened, frozen=True, kw_only=True, tag="radio"):
    """The Bluetooth radio was in trouble, was repaired a step further, or works again."""

    step: str
    text: str


class AssociationOpened(_Happened, frozen=True, kw_only=True, tag="association-opened"):
    """A patient is in the room, from now on; closes whatever was open."""

    association: str
    subject: str
    method: Method
    person: str
    verified: bool


class AssociationVerified(_Happened, frozen=True, kw_only=True, tag="association-verified"):
    """The record system confirmed both identifiers, and a person agreed."""

    association: str


class AssociationClosed(_Happened, frozen=True, kw_only=True, tag="association-closed"):
    """The patient left, or it was never this patient."""

    association: str
    reason: CloseReason


class Measured(_Happened, frozen=True, kw_only=True, tag="measured"):
    """A measurement became durable; nothing is said yet of whose it is.

    `unchanged_until` is, for an instrument that repeats its last value, when the previous value was
    last seen on this link; None when this is the first one. `study` is set of a part of an ECG.
    """

    instrument: str
    identity: InstrumentId
    measurement: Measurement
    memory: Memory
    settle_s: float
    origin: Origin = Origin.MEASURED
    method: str = ""
    unchanged_until: Moment | None = None
    study: StudyPart | None = None


class Taken(_Happened, frozen=True, kw_only=True, tag="taken"):
    """A signed-in person says that a held or quarantined value is this patient's."""

    item: int
    association: str
    person: str


class Confirmed(_Happened, frozen=True, kw_only=True, tag="confirmed"):
    """A person looked at an offered value and let it go out."""

    item: int
    person: str


class Discarded(_Happened, frozen=True, kw_only=True, tag="discarded"):
    """A person says that a value is none; it stays in the journal."""

    item: int
    person: str
    reason: str


class WrongPatient(_Happened, frozen=True, kw_only=True, tag="wrong-patient"):
    """A person says that a value is not this patient's; what was sent is withdrawn."""

    item: int
    person: str


class Enqueued(_Happened, frozen=True, kw_only=True, tag="enqueued"):
    """A result entered the outbox, in the transaction of this event."""

    item: int
    result_id: str
    content_sha256: str
    corrects: str | None = None


class Receipted(_Happened, frozen=True, kw_only=True, tag="receipted"):
    """The record system answered for a result."""

    result_id: str
    outcome: Outcome
    content_sha256: str
    reason: str = ""


class Parked(_Happened, frozen=True, kw_only=True, tag="parked"):
    """The broker will not take a result; it stays here until a person acts."""

    result_id: str
    reason: str


Event: TypeAlias = (
    HubStarted
    | ClockTrusted
    | LinkOpened
    | LinkClosed
    | RadioActed
    | AssociationOpened
    | AssociationVerified
    | AssociationClosed
    | Measured
    | Taken
    | Confirmed
    | Discarded
    | WrongPatient
    | Enqueued
    | Receipted
    | Parked
)


class Recorded(Struct, frozen=True):
    """An event with its place in the journal, counted from 1 and never reused."""

    sequence: int
    event: Event
