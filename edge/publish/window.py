"""Which results may be sent now, and what becomes of those that were: pure, without clock or I/O.

QUEUED ──sent──► SENT ──broker took it──► AT_BROKER ──receipt──► SETTLING ──durable──► gone
  ▲                │  └─connection lost─► UNSURE ─┐   └─no receipt in time: sent again
  └── RESTING ◄────┴── refused for now            └─ sent again at once when connected

A broker's word is not the record system's: a row leaves only when its receipt, or the decision to
park it, is durable. At most `unreceipted` results are out at a time, copies and lost connections
counted, because a broker drops what it acknowledged when its queue is full.

A row on which connections break is poison to the rest. After a break, rows that were under way are
sent alone, one after the other, until the broker takes them; one that breaks several connections
alone is parked. A row waits for the one it comes `after`; if that one ends otherwise than filed,
the row is put back: the outbox offers it again once its predecessor is filed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from edge.clock import NS
from edge.contract.messages import Ack
from edge.events import Outcome
from edge.store.outbox import OutboxRow, RowState

NO_SUBSCRIBERS = 16
FAILURE = 128
NOT_AUTHORISED = 135
KEEP_ALIVE_TIMEOUT = 141
PACKET_TOO_LARGE = 149
QUOTA_EXCEEDED = 151
HOPELESS = {
    NOT_AUTHORISED: "the broker does not allow this hub to write there (its access list)",
    144: "the broker refuses the name of the topic",
    PACKET_TOO_LARGE: "it is larger than the broker takes",
    153: "the broker says that the payload is not what it was announced as",
}
PARKED_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of the window; seconds are on the monotonic clock."""

    unreceipted: int = 64
    held: int = 256  # rows in memory, so that some can rest while others go
    held_bytes: int = 16 << 20
    resend_s: float = 30.0  # without a receipt, doubled with each sending up to the longest
    retry_s: float = 5.0  # after a refusal for now, doubled with each up to the longest
    longest_s: float = 600.0
    poison_disconnects: int = 5


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A row to hand to the connection now; `first` of this run of the service, or not."""

    row: OutboxRow
    first: bool

    @property
    def again(self) -> bool:
        """Whether the record system may have seen it before."""
        return not self.first or self.row.attempts > 0


@dataclass(frozen=True, slots=True)
class Parked:
    """The broker will not take a row; a person must act. To be made durable, then `settled`."""

    result_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that is about a row of ours, and the state it puts the row in.

    FILED and REJECTED are to be made durable, then `settled`; WAITING is a "not now" and is not. A
    record system that holds something else under this id (`differs`) did not file this result.
    """

    ack: Ack
    state: RowState
    differs: bool


class _Stage(Enum):
    QUEUED = "queued"
    SENT = "sent"
    UNSURE = "unsure"
    AT_BROKER = "at-broker"
    RESTING = "resting"
    SETTLING = "settling"


@dataclass(slots=True)
class _Flight:
    row: OutboxRow
    since_ns: int
    stage: _Stage = _Stage.QUEUED
    end: RowState = RowState.WAITING  # once SETTLING: what is being made durable
    copies: int = 0  # that may be at the broker or beyond, unanswered
    sends: int = 0
    refusals: int = 0
    due_ns: int = 0
    suspect: bool = False
    strikes: int = 0


