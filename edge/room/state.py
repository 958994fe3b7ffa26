"""What is known of a room, and the few ways in which its ledgers change."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from edge.events import LinkOpened, Measured, Policy
from edge.ledger import Ledger
from edge.observation import Association, Moment


class ItemState(StrEnum):
    """Where a measurement stands."""

    SHOWN = "shown"
    HELD = "held"
    QUARANTINED = "quarantined"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    QUEUED = "queued"
    FILED = "filed"
    REFUSED = "refused"
    DISCARDED = "discarded"


class Item(Struct, frozen=True):
    """One measurement in the room; `association` only while it is, or may become, that patient's.

    `result_id` names the result it is or will be; `person` took or confirmed it.
    """

    sequence: int
    event: Measured
    state: ItemState
    result_id: str
    reason: str = ""
    association: str | None = None
    person: str | None = None
    content_sha256: str | None = None
    settled: Moment | None = None


class Withdrawal(Struct, frozen=True):
    """A result that must be marked entered-in-error; sent once the result itself is filed."""

    sequence: int
    result_id: str
    item: Item
    reason: str
    original_filed: bool
    queued: bool = False
    filed: bool = False
    refused: str = ""


class LastValue(Struct, frozen=True):
    """What an instrument last said of one kind, to recognise it after a replug."""

    readings: str
    at: Moment


class RoomState(Struct, frozen=True):
    """All that is known of the room; `associations` are those that items still refer to."""

    journal: str
    policy: Policy = Policy()
    run: str | None = None
    association: Association | None = None
    associations: Ledger[str, Association] = Ledger()
    items: Ledger[int, Item] = Ledger()
    accepted: Ledger[int, Item] = Ledger()  # those of `items` that are to be sent
    results: Ledger[str, int] = Ledger()
    withdrawals: Ledger[str, Withdrawal] = Ledger()
    last_values: Ledger[str, LastValue] = Ledger()
    stored: tuple[
        str, ...
    ] = ()  # results known by content, so that a backlog sent again is seen as such
    arrived: tuple[str, ...] = ()  # the latest arrivals, to know kept bytes that are read again
    used: tuple[str, ...] = ()  # ids of the latest associations, also of those long over
    linked: Ledger[str, LinkOpened] = Ledger()
    synchronised: Moment | None = None
    last_activity: Moment | None = None
    filed: int = 0
    refused: int = 0

    def known(self, association: str | None) -> Association | None:
        """Return an association that is open or still referred to."""
        return self.associations.get(association) if association else None


def item_of_result(state: RoomState, result_id: str) -> Item | None:
    """Return the item a result was made of, while it is still in the room."""
    sequence = state.results.get(result_id)
    return None if sequence is None else state.items.get(sequence)


def put(state: RoomState, item: Item) -> RoomState:
    """Return the room with this item as it now is."""
    return replace(
        state,
        items=state.items.put(item.sequence, item),
        accepted=state.accepted.put(item.sequence, item)
        if item.state is ItemState.ACCEPTED
        else state.accepted.without(item.sequence),
        results=state.results.put(item.result_id, item.sequence),
    )


def drop(state: RoomState, item: Item) -> RoomState:
    """Return the room without an item that is over and done with."""
    return replace(
        state,
        items=state.items.without(item.sequence),
        accepted=state.accepted.without(item.sequence),
        results=state.results.without(item.result_id),
    )


def items_of(state: RoomState, association: str, *states: ItemState) -> list[Item]:
    """Return an association's items in some states, in the order they were measured."""
    return [
        item
        for item in sorted(state.items.values(), key=lambda item: item.sequence)
        if item.association == association and item.state in states
    ]


_SETTLED = frozenset({ItemState.SHOWN, ItemState.FILED, ItemState.DISCARDED})


def forget_settled(state: RoomState) -> RoomState:
    """Drop what is over and done with, of visits that are over."""
    current = state.association.id if state.association else None
    for item in state.items.values():
        if item.state in _SETTLED and (current is None or item.association != current):
            state = drop(state, item)
    needed = {item.association for item in state.items.values()} | {current}
    needed |= {withdrawal.item.association for withdrawal in state.withdrawals.values()}
    for key in state.associations:
        if key not in needed:
            state = replace(state, associations=state.associations.without(key))
    return state
