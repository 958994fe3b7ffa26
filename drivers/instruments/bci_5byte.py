"""Oximeters with the five-byte stream (BCI, CMS50D and D+ firmware v5, BerryMed).

The format has no checksum and no documented code for "no value", so it is believed slowly: after
anything skipped, `TRUSTED_AFTER` good frames in a row have to come before a value is told. Until
then frames wait. Of a link that ends sooner they are told only if nothing else ever came over it.

finger out or searching too long (byte 0 b4), probe error (byte 2 b4)   sensor-off
searching (byte 2 b5)                                                    searching
0                                                                        no-value
SpO2 above 100, pulse below 10                                           implausible

Sources differ about byte 0 b4; both meanings disown the value. The signal strength is not told,
for in BerryMed modules the same bits are something else.
"""

from collections.abc import Iterator

import msgspec

from drivers.belief import Belief
from drivers.contract import ByteLink, Emit, Host
from drivers.errors import LinkLost
from drivers.model import Instant, InstrumentId, Item, Metric, Reading, Skipped, Status, Unit
from drivers.plausibility import reading
from drivers.pleth import PlethStream
from drivers.protocols.bci_5byte import FS, Decoder, Said, Sample

DRIVER = "bci-5byte"
TRUSTED_AFTER = 10


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The oximeter sends on its own; baud and parity are the link's."""


class Bci5byte:
    """Emit what the stream says, once a second and at every change."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._stream = PlethStream(FS)
        self._belief = Belief[Said](TRUSTED_AFTER)
        self._identified = False
        self._said = b""
        self._readings: tuple[Reading, ...] = ()

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        decoder = Decoder()
        try:
            async for chunk in link:
                for item in decoder.feed(chunk.data):
                    if isinstance(item, Skipped):
                        self._belief.skipped()
                        self._stream.restart()
                        await emit(item)
                        continue
                    await self._tell(self._belief.heard(item, chunk.at), emit)
        except LinkLost:
            await self._tell(self._belief.ended(decoder.pending), emit)
            raise

    async def _tell(self, believed: list[tuple[Said, Instant]], emit: Emit) -> None:
        for said, at in believed:
            for told in self._read(said, at):
                await emit(told)

    def _read(self, said: Said, at: Instant) -> Iterator[Item]:
        if not isinstance(said, Sample):
            return
        if not self._identified:
            self._host.identify(InstrumentId(DRIVER))
            self._identified = True
        key = bytes((said.state & 0x10, said.more & 0x30, said.pulse, said.spo2))
        if key != self._said:
            self._said, self._readings = key, readings(said)
        away = self._readings[0].status is Status.SENSOR_OFF
        sample = float("nan") if away else float(said.wave)
        yield from self._stream.add(sample, self._readings, said.raw, at)


def readings(said: Sample) -> tuple[Reading, ...]:
    """Return what a frame says."""
    status = Status.OK
    if said.state & 0x10 or said.more & 0x10:
        status = Status.SENSOR_OFF
    elif said.more & 0x20:
        status = Status.SEARCHING
    return (
        reading(Metric.SPO2, said.spo2, Unit.PERCENT, status),
        reading(Metric.PULSE_RATE, said.pulse, Unit.PER_MIN, status),
    )
