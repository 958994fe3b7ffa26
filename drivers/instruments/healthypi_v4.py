"""HealthyPi v4: ECG of one lead, respiration, oximetry and temperature, for trying things out.

no value       0 in any of the numbers: not computed, or forced to 0 while an electrode is off
sensor-off     heart rate and respiration with an electrode off, saturation without a finger
never told     the two bytes that look like a blood pressure: they are constants

Signals are one waveform a second, unscaled; a stretch without electrode or finger is a gap. There
is no pulse rate of the finger: the heart rate is the ECG's.

Unproven: the layout is the maker's own, but no recording of a board was seen. It is open hardware
for development and no medical device.
"""

from collections.abc import Iterator

import msgspec
import numpy as np

from drivers.contract import ByteLink, Emit, Host
from drivers.errors import LinkLost
from drivers.model import (
    Instant,
    InstrumentId,
    Item,
    Kind,
    Measurement,
    Metric,
    Reading,
    Skipped,
    Status,
    Unit,
    Waveform,
)
from drivers.plausibility import reading
from drivers.protocols.healthypi_v4 import FS, Decoder, Sample

DRIVER = "healthypi-v4"
SIGNALS = ("ecg", "respiration", "infrared", "red")
RESPIRATION_RANGE = (1, 200)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The board sends on its own: there is nothing to set."""


class HealthyPiV4:
    """Emit a second of the signals, and what the board makes of it."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._identified = False
        self._second: list[Sample] = []

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost; what is left of the last second is told too."""
        decoder, at = Decoder(), self._host.now()
        try:
            async for chunk in link:
                at = chunk.at
                for item in decoder.feed(chunk.data):
                    if isinstance(item, Skipped):
                        await emit(item)
                        continue
                    self._second.append(item)
                    if len(self._second) == FS:
                        await self._tell(at, emit)
        except LinkLost:
            await self._tell(at, emit)
            raise

    async def _tell(self, at: Instant, emit: Emit) -> None:
        if not self._second:
            return
        if not self._identified:
            self._host.identify(InstrumentId(DRIVER))
            self._identified = True
        second, self._second = self._second, []
        for item in told(second, at):
            await emit(item)


def told(second: list[Sample], at: Instant) -> Iterator[Item]:
    """Yield the signals of some samples, and the numbers of the last of them."""
    rows = np.array([(s.ecg, s.breath, s.infrared, s.red) for s in second], dtype=np.float64)
    rows[[s.is_lead_off for s in second], :2] = np.nan
    rows[[s.is_finger_out for s in second], 2:] = np.nan
    yield Waveform(SIGNALS, float(FS), Unit.UNSCALED, rows.T, at)
    last = second[-1]
    electrodes = Status.SENSOR_OFF if last.is_lead_off else Status.OK
    finger = Status.SENSOR_OFF if last.is_finger_out else Status.OK
    heart = reading(Metric.HEART_RATE, last.heart_rate, Unit.PER_MIN, electrodes)
    yield Measurement(Kind.HEART_RATE, (heart,), at, last.raw)
    yield Measurement(
        Kind.RESPIRATION, (_breathing(last.respiration_rate, electrodes),), at, last.raw
    )
    oxygen = reading(Metric.SPO2, last.spo2, Unit.PERCENT, finger)
    yield Measurement(Kind.OXIMETRY, (oxygen,), at, last.raw)
    warmth = reading(Metric.BODY_TEMPERATURE, last.temperature / 100, Unit.CELSIUS)
    yield Measurement(Kind.TEMPERATURE, (warmth,), at, last.raw)


def _breathing(rate: int, status: Status) -> Reading:
    low, high = RESPIRATION_RANGE
    if status is Status.OK and not low <= rate <= high:
        status = Status.IMPLAUSIBLE if rate else Status.NO_VALUE
    value = float(rate) if status is Status.OK else None
    return Reading(Metric.RESPIRATION_RATE, value, Unit.PER_MIN, status)
