"""The journal and the room folded from it, always together."""

import asyncio
from collections.abc import Sequence

from edge.events import Event, Recorded
from edge.observation import Subject
from edge.room import RoomState, fold
from edge.store import Store
from edge.store.outbox import OutboxChange


class Chronicle:
    """Records events durably and folds them in the order of the journal.

    Tasks record side by side; their events are folded by sequence whatever order the tasks wake in,
    and `record` returns when its own are part of `state`.
    """

    def __init__(self, store: Store, state: RoomState, folded: int) -> None:
        self.state = state
        self._store = store
        self._folded = folded
        self._arrived: dict[int, Recorded] = {}
        self._changed = asyncio.Event()

    @property
    def folded(self) -> int:
        """The sequence of the last event in `state`."""
        return self._folded

    async def record(
        self,
        *events: Event,
        outbox: Sequence[OutboxChange] = (),
        subjects: Sequence[tuple[str, Subject]] = (),
    ) -> tuple[Recorded, ...]:
        """Make events durable, with what must change in the same transaction, and fold them."""
        recorded = await self._store.append(events, outbox=outbox, subjects=subjects)
        self._arrived.update((entry.sequence, entry) for entry in recorded)
        while (entry := self._arrived.pop(self._folded + 1, None)) is not None:
            self.state = fold(self.state, entry)
            self._folded += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        while recorded and self._folded < recorded[-1].sequence:
            await self._changed.wait()
        return recorded

    async def change(self) -> None:
        """Wait until something is recorded."""
        await self._changed.wait()
