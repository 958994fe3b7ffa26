"""Nellcor oximeters with ASCII printout (N-595, NPB-290, NPB-295).

A row is taken for live only when it is known to be: after a live heading, while the oximeter's
clock goes forward, and not among rows of its memory, which look the same. Without a heading seen
that takes at most 25 rows, 50 s. What is not known to be live is counted and not taken.

LP, PS                 searching
LM, MO                 artifact
SO, SD                 sensor-off, sensor-disconnected
a code not in the table   the value, flagged questionable, with the code as evidence
LB                     flagged low-battery
AO, AS, PH, PL, SH, SL, and the asterisk behind a number: evidence; an alarm judges the patient and
                       takes nothing from the value
---, 0                 no value

The pulse amplitude has no unit and is evidence.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from drivers.contract import ByteLink, Emit, Host
from drivers.model import (
    Flag,
    Instant,
    InstrumentId,
    Item,
    Kind,
    Measurement,
    Metric,
    Notice,
    NoticeKind,
    Status,
    Unit,
)
from drivers.plausibility import reading
from drivers.protocols.nellcor import CODES, Decoder, Heading, Line, Mark, Other, Row
from drivers.sessions import listen

DRIVER = "nellcor"

_DISOWNED = (
    ("SD", Status.SENSOR_DISCONNECTED),
    ("SO", Status.SENSOR_OFF),
    ("LM", Status.ARTIFACT),
    ("MO", Status.ARTIFACT),
    ("LP", Status.SEARCHING),
    ("PS", Status.SEARCHING),
)
_WAITING = "rows are not taken until the oximeter sends its heading, within 50 s"
_TREND = "the oximeter prints its memory; those rows are not taken"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The oximeter sends on its own: there is nothing to set."""


class Nellcor:
    """Emit what every live row says; thinning out is the edge's business."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._is_live = False
        self._clock: datetime | None = None
        self._told = ""

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        await listen(link, emit, Decoder(), self._read)

    def _read(self, line: Line, at: Instant) -> Iterator[Item]:
        match line:
            case Heading(model, version, is_trend):
                self._is_live = not is_trend
                self._clock = None
                self._host.identify(InstrumentId(DRIVER, model, firmware=version))
                if is_trend:
                    yield from self._tell(_TREND, at)
            case Other(mark):
                if mark is Mark.COMPLETE:
                    self._is_live = False
            case Row() if self._follows(line):
                self._told = ""
                yield measurement(line, at)
            case Row():
                self._host.count("rows_not_live")
                yield from self._tell(_WAITING, at)

    def _follows(self, row: Row) -> bool:
        """Whether a row is live; a clock that goes back is that of rows from memory."""
        clock = _clock(row.clock)
        if self._is_live:
            self._is_live = clock is not None and (self._clock is None or clock > self._clock)
        self._clock = clock
        return self._is_live

    def _tell(self, text: str, at: Instant) -> Iterator[Notice]:
        if not self._told:
            self._told = text
            yield Notice(NoticeKind.STATE, text, at)


def measurement(row: Row, at: Instant) -> Measurement:
    """Return what a row says."""
    status = next((status for code, status in _DISOWNED if code in row.codes), Status.OK)
    readings = (
        reading(Metric.SPO2, row.spo2, Unit.PERCENT, status),
        reading(Metric.PULSE_RATE, row.pulse, Unit.PER_MIN, status),
    )
    flags: set[Flag] = set()
    if "LB" in row.codes:
        flags.add(Flag.LOW_BATTERY)
    if any(code not in CODES for code in row.codes):
        flags.add(Flag.QUESTIONABLE)
    evidence = [("clock", row.clock)]
    if row.amplitude is not None:
        evidence.append(("pulse-amplitude", str(row.amplitude)))
    evidence += [("code", f"{code}, {CODES.get(code, 'not documented')}") for code in row.codes]
    evidence += [("asterisk", name) for name in sorted(row.marked)]
    return Measurement(
        Kind.OXIMETRY, readings, at, row.raw, flags=frozenset(flags), evidence=tuple(evidence)
    )


def _clock(sent: str) -> datetime | None:
    try:
        return datetime.strptime(sent, "%d-%b-%y %H:%M:%S")  # noqa: DTZ007 - it has no zone
    except ValueError:
        return None
