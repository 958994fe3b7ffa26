"""One call of append: what goes into the store together or not at all."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from drivers.model import Instant
from edge.events import Enqueued, Event, LinkOpened, Measured, Recorded
from edge.journal import encode
from edge.observation import Subject
from edge.store import entries, results, shelf, studies
from edge.store.book import ROW_BYTES, Act, Book, Tier
from edge.store.outbox import Enqueue, Move, OutboxChange
from edge.study import NewStudy


class Batch(Struct, frozen=True):
    """Events with all that goes with them; `data` are the events' bytes."""

    events: tuple[Event, ...]
    data: tuple[bytes, ...]
    rows: tuple[Enqueue, ...]
    moves: tuple[Move, ...]
    subjects: tuple[tuple[str, Subject], ...]
    settles: tuple[int, ...]
    at: Instant
    study: NewStudy | None = None

    @property
    def act(self) -> Act:
        """What this is, for those who would kill it."""
        if self.rows:
            return Act.ACCEPTANCE
        return Act.RECEIPT if self.moves else Act.APPEND

    @property
    def tier(self) -> Tier:
        """Whose room this takes."""
        if any(isinstance(event, (Measured, LinkOpened)) for event in self.events):
            return Tier.VALUE  # a link whose values would be refused is not opened either
        return Tier.ACCEPTANCE if self.rows else Tier.ALWAYS

    @property
    def size(self) -> int:
        """About how many bytes this takes."""
        payloads = sum(len(change.row.payload) for change in self.rows)
        rows = len(self.events) + len(self.rows) + len(self.subjects)
        study = studies.size_of(self.study) if self.study else 0
        return sum(map(len, self.data)) + payloads + rows * ROW_BYTES + study


def batch(
    events: Sequence[Event],
    outbox: Sequence[OutboxChange],
    subjects: Sequence[tuple[str, Subject]],
    settles: Sequence[int],
    at: Instant,
    study: NewStudy | None = None,
) -> Batch:
    """Return the call, encoded; ValueError unless each `Enqueue` has its event and vice versa."""
    if study is not None and not any(isinstance(e, Measured) and e.study for e in events):
        raise ValueError("a study needs the events of its parts in the same call")
    rows = tuple(change for change in outbox if isinstance(change, Enqueue))
    announced = [(e.result_id, e.content_sha256) for e in events if isinstance(e, Enqueued)]
    if sorted(announced) != sorted((c.row.result_id, c.row.content_sha256) for c in rows):
        raise ValueError("each Enqueue needs its Enqueued event in the same call, and vice versa")
    named = [n for event in events if isinstance(event, Measured) for n in event.measurement.kept]
    return Batch(
        events=tuple(events),
        data=tuple(map(encode, events)),
        rows=rows,
        moves=tuple(change for change in outbox if isinstance(change, Move)),
        subjects=tuple(subjects),
        settles=(*named, *settles),
        at=at,
        study=study,
    )


def append(book: Book, call: Batch) -> tuple[Recorded, ...]:
    """Do it, and return the events with their places."""
    book.admit(call.tier, call.size)
    sequences = entries.write(book, call.data)
    for key, subject in call.subjects:
        shelf.put_subject(book, key, subject)
    if call.study is not None:
        studies.keep(book, call.study, sequences.start)
    places = {
        event.result_id: sequence
        for sequence, event in zip(sequences, call.events, strict=True)
        if isinstance(event, Enqueued)
    }
    for change in call.rows:
        results.enqueue(book, replace(change.row, order=places[change.row.result_id]))
        if change.study is not None and change.row.subject is not None:
            studies.belongs_to(book, change.study, change.row.subject)
    for move in call.moves:
        results.move(book, move, call.at)
    shelf.settle(book, call.settles)
    entries.close_full_segment(book, call.at)
    return tuple(map(Recorded, sequences, call.events))
