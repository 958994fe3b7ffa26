"""Keeps one instrument connected, and tells the truth about it.

Each instrument has a task of its own: what a driver does wrong, or a cable, stays there. Kept raw
bytes of an earlier run go through the driver first, then the link is opened, again and again.
"""

import asyncio
import logging
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast

from drivers.contract import ByteLink, Emit, FileLink, GattLink, Wish, Write
from drivers.errors import (
    DeviceMismatch,
    LinkError,
    LinkLost,
    LinkNotFound,
    LinkRefused,
    SettingsError,
)
from drivers.model import Chunk, Flag, InstrumentId, Item, Kind, Measurement
from drivers.registry import Memory, Remembers
from drivers.transports.memory import KeptLink
from drivers.transports.memory_gatt import KeptGattLink
from drivers.transports.wishes import Wishes
from edge.association import is_stored
from edge.backoff import delays
from edge.clock import NS, Clock
from edge.events import Event, LinkClosed, LinkOpened
from edge.health import Health, LinkState
from edge.heard import Heard, HeardFiles, HeardGatt
from edge.hosting import RecoveringHost, SessionHost
from edge.intake import Intake
from edge.observation import Moment
from edge.plan import AnyLink, Plan
from edge.store import Store, StoreError

log = logging.getLogger(__name__)

IDENTIFIED_S = 15.0  # longer than any driver's questions take, repeated ones too
UNTIMED_MAX = 256  # more than any instrument stores without a time
WRONG_INSTRUMENT_S = 60.0  # somebody must act; look again now and then

Record = Callable[[Event], Awaitable[None]]


