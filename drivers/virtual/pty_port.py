"""Carries a virtual instrument on a pseudo-terminal, which a driver opens as a serial port.

A pty has no speed, no parity and an end: it takes 20,480 bytes and then none, where a UART would
lose them. So the bytes are let go at wire rate, damaged here if that is asked for, never waited
for, and what a full pty refuses is counted as overrun. A pty remembers the baud that somebody set,
though, so one that `minds_baud` sends what a port of that speed would have heard.
"""

import asyncio
import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from drivers.contract import Clock, SerialLine
from drivers.transports.damage import NONE, Damage, Damager, as_heard
from drivers.virtual.instrument import VirtualInstrument
from drivers.virtual.wire import Wire

NS = 1_000_000_000
TICK_S = 0.01
READ_BYTES = 4096
BAUDS = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[:1] == "B" and name[1:].isdigit()
}


class PtyPort:
    """One instrument on one pty; `path` is what a driver opens, a symlink to it if `link` is given.

    Closing it is unplugging the cable: whoever has the port open loses the link.
    """

    def __init__(
        self,
        virtual: VirtualInstrument,
        line: SerialLine,
        *,
        link: Path | None = None,
        damage: Damage = NONE,
        seed: int = 0,
        minds_baud: bool = False,
    ) -> None:
        self._virtual = virtual
        self._line = line
        self._minds_baud = minds_baud
        self._wire = Wire(line)
        self._damager = Damager(damage, seed)
        self._link = link
        # The far end stays open here too: an instrument goes on whether somebody listens or not.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.overrun = 0
        if link is not None:
            link.unlink(missing_ok=True)
            link.symlink_to(self.path)
            self.path = str(link)

    def __enter__(self) -> Self:
        """Return the port."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the port."""
        self.close()

    def close(self) -> None:
        """Unplug. May be repeated."""
        if self._master < 0:
            return
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)
        self._master = -1

    async def run(self, clock: Clock) -> None:
        """Let the instrument speak and hear in the time of a clock, until cancelled or closed."""
        begin_ns = clock.now().mono_ns
        while self._master >= 0:
            self.step((clock.now().mono_ns - begin_ns) / NS)
            await clock.sleep(TICK_S)

    def step(self, elapsed_s: float) -> None:
        """Carry what is due by now, in both directions."""
        self._wire.put(self._virtual.due(elapsed_s), elapsed_s)
        heard = self._heard()
        if heard:
            self._wire.put(self._virtual.hear(heard), elapsed_s)
        self._send(self._damager.through(self._at_their_baud(self._wire.take(elapsed_s))))

    def _at_their_baud(self, data: bytes) -> bytes:
        baud = BAUDS.get(termios.tcgetattr(self._slave)[5])
        if not (self._minds_baud and data and baud) or baud == self._line.baud:
            return data
        return as_heard(data, self._line, replace(self._line, baud=baud))

    def _heard(self) -> bytes:
        try:
            return os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return b""

    def _send(self, data: bytes) -> None:
        taken = 0
        with suppress(BlockingIOError):
            while taken < len(data):
                taken += os.write(self._master, data[taken:])
        self.overrun += len(data) - taken


@contextmanager
def on_a_thread(port: PtyPort, clock: Clock) -> Iterator[PtyPort]:
    """Run a port on a thread of its own, for programs whose own loop is busy or not asyncio's."""
    loop = asyncio.new_event_loop()
    running = loop.create_task(port.run(clock))

    def carry() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(running)

    thread = Thread(target=carry, name=f"virtual instrument on {port.path}")
    thread.start()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(running.cancel)
        thread.join()
        loop.close()
        port.close()
