"""The journal and the room folded from it, always together."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from edge.events import AssociationClosed, Discarded, Event, Recorded, WrongPatient
from edge.observation import Subject
from edge.room import RoomState, fold, snapshot
from edge.store import Snapshot, Store
from edge.store.outbox import OutboxChange
from edge.study import NewStudy

log = logging.getLogger(__name__)

# Events after which an accepted value must not be sent as if nothing had happened.
TAKES_BACK = (AssociationClosed, Discarded, WrongPatient)


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
        self._taking_back = 0
        self.listeners: list[Callable[[Recorded], None]] = []  # told after each fold, in order

    @staticmethod
    async def resumed(store: Store) -> "Chronicle":
        """Return the chronicle of a store as it was left: its last snapshot, and what came after.

        StoreError when the snapshot cannot be read and what it stands for was purged.
        """
        kept = await store.snapshot()
        state, folded = RoomState(journal=store.journal), 0
        if kept is not None:
            try:
                state, folded = snapshot.decode(kept.state), kept.sequence
            except snapshot.SnapshotError as error:
                # Other software wrote it; the journal says the same where it is whole.
                log.warning("%s; the journal is folded from its beginning", error)
        async for recorded in store.recorded(folded + 1):
            state, folded = fold(state, recorded), recorded.sequence
        return Chronicle(store, state, folded)

    async def keep_snapshot(self) -> None:
        """Keep the room as it is, so that the journal before it may be purged."""
        state = self.state
        kept = Snapshot(
            sequence=self._folded,
            state=snapshot.encode(state),
            needed=snapshot.oldest_needed(state),
            subjects=snapshot.subjects_of(state),
        )
        await self._store.keep_snapshot(kept)

    @property
    def folded(self) -> int:
        """The sequence of the last event in `state`."""
        return self._folded

    async def record(
        self,
        *events: Event,
        outbox: Sequence[OutboxChange] = (),
        subjects: Sequence[tuple[str, Subject]] = (),
        study: NewStudy | None = None,
    ) -> tuple[Recorded, ...]:
        """Make events durable, with what must change in the same transaction, and fold them.

        Once begun it is finished, also when whoever waits for it is cancelled: an event in the
        journal that is not folded would keep all later ones waiting.
        """
        takes_back = any(isinstance(event, TAKES_BACK) for event in events)
        self._taking_back += takes_back
        work = asyncio.ensure_future(self._record(events, outbox, subjects, study))
        if takes_back:
            work.add_done_callback(self._taken_back)
        return await asyncio.shield(work)

    async def change(self) -> None:
        """Wait until something is recorded."""
        await self._changed.wait()

    async def settled(self) -> None:
        """Wait until no event that takes a value back is on its way into the journal.

        What is then recorded without waiting in between comes after all that `state` does not show.
        """
        while self._taking_back:
            await self._changed.wait()

    async def _record(
        self,
        events: Sequence[Event],
        outbox: Sequence[OutboxChange],
        subjects: Sequence[tuple[str, Subject]],
        study: NewStudy | None,
    ) -> tuple[Recorded, ...]:
        recorded = await self._store.append(events, outbox=outbox, subjects=subjects, study=study)
        self._arrived.update((entry.sequence, entry) for entry in recorded)
        while (entry := self._arrived.pop(self._folded + 1, None)) is not None:
            self.state = fold(self.state, entry)
            self._folded += 1
            for listener in self.listeners:
                listener(entry)
        self._tell()
        while recorded and self._folded < recorded[-1].sequence:
            await self._changed.wait()
        return recorded

    def _taken_back(self, _: object) -> None:
        self._taking_back -= 1
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
