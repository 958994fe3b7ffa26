"""A virtual Bluetooth LE instrument inside the hub's own process, played after a script in a file.

The file is JSON, see `Script`, and may be replaced while the instrument is on: measurements that
were added are started. No file is an instrument that is switched off, or out of range.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from drivers.contract import Write
from drivers.entry import Entry
from drivers.errors import LinkNotFound, SettingsError
from drivers.model import Instant
from drivers.transports.memory_gatt import MemoryGattLink
from drivers.virtual.gatt.peripheral import VirtualPeripheral

TICK_S = 0.05


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is played: the scene of the instrument, and when it is started, on whom.

    `begin_ns` is second 0 on the machine's monotonic clock, the same for all instruments on one
    patient. Each of `starts` is a second and the seed of the patient, None the scene's own.
    """

    begin_ns: int
    seed: int
    scene: dict[str, Any]
    starts: tuple[tuple[float, int | None], ...] = ()

    @staticmethod
    def read(path: Path) -> "Script | None":
        """Return the script in a file, None without a file; SettingsError if it is none."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=Script)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise SettingsError(f"{path}: not a script of a virtual instrument: {error}") from error

    def write(self, path: Path) -> None:
        """Put the script into its file at once."""
        unfinished = path.with_suffix(".new")
        unfinished.write_bytes(msgspec.json.encode(self))
        unfinished.rename(path)


@asynccontextmanager
async def played(
    entry: Entry, path: Path, now: Callable[[], Instant], granted: frozenset[Write] = frozenset()
) -> AsyncIterator[MemoryGattLink]:
    """Open a connection to the instrument of a script; LinkNotFound while there is none."""
    script = Script.read(path)
    if script is None:
        raise LinkNotFound(f"memory:{path}: switched off or out of range")
    peripheral: VirtualPeripheral = entry.simulator()(script.seed, **script.scene)
    begin = Instant(now().wall_ns, script.begin_ns, trusted=False)
    link = MemoryGattLink(peripheral, now, granted, seed=script.seed, begin=begin)
    playing = asyncio.create_task(_play(path, peripheral, link), name=f"memory:{path}")
    try:
        yield link
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


async def _play(path: Path, peripheral: VirtualPeripheral, link: MemoryGattLink) -> None:
    started = 0
    while not link.is_lost:
        script = Script.read(path)
        if script is None:
            link.lose()
            return
        for at_s, who in script.starts[started:]:
            peripheral.start(at_s, who)
        started = len(script.starts)
        link.carry()
        await asyncio.sleep(TICK_S)
