"""What instruments say becomes journaled measurements; one intake for each open link.

`emit` returns when what must be durable is durable, so back-pressure reaches the driver and an
acknowledgement to the instrument never comes too early.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from drivers.model import (
    EcgFile,
    InstrumentId,
    Item,
    Kind,
    Measurement,
    Notice,
    NoticeKind,
    Skipped,
    Waveform,
)
from drivers.registry import Remembers
from edge.association import is_stored
from edge.events import Measured
from edge.live import Current, Live
from edge.observation import Association, Moment, Origin
from edge.strips import Strips
from edge.study import Origins
from edge.taking import StreamWatch, Take, Watch, watch_for


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an intake needs of the room: where to record, who is there, what is shown.

    `receive` makes the study in a cart's file durable and tells whether it is new; its last
    argument is the serial number of the only cart that is taken from, None: any. `set_aside` is
    told by which instrument a file came that cannot be used, and why.
    """

    record: Callable[[Measured, Strips], Awaitable[None]]
    set_aside: Callable[[str, str], None]
    receive: Callable[[EcgFile, Origins, str | None], Awaitable[bool]]
    association: Callable[[], Association | None]
    live: Live


@dataclass(slots=True)
class Intake:
    """Takes every item of one instrument while its link is open."""

    instrument: str
    memory: Mapping[Kind, Remembers]
    room: Surroundings
    strips: Strips
    identity: InstrumentId
    era: str
    serial: str | None = None
    counts: Counter[str] = field(default_factory=Counter)
    _watches: dict[Kind, Watch] = field(default_factory=dict)

    async def emit(self, item: Item) -> None:
        """Take one item; see `drivers.contract.Emit`."""
        match item:
            case Measurement():
                await self._measurement(item)
            case Waveform():
                self.counts["waveform_samples"] += item.samples.shape[1]
                self.strips.add(item)
            case Notice():
                self.counts["notices"] += 1
                self.room.live.noticed(self.instrument, item)
                if item.kind is NoticeKind.SET_ASIDE:
                    self.room.set_aside(self.instrument, item.text)
            case Skipped():
                self.counts["skipped_bytes"] += len(item.data)
            case EcgFile():
                await self._file(item)

    def ask(self, kind: Kind) -> bool:
        """Take the next valid value of a stream because a person wants it; False if it is none."""
        watch = self._watches.get(kind)
        if not isinstance(watch, StreamWatch):
            return False
        watch.ask(self.room.association())
        return True

    async def _file(self, file: EcgFile) -> None:
        """Take a study from a cart's file; FileRefused says that there will never be one."""
        remembers = self.memory[Kind.ECG12]
        origins = Origins(
            instrument=self.instrument,
            driver=self.identity.driver,
            at=Moment.of(file.at, self.era),
            memory=remembers.memory,
            settle_s=remembers.settle_s,
        )
        is_new = await self.room.receive(file, origins, self.serial)
        self.counts["studies" if is_new else "duplicate_files"] += 1

    async def _measurement(self, measurement: Measurement) -> None:
        self.counts["measurements"] += 1
        at = Moment.of(measurement.at, self.era)
        if not is_stored(measurement):
            self.room.live.saw(self.instrument, Current(measurement, at, Origin.MEASURED))
        remembers = self.memory[measurement.kind]
        watch = self._watches.get(measurement.kind)
        if watch is None:
            watch = self._watches[measurement.kind] = watch_for(remembers)
        take = watch.look(measurement, at, self.room.association())
        if take is not None:
            await self.room.record(self._event(measurement, at, remembers, take), self.strips)

    def _event(
        self, measurement: Measurement, at: Moment, remembers: Remembers, take: Take
    ) -> Measured:
        return Measured(
            at=at,
            instrument=self.instrument,
            identity=self.identity,
            measurement=measurement,
            memory=remembers.memory,
            settle_s=remembers.settle_s,
            unchanged_until=take.unchanged_until,
        )