class Window:
    """The outbox in flight; every method returns at once, `now_ns` is monotonic."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.unheard = 0  # results in a row that nobody was there to receive
        self._flights: dict[str, _Flight] = {}
        self._bytes = 0
        self._under_way: dict[int, _Flight] = {}  # by message number, in this epoch
        self._parked: dict[str, str] = {}  # content hashes: a receipt can still come late
        self._epoch: int | None = None
        self._paused_until_ns = 0
        self._quota_refusals = 0

    def __contains__(self, result_id: str) -> bool:
        return result_id in self._flights

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def wanted(self) -> int:
        """How many more rows can be taken in."""
        if self._bytes >= self.limits.held_bytes:
            return 0
        return max(0, self.limits.held - len(self._flights))

    @property
    def oldest_ns(self) -> int | None:
        """Since when the row that is here longest is here; None when there is none."""
        return min((flight.since_ns for flight in self._flights.values()), default=None)

    @property
    def out(self) -> int:
        """How many results may be at the broker or beyond without an answer."""
        return sum(flight.copies > 0 for flight in self._flights.values())

    def paused_s(self, now_ns: int) -> float:
        """Return how long the broker's quota still keeps everything back; 0.0 when it does not."""
        return max(0, self._paused_until_ns - now_ns) / NS

    def offer(self, rows: Iterable[OutboxRow], now_ns: int) -> None:
        """Take rows in, in the order they are to be sent; those that are here already stay."""
        for row in rows:
            if row.result_id not in self._flights:
                self._parked.pop(row.result_id, None)
                self._flights[row.result_id] = _Flight(row, now_ns)
                self._bytes += len(row.payload)

    def connected(self, epoch: int, now_ns: int) -> None:
        """Begin an epoch; receipts that piled up while we were away get time to arrive first."""
        self._epoch = epoch
        for flight in self._flights.values():
            if flight.stage is _Stage.UNSURE:
                flight.due_ns = now_ns
            elif flight.stage is _Stage.AT_BROKER:
                flight.due_ns = max(flight.due_ns, now_ns + round(self.limits.resend_s * NS))

    def disconnected(self, code: int) -> list[Parked]:
        """End the epoch; return the rows that are given up because connections break on them."""
        self._epoch = None
        lost, self._under_way = list(self._under_way.values()), {}
        lost = [flight for flight in lost if flight.stage is _Stage.SENT]
        parked = []
        for flight in lost:
            flight.stage = _Stage.UNSURE
            if code == KEEP_ALIVE_TIMEOUT:  # a broker that stopped answering says nothing of a row
                continue
            flight.suspect = True
            flight.strikes += len(lost) == 1
            if len(lost) == 1 and code in HOPELESS:
                parked.append(self._park(flight, HOPELESS[code]))
            elif flight.strikes >= self.limits.poison_disconnects:
                parked.append(self._park(flight, _POISON))
        return parked

    def ready(self, now_ns: int) -> list[Dispatch]:
        """Return what is to be sent now, in order; nothing changes until each is `sent`."""
        if self._epoch is None or now_ns < self._paused_until_ns:
            return []
        flights = self._flights.values()
        if any(flight.suspect for flight in flights):
            alone = [] if self._under_way else [f for f in flights if f.suspect][:1]
            return [self._dispatch(flight) for flight in alone]
        free = self.limits.unreceipted - self.out
        dispatches = []
        for flight in flights:
            if not self._is_due(flight, now_ns):
                continue
            if flight.copies == 0:
                if free <= 0:
                    continue
                free -= 1
            dispatches.append(self._dispatch(flight))
        return dispatches

    def give_up(self, result_id: str, reason: str) -> Parked:
        """Park a row that need not be sent to know that the broker will not take it."""
        return self._park(self._flights[result_id], reason)

    def sent(self, result_id: str, mid: int) -> None:
        """Note that the connection took a row under this message number."""
        flight = self._flights[result_id]
        flight.stage = _Stage.SENT
        flight.copies += 1
        flight.sends += 1
        self._under_way[mid] = flight

    def acknowledged(self, epoch: int, mid: int, code: int, now_ns: int) -> list[Parked]:
        """Note the broker's word on a message; any that is not of a row under way is ignored."""
        flight = self._under_way.pop(mid, None) if epoch == self._epoch else None
        if flight is None or flight.stage is not _Stage.SENT:
            return []
        flight.suspect, flight.strikes = False, 0
        if code < FAILURE:
            self._quota_refusals = 0
            self.unheard = self.unheard + 1 if code == NO_SUBSCRIBERS else 0
            flight.stage = _Stage.AT_BROKER
            flight.due_ns = now_ns + self._wait_ns(self.limits.resend_s, flight.sends)
            return []
        flight.copies -= 1
        if code in HOPELESS:
            return [self._park(flight, HOPELESS[code])]
        if code == QUOTA_EXCEEDED:
            self._quota_refusals += 1
            wait_ns = self._wait_ns(self.limits.retry_s, self._quota_refusals)
            self._paused_until_ns = now_ns + wait_ns
        self._rest(flight, now_ns)
        return []

    def receipt(self, ack: Ack, now_ns: int) -> Receipt | None:
        """Judge a receipt; None when it is about no row of ours that still waits for one."""
        flight = self._flights.get(ack.result_id)
        if flight is None:
            return self._late(ack)
        if flight.stage is _Stage.SETTLING:
            return None
        self.unheard = 0
        flight.suspect, flight.strikes = False, 0
        receipt = _judge(ack, flight.row.content_sha256)
        if receipt.state is RowState.WAITING:
            flight.copies = max(0, flight.copies - 1)
            self._rest(flight, now_ns)
        else:
            self._settle(flight, receipt.state)
        return receipt

    def settled(self, result_id: str) -> None:
        """Forget a row whose end is durable."""
        flight = self._drop(result_id)
        if flight is None or flight.end is RowState.FILED:
            return
        if flight.end is RowState.PARKED:
            self._parked[result_id] = flight.row.content_sha256
        if len(self._parked) > PARKED_REMEMBERED:
            del self._parked[next(iter(self._parked))]
        waiting = [f.row for f in self._flights.values() if f.row.after == result_id]
        for row in waiting:
            self._drop(row.result_id)

    def wake_ns(self, now_ns: int) -> int | None:
        """Return when something may become ready by the passing of time alone."""
        if self._epoch is None:
            return None
        timed = {_Stage.UNSURE, _Stage.AT_BROKER, _Stage.RESTING}
        times = [flight.due_ns for flight in self._flights.values() if flight.stage in timed]
        return min((at for at in (*times, self._paused_until_ns) if at > now_ns), default=None)

    def _is_due(self, flight: _Flight, now_ns: int) -> bool:
        stage = flight.stage
        if stage is _Stage.SENT or stage is _Stage.SETTLING:
            return False
        due = stage is _Stage.QUEUED or flight.due_ns <= now_ns
        return due and (flight.row.after is None or flight.row.after not in self._flights)

    def _dispatch(self, flight: _Flight) -> Dispatch:
        return Dispatch(flight.row, first=flight.sends == 0)

    def _rest(self, flight: _Flight, now_ns: int) -> None:
        flight.refusals += 1
        flight.stage = _Stage.RESTING
        flight.due_ns = now_ns + self._wait_ns(self.limits.retry_s, flight.refusals)

    def _drop(self, result_id: str) -> _Flight | None:
        flight = self._flights.pop(result_id, None)
        if flight is not None:
            self._bytes -= len(flight.row.payload)
        return flight

    def _park(self, flight: _Flight, reason: str) -> Parked:
        self._settle(flight, RowState.PARKED)
        return Parked(flight.row.result_id, reason)

    def _settle(self, flight: _Flight, end: RowState) -> None:
        flight.stage, flight.end = _Stage.SETTLING, end
        flight.suspect, flight.copies = False, 0

    def _late(self, ack: Ack) -> Receipt | None:
        """Judge a receipt for a row that is not here: a parked one may turn out to be filed."""
        if ack.result_id not in self._parked:
            return None
        receipt = _judge(ack, self._parked[ack.result_id])
        if receipt.state is not RowState.FILED:
            return None
        del self._parked[ack.result_id]
        return receipt

    def _wait_ns(self, first_s: float, times: int) -> int:
        doublings = min(max(times, 1) - 1, 32)  # any more is beyond every cap
        return round(min(self.limits.longest_s, first_s * (1 << doublings)) * NS)


def _judge(ack: Ack, content_sha256: str) -> Receipt:
    differs = ack.content_sha256 is not None and ack.content_sha256 != content_sha256
    match ack.outcome:
        case Outcome.ACCEPTED | Outcome.DUPLICATE:
            return Receipt(ack, RowState.REJECTED if differs else RowState.FILED, differs)
        case Outcome.REJECTED:
            return Receipt(ack, RowState.REJECTED, differs)
        case Outcome.RETRY:
            return Receipt(ack, RowState.WAITING, differs)


_POISON = "every connection on which it was sent broke"
