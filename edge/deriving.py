"""Values computed here from an instrument's ECG, beside its own and marked as derived.

When a heart rate of an instrument that streams an ECG is taken, the strips around it are kept and
the ECG goes to the analysis process. What comes back is a measurement of its own, with its own
origin; it never hides or replaces what the instrument said.
"""

import asyncio
import hashlib
import logging
from typing import Protocol

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from drivers.model import ONE_LEAD, Kind, Measurement, Metric, Reading, Status, Unit, Waveform
from drivers.registry import Memory
from edge.analysis import AnalysisFailed, EcgRate
from edge.chronicle import Chronicle
from edge.events import Measured, Recorded
from edge.live import Current, Live
from edge.observation import Moment, Origin
from edge.store import Store
from edge.strips import Strips

log = logging.getLogger(__name__)

STRIP_S = 10.0  # what is kept and analysed around a measurement: a standard ECG strip
MICROVOLTS_PER_MV = 1000.0
METHOD = "median R-R interval of the ECG"


class EcgAnalysis(Protocol):
    """Finds beats: a process of its own in the hub, the same computation in place in a replay."""

    async def heart_rate_from_ecg(
        self,
        samples: NDArray[np.float64],
        fs: float,
        *,
        microvolts: float | None = None,
        preset: str | None = None,
    ) -> EcgRate | AnalysisFailed:
        """See `edge.analysis.Analysis`."""
        ...


class Deriving:
    """Keeps strips and derives from them, beside the stream and never in its way."""

    def __init__(
        self, store: Store, chronicle: Chronicle, live: Live, analysis: EcgAnalysis | None
    ) -> None:
        self._store = store
        self._chronicle = chronicle
        self._live = live
        self._analysis = analysis
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, recorded: Recorded, event: Measured, strips: Strips) -> None:
        """Begin to keep and derive what belongs to a measurement that was just journaled."""
        repeated = recorded.sequence not in self._chronicle.state.items
        if repeated or not strips.signals:
            return
        around = [strips.strip(names, STRIP_S, event.measurement.at) for names in strips.signals]
        work = self._follow(recorded.sequence, event, [strip for strip in around if strip])
        task = asyncio.create_task(work, name="deriving")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def finish(self) -> None:
        """Wait until nothing is being derived."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("keeping or deriving from a waveform failed", exc_info=error)

    async def _follow(self, item: int, event: Measured, around: list[Waveform]) -> None:
        for strip in around:
            await self._store.keep_waveform(item, strip)
        if self._analysis is None or event.measurement.kind is not Kind.HEART_RATE:
            return
        for strip in around:
            in_millivolts = strip.unit is Unit.MILLIVOLT
            if not (in_millivolts or ONE_LEAD in strip.signals):
                continue
            found = await self._analysis.heart_rate_from_ecg(
                strip.samples,
                strip.fs,
                microvolts=MICROVOLTS_PER_MV if in_millivolts else None,
                preset="monitor",
            )
            if isinstance(found, AnalysisFailed):
                log.warning("no heart rate from the ECG: %s %s", found.reason, found.detail)
            else:
                await self._record(event, strip, found)

    async def _record(self, event: Measured, strip: Waveform, found: EcgRate) -> None:
        measurement = heart_rate(strip, found)
        derived = replace(
            event,
            at=Moment.of(strip.at, event.at.era),
            measurement=measurement,
            memory=Memory.LIVE,
            settle_s=STRIP_S,
            origin=Origin.DERIVED,
            method=METHOD,
            unchanged_until=None,
        )
        self._live.saw(event.instrument, Current(measurement, derived.at, Origin.DERIVED))
        (recorded,) = await self._chronicle.record(derived)
        if found.cleaned is not None and recorded.sequence in self._chronicle.state.items:
            cleaned = Waveform(strip.signals, strip.fs, strip.unit, found.cleaned, strip.at)
            await self._store.keep_waveform(recorded.sequence, cleaned)


def heart_rate(strip: Waveform, found: EcgRate) -> Measurement:
    """Return a strip's heart rate as a measurement; without a rate, the reason in its evidence."""
    seconds = strip.samples.shape[1] / strip.fs
    status = Status.NO_VALUE if found.per_min is None else Status.OK
    value = None if found.per_min is None else round(found.per_min, 1)
    evidence = [
        ("source", f"ECG {' '.join(strip.signals)}, {seconds:g} s at {strip.fs:g} Hz"),
        ("intervals", str(found.intervals)),
    ]
    if found.reason is not None:
        evidence.append(("reason", found.reason))
    return Measurement(
        kind=Kind.HEART_RATE,
        readings=(Reading(Metric.HEART_RATE, value, Unit.PER_MIN, status),),
        at=strip.at,
        raw=hashlib.sha256(strip.samples.tobytes()).digest(),  # of the strip, which the store keeps
        evidence=tuple(evidence),
    )
