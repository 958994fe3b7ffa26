"""A barcode reader on a serial line: who signs in, and who the patient is.

The site's rules say what a code is: a wristband, a slip or a badge. A code that fits none of them,
or several that make different things of it, is nobody's; what to do about it is said on the screen,
and neither there nor in the log does the code appear. A code that comes again at once is a trigger
held too long, not the next patient.
"""

import logging
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum

from drivers.contract import ByteLink
from drivers.errors import LinkError
from drivers.model import Chunk, Instant, Skipped
from drivers.protocols.barcode import Decoder, Scan
from edge.backoff import delays
from edge.clock import NS, Clock
from edge.desk import Refused
from edge.store import StoreError
from edge.view import ScannerView

log = logging.getLogger(__name__)

AGAIN_S = 3.0
QUIET_S = 1.0  # a code comes in one go; what is left of one for longer was cut off

NO_CODE = "the reader sent something that is no code: check its prefix and terminator, scan again"
NO_RULE = "this code is neither a wristband, a slip nor a badge of this site"
BOTH = "this code could be two things: the rules in [scanner] have to be told apart"


class Use(StrEnum):
    """What a code is for."""

    WRISTBAND = "wristband"
    SLIP = "slip"
    BADGE = "badge"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the codes of a site look like: whole codes, whose first group, if any, is taken."""

    patterns: Mapping[Use, re.Pattern[str]]

    def read(self, code: str) -> tuple[Use, str]:
        """Return what a code is for and what of it is asked for, or refuse it."""
        matches = {use: form.fullmatch(code) for use, form in self.patterns.items()}
        found = {use: _asked(match) for use, match in matches.items() if match is not None}
        if not found:
            raise Refused(NO_RULE)
        if len({(use is Use.BADGE, asked) for use, asked in found.items()}) > 1:
            raise Refused(BOTH)
        return next(iter(found.items()))


def _asked(match: re.Match[str]) -> str:
    """Return the part of a code that is asked for."""
    return (match[1] if match.re.groups else match[0]) or match[0]


Act = Callable[[str], Awaitable[object]]


class BarcodeReader:
    """Keeps the reader open and does with a code what it is for; Refused says why it cannot."""

    def __init__(
        self,
        open_: Callable[[], AbstractAsyncContextManager[ByteLink]],
        decoder: Callable[[], Decoder],
        rules: Rules,
        acts: Mapping[Use, Act],
        clock: Clock,
    ) -> None:
        self._open = open_
        self._decoder = decoder
        self._rules = rules
        self._acts = acts
        self._clock = clock
        self._state, self._word = "absent", ""
        self._last: tuple[str, int] | None = None

    def view(self) -> ScannerView:
        """Return what a screen shows of the reader."""
        return ScannerView(self._state, self._word)

    async def run(self) -> None:
        """Read until cancelled; a reader that is pulled out is waited for."""
        waits = delays(seed=zlib.crc32(b"scanner"))
        while True:
            try:
                async with self._open() as link:
                    self._state, self._word = "ready", ""
                    waits = delays(seed=zlib.crc32(b"scanner"))
                    await self._read(aiter(link))
            except LinkError as error:
                if self._state != "absent":
                    log.info("scanner: %s", error)
                self._state, self._word = "absent", str(error)
            await self._clock.sleep(next(waits))

    async def _read(self, chunks: AsyncIterator[Chunk]) -> None:
        decoder, heard_ns = self._decoder(), 0
        async for chunk in chunks:
            if decoder.pending and chunk.at.mono_ns - heard_ns > QUIET_S * NS:
                decoder = self._decoder()
                self._tell(NO_CODE)
            heard_ns = chunk.at.mono_ns
            for item in decoder.feed(chunk.data):
                if isinstance(item, Skipped):
                    self._tell(NO_CODE)
                else:
                    await self._take(item, chunk.at)

    async def _take(self, scan: Scan, at: Instant) -> None:
        last, self._last = self._last, (scan.code, at.mono_ns)
        if last is not None and last[0] == scan.code and at.mono_ns - last[1] < AGAIN_S * NS:
            return
        try:
            use, code = self._rules.read(scan.code)
            await self._acts[use](code)
        except (Refused, StoreError) as refusal:
            self._last = None  # whoever scans again wants to try again
            self._tell(str(refusal))
        else:
            self._word = ""

    def _tell(self, word: str) -> None:
        log.info("scanner: a code was not taken")
        self._word = word
