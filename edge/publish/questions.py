"""Questions to the record system that wait for their answer."""

import asyncio
from collections.abc import Callable

from edge.clock import Clock
from edge.contract.dialogue import Reply, Request
from edge.publish.mqtt import Outgoing
from edge.publish.outgoing import Sender

ASKED_AT_ONCE = 100


class Questions:
    """Requests under way, by correlation id."""

    def __init__(
        self, sender: Sender, publish: Callable[[Outgoing], int | None], clock: Clock
    ) -> None:
        self._sender = sender
        self._publish = publish
        self._clock = clock
        self._open: dict[str, asyncio.Future[Reply]] = {}

    async def ask(self, request: Request, within_s: float) -> Reply | None:
        """Return the answer; None when there is no connection, or no answer in time."""
        if len(self._open) >= ASKED_AT_ONCE or request.correlation_id in self._open:
            return None
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._open[request.correlation_id] = answer
        patience = asyncio.ensure_future(self._clock.sleep(within_s))
        try:
            if self._publish(self._sender.request(request)) is None:
                return None
            await asyncio.wait((answer, patience), return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else None
        finally:
            patience.cancel()
            del self._open[request.correlation_id]

    def answered(self, reply: Reply) -> bool:
        """Hand a reply to who waits for it; False when nobody does (any more)."""
        answer = self._open.get(reply.correlation_id)
        if answer is None or answer.done():
            return False
        answer.set_result(reply)
        return True
