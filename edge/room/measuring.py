"""What a measurement is to the people in the room, at the moment it becomes durable."""

import hashlib

from msgspec.structs import replace

from edge.association import Unprovable, span_of, why_outside
from edge.events import Confirm, Measured
from edge.observation import (
    Association,
    Compared,
    Origin,
    StudyPart,
    content_result_id,
    journal_result_id,
    study_result_id,
)
from edge.room.state import Item, ItemState, LastValue, RoomState, put

NOBODY = "nobody is identified"
UNVERIFIED = "the identity is not verified"
NO_VALUE = "no value"
NOT_SENT = "derived values are not sent from here"
NOT_COMPARED = "the patient of the file was not compared with the patient in the room"
OTHER_PATIENT = "the file names another patient"
NO_PATIENT = "the file names no patient"
NO_NUMBER = "the patient in the room has no number to compare with the file's"
_WHY_NOT = {
    Compared.SAME: None,
    Compared.OTHER: OTHER_PATIENT,
    Compared.NOT_NAMED: NO_PATIENT,
    Compared.NOT_KNOWN: NO_NUMBER,
}

STORED_MAX = 4096  # more than the memories of all instruments of a room together
ARRIVED_MAX = 1024  # more measurements than one chunk of kept bytes can hold


def measured(state: RoomState, sequence: int, event: Measured) -> RoomState:
    """Judge a new measurement; one that was seen before, stored or repeated, changes nothing.

    Of kept bytes the first part can be measured before a crash and be read again after it, then
    without the instrument's name: known by the bytes and the moment of their arrival.
    """
    by_content = _named_by_content(event)
    by_arrival = _arrival(event)
    if by_content in state.stored or by_arrival in state.arrived:
        return state
    repeated = _shown_again(state, event)
    latest = LastValue(_fingerprint(event), event.at)
    state = replace(
        state,
        last_values=state.last_values.put(_source(event), latest),
        arrived=(*state.arrived, by_arrival)[-ARRIVED_MAX:],
        last_activity=event.at,
    )
    if by_content is not None:
        state = replace(state, stored=(*state.stored, by_content)[-STORED_MAX:])
    result_id = by_content or journal_result_id(state.journal, sequence)
    item = _judged(state, Item(sequence, event, ItemState.SHOWN, result_id))
    if item.state is ItemState.QUARANTINED and repeated and by_content is None:
        return state
    return put(state, item)


def released(state: RoomState, item: Item) -> Item:
    """Return an item that is provably this patient's, as the site's policy has it go on."""
    auto = state.policy.confirm is Confirm.AUTO
    return replace(item, state=ItemState.ACCEPTED if auto else ItemState.OFFERED, reason="")


def _judged(state: RoomState, item: Item) -> Item:
    event = item.event
    if not event.measurement.has_value:
        return replace(item, reason=NO_VALUE)
    if event.origin is Origin.DERIVED and not state.policy.publish_derived:
        return replace(item, reason=NOT_SENT)
    unproven = _unproven(event, state.association) or _unfit(event.study, state.association)
    if unproven is not None:
        return replace(item, state=ItemState.QUARANTINED, reason=unproven)
    association = state.association
    if association is None:
        return replace(item, state=ItemState.HELD, reason=NOBODY)
    item = replace(item, association=association.id)
    if not association.verified:
        return replace(item, state=ItemState.HELD, reason=UNVERIFIED)
    return released(state, item)


def _unproven(event: Measured, association: Association | None) -> str | None:
    """Return why nobody can say when, or in whose visit, it was measured; None if one can."""
    if association is not None:
        return why_outside(event, association)
    span = span_of(event)
    return span.reason if isinstance(span, Unprovable) else None


def _unfit(part: StudyPart | None, association: Association | None) -> str | None:
    """Return why a file's own patient is not proof; None where it is, or is not needed."""
    if part is None or association is None:
        return None
    if part.association != association.id:
        return NOT_COMPARED
    return _WHY_NOT[part.compared]


def _named_by_content(event: Measured) -> str | None:
    if event.study is not None:
        return study_result_id(event.study, event.measurement.kind, event.origin)
    return content_result_id(event.measurement, event.identity)


def _shown_again(state: RoomState, event: Measured) -> bool:
    """Tell the last value of before, shown again by an instrument that was connected anew."""
    last, link = state.last_values.get(_source(event)), state.linked.get(event.instrument)
    if event.unchanged_until is not None or last is None or link is None:
        return False
    anew = link.at.era != last.at.era or link.at.mono_ns > last.at.mono_ns
    return anew and last.readings == _fingerprint(event)


def _arrival(event: Measured) -> str:
    raw = hashlib.sha256(event.measurement.raw).hexdigest()
    return f"{_source(event)}/{event.at.era}/{event.at.mono_ns}/{raw}"


def _source(event: Measured) -> str:
    return f"{event.instrument}/{event.measurement.kind}/{event.origin}"


def _fingerprint(event: Measured) -> str:
    return ";".join(f"{r.metric}={r.value}/{r.status}" for r in event.measurement.readings)
