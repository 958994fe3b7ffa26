"""What is true of a room after everything has settled: lost, twice, misfiled, in so many words.

Three witnesses are compared: the instruments (every byte they said, by patient), the hub's journal,
the record system's own listing. Nobody's memory is used but the person's who looked at the room.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bedside import MONITOR, SPOTS, Bedside, Patient
from person import Person

from drivers.model import Chunk, Kind
from drivers.protocols.nonin import Decoder
from drivers.protocols.nonin_df13 import SpotCheck
from edge.events import (
    AssociationClosed,
    AssociationOpened,
    Confirm,
    Enqueued,
    Measured,
    Receipted,
    Recorded,
)
from edge.journal import Head
from edge.record.filing import HeldValue
from edge.room import Item, ItemState, RoomState, fold
from edge.store import Store
from edge.store.outbox import RowState

UNFINISHED = {ItemState.ACCEPTED, ItemState.QUEUED, ItemState.REFUSED}


@dataclass(frozen=True, slots=True)
class Ledger:
    """A hub's journal as it stands on the disk, and what else is durable there."""

    journal: str
    recorded: tuple[Recorded, ...]
    state: RoomState
    waiting: int
    kept: tuple[Chunk, ...]

    @property
    def unfinished(self) -> list[Item]:
        """Return values on their way; where a person confirms, what was not sent is not."""
        offered = {ItemState.OFFERED} if self.state.policy.confirm is Confirm.AUTO else set()
        return [i for i in self.state.items.values() if i.state in UNFINISHED | offered]

    @property
    def is_settled(self) -> bool:
        """Tell whether nothing is on its way any more."""
        return not (self.unfinished or self.waiting or self.state.withdrawals or self.kept)

    def why_unsettled(self) -> str:
        """Say what is still on its way."""
        states = Counter(str(item.state) for item in self.state.items.values())
        return (
            f"items {dict(states)}, {self.waiting} rows waiting, "
            f"{len(self.state.withdrawals)} withdrawals, {len(self.kept)} raw chunks"
        )


async def read(path: Path) -> Ledger:
    """Read a hub's store beside the hub, or after its death."""
    async with await Store.open_to_read(path) as store:
        recorded = [entry async for entry in store.recorded()]
        counts = await store.counts()
        unsettled = await store.unsettled(SPOTS)
    state = RoomState(journal=store.journal)
    for entry in recorded:
        state = fold(state, entry)
    kept = tuple(chunk for _, chunks in unsettled for _, chunk in chunks)
    return Ledger(store.journal, tuple(recorded), state, counts[RowState.WAITING], kept)


@dataclass(slots=True)
class Witness:
    """Looks at the store after each death: what was durable then must be there for ever."""

    path: Path
    heads: list[Head] = field(default_factory=list)
    spots: set[bytes] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    async def look(self) -> None:
        """Note the head of the journal and the stored spot checks whose bytes are durable."""
        if not self.path.exists():
            return
        async with await Store.open_to_read(self.path) as store:
            verdict = await store.verify()
            unsettled = await store.unsettled(SPOTS)
        if verdict.fault is not None:
            self.wrong.append(f"after a death: {verdict.fault.message}")
        self.heads.append(verdict.head)
        for _, chunks in unsettled:
            said = b"".join(chunk.data for _, chunk in chunks)
            frames = Decoder().feed(said)
            self.spots |= {frame.raw for frame in frames if isinstance(frame, SpotCheck)}

    async def check(self) -> None:
        """Compare the chain with every head that was seen."""
        async with await Store.open_to_read(self.path) as store:
            for head in self.heads or [None]:
                verdict = await store.verify(head)
                if verdict.fault is not None:
                    self.wrong.append(f"against the head {head}: {verdict.fault.message}")


@dataclass(slots=True)
class Findings:
    """What is wrong with a room, each as a sentence; `filed` counts results in the record."""

    filed: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    misfiled: list[str] = field(default_factory=list)


def judge(
    ledger: Ledger, held: Sequence[HeldValue], person: Person, bedside: Bedside, witness: Witness
) -> Findings:
    """Compare the three witnesses."""
    case = _Case(ledger, held, person, bedside)
    return Findings(
        filed=len(case.filed),
        lost=[*case.lost(), *case.taken_back(), *case.lost_spots(witness.spots)],
        twice=list(case.twice()),
        misfiled=list(case.misfiled()),
    )


