"""What BlueZ shows and takes, over the system bus: adapters, devices, calls (org.bluez(5)).

Every call ends: with an answer, a BusError that says what BlueZ refuses, or a BusGone.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant, unpack_variants
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusFastError

from drivers.errors import LinkError, LinkNotFound

BLUEZ = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
SYSTEMD = "org.freedesktop.systemd1"

CALL_S = 20.0
NO_SERVICE = frozenset(
    {
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.Disconnected",
    }
)
ALREADY = "org.bluez.Error.AlreadyExists"
NO_OBJECT = "org.freedesktop.DBus.Error.UnknownObject"
DENIED = "org.freedesktop.DBus.Error.AccessDenied"

Hear = Callable[[Message], bool]


class BusError(LinkError):
    """BlueZ refuses; `name` is the error's name on the bus."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class BusGone(LinkError):  # noqa: N818 - a state
    """There is no system bus, or no BlueZ on it."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """A Bluetooth adapter; `name` as hci0."""

    path: str
    name: str
    address: str
    is_powered: bool
    is_discovering: bool


@dataclass(frozen=True, slots=True)
class Device:
    """An instrument as BlueZ knows it: heard now where it has an RSSI, or remembered."""

    path: str
    adapter: str
    address: str
    name: str | None
    is_lasting: bool
    is_paired: bool
    is_trusted: bool
    is_connected: bool
    rssi: int | None
    services: tuple[str, ...]


class Bluez:
    """One connection to the system bus, made when it is needed and again when it was lost."""

    def __init__(self) -> None:
        self._bus: MessageBus | None = None
        self._connecting = asyncio.Lock()
        self._hearers: list[Hear] = []

    def listen(self, hear: Hear) -> None:
        """Have calls that come from the bus offered to `hear`, on every connection."""
        self._hearers.append(hear)
        if self._bus is not None:
            self._bus.add_message_handler(hear)

    def close(self) -> None:
        """Let go of the connection. May be repeated."""
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()

    async def call(
        self,
        path: str,
        interface: str,
        member: str,
        *body: Any,  # noqa: ANN401 - D-Bus values
        signature: str = "",
        to: str = BLUEZ,
        within_s: float = CALL_S,
    ) -> list[Any]:
        """Call and return what is answered."""
        message = Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        bus = await self._connected()
        try:
            async with asyncio.timeout(within_s):
                reply = await bus.call(message)
        except (OSError, EOFError, DBusFastError, TimeoutError) as error:
            self._drop(bus)
            raise BusGone(f"{to} does not answer {member}") from error
        if reply.message_type is MessageType.ERROR:
            raise _refusal(reply.error_name or "", reply.body, f"{interface}.{member}", to)
        return list(reply.body)

    async def reply(self, message: Message) -> None:
        """Answer a call that came from the bus."""
        if self._bus is not None and self._bus.connected:
            await self._bus.send(message)

    async def set(self, path: str, interface: str, name: str, value: Variant) -> None:
        """Set a property."""
        await self.call(path, PROPERTIES, "Set", interface, name, value, signature="ssv")

    async def objects(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """Return everything BlueZ has, by path and interface."""
        (found,) = await self.call("/", OBJECTS, "GetManagedObjects")
        return {path: unpack_variants(interfaces) for path, interfaces in found.items()}

    async def adapters(self) -> list[Adapter]:
        """Return the adapters, in the order of their numbers."""
        return sorted(_adapters(await self.objects()), key=lambda each: (len(each.path), each.path))

    async def adapter(self, name: str | None) -> Adapter:
        """Return the adapter of this name, or the first there is; LinkNotFound without one."""
        there = await self.adapters()
        for each in there:
            if name in {None, each.name}:
                return each
        known = ", ".join(each.name for each in there) or "none"
        raise LinkNotFound(
            f"no Bluetooth adapter {name or ''}; there is {known}".replace("  ", " ")
        )

    async def adapter_now(self, path: str) -> Adapter:
        """Return how an adapter is now; LinkNotFound if it was pulled out."""
        try:
            (found,) = await self.call(path, PROPERTIES, "GetAll", ADAPTER, signature="s")
        except BusError as error:
            if error.name == NO_OBJECT or "UnknownMethod" in error.name:
                raise LinkNotFound(f"the Bluetooth adapter {_last(path)} is gone") from error
            raise
        return _adapter(path, unpack_variants(found))

    async def devices(self) -> list[Device]:
        """Return every device BlueZ has heard or remembers."""
        return list(_devices(await self.objects()))

    async def device(self, address: str, adapter: str | None = None) -> Device | None:
        """Return the device of an address, whatever its path; None when BlueZ has none."""
        wanted = address.upper()
        for each in await self.devices():
            if each.address == wanted and adapter in {None, each.adapter}:
                return each
        return None

    async def restart_daemon(self) -> None:
        """Have systemd restart bluetoothd; BusError where that is not allowed."""
        await self.call(
            "/org/freedesktop/systemd1",
            f"{SYSTEMD}.Manager",
            "RestartUnit",
            "bluetooth.service",
            "replace",
            signature="ss",
            to=SYSTEMD,
        )

    async def _connected(self) -> MessageBus:
        async with self._connecting:
            if self._bus is not None and self._bus.connected:
                return self._bus
            self.close()
            bus = MessageBus(bus_type=BusType.SYSTEM)
            for hear in self._hearers:
                bus.add_message_handler(hear)
            try:
                async with asyncio.timeout(CALL_S):
                    await bus.connect()
            except (OSError, EOFError, AuthError, DBusFastError, TimeoutError) as error:
                bus.disconnect()
                raise BusGone(f"no system bus: {error}; is dbus running?") from error
            except asyncio.CancelledError:
                bus.disconnect()
                raise
            self._bus = bus
            return bus

    def _drop(self, bus: MessageBus) -> None:
        if self._bus is bus and not bus.connected:
            self.close()


def is_lasting(address: str, kind: str) -> bool:
    """Tell an address that names a device for ever: public, or static random (its top bits 11)."""
    return kind == "public" or int(address[:2], 16) >> 6 == 0b11


def _refusal(name: str, body: list[Any], what: str, to: str) -> LinkError:
    told = str(body[0]) if body else ""
    if name in NO_SERVICE:
        return BusGone(f"{to} is not on the system bus; is bluetooth.service running?")
    if name == DENIED:
        return BusError(
            name, f"{what} is not allowed: the service's user must be in the group bluetooth"
        )
    return BusError(name, f"{what}: {name.rpartition('.')[2]}: {told}".rstrip(": "))


def _adapters(objects: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Adapter]:
    for path, interfaces in objects.items():
        if ADAPTER in interfaces:
            yield _adapter(path, interfaces[ADAPTER])


def _adapter(path: str, said: Mapping[str, Any]) -> Adapter:
    return Adapter(
        path=path,
        name=_last(path),
        address=str(said.get("Address", "")),
        is_powered=bool(said.get("Powered")),
        is_discovering=bool(said.get("Discovering")),
    )


def _devices(objects: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Device]:
    for path, interfaces in objects.items():
        said = interfaces.get(DEVICE)
        if said is None or "Address" not in said:
            continue
        address = str(said["Address"]).upper()
        yield Device(
            path=path,
            adapter=_last(str(said.get("Adapter", ""))),
            address=address,
            name=said.get("Name"),
            is_lasting=is_lasting(address, str(said.get("AddressType", "random"))),
            is_paired=bool(said.get("Paired") or said.get("Bonded")),
            is_trusted=bool(said.get("Trusted")),
            is_connected=bool(said.get("Connected")),
            rssi=said.get("RSSI"),
            services=tuple(said.get("UUIDs", ())),
        )


def _last(path: str) -> str:
    return path.rpartition("/")[2]
