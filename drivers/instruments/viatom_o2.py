"""Viatom and Wellue O2 oximeters: asked for their sensors every two seconds, where that is granted.

not worn (byte 11 is 0)          sensor-off
0                                no-value
255; 127 of the saturation       not-a-number
"""

from collections.abc import Iterator

import msgspec

from drivers.contract import ByteLink, Emit, Host, Write
from drivers.model import (
    Instant,
    InstrumentId,
    Item,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Unit,
)
from drivers.plausibility import coded, reading
from drivers.protocols.viatom_o2 import READ_SENSORS, Answer, Decoder, command
from drivers.sessions import Dialogue, emitting

DRIVER = "viatom-o2"
EVERY_S = 2.0

_NO_SPO2 = frozenset({127, 255})
_NO_PULSE = frozenset({255})


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it may be asked is a matter of grants; there is nothing else to set."""


class ViatomO2:
    """Emit each answer of the sensors."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Ask again and again, as far as granted, until the link is lost."""
        other = emitting(emit, self._read)
        async with Dialogue(self._host, link, Decoder(), other) as talk:
            while True:
                await talk.tell(Write.FETCH, command(READ_SENSORS))
                await talk.listen(EVERY_S)

    def _read(self, answer: Answer, at: Instant) -> Iterator[Item]:
        if not answer.is_of_sensors:
            self._host.count("answers_unasked")
            return
        self._host.identify(InstrumentId(DRIVER))
        evidence = (("battery-percent", str(answer.data[7])), ("motion", str(answer.data[9])))
        yield Measurement(Kind.OXIMETRY, readings(answer), at, answer.raw, evidence=evidence)


def readings(answer: Answer) -> tuple[Reading, ...]:
    """Return what the sensors say."""
    spo2, pulse, index, worn = (answer.data[at] for at in (0, 1, 10, 11))
    status = Status.OK if worn else Status.SENSOR_OFF
    saturation = coded(Metric.SPO2, spo2, Unit.PERCENT, _NO_SPO2, status)
    perfusion = status if saturation.value is not None else saturation.status
    return (
        saturation,
        coded(Metric.PULSE_RATE, pulse, Unit.PER_MIN, _NO_PULSE, status),
        reading(Metric.PERFUSION_INDEX, index / 10, Unit.PERCENT, perfusion),
    )
