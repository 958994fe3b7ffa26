"""The hub as a service: a station, its publisher, its people and its door to them.

Everything runs until it is cancelled; then what waits stays in the store, and the record system is
told that the hub went in order. A task that fails for a reason nobody foresaw ends the service: the
system starts it again, and what was durable is still there.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from msgspec.structs import replace

from drivers.model import Instant
from edge.clock import utc
from edge.contract.messages import DeviceState, DeviceStatus, Live
from edge.control import Control
from edge.desk import Desk
from edge.events import CloseReason
from edge.health import LinkState
from edge.observation import Moment, Origin
from edge.plan import Plan
from edge.publish.publisher import Publisher
from edge.station import Station
from edge.supervisor import Supervisor

log = logging.getLogger(__name__)

IDLE_LOOK_S = 5.0
DEVICES_LOOK_S = 1.0
PREVIEW_S = 1.0
COUNTERS_S = 60.0  # how old the counters in a retained status may get

_PRESENCE = {
    LinkState.ABSENT: DeviceState.ABSENT,
    LinkState.AWAITED: DeviceState.ABSENT,
    LinkState.OPENING: DeviceState.ABSENT,
    LinkState.SILENT: DeviceState.PRESENT,
    LinkState.STREAMING: DeviceState.PRESENT,
    LinkState.WRONG: DeviceState.FAULT,
    LinkState.REFUSED: DeviceState.FAULT,
}


class Service:
    """The tasks of a hub; `more` are those that only some hubs have."""

    def __init__(
        self,
        station: Station,
        plans: Sequence[Plan],
        publisher: Publisher,
        desk: Desk,
        door: Control,
        more: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
    ) -> None:
        self._station = station
        self._plans = plans
        self._publisher = publisher
        self._desk = desk
        self._door = door
        self._more = more

    async def run(self) -> None:
        """Run until cancelled."""
        station = self._station
        await station.begin()
        log.info("hub %s started, run %s", station.ways.hub.name, station.ways.run)
        tasks: list[Coroutine[Any, Any, None]] = [
            self._publisher.run(),
            self._door.run(),
            self._feed(),
            self._end_idle_visits(),
            self._tell_of_devices(),
            self._show_previews(),
            station.accept_for_ever(),
            station.mind_the_clock(),
            station.keep_house(),
            *(task() for task in self._more),
            *(station.add(plan).run() for plan in self._plans),
        ]
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(task)

    async def _feed(self) -> None:
        """Tell the publisher when something new waits."""
        while True:
            await self._station.accepted.wait()
            self._station.accepted.clear()
            self._publisher.wake()

    async def _tell_of_devices(self) -> None:
        """Publish how each instrument is, whenever that changes."""
        told: dict[str, DeviceStatus] = {}
        station = self._station
        while True:
            now = station.clock.now()
            for name, supervisor in station.supervisors.items():
                status = _status_of(supervisor, now, station.ways.run)
                if name not in told or _is_news(told[name], status):
                    if name not in told or told[name].link != status.link:
                        log.info("%s: %s %s", name, status.link, status.reason or "")
                    told[name] = status
                    self._publisher.device_status(name, status)
            await station.clock.sleep(DEVICES_LOOK_S)

    async def _show_previews(self) -> None:
        """Publish what instruments say now, once a second, for displays; never to be filed."""
        shown: dict[tuple[str, str], Moment] = {}
        while True:
            await self._station.clock.sleep(PREVIEW_S)
            for (instrument, _, origin), current in list(self._station.live.values.items()):
                for reading in current.measurement.readings:
                    derived = "" if origin is Origin.MEASURED else f"{origin}-"
                    signal = f"{derived}{reading.metric}"
                    if shown.get((instrument, signal)) == current.at:
                        continue
                    shown[instrument, signal] = current.at
                    preview = Live(
                        at=utc(current.at.wall_ns),
                        unit=reading.unit,
                        status=reading.status,
                        value=reading.value,
                    )
                    self._publisher.live(instrument, signal, preview)

    async def _end_idle_visits(self) -> None:
        while True:
            await self._station.clock.sleep(IDLE_LOOK_S)
            if self._station.is_idle():
                await self._desk.close(CloseReason.IDLE)


def _status_of(supervisor: Supervisor, now: Instant, run: str) -> DeviceStatus:
    seen = supervisor.health.seen_at(now)
    identity = supervisor.intake.identity
    return DeviceStatus(
        state=_PRESENCE[seen.state],
        boot_id=run,
        at=utc(now.wall_ns),
        driver=supervisor.plan.driver,
        model=identity.model,
        serial=identity.serial,
        firmware=identity.firmware,
        reason=seen.reason or None,
        link=seen.state,
        counters={name: n for name, n in supervisor.health.counts.items() if n >= 0},
    )


def _is_news(told: DeviceStatus, status: DeviceStatus) -> bool:
    """Tell whether a status says something that matters now; counters alone can wait a minute."""
    if replace(status, at=told.at, counters=told.counters) != told:
        return True
    waited = status.at - told.at
    return status.counters != told.counters and abs(waited.total_seconds()) >= COUNTERS_S
