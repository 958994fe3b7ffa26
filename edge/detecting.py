"""Which instrument is at a port: by listening to it, and by asking only where that is allowed.

A port is listened to at each line setting of the registry, the commonest first, with the decoder
of every driver counting at once. A port that says nothing at the first is not tried at the others:
at a wrong baud bytes come too, only wrong ones. A silent port is asked the questions of the
registry, each at its own line, if the caller allows it; one that speaks is asked by its own driver
alone, for its number. VID:PID is no evidence.

sure      when
certain   at least 40 bytes of whole frames, hardly anything else, and no other driver reads them;
          or it answered the question of one driver
likely    at least 16 bytes of frames and not much else
possible  less; or several drivers read it equally well, and all of them are named
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import IntEnum

from drivers.contract import ByteLink, Clock, SerialLine, Write
from drivers.errors import DriverError, LinkLost, LinkNotFound, LinkRefused
from drivers.model import InstrumentId, Item
from drivers.registry import REGISTRY, Entry, LinkKind
from drivers.tally import Tally
from drivers.transports.address import open_link
from drivers.transports.bench import BenchHost
from edge.diagnosis import NOISE_BYTES, why_nothing

CLEAN = 0.95
FAIR = 0.8
POOR = 0.3
MUCH_BYTES = 40
SOME_BYTES = 16
LINE_ERRORS = 0.01  # of the bytes; with more another line setting may fit better
LOOK_S = 0.25
ANSWER_S = 1.0
IDENTITY_S = 4.0
NS = 1_000_000_000


class Sure(IntEnum):
    """How well the evidence speaks for a driver."""

    POSSIBLE = 1
    LIKELY = 2
    CERTAIN = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """One driver at one line setting, and what speaks for it."""

    driver: str
    line: SerialLine
    frames: int
    framed: int
    skipped: int
    fit: float
    answered: bool = False
    sure: Sure = Sure.POSSIBLE


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one port: `candidates` are the best first, `state` is a word for programs."""

    link: str
    state: str  # found, unknown, silent, refused, absent
    reason: str = ""
    candidates: tuple[Candidate, ...] = ()
    identity: InstrumentId | None = None

    @property
    def best(self) -> Candidate | None:
        """Return the driver that fits, if one does."""
        return self.candidates[0] if self.state == "found" else None


@dataclass(frozen=True, slots=True)
class Search:
    """How to look: for how long at each line setting, at which, and whether questions are put."""

    clock: Clock
    seconds: float = 6.0
    ask: bool = False
    lines: tuple[SerialLine, ...] = ()
    registry: dict[str, Entry] = field(
        default_factory=lambda: {
            name: e for name, e in REGISTRY.items() if LinkKind.SERIAL in e.links
        }
    )

    async def at(self, link: str) -> Found:
        """Return what is at a link; nothing that is wrong with it is raised."""
        try:
            return await self._at(link)
        except (LinkNotFound, LinkLost) as error:
            return Found(link, "absent", str(error))
        except LinkRefused as error:
            return Found(link, "refused", str(error))

    async def _at(self, link: str) -> Found:
        heard, reason = await self._listened(link)
        if not heard and not reason and self.ask:
            heard = await self._asked(link)
        candidates = ranked(heard)
        if candidates and candidates[0].fit >= FAIR:
            best = candidates[0]
            return Found(link, "found", "", candidates, await self._identity(link, best))
        if candidates or reason:
            return Found(link, "unknown", reason or "too little of it is understood", candidates)
        more = "" if self.ask else "; --ask puts harmless questions to it"
        return Found(link, "silent", f"nothing was heard; is it on, and its output?{more}")

    async def _listened(self, link: str) -> tuple[list[Candidate], str]:
        """Listen at each line until one is certain; also why nothing of it is understood."""
        found: list[Candidate] = []
        reason = ""
        for number, line in enumerate(self.lines or lines_of(self.registry.values())):
            ears = Ears(self.registry, line)
            try:
                async with open_link(link, line, self.clock.now) as port:
                    await ears.listen(port, self.clock, self.seconds)
            except LinkRefused:
                if number:
                    continue  # this adapter does not know this baud or parity
                raise
            if not ears.heard and not found and not reason:
                break
            found += ears.candidates()
            if ears.is_decided():
                return found, ""
            if ears.heard and not reason:
                reason = ears.complaint()
            if link.startswith(("socket:", "tcp:")):
                break  # its line is the server's
        return found, reason

    async def _asked(self, link: str) -> list[Candidate]:
        """Put each question of the registry at its own line; return what answered."""
        granted = frozenset({Write.IDENTIFY})
        for name, entry in sorted(self.registry.items()):
            if not entry.question or (self.lines and entry.line not in self.lines):
                continue
            async with open_link(link, entry.line, self.clock.now, granted) as port:
                ears = Ears({name: entry}, entry.line)
                await port.write(Write.IDENTIFY, entry.question)
                await ears.listen(port, self.clock, ANSWER_S, answered=True)
            if candidates := ears.candidates(answered=True):
                return candidates
        return []

    async def _identity(self, link: str, best: Candidate) -> InstrumentId | None:
        """Let the driver itself find out who it is; it is asked only if questions are put."""
        entry = self.registry[best.driver]
        granted = entry.writes & {Write.IDENTIFY}
        if granted and not self.ask:
            return None
        host = BenchHost(self.clock, frozenset(granted))
        with suppress(DriverError):
            async with open_link(link, best.line, self.clock.now, frozenset(granted)) as port:
                driver = entry.factory()(host, entry.options({}))
                running = asyncio.ensure_future(driver.run(port, _ignore))
                await _until(self.clock, IDENTITY_S, lambda: running.done() or _is_known(host))
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        named = [who for who in host.identified if who.model or who.serial]
        return named[-1] if named else None


