"""Puts a virtual instrument behind a GATT server on the virtual radio.

It advertises only while the instrument calls for a connection. What it indicates waits for its
confirmation, and only then leaves the instrument's memory.
"""

import asyncio
from collections import deque
from contextlib import suppress

from bumble.controller import Controller
from bumble.core import ConnectionError as RadioError
from bumble.device import Connection, Device
from bumble.hci import Address, HCI_Error, HCI_LE_Set_Random_Address_Command

from drivers.contract import Clock
from drivers.transports.memory_gatt import Sent
from drivers.virtual.bluetooth import advertising
from drivers.virtual.bluetooth.manners import NEED_PASSKEY, PLAIN, Drop, Manners
from drivers.virtual.bluetooth.radio import (
    Air,
    Deaf,
    InstrumentKeys,
    OneBond,
    new_radio,
    pair_by,
)
from drivers.virtual.bluetooth.server import Instrument, InstrumentServer
from drivers.virtual.gatt.table import advertised

TICK_S = 0.05
INTERVAL_MS = 60.0
NS = 1_000_000_000


class RadioPeripheral:
    """One instrument on the air, from `power_on` on."""

    def __init__(
        self,
        instrument: Instrument,
        clock: Clock,
        air: Air,
        manners: Manners = PLAIN,
        address: str | None = None,
    ) -> None:
        self.instrument = instrument
        self.keys = InstrumentKeys(manners)
        self.address = address or instrument.peer.address
        self.connections = 0
        self._adverts = 0  # for how many ticks it has been advertising
        self._manners = manners
        self._clock = clock
        self._begin_ns = clock.now().mono_ns
        self._device = new_radio(
            air,
            instrument.peer.name or "",
            self.address,
            is_private=manners.has_private_address,
            controller=Controller if manners.answers_connect else Deaf,
        )
        if manners.holds_one_bond:
            self._device.keystore = OneBond()
        pair_by(self._device, self.keys, needs_passkey=manners.pairing in NEED_PASSKEY)
        self._server = InstrumentServer(self._device, instrument, manners.pairing, self._asked)
        self._device.gatt_server.max_mtu = manners.mtu
        self._device.on(Device.EVENT_CONNECTION, self._connected)
        self._connection: Connection | None = None
        self._talking: asyncio.Task[None] | None = None
        self._calling: asyncio.Task[None] | None = None
        self._advertising = asyncio.Lock()
        self._one_at_a_time = asyncio.Lock()
        self._news = asyncio.Event()
        self._drops = deque([manners.drops] * manners.drop_times)
        self._told = 0  # how many forms of the advertisement
        self._is_in_range = True
        self._is_on = False

    @property
    def is_connected(self) -> bool:
        """Whether somebody is connected."""
        return self._connection is not None

    @property
    def bonds(self) -> int:
        """With how many hosts it is bonded."""
        return len(self._bonds)

    async def power_on(self) -> None:
        """Begin."""
        self._is_on = True
        await self._device.power_on()
        self._calling = asyncio.ensure_future(self._call())

    async def power_off(self) -> None:
        """End."""
        self._is_on = False
        if self._calling is not None:
            # To its end: a command to the controller must not be left without who waits for it.
            await self._calling
        await self._hang_up()
        await self._device.stop_advertising()
        await self._device.power_off()

    async def advertised(self, ticks: int) -> None:
        """Return when it has been advertising for so many ticks from now on."""
        until = self._adverts + ticks
        while self._adverts < until:
            await self._clock.sleep(TICK_S)

    async def connected(self, times: int) -> None:
        """Return when it has been connected to so many times in all."""
        while self.connections < times:
            await self._clock.sleep(TICK_S)

    async def left_bonded(self) -> None:
        """Return when it has a bond and nobody is connected."""
        while self.is_connected or not self.bonds:
            await self._clock.sleep(TICK_S)

    async def go_away(self) -> None:
        """Be carried out of range."""
        self._is_in_range = False
        await self._hang_up()

    def come_back(self) -> None:
        """Be carried into range again."""
        self._is_in_range = True

    async def change_address(self) -> None:
        """Go by another of its private addresses; not while it is connected."""
        async with self._advertising:
            self._told = 0
            await self._device.stop_advertising()
            address = Address.generate_private_address(self._device.irk)
            await self._device.send_sync_command(
                HCI_LE_Set_Random_Address_Command(random_address=address)
            )
            self._device.random_address = address

    def forget_bonds(self) -> None:
        """Lose all bonds, as when the battery is changed."""
        self._bonds.clear()

    @property
    def _bonds(self) -> dict[str, object]:
        return getattr(self._device.keystore, "all_keys", {})

    def _elapsed_s(self) -> float:
        return (self._clock.now().mono_ns - self._begin_ns) / NS

    async def _call(self) -> None:
        """Advertise while the instrument calls, whenever nobody is connected."""
        forms = [self._advertisement(named=True)]
        if self._manners.names_itself_later:
            forms.insert(0, self._advertisement(named=False))
        while self._is_on:
            async with self._advertising:
                if self._wants_to_be_heard():
                    self._adverts += 1
                    if self._told < len(forms):
                        self._told += 1
                        await self._advertise(forms[self._told - 1])
                elif self._device.is_advertising:
                    self._told = 0
                    await self._device.stop_advertising()
            await self._clock.sleep(TICK_S)

    async def _advertise(self, data: bytes) -> None:
        await self._device.start_advertising(
            advertising_data=data,
            advertising_interval_min=INTERVAL_MS,
            advertising_interval_max=INTERVAL_MS,
        )

    def _wants_to_be_heard(self) -> bool:
        if self._connection is not None:
            return False
        return self.instrument.calls(self._elapsed_s()) and self._is_in_range

    def _advertisement(self, *, named: bool) -> bytes:
        name = self.instrument.peer.name if named else None
        return advertising.written(name, advertised(self.instrument.table))

    def _connected(self, connection: Connection) -> None:
        self.connections += 1
        self._told = 0  # a connection ends the advertising
        self._connection = connection
        self.instrument.connect()
        connection.on(Connection.EVENT_DISCONNECTION, self._disconnected)
        connection.on(Connection.EVENT_CONNECTION_ATT_MTU_UPDATE, self._discovered)
        if self._manners.asks_for_security:
            connection.request_pairing()
        self._talking = asyncio.ensure_future(self._talk(connection))

    def _disconnected(self, _reason: int) -> None:
        self._connection = None
        if self._talking is not None:
            self._talking.cancel()

    def _discovered(self) -> None:
        """Drop the host if it is to be: it has agreed on a size and looks at what is there."""
        if self._drops and self._drops[0] is Drop.DURING_DISCOVERY:
            self._drops.popleft()
            self._drop_soon()

    async def _talk(self, connection: Connection) -> None:
        # A cancellation alone is not enough: Python 3.11's wait_for, in Bumble, may swallow it.
        while self._connection is connection:
            await self._say_what_is_due(connection)
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._news.wait()

    async def _say_what_is_due(self, connection: Connection) -> None:
        async with self._one_at_a_time:
            while self._connection is connection:
                sent = self.instrument.due(self._elapsed_s())
                if not sent:
                    break
                for each in sent:
                    await self._send(connection, each)
            if self._connection is connection and self.instrument.has_hung_up:
                await self._hang_up()

    async def _asked(self) -> None:
        """Have what is due now said, before the answer by one whose answers are late."""
        if self._manners.answers_late and self._connection is not None:
            await self._say_what_is_due(self._connection)
        self._news.set()

    async def _send(self, connection: Connection, sent: Sent) -> None:
        drops = self._drops and self._drops[0] is Drop.BEFORE_CONFIRMATION
        if drops and self._server.awaits(connection, sent):
            self._drops.popleft()
            sending = asyncio.ensure_future(self._server.send(connection, sent))
            await asyncio.sleep(0)
            try:
                await self._hang_up()
            finally:
                sending.cancel()
        elif await self._server.send(connection, sent) and sent.is_indication:
            self.instrument.confirm(sent)

    def _drop_soon(self) -> None:
        dropping = asyncio.ensure_future(self._hang_up())
        self._talking, before = dropping, self._talking
        if before is not None:
            before.cancel()

    async def _hang_up(self) -> None:
        if self._connection is not None:
            with suppress(RadioError, HCI_Error):
                await self._connection.disconnect()
