"""The room as a pure reducer: (RoomState, Recorded) -> RoomState.

Folding the journal gives the state, on any machine, at any time. An event that makes no sense (a
confirmation of nothing, a receipt nobody waits for) changes nothing. What keeps a value away from a
wrong chart is in `measuring`, `decisions` and `edge/association.py`, and nowhere else:

    measured ──┬─ nobody identified, or not verified ──────→ HELD ──────────┐
               ├─ not provably inside the association ─────→ QUARANTINED ───┤ taken by a person
               ├─ no value, or derived and not to be sent ─→ SHOWN          │
               └─ inside ─→ OFFERED ─ confirmed ─→ ACCEPTED ←───────────────┘

    ACCEPTED ─ enqueued ─→ QUEUED ─ receipt ─┬→ FILED
                                             └→ REFUSED
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from edge.events import (
    AssociationClosed,
    AssociationOpened,
    AssociationVerified,
    ClockTrusted,
    Confirmed,
    Discarded,
    Enqueued,
    HubStarted,
    LinkClosed,
    LinkOpened,
    Measured,
    Parked,
    RadioActed,
    Receipted,
    Recorded,
    Taken,
    WrongPatient,
)
from edge.ledger import Ledger
from edge.room.decisions import decided
from edge.room.delivery import enqueued, receipted, refused
from edge.room.measuring import measured
from edge.room.state import Item, ItemState, RoomState, Withdrawal
from edge.room.visits import closed, opened, verified

__all__ = ["Item", "ItemState", "RoomState", "Withdrawal", "fold"]


def fold(state: RoomState, recorded: Recorded) -> RoomState:
    """Return the room after one more event."""
    event = recorded.event
    if event.at.trusted:
        state = replace(state, synchronised=event.at)
    return _STEPS[type(event)](state, recorded.sequence, event)


def _started(state: RoomState, event: HubStarted) -> RoomState:
    return replace(state, run=event.run, policy=event.policy, linked=Ledger())


def _linked(state: RoomState, event: LinkOpened) -> RoomState:
    return replace(state, linked=state.linked.put(event.instrument, event))


def _unlinked(state: RoomState, event: LinkClosed) -> RoomState:
    return replace(state, linked=state.linked.without(event.instrument))


# The event's type chooses the step, so each step can rely on it.
_Step = Callable[[RoomState, int, Any], RoomState]

_STEPS: dict[type, _Step] = {
    HubStarted: lambda state, _, event: _started(state, event),
    ClockTrusted: lambda state, _, __: state,
    LinkOpened: lambda state, _, event: _linked(state, event),
    LinkClosed: lambda state, _, event: _unlinked(state, event),
    RadioActed: lambda state, _, __: state,
    Measured: measured,
    AssociationOpened: lambda state, _, event: opened(state, event),
    AssociationVerified: lambda state, _, event: verified(state, event),
    AssociationClosed: lambda state, _, event: closed(state, event),
    Taken: decided,
    Confirmed: decided,
    Discarded: decided,
    WrongPatient: decided,
    Enqueued: lambda state, _, event: enqueued(state, event),
    Receipted: lambda state, _, event: receipted(state, event),
    Parked: lambda state, _, event: refused(state, event.result_id, event.reason, event.at),
}
