"""Carries a virtual instrument on a link inside the process, as `pty_port` does on a pty."""

from drivers.contract import Clock
from drivers.transports.memory import MemoryLink
from drivers.virtual.instrument import VirtualInstrument

TICK_S = 0.05


async def speak(virtual: VirtualInstrument, link: MemoryLink, clock: Clock, seconds: float) -> None:
    """Let the instrument say what is due for so many seconds of the clock, then return.

    Answers come by `MemoryLink(hear=virtual.hear)`.
    """
    for tick in range(1, round(seconds / TICK_S) + 1):
        await clock.sleep(TICK_S)
        link.send(virtual.due(tick * TICK_S))
