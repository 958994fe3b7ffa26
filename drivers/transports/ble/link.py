"""An open connection to a Bluetooth LE instrument, through bleak.

Values are taken in the callback in which they arrive, and stay whatever becomes of the subscription
or the connection: many a cuff sends what it has and hangs up before BlueZ has said that it is
subscribed to. bluetoothd confirms an indication by itself before any program has seen it; so the
`arrived` of a subscription is called at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice

from drivers.contract import Arrived, Peer, Write, channel_name
from drivers.errors import LinkError, LinkLost, RequestRefused, WriteNotPermitted
from drivers.model import Chunk, Instant
from drivers.transports.ble.bus import is_lasting
from drivers.transports.ble.refusals import BLEAK_FAILS, NOT_FOUND, said_no, unpaired

log = logging.getLogger(__name__)

CONNECT_S = 12.0  # a cuff that was just used advertises for half a minute: time for another try
GRACE_S = 2.0  # for bleak to take back what it began
ANSWER_S = 35.0  # an ATT transaction may take 30 s
PAIRING_S = 90.0  # a subscription may have to wait for a person with a passkey
CLOSE_S = 15.0
MAX_UNREAD_BYTES = 4 << 20  # five minutes of a 12-lead stream that nobody takes


class BleLink:
    """A GattLink; `now` stamps each value as it arrives."""

    def __init__(
        self,
        device: BLEDevice,
        adapter: str,
        now: Callable[[], Instant],
        granted: frozenset[Write],
        connect_s: float = CONNECT_S,
    ) -> None:
        said = device.details.get("props", {})
        address = device.address.upper()
        lasts = is_lasting(address, str(said.get("AddressType", "random")))
        self.peer = Peer(address, is_lasting=lasts, name=device.name)
        self._now = now
        self._granted = granted
        self._chunks: deque[Chunk] = deque()
        self._connect_s = connect_s
        self._unread = 0
        self._news = asyncio.Event()
        self._lost: str | None = None
        self._subscribed: set[str] = set()
        self._client = BleakClient(
            device, self._gone, timeout=connect_s, bluez={"adapter": adapter}
        )

    async def connect(self) -> None:
        """Connect and learn what the instrument has, or raise LinkError; then `close`, always."""
        try:
            async with asyncio.timeout(self._connect_s + GRACE_S):
                await self._client.connect()
        except BLEAK_FAILS as error:
            raise self._translated(error, "connecting") from error

    async def close(self) -> None:
        """Hang up and give back what the connection took: without it a descriptor stays open."""
        self._lost = self._lost or "closed"
        self._news.set()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._client.disconnect()
        except BLEAK_FAILS as error:
            log.info("%s: hanging up: %s", self.peer.address, error)

    @property
    def unread(self) -> int:
        """How many values have arrived and were not taken."""
        return len(self._chunks)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what arrives."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next value; all that arrived before the loss is still delivered."""
        while not self._chunks:
            if self._lost is not None:
                raise LinkLost(f"{self.peer.address}: {self._lost}")
            self._news.clear()
            await self._news.wait()
        chunk = self._chunks.popleft()
        self._unread -= len(chunk.data)
        return chunk

    async def subscribe(self, channel: str, arrived: Arrived | None = None) -> None:
        """Subscribe, by StartNotify: AcquireNotify drops what comes before its answer."""
        characteristic = self._characteristic(channel)

        has_come = False

        def came(_: BleakGATTCharacteristic, data: bytearray) -> None:
            nonlocal has_come
            has_come = True
            self._arrive(Chunk(bytes(data), self._now(), channel), arrived)

        self._subscribed.add(channel)
        try:
            async with asyncio.timeout(PAIRING_S):
                await self._client.start_notify(characteristic, came)
        except BLEAK_FAILS as error:
            failure = self._translated(error, channel, is_subscription=True)
            if not has_come or self._lost is not None:
                raise failure from error
            # It sends, so it is subscribed, whatever the answer was.
            log.info("%s: %s: sends although: %s", self.peer.address, channel, error)

    async def read(self, channel: str) -> Chunk:
        """Read what no subscription sends: BlueZ would report the answer as a notification too."""
        if channel in self._subscribed:
            raise ValueError(f"{channel} is subscribed to and cannot be read as well")
        characteristic = self._characteristic(channel)
        try:
            async with asyncio.timeout(PAIRING_S):
                data = await self._client.read_gatt_char(characteristic)
        except BLEAK_FAILS as error:
            raise self._translated(error, channel) from error
        return Chunk(bytes(data), self._now(), channel)

    async def write(self, purpose: Write, channel: str, data: bytes) -> None:
        """Write, and have it confirmed where the characteristic can be written so."""
        if purpose not in self._granted:
            raise WriteNotPermitted(f"{self.peer.address}: {purpose} is not granted")
        characteristic = self._characteristic(channel)
        confirmed = "write" in characteristic.properties
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._client.write_gatt_char(characteristic, data, response=confirmed)
        except BLEAK_FAILS as error:
            raise self._translated(error, channel) from error

    def _characteristic(self, channel: str) -> BleakGATTCharacteristic:
        """Return the first characteristic of this name: two would be of two services."""
        self._here()
        try:
            found = self._client.services.characteristics.values()
        except BLEAK_FAILS as error:
            raise self._translated(error, channel) from error
        for each in sorted(found, key=lambda each: each.handle):
            if channel_name(each.uuid) == channel:
                return each
        raise RequestRefused(channel, NOT_FOUND)

    def _here(self) -> None:
        if self._lost is not None:
            raise LinkLost(f"{self.peer.address}: {self._lost}")

    def _gone(self, _: BleakClient) -> None:
        self._lost = self._lost or "the instrument hung up or went out of range"
        self._news.set()

    def _arrive(self, chunk: Chunk, arrived: Arrived | None) -> None:
        if self._unread + len(chunk.data) > MAX_UNREAD_BYTES:
            self._lost = self._lost or "it sends faster than this hub takes"
            self._news.set()
            return
        if arrived is not None:
            arrived(chunk)
        self._unread += len(chunk.data)
        self._chunks.append(chunk)
        self._news.set()

    def _translated(
        self, error: BaseException, what: str, *, is_subscription: bool = False
    ) -> Exception:
        """Return what a failure means: the instrument's no, a lost bond, a lost link."""
        address = self.peer.address
        told: LinkError | None = unpaired(error, address, is_subscription=is_subscription)
        if told is not None:
            return told
        code = said_no(error)
        if code is not None and self._lost is None:
            return RequestRefused(what, code)
        reason = self._lost or f"{what}: {str(error) or type(error).__name__}"
        self._lost = self._lost or reason
        self._news.set()
        return LinkLost(f"{address}: {reason}")
