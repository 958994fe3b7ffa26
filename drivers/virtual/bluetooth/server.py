"""What an instrument offers, behind a GATT server."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from bumble.att import ATT_Error, Attribute, AttributeValue, AttributeValueV2, Bearer
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR as CCCD
from bumble.gatt import Characteristic, Descriptor, Service

from drivers.errors import RequestRefused
from drivers.transports.memory_gatt import Peripheral, Sent
from drivers.virtual.bluetooth.manners import NEED_PASSKEY, Pairing
from drivers.virtual.gatt.table import SENDS, Access, Offered

_PROPERTIES = {
    Access.READ: Characteristic.Properties.READ,
    Access.WRITE: Characteristic.Properties.WRITE,
    Access.NOTIFY: Characteristic.Properties.NOTIFY,
    Access.INDICATE: Characteristic.Properties.INDICATE,
}
_OPEN_SERVICES = frozenset({"180a"})  # who it is, an instrument tells anybody
_NOTIFY_BIT, _INDICATE_BIT = 0x01, 0x02

Answer = TypeVar("Answer")


class Instrument(Peripheral, Protocol):
    """A peripheral that can be put on the radio."""

    @property
    def table(self) -> tuple[Offered, ...]:
        """What it offers."""
        ...

    def calls(self, elapsed_s: float) -> bool:
        """Let time pass without a connection; whether it advertises now."""
        ...


class InstrumentServer:
    """Asks the instrument what it is asked, and sends what it says.

    `pairing` protects all but who it is. `asked` is awaited after each subscription and write,
    before it is answered.
    """

    def __init__(
        self,
        device: Device,
        instrument: Instrument,
        pairing: Pairing,
        asked: Callable[[], Awaitable[None]],
    ) -> None:
        self._server = device.gatt_server
        self._instrument = instrument
        self._pairing = pairing
        self._asked = asked
        self._characteristics: dict[str, Characteristic[bytes]] = {}
        held: dict[str, list[Characteristic[bytes]]] = {}
        for each in instrument.table:
            characteristic = self._characteristics[each.channel] = self._characteristic(each)
            held.setdefault(each.service, []).append(characteristic)
        device.add_services([Service(UUID(uuid), each) for uuid, each in held.items()])

    def awaits(self, connection: Connection, sent: Sent) -> bool:
        """Whether a host waits for this and is to confirm it."""
        return self._is_indicated(sent) and bool(self._wanted(connection, sent) & _INDICATE_BIT)

    async def send(self, connection: Connection, sent: Sent) -> bool:
        """Send what the host subscribed to; whether it is confirmed, or needs no confirmation."""
        characteristic = self._characteristics[sent.channel]
        wanted = self._wanted(connection, sent)
        if not self._is_indicated(sent):
            if wanted & _NOTIFY_BIT:
                await self._server.notify_subscriber(connection, characteristic, sent.data)
            return True
        if not wanted & _INDICATE_BIT:
            return False
        await self._server.indicate_subscriber(connection, characteristic, sent.data)
        return True

    def _is_indicated(self, sent: Sent) -> bool:
        properties = self._characteristics[sent.channel].properties
        return bool(properties & Characteristic.Properties.INDICATE)

    def _wanted(self, connection: Connection, sent: Sent) -> int:
        return self._server.read_cccd(connection, self._characteristics[sent.channel])[0]

    def _characteristic(self, offered: Offered) -> Characteristic[bytes]:
        channel = offered.channel
        properties = Characteristic.Properties(0)
        for access, bit in _PROPERTIES.items():
            if access in offered.access:
                properties |= bit

        async def write(_: Connection, value: bytes) -> None:
            _or_refuse(lambda: self._instrument.write(channel, value))
            await self._asked()

        return Characteristic(
            UUID(channel),
            properties,
            self._permissions(offered),
            AttributeValue(
                read=lambda _: _or_refuse(lambda: self._instrument.read(channel)), write=write
            ),
            [self._switch(offered)] if offered.access & SENDS else [],
        )

    def _switch(self, offered: Offered) -> Descriptor:
        """Return the descriptor by which a host has a characteristic sent."""
        channel = offered.channel

        async def write(bearer: Bearer, value: bytes) -> None:
            if any(value[:1]):
                _or_refuse(lambda: self._instrument.subscribe(channel))
            self._server.write_cccd(bearer, self._characteristics[channel], value)
            await self._asked()

        def read(bearer: Bearer) -> bytes:
            return self._server.read_cccd(bearer, self._characteristics[channel])

        return Descriptor(CCCD, self._permissions(offered), AttributeValueV2(read, write))

    def _permissions(self, offered: Offered) -> Attribute.Permissions:
        allowed = Attribute.READABLE | Attribute.WRITEABLE
        if self._pairing is Pairing.NONE or offered.service in _OPEN_SERVICES:
            return allowed
        if self._pairing in NEED_PASSKEY:
            allowed |= Attribute.READ_REQUIRES_AUTHENTICATION
            return allowed | Attribute.WRITE_REQUIRES_AUTHENTICATION
        return allowed | Attribute.READ_REQUIRES_ENCRYPTION | Attribute.WRITE_REQUIRES_ENCRYPTION


def _or_refuse(ask: Callable[[], Answer]) -> Answer:
    """Return the instrument's answer, or its refusal as the ATT error that carries it."""
    try:
        return ask()
    except RequestRefused as refused:
        raise ATT_Error(refused.code) from refused
