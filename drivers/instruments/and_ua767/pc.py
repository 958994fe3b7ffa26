"""A&D UA-767PC blood-pressure monitor on RS-232: one measurement after each reading.

The ten characters of a reading come within 10 ms. Where they stop in the middle for longer than
`QUIET_S`, the rest was lost: what is there is dropped, so that the next reading begins anew.

failed         a marker other than 80: the cuff measured and found nothing
implausible    pressures that no patient has, or a last byte (the mean, as far as known) outside
               them: the format has no checksum, and this is the only one there is
"""

import msgspec

from drivers.contract import ByteLink, Emit, Host
from drivers.model import (
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Reading,
    Skipped,
    Status,
    Unit,
)
from drivers.plausibility import pressures, reading
from drivers.protocols.and_ua767pc import IS_READING, Decoder, Result

DRIVER = "and-ua767pc"
QUIET_S = 1.0
_NS = 1_000_000_000


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The monitor sends on its own: there is nothing to set."""


class AndUa767pc:
    """Emit a measurement for each result."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        decoder, heard_ns, identified = Decoder(), 0, False
        async for chunk in link:
            if decoder.pending and chunk.at.mono_ns - heard_ns > QUIET_S * _NS:
                await emit(Skipped(decoder.pending))
                decoder = Decoder()
            heard_ns = chunk.at.mono_ns
            for item in decoder.feed(chunk.data):
                if isinstance(item, Skipped):
                    await emit(item)
                    continue
                if not identified:
                    self._host.identify(InstrumentId(DRIVER))
                    identified = True
                await emit(measurement(item, chunk.at))


def measurement(result: Result, at: Instant) -> Measurement:
    """Return what a result says."""
    failed = result.marker != IS_READING
    status = Status.FAILED if failed else Status.OK
    evidence = (("marker", f"{result.marker:02X}"), ("last-byte", f"{result.last:02X}"))
    pulse = reading(Metric.PULSE_RATE, result.pulse, Unit.PER_MIN, status)
    readings = (*_pressures(result, status), pulse)
    return Measurement(Kind.BLOOD_PRESSURE, readings, at, result.raw, evidence=evidence)


def _pressures(result: Result, status: Status) -> tuple[Reading, ...]:
    """Return systolic and diastolic; the last byte only vouches for them."""
    systolic = result.diastolic + result.pulse_pressure
    believed = pressures(systolic, result.diastolic, result.last, status)
    return tuple(each for each in believed if each.metric is not Metric.MEAN_PRESSURE)
