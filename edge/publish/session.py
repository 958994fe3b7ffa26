"""One connection to the broker after the other, as one stream of events.

It reconnects with growing waits, remembers which version of MQTT the broker speaks, and counts
connections in epochs, so that nothing of one is taken for something of another.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edge.backoff import delays
from edge.clock import NS, Clock
from edge.publish.mqtt import (
    UNSUPPORTED_VERSION,
    Arrived,
    Connected,
    Connection,
    Disconnected,
    Endpoint,
    Event,
    Outgoing,
    Version,
)

GOODBYE_S = 2.0
STEADY_S = 30.0  # a connection that lived so long proves the broker well: waits begin anew


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of every connection; `will` is made anew for each epoch.

    A broker that takes a connection and does not answer within `handshake_s` is tried anew.
    """

    filters: Sequence[str]
    will: Callable[[int], Outgoing]
    seed: int = 0  # of the jitter between attempts; another one for each hub
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    handshake_s: float = 15.0

    def waits(self) -> Iterator[float]:
        """Return the waits between attempts, from the shortest."""
        return delays(self.seed, self.first_wait_s, self.longest_wait_s)


class Session:
    """The link to the broker; `run` it in a task, what happens goes to `deliver`."""

    def __init__(
        self, endpoint: Endpoint, terms: Terms, clock: Clock, deliver: Callable[[Event], None]
    ) -> None:
        self.version = Version.V5
        self.epoch = 0
        self._endpoint = endpoint
        self._terms = terms
        self._clock = clock
        self._deliver = deliver
        self._connection: Connection | None = None
        self._inbox: asyncio.Queue[Event] = asyncio.Queue()

    async def run(self) -> None:
        """Keep connecting until cancelled; every attempt ends with a Disconnected event."""
        waits = self._terms.waits()
        while True:
            began = self._clock.now().mono_ns
            ended = await self._live_once()
            if ended.code == UNSUPPORTED_VERSION and self.version is Version.V5:
                self.version = Version.V311
                continue
            if self._clock.now().mono_ns - began > STEADY_S * NS:
                waits = self._terms.waits()
            await self._clock.sleep(next(waits))

    def publish(self, message: Outgoing) -> int | None:
        """Hand a message to the live connection; return its number, None when there is none."""
        return None if self._connection is None else self._connection.publish(message)

    def acknowledge(self, message: Arrived) -> None:
        """Tell the broker that a message was dealt with; else it comes again after a reconnect."""
        if self._connection is not None:
            self._connection.acknowledge(message)

    def hang_up(self) -> None:
        """End the live connection in order, to try another one after a wait."""
        if self._connection is not None:
            self._connection.close()

    async def goodbye(self, last: Outgoing) -> None:
        """Say a last word and end the live connection; to be called after `run` was cancelled."""
        connection = self._connection
        if connection is None:
            return
        connection.publish(last)
        connection.close()
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._drain()
        except TimeoutError:
            connection.abort()
            await self._drain()
        self._connection = None

    async def _live_once(self) -> Disconnected:
        """Open a connection and pass its events on until it is over."""
        self.epoch += 1
        inbox: asyncio.Queue[Event] = asyncio.Queue()
        connection = Connection(
            self._endpoint, self.version, self.epoch, self._terms.filters, inbox.put_nowait
        )
        self._connection, self._inbox = connection, inbox
        connection.start(self._terms.will(self.epoch))
        impatience = asyncio.create_task(self._give_up(connection))
        try:
            while True:
                event = await inbox.get()
                if isinstance(event, Disconnected):
                    self._connection = None
                    self._deliver(event)
                    return event
                if isinstance(event, Connected):
                    impatience.cancel()
                self._deliver(event)
        finally:
            impatience.cancel()

    async def _give_up(self, connection: Connection) -> None:
        await self._clock.sleep(self._terms.handshake_s)
        connection.abort()

    async def _drain(self) -> None:
        while not isinstance(await self._inbox.get(), Disconnected):
            pass
