"""Health-o-meter platform scales (500KL, 1100L, 2000 series): weight, and height where entered.

A packet comes every second while a weight is locked on the platform; each is one measurement of
weight, with the body-mass index where the scale worked it out, and one of height where one was
entered. Thinning out is the edge's business: see the registry's rule.

The number typed on the keypad is a patient's: it never leaves the decoder, and the raw bytes of a
measurement begin behind it. A packet that does not say its unit gives no value and a notice: a
weight in pounds taken for kilograms is worse than none.

no value       a weight of 0 or less
implausible    a weight, height or index no patient has
"""

from collections.abc import Iterator

import msgspec

from drivers.contract import ByteLink, Emit, Host
from drivers.model import (
    Instant,
    InstrumentId,
    Item,
    Kind,
    Measurement,
    Metric,
    Notice,
    NoticeKind,
    Reading,
    Unit,
)
from drivers.plausibility import reading
from drivers.protocols.healthometer import Decoder, Packet
from drivers.sessions import listen

DRIVER = "healthometer"

_UNITS = {"m": (Unit.KG, Unit.CM), "c": (Unit.POUND, Unit.INCH)}
_NO_UNIT = "a weight without its unit is not taken: set the scale to send kilograms or pounds"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The scale sends on its own: there is nothing to set."""


class HealthOMeter:
    """Emit what every packet says."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._identified = False
        self._told = False

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        await listen(link, emit, Decoder(), self._read)

    def _read(self, packet: Packet, at: Instant) -> Iterator[Item]:
        if not self._identified:
            self._host.identify(InstrumentId(DRIVER))
            self._identified = True
        if packet.unit in _UNITS:
            yield from measurements(packet, at)
        elif not self._told:
            yield Notice(NoticeKind.UNMAPPED, _NO_UNIT, at)
        self._told = packet.unit not in _UNITS


def measurements(packet: Packet, at: Instant) -> Iterator[Measurement]:
    """Yield what a packet says that names its unit."""
    mass, length = _UNITS[packet.unit]
    weight = reading(Metric.WEIGHT, max(0.0, float(packet.weight)), mass)
    readings: tuple[Reading, ...] = (weight,)
    if float(packet.bmi):
        readings += (reading(Metric.BMI, float(packet.bmi), Unit.KG_PER_M2),)
    evidence = (("tare", packet.tare),) if float(packet.tare) else ()
    yield Measurement(Kind.WEIGHT, readings, at, packet.measured, evidence=evidence)
    if float(packet.height):
        height = reading(Metric.HEIGHT, float(packet.height), length)
        yield Measurement(Kind.HEIGHT, (height,), at, packet.measured)
