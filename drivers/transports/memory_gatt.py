"""A Bluetooth LE connection inside the process, to a peripheral that is played here.

The radio can be made worse than it is: values that come twice, in another order, or not at all. An
indication that does not come is not confirmed, so the peripheral knows, as a real one does.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.contract import Arrived, Peer, Write
from drivers.errors import LinkLost, RequestRefused, WriteNotPermitted
from drivers.model import Chunk, Instant

NS = 1_000_000_000
NOT_FOUND = 0x0A  # ATT: Attribute Not Found


@dataclass(frozen=True, slots=True)
class Sent:
    """A value a peripheral sends of itself; an indication waits for its confirmation."""

    channel: str
    data: bytes
    is_indication: bool = False


class Peripheral(Protocol):
    """The far end, pure: the caller says what time it is.

    `read`, `write` and `subscribe` raise RequestRefused where a real one answers with an error.
    """

    @property
    def peer(self) -> Peer:
        """Who it is."""
        ...

    @property
    def has_hung_up(self) -> bool:
        """Whether it dropped the connection after what it has sent."""
        ...

    def connect(self) -> None:
        """Take a new connection: nothing is subscribed."""
        ...

    def due(self, elapsed_s: float) -> Sequence[Sent]:
        """Return what it has sent since the last call, up to `elapsed_s`."""
        ...

    def confirm(self, sent: Sent) -> None:
        """Take the confirmation of an indication."""
        ...

    def read(self, channel: str) -> bytes:
        """Return what a characteristic holds."""
        ...

    def write(self, channel: str, data: bytes) -> None:
        """Take what the host writes; an answer is due afterwards."""
        ...

    def subscribe(self, channel: str) -> None:
        """Begin to send a characteristic."""
        ...


@dataclass(frozen=True, slots=True)
class RadioDamage:
    """How likely each value is lost, sent twice, or overtaken by the next one, 0 to 1."""

    lose: float = 0.0
    duplicate: float = 0.0
    swap: float = 0.0


UNDAMAGED = RadioDamage()


class MemoryGattLink:
    """The host's end, a GattLink: `carry` brings what is due, `lose` takes the peripheral away.

    `sent` keeps what arrived, `written` what the host wrote, `refused` what it was not granted;
    `ended` says that the host has been told of the loss. `begin` is the peripheral's second 0,
    now if not given.
    """

    def __init__(
        self,
        peripheral: Peripheral,
        now: Callable[[], Instant],
        granted: frozenset[Write] = frozenset(),
        *,
        damage: RadioDamage = UNDAMAGED,
        seed: int = 0,
        begin: Instant | None = None,
    ) -> None:
        self._peripheral = peripheral
        self._now = now
        self._granted = granted
        self._damage = damage
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._begin_ns = (begin or now()).mono_ns
        self._chunks: deque[Chunk] = deque()
        self._arrived: dict[str, Arrived] = {}
        self._news = asyncio.Event()
        self._lost = False
        self.ended = False
        self.sent: list[tuple[str, bytes]] = []
        self.written: list[tuple[Write, str, bytes]] = []
        self.refused: list[tuple[Write, str, bytes]] = []
        peripheral.connect()

    @property
    def peer(self) -> Peer:
        """The peripheral."""
        return self._peripheral.peer

    @property
    def is_lost(self) -> bool:
        """Whether the connection is gone."""
        return self._lost

    def carry(self) -> None:
        """Bring what the peripheral has sent by now; a loss if it hung up after that."""
        if self._lost:
            return
        elapsed_s = (self._now().mono_ns - self._begin_ns) / NS
        while sent := self._peripheral.due(elapsed_s):
            for each in self._through_the_air(sent):
                self._arrive(each)
        if self._peripheral.has_hung_up:
            self.lose()

    def lose(self) -> None:
        """Go out of range: what has arrived is still delivered, then the link is lost."""
        self._lost = True
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what arrives."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next value."""
        while not self._chunks:
            if self._lost:
                raise self._gone()
            self._news.clear()
            await self._news.wait()
        return self._chunks.popleft()

    async def subscribe(self, channel: str, arrived: Arrived | None = None) -> None:
        """Subscribe; what is then due comes before this returns, even if the peripheral goes."""
        self._here()
        if arrived is not None:
            self._arrived[channel] = arrived
        self._peripheral.subscribe(channel)
        self._here()

    async def read(self, channel: str) -> Chunk:
        """Read."""
        self._here()
        return Chunk(self._peripheral.read(channel), self._now(), channel)

    async def write(self, purpose: Write, channel: str, data: bytes) -> None:
        """Write."""
        if purpose not in self._granted:
            self.refused.append((purpose, channel, data))
            raise WriteNotPermitted(f"{purpose} is not granted")
        self._here()
        self._peripheral.write(channel, data)
        self.written.append((purpose, channel, data))
        self.carry()

    def _here(self) -> None:
        self.carry()
        if self._lost:
            raise self._gone()

    def _gone(self) -> LinkLost:
        self.ended = not self._chunks
        return LinkLost(f"{self.peer.address}: out of range")

    def _through_the_air(self, sent: Sequence[Sent]) -> list[Sent]:
        if self._damage == UNDAMAGED:
            return list(sent)
        out: list[Sent] = []
        for each in sent:
            lost, twice, swapped = (self._random.random() for _ in range(3))
            if lost < self._damage.lose:
                continue
            out += [each, each] if twice < self._damage.duplicate else [each]
            if swapped < self._damage.swap and len(out) > 1:
                out[-2:] = out[:-3:-1]
        return out

    def _arrive(self, sent: Sent) -> None:
        self.sent.append((sent.channel, sent.data))
        chunk = Chunk(sent.data, self._now(), sent.channel)
        if sent.channel in self._arrived:
            self._arrived[sent.channel](chunk)
        self._chunks.append(chunk)
        self._news.set()
        if sent.is_indication:
            self._peripheral.confirm(sent)


class KeptGattLink:
    """Chunks that were made durable and never settled, on their way through a driver again.

    What was read first when they came is read again; the others are yielded, later readings of
    the same characteristic too, for they say that another session began or something was set.
    Writes go nowhere: the instrument that sent them is not listening.
    """

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = deque(chunks)

    @property
    def peer(self) -> Peer:
        """Nobody that could be named: an address that does not last."""
        return Peer("", is_lasting=False)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over the kept chunks that were not asked for."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next kept chunk."""
        if not self._chunks:
            raise LinkLost("the kept bytes end here")
        return self._chunks.popleft()

    async def subscribe(self, channel: str, arrived: Arrived | None = None) -> None:
        """Do nothing: what was sent is here, and durable."""

    async def read(self, channel: str) -> Chunk:
        """Return what was read then."""
        for chunk in self._chunks:
            if chunk.channel == channel:
                self._chunks.remove(chunk)
                return chunk
        raise RequestRefused(f"{channel}: not among the kept bytes", NOT_FOUND)

    async def write(self, purpose: Write, channel: str, data: bytes) -> None:
        """Drop what a driver says to an instrument that is not there."""
