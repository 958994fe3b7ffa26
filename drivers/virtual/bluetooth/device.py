"""Device1: one instrument as the adapter knows it, connected or not.

Source: BlueZ doc/org.bluez.Device.rst and src/device.c. An instrument that is bonded is encrypted
with as soon as it is connected; one that has forgotten the bond fails that with
AuthenticationFailed and is not paired with again before it was removed.
"""

import asyncio
from contextlib import suppress

from bumble.core import BaseBumbleError, UnreachableError
from bumble.device import Connection, Device, Peer
from bumble.hci import (
    HCI_CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR,
    Address,
    HCI_LE_Create_Connection_Cancel_Command,
)
from bumble.pairing import PairingDelegate
from dbus_fast import Message, Variant

from drivers.virtual.bluetooth.advertising import Advert
from drivers.virtual.bluetooth.agents import AdapterKeys, Agents
from drivers.virtual.bluetooth.attributes import Attributes, bluez_error
from drivers.virtual.bluetooth.faults import Fault, Faults
from drivers.virtual.bluetooth.settling import settled
from drivers.virtual.bluetooth.tree import NOTHING, Answer, BusError, Node, Tree

DEVICE = "org.bluez.Device1"
MTU = 517
CONNECT_S = 20.0
DROP_S = 2.0
YES, NO = Variant("b", True), Variant("b", False)


