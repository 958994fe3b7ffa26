"""What drivers are given: `drivers.contract.Host`, for an open link or for bytes that were kept."""

from collections.abc import Mapping
from typing import Protocol

from drivers.contract import Wish, Write
from drivers.model import Chunk, Instant, InstrumentId
from drivers.transports.wishes import Wishes
from edge.clock import Clock
from edge.health import Health
from edge.intake import Intake
from edge.plan import Plan
from edge.store import Store


class Hosted(Protocol):
    """What a host passes a driver's wishes on to: whoever keeps the instrument connected."""

    plan: Plan
    clock: Clock
    store: Store
    health: Health
    wishes: Wishes
    intake: Intake

    def identified(self, who: InstrumentId) -> None:
        """Take an instrument's identity; DeviceMismatch if it is not the one that is bound."""
        ...


class SessionHost:
    """What `drivers.contract.Host` promises, for one session."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted
        self._name = hosted.plan.name

    def now(self) -> Instant:
        """Return the present."""
        return self._hosted.clock.now()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the hub's clock."""
        await self._hosted.clock.sleep(seconds)

    async def keep(self, chunk: Chunk) -> int:
        """Make bytes durable."""
        who = self._hosted.intake.identity
        return await self._hosted.store.keep(self._name, chunk, who if who.serial else None)

    async def settle(self, kept: int) -> None:
        """Let go of kept bytes."""
        await self._hosted.store.settle(kept)

    def identify(self, who: InstrumentId) -> None:
        """Say which instrument it is."""
        self._hosted.identified(who)

    def count(self, name: str, by: int = 1) -> None:
        """Count for whoever looks after the instrument."""
        self._hosted.health.counts[name] += by

    def may(self, purpose: Write) -> bool:
        """Tell whether the settings grant it."""
        return purpose in self._hosted.plan.granted

    async def wish(self, *open_to: Wish) -> Wish:
        """Wait for what a person wants."""
        return await self._hosted.wishes.wait(*open_to)


class RecoveringHost(SessionHost):
    """The same for kept bytes: they are durable already, under their numbers."""

    def __init__(self, hosted: Hosted, numbers: Mapping[int, int]) -> None:
        super().__init__(hosted)
        self._numbers = numbers

    async def keep(self, chunk: Chunk) -> int:
        """Return the number of bytes that are durable."""
        return self._numbers[id(chunk)]

    async def wish(self, *open_to: Wish) -> Wish:
        """Wait in vain: nobody can reach the instrument."""
        return await Wishes().wait(*open_to)

    def may(self, purpose: Write) -> bool:
        """Grant nothing: whoever sent these bytes is not listening."""
        del purpose
        return False
