"""What a hub says besides results, and the receipts it gets, as JSON.

Results are FHIR Bundles and belong to `edge/fhir`. What a hub writes is closed: a message with a
field that is not in the schema is not from a hub of this version. What it reads is open: fields it
does not know are passed over. Times are ISO 8601 with a zone, and a hub gives them in UTC. Nothing
here says anything about a patient; the messages that do are in `edge/contract/dialogue.py`.
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from edge.contract.topics import EventKind
from edge.contract.wire import Counter, Explanation, ResultId, Sha256, Text, Time, decode
from edge.events import Outcome


class HubState(StrEnum):
    """Whether a hub answers."""

    ONLINE = "online"
    OFFLINE = "offline"


class ClockState(StrEnum):
    """Whether the hub's wall clock is synchronised."""

    SYNCED = "synced"
    UNSYNCED = "unsynced"


class JournalHead(Struct, frozen=True, forbid_unknown_fields=True):
    """How far the hub's journal reaches; a head that goes back is a journal that was cut."""

    sequence: Counter
    hash: Sha256


class Status(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Birth, will and orderly end of one connection; retained.

    `seq` counts the connections of one `boot_id`: an offline message ends the birth of the same
    boot and seq, an older one is the late will of a connection that has since been replaced. A will
    is written before it happens, so it has neither time nor journal.
    """

    state: HubState
    boot_id: Text
    seq: Counter
    reason: Text | None = None
    at: Time | None = None
    versions: dict[str, str] = field(default_factory=dict)
    clock: ClockState | None = None
    journal: JournalHead | None = None


class DeviceState(StrEnum):
    """How an instrument is."""

    PRESENT = "present"
    ABSENT = "absent"
    FAULT = "fault"


class DeviceStatus(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """An instrument came, went or has a fault; retained.

    `link` says it more finely than `state`: absent, opening, silent, streaming, wrong-instrument or
    refused; `reason` says why and what to do. `counters` are of this run of the hub, as they were
    when something else changed, and no more than a minute old.
    """

    state: DeviceState
    boot_id: Text
    at: Time
    driver: Text
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    reason: str | None = None
    link: str | None = None
    counters: dict[str, Counter] = field(default_factory=dict)


class EventNotice(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """Something people who run the hub should know; `detail` is in the hub's own words."""

    kind: EventKind
    boot_id: Text
    at: Time
    instrument: str | None = None
    result_id: ResultId | None = None
    detail: str | None = None


class Live(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A preview for displays, never to be filed: a current value, or a block of a waveform.

    `fs` is in samples per second; a null sample is a gap.
    """

    at: Time
    unit: str
    status: str = "ok"
    value: float | None = None
    fs: float | None = None
    samples: list[float | None] | None = None


class Concept(Struct, frozen=True, omit_defaults=True):
    """What this contract reads of a FHIR CodeableConcept."""

    text: str = ""


class Issue(Struct, frozen=True, omit_defaults=True):
    """What this contract reads of an issue of an OperationOutcome."""

    severity: str
    code: str
    diagnostics: str = ""
    details: Concept = Concept()


class OperationOutcome(Struct, frozen=True, tag_field="resourceType", tag="OperationOutcome"):
    """FHIR's way to say what is wrong."""

    issue: Annotated[tuple[Issue, ...], Meta(min_length=1, max_length=100)]


class Ack(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The record system's receipt for a result.

    `content_sha256` is of what the record system holds under this id; it may be absent only where
    nothing is held (rejected, retry).
    """

    result_id: ResultId
    outcome: Outcome
    content_sha256: Sha256 | None = None
    reason: Explanation = ""
    operation_outcome: OperationOutcome | None = field(default=None, name="OperationOutcome")

    def __post_init__(self) -> None:
        if self.content_sha256 is None and self.outcome in {Outcome.ACCEPTED, Outcome.DUPLICATE}:
            raise ValueError(f"outcome {self.outcome} without the content_sha256 that is held")

    @property
    def why(self) -> str:
        """Return the record system's explanation in one line; empty where it gave none."""
        if self.reason or self.operation_outcome is None:
            return self.reason
        first = self.operation_outcome.issue[0]
        return first.details.text or first.diagnostics or first.code


def decode_status(payload: bytes) -> Status:
    """Read birth, will or end of a hub; raises `MessageError`."""
    return decode(_STATUS, payload)


def decode_device_status(payload: bytes) -> DeviceStatus:
    """Read the presence of an instrument; raises `MessageError`."""
    return decode(_DEVICE_STATUS, payload)


def decode_event(payload: bytes) -> EventNotice:
    """Read a notice; raises `MessageError`."""
    return decode(_EVENT, payload)


def decode_live(payload: bytes) -> Live:
    """Read a preview; raises `MessageError`."""
    return decode(_LIVE, payload)


def decode_ack(payload: bytes) -> Ack:
    """Read a receipt; raises `MessageError`."""
    return decode(_ACK, payload)


_STATUS = msgspec.json.Decoder(Status)
_DEVICE_STATUS = msgspec.json.Decoder(DeviceStatus)
_EVENT = msgspec.json.Decoder(EventNotice)
_LIVE = msgspec.json.Decoder(Live)
_ACK = msgspec.json.Decoder(Ack)
