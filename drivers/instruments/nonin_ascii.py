"""Nonin bedside and handheld oximeters with ASCII output: one measurement a second.

Dashes and 0 are no value; a number no patient has is implausible. The clock that some put before
the line, the fast averaging (F), the marked event (*) and the breath (B) are evidence. The memory
of these instruments comes with another parity and is not read.
"""

from collections.abc import Iterator

import msgspec

from drivers.contract import ByteLink, Emit, Host
from drivers.model import Instant, InstrumentId, Kind, Measurement, Metric, Unit
from drivers.plausibility import reading
from drivers.protocols.nonin_ascii import Decoder, Line
from drivers.sessions import listen

DRIVER = "nonin-ascii"

_MARKS = {"F": "fast averaging", "*": "event marked", "B": "breath"}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The oximeter sends on its own: there is nothing to set."""


class NoninAscii:
    """Emit what every line says; thinning out is the edge's business."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._identified = False

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        await listen(link, emit, Decoder(), self._read)

    def _read(self, line: Line, at: Instant) -> Iterator[Measurement]:
        if not self._identified:
            self._host.identify(InstrumentId(DRIVER))
            self._identified = True
        yield measurement(line, at)


def measurement(line: Line, at: Instant) -> Measurement:
    """Return what a line says."""
    readings = (
        reading(Metric.SPO2, line.spo2, Unit.PERCENT),
        reading(Metric.PULSE_RATE, line.pulse, Unit.PER_MIN),
    )
    clock = (("clock", line.clock),) if line.clock else ()
    marks = tuple(("mark", _MARKS[mark]) for mark in line.marks)
    return Measurement(Kind.OXIMETRY, readings, at, line.raw, evidence=clock + marks)
