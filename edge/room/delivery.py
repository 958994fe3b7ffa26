"""The way to the record system and back."""

from msgspec.structs import replace

from edge.events import Enqueued, Outcome, Receipted
from edge.observation import Moment
from edge.room.state import ItemState, RoomState, drop, forget_settled, item_of_result, put

OTHER_CONTENT = "the record system holds another content under this id"


def enqueued(state: RoomState, event: Enqueued) -> RoomState:
    """Note that a result, or a correction, is in the outbox."""
    if event.corrects is not None:
        withdrawal = state.withdrawals.get(event.corrects)
        if withdrawal is None or withdrawal.result_id != event.result_id:
            return state
        queued = replace(withdrawal, queued=True)
        return replace(state, withdrawals=state.withdrawals.put(event.corrects, queued))
    item = state.items.get(event.item)
    if item is None or item.state is not ItemState.ACCEPTED or item.result_id != event.result_id:
        return state
    queued_item = replace(item, state=ItemState.QUEUED, content_sha256=event.content_sha256)
    return put(state, queued_item)


def receipted(state: RoomState, event: Receipted) -> RoomState:
    """Take the record system's word; a retry is the outbox's business."""
    if event.outcome is Outcome.RETRY:
        return state
    item = item_of_result(state, event.result_id)
    same = item is None or item.content_sha256 in {None, event.content_sha256}
    if event.outcome is Outcome.ACCEPTED or (event.outcome is Outcome.DUPLICATE and same):
        return _filed(state, event)
    reason = OTHER_CONTENT if event.outcome is Outcome.DUPLICATE else event.reason
    return refused(state, event.result_id, reason, event.at)


def refused(state: RoomState, result_id: str, reason: str, at: Moment) -> RoomState:
    """Note that a result will not be filed unless a person acts."""
    withdrawal = state.withdrawals.get(result_id)
    if withdrawal is not None and not withdrawal.original_filed:
        # what was to be withdrawn never arrived: there is nothing to withdraw
        return replace(state, withdrawals=state.withdrawals.without(result_id))
    item = item_of_result(state, result_id)
    if item is None or item.state is not ItemState.QUEUED:
        return _correction_refused(state, result_id, reason)
    away = replace(item, state=ItemState.REFUSED, reason=reason, settled=at)
    return replace(put(state, away), refused=state.refused + 1)


def _filed(state: RoomState, event: Receipted) -> RoomState:
    for original, withdrawal in state.withdrawals.items():
        if original == event.result_id:
            known = replace(withdrawal, original_filed=True)
            return replace(state, withdrawals=state.withdrawals.put(original, known))
        if withdrawal.result_id == event.result_id:
            done = replace(state, withdrawals=state.withdrawals.without(original))
            return forget_settled(replace(done, filed=done.filed + 1))
    item = item_of_result(state, event.result_id)
    if item is None or item.state not in {ItemState.QUEUED, ItemState.REFUSED}:
        return state
    state = replace(state, filed=state.filed + 1)
    current = state.association.id if state.association else None
    if item.association != current:
        return drop(state, item)
    return put(state, replace(item, state=ItemState.FILED, settled=event.at, reason=""))


def _correction_refused(state: RoomState, result_id: str, reason: str) -> RoomState:
    for original, withdrawal in state.withdrawals.items():
        if withdrawal.result_id == result_id:
            noted = replace(withdrawal, refused=reason)
            withdrawals = state.withdrawals.put(original, noted)
            return replace(state, withdrawals=withdrawals, refused=state.refused + 1)
    return state
