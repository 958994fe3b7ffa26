"""A bench: a private bus, `org.bluez` on it, and instruments on the air.

async with Ward(folder, clock) as ward:
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)))
    ... # DBUS_SYSTEM_BUS_ADDRESS is ward.address
"""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from drivers.contract import Clock
from drivers.errors import SettingsError
from drivers.virtual.bluetooth.aftermath import befall
from drivers.virtual.bluetooth.bluez import Bluez
from drivers.virtual.bluetooth.bus import PrivateBus
from drivers.virtual.bluetooth.manners import PLAIN, Manners
from drivers.virtual.bluetooth.peripheral import RadioPeripheral
from drivers.virtual.bluetooth.radio import Air
from drivers.virtual.bluetooth.scenarios import Scenario
from drivers.virtual.bluetooth.server import Instrument

_NEXT_DOOR = 0x80  # in the last octet of an address


class Ward:
    """All of it, from the beginning of the block to its end."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.bus = PrivateBus(folder)
        self._clock = clock
        self._air = Air()
        self.bluez = Bluez(self._air)
        self._instruments: list[RadioPeripheral] = []
        self._to_come: list[asyncio.Task[None]] = []

    @property
    def address(self) -> str:
        """The address of the bus, for DBUS_SYSTEM_BUS_ADDRESS."""
        return self.bus.address

    async def add(
        self, instrument: Instrument, manners: Manners = PLAIN, address: str | None = None
    ) -> RadioPeripheral:
        """Put an instrument on the air, at its own address if none is given; its second 0 is now.

        No two may have one address.
        """
        peripheral = RadioPeripheral(instrument, self._clock, self._air, manners, address)
        if any(each.address == peripheral.address for each in self._instruments):
            raise SettingsError(f"{peripheral.address} is on the air; give it another address")
        await peripheral.power_on()
        self._instruments.append(peripheral)
        return peripheral

    async def play(self, scenario: Scenario, address: str | None = None) -> list[RadioPeripheral]:
        """Put a scenario on the air: its instrument, and whatever is beside it."""
        ours = await self.add(scenario.plays(), scenario.manners, address)
        if scenario.then is not None:
            befalling = befall(ours, scenario.then, self.bluez.adapter, self._air)
            self._to_come.append(asyncio.ensure_future(befalling))
        if scenario.beside is None:
            return [ours]
        first, _, last = ours.address.rpartition(":")
        next_door = f"{first}:{int(last, 16) ^ _NEXT_DOOR:02X}"
        return [ours, await self.add(scenario.beside(), PLAIN, next_door)]

    async def befallen(self) -> None:
        """Return when all has happened that scenarios have happen after a connection."""
        await asyncio.gather(*self._to_come)

    async def restart_daemon(self) -> None:
        """Have bluetoothd crash and come again."""
        await self.bluez.stop()
        await self.bluez.start(self.address)

    async def kill_bus(self) -> None:
        """Have the message bus die, and with it everybody's connection to it."""
        self.bus.kill()
        await self.bluez.stop()

    async def start_bus(self) -> None:
        """Have the bus again, at the same address, and bluetoothd on it."""
        self.bus.start()
        await self.bluez.start(self.address)

    async def __aenter__(self) -> Self:
        """Start the bus and bluetoothd."""
        self.bus.start()
        await self.bluez.start(self.address)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything."""
        for each in self._to_come:
            each.cancel()
        await asyncio.gather(*self._to_come, return_exceptions=True)
        for instrument in self._instruments:
            await instrument.power_off()
        await self.bluez.stop()
        self.bus.stop()
