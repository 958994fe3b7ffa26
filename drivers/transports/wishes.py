"""What a person wants of an instrument now, handed to the driver that waits, or to nobody."""

import asyncio

from drivers.contract import Wish


class Wishes:
    """Where those who want something and the one driver that can do it meet; nothing is kept."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[Wish] | None = None
        self._open_to: frozenset[Wish] = frozenset()

    @property
    def open_to(self) -> frozenset[Wish]:
        """Return what would be taken now."""
        waiting = self._waiting
        return frozenset() if waiting is None or waiting.done() else self._open_to

    async def wait(self, *open_to: Wish) -> Wish:
        """Return what is wanted, once it is one of these."""
        self._open_to = frozenset(open_to)
        self._waiting = asyncio.get_running_loop().create_future()
        return await self._waiting

    def tell(self, wish: Wish) -> bool:
        """Hand a wish over; tell whether somebody took it."""
        if wish not in self.open_to or self._waiting is None:
            return False
        self._waiting.set_result(wish)
        return True
