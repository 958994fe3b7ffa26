"""Omron HBP-9030 arm-in kiosk: one measurement at the end of each, failed ones included.

Live          a line comes when a measurement ends; its clock is evidence. One that comes again byte
              for byte is counted and not taken
Failed        an error other than 0; its number is told, the words are in the maker's manual
Implausible   also what lies outside the kiosk's own ranges: systolic 60-260, diastolic 30-215,
              pulse 40-180

The identification typed at the kiosk is a patient's: it never leaves the decoder, and the raw bytes
of a measurement begin behind it.

Unproven: the format stands in one specification that quotes the manual; no line of a real kiosk
was seen.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from drivers.contract import ByteLink, Emit, Host
from drivers.model import Flag, Instant, InstrumentId, Kind, Measurement, Metric, Status, Unit
from drivers.plausibility import agreeing, reading
from drivers.protocols.omron_hbp9030 import Decoder, Line
from drivers.sessions import listen

DRIVER = "omron-hbp9030"
_OWN = {
    Metric.SYSTOLIC: (60, 260),
    Metric.DIASTOLIC: (30, 215),
    Metric.PULSE_RATE: (40, 180),
}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kiosk sends on its own: there is nothing to set."""


class OmronHbp9030:
    """Emit a measurement for each line."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._last = b""
        self._identified = False

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        await listen(link, emit, Decoder(), self._read)

    def _read(self, line: Line, at: Instant) -> Iterator[Measurement]:
        if not self._identified:
            self._host.identify(InstrumentId(DRIVER))
            self._identified = True
        if line.raw == self._last:
            self._host.count("results_repeated")
            return
        self._last = line.raw
        yield measurement(line, at)


def measurement(line: Line, at: Instant) -> Measurement:
    """Return what a line says."""
    failed = Status.FAILED if line.error else Status.OK
    said = {
        Metric.SYSTOLIC: (line.systolic, Unit.MMHG),
        Metric.DIASTOLIC: (line.diastolic, Unit.MMHG),
        Metric.PULSE_RATE: (line.pulse, Unit.PER_MIN),
    }
    readings = []
    for metric, (value, unit) in said.items():
        low, high = _OWN[metric]
        status = Status.IMPLAUSIBLE if value and not low <= value <= high else failed
        readings.append(reading(metric, value, unit, failed if line.error else status))
    evidence = [("clock", _clock(line.clock)), ("movements", str(line.movements))]
    if line.error:
        evidence.append(("error", str(line.error)))
    flags = frozenset({Flag.BODY_MOVEMENT} if line.movements else ())
    return Measurement(
        Kind.BLOOD_PRESSURE,
        (*agreeing(tuple(readings[:2])), readings[2]),
        at,
        line.measured,
        flags=flags,
        evidence=tuple(evidence),
    )


def _clock(sent: str) -> str:
    """Return the kiosk's time as ISO 8601, as sent where it is no date."""
    try:
        return datetime.strptime(sent, "%Y,%m,%d,%H,%M").isoformat(timespec="minutes")  # noqa: DTZ007 - no zone
    except ValueError:
        return sent
