"""What a person decides about a value: take, confirm, discard, not this patient."""

from msgspec.structs import replace

from edge.events import Confirmed, Discarded, Taken, WrongPatient
from edge.observation import journal_result_id
from edge.room.state import Item, ItemState, RoomState, Withdrawal, put

SAID_WRONG = "a person said that it is another patient's"

_TAKEABLE = frozenset({ItemState.HELD, ItemState.QUARANTINED})
_SENT = frozenset({ItemState.QUEUED, ItemState.FILED})
_MOVABLE = _SENT | {ItemState.OFFERED, ItemState.ACCEPTED, ItemState.REFUSED}


def decided(
    state: RoomState, sequence: int, event: Taken | Confirmed | Discarded | WrongPatient
) -> RoomState:
    """Apply a person's decision; without a person, or about nothing, it changes nothing."""
    item = state.items.get(event.item)
    if item is None or not event.person:
        return state
    match event:
        case Taken():
            state = _taken(state, sequence, item, event)
        case Confirmed():
            state = _confirmed(state, item, event)
        case Discarded():
            state = _withdrawn(state, sequence, item, event.reason)
            gone = replace(
                item, state=ItemState.DISCARDED, reason=event.reason, person=event.person
            )
            state = put(state, gone)
        case WrongPatient():
            state = _wrong_patient(state, sequence, item)
    return replace(state, last_activity=event.at)


def _taken(state: RoomState, sequence: int, item: Item, event: Taken) -> RoomState:
    to = state.association
    if item.state not in _TAKEABLE or to is None or to.id != event.association or not to.verified:
        return state
    if item.content_sha256 is not None:  # it went out before, for somebody else: a new result
        state = replace(state, results=state.results.without(item.result_id))
        item = replace(
            item,
            result_id=journal_result_id(state.journal, sequence),
            content_sha256=None,
            settled=None,
        )
    taken = replace(
        item, state=ItemState.ACCEPTED, association=to.id, person=event.person, reason=""
    )
    return put(state, taken)


def _confirmed(state: RoomState, item: Item, event: Confirmed) -> RoomState:
    if item.state is not ItemState.OFFERED:
        return state
    return put(state, replace(item, state=ItemState.ACCEPTED, person=event.person))


def _wrong_patient(state: RoomState, sequence: int, item: Item) -> RoomState:
    if item.state not in _MOVABLE:
        return state
    state = _withdrawn(state, sequence, item, SAID_WRONG)
    away = replace(item, state=ItemState.QUARANTINED, association=None, reason=SAID_WRONG)
    return put(state, away)


def _withdrawn(state: RoomState, sequence: int, item: Item, reason: str) -> RoomState:
    """Note that what was sent must be withdrawn; nothing to do for what never left."""
    if item.state not in _SENT:
        return state
    withdrawal = Withdrawal(
        sequence=sequence,
        result_id=journal_result_id(state.journal, sequence),
        item=item,
        reason=reason,
        original_filed=item.state is ItemState.FILED,
    )
    return replace(state, withdrawals=state.withdrawals.put(item.result_id, withdrawal))
