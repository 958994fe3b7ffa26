"""A host without a hub, for running one driver by itself: decoding, capturing, trying it out."""

from collections import Counter
from contextlib import suppress

from drivers.contract import ByteLink, Clock, Driver, Wish, Write
from drivers.errors import LinkLost
from drivers.model import Chunk, Instant, InstrumentId, Item
from drivers.transports.wishes import Wishes


class BenchHost:
    """Gives a driver time and grants, remembers what it was told and makes nothing durable."""

    def __init__(self, clock: Clock, granted: frozenset[Write] = frozenset()) -> None:
        self._clock = clock
        self._granted = granted
        self.kept: list[Chunk] = []
        self.settled: set[int] = set()
        self.identified: list[InstrumentId] = []
        self.counts: Counter[str] = Counter()
        self.wishes = Wishes()

    def now(self) -> Instant:
        """Return the present on the bench's clock."""
        return self._clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait on the bench's clock."""
        await self._clock.sleep(seconds)

    async def keep(self, chunk: Chunk) -> int:
        """Remember a chunk and return its number, from 1."""
        self.kept.append(chunk)
        return len(self.kept)

    async def settle(self, kept: int) -> None:
        """Remember that kept bytes are done with."""
        self.settled.add(kept)

    def identify(self, who: InstrumentId) -> None:
        """Remember who answered."""
        self.identified.append(who)

    def count(self, name: str, by: int = 1) -> None:
        """Count."""
        self.counts[name] += by

    def may(self, purpose: Write) -> bool:
        """Say what was granted."""
        return purpose in self._granted

    async def wish(self, *open_to: Wish) -> Wish:
        """Return what whoever runs the bench wants."""
        return await self.wishes.wait(*open_to)


async def items_until_lost(driver: Driver, link: ByteLink) -> list[Item]:
    """Run a driver until its link is lost and return all it emitted."""
    items: list[Item] = []

    async def emit(item: Item) -> None:
        items.append(item)

    with suppress(LinkLost):
        await driver.run(link, emit)
    return items