class _Case:
    def __init__(
        self, ledger: Ledger, held: Sequence[HeldValue], person: Person, bedside: Bedside
    ) -> None:
        self._ledger = ledger
        self._person = person
        self._bedside = bedside
        self._held = held
        self._people = {patient.reference: patient for patient in person.patients}
        self.filed: dict[str, list[HeldValue]] = {}
        for value in held:
            self.filed.setdefault(value.result_id, []).append(value)
        events = [(entry.sequence, entry.event) for entry in ledger.recorded]
        self._events = events
        self._measured = {n: event for n, event in events if isinstance(event, Measured)}
        self._enqueued = {e.result_id: e for _, e in events if isinstance(e, Enqueued)}
        self._receipts = {e.result_id for _, e in events if isinstance(e, Receipted)}

    def lost(self) -> Iterator[str]:
        """Yield what was accepted, or shown to a person as such, and is not in the record."""
        for result_id, event in self._enqueued.items():
            if event.corrects is None and result_id not in self.filed:
                yield f"result {result_id} was accepted and is not in the record"
            if result_id not in self._receipts:
                yield f"result {result_id} never got a receipt"
        for item in self._ledger.unfinished:
            yield f"value {item.sequence} ended as {item.state}: {item.reason}"

    def taken_back(self) -> Iterator[str]:
        """Yield what a person was shown, or told, and is not so after all."""
        for number, seen in self._person.seen.items():
            if number not in self._measured:
                yield f"value {number}, seen as {seen.value.state}, is not in the journal"
            if seen.value.result_id not in self.filed:
                yield f"value {number}, seen as {seen.value.state}, is not in the record"
        for result_id, acknowledged in self._person.withdrawn.items():
            if acknowledged and not all(v.withdrawn for v in self.filed.get(result_id, ())):
                yield f"result {result_id} was discarded and is not withdrawn"

    def lost_spots(self, durable: set[bytes]) -> Iterator[str]:
        """Yield spot checks whose bytes were durable once and never became a measurement."""
        journaled = {event.measurement.raw for event in self._measured.values()}
        for raw in durable - journaled:
            yield f"a spot check was kept and never decoded: {raw.hex(' ')}"

    def twice(self) -> Iterator[str]:
        """Yield what is in the record, or in the journal, more than once."""
        for (result_id, metric), times in Counter(
            (value.result_id, value.metric) for value in self._held
        ).items():
            if times > 1:
                yield f"{metric} of {result_id} is in the record {times} times"
        entered = Counter(e.result_id for _, e in self._events if isinstance(e, Enqueued))
        yield from (f"result {r} was accepted {n} times" for r, n in entered.items() if n > 1)
        acts = Counter(self._act(e) for r in self.filed if (e := self._event_of(r)))
        yield from (f"{act} was filed {times} times" for act, times in acts.items() if times > 1)

    def misfiled(self) -> Iterator[str]:
        """Yield what is in the record and is not what an instrument said of just that patient."""
        for result_id, values in self.filed.items():
            event = self._event_of(result_id)
            patient = self._people.get(values[0].subject)
            if event is None:
                yield f"result {result_id} is in the record, and the hub never accepted it"
            elif patient is None:
                yield f"result {result_id} is filed for somebody who was never in this room"
            else:
                yield from self._wrong_values(result_id, values, event, patient)
        for number, seen in self._person.seen.items():
            values = self.filed.get(seen.value.result_id, [])
            if any(value.subject != seen.patient.reference for value in values):
                yield f"value {number} is filed for another patient than it was shown for"
            shown = {reading.metric: reading.value for reading in seen.value.readings}
            if values and shown != {value.metric: value.value for value in values}:
                yield f"value {number} is filed as another value than was shown"
        for result_id in {v.result_id for v in self._held if v.withdrawn}:
            if result_id not in self._person.withdrawn:
                yield f"result {result_id} is withdrawn, and nobody discarded it"
        yield from self._reopened()

    def _wrong_values(
        self, result_id: str, values: Sequence[HeldValue], event: Measured, patient: Patient
    ) -> Iterator[str]:
        what = f"{event.measurement.kind} of {event.instrument}, result {result_id}"
        readings = [(value.metric, value.value) for value in values]
        if not patient.has(event.instrument, readings):
            yield f"{what}: {readings} is not patient {patient.number}'s"
        raw = event.measurement.raw
        if not self._bedside.sent_of(patient, event.instrument, raw):
            yield f"{what}: never sent by the instrument while on patient {patient.number}"
        shown = self._bedside.shown(event.instrument, raw)
        if event.instrument != MONITOR and shown != dict(readings):
            yield f"{what}: {readings} is filed, the instrument said {shown}"

    def _reopened(self) -> Iterator[str]:
        """Yield associations that began anew when they were over, whoever repeated their id."""
        present, past = None, set()
        for _, event in self._events:
            if isinstance(event, AssociationClosed):
                present = None
            elif isinstance(event, AssociationOpened) and event.association != present:
                if event.association in past:
                    yield f"association {event.association} was opened when it was over"
                present = event.association
                past.add(present)

    def _event_of(self, result_id: str) -> Measured | None:
        enqueued = self._enqueued.get(result_id)
        return self._measured.get(enqueued.item) if enqueued else None

    def _act(self, event: Measured) -> str:
        """Name the act of measuring behind a result: a cuff, a frame of a stream, a spot check."""
        measurement = event.measurement
        if measurement.kind is Kind.BLOOD_PRESSURE:
            readings = [(r.metric.value, r.value) for r in measurement.readings]
            return f"blood pressure {readings}"
        frame = hashlib.sha256(measurement.raw).hexdigest()[:12]
        if event.instrument == MONITOR:  # says the same line every second
            frame += f" at {event.at.mono_ns}"
        return f"{measurement.kind} of {event.instrument}, frame {frame}"
