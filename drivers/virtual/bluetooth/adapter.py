"""Adapter1: the scan, the instruments that were heard, and power.

Source: BlueZ doc/org.bluez.Adapter.rst and src/adapter.c. A scan belongs to the client that began
it and ends with the last of them. A power cycle drops connections and scans, and keeps bonds.
"""

import asyncio

from bumble.device import Advertisement, Connection, Device
from bumble.hci import Address
from bumble.pairing import PairingConfig, PairingDelegate
from dbus_fast import Message, Variant

from drivers.virtual.bluetooth import advertising
from drivers.virtual.bluetooth.agents import Agents
from drivers.virtual.bluetooth.attributes import bluez_error
from drivers.virtual.bluetooth.device import NO, YES, KnownDevice
from drivers.virtual.bluetooth.faults import Fault, Faults
from drivers.virtual.bluetooth.tree import NOTHING, Answer, Node, Tree

ADAPTER = "org.bluez.Adapter1"
_LOWEST_RSSI = -127


class Adapter:
    """One adapter on the air, at a path of the bus."""

    def __init__(
        self, path: str, radio: Device, tree: Tree, agents: Agents, faults: Faults
    ) -> None:
        self.path = path
        self.devices: dict[str, KnownDevice] = {}
        self._radio = radio
        self._tree = tree
        self._agents = agents
        self._faults = faults
        self._scanning_for: set[str] = set()
        self._connecting = asyncio.Lock()
        self._properties = {
            "Address": Variant("s", radio.random_address.to_string(False)),
            "AddressType": Variant("s", "public"),
            "Name": Variant("s", "bench"),
            "Alias": Variant("s", "bench"),
            "Powered": YES,
            "Pairable": YES,
            "Discoverable": NO,
            "Discovering": NO,
            "UUIDs": Variant("as", []),
            "Roles": Variant("as", ["central", "peripheral"]),
        }
        radio.on(Device.EVENT_ADVERTISEMENT, self._heard)
        radio.pairing_config_factory = self._keys

    @property
    def is_powered(self) -> bool:
        """Whether it is on."""
        return bool(self._properties["Powered"].value)

    def show(self) -> None:
        """Be on the bus, with the instruments that it knows."""
        self._tree.add(self.path, self._node())
        for path, device in self.devices.items():
            self._tree.add(path, device.node)

    def hide(self) -> None:
        """Be on the bus no more."""
        self._tree.remove_under(self.path)
        self._tree.remove(self.path)

    def forget(self, sender: str) -> None:
        """Scan and send no more on behalf of a client that left."""
        for device in self.devices.values():
            device.forget(sender)
        if sender in self._scanning_for:
            self._tree.in_background(self._end_scan_of(sender))

    async def power(self, *, on: bool) -> None:
        """Switch it on or off, as a client or a person with rfkill may."""
        if on == self.is_powered:
            return
        if not on:
            self._faults.end(Fault.STUCK_DISCOVERY)
            self._scanning_for.clear()
            await self._stop_listening()
            for device in self.devices.values():
                await device.drop()
            self._change(Discovering=NO)
        self._change(Powered=Variant("b", on))

    async def lose_device(self, path: str) -> None:
        """Forget one that is not bonded, as after 30 s in which it was not heard."""
        await self.devices.pop(path).drop()
        self._tree.remove_under(path)
        self._tree.remove(path)

    async def forget_instrument(self, address: str) -> None:
        """Forget an instrument and its bond, as when the hub's disk was replaced."""
        for path, device in tuple(self.devices.items()):
            if device.address == address:
                await self._forget_device(path)

    async def lose_strangers(self) -> None:
        """Forget all that are not bonded."""
        for path, device in tuple(self.devices.items()):
            if not device.is_bonded:
                await self.lose_device(path)

    async def _set_powered(self, value: Variant) -> None:
        await self.power(on=bool(value.value))

    async def _set_filter(self, _: Message) -> Answer:
        return NOTHING

    async def _start(self, message: Message) -> Answer:
        self._be_ready()
        sender = message.sender or ""
        if sender in self._scanning_for:
            raise bluez_error("InProgress", "Operation already in progress")
        if not self._scanning_for:
            self._faults.end(Fault.DEAF)
        if not self._radio.is_scanning:
            await self._radio.start_scanning(legacy=True)
        self._scanning_for.add(sender)
        self._change(Discovering=YES)
        return NOTHING

    async def _stop(self, message: Message) -> Answer:
        self._be_ready()
        sender = message.sender or ""
        if sender not in self._scanning_for:
            raise bluez_error("Failed", "No discovery started")
        if Fault.STUCK_DISCOVERY in self._faults:
            # The client's session is over, and bluetoothd goes on believing that it scans.
            self._scanning_for.discard(sender)
            raise bluez_error("InProgress", "Operation already in progress")
        await self._end_scan_of(sender)
        return NOTHING

    async def _end_scan_of(self, sender: str) -> None:
        self._scanning_for.discard(sender)
        if not self._scanning_for:
            await self._stop_listening()
            self._change(Discovering=NO)

    async def _stop_listening(self) -> None:
        if self._radio.is_scanning:
            await self._radio.stop_scanning(legacy=True)

    async def _remove(self, message: Message) -> Answer:
        path = message.body[0]
        if path not in self.devices:
            raise bluez_error("DoesNotExist", "Does Not Exist")
        await self._forget_device(path)
        return NOTHING

    async def _forget_device(self, path: str) -> None:
        if self._radio.keystore is not None:
            await self._radio.keystore.delete(self.devices[path].identity)
            await self._radio.refresh_resolving_list()
        await self.lose_device(path)

    def _be_ready(self) -> None:
        if not self.is_powered:
            raise bluez_error("NotReady", "Resource Not Ready")

    def _heard(self, advertisement: Advertisement) -> None:
        if self._faults.hears_nothing or not self._scanning_for:
            return
        device = self._known(advertisement.address)
        rssi = max(advertisement.rssi, _LOWEST_RSSI)
        device.heard(advertisement.address, advertising.read(advertisement.data), rssi)

    def _known(self, heard: Address) -> KnownDevice:
        """Return the instrument with an address, the one that it resolves to if it is private."""
        resolver = self._radio.address_resolver
        identity = resolver.resolve(heard) if resolver and heard.is_resolvable else None
        address = (identity or heard).to_string(False)
        for device in self.devices.values():
            if device.address == address:
                return device
        path = f"{self.path}/dev_{address.replace(':', '_')}"
        device = self.devices[path] = KnownDevice(
            path,
            heard,
            radio=self._radio,
            tree=self._tree,
            agents=self._agents,
            faults=self._faults,
            connecting=self._connecting,
        )
        self._tree.add(path, device.node)
        return device

    def _keys(self, connection: Connection) -> PairingConfig:
        keys = next(
            (each.keys for each in self.devices.values() if each.has(connection)),
            PairingDelegate(),
        )
        has_keys = keys.io_capability != PairingDelegate.NO_OUTPUT_NO_INPUT
        return PairingConfig(sc=True, mitm=has_keys, bonding=True, delegate=keys)

    def _change(self, **properties: Variant) -> None:
        if self.path in self._tree.nodes:
            self._tree.change(self.path, ADAPTER, **properties)
        else:
            self._properties.update(properties)

    def _node(self) -> Node:
        methods = {
            (ADAPTER, "SetDiscoveryFilter"): self._set_filter,
            (ADAPTER, "StartDiscovery"): self._start,
            (ADAPTER, "StopDiscovery"): self._stop,
            (ADAPTER, "RemoveDevice"): self._remove,
        }
        return Node({ADAPTER: self._properties}, methods, {(ADAPTER, "Powered"): self._set_powered})
