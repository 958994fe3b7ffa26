"""Objects on a message bus: their interfaces, properties and methods, and the signals of change.

What bleak asks of `org.bluez`: GetManagedObjects, InterfacesAdded and InterfacesRemoved from "/",
Get, GetAll, Set and PropertiesChanged of each object (D-Bus Specification, standard interfaces).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
BUS = "org.freedesktop.DBus"

Properties: TypeAlias = dict[str, Variant]


class BusError(Exception):
    """A method's no, by the name of the error on the bus."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method returns."""

    signature: str = ""
    body: tuple[Any, ...] = ()


NOTHING = Answer()
Method: TypeAlias = Callable[[Message], Awaitable[Answer]]
Setter: TypeAlias = Callable[[Variant], Awaitable[None]]


@dataclass(slots=True)
class Node:
    """One object: properties by interface, methods by interface and name, what may be set."""

    interfaces: dict[str, Properties]
    methods: Mapping[tuple[str, str], Method] = field(default_factory=dict)
    setters: Mapping[tuple[str, str], Setter] = field(default_factory=dict)


class Tree:
    """The objects of one service; they are there whether a bus is or not.

    `gone` is told of every client that leaves the bus.
    """

    def __init__(self, gone: Callable[[str], None]) -> None:
        self.nodes: dict[str, Node] = {}
        self._gone = gone
        self._bus: MessageBus | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, address: str, name: str) -> None:
        """Take the service's name on a bus."""
        bus = await MessageBus(bus_address=address).connect()
        bus.add_message_handler(self._heard)
        watch = "type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged'"
        await bus.call(_to_bus("AddMatch", "s", watch))
        self._bus = bus
        self.in_background(_until_gone(bus))
        await bus.request_name(name)

    async def close(self) -> None:
        """Leave the bus."""
        bus, self._bus = self._bus, None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if bus is not None and bus.connected:
            bus.disconnect()

    def add(self, path: str, node: Node) -> None:
        """Have an object; one that takes the place of another is not told of."""
        is_new = path not in self.nodes
        self.nodes[path] = node
        if is_new:
            self._signal("/", MANAGER, "InterfacesAdded", "oa{sa{sv}}", [path, node.interfaces])

    def remove(self, path: str) -> None:
        """Have an object no more."""
        node = self.nodes.pop(path)
        self._signal("/", MANAGER, "InterfacesRemoved", "oas", [path, list(node.interfaces)])

    def remove_under(self, path: str, but: Collection[str] = ()) -> None:
        """Have none of the objects below a path but these."""
        held = [each for each in self.nodes if each.startswith(f"{path}/") and each not in but]
        for below in sorted(held, reverse=True):
            self.remove(below)

    def change(self, path: str, interface: str, **properties: Variant) -> None:
        """Set properties and tell, of values that are what they were too."""
        self.nodes[path].interfaces[interface].update(properties)
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, properties, []])

    async def ask(self, message: Message) -> Message:
        """Call a client and return its answer, which may be an error; BusError if nobody is."""
        if self._bus is None:
            raise BusError("org.freedesktop.DBus.Error.Disconnected", "there is no bus")
        return await self._bus.call(message)

    def in_background(self, work: Awaitable[None]) -> None:
        """Do something that nobody waits for; `close` ends it."""
        task = asyncio.ensure_future(_finish(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _heard(self, message: Message) -> bool | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if name.startswith(":") and not owner:
                self._gone(name)
            return None
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        if (message.interface, message.member) in _LEFT_TO_THE_LIBRARY:
            return None
        self.in_background(self._answer(message))
        return True

    async def _answer(self, message: Message) -> None:
        # Whatever happens here, nobody is left waiting.
        reply = Message.new_error(message, "org.bluez.Error.Failed", "Operation failed")
        try:
            answer = await self._do(message)
            reply = Message.new_method_return(message, answer.signature, list(answer.body))
        except BusError as error:
            reply = Message.new_error(message, error.name, error.text)
        finally:
            if self._bus is not None and self._bus.connected:
                self._bus.send(reply)

    async def _do(self, message: Message) -> Answer:
        path, interface, member = message.path or "", message.interface or "", message.member or ""
        if (interface, member) == (MANAGER, "GetManagedObjects") and path == "/":
            objects = {path: node.interfaces for path, node in self.nodes.items()}
            return Answer("a{oa{sa{sv}}}", (objects,))
        node = self.nodes.get(path)
        if node is None:
            raise BusError("org.freedesktop.DBus.Error.UnknownObject", path)
        if interface == PROPERTIES:
            return await _properties(node, message)
        method = node.methods.get((interface, member))
        if method is None:
            raise BusError("org.freedesktop.DBus.Error.UnknownMethod", f"{interface}.{member}")
        return await method(message)

    def _signal(
        self, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> None:
        if self._bus is not None and self._bus.connected:
            self._bus.send(Message.new_signal(path, interface, member, signature, body))


_LEFT_TO_THE_LIBRARY = frozenset(
    {
        ("org.freedesktop.DBus.Peer", "Ping"),
        ("org.freedesktop.DBus.Peer", "GetMachineId"),
        ("org.freedesktop.DBus.Introspectable", "Introspect"),
    }
)


async def _properties(node: Node, message: Message) -> Answer:
    interface = message.body[0]
    held = node.interfaces.get(interface)
    if held is None:
        raise BusError("org.freedesktop.DBus.Error.UnknownInterface", interface)
    if message.member == "GetAll":
        return Answer("a{sv}", (held,))
    name = message.body[1]
    if name not in held:
        raise BusError("org.freedesktop.DBus.Error.UnknownProperty", name)
    if message.member == "Get":
        return Answer("v", (held[name],))
    setter = node.setters.get((interface, name))
    if setter is None:
        raise BusError("org.freedesktop.DBus.Error.PropertyReadOnly", name)
    await setter(message.body[2])
    return NOTHING


def _to_bus(member: str, signature: str, *body: object) -> Message:
    return Message(
        destination=BUS,
        path="/org/freedesktop/DBus",
        interface=BUS,
        member=member,
        signature=signature,
        body=list(body),
    )


async def _until_gone(bus: MessageBus) -> None:
    """Take note of how a connection ends, or the library complains that nobody did."""
    with suppress(EOFError, OSError):
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call] # the library's


async def _finish(work: Awaitable[None]) -> None:
    await work
