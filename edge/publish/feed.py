"""Takes rows from the outbox into the window, as many as it wants and no more."""

from collections.abc import Collection
from typing import Protocol

from edge.publish.window import Window
from edge.store.outbox import OutboxRow

FIRST_PAGE = 16
LARGEST_PAGE = 128
PAGE_BYTES = 4 << 20


class Outbox(Protocol):
    """What is to be sent; `edge.store.Store` is one."""

    async def waiting(self, limit: int, after_order: int = 0) -> list[OutboxRow]:
        """Return rows that may be sent, in order."""
        ...

    def mark_sent(self, result_ids: Collection[str]) -> None:
        """Remember that this run of the service sent these rows."""
        ...


class Feed:
    """Pages through the outbox in order, and begins anew when rows may have become sendable."""

    def __init__(self, outbox: Outbox, window: Window) -> None:
        self._outbox = outbox
        self._window = window
        self._cursor = 0
        self._more = True
        self._stale = False  # a row ended: others, passed over before, may have waited for it
        self._page = FIRST_PAGE
        self._ended: set[str] = set()

    def look_again(self, *, from_start: bool = False) -> None:
        """Note that rows came in, at the end of the outbox or anywhere."""
        self._more = True
        if from_start:
            self._cursor = 0

    def ended(self, result_id: str) -> None:
        """Note that a row waits no longer; an answer that is under way may not know it yet."""
        self._ended.add(result_id)
        self._more = self._stale = True

    async def fill(self, now_ns: int) -> None:
        """Read on, once half of the window's rows are gone."""
        while self._more and self._window.wanted * 2 >= self._window.limits.held:
            limit = min(self._page, self._window.wanted)
            self._ended.clear()
            rows = await self._outbox.waiting(limit, self._cursor)
            self._window.offer([row for row in rows if row.result_id not in self._ended], now_ns)
            if rows:
                self._cursor = rows[-1].order
                largest = max(len(row.payload) for row in rows)
                self._page = max(1, min(LARGEST_PAGE, PAGE_BYTES // max(1, largest)))
            if len(rows) < limit:
                self._more, self._stale = self._stale, False
                self._cursor = 0 if self._more else self._cursor
