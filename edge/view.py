"""The room in plain data, for whoever shows it: a page, a terminal, a test.

It names the patient who is present and nobody else: values held from before are counted and
described, never shown with a person. Nothing here decides anything.
"""

from msgspec import Struct, field
from msgspec.structs import replace

from drivers.model import Instant, Reading
from edge.acceptance import ERASED, timing_of
from edge.clock import NS, utc
from edge.live import Current, Live
from edge.observation import Subject
from edge.room import Item, ItemState, RoomState

ERASED_STATE = "erased"


class ReadingView(Struct, frozen=True):
    """One reading: a value or the reason there is none."""

    metric: str
    value: float | None
    unit: str
    status: str


class ValueView(Struct, frozen=True):
    """One measurement of the room: what, from what, when, how sure, and how far it got.

    `state` is the room's, or `erased`: it is nobody's any more, and there is only to discard it.
    """

    item: int
    kind: str
    readings: tuple[ReadingView, ...]
    origin: str
    instrument: str
    device: str
    taken: str
    clock_trusted: bool
    state: str
    reason: str
    flags: tuple[str, ...]
    result_id: str
    filed: str | None
    device_time: str | None = None  # by the instrument's own clock, without a zone
    clock_offset_s: float | None = None  # that clock minus the hub's, measured in the session


class LiveView(Struct, frozen=True):
    """What an instrument says now, and how old that is."""

    instrument: str
    kind: str
    readings: tuple[ReadingView, ...]
    origin: str
    age_s: float


class InstrumentView(Struct, frozen=True):
    """One of the two lights: whether an instrument is heard, from what was heard.

    `counters` are of this run of the service: sessions, bytes, frames, skipped_bytes, broken
    (checksum failures), missing (gaps in a sequence), and what the driver counts. `takes` is what
    a person may want of it now: measure, or stop.
    """

    name: str
    driver: str
    state: str
    reason: str
    counters: dict[str, int] = field(default_factory=dict)
    takes: tuple[str, ...] = ()


class WayView(Struct, frozen=True):
    """The other light: whether results reach the record system; `alarms` are whole sentences."""

    connected: bool = False
    waiting: int = 0
    last_receipt: str | None = None
    alarms: tuple[str, ...] = ()


class AskView(Struct, frozen=True):
    """What a person is asked while an instrument pairs; `passkey` is to be typed or compared."""

    instrument: str
    asked: str
    passkey: int | None


class RadioView(Struct, frozen=True):
    """The Bluetooth radio: what was heard from anybody, and how long ago each instrument."""

    adapter: str | None
    heard_s: float | None
    advertisements: int
    connections: int
    trouble: str  # a whole sentence, empty where nothing is known to be wrong
    instruments: dict[str, float | None]
    asks: tuple[AskView, ...]


class ScannerView(Struct, frozen=True):
    """The barcode reader: absent or ready, and what to do about the last scan, if anything."""

    state: str
    word: str


class RoomView(Struct, frozen=True):
    """Everything a screen shows; acts about the patient name the `visit` that was shown."""

    patient: tuple[str, str] | None
    verified: bool
    since: str | None
    values: tuple[ValueView, ...]
    held: int
    quarantined: int
    refused: int
    unsent: int  # offered in a visit that is over, and never confirmed
    live: tuple[LiveView, ...]
    clock_trusted: bool
    instruments: tuple[InstrumentView, ...] = ()
    record_system: WayView = WayView()
    radio: RadioView | None = None
    scanner: ScannerView | None = None
    visit: str | None = None


def view_of(
    state: RoomState,
    subject: Subject | None,
    live: Live,
    now: Instant,
    erased: frozenset[int] = frozenset(),
) -> RoomView:
    """Return the room as it is now; `subject` is the patient of the open association.

    `erased` are the values that cannot be sent any more, because what they need was erased.
    """
    association = state.association
    items = sorted(state.items.values(), key=lambda item: item.sequence)
    present = [item for item in items if association and item.association == association.id]
    return RoomView(
        patient=subject.display if subject and association else None,
        verified=association.verified if association else False,
        since=_time(association.opened.wall_ns) if association else None,
        values=tuple(
            _never_sent(_value(state, item)) if item.sequence in erased else _value(state, item)
            for item in _with_shown(items, present, erased)
        ),
        held=_count(items, ItemState.HELD),
        quarantined=_count(items, ItemState.QUARANTINED),
        refused=_count(items, ItemState.REFUSED),
        unsent=_count(items, ItemState.OFFERED) - _count(present, ItemState.OFFERED),
        live=tuple(_live(name, current, now) for (name, _, _), current in live.values.items()),
        clock_trusted=now.trusted,
        visit=association.id if association else None,
    )


def _with_shown(items: list[Item], present: list[Item], erased: frozenset[int]) -> list[Item]:
    """Add what belongs to nobody but is to be seen: held, quarantined, without a value, erased."""
    loose = {ItemState.HELD, ItemState.QUARANTINED, ItemState.SHOWN}
    chosen = {item.sequence for item in present} | erased
    return [item for item in items if item.sequence in chosen or item.state in loose]


def _never_sent(value: ValueView) -> ValueView:
    return replace(value, state=ERASED_STATE, reason=ERASED)


def _value(state: RoomState, item: Item) -> ValueView:
    event, timing = item.event, timing_of(state, item)
    identity, device_time = event.identity, event.measurement.device_time
    return ValueView(
        item=item.sequence,
        kind=event.measurement.kind,
        readings=tuple(map(_reading, event.measurement.readings)),
        origin=event.origin,
        instrument=event.instrument,
        device=" ".join(filter(None, (identity.model or identity.driver, identity.serial))),
        taken=_time(timing.wall_ns),
        clock_trusted=timing.trusted,
        state=item.state,
        reason=item.reason,
        flags=tuple(sorted(event.measurement.flags)),
        result_id=item.result_id,
        filed=_time(item.settled.wall_ns)
        if item.settled and item.state is ItemState.FILED
        else None,
        device_time=device_time.local.isoformat() if device_time else None,
        clock_offset_s=device_time.offset_s if device_time else None,
    )


def _live(instrument: str, current: Current, now: Instant) -> LiveView:
    return LiveView(
        instrument=instrument,
        kind=current.measurement.kind,
        readings=tuple(map(_reading, current.measurement.readings)),
        origin=current.origin,
        age_s=(now.mono_ns - current.at.mono_ns) / NS,
    )


def _reading(reading: Reading) -> ReadingView:
    return ReadingView(reading.metric, reading.value, reading.unit, reading.status)


def _count(items: list[Item], state: ItemState) -> int:
    return sum(item.state is state for item in items)


def _time(wall_ns: int) -> str:
    return utc(wall_ns).isoformat(timespec="milliseconds")
