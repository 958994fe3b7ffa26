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
        """Return what is wanted, once it is one of these; cancelled only before it was told."""
        self._open_to = frozenset(open_to)
        waiting: asyncio.Future[Wish] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.cancelled():
                raise
            return waiting.result()  # whoever told it was told that it is taken

    def tell(self, wish: Wish) -> bool:
        """Hand a wish over; tell whether somebody took it."""
        if wish not in self.open_to or self._waiting is None:
            return False
        self._waiting.set_result(wish)
        return True
