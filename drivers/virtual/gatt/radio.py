"""Carries a virtual peripheral on a link inside the process, in the time of a clock."""

from drivers.contract import Clock
from drivers.transports.memory_gatt import MemoryGattLink

TICK_S = 0.05


async def on_the_air(link: MemoryGattLink, clock: Clock, seconds: float) -> None:
    """Bring what is due for so many seconds, or until the peripheral hangs up; then return."""
    for _ in range(round(seconds / TICK_S)):
        await clock.sleep(TICK_S)
        link.carry()
        if link.is_lost:
            return