class Supervisor:
    """Runs one instrument's driver for as long as the service lives."""

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        store: Store,
        record: Record,
        intake: Callable[[Plan], Intake],
    ) -> None:
        self.plan = plan
        self.health = Health(plan.driver, plan.entry, by_radio=plan.is_awaited)
        self.wishes = Wishes()
        self.intake = intake(plan)
        self._new_intake = intake
        self.clock = clock
        self.store = store
        self._record = record
        self._recovered = False
        self._opened_ns = 0
        self._untimed: deque[bytes] = deque(maxlen=UNTIMED_MAX)  # stored values, of any session

    async def run(self) -> None:
        """Recover, then connect and stay connected; ends only by cancellation or bad settings."""
        waits = delays(seed=_seed(self.plan.name))
        while True:
            heard = self.health.heard_mono_ns
            try:
                await self._recover()
                await self._session()
            except SettingsError as error:
                self._state(LinkState.REFUSED, str(error))
                log.error("%s: %s", self.plan.name, error)  # noqa: TRY400 - the message says it all
                return
            except DeviceMismatch as error:
                self._state(LinkState.WRONG, str(error))
                await self.clock.sleep(WRONG_INSTRUMENT_S)
            except LinkNotFound as error:
                self._state(LinkState.ABSENT, str(error))
            except LinkRefused as error:
                self._state(LinkState.REFUSED, str(error))
            except LinkError as error:
                self._state(LinkState.ABSENT, str(error))
            except StoreError as error:
                self._state(LinkState.REFUSED, str(error))
                log.error("%s: %s", self.plan.name, error)  # noqa: TRY400 - the message says it all
            except Exception:  # a fault of one driver must not end the others
                self.health.counts["driver_faults"] += 1
                self._state(LinkState.ABSENT, "the driver failed; see the log")
                log.exception("%s: driver failed", self.plan.name)
            if self.health.heard_mono_ns != heard:  # it worked for a while: begin anew
                waits = delays(seed=_seed(self.plan.name))
            await self.clock.sleep(next(waits))

    def tell(self, wish: Wish) -> str | None:
        """Hand a person's wish to the instrument; why it cannot be done, None if it is."""
        purpose = Write.START_MEASUREMENT
        if purpose not in self.plan.entry.writes:
            return "it is started at the instrument itself"
        if purpose not in self.plan.granted:
            return f"allow {str(purpose)!r} in its settings first"
        if self.wishes.tell(wish):
            return None
        if not self.wishes.open_to:
            return "it is not connected, or does not answer"
        return "it is measuring already" if wish is Wish.MEASURE else "it is not measuring"

    async def _session(self) -> None:
        self._state(LinkState.AWAITED if self.plan.is_awaited else LinkState.OPENING)
        async with self.plan.open(self.clock.now) as link:
            self._opened_ns = self.clock.now().mono_ns
            self.intake = self._new_intake(self.plan)
            await self._announce()
            self.health.opened(self.clock.now(), getattr(link, "errors", dict))
            log.info("%s: open", self.plan.name)
            try:
                await self._drive(SessionHost(self), self._listened(link), self._emit)
            finally:
                self.intake.room.live.lost(self.plan.name)
                await asyncio.shield(self._closed())

    async def _recover(self) -> None:
        """Send what an earlier run kept and never settled through the driver, with its own times.

        What a driver fails on stays where it is, for whoever mends the driver.
        """
        if self._recovered:
            return
        known = await self.store.kept_identities(self.plan.name)
        for era, chunks in await self.store.unsettled(self.plan.name):
            try:
                await self._recover_era(era, chunks, known)
            except StoreError:
                raise
            except Exception:  # it must not keep the instrument from being used
                self.health.counts["recovery_faults"] += 1
                log.exception("%s: kept bytes could not be recovered", self.plan.name)
        self._recovered = True

    async def _recover_era(
        self,
        era: str,
        chunks: Sequence[tuple[int, Chunk]],
        known: Mapping[int, InstrumentId],
    ) -> None:
        self.intake = intake = self._new_intake(self.plan)
        intake.era = era

        async def emit(item: Item) -> None:
            if isinstance(item, Measurement):
                self._ascribe(intake, [known.get(number) for number in item.kept])
            await self._take(item)

        host = RecoveringHost(self, {id(chunk): number for number, chunk in chunks})
        with suppress(LinkLost):
            kept = KeptGattLink if self.plan.entry.is_gatt else KeptLink
            await self._drive(host, kept(chunk for _, chunk in chunks), emit)
        for number, _ in chunks:
            await self.store.settle(number)

    def _ascribe(self, intake: Intake, kept: Sequence[InstrumentId | None]) -> None:
        """Say whose a recovered value is, from what was known when its bytes were kept."""
        who = set(kept)
        (one,) = who if len(who) == 1 else (None,)
        if one is not None:
            intake.identity = one
        is_proven = self.plan.serial is None or (one is not None and one.serial == self.plan.serial)
        memory = self.plan.entry.memory
        intake.memory = memory if is_proven else _unproven(memory)

    async def _drive(self, host: SessionHost, link: AnyLink, emit: Emit) -> None:
        entry, options = self.plan.entry, self.plan.options
        if entry.leaves_files:
            await entry.file_factory()(host, options).run(cast("FileLink", link), emit)
        elif entry.is_gatt:
            await entry.gatt_factory()(host, options).run(cast("GattLink", link), emit)
        else:
            await entry.factory()(host, options).run(cast("ByteLink", link), emit)

    def _listened(self, link: AnyLink) -> Heard | HeardGatt | HeardFiles:
        if self.plan.entry.leaves_files:
            return HeardFiles(cast("FileLink", link), self._heard)
        if self.plan.entry.is_gatt:
            return HeardGatt(cast("GattLink", link), self._heard)
        return Heard(cast("ByteLink", link), self._heard)

    async def _emit(self, item: Item) -> None:
        if isinstance(item, Measurement) and not self._is_bound(item):
            self.health.counts["before_identity"] += 1
        else:
            await self._take(item)

    async def _take(self, item: Item) -> None:
        stored = isinstance(item, Measurement) and is_stored(item)
        await self.intake.emit(self._compared(item) if stored else item)

    def _compared(self, item: Item) -> Item:
        """Return a stored value, marked where the same bytes without a time came before.

        With a time they are the same value, which the room knows; without one they may be two.
        """
        if not isinstance(item, Measurement) or item.device_time or item.sequence is not None:
            return item
        again = item.raw in self._untimed
        self._untimed.append(item.raw)
        return replace(item, flags=item.flags | {Flag.POSSIBLE_DUPLICATE}) if again else item

    def _is_bound(self, item: Measurement) -> bool:
        """Tell whether a measurement is of the instrument the settings name.

        A stream is let go until the number is known, for it goes on; DeviceMismatch where it does
        not become known, or a value that will not come again depends on it.
        """
        if self.plan.serial in {None, self.intake.identity.serial}:
            return True
        waited_s = (self.clock.now().mono_ns - self._opened_ns) / NS
        streams = self.plan.entry.memory[item.kind].stream is not None and not is_stored(item)
        if streams and waited_s < IDENTIFIED_S:
            return False
        raise DeviceMismatch(
            f"{self.plan.name}: bound to serial {self.plan.serial}, but the instrument has not "
            "given its number; allow 'identify' or remove `serial` from the settings"
        )

    def _heard(self, chunk: Chunk) -> None:
        self.health.heard(chunk, self.clock.now())

    def identified(self, who: InstrumentId) -> None:
        """Take an instrument's identity; DeviceMismatch if it is not the one the settings name."""
        if self.plan.serial is not None and who.serial not in {None, self.plan.serial}:
            raise DeviceMismatch(
                f"{self.plan.name}: another instrument answers ({who.model or who.driver}, "
                f"serial {who.serial}); the settings bind this link to serial {self.plan.serial}"
            )
        self.intake.identity = who if who.serial else replace(who, serial=self.plan.address)

    async def _announce(self) -> None:
        at = self._moment()
        identity = self.intake.identity
        await self._record(LinkOpened(at=at, instrument=self.plan.name, identity=identity))

    async def _closed(self) -> None:
        reason = self.health.reason or "the link is gone"
        await self._record(LinkClosed(at=self._moment(), instrument=self.plan.name, reason=reason))

    def _moment(self) -> Moment:
        return Moment.of(self.clock.now(), self.clock.era)

    def _state(self, state: LinkState, reason: str = "") -> None:
        if state is not self.health.state:
            log.info("%s: %s %s", self.plan.name, state, reason)
        self.health.become(state, reason)


def _unproven(memory: Mapping[Kind, Remembers]) -> Mapping[Kind, Remembers]:
    """Return how values are judged that nobody can prove to be of the instrument bound here.

    They can only be quarantined: its number was not known when their bytes were kept.
    """
    return {kind: replace(known, memory=Memory.BLIND) for kind, known in memory.items()}


def _seed(name: str) -> int:
    return zlib.crc32(name.encode())
