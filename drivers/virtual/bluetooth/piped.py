"""A virtual instrument of bytes on the radio: one characteristic notifies, one is written."""

from drivers.contract import Peer, Pipe
from drivers.errors import RequestRefused
from drivers.transports.memory_gatt import Sent
from drivers.virtual.gatt.peripheral import ADDRESS, NOT_FOUND
from drivers.virtual.gatt.table import Access, Offered, offered
from drivers.virtual.instrument import VirtualInstrument

PACKET_BYTES = 20  # what fits into a notification of the smallest size


class PipedInstrument:
    """What the virtual instrument sends is cut into packets, as its radio chip does."""

    def __init__(self, virtual: VirtualInstrument, pipe: Pipe, name: str) -> None:
        self.peer = Peer(ADDRESS, name=name)
        self.has_hung_up = False
        self._virtual = virtual
        self._pipe = pipe
        self._answer = b""
        self._is_heard = False

    @property
    def table(self) -> tuple[Offered, ...]:
        """What it offers."""
        access = {self._pipe.notifies: Access.NOTIFY}
        # An instrument that is written to and answers on one characteristic offers both there.
        writes = self._pipe.writes or self._pipe.notifies
        access[writes] = access.get(writes, Access.WRITE) | Access.WRITE
        return tuple(offered(channel, each) for channel, each in access.items())

    def calls(self, elapsed_s: float) -> bool:
        """Go on unheard; it always advertises."""
        self._virtual.due(elapsed_s)
        return True

    def connect(self) -> None:
        """Take a new connection."""
        self._is_heard = False
        self._answer = b""

    def due(self, elapsed_s: float) -> list[Sent]:
        """Return what it has sent."""
        data, self._answer = self._answer + self._virtual.due(elapsed_s), b""
        if not self._is_heard:
            return []
        packets = (data[at : at + PACKET_BYTES] for at in range(0, len(data), PACKET_BYTES))
        return [Sent(self._pipe.notifies, packet) for packet in packets]

    def confirm(self, sent: Sent) -> None:
        """Do nothing: it does not ask."""

    def read(self, channel: str) -> bytes:
        """Have nothing to read."""
        raise RequestRefused(channel, NOT_FOUND)

    def write(self, _channel: str, data: bytes) -> None:
        """Hear what is written."""
        self._answer += self._virtual.hear(data)

    def subscribe(self, _channel: str) -> None:
        """Be heard."""
        self._is_heard = True
