"""GattService1, GattCharacteristic1 and GattDescriptor1 of one connected device.

Source: BlueZ doc/org.bluez.Gatt*.rst, and src/gatt-client.c for which ATT error becomes which name.
Paths end in the handle of the declaration, from which bleak takes its handles.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from bumble.att import ATT_Error
from bumble.core import BaseBumbleError
from bumble.device import Peer
from bumble.gatt import Characteristic
from bumble.gatt_client import AttributeProxy, CharacteristicProxy, ServiceProxy
from dbus_fast import Message, Variant

from drivers.virtual.bluetooth.advertising import whole_uuid
from drivers.virtual.bluetooth.settling import settled
from drivers.virtual.bluetooth.tree import NOTHING, Answer, BusError, Node, Tree

SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"

_FLAGS = {
    Characteristic.Properties.BROADCAST: "broadcast",
    Characteristic.Properties.READ: "read",
    Characteristic.Properties.WRITE_WITHOUT_RESPONSE: "write-without-response",
    Characteristic.Properties.WRITE: "write",
    Characteristic.Properties.NOTIFY: "notify",
    Characteristic.Properties.INDICATE: "indicate",
}
_NOT_PAIRED = ("NotPermitted", "Not paired")
_ERRORS = {
    0x02: ("NotPermitted", "Read not permitted"),
    0x03: ("NotPermitted", "Write not permitted"),
    0x05: _NOT_PAIRED,
    0x0F: _NOT_PAIRED,
    0x06: ("NotSupported", "Operation is not supported"),
    0x07: ("InvalidArguments", "Invalid offset"),
    0x08: ("NotAuthorized", "Operation Not Authorized"),
    0x0D: ("InvalidArguments", "Invalid Length"),
    0xFD: ("ImproperlyConfigured", "Improperly configured"),
}
_WANTS_SECURITY = frozenset({0x05, 0x0F})

Result = TypeVar("Result")
Secure = Callable[[], Awaitable[bool]]


def bluez_error(name: str, text: str) -> BusError:
    """Return one of bluetoothd's own errors."""
    return BusError(f"org.bluez.Error.{name}", text)


class Attributes:
    """What one device was found to have, for as long as it is connected.

    `secure` raises the security of the connection when the device asks for it, and tells whether
    that changed anything.
    """

    def __init__(self, tree: Tree, device: str, peer: Peer, secure: Secure) -> None:
        self._tree = tree
        self._device = device
        self._peer = peer
        self._secure = secure
        self._listeners: dict[str, set[str]] = {}
        self._paths: set[str] = set()
        self.subscribe_raises = False
        self.is_connected = True

    async def discover(self) -> None:
        """Find out what there is and have it on the bus, and nothing that was there before."""
        for service in await self._peer.discover_services():
            path = f"{self._device}/service{service.handle:04x}"
            self._add(path, self._service(service))
            for each in await service.discover_characteristics():
                await self._add_characteristic(path, each)
        self._tree.remove_under(self._device, but=self._paths)

    def forget(self, sender: str) -> None:
        """Send nothing on behalf of a client that left."""
        for listeners in self._listeners.values():
            listeners.discard(sender)

    async def _add_characteristic(self, service: str, proxy: CharacteristicProxy[bytes]) -> None:
        path = f"{service}/char{proxy.handle - 1:04x}"
        flags = [name for bit, name in _FLAGS.items() if proxy.properties & bit]
        properties = {
            "UUID": Variant("s", whole_uuid(proxy.uuid)),
            "Service": Variant("o", service),
            "Value": Variant("ay", b""),
            "Flags": Variant("as", flags),
            "MTU": Variant("q", self._peer.connection.att_mtu),
        }
        methods = {
            (CHARACTERISTIC, "ReadValue"): partial(self._read, proxy),
            (CHARACTERISTIC, "WriteValue"): partial(self._write, proxy),
        }
        if {"notify", "indicate"} & {*flags}:
            properties["Notifying"] = Variant("b", False)
            methods[CHARACTERISTIC, "StartNotify"] = partial(self._start, proxy)
            methods[CHARACTERISTIC, "StopNotify"] = partial(self._stop, proxy)
        self._add(path, Node({CHARACTERISTIC: properties}, methods))
        for each in await proxy.discover_descriptors():
            held = {
                "UUID": Variant("s", whole_uuid(each.type)),
                "Characteristic": Variant("o", path),
                "Value": Variant("ay", b""),
            }
            reads = {(DESCRIPTOR, "ReadValue"): partial(self._read, each)}
            self._add(f"{path}/desc{each.handle:04x}", Node({DESCRIPTOR: held}, reads))

    def _service(self, proxy: ServiceProxy) -> Node:
        properties = {
            "UUID": Variant("s", whole_uuid(proxy.uuid)),
            "Device": Variant("o", self._device),
            "Primary": Variant("b", True),
            "Includes": Variant("ao", []),
        }
        return Node({SERVICE: properties})

    def _add(self, path: str, node: Node) -> None:
        self._paths.add(path)
        self._tree.add(path, node)

    async def _read(self, proxy: AttributeProxy[bytes], _: Message) -> Answer:
        value = await self._asked(proxy.read_value)
        return Answer("ay", (bytes(value),))

    async def _write(self, proxy: AttributeProxy[bytes], message: Message) -> Answer:
        data, options = message.body
        kind = options.get("type")
        answered = kind is None or kind.value != "command"
        await self._asked(lambda: proxy.write_value(bytes(data), with_response=answered))
        return NOTHING

    async def _start(self, proxy: CharacteristicProxy[bytes], message: Message) -> Answer:
        path, sender = message.path or "", message.sender or ""
        listeners = self._listeners.setdefault(path, set())
        if sender in listeners:
            raise bluez_error("InProgress", "In Progress")
        is_first = not listeners
        listeners.add(sender)
        if is_first:
            arrived = partial(self._arrived, path)
            try:
                await self._asked(lambda: proxy.subscribe(arrived))
            except BusError:
                listeners.discard(sender)
                raise
        if self.subscribe_raises:
            raise bluez_error("Failed", "Operation failed with ATT error: 0x0e")
        self._tree.change(path, CHARACTERISTIC, Notifying=Variant("b", True))
        return NOTHING

    async def _stop(self, proxy: CharacteristicProxy[bytes], message: Message) -> Answer:
        path, sender = message.path or "", message.sender or ""
        listeners = self._listeners.get(path, set())
        if sender not in listeners:
            raise bluez_error("Failed", "No notify session started")
        listeners.discard(sender)
        if not listeners:
            await self._asked(lambda: proxy.unsubscribe(force=True))
            self._tree.change(path, CHARACTERISTIC, Notifying=Variant("b", False))
        return NOTHING

    def _arrived(self, path: str, value: bytes) -> None:
        if path in self._tree.nodes:
            self._tree.change(path, CHARACTERISTIC, Value=Variant("ay", bytes(value)))

    async def _asked(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        """Ask the device; once more if it wants more security and there was more to be had."""
        if not self.is_connected:
            raise bluez_error("Failed", "Not connected")
        try:
            try:
                return await settled(ask())
            except ATT_Error as error:
                if error.error_code in _WANTS_SECURITY and await self._secure():
                    return await settled(ask())
                raise
        except ATT_Error as error:
            fallback = ("Failed", f"Operation failed with ATT error: 0x{error.error_code:02x}")
            raise bluez_error(*_ERRORS.get(error.error_code, fallback)) from error
        except BaseBumbleError as error:
            raise bluez_error("Failed", "Not connected") from error