class KnownDevice:
    """One instrument, at a path; `at` is the address that it is heard from now."""

    def __init__(  # noqa: PLR0913 - what it shares with the adapter
        self,
        path: str,
        at: Address,
        *,
        radio: Device,
        tree: Tree,
        agents: Agents,
        faults: Faults,
        connecting: asyncio.Lock,
    ) -> None:
        self.path = path
        self.at = at
        self.identity = str(at)  # its name in the key store
        self.keys: PairingDelegate = PairingDelegate()
        self._radio = radio
        self._tree = tree
        self._agents = agents
        self._faults = faults
        self._one_at_a_time = connecting
        self._peer: Peer | None = None
        self._attributes: Attributes | None = None
        self._attempt: asyncio.Future[None] | None = None
        self._pairing: asyncio.Future[None] | None = None
        self._client: str | None = None  # who asked for a pairing
        self.node = self._node(path.rpartition("/")[0])

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._peer is not None

    @property
    def is_bonded(self) -> bool:
        """Whether there is a bond, as far as this side knows."""
        return bool(self.node.interfaces[DEVICE]["Bonded"].value)

    @property
    def address(self) -> str:
        """Its lasting address if it is bonded, else the one that it was first heard from."""
        held: str = self.node.interfaces[DEVICE]["Address"].value
        return held

    def has(self, connection: Connection) -> bool:
        """Whether this is the connection to it."""
        return self._peer is not None and self._peer.connection is connection

    def heard(self, at: Address, advert: Advert, rssi: int) -> None:
        """Take an advertisement; the name and services of an earlier one stay."""
        self.at = at
        changes = {"RSSI": Variant("n", rssi)}
        if advert.services:
            changes["UUIDs"] = Variant("as", list(advert.services))
        if advert.name:
            changes |= {"Name": Variant("s", advert.name), "Alias": Variant("s", advert.name)}
        if advert.manufacturer:
            held = {company: Variant("ay", data) for company, data in advert.manufacturer.items()}
            changes["ManufacturerData"] = Variant("a{qv}", held)
        self._change(**changes)

    def forget(self, sender: str) -> None:
        """Send nothing on behalf of a client that left."""
        if self._attributes is not None:
            self._attributes.forget(sender)

    async def drop(self) -> None:
        """End the connection, or the attempt at one."""
        if self._attempt is not None:
            self._attempt.cancel()
        if self._peer is not None:
            with suppress(BaseBumbleError, TimeoutError):
                async with asyncio.timeout(DROP_S):
                    await self._peer.connection.disconnect()

    async def _connect(self, _: Message) -> Answer:
        await self._reach()
        self._tree.in_background(self._resolve())
        return NOTHING

    async def _disconnect(self, _: Message) -> Answer:
        if not self.is_connected and self._attempt is None:
            raise bluez_error("NotConnected", "Not Connected")
        await self.drop()
        return NOTHING

    async def _pair(self, message: Message) -> Answer:
        if self.is_bonded:
            raise bluez_error("AlreadyExists", "Already Exists")
        if self._client is not None:
            raise bluez_error("InProgress", "In Progress")
        self._client = message.sender
        try:
            await self._reach()
            await self._bond()
        finally:
            self._client = None
        self._tree.in_background(self._resolve())
        return NOTHING

    async def _cancel_pairing(self, _: Message) -> Answer:
        if self._pairing is None:
            raise bluez_error("DoesNotExist", "Does Not Exist")
        self._pairing.cancel()
        return NOTHING

    async def _set_trusted(self, value: Variant) -> None:
        self._change(Trusted=value)

    async def _set_alias(self, value: Variant) -> None:
        self._change(Alias=value)

    async def _reach(self) -> None:
        """Be connected, and encrypted where there is a bond."""
        if self._peer is not None:
            return
        if self._attempt is not None:
            raise bluez_error("InProgress", "In Progress")
        self._attempt = asyncio.ensure_future(self._open())
        try:
            await settled(self._attempt)
        except BaseBumbleError:
            await self.drop()
            raise bluez_error("Failed", "le-connection-abort-by-local") from None
        finally:
            self._attempt = None
        if self.is_bonded:
            await self._encrypt()

    async def _open(self) -> None:
        async with self._one_at_a_time:
            try:
                connection = await self._radio.connect(self.at, timeout=CONNECT_S)
            except asyncio.CancelledError:
                await self._radio.send_sync_command(HCI_LE_Create_Connection_Cancel_Command())
                raise
        peer = self._peer = Peer(connection)
        connection.once(Connection.EVENT_DISCONNECTION, self._lost)
        connection.on(Connection.EVENT_SECURITY_REQUEST, self._asked_for_security)
        self._change(Connected=YES)
        if self._radio.lookup_connection(connection.handle) is not connection:
            self._lost(HCI_CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR)  # before anybody listened
            raise UnreachableError
        if Fault.CONNECT_ABORTS in self._faults:
            await connection.disconnect()
            raise UnreachableError
        # Only what answers is connected.
        await peer.request_mtu(MTU)

    async def _encrypt(self) -> None:
        try:
            await settled(self._here().connection.encrypt())
        except BaseBumbleError:
            await self.drop()
            raise bluez_error("AuthenticationFailed", "Authentication Failed") from None

    def _asked_for_security(self, _: int) -> None:
        if not self.is_bonded:
            self._tree.in_background(self._bond_because_asked())

    async def _bond_because_asked(self) -> None:
        with suppress(BusError):
            await self._bond()

    async def _secure(self) -> bool:
        """Raise the security; whether there is more of it now."""
        if self.is_bonded:
            return False
        try:
            await self._bond()
        except BusError:
            return False
        return True

    async def _bond(self) -> None:
        """Pair, or wait for the pairing that goes on already."""
        if self._pairing is None:
            self._pairing = asyncio.ensure_future(self._pair_with_peer())
        pairing = self._pairing
        try:
            await settled(pairing)
        except BaseBumbleError:
            await self.drop()
            raise bluez_error("AuthenticationFailed", "Authentication Failed") from None
        finally:
            self._pairing = None

    async def _pair_with_peer(self) -> None:
        connection = self._here().connection
        agent = self._agents.of(self._client)
        began_here = self._client is not None
        self.keys = AdapterKeys(self._agents, agent, self.path, began_here=began_here)
        await connection.pair()
        self.identity = str(connection.peer_address)
        address = connection.peer_address.to_string(False)
        self._change(Paired=YES, Bonded=YES, Address=Variant("s", address))

    async def _resolve(self) -> None:
        """Find out what it offers; a device that goes meanwhile is not resolved."""
        if self._peer is None or self._attributes is not None:
            return
        attributes = Attributes(self._tree, self.path, self._peer, self._secure)
        attributes.subscribe_raises = Fault.SUBSCRIBE_RAISES in self._faults
        self._attributes = attributes
        with suppress(BaseBumbleError):
            await settled(attributes.discover())
            if attributes.is_connected:
                self._change(ServicesResolved=YES)

    def _lost(self, _reason: int) -> None:
        self._peer = None
        if self._attributes is not None:
            self._attributes.is_connected = False
            self._attributes = None
        self._change(ServicesResolved=NO, Connected=NO)

    def _here(self) -> Peer:
        if self._peer is None:
            raise bluez_error("NotConnected", "Not Connected")
        return self._peer

    def _change(self, **properties: Variant) -> None:
        if self.path in self._tree.nodes:
            self._tree.change(self.path, DEVICE, **properties)
        else:
            self.node.interfaces[DEVICE].update(properties)

    def _node(self, adapter: str) -> Node:
        address = self.at.to_string(False)
        properties = {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "public" if self.at.is_public else "random"),
            "Alias": Variant("s", address.replace(":", "-")),
            "Adapter": Variant("o", adapter),
            "UUIDs": Variant("as", []),
            **dict.fromkeys(
                ("Paired", "Bonded", "Trusted", "Blocked", "LegacyPairing", "Connected"), NO
            ),
            "ServicesResolved": NO,
        }
        methods = {
            (DEVICE, "Connect"): self._connect,
            (DEVICE, "Disconnect"): self._disconnect,
            (DEVICE, "Pair"): self._pair,
            (DEVICE, "CancelPairing"): self._cancel_pairing,
        }
        setters = {(DEVICE, "Trusted"): self._set_trusted, (DEVICE, "Alias"): self._set_alias}
        return Node({DEVICE: properties}, methods, setters)
