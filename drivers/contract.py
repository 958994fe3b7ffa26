"""What a driver is given and what it gives; a driver reaches nothing else.

A driver is built as ``factory(host, settings)`` and runs on an open link until the link is lost.
It awaits ``emit`` for every item: when that returns, what must be durable is durable, so a driver
may acknowledge to the instrument what it has emitted. Decoders are pure and never wait.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
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


_LINE = re.compile(r"(\d{2,7}) ([5-8])([NEOMS])([12])", re.ASCII)


class Wish(StrEnum):
    """What a person in the room can want of an instrument that takes orders."""

    MEASURE = "measure"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class SerialLine:
    """Line settings of a serial instrument; software flow control is always off."""

    baud: int = 9600
    bits: int = 8
    parity: str = "N"
    stop: int = 1

    def __str__(self) -> str:
        """Return it as people write it: 9600 8N1."""
        return f"{self.baud} {self.bits}{self.parity}{self.stop}"

    @staticmethod
    def of(text: str) -> "SerialLine":
        """Return the line settings in a text like `9600 8N1`; ValueError says how to write it."""
        found = _LINE.fullmatch(text)
        if found is None or not 0 < int(found[1]) <= 4_000_000:
            raise ValueError(
                f"line {text!r}: write baud, data bits, parity and stop bits: 9600 8N1"
            )
        return SerialLine(int(found[1]), int(found[2]), found[3], int(found[4]))

    @property
    def bits_per_byte(self) -> int:
        """How many bit times one byte takes, start bit included."""
        return 1 + self.bits + (self.parity != "N") + self.stop


@dataclass(frozen=True, slots=True)
class Pipe:
    """The characteristics through which a Bluetooth LE instrument carries a byte stream."""

    notifies: str
    writes: str | None = None


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


class PayloadDecoder(Decoder, Protocol):
    """Payloads of GATT characteristics to frames: one call, one payload."""

    def feed(self, data: bytes, channel: str | None = None) -> "Sequence[Frame | Skipped]":
        """Return the frame in a payload, or skip it whole."""
        ...


class ByteLink(Protocol):
    """An open byte stream to one instrument; iteration ends only by raising LinkLost."""

    def __aiter__(self) -> AsyncIterator[Chunk]: ...

    async def write(self, purpose: Write, data: bytes) -> None:
        """Send all of ``data``, or raise LinkLost; WriteNotPermitted where it is not granted."""
        ...


@dataclass(frozen=True, slots=True)
class Peer:
    """A Bluetooth LE instrument as its radio shows it.

    `is_lasting` tells an address that names this instrument for ever (public, static random) from
    a private one that changes.
    """

    address: str
    is_lasting: bool = True
    name: str | None = None


_SIG_BASE = "-0000-1000-8000-00805f9b34fb"


def channel_name(uuid: str) -> str:
    """Return the name of a characteristic by its UUID, in whatever form that is written.

    The four hex digits the Bluetooth SIG gave it ("2a35"), else the whole UUID, in lower case.
    """
    name = uuid.lower()
    if len(name) == 36 and name.startswith("0000") and name.endswith(_SIG_BASE):
        return name[4:8]
    return name


Arrived: TypeAlias = Callable[[Chunk], None]


class GattLink(Protocol):
    """An open connection to one Bluetooth LE instrument.

    Characteristics go by their `channel_name`. Iteration yields what subscribed characteristics
    send, in the order of arrival and with `Chunk.channel` set, from before `subscribe` has
    returned; it ends only by raising LinkLost, after all that had arrived, also when `subscribe`
    raised. A characteristic is either subscribed or read, never both. RequestRefused is the
    instrument's no, or that it has no such characteristic; it leaves the link as it was.
    """

    @property
    def peer(self) -> Peer:
        """Who is at the other end."""
        ...

    def __aiter__(self) -> AsyncIterator[Chunk]: ...

    async def subscribe(self, channel: str, arrived: Arrived | None = None) -> None:
        """Have notifications or indications of a characteristic sent, or raise LinkLost.

        `arrived` is called with each chunk the moment it comes in, before it is yielded: the place
        to begin to make durable what the instrument will not send again.
        """
        ...

    async def read(self, channel: str) -> Chunk:
        """Return what a characteristic holds and when the answer came, or raise LinkLost."""
        ...

    async def write(self, purpose: Write, channel: str, data: bytes) -> None:
        """Write and have it confirmed, or raise LinkLost; WriteNotPermitted if not granted."""
        ...


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """A file that was claimed: nobody writes it any more, and it is on the disk.

    `claim` is what the link calls it; the name it was dropped under may have told of a patient.
    """

    data: bytes = field(repr=False)
    at: Instant
    claim: str


@dataclass(frozen=True, slots=True)
class FileSetAside:
    """A file that the link itself set aside, for it could not even be read; `reason` names none."""

    reason: str
    at: Instant


class FileLink(Protocol):
    """A place where an instrument leaves whole files; iteration ends only by raising LinkLost.

    A file that was yielded and neither done with nor set aside is yielded again by the next link.
    """

    def __aiter__(self) -> AsyncIterator[DroppedFile | FileSetAside]: ...

    async def done(self, file: DroppedFile) -> None:
        """Forget a file: what it holds is durable elsewhere."""
        ...

    async def set_aside(self, file: DroppedFile, reason: str) -> None:
        """Keep a file that cannot be used for whoever looks after the instrument."""
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

    async def wish(self, *open_to: Wish) -> Wish:
        """Return what a person wants now, once it is one of these.

        What is wanted while no driver waits for it is refused and never kept: a cuff that inflates
        later might be on somebody else's arm.
        """
        ...


Emit: TypeAlias = Callable[[Item], Awaitable[None]]


class Driver(Protocol):
    """One instrument, from link to items."""

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Emit until the link is lost (LinkLost) or answers wrongly (DeviceMismatch)."""
        ...


Factory: TypeAlias = Callable[[Host, Any], Driver]


class GattDriver(Protocol):
    """One Bluetooth LE instrument, from link to items."""

    async def run(self, link: GattLink, emit: Emit) -> None:
        """Emit until the link is lost (LinkLost) or answers wrongly (DeviceMismatch)."""
        ...


GattFactory: TypeAlias = Callable[[Host, Any], GattDriver]


class FileDriver(Protocol):
    """One instrument that leaves files, from link to items."""

    async def run(self, link: FileLink, emit: Emit) -> None:
        """Emit until the link is lost (LinkLost).

        When `emit` of a file returns, what it holds is durable; FileRefused says that it never
        will be.
        """
        ...


FileFactory: TypeAlias = Callable[[Host, Any], FileDriver]
