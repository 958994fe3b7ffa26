"""Programs that are started again whenever they die, each life with the death planned for it."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from edge.demo.processes import program_running
from edge.faults import VARIABLE


@dataclass(frozen=True, slots=True)
class Life:
    """One start: to die at a fault point, some time after the start, or not at all."""

    fault: str = ""
    kill_after_s: float | None = None
    pause_s: float = 0.0

    @property
    def point(self) -> str:
        return self.fault.partition(":")[0]

    @property
    def is_doomed(self) -> bool:
        return bool(self.fault) or self.kill_after_s is not None

    def __str__(self) -> str:
        if self.fault:
            return self.fault
        return f"{self.kill_after_s:.2f}s" if self.kill_after_s is not None else "clean"


async def nothing() -> None:
    """Do nothing after a death."""


@dataclass(slots=True)
class Mortal:
    """A program through several lives; after the last one planned it lives on unharmed.

    `after_death` runs while the program is down. `reached` are the fault points it died at;
    `wrong` says in words what no plan explains.
    """

    name: str
    command: Sequence[str]
    folder: Path
    lives: Sequence[Life]
    after_death: Callable[[], Awaitable[None]] = nothing
    reached: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    at_peace: asyncio.Event = field(default_factory=asyncio.Event)  # no death is planned any more
    _hurry: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Live until cancelled, then end in order."""
        for life in self.lives:
            await self._live(life)
        self.at_peace.set()
        await self._live(Life())

    def give_up_on_plans(self) -> None:
        """Let whatever deaths are still planned happen now."""
        self._hurry.set()

    async def _live(self, life: Life) -> None:
        if life.is_doomed and self._hurry.is_set():
            return
        ours = False
        arm = ["env", f"{VARIABLE}={life.fault}"] if life.fault else []
        async with program_running(self.name, [*arm, *self.command], self.folder) as process:
            ending = asyncio.ensure_future(process.wait())
            try:
                if life.is_doomed:
                    ours = await self._doom(life, ending)
                    if ours:
                        with suppress(ProcessLookupError):
                            process.kill()
                code = await ending
            except asyncio.CancelledError:
                ending.cancel()
                raise
        await self._note(life, code, ours=ours)
        await asyncio.sleep(life.pause_s)

    async def _doom(self, life: Life, ending: "asyncio.Future[int]") -> bool:
        """Wait for the life's end; True when it is for us to bring it about."""
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            done, _ = await asyncio.wait(
                {ending, hurry},
                timeout=life.kill_after_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            hurry.cancel()
        return ending not in done

    async def _note(self, life: Life, code: int, *, ours: bool) -> None:
        if code == -signal.SIGKILL:
            self.deaths.append(f"{life}{' (not reached)' if ours and life.fault else ''}")
            if life.fault and not ours:
                self.reached.append(life.point)
        else:
            self.wrong.append(f"{self.name} ended by itself with code {code} in life {life}")
            await asyncio.sleep(1.0)  # it will be started again; not a thousand times a second
        await self.after_death()


def verb(name: str, *arguments: object) -> list[str]:
    """Return the command line of one of our own verbs."""
    return [sys.executable, "-P", "-m", "edge.cli", name, *map(str, arguments)]
