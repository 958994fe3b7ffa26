"""Files of ECG carts become journaled studies: read elsewhere, compared here, durable or refused.

The analysis process reads a file under its limits. What breaks it is tried once more, because it
may have broken of something else, and is refused then; while it cannot be had the file waits. A
file that came before is done with silently, another one of the same recording is refused: which of
the two is right, a person decides.
"""

import asyncio
import hashlib
import logging
from typing import Protocol

from drivers.errors import FileRefused
from drivers.model import EcgFile
from edge.analysis import AnalysisFailed, EcgStudy, Failure
from edge.chronicle import Chronicle
from edge.clock import Clock
from edge.journal import JournalError
from edge.store import Store
from edge.study import NewStudy, Origins, compared, new_study, parts_of

log = logging.getLogger(__name__)

TRIES = 2  # of a file that ends the process or outstays it
AGAIN_S = 5.0  # while analysis cannot be had
_UNAVAILABLE = frozenset({Failure.BUSY, Failure.NOT_STARTED, Failure.STOPPED})
_BROKEN = {
    Failure.CRASHED: "the process that reads files died of it",
    Failure.TIMEOUT: "reading it took too long",
    Failure.MEMORY: "reading it took too much memory",
}


class EcgReader(Protocol):
    """Reads files: a process of its own in the hub, the same computation in place in a replay."""

    async def read_study(self, data: bytes) -> EcgStudy | AnalysisFailed:
        """See `edge.analysis.Analysis`."""
        ...


class Receiving:
    """Takes files of all carts of a room, one after the other."""

    def __init__(
        self, store: Store, chronicle: Chronicle, analysis: EcgReader | None, clock: Clock
    ) -> None:
        self._store = store
        self._chronicle = chronicle
        self._analysis = analysis
        self._clock = clock
        self._turn = asyncio.Lock()  # what is new is decided and recorded by one at a time

    async def receive(self, file: EcgFile, origins: Origins, serial: str | None) -> bool:
        """Make a file's study durable; False where the very file came before.

        `serial` is the cart's, where the settings bind one.

        Raises
        ------
        FileRefused
            If it never will be.
        edge.store.StoreError
            If it cannot be now.
        """
        if await self._store.has_original(hashlib.sha256(file.data).hexdigest()):
            return False
        await self._take(file, origins, serial)
        return True

    async def _take(self, file: EcgFile, origins: Origins, serial: str | None) -> None:
        found = await self._read(file.data)
        said = found.said
        if serial is not None and said.device[1] != serial:
            raise FileRefused("recorded by another cart than the one the settings name")
        new = new_study(said, found.microvolts, file)
        async with self._turn:
            known = await self._store.known_study(new)
            if known is not None:
                raise FileRefused(f"{known}; decide about that one first")
            try:
                await self._record(new, file, origins)
            except (ValueError, OverflowError, JournalError) as error:
                # It would come again and again, and no other file after it.
                log.exception("%s: a study cannot be recorded", origins.instrument)
                raise FileRefused(f"it cannot be recorded: {type(error).__name__}") from error

    async def _record(self, new: NewStudy, file: EcgFile, origins: Origins) -> None:
        association = self._chronicle.state.association
        # A number that was only scanned proves nothing: whoever takes the study compares it later.
        known = association is not None and association.verified
        subject = await self._store.subject(association.subject) if association and known else None
        verdict = compared(new.content.said, subject)
        opened = association.id if association else None
        events = parts_of(new, file, origins, verdict, opened)
        await self._chronicle.record(*events, study=new)
        log.info("%s: a study of %d results", origins.instrument, len(events))

    async def _read(self, data: bytes) -> EcgStudy:
        if self._analysis is None:
            raise FileRefused("analysis is off in the settings, and nothing else reads files")
        tries = 0
        while True:
            found = await self._analysis.read_study(data)
            if not isinstance(found, AnalysisFailed):
                return found
            if found.reason in _UNAVAILABLE:
                log.warning("an ECG file waits: analysis is %s", found.reason)
                await self._clock.sleep(AGAIN_S)
                continue
            tries += 1
            if found.reason not in _BROKEN:
                raise FileRefused(found.detail or f"it cannot be read: {found.reason}")
            if tries == TRIES:
                raise FileRefused(f"{_BROKEN[found.reason]}, {TRIES} times")
