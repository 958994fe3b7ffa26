"""What a hub publishes, as it goes to the broker: topics, payloads, MQTT 5 properties. Pure.

The properties of a result are copies of what its payload says, for readers who sort before they
parse; nothing depends on them. A result never expires: on a result expiry would be silent loss.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from drivers.model import Instant
from edge.clock import utc
from edge.contract.dialogue import Request
from edge.contract.messages import (
    ClockState,
    DeviceStatus,
    EventNotice,
    HubState,
    JournalHead,
    Live,
    Status,
)
from edge.contract.topics import Hub, RequestKind
from edge.contract.wire import SCHEMA, encode
from edge.fhir.names import TAG_CLOCK, TAG_RUN, TAG_SCHEMA, TAG_SEQ
from edge.publish.mqtt import Notes, Outgoing
from edge.publish.window import Dispatch

FHIR_JSON = "application/fhir+json; fhirVersion=4.0"
LIVE_EXPIRY_S = 5
COPIED = {"schema": TAG_SCHEMA, "seq": TAG_SEQ, "boot-id": TAG_RUN, "clock": TAG_CLOCK}
HEADROOM_BYTES = 2048  # topic, properties and header of a result are never more


@dataclass(frozen=True, slots=True)
class Sender:
    """Who publishes: the hub's place in the topic tree, this run of it, and its software."""

    topics: Hub
    boot_id: str
    versions: Mapping[str, str] = field(default_factory=dict)

    def birth(self, epoch: int, now: Instant, head: JournalHead) -> Outgoing:
        """Announce that the hub is there, and how far its journal reaches."""
        status = Status(
            state=HubState.ONLINE,
            boot_id=self.boot_id,
            seq=epoch,
            at=utc(now.wall_ns),
            versions={"schema": SCHEMA, **self.versions},
            clock=clock_state(now),
            journal=head,
        )
        return self._status(status)

    def will(self, epoch: int) -> Outgoing:
        """Leave with the broker what it says when the hub vanishes."""
        status = Status(state=HubState.OFFLINE, boot_id=self.boot_id, seq=epoch, reason="lost")
        return self._status(status)

    def goodbye(self, epoch: int, now: Instant, head: JournalHead) -> Outgoing:
        """Say that the hub ends in order."""
        status = Status(
            state=HubState.OFFLINE,
            boot_id=self.boot_id,
            seq=epoch,
            reason="shutdown",
            at=utc(now.wall_ns),
            clock=clock_state(now),
            journal=head,
        )
        return self._status(status)

    def result(self, dispatch: Dispatch) -> Outgoing:
        """Wrap a result; the payload is the stored bytes, whatever they are."""
        row = dispatch.row
        said = tags(row.payload)
        trace = hashlib.sha256(row.result_id.encode()).hexdigest()
        notes = Notes(
            content_type=FHIR_JSON,
            response_topic=self.topics.ack,
            correlation=row.result_id.encode(),
            user=(
                *((name, said[system]) for name, system in COPIED.items() if system in said),
                ("result-id", row.result_id),
                ("sha256", hashlib.sha256(row.payload).hexdigest()),
                ("replay", "true" if dispatch.again else "false"),
                ("traceparent", f"00-{trace[:32]}-{trace[32:48]}-01"),
            ),
        )
        return Outgoing(self.topics.result(row.kind), row.payload, notes=notes)

    def device_status(self, device: str, status: DeviceStatus) -> Outgoing:
        """Announce how an instrument is."""
        return Outgoing(self.topics.device_status(device), encode(status), retained=True)

    def event(self, notice: EventNotice) -> Outgoing:
        """Report what happened besides results."""
        return Outgoing(self.topics.event(notice.kind), encode(notice))

    def live(self, device: str, signal: str, preview: Live) -> Outgoing:
        """Show what an instrument measures just now."""
        notes = Notes(expiry_s=LIVE_EXPIRY_S)
        return Outgoing(self.topics.live(device, signal), encode(preview), qos=0, notes=notes)

    def request(self, request: Request) -> Outgoing:
        """Ask the record system."""
        kind = RequestKind(str(request.__struct_config__.tag))
        notes = Notes(
            response_topic=self.topics.reply(kind), correlation=request.correlation_id.encode()
        )
        return Outgoing(self.topics.request(kind), encode(request), notes=notes)

    def _status(self, status: Status) -> Outgoing:
        return Outgoing(self.topics.status, encode(status), retained=True)


def tags(payload: bytes) -> dict[str, str]:
    """Return the tags of a Bundle by their system; none where the bytes are no Bundle."""
    try:
        return {tag.system: tag.code for tag in _TAGGED.decode(payload).meta.tag}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def clock_state(now: Instant) -> ClockState:
    """Return what to say of the wall clock."""
    return ClockState.SYNCED if now.trusted else ClockState.UNSYNCED


def too_large(payload: bytes, limit_bytes: int) -> str | None:
    """Return None when a result fits into a packet, else what to tell a person."""
    room = limit_bytes - HEADROOM_BYTES
    if len(payload) <= room:
        return None
    return f"it has {len(payload):,} bytes and the broker takes {room:,}"


class _Tag(msgspec.Struct):
    system: str
    code: str


class _Meta(msgspec.Struct):
    tag: tuple[_Tag, ...]


class _Tagged(msgspec.Struct):
    meta: _Meta


_TAGGED = msgspec.json.Decoder(_Tagged)
