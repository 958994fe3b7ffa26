"""What a driver is given and what it gives; a driver reaches nothing else.

A driver is built as ``factory(host, settings)`` and runs on an open link until the link is lost.
It awaits ``emit`` for every item: when that returns, what must be durable is durable, so a driver
may acknowledge to the instrument what it has emitted. Decoders are pure and never wait.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from drivers.model import Chunk, Instant, InstrumentId, Item, Skipped


class Write(StrEnum):
    """Why something is written to an instrument; each purpose is granted apart, none by default."""

    IDENTIFY = "identify"  # questions that change nothing: identity, clock, battery
    SELECT_FORMAT = "select-format"
    SET_CLOCK = "set-clock"
    KEEP_ALIVE = "keep-alive"
    FETCH = "fetch"  # ask for a result or for stored records
    START_MEASUREMENT = "start-measurement"
    DELETE_RECORDS = "delete-records"


@dataclass(frozen=True, slots=True)
class SerialLine:
    """Line settings of a serial instrument; software flow control is always off."""

    baud: int = 9600
    bits: int = 8
    parity: str = "N"
    stop: int = 1

    @property
    def bits_per_byte(self) -> int:
        """How many bit times one byte takes, start bit included."""
        return 1 + self.bits + (self.parity != "N") + self.stop


class Frame(Protocol):
    """One decoded unit of a wire format; ``raw`` is exactly the bytes it was read from."""

    @property
    def raw(self) -> bytes:
        """The bytes of this frame, as they came."""
        ...


class Decoder(Protocol):
    """Bytes to frames: total, conserving, chunk-invariant, bounded."""

    @property
    def pending(self) -> bytes:
        """The start of a frame whose end has not arrived."""
        ...

    def feed(self, data: bytes) -> "Sequence[Frame | Skipped]":
        """Return what became complete with these bytes, in wire order."""
        ...


class ByteLink(Protocol):
    """An open byte stream to one instrument; iteration ends only by raising LinkLost."""

    def __aiter__(self) -> AsyncIterator[Chunk]: ...

    async def write(self, purpose: Write, data: bytes) -> None:
        """Send all of ``data``, or raise LinkLost; WriteNotPermitted where it is not granted."""
        ...


class Clock(Protocol):
    """Time as drivers and links know it: the hub's, or a recording's."""

    def now(self) -> Instant:
        """Return the present on all clocks of the hub."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; in replay this is the recording's time."""
        ...


class Host(Clock, Protocol):
    """The services a driver is given."""

    async def keep(self, chunk: Chunk) -> int:
        """Make raw bytes durable and return their number, for `Measurement.kept`.

        Called before decoding by drivers of instruments that will not repeat themselves. What was
        kept and never settled is sent through the driver again at the next start.
        """
        ...

    async def settle(self, kept: int) -> None:
        """Say that kept bytes held nothing more to come; a Measurement does so by naming them."""
        ...

    def identify(self, who: InstrumentId) -> None:
        """Tell who answers; DeviceMismatch if the settings bind this link to another."""
        ...

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter of this instrument, for the service page."""
        ...

    def may(self, purpose: Write) -> bool:
        """Whether the settings grant writes of this purpose."""
        ...


Emit: TypeAlias = Callable[[Item], Awaitable[None]]


class Driver(Protocol):
    """One instrument, from link to items."""

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Emit until the link is lost (LinkLost) or answers wrongly (DeviceMismatch)."""
        ...


Factory: TypeAlias = Callable[[Host, Any], Driver]