def _is_known(host: BenchHost) -> bool:
    return any(who.serial for who in host.identified)


class Ears:
    """Every driver's decoder on what one port says at one line setting."""

    def __init__(self, registry: dict[str, Entry], line: SerialLine) -> None:
        self._tallies = {name: Tally.of(entry) for name, entry in registry.items()}
        self._line = line
        self.heard = 0
        self.errors: dict[str, int] = {}  # that the port itself counted

    async def listen(
        self, port: ByteLink, clock: Clock, seconds: float, *, answered: bool = False
    ) -> None:
        """Count until the time is over or it is plain what it is."""
        hearing = asyncio.ensure_future(self._hear(port))

        def is_plain() -> bool:
            if hearing.done():
                return True
            return any(
                c.answered or c.sure is Sure.CERTAIN for c in self.candidates(answered=answered)
            )

        await _until(clock, seconds, is_plain)
        self.errors = getattr(port, "errors", dict)()
        hearing.cancel()
        with suppress(asyncio.CancelledError):
            await hearing

    async def _hear(self, port: ByteLink) -> None:
        async for chunk in port:
            self.heard += len(chunk.data)
            for tally in self._tallies.values():
                tally.hear(chunk.data)

    def candidates(self, *, answered: bool = False) -> list[Candidate]:
        """Return what each driver made of it, those that understood anything."""
        return judged(
            [
                Candidate(
                    *(name, self._line, tally.frames, tally.framed, tally.skipped, tally.fit),
                    answered=answered,
                )
                for name, tally in self._tallies.items()
                if tally.frames and tally.fit >= POOR
            ]
        )

    def is_decided(self) -> bool:
        """Tell whether other line settings need not be tried."""
        errors = sum(self.errors.values())
        certain = any(candidate.sure is Sure.CERTAIN for candidate in self.candidates())
        return certain and errors <= LINE_ERRORS * self.heard

    def complaint(self) -> str:
        """Return why nothing is understood."""
        if self.heard < NOISE_BYTES:
            return (
                f"{self.heard} bytes were heard at {self._line} and then no more; if it speaks "
                "only when it has measured, give its own --line and measure again"
            )
        return why_nothing(None, next(iter(self._tallies.values())), self.errors)


def judged(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the same with how sure each is, seen beside the others at this line."""
    out = []
    for one in candidates:
        rivals = [
            c for c in candidates if c is not one and c.fit >= FAIR and c.framed >= SOME_BYTES
        ]
        if one.answered or (one.fit >= CLEAN and one.framed >= MUCH_BYTES and not rivals):
            sure = Sure.CERTAIN
        elif one.fit >= FAIR and one.framed >= SOME_BYTES and not rivals:
            sure = Sure.LIKELY
        else:
            sure = Sure.POSSIBLE
        out.append(replace(one, sure=sure))
    return out


def ranked(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the best first: how sure, then how much of it is understood."""
    key = lambda c: (c.sure, c.fit >= FAIR, c.framed * c.fit)  # noqa: E731 - reads as a rule
    return tuple(sorted(candidates, key=key, reverse=True))


def lines_of(entries: Iterable[Entry]) -> list[SerialLine]:
    """Return every line setting of the registry, the commonest first."""
    entries = list(entries)
    met = [entry.line for entry in entries] + [line for entry in entries for line in entry.also]
    own = [entry.line for entry in entries]
    return sorted(set(met), key=lambda line: (-own.count(line), -met.count(line), str(line)))


async def _until(clock: Clock, seconds: float, done: Callable[[], bool]) -> None:
    end_ns = clock.now().mono_ns + round(seconds * NS)
    while not done() and clock.now().mono_ns < end_ns:
        await clock.sleep(LOOK_S)


async def _ignore(_item: Item) -> None:
    """Let go of values: nobody is measured here."""
