"""Medlab EG01010 ECG module: heart rate at each beat, respiration rate, and its curves, unscaled.

sensor-off     heart rate and respiration while an electrode is off (protocol 1) or none is
               connected (protocol 2), until the next value or status says otherwise
no value       0

After anything skipped, `TRUSTED_AFTER` good frames in a row have to come before any is told.

The curves are one waveform a second; samples are eight bits of a gain that can be changed at the
module, so they are for looking at. How fast they come is not told in a way that is known: it is the
setting `fs`.

Unproven: both protocols stand in one manual; no recording of a module was seen. Not for diagnosis.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np

from drivers.belief import Belief
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
from drivers.protocols.medlab_eg01010 import (
    LEAD_OFF,
    PULSE,
    Decoder,
    Identity,
    Info,
    Said,
    Samples,
    State,
    Value,
)

DRIVER = "medlab-eg01010"
SIGNALS = ("ecg", "respiration")
RESPIRATION_RANGE = (1, 200)
TRUSTED_AFTER = 5  # a check of seven bits, or none, is right by chance too often
_MODEL_LETTERS = 7  # "EG01010", and behind it firmware and hardware


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many samples a second the module is set to send."""

    fs: Literal[50, 100, 150, 300] = 100


class MedlabEg01010:
    """Emit rates as they come, and a second of the curves."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._fs = settings.fs
        self._samples: list[tuple[int, ...]] = []
        self._off = Status.OK
        self._who: InstrumentId | None = None

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        decoder, belief = Decoder(), Belief[Said](TRUSTED_AFTER)
        try:
            async for chunk in link:
                for item in decoder.feed(chunk.data):
                    if isinstance(item, Skipped):
                        belief.skipped()
                        self._samples.clear()
                        await emit(item)
                        continue
                    await self._tell(belief.heard(item, chunk.at), emit)
        except LinkLost:
            await self._tell(belief.ended(decoder.pending), emit)
            raise

    async def _tell(self, believed: list[tuple[Said, Instant]], emit: Emit) -> None:
        for said, at in believed:
            self._identify(said)
            for told in self._read(said, at):
                await emit(told)

    def _identify(self, said: Said) -> None:
        if self._who is not None and not isinstance(said, Identity):
            return
        text = said.text.strip('"') if isinstance(said, Identity) else ""
        who = InstrumentId(
            DRIVER, text[:_MODEL_LETTERS] or None, firmware=text[_MODEL_LETTERS:] or None
        )
        if who != self._who:
            self._who = who
            self._host.identify(who)

    def _read(self, said: Said, at: Instant) -> Iterator[Item]:
        match said:
            case Samples():
                yield from self._wave(said, at)
            case Value():
                if said.mark == PULSE and said.protocol == 1:
                    self._off = Status.OK  # a beat was seen, so the electrodes are on again
                yield measurement(said, self._off, at)
            case Info(code=code) if code == LEAD_OFF:
                self._off = Status.SENSOR_OFF
                yield measurement(Value(1, PULSE, 0, said.raw), self._off, at)
            case State():
                self._off = Status.OK if said.connected else Status.SENSOR_OFF
            case _:
                pass

    def _wave(self, said: Samples, at: Instant) -> Iterator[Waveform]:
        if not said.values:
            return
        if self._samples and len(self._samples[0]) != len(said.values):
            self._samples.clear()
        self._samples.append(said.values)
        if len(self._samples) == self._fs:
            rows = np.array(self._samples, dtype=np.float64).T
            self._samples.clear()
            if self._off is not Status.OK:
                rows[:] = np.nan
            names = SIGNALS[: len(rows)] if len(rows) <= len(SIGNALS) else _numbered(len(rows))
            yield Waveform(names, float(self._fs), Unit.UNSCALED, rows, at)


def measurement(said: Value, status: Status, at: Instant) -> Measurement:
    """Return what a rate says."""
    if said.mark == PULSE:
        heart = reading(Metric.HEART_RATE, said.value, Unit.PER_MIN, status)
        return Measurement(Kind.HEART_RATE, (heart,), at, said.raw)
    low, high = RESPIRATION_RANGE
    if status is Status.OK and not low <= said.value <= high:
        status = Status.IMPLAUSIBLE if said.value else Status.NO_VALUE
    value = float(said.value) if status is Status.OK else None
    breaths = Reading(Metric.RESPIRATION_RATE, value, Unit.PER_MIN, status)
    return Measurement(Kind.RESPIRATION, (breaths,), at, said.raw)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"channel {number}" for number in range(1, count + 1))
