"""What waits for the record system, and how its rows change.

A row enters in the transaction of its `Enqueued` event and leaves on a `Receipted` event, never on
the broker's word. What happened between (sent, acknowledged by the broker) is the publisher's
memory only: after a restart everything without a receipt is sent again under the same id.
"""

from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from drivers.model import Kind
from edge.observation import Space


class RowState(StrEnum):
    """Where a row stands; only WAITING rows are sent."""

    WAITING = "waiting"
    FILED = "filed"  # receipted; kept for the retention time, then removed
    REJECTED = "rejected"  # the record system said no; a person must act
    PARKED = "parked"  # the broker will not take it; a person must act
    GIVEN_UP = "given-up"  # a person acted: it is not to be filed; kept as long as a filed one


class OutboxRow(Struct, frozen=True):
    """One result, as the exact bytes that are sent however often.

    `order` is the sequence of its `Enqueued` event. `after` is a result that must be receipted
    first: a correction never overtakes what it corrects. `subject` is the patient's key in the side
    table, by which the payload is found when the patient is erased.
    """

    result_id: str
    kind: Kind
    payload: bytes
    content_sha256: str
    space: Space
    order: int = 0
    after: str | None = None
    state: RowState = RowState.WAITING
    attempts: int = 0  # runs of the service that have sent it; more than none means a repeat
    subject: str | None = None


class Enqueue(Struct, frozen=True):
    """Put a row in; the writer fills in `order`. `study` is the one it is a result of, if any."""

    row: OutboxRow
    study: str | None = None


class Move(Struct, frozen=True):
    """Change the state of a row."""

    result_id: str
    state: RowState


OutboxChange: TypeAlias = Enqueue | Move
