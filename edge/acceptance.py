"""From an accepted item of the room to the result that is sent: pure, and the same after a restart.

What is due is a function of the room and the present: an item that was accepted but not enqueued
when the power went is due again at the next start, under the same result id.
"""

import hashlib
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from drivers.model import DeviceTime
from edge.clock import NS
from edge.observation import (
    AssociatedMeasurement,
    Association,
    Correction,
    Moment,
    Provenance,
    Space,
    Subject,
    Timing,
)
from edge.room.state import Item, ItemState, RoomState, Withdrawal


class Hub(Struct, frozen=True):
    """Which hub speaks, and in which space its results live."""

    site: str
    name: str
    software: str
    space: Space


Due: TypeAlias = Item | Withdrawal
Needs: TypeAlias = tuple[str, str | None]
"""The side-table key of a patient, and the study that a result is a part of."""

ERASED = "what it needs was erased with its patient: it can never be sent; discard it"


def due(state: RoomState, now: Moment) -> tuple[Due, ...]:
    """Return what must be enqueued now, oldest first.

    Values taken under an untrusted clock wait until it is synchronised, or for the site's limit;
    then they go out with the uncertainty stated. Withdrawals wait for the receipt of the original.
    """
    accepted = [item for item in state.accepted.values() if _time_is_good_enough(state, item, now)]
    withdrawals = [
        withdrawal
        for withdrawal in state.withdrawals.values()
        if withdrawal.original_filed and not withdrawal.queued
    ]
    return (
        *sorted(accepted, key=lambda item: item.sequence),
        *sorted(withdrawals, key=lambda withdrawal: withdrawal.sequence),
    )


def subject_key(state: RoomState, what: Due) -> str | None:
    """Return the side-table key of the patient a result is for."""
    association = _association(state, what)
    return association.subject if association else None


def needs(state: RoomState) -> dict[int, Needs]:
    """Return what the store must still hold of each value that is not in the outbox yet."""
    return {
        item.sequence: (association.subject, study_of(item))
        for item in state.items.values()
        if item.state in {ItemState.OFFERED, ItemState.ACCEPTED}
        and (association := _association(state, item))
    }


def study_of(what: Due) -> str | None:
    """Return the study a result is a part of, None of any other."""
    item = what.item if isinstance(what, Withdrawal) else what
    return item.event.study.study if item.event.study else None


def result_of(state: RoomState, what: Due, subject: Subject, hub: Hub) -> AssociatedMeasurement:
    """Return the result to send.

    Raises
    ------
    LookupError
        If the item has no association, which an accepted item always has.
    """
    association = _association(state, what)
    if association is None:
        raise LookupError("an accepted measurement without an association")
    item = what.item if isinstance(what, Withdrawal) else what
    event = item.event
    timing = timing_of(state, item)
    result = AssociatedMeasurement(
        result_id=item.result_id,
        space=hub.space,
        measurement=event.measurement,
        origin=event.origin,
        subject=subject,
        association=association,
        timing=timing,
        device=event.identity,
        provenance=Provenance(
            hub=hub.name,
            software=hub.software,
            raw_sha256=event.study.original_sha256
            if event.study
            else hashlib.sha256(event.measurement.raw).hexdigest(),
            person=item.person or association.person or None,
            method=event.method,
        ),
        study=event.study,
    )
    if isinstance(what, Item):
        return result
    correction = Correction(result_id=item.result_id, reason=what.reason)
    return replace(result, result_id=what.result_id, corrects=correction)


def timing_of(state: RoomState, item: Item) -> Timing:
    """Return when a measurement was made in wall time, and whether that can be relied on.

    A time taken before the clock was synchronised is corrected by the monotonic clock once a
    synchronised moment of the same era is known.
    """
    at, device = item.event.at, item.event.measurement.device_time
    synced = state.synchronised
    wall, trusted = at.wall_ns, at.trusted
    if not trusted and synced is not None and synced.era == at.era:
        wall, trusted = synced.wall_ns - (synced.mono_ns - at.mono_ns), True
    if device is None:
        return Timing(wall_ns=wall, trusted=trusted, error_s=0.0)
    return _with_device_time(Timing(wall, trusted, 0.0), device)


def _with_device_time(hub_time: Timing, device: DeviceTime) -> Timing:
    placed = device.age_s is not None
    age_ns = round((device.age_s or 0.0) * NS)
    return Timing(
        wall_ns=hub_time.wall_ns - age_ns,
        trusted=hub_time.trusted and placed,
        error_s=device.age_error_s + device.resolution_s if placed else 0.0,
        device_local=device.local.isoformat(),
        device_offset_s=device.offset_s,
        device_resolution_s=device.resolution_s,
    )


def _time_is_good_enough(state: RoomState, item: Item, now: Moment) -> bool:
    at, synced = item.event.at, state.synchronised
    if at.trusted or (synced is not None and synced.era == at.era):
        return True
    limit_ns = state.policy.clock_limit_s * NS
    if at.era != now.era:  # the machine was restarted: this time can never be corrected any more
        return now.trusted or now.mono_ns >= limit_ns
    return now.mono_ns - at.mono_ns >= limit_ns


def _association(state: RoomState, what: Due) -> Association | None:
    item = what.item if isinstance(what, Withdrawal) else what
    return state.known(item.association)
