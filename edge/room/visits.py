"""Associations begin, are verified and end."""

from msgspec.structs import replace

from edge.events import AssociationClosed, AssociationOpened, AssociationVerified, CloseReason
from edge.observation import Association, Moment
from edge.room.measuring import released
from edge.room.state import ItemState, RoomState, forget_settled, items_of, put

MISMATCHED = "it was not this patient"

USED_MAX = 256  # more visits than there are in the minutes for which an assignment is valid


def opened(state: RoomState, event: AssociationOpened) -> RoomState:
    """Begin an association, ending the one before; an id is used once, whoever repeats it."""
    if event.association in state.used:
        return state
    state = _ended(state, event.at)
    association = Association(
        id=event.association,
        subject=event.subject,
        method=event.method,
        person=event.person,
        verified=event.verified,
        opened=event.at,
    )
    return replace(
        state,
        association=association,
        associations=state.associations.put(association.id, association),
        used=(*state.used, association.id)[-USED_MAX:],
        last_activity=event.at,
    )


def verified(state: RoomState, event: AssociationVerified) -> RoomState:
    """Release what was held for want of a verified identity, also of a visit that is over."""
    before = state.known(event.association)
    if before is None or before.verified:
        return state
    after = replace(before, verified=True)
    state = replace(state, associations=state.associations.put(after.id, after))
    if state.association is not None and state.association.id == after.id:
        state = replace(state, association=after)
    for item in items_of(state, after.id, ItemState.HELD):
        state = put(state, released(state, item))
    return state


def closed(state: RoomState, event: AssociationClosed) -> RoomState:
    """End an association; after a mismatch nothing unsent remains attached to it."""
    ending = state.known(event.association)
    if ending is None:
        return state
    if state.association is not None and state.association.id == ending.id:
        state = _ended(state, event.at)
    if event.reason is CloseReason.MISMATCH:
        for item in items_of(
            state, ending.id, ItemState.HELD, ItemState.OFFERED, ItemState.ACCEPTED
        ):
            loose = replace(item, state=ItemState.HELD, association=None, reason=MISMATCHED)
            state = put(state, loose)
        state = forget_settled(state)
    return state


def _ended(state: RoomState, at: Moment) -> RoomState:
    if state.association is None:
        return state
    over = replace(state.association, closed=at)
    associations = state.associations.put(over.id, over)
    return forget_settled(replace(state, association=None, associations=associations))
