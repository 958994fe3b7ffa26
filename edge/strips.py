"""The last seconds of an instrument's waveforms, as strips with their gaps in place.

A stream carries samples but rarely says which are missing. What tells is time: a packet may come
late, never early. So a packet's true lateness is at most that of every packet after it, and where
this bound steps up, samples were lost. A delay that is caught up with leaves no gap.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from drivers.model import Instant, Unit, Waveform

LEAST_GAP_S = 0.05  # less than that is the jitter of a serial adapter
MOST_GROUPS = 16  # sets of signals that one instrument can stream side by side
NS = 1_000_000_000


@dataclass(slots=True, eq=False)
class _Group:
    """The packets of signals that come together; `counted` samples have come in all."""

    fs: float
    unit: Unit
    packets: deque[tuple[Waveform, int]]
    counted: int = 0


class Strips:
    """Keep the last `seconds` of every set of signals one instrument streams."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._groups: dict[tuple[str, ...], _Group] = {}

    @property
    def signals(self) -> tuple[tuple[str, ...], ...]:
        """The sets of signals there are strips of, the one heard longest ago first."""
        return tuple(self._groups)

    def add(self, waveform: Waveform) -> None:
        """Take the next packet; another rate or unit begins a new strip of these signals."""
        size = waveform.samples.shape[1]
        if size == 0:
            return
        group = self._groups.pop(waveform.signals, None)
        if group is None or (group.fs, group.unit) != (waveform.fs, waveform.unit):
            group = _Group(waveform.fs, waveform.unit, deque())
        group.counted += size
        group.packets.append((waveform, group.counted))
        self._groups[waveform.signals] = group
        oldest = waveform.at.mono_ns - round(self._seconds * NS)
        room = round(self._seconds * group.fs)
        while len(group.packets) > 1 and (
            group.packets[0][0].at.mono_ns < oldest or group.counted - group.packets[0][1] >= room
        ):
            group.packets.popleft()
        while len(self._groups) > MOST_GROUPS:
            del self._groups[next(iter(self._groups))]

    def strip(
        self, signals: tuple[str, ...], seconds: float, until: Instant | None = None
    ) -> Waveform | None:
        """Return the samples of the `seconds` before `until`, or before the last packet's end.

        Missing samples are NaN. `at` is when the last packet used had arrived. The strip is shorter
        where less is kept, and None where nothing is.
        """
        group = self._groups.get(signals)
        if group is None:
            return None
        packets = [
            (wave, end)
            for wave, end in group.packets
            if until is None or wave.at.mono_ns <= until.mono_ns
        ]
        if not packets:
            return None
        lost = _lost_before([wave.at for wave, _ in packets], [end for _, end in packets], group.fs)
        pieces = []
        for (wave, _), missing in zip(packets, lost, strict=True):
            # No strip is longer than what is kept, so neither is a gap in one.
            gap = min(missing, round(self._seconds * group.fs))
            pieces += [np.full((len(signals), gap), np.nan), wave.samples]
        samples = np.concatenate(pieces, axis=1)
        wanted = max(1, round(min(seconds, self._seconds) * group.fs))
        last = packets[-1][0].at
        return Waveform(signals, group.fs, group.unit, samples[:, -wanted:], last)


def _lost_before(arrivals: list[Instant], ends: list[int], fs: float) -> list[int]:
    """Return how many samples are missing before each packet, from the counts at their ends."""
    first = arrivals[0].mono_ns
    late = np.array([(at.mono_ns - first) / NS for at in arrivals]) - np.array(ends) / fs
    bound = np.minimum.accumulate(late[::-1])[::-1]
    sizes = np.diff(ends, prepend=ends[0] - 1)
    least = max(LEAST_GAP_S, float(np.median(sizes)) / (2 * fs))
    lost, settled = [0], float(bound[0])
    for step in bound[1:].tolist():
        gap = step - settled
        if gap > least:
            lost.append(round(gap * fs))
            settled = step
        else:
            lost.append(0)
    return lost
