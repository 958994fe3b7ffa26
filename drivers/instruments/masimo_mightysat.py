"""Masimo MightySat Rx: told to send where that is granted, then a value a second.

Experimental: one source, and which numbers mean "no value" is not documented. 0, all ones and what
no patient can have are taken for it.
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
from drivers.protocols.masimo_mightysat import SEND, Decoder, Frame
from drivers.sessions import Dialogue, emitting

DRIVER = "masimo-mightysat"
PATIENCE_S = 5.0

_SPO2, _PULSE, _INDEX = 7, 9, 14
_CODES = frozenset({0x7FFF, 0xFFFF})


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether it may be told to send is a matter of grants; there is nothing else to set."""


class MightySat:
    """Emit each frame of numbers."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._frames = 0

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Have it send, again whenever it stopped, until the link is lost."""
        other = emitting(emit, self._read)
        async with Dialogue(self._host, link, Decoder(), other) as talk:
            while True:
                if not self._frames:
                    await talk.tell(Write.SELECT_FORMAT, SEND)
                self._frames = 0
                await talk.listen(PATIENCE_S)

    def _read(self, frame: Frame, at: Instant) -> Iterator[Item]:
        if frame.has_numbers:
            self._frames += 1
            self._host.identify(InstrumentId(DRIVER))
            yield Measurement(Kind.OXIMETRY, readings(frame), at, frame.raw)


def readings(frame: Frame) -> tuple[Reading, ...]:
    """Return what a frame of numbers says."""
    index = frame.word(_INDEX)
    status = Status.NOT_A_NUMBER if index in _CODES else Status.OK
    return (
        coded(Metric.SPO2, frame.word(_SPO2), Unit.PERCENT, _CODES | {0x7F, 0xFF}),
        coded(Metric.PULSE_RATE, frame.word(_PULSE), Unit.PER_MIN, _CODES | {0xFF}),
        reading(Metric.PERFUSION_INDEX, index / 100, Unit.PERCENT, status),
    )
