"""What a hub says about itself: birth, journal head, instruments, notices."""

from collections import deque
from collections.abc import Callable

from drivers.model import Instant
from edge.clock import NS
from edge.contract.messages import DeviceStatus, EventNotice, JournalHead
from edge.publish.mqtt import Outgoing
from edge.publish.outgoing import Sender

NOTICES_KEPT = 200  # while there is no connection; results never go this way


class Announcer:
    """Says everything again on every connection, and the journal's head when it has moved.

    `refresh_s` is how old the head in the retained status may get.
    """

    def __init__(
        self,
        sender: Sender,
        publish: Callable[[Outgoing], int | None],
        head: Callable[[], JournalHead],
        refresh_s: float,
    ) -> None:
        self._sender = sender
        self._publish = publish
        self._head = head
        self._refresh_ns = round(refresh_s * NS)
        self._devices: dict[str, Outgoing] = {}
        self._notices: deque[Outgoing] = deque(maxlen=NOTICES_KEPT)
        self._said: tuple[JournalHead, bool] | None = None
        self._said_ns = 0
        self._epoch = 0
        self._open = False

    def birth(self, epoch: int, now: Instant) -> int | None:
        """Announce the hub; return the number of the message, None when there is no connection."""
        self._epoch = epoch
        head = self._head()
        self._said, self._said_ns = (head, now.trusted), now.mono_ns
        return self._publish(self._sender.birth(epoch, now, head))

    def opened(self) -> None:
        """Say what was kept for a connection."""
        self._open = True
        for message in self._devices.values():
            self._publish(message)
        while self._notices:
            self._publish(self._notices.popleft())

    def closed(self) -> None:
        """Keep what is said from now on."""
        self._open = False

    def device_status(self, device: str, status: DeviceStatus) -> None:
        """Say how an instrument is, now and on every connection to come."""
        self._devices[device] = message = self._sender.device_status(device, status)
        if self._open:
            self._publish(message)

    def notice(self, notice: EventNotice) -> None:
        """Report an event, now or once there is a connection; of too many the oldest go."""
        message = self._sender.event(notice)
        if not self._open or self._publish(message) is None:
            self._notices.append(message)

    def refresh(self, now: Instant) -> None:
        """Renew the retained status when it is old and no longer true."""
        current = (self._head(), now.trusted)
        if self._open and now.mono_ns >= self.next_ns and current != self._said:
            self.birth(self._epoch, now)

    @property
    def next_ns(self) -> int:
        """When the retained status may be renewed."""
        return self._said_ns + self._refresh_ns
