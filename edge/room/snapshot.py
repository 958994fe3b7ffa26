"""A folded room as bytes, so that what it stands for can be purged from the journal."""

import msgspec
from msgspec import Struct

from edge.events import LinkOpened, Policy
from edge.ledger import Ledger
from edge.observation import Association, Moment
from edge.room.state import Item, ItemState, LastValue, RoomState, Withdrawal

VERSION = 1


class SnapshotError(ValueError):
    """The bytes are not a room that this software knows."""


class _Folded(Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    journal: str
    policy: Policy
    run: str | None
    association: Association | None
    associations: tuple[Association, ...]
    items: tuple[Item, ...]
    withdrawals: tuple[tuple[str, Withdrawal], ...]
    last_values: tuple[tuple[str, LastValue], ...]
    linked: tuple[LinkOpened, ...]
    stored: tuple[str, ...]
    arrived: tuple[str, ...]
    used: tuple[str, ...]
    synchronised: Moment | None
    last_activity: Moment | None
    filed: int
    refused: int


def encode(state: RoomState) -> bytes:
    """Return the room as bytes; the same room gives the same bytes."""
    folded = _Folded(
        version=VERSION,
        journal=state.journal,
        policy=state.policy,
        run=state.run,
        association=state.association,
        associations=tuple(sorted(state.associations.values(), key=lambda each: each.id)),
        items=tuple(sorted(state.items.values(), key=lambda item: item.sequence)),
        withdrawals=tuple(sorted(state.withdrawals.items(), key=lambda pair: pair[0])),
        last_values=tuple(sorted(state.last_values.items(), key=lambda pair: pair[0])),
        linked=tuple(sorted(state.linked.values(), key=lambda link: link.instrument)),
        stored=state.stored,
        arrived=state.arrived,
        used=state.used,
        synchronised=state.synchronised,
        last_activity=state.last_activity,
        filed=state.filed,
        refused=state.refused,
    )
    return _ENCODER.encode(folded)


def decode(data: bytes) -> RoomState:
    """Return the room in these bytes.

    Raises
    ------
    SnapshotError
        If they were written by other software, or are damaged.
    """
    try:
        folded = _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise SnapshotError(f"the stored state of the room cannot be read: {error}") from error
    if folded.version != VERSION:
        raise SnapshotError(f"the stored state of the room has version {folded.version}")
    items = folded.items
    return RoomState(
        journal=folded.journal,
        policy=folded.policy,
        run=folded.run,
        association=folded.association,
        associations=Ledger((each.id, each) for each in folded.associations),
        items=Ledger((item.sequence, item) for item in items),
        accepted=Ledger(
            (item.sequence, item) for item in items if item.state is ItemState.ACCEPTED
        ),
        results=Ledger((item.result_id, item.sequence) for item in items),
        withdrawals=Ledger(folded.withdrawals),
        last_values=Ledger(folded.last_values),
        linked=Ledger((link.instrument, link) for link in folded.linked),
        stored=folded.stored,
        arrived=folded.arrived,
        used=folded.used,
        synchronised=folded.synchronised,
        last_activity=folded.last_activity,
        filed=folded.filed,
        refused=folded.refused,
    )


def oldest_needed(state: RoomState) -> int | None:
    """Return the oldest entry of the journal that an item of the room refers to."""
    sequences = [*state.items, *(each.item.sequence for each in state.withdrawals.values())]
    return min(sequences, default=None)


def subjects_of(state: RoomState) -> tuple[str, ...]:
    """Return the keys of the patients the room still refers to."""
    return tuple(sorted({each.subject for each in state.associations.values()}))


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder(_Folded)
