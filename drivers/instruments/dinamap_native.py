"""DINAMAP PRO 1000, native binary output: its two waveforms and its alarms, and no numbers.

A second of both channels is one waveform, unscaled; where blocks are missing by their sequence, it
is a gap. An alarm is told when it comes and when it goes.

Unproven: which channel is what, the gain, and what the slow bytes say were found nowhere, so no
measurement is made of them; one log of one monitor is all there is.
"""

from collections.abc import Iterator

import msgspec
import numpy as np

from drivers.contract import ByteLink, Emit, Host
from drivers.errors import LinkLost
from drivers.model import Instant, InstrumentId, Item, Notice, NoticeKind, Skipped, Unit, Waveform
from drivers.protocols.dinamap_native import FS, SAMPLES, SEQUENCES, Block, Decoder

DRIVER = "dinamap-native"
SIGNALS = ("channel 1", "channel 2")
LONGEST_GAP = 50  # blocks, one second; more is another stretch

_GAP = (float("nan"),) * SAMPLES


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The monitor sends on its own: there is nothing to set."""


class DinamapNative:
    """Emit a second of both channels, and alarms as they change."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._last: Block | None = None
        self._alarm = ""
        self._channels: tuple[list[float], list[float]] = ([], [])

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
                    for said in self._read(item, at):
                        await emit(said)
        except LinkLost:
            for said in self._signals(at):
                await emit(said)
            raise

    def _read(self, block: Block, at: Instant) -> Iterator[Item]:
        missing = 0
        if self._last is None:
            self._host.identify(InstrumentId(DRIVER))
        else:
            missing = (block.sequence - self._last.sequence - 1) % SEQUENCES
        self._last = block
        if missing > LONGEST_GAP:
            yield from self._signals(at)
            missing = 0
        self._host.count("blocks_missing", missing)
        first, second = self._channels
        first += _GAP * missing + block.first
        second += _GAP * missing + block.second
        if len(first) >= FS:
            yield from self._signals(at)
        alarm = "crisis" if block.is_crisis else "warning" if block.is_warning else ""
        if alarm != self._alarm:
            self._alarm = alarm
            yield Notice(NoticeKind.ALARM, f"{alarm or 'no'} alarm", at)

    def _signals(self, at: Instant) -> Iterator[Waveform]:
        channels, self._channels = self._channels, ([], [])
        if channels[0]:
            yield Waveform(SIGNALS, float(FS), Unit.UNSCALED, np.array(channels), at)
