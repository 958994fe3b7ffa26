"""A virtual instrument that says exactly what it is given: the bytes, in their order."""

from collections import deque
from collections.abc import Mapping, Sequence

from drivers.contract import Peer
from drivers.errors import RequestRefused
from drivers.transports.memory_gatt import Sent
from drivers.virtual.gatt.peripheral import ADDRESS, NOT_FOUND, WRITE_NOT_PERMITTED
from drivers.virtual.gatt.table import SENDS, Access, Offered, offered, sending

_LINGERS, _WAITS = 10, 40  # looks in vain

Said = tuple[str, bytes]
"""A characteristic and a payload."""


class Scripted:
    """Sends `says` to whoever subscribes, then hangs up; `answers` are what a write brings.

    `refuses` are writes, and the ATT errors that they bring. `more` it could send and does not.
    `holds` may be read, and what is written stays in it where there is no answer to it. One that
    answers hangs up a while after every answer was given, and later where one is not asked for.
    """

    def __init__(
        self,
        says: Sequence[Said],
        holds: Mapping[str, bytes] | None = None,
        answers: Mapping[Said, Sequence[Said]] | None = None,
        *,
        refuses: Mapping[Said, int] | None = None,
        more: Sequence[str] = (),
    ) -> None:
        self.peer = Peer(ADDRESS, name="Scripted")
        self._more = tuple(more)
        self.written: list[Said] = []
        self._left = deque(says)
        self._holds = dict(holds or {})
        self._answers = {said: tuple(answer) for said, answer in (answers or {}).items()}
        self._refuses = dict(refuses or {})
        self._unasked = {*self._answers, *self._refuses}
        self._idle = 0  # how often it was asked in vain for what it says
        self._replies: deque[Said] = deque()
        self._subscribed: set[str] = set()
        self._waiting: Sent | None = None
        self.table = self._table()

    @property
    def has_hung_up(self) -> bool:
        """Whether all is said that it has to say."""
        if self._left or self._replies or self._waiting:
            return False
        if not self._answers:
            return True
        return bool(self.written) and self._idle >= (_WAITS if self._unasked else _LINGERS)

    def calls(self, _elapsed_s: float) -> bool:
        """Whether there is something left to say, or to answer."""
        return bool(self._left or self._unasked)

    def connect(self) -> None:
        """Take a new connection; what was not confirmed is said again."""
        if self._waiting is not None:
            self._left.appendleft((self._waiting.channel, self._waiting.data))
            self._waiting = None
        self._subscribed.clear()
        self._replies.clear()

    def due(self, _elapsed_s: float) -> list[Sent]:
        """Return what it says now: notifications all at once, indications one by one."""
        out: list[Sent] = []
        for said in (self._replies, self._left):
            while said and said[0][0] in self._subscribed and self._waiting is None:
                channel, data = said.popleft()
                is_indication = Access.INDICATE in self._access(channel)
                out.append(Sent(channel, data, is_indication))
                self._waiting = out[-1] if is_indication else None
        self._idle = 0 if out else self._idle + 1
        return out

    def confirm(self, sent: Sent) -> None:
        """Take the confirmation."""
        if sent == self._waiting:
            self._waiting = None

    def read(self, channel: str) -> bytes:
        """Return what it holds."""
        if channel not in self._holds:
            raise RequestRefused(channel, NOT_FOUND)
        return self._holds[channel]

    def write(self, channel: str, data: bytes) -> None:
        """Answer, or hold what was written."""
        self.written.append((channel, data))
        if (channel, data) in self._refuses:
            self._unasked.discard((channel, data))
            raise RequestRefused(channel, self._refuses[channel, data])
        if (channel, data) in self._answers:
            self._unasked.discard((channel, data))
            self._replies.extend(self._answers[channel, data])
        elif channel in self._holds:
            self._holds[channel] = data
        else:
            raise RequestRefused(channel, WRITE_NOT_PERMITTED)

    def subscribe(self, channel: str) -> None:
        """Begin to send."""
        self._subscribed.add(channel)

    def _table(self) -> tuple[Offered, ...]:
        access: dict[str, Access] = {}
        for channel in (*(said[0] for said in self._left), *self._more):
            access[channel] = sending(channel).access
        for (asked, _), answers in self._answers.items():
            access[asked] = access.get(asked, Access.WRITE) | Access.WRITE
            for channel, _ in answers:
                access[channel] = access.get(channel, Access(0)) | sending(channel).access
        for channel in self._holds:
            access[channel] = access.get(channel, Access.READ) | Access.READ | Access.WRITE
        return tuple(offered(channel, each) for channel, each in access.items())

    def _access(self, channel: str) -> Access:
        return next(each.access for each in self.table if each.channel == channel) & SENDS
