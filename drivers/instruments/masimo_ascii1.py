"""Masimo pulse oximeters with ASCII-1 output (Rad-8, Rad-87, Radical-5, Radical-7).

Each line is one oximetry measurement: saturation, pulse rate and, where the line has it, the
perfusion index. What else it says is kept as evidence, word for word: alarm and exception bits,
carbon monoxide, methaemoglobin, variability, for which there is no metric here.

EXC is read with the numbers, for some firmware sends 000 and 00.00 where others send dashes:

no sensor                                   sensor-disconnected
sensor off                                  sensor-off
defective or unrecognised sensor            failed
pulse search                                searching
interference, ambient light                 artifact
low signal IQ                               the value, flagged questionable
low perfusion                               the value, flagged low-perfusion

The oximeter's clock drifts and knows no zone: what it says of a live value is evidence, not the
value's time. ASCII-2, the factory setting of Rad-8, must be changed to ASCII-1 at the instrument.
"""

import re
from collections.abc import Iterator

import msgspec

from drivers.contract import ByteLink, Emit, Host
from drivers.model import (
    Flag,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Status,
    Unit,
)
from drivers.plausibility import reading
from drivers.protocols.masimo_ascii1 import Decoder, Exception12, Line
from drivers.sessions import listen

DRIVER = "masimo-ascii1"

_NUMBER = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)%?", re.ASCII)
_DISOWNED = (
    (Exception12.NO_SENSOR, Status.SENSOR_DISCONNECTED),
    (Exception12.SENSOR_OFF, Status.SENSOR_OFF),
    (Exception12.DEFECTIVE_SENSOR | Exception12.UNRECOGNISED_SENSOR, Status.FAILED),
    (Exception12.PULSE_SEARCH, Status.SEARCHING),
    (Exception12.INTERFERENCE | Exception12.AMBIENT_LIGHT, Status.ARTIFACT),
)
_FLAGS = (
    (Exception12.LOW_PERFUSION, Flag.LOW_PERFUSION),
    (Exception12.LOW_SIGNAL_IQ, Flag.QUESTIONABLE),
)
_READ = (
    (Metric.SPO2, "SPO2", Unit.PERCENT),
    (Metric.PULSE_RATE, "BPM", Unit.PER_MIN),
    (Metric.PERFUSION_INDEX, "PI", Unit.PERCENT),
)
_NOT_EVIDENCE = frozenset({"SN", *(key for _, key, _ in _READ)})


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The oximeter sends on its own and takes no orders: there is nothing to set."""


class MasimoAscii1:
    """Emit what every line says; thinning out is the edge's business."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._who: InstrumentId | None = None

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        await listen(link, emit, Decoder(), self._read)

    def _read(self, line: Line, at: Instant) -> Iterator[Measurement]:
        serial = line.get("SN")
        who = InstrumentId(DRIVER, serial=serial if serial and serial.strip("0") else None)
        if who != self._who:
            self._host.identify(who)
            self._who = who
        yield measurement(line, at)


def measurement(line: Line, at: Instant) -> Measurement:
    """Return what a line says."""
    exceptions = line.exceptions
    status = next((status for bits, status in _DISOWNED if exceptions & bits), Status.OK)
    readings = tuple(
        reading(metric, _number(text), unit, status)
        for metric, key, unit in _READ
        if (text := line.get(key)) is not None
    )
    rest = tuple((key, value) for key, value in line.fields if key not in _NOT_EVIDENCE)
    return Measurement(
        Kind.OXIMETRY,
        readings,
        at,
        line.raw,
        flags=frozenset(flag for bit, flag in _FLAGS if exceptions & bit),
        evidence=(("clock", line.clock), *rest),
    )


def _number(text: str) -> float | None:
    match = _NUMBER.fullmatch(text)
    return float(match[1]) if match else None
