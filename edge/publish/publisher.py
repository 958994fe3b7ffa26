"""From the outbox to the record system and back: sends rows, settles receipts, speaks for the hub.

Everything is decided in one task, event by event. What must be durable (a receipt, a parked row) is
handed to the service and counts once that returned. A message that cannot be understood is counted
and shown, and changes nothing. Results are sent only after the broker took the hub's birth and
granted the subscription to receipts.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from drivers.model import Instant
from edge.clock import NS, Clock
from edge.contract.dialogue import Command, Reply, Request, decode_command, decode_reply
from edge.contract.messages import DeviceStatus, EventNotice, JournalHead, Live, decode_ack
from edge.contract.topics import Channel, TopicError, parse
from edge.contract.wire import MessageError
from edge.publish import standing
from edge.publish.announcer import Announcer
from edge.publish.feed import Feed, Outbox
from edge.publish.mqtt import (
    FAILURE,
    Acknowledged,
    Arrived,
    Connected,
    Disconnected,
    Endpoint,
    Event,
)
from edge.publish.outgoing import Sender, too_large
from edge.publish.questions import Questions
from edge.publish.session import Session, Terms
from edge.publish.standing import Standing, Troubles
from edge.publish.window import Limits, Parked, Receipt, Window
from edge.store.outbox import RowState


class Service(Protocol):
    """Who makes durable what comes back; a call returns when that is done."""

    async def on_receipt(self, receipt: Receipt) -> None:
        """Journal `Receipted` and move the row to `receipt.state`, in one transaction."""
        ...

    async def on_parked(self, parked: Parked) -> None:
        """Journal `Parked` and move the row to PARKED, in one transaction."""
        ...

    async def on_command(self, command: Command, received: Instant) -> None:
        """Follow a command of the record system, or refuse it (`contract.commands`)."""
        ...

    def head(self) -> JournalHead:
        """Return how far the journal reaches."""
        ...


@dataclass(frozen=True, slots=True)
class Tuning:
    """Numbers that a site or a test may change; seconds. `seed`: another one for each hub."""

    limits: Limits = field(default_factory=Limits)
    seed: int = 0
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    handshake_s: float = 15.0
    status_s: float = 60.0  # how old the journal's head in the status topic may get
    silence_s: float = 60.0  # without a receipt, before people are told


class Publisher:
    """One hub's way to its record system; `run` it in a task."""

    def __init__(
        self,
        sender: Sender,
        endpoint: Endpoint,
        outbox: Outbox,
        service: Service,
        clock: Clock,
        tuning: Tuning | None = None,
    ) -> None:
        self._tuning = tuning or Tuning()
        self._sender = sender
        self._endpoint = endpoint
        self._outbox = outbox
        self._service = service
        self._clock = clock
        self._session = Session(endpoint, self._terms(), clock, self._hear)
        self._window = Window(self._tuning.limits)
        self._feed = Feed(outbox, self._window)
        publish = self._session.publish
        self._announcer = Announcer(sender, publish, service.head, self._tuning.status_s)
        self._questions = Questions(sender, publish, clock)
        self._tasks = asyncio.TaskGroup()
        self._stir = asyncio.Event()
        self._heard: deque[Event] = deque()
        self._birth: int | None = None  # number of the message, until the broker took it
        self._max_packet = endpoint.max_packet_bytes
        self._changed: Instant | None = None  # when `_connected` last did
        self._connected = False
        self._answered: Instant | None = None
        self._troubles = Troubles()

    async def run(self) -> None:
        """Deliver until cancelled, then take leave of the broker."""
        try:
            async with self._tasks:
                self._tasks.create_task(self._session.run())
                while True:
                    await self._turn()
        finally:
            now = self._clock.now()
            await self._session.goodbye(
                self._sender.goodbye(self._session.epoch, now, self._service.head())
            )

    def wake(self, *, from_start: bool = False) -> None:
        """Say that the outbox has new rows; `from_start` when old ones are to be sent again."""
        self._feed.look_again(from_start=from_start)
        self._stir.set()

    def fits(self, payload: bytes) -> str | None:
        """Return None when a result can be sent, else why not, before it is accepted."""
        return too_large(payload, self._max_packet)

    def device_status(self, device: str, status: DeviceStatus) -> None:
        """Say how an instrument is, now and on every connection to come."""
        self._announcer.device_status(device, status)

    def notice(self, notice: EventNotice) -> None:
        """Report an event, now or once there is a connection."""
        self._announcer.notice(notice)

    def live(self, device: str, signal: str, preview: Live) -> None:
        """Show a preview to whoever looks just now; lost without regret."""
        self._session.publish(self._sender.live(device, signal, preview))

    async def ask(self, request: Request, within_s: float = 5.0) -> Reply | None:
        """Return the record system's answer; None without a connection or an answer in time."""
        return await self._questions.ask(request, within_s)

    @property
    def state(self) -> Standing:
        """How the way to the record system stands."""
        now = self._clock.now()
        oldest_s, quiet_s = self._waited_s(now)
        out = self._window.out
        alarms = (
            *self._troubles.sentences(),
            standing.paused(self._window.paused_s(now.mono_ns)),
            standing.unheard(self._window.unheard),
            standing.silent(out, quiet_s, self._tuning.silence_s),
        )
        return Standing(
            connected=self._connected,
            since=self._changed,
            version=str(self._session.version),
            waiting=len(self._window),
            out=out,
            oldest_s=oldest_s,
            last_receipt=self._answered,
            alarms=tuple(alarm for alarm in alarms if alarm),
        )

    def _waited_s(self, now: Instant) -> tuple[float, float]:
        """Return for how long the oldest result waits, and how much of that without any answer."""
        oldest_ns = self._window.oldest_ns
        if oldest_ns is None:
            return 0.0, 0.0
        answered_ns = self._answered.mono_ns if self._answered else oldest_ns
        return (now.mono_ns - oldest_ns) / NS, (now.mono_ns - max(oldest_ns, answered_ns)) / NS

    def _terms(self) -> Terms:
        return Terms(
            filters=self._sender.topics.subscriptions(),
            will=self._sender.will,
            seed=self._tuning.seed,
            first_wait_s=self._tuning.first_wait_s,
            longest_wait_s=self._tuning.longest_wait_s,
            handshake_s=self._tuning.handshake_s,
        )

    def _hear(self, event: Event) -> None:
        self._heard.append(event)
        self._stir.set()

    async def _turn(self) -> None:
        """Deal with all that happened, send what may be sent, wait for more."""
        self._stir.clear()
        while self._heard:
            await self._take(self._heard.popleft())
        now = self._clock.now()
        await self._feed.fill(now.mono_ns)
        await self._send(now)
        self._announcer.refresh(now)
        wake_ns = self._window.wake_ns(now.mono_ns)
        due_ns = [at for at in (wake_ns, self._announcer.next_ns) if at is not None]
        later = [at for at in due_ns if at > now.mono_ns]
        nap = self._tasks.create_task(self._nap((min(later) - now.mono_ns) / NS)) if later else None
        await self._stir.wait()
        if nap is not None:
            nap.cancel()

    async def _nap(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._stir.set()

    async def _send(self, now: Instant) -> None:
        first = []
        for dispatch in self._window.ready(now.mono_ns):
            row = dispatch.row
            if (reason := self.fits(row.payload)) is not None:
                await self._park([self._window.give_up(row.result_id, reason)])
                continue
            mid = self._session.publish(self._sender.result(dispatch))
            if mid is None:
                break
            self._window.sent(row.result_id, mid)
            if dispatch.first:
                first.append(row.result_id)
        if first:
            self._outbox.mark_sent(first)

    async def _take(self, event: Event) -> None:
        match event:
            case Connected():
                self._on_connected(event)
            case Acknowledged():
                await self._on_acknowledged(event)
            case Disconnected():
                await self._on_disconnected(event)
            case Arrived():
                self._on_arrived(event)

    def _on_connected(self, event: Connected) -> None:
        now = self._clock.now()
        self._connected, self._changed = True, now
        self._troubles.link = ""
        own = self._endpoint.max_packet_bytes
        self._max_packet = min(own, event.max_packet_bytes or own)
        if event.refused:
            self._troubles.denied = standing.no_receipts(event.refused)
            self._session.hang_up()
        else:
            self._birth = self._announcer.birth(event.epoch, now)

    async def _on_acknowledged(self, event: Acknowledged) -> None:
        now_ns = self._clock.now().mono_ns
        if event.epoch == self._session.epoch and event.mid == self._birth:
            self._on_birth_answered(event, now_ns)
        else:
            await self._park(self._window.acknowledged(event.epoch, event.mid, event.code, now_ns))

    def _on_birth_answered(self, event: Acknowledged, now_ns: int) -> None:
        self._birth = None
        if event.code >= FAILURE:
            self._troubles.denied = standing.no_birth(event.code)
            self._session.hang_up()
            return
        self._troubles.denied = ""
        self._window.connected(event.epoch, now_ns)
        self._announcer.opened()

    async def _on_disconnected(self, event: Disconnected) -> None:
        if self._connected or self._changed is None:
            self._connected, self._changed = False, self._clock.now()
        where = f"{self._endpoint.host}:{self._endpoint.port}"
        self._troubles.link = standing.ended(event.reason, where)
        self._birth = None
        self._announcer.closed()
        await self._park(self._window.disconnected(event.code))

    def _on_arrived(self, message: Arrived) -> None:
        try:
            address = parse(message.topic)
            match address.channel:
                case Channel.ACK:
                    self._on_receipt(message)
                case Channel.COMMAND:
                    command = decode_command(message.payload)
                    _same(address.names[0], command)
                    self._tasks.create_task(self._obey(command, message))
                case Channel.REPLY:
                    reply = decode_reply(message.payload)
                    _same(address.names[0], reply)
                    self._questions.answered(reply)
                    self._session.acknowledge(message)
                case _:
                    self._session.acknowledge(message)
        except (TopicError, MessageError) as error:
            self._troubles.heard_nonsense(message.topic, str(error))
            self._session.acknowledge(message)

    def _on_receipt(self, message: Arrived) -> None:
        ack = decode_ack(message.payload)
        now = self._clock.now()
        receipt = self._window.receipt(ack, now.mono_ns)
        if receipt is None:
            self._session.acknowledge(message)
            return
        self._answered = now
        if receipt.state is RowState.WAITING:
            self._troubles.refusal = "the record system asks to send again later: " + ack.why
            self._session.acknowledge(message)
            return
        self._troubles.refusal = ""
        self._tasks.create_task(self._settle(receipt, message))

    async def _settle(self, receipt: Receipt, message: Arrived) -> None:
        """Make a receipt durable; only then it ends the row, and the broker may forget it."""
        await self._service.on_receipt(receipt)
        self._end(receipt.ack.result_id)
        self._session.acknowledge(message)
        self._stir.set()

    async def _obey(self, command: Command, message: Arrived) -> None:
        await self._service.on_command(command, self._clock.now())
        self._session.acknowledge(message)

    async def _park(self, parks: list[Parked]) -> None:
        for parked in parks:
            await self._service.on_parked(parked)
            self._end(parked.result_id)

    def _end(self, result_id: str) -> None:
        self._window.settled(result_id)
        self._feed.ended(result_id)


def _same(level: str, message: Command | Reply) -> None:
    """Raise `MessageError` for a message that came on the topic of another kind."""
    if message.__struct_config__.tag != level:
        raise MessageError("the message is of another kind than its topic")
