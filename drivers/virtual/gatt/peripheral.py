"""A virtual Bluetooth LE peripheral: characteristics, a clock, a memory, and habits.

What it measures is indicated, oldest first, one at a time: the next goes out when the last was
confirmed, and one that was not stays in the memory for the next connection. What it streams is
notified to whoever listens. With a record access point nothing goes out unasked but what is fresh,
and nothing is forgotten until it is told to.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from drivers.contract import Peer
from drivers.errors import RequestRefused
from drivers.protocols.gatt import characteristics, record_access
from drivers.protocols.gatt.characteristics import Frame, decode, encode
from drivers.protocols.gatt.date_time import CurrentTime, DateTime
from drivers.protocols.gatt.device import Battery, SerialNumber, Text
from drivers.protocols.gatt.record_access import Operation, Operator, Outcome, RecordAccess
from drivers.transports.memory_gatt import Sent
from drivers.virtual.gatt.table import Access, Offered, offered, sending

NOT_FOUND = 0x0A
WRITE_NOT_PERMITTED = 0x03
NOT_SUBSCRIBED = 0xFD  # Client Characteristic Configuration Descriptor Improperly Configured
ADDRESS = "C0:FF:EE:00:00:01"
STARTED = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone

Measure = Callable[[datetime], Sequence[tuple[str, Frame]]]
"""Given the instrument's clock, what one measurement sends: characteristics and frames."""

Stream = Callable[[float], Iterable[tuple[str, Frame]]]
"""Given the second, what is notified in it."""

Start = Callable[[float, int | None], None]
"""Given the second at which somebody starts a measurement, and on whom where that is another."""


@dataclass(frozen=True, slots=True)
class Ware:
    """What is written on the instrument's label, and in it."""

    name: str
    model: str
    serial: str = "V0012345"
    address: str = ADDRESS
    battery: int = 84


@dataclass(frozen=True, slots=True)
class Habits:
    """How a peripheral goes about its values.

    `clock_ahead_s` is how far its clock is ahead of the right time, None: it has none to read.
    One that `stays_on` advertises all the time, the others while there is something in the memory.
    """

    started: datetime = STARTED
    clock_ahead_s: float | None = 0.0
    has_record_access: bool = False
    hangs_up: bool = False
    stays_on: bool = False


