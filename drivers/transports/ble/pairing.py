"""What an operator does with instruments: find them, pair, list bonds, remove them.

BlueZ keeps the bonds. A bond that the instrument has lost is never renewed by itself, or anybody
could take its place: it is removed and made again by a person who holds the instrument.
"""

import asyncio

from dbus_fast import Variant

from drivers.errors import LinkError, LinkNotFound, LinkRefused, Unpaired
from drivers.transports.ble.agent import Agent, Ask
from drivers.transports.ble.bus import ADAPTER, ALREADY, DEVICE, Adapter, Bluez, BusError, Device

PAIR_S = 60.0
LOOK_S = 0.5
REFUSED = frozenset(
    {
        "org.bluez.Error.AuthenticationCanceled",
        "org.bluez.Error.AuthenticationFailed",
        "org.bluez.Error.AuthenticationRejected",
        "org.bluez.Error.AuthenticationTimeout",
    }
)


class Pairing:
    """An operator's view of one adapter."""

    def __init__(self, bluez: Bluez, adapter: Adapter) -> None:
        self._bluez = bluez
        self._adapter = adapter

    @staticmethod
    async def on(bluez: Bluez, name: str | None) -> "Pairing":
        """Return the view of an adapter, which is switched on if it is off."""
        adapter = await bluez.adapter(name)
        if not adapter.is_powered:
            await bluez.set(adapter.path, ADAPTER, "Powered", Variant("b", True))
        return Pairing(bluez, adapter)

    async def bonds(self) -> list[Device]:
        """Return the instruments that are paired with this machine."""
        return [each for each in await self._devices() if each.is_paired]

    async def heard(self, seconds: float) -> list[Device]:
        """Listen for a while and return who was heard, the nearest first."""
        async with _Scan(self._bluez, self._adapter):
            await asyncio.sleep(seconds)
            heard = [each for each in await self._devices() if each.rssi is not None]
        return sorted(heard, key=lambda each: -(each.rssi or 0))

    async def pair(self, address: str, ask: Ask, *, again: bool, within_s: float) -> Device:
        """Wait until the instrument is heard, and pair with it.

        `again` removes the bond there was. LinkNotFound when it is not heard in time, LinkRefused
        where it is paired already, Unpaired where the pairing failed.
        """
        known = await self._bluez.device(address, self._adapter.name)
        if known is not None and known.is_paired:
            if not again:
                raise LinkRefused(
                    f"{address} is paired already; if it no longer sends, pair it again with "
                    f"`vitals-edge pair {address} --again`"
                )
            await self.remove(address)
        device = await self._wait_for(address, within_s)
        agent = Agent(self._bluez, lambda who: who == device.address, ask)
        await agent.register(is_default=False)
        try:
            await self._bluez.call(device.path, DEVICE, "Pair", within_s=PAIR_S)
        except BusError as error:
            if error.name in REFUSED:
                raise Unpaired(
                    f"{address}: the pairing failed ({error.name.rpartition('.')[2]}); put the "
                    "instrument into pairing mode, mind the passkey, and try again"
                ) from error
            if error.name != ALREADY:
                raise
        finally:
            agent.cancel()
        await self._bluez.set(device.path, DEVICE, "Trusted", Variant("b", True))
        # By its path: the bond tells the lasting address of one that was heard from a private one.
        paired = next((each for each in await self._devices() if each.path == device.path), None)
        await self._hang_up(device)
        return paired or device

    async def remove(self, address: str) -> None:
        """Forget an instrument and its bond; LinkNotFound where it is not known."""
        device = await self._bluez.device(address, self._adapter.name)
        if device is None:
            raise LinkNotFound(f"{address} is not known on {self._adapter.name}")
        await self._bluez.call(
            self._adapter.path, ADAPTER, "RemoveDevice", device.path, signature="o"
        )

    async def _wait_for(self, address: str, within_s: float) -> Device:
        """Return an instrument that is heard now."""
        try:
            async with asyncio.timeout(within_s), _Scan(self._bluez, self._adapter):
                while True:
                    device = await self._bluez.device(address, self._adapter.name)
                    if device is not None and device.rssi is not None:
                        return device
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            raise LinkNotFound(
                f"{address} was not heard within {within_s:g} s; switch it on, or put it into "
                "pairing mode, within a few metres of this machine"
            ) from error

    async def _hang_up(self, device: Device) -> None:
        """Leave the instrument to the service, which waits to hear it."""
        try:
            await self._bluez.call(device.path, DEVICE, "Disconnect")
        except LinkError:
            return  # it has hung up by itself

    async def _devices(self) -> list[Device]:
        name = self._adapter.name
        return [each for each in await self._bluez.devices() if each.adapter == name]


class _Scan:
    """Discovery on this connection; other programs' scans go on beside it."""

    def __init__(self, bluez: Bluez, adapter: Adapter) -> None:
        self._bluez = bluez
        self._path = adapter.path

    async def __aenter__(self) -> None:
        le = {"Transport": Variant("s", "le")}
        await self._bluez.call(self._path, ADAPTER, "SetDiscoveryFilter", le, signature="a{sv}")
        await self._bluez.call(self._path, ADAPTER, "StartDiscovery")

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._bluez.call(self._path, ADAPTER, "StopDiscovery")
        except LinkError:
            return  # it ended with the adapter or the bus
