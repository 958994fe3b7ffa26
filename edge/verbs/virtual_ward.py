"""Virtual Bluetooth instruments on a private message bus, for a hub to be tried with.

`vitals-edge virtual ble-blood-pressure ble-oximeter` writes a line that sets
DBUS_SYSTEM_BUS_ADDRESS. In a shell where that was done, whatever uses Bluetooth finds them:
`vitals-edge pair --scan`, or a hub with the link ble:C0:FF:EE:00:00:01. Imported only when they are
asked for.
"""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from drivers.entry import Entry
from drivers.errors import SettingsError
from drivers.virtual.bluetooth.bus import ADDRESS_VARIABLE
from drivers.virtual.bluetooth.piped import PipedInstrument
from drivers.virtual.bluetooth.scenarios import SCENARIOS
from drivers.virtual.bluetooth.server import Instrument
from drivers.virtual.bluetooth.ward import Ward
from edge.clock import NS, SystemClock
from edge.decoding import entry_named

ADDRESS = "C0:FF:EE:00:00:{:02X}"
FIRST_S, EVERY_S, TIMES = 10, 60, 600
MOST = 99


async def run_ward(names: Sequence[str], scenarios: Sequence[str], seed: int) -> int:
    """Have them on the air until told to stop."""
    stopped = asyncio.Event()
    for stop in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop, stopped.set)
    clock = SystemClock()
    numbers = count(1)
    local = datetime.fromtimestamp(clock.now().wall_ns // NS, UTC).replace(tzinfo=None)
    with tempfile.TemporaryDirectory(prefix="vitals-edge-") as folder:
        async with Ward(Path(folder), clock) as ward:
            sys.stdout.write(f"export {ADDRESS_VARIABLE}={ward.address}\n")
            sys.stdout.flush()
            for name in names:
                instrument = virtual_of(entry_named(name), seed, local)
                on_air = await ward.add(instrument, address=ADDRESS.format(next(numbers)))
                tell(entry_named(name).title, on_air.address, name)
            for name in scenarios:
                scenario = SCENARIOS[name]
                address = ADDRESS.format(next(numbers))
                ours, *others = await ward.play(scenario, address)
                tell(f"scenario {name}", ours.address, scenario.driver)
                for other in others:
                    tell(f"scenario {name}, not ours", other.address, scenario.driver)
            await stopped.wait()
    return 0


def check(names: Sequence[str], scenarios: Sequence[str]) -> None:
    """Refuse what cannot be on the air, before anything is started."""
    for name in names:
        entry = entry_named(name)
        if not (entry.is_gatt or entry.pipe):
            raise SettingsError(f"{name} is not reached by Bluetooth LE; start it by itself")
    if unknown := sorted({*scenarios} - {*SCENARIOS}):
        known = ", ".join(SCENARIOS)
        raise SettingsError(f"no scenario is called {', '.join(unknown)}; there are {known}")
    if len(names) + len(scenarios) > MOST:
        raise SettingsError(f"at most {MOST} instruments are on the air at once")


def virtual_of(entry: Entry, seed: int, local: datetime) -> Instrument:
    """Return an instrument that measures every minute, its clock set to the time given."""
    if entry.pipe is not None:
        return PipedInstrument(entry.simulator()(seed), entry.pipe, entry.title)
    ends = tuple(float(FIRST_S + EVERY_S * each) for each in range(TIMES))
    instrument: Instrument = entry.simulator()(
        seed, started=local, hangs_up=True, measure_at_s=ends
    )
    return instrument


def tell(title: str, address: str, driver: str) -> None:
    """Say where one is and which driver it is for."""
    sys.stderr.write(f"{title}: ble:{address}, driver {driver}\n")
