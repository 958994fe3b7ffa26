"""Viatom and Wellue PC-60FW finger oximeters: a value a second, of their own accord.

Experimental: which numbers mean "no value" is not documented. 0, 127 of the saturation and all ones
are taken for it, and what no patient can have.
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
    Reading,
    Unit,
)
from drivers.plausibility import coded, reading
from drivers.protocols.viatom_pc60fw import Decoder, Packet
from drivers.sessions import listen

DRIVER = "viatom-pc60fw"

_NO_SPO2 = frozenset({127, 255})
_NO_PULSE = frozenset({255, 511, 0xFFFF})


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The oximeter sends on its own: there is nothing to set."""


class ViatomPc60fw:
    """Emit each packet of numbers."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        await listen(link, emit, Decoder(), self._read)

    def _read(self, packet: Packet, at: Instant) -> Iterator[Item]:
        if packet.has_numbers:
            self._host.identify(InstrumentId(DRIVER))
            yield Measurement(Kind.OXIMETRY, readings(packet), at, packet.raw)


def readings(packet: Packet) -> tuple[Reading, ...]:
    """Return what a packet of numbers says."""
    spo2, low, high, index = packet.content[:4]
    pulse = low | high << 8
    saturation = coded(Metric.SPO2, spo2, Unit.PERCENT, _NO_SPO2)
    return (
        saturation,
        coded(Metric.PULSE_RATE, pulse, Unit.PER_MIN, _NO_PULSE),
        reading(Metric.PERFUSION_INDEX, index / 10, Unit.PERCENT, saturation.status),
    )
