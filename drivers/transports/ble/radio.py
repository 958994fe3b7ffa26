"""One adapter: a scanner that always listens, one connection made at a time, and its own repair.

Health is what was heard. The adapter is looked at every few seconds, and what is wrong with it is
said in words; that nothing is heard although all seems well is what the ladder is for.

While a connection is made the scan rests: the controllers of small computers do one or the other.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dbus_fast import Variant

from drivers.contract import Clock, Write
from drivers.errors import LinkError, LinkLost, LinkNotFound
from drivers.model import Instant
from drivers.transports.ble.agent import Agent, Ask
from drivers.transports.ble.bus import ADAPTER, DEVICE, Bluez, BusGone
from drivers.transports.ble.ladder import ENDS_CONNECTIONS, Ladder, Limits, Step
from drivers.transports.ble.link import CONNECT_S, BleLink
from drivers.transports.ble.scanner import Scanner

log = logging.getLogger(__name__)

LOOK_S = 5.0
OFF_S = 2.0  # an adapter is off for so long before it is switched on again
ATTEMPTS = 3
NOT_SCANNING_S = 30.0  # the kernel ends a scan every ten seconds and bluetoothd begins it again
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class News:
    """Something the radio did to itself, or that happened to it: `step` and why."""

    at: Instant
    step: str
    text: str


@dataclass(frozen=True, slots=True)
class RadioHealth:
    """How the radio is: `trouble` is a whole sentence, empty where nothing is known to be wrong."""

    adapter: str | None = None
    heard: Instant | None = None
    advertisements: int = 0
    connections: int = 0
    trouble: str = ""


Tell = Callable[[News], Awaitable[None]]


class Radio:
    """Listens and repairs while `run` runs; `open` connects to an enrolled instrument."""

    def __init__(
        self,
        clock: Clock,
        enrolled: frozenset[str],
        limits: Limits,
        tell: Tell,
        adapter: str | None = None,
    ) -> None:
        self.bluez = Bluez()
        self.scanner = Scanner(clock.now, enrolled)
        self.agent: Agent | None = None
        self.connect_s = CONNECT_S  # how long one attempt may take
        self._clock = clock
        self._limits = limits
        self._tell = tell
        self._wanted = adapter
        self._adapter: str | None = None  # its path, while it is there
        self._turn = asyncio.Lock()  # of the adapter: one connects, or one looks after it
        self._ladder = Ladder(limits, clock.now().mono_ns)
        self._trouble = ""
        self._scanning_ns = clock.now().mono_ns
        self._links: set[BleLink] = set()
        self._met: set[str] = set()  # instruments that nobody before us has left connected
        self._data_ns: int | None = None

    @property
    def health(self) -> RadioHealth:
        """How it is now."""
        return RadioHealth(
            adapter=self._name,
            heard=self.scanner.heard,
            advertisements=self.scanner.count,
            connections=len(self._links),
            trouble=self._trouble or (_WHY[Step.ALARM] if self._ladder.is_alarmed else ""),
        )

    def answer_pairing(self, may_pair: Callable[[str], bool], ask: Ask) -> None:
        """Be the agent whom BlueZ asks when an instrument wants to pair."""
        self.agent = Agent(self.bluez, may_pair, ask)

    async def run(self) -> None:
        """Listen until cancelled, whatever happens to adapter, daemon and bus."""
        try:
            while True:
                async with self._turn:
                    await self._look_after_safely()
                await self._clock.sleep(LOOK_S)
        finally:
            await asyncio.shield(self.scanner.end())
            self.bluez.close()

    @asynccontextmanager
    async def open(
        self, address: str, now: Callable[[], Instant], granted: frozenset[Write]
    ) -> AsyncIterator[BleLink]:
        """Connect when the instrument is heard, however long that takes, and hang up afterwards.

        LinkNotFound where it is heard again and again and does not answer, Unpaired where it does
        not take us for its hub.
        """
        link = await self._connected(address, now, granted)
        self._links.add(link)
        try:
            yield link
        finally:
            self._links.discard(link)
            await asyncio.shield(link.close())

    # ---- connecting

    async def _connected(
        self, address: str, now: Callable[[], Instant], granted: frozenset[Write]
    ) -> BleLink:
        await self._hang_up_what_was_left(address)
        reason = "the adapter is gone"
        for _ in range(ATTEMPTS):
            device = await self.scanner.next(address)
            async with self._turn:
                if self._name is None:
                    continue
                link = BleLink(device, self._name, self._data(now), granted, self.connect_s)
                try:
                    await self._connect_alone(link)
                except LinkLost as error:
                    reason = str(error)
                else:
                    return link
        raise LinkNotFound(f"{address} is heard and cannot be reached: {reason}")

    async def _connect_alone(self, link: BleLink) -> None:
        """Connect while nothing else is done; whatever fails, nothing of it is left."""
        try:
            await self.scanner.end()
            self.scanner.met(link.peer.address)
            await link.connect()
            await self._scan_on()
        except BaseException:
            await asyncio.shield(asyncio.gather(link.close(), self._scan_on()))
            raise

    def _data(self, now: Callable[[], Instant]) -> Callable[[], Instant]:
        """Return a clock that notes that something came: a value is a sign of life too."""

        def noted() -> Instant:
            at = now()
            self._data_ns = at.mono_ns
            return at

        return noted

    async def _hang_up_what_was_left(self, address: str) -> None:
        """End a connection that a hub before this one left open: it would never be heard again.

        Once for each instrument: a later one is that of an operator who pairs it.
        """
        if address in self._met:
            return
        try:
            device = await self.bluez.device(address)
            if device is not None and device.is_connected:
                await self.bluez.call(device.path, DEVICE, "Disconnect")
            self._met.add(address)
        except LinkError as error:
            log.info("%s: %s", address, error)  # the radio itself says what is wrong with it

    async def _scan_on(self) -> None:
        try:
            if self._name is not None:
                await self.scanner.begin(self._name)
        except LinkError as error:
            self._trouble = str(error)

    # ---- looking after the adapter

    @property
    def _name(self) -> str | None:
        return self._adapter.rpartition("/")[2] if self._adapter else None

    async def _look_after_safely(self) -> None:
        """Look after it; a fault of ours must not end what the hub does besides."""
        try:
            await self._look_after()
        except Exception:
            self._trouble = "the hub failed to look after its radio; see the log"
            log.exception("radio: failed")

    async def _look_after(self) -> None:
        """See how the adapter is, and do one thing about it."""
        try:
            await self._make_ready()
        except LinkError as error:
            await self._lost(error)
        now = self._clock.now().mono_ns
        heard = [ns for ns in (self._heard_ns(), self._data_ns) if ns is not None]
        self._ladder, step = self._ladder.look(
            now,
            max(heard, default=None),
            is_stuck=self._adapter is not None and bool(self._trouble),
            is_busy=bool(self._links),
        )
        if step is not None:
            await self._take(step)

    def _heard_ns(self) -> int | None:
        return None if self.scanner.heard is None else self.scanner.heard.mono_ns

    async def _make_ready(self) -> None:
        """Have an adapter that is there, on, and scanning; LinkError says what is in the way."""
        if self._adapter is None:
            found = await self.bluez.adapter(self._wanted)
            if self.agent is not None:
                await self.agent.register(is_default=True)
            await self._news("found", f"Bluetooth adapter {found.name}")
            self._adapter = found.path
        now = await self.bluez.adapter_now(self._adapter)
        if not now.is_powered:
            await self.scanner.end()
            await self.bluez.set(self._adapter, ADAPTER, "Powered", Variant("b", True))
            await self._news("switched-on", f"{now.name} was off")
        at = self._clock.now().mono_ns
        if now.is_discovering or not self.scanner.is_listening:
            self._scanning_ns = at
        elif at - self._scanning_ns > NOT_SCANNING_S * NS:
            self._scanning_ns = at
            await self._news(Step.RESTART_SCAN, f"{now.name} has stopped scanning")
            await self.scanner.end()
        await self.scanner.begin(now.name)
        if self._trouble:
            log.info("radio: %s scans", now.name)
        self._trouble = ""

    async def _lost(self, error: LinkError) -> None:
        told, self._trouble = self._trouble, str(error)
        if isinstance(error, BusGone | LinkNotFound):
            await self.scanner.end()
            self._adapter = None
            self._met.clear()
        if told != self._trouble:
            await self._news("trouble", self._trouble)

    # ---- the ladder

    async def _take(self, step: Step) -> None:
        if step is Step.RECOVERED:
            await self._news(step, "instruments or others are heard again")
            return
        await self._news(step, _WHY[step])
        if step is Step.ALARM:
            return
        try:
            await self.scanner.end()
            if step in ENDS_CONNECTIONS:
                await self._repair(step)
            await self._make_ready()
        except LinkError as error:
            await self._lost(error)

    async def _repair(self, step: Step) -> None:
        if step is Step.RESTART_DAEMON:
            await self.bluez.restart_daemon()
            self._adapter = None
            await self._clock.sleep(OFF_S)
        elif self._adapter is not None:
            for on in (False, True):
                await self.bluez.set(self._adapter, ADAPTER, "Powered", Variant("b", on))
                await self._clock.sleep(OFF_S)

    async def _news(self, step: str, text: str) -> None:
        log.warning("radio: %s: %s", step, text)
        await self._tell(News(self._clock.now(), step, text))


_WHY = {
    Step.RESTART_SCAN: "nothing was heard from anybody: the scan is begun anew",
    Step.POWER_CYCLE: "still nothing was heard: the adapter is switched off and on",
    Step.RESTART_DAEMON: "still nothing was heard: bluetoothd is restarted",
    Step.ALARM: "nothing is heard by radio, and nothing this hub may do has helped: look at the "
    "adapter, its antenna, and whether anything that sends is near",
}
