"""The one scanner of a radio: it listens for as long as the service lives, and says who is heard.

A connection is tried only from an advertisement that is fresh: what an instrument said before may
be of a minute ago, and it has gone back to sleep since. BlueZ tells of every change of a device in
the same way; of an enrolled one, a change of its state (it was disconnected, its services are
known) is told from an advertisement.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDBusError, BleakError

from drivers.errors import LinkRefused
from drivers.model import Instant

BEGIN_S = 20.0  # for bluetoothd to begin or end a scan; it may have to switch the controller on
STATE = ("Connected", "ServicesResolved", "Paired", "Bonded", "Trusted", "Blocked", "Alias")
IN_PROGRESS = "org.bluez.Error.InProgress"


class Scanner:
    """Listens on one adapter; `heard` and `count` are of anybody's advertisements."""

    def __init__(self, now: Callable[[], Instant], enrolled: frozenset[str]) -> None:
        self.heard: Instant | None = None
        self.count = 0
        self.seen: dict[str, Instant] = {}  # enrolled instruments, when they were last heard
        self._now = now
        self._enrolled = enrolled
        self._scanner: BleakScanner | None = None
        self._states: dict[str, tuple[object, ...]] = {}
        self._waiting: dict[str, asyncio.Future[BLEDevice]] = {}

    @property
    def is_listening(self) -> bool:
        """Whether a scan was begun and not ended; not whether anything is heard."""
        return self._scanner is not None

    async def begin(self, adapter: str) -> None:
        """Listen, or raise LinkRefused with BlueZ's reason."""
        if self._scanner is not None:
            return
        scanner = BleakScanner(self._detected, bluez={"adapter": adapter})
        try:
            async with asyncio.timeout(BEGIN_S):
                await scanner.start()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            raise LinkRefused(f"{adapter} does not begin to scan: {_why(error)}") from error
        self._scanner = scanner

    async def end(self) -> None:
        """Stop listening; what BlueZ says to that is of no use to anybody. May be repeated."""
        scanner, self._scanner = self._scanner, None
        if scanner is None:
            return
        try:
            async with asyncio.timeout(BEGIN_S):
                await scanner.stop()
        except (BleakError, OSError, EOFError, TimeoutError, AssertionError, ValueError):
            return  # the adapter or the bus is gone, and the scan with it

    async def next(self, address: str) -> BLEDevice:
        """Return an enrolled instrument when it is heard the next time from now on."""
        waiting = self._waiting.get(address)
        if waiting is None or waiting.done():
            waiting = asyncio.get_running_loop().create_future()
            self._waiting[address] = waiting
        try:
            return await asyncio.shield(waiting)
        finally:
            if not waiting.done():
                waiting.cancel()
            self._waiting.pop(address, None)

    def met(self, address: str) -> None:
        """Take note that a connection was tried: what is told of it next may be its end."""
        self._states[address] = ()

    def _detected(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        said: Mapping[str, Any] = advertisement.platform_data[1]  # `device` is as it was first seen
        # That of the bond, once there is one: `device` keeps the address it was first heard from.
        address = str(said.get("Address", device.address)).upper()
        heard = self._advertises(address, said)
        if said.get("Connected"):
            # BlueZ connects to some that are paired by itself; then they do not advertise.
            heard = bool(said.get("Paired")) and address in self._waiting
        if not heard:
            return
        self.heard = self._now()
        self.count += 1
        if address not in self._enrolled:
            return
        self.seen[address] = self.heard
        waiting = self._waiting.get(address)
        if waiting is not None and not waiting.done():
            waiting.set_result(device)

    def _advertises(self, address: str, said: Mapping[str, Any]) -> bool:
        """Tell an advertisement of an enrolled instrument from a change of its state."""
        if address not in self._enrolled:
            return True
        state = tuple(said.get(name) for name in STATE)
        before = self._states.get(address)
        self._states[address] = state
        return before is None or before == state


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, BleakDBusError) and error.dbus_error == IN_PROGRESS:
        return "bluetoothd is still busy with an earlier scan (InProgress)"
    return str(error) or type(error).__name__