class VirtualPeripheral:
    """One instrument; `facts` are further characteristics to read."""

    def __init__(
        self,
        ware: Ware,
        habits: Habits,
        sends: Iterable[str],
        facts: Mapping[str, Frame],
        stream: Stream | None = None,
        start: Start | None = None,
    ) -> None:
        self.peer = Peer(ware.address, name=ware.name)
        self.has_hung_up = False
        self._habits = habits
        self._ahead_s = habits.clock_ahead_s
        self._sends = frozenset(sends)
        self._facts: dict[str, Frame] = {
            characteristics.MANUFACTURER: Text("vitals-edge"),
            characteristics.MODEL: Text(ware.model),
            characteristics.SERIAL_NUMBER: SerialNumber(ware.serial),
            characteristics.FIRMWARE: Text("1.0"),
            characteristics.BATTERY: Battery(ware.battery),
            **facts,
        }
        self._stream = stream
        self._start = start
        self._now_s = 0.0
        self._streamed = 0
        self._planned: list[tuple[float, Measure]] = []
        self._memory: deque[Sent] = deque()
        self._waiting: Sent | None = None  # for its confirmation
        self._answers: deque[Sent] = deque()
        self._reporting: deque[Sent] = deque()
        self._subscribed: set[str] = set()

    def remember(self, taken: datetime, measure: Measure) -> None:
        """Have a measurement of before second 0 in the memory, made at a time of its clock."""
        self._memory.extend(_indications(measure(taken)))

    def plan(self, at_s: float, measure: Measure) -> None:
        """Have a measurement end at a second to come."""
        self._planned.append((at_s, measure))
        self._planned.sort(key=lambda each: each[0])

    def start(self, at_s: float, patient_seed: int | None = None) -> None:
        """Have somebody start a measurement, at a second that is not over; nothing if none can."""
        if self._start is not None:
            self._start(max(at_s, self._now_s), patient_seed)

    @property
    def clock(self) -> datetime:
        """What its clock shows."""
        return self._habits.started + timedelta(seconds=self._now_s + (self._ahead_s or 0.0))

    @property
    def table(self) -> tuple[Offered, ...]:
        """What it offers."""
        out = [sending(channel) for channel in sorted(self._sends)]
        if self._habits.has_record_access:
            out.append(offered(characteristics.RECORD_ACCESS, Access.WRITE | Access.INDICATE))
        if self._ahead_s is not None:
            out.append(offered(characteristics.CURRENT_TIME, Access.READ | Access.WRITE))
        return (*out, *(offered(channel, Access.READ) for channel in self._facts))

    def calls(self, elapsed_s: float) -> bool:
        """Let time pass without a connection; whether it advertises now."""
        self._subscribed.clear()
        self._pass_time(max(self._now_s, elapsed_s))
        return self._habits.stays_on or bool(self._memory)

    def connect(self) -> None:
        """Take a new connection."""
        self._subscribed.clear()
        self._waiting = None
        self._answers.clear()
        self._reporting.clear()
        self.has_hung_up = False

    def due(self, elapsed_s: float) -> list[Sent]:
        """Return what it sends now."""
        out = self._pass_time(max(self._now_s, elapsed_s))
        if self._waiting is None:
            sent = self._next()
            if sent is not None:
                self._waiting = sent
                out.append(sent)
        return out

    def confirm(self, sent: Sent) -> None:
        """Take the confirmation; a second one for the same is none."""
        if self._waiting != sent:
            return
        self._waiting = None
        if sent.channel == characteristics.RECORD_ACCESS:
            return
        if not self._habits.has_record_access and sent in self._memory:
            self._memory.remove(sent)
        done = not self._memory
        self.has_hung_up = self._habits.hangs_up and done

    def read(self, channel: str) -> bytes:
        """Return a fact, or what the clock shows."""
        if channel == characteristics.CURRENT_TIME and self._ahead_s is not None:
            return encode(CurrentTime.of(self.clock))
        if channel not in self._facts:
            raise RequestRefused(channel, NOT_FOUND)
        return encode(self._facts[channel])

    def write(self, channel: str, data: bytes) -> None:
        """Set the clock, or begin what the record access point is asked for."""
        frame = decode(channel, data)
        if isinstance(frame, CurrentTime | DateTime) and self._ahead_s is not None:
            if frame.local is not None:
                self._ahead_s += (frame.local - self.clock).total_seconds()
        elif isinstance(frame, RecordAccess) and self._habits.has_record_access:
            if characteristics.RECORD_ACCESS not in self._subscribed:
                raise RequestRefused(channel, NOT_SUBSCRIBED)
            self._obey(frame)
        else:
            raise RequestRefused(channel, WRITE_NOT_PERMITTED)

    def subscribe(self, channel: str) -> None:
        """Begin to send a characteristic."""
        is_records = channel == characteristics.RECORD_ACCESS and self._habits.has_record_access
        if channel not in self._sends and not is_records:
            raise RequestRefused(channel, NOT_FOUND)
        self._subscribed.add(channel)

    def _pass_time(self, elapsed_s: float) -> list[Sent]:
        while self._planned and self._planned[0][0] <= elapsed_s:
            self._now_s, measure = self._planned.pop(0)
            fresh = _indications(measure(self.clock))
            self._memory.extend(fresh)
            if self._habits.has_record_access:
                self._reporting.extend(fresh)
        self._now_s = elapsed_s
        out: list[Sent] = []
        while self._stream is not None and self._streamed < int(elapsed_s):
            self._streamed += 1
            for channel, frame in self._stream(float(self._streamed)):
                if channel in self._subscribed:
                    out.append(Sent(channel, encode(frame)))
        return out

    def _next(self) -> Sent | None:
        """Return the next indication: of what was asked for, else of what is in the memory."""
        if self._reporting and self._reporting[0].channel in self._subscribed:
            return self._reporting.popleft()
        if self._answers:
            return self._answers.popleft()
        if self._habits.has_record_access:
            return None
        return next((sent for sent in self._memory if sent.channel in self._subscribed), None)

    def _obey(self, asked: RecordAccess) -> None:
        if asked.operator != Operator.ALL:
            self._answer(record_access.response(asked.operation, Outcome.OPERATOR_NOT_SUPPORTED))
        elif asked.operation == Operation.COUNT:
            self._answer(record_access.number_of_records(len(self._memory)))
        elif asked.operation in {Operation.REPORT, Operation.DELETE}:
            outcome = Outcome.SUCCESS if self._memory else Outcome.NO_RECORDS
            if asked.operation == Operation.REPORT:
                self._reporting.extend(self._memory)
            else:
                self._memory.clear()
            self._answer(record_access.response(asked.operation, outcome))
        else:
            self._answer(record_access.response(asked.operation, Outcome.OPERATION_NOT_SUPPORTED))

    def _answer(self, frame: RecordAccess) -> None:
        sent = Sent(characteristics.RECORD_ACCESS, encode(frame), is_indication=True)
        self._answers.append(sent)


def _indications(frames: Iterable[tuple[str, Frame]]) -> list[Sent]:
    return [Sent(channel, encode(frame), is_indication=True) for channel, frame in frames]
