"""What is heard on a link, counted by the decoder of its format: whether it is that format at all.

Of frames, `broken` are those that stood in skipped bytes with a wrong checksum and `missing` those
that a sequence number or timer of the format shows to be lost; a protocol module that can tell has
functions of these names. `values` counts bytes by value, for telling what a line does to them.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from drivers.contract import Decoder, Frame
from drivers.entry import Entry
from drivers.model import Skipped

RECENT_BYTES = 2048  # of a line that is not understood, for finding out why


@dataclass(frozen=True, slots=True)
class _File:
    """A whole file counts as a frame."""

    raw: bytes


@dataclass(slots=True)
class Tally:
    """Counts of one link, from a fresh decoder on; `Tally.of(entry)` makes one.

    `lost` is what was skipped since the last frame, `head` before the first.
    """

    feed: Callable[[bytes, str | None], Any]
    broken_in: Callable[[bytes], int] | None = None
    missing_between: Callable[[Frame, Frame], int] | None = None
    heard: int = 0
    frames: int = 0
    framed: int = 0
    skipped: int = 0
    broken: int = 0
    missing: int = 0
    lost: int = 0
    head: int = 0
    longest: int = 0
    values: Counter[int] = field(default_factory=Counter)
    recent: bytes = b""
    _last: Frame | None = None

    @classmethod
    def of(cls, entry: Entry) -> "Tally":
        """Return an empty tally for what instruments of this entry say."""
        if entry.leaves_files:  # whether a file can be read, others tell
            return cls(lambda data, _: [_File(data)])
        module = entry.protocol_module()
        feed: Callable[[bytes, str | None], Any]
        if entry.is_gatt:
            feed = entry.payload_decoder().feed
        else:
            stream: Decoder = entry.decoder()

            def feed(data: bytes, _channel: str | None) -> Any:  # noqa: ANN401 - as a decoder
                return stream.feed(data)

        return cls(feed, getattr(module, "broken", None), getattr(module, "missing", None))

    @property
    def share(self) -> float:
        """Return how much of what is decided was frames, 0 to 1; 0 if nothing is decided."""
        decided = self.framed + self.skipped
        return self.framed / decided if decided else 0.0

    @property
    def fit(self) -> float:
        """Return the share of frames after the end of one that had begun before, 0 to 1."""
        begun_before = min(self.head, self.longest)
        decided = self.framed + self.skipped - begun_before
        return self.framed / decided if decided else 0.0

    def restart(self) -> None:
        """Count anew, in the middle of the stream."""
        self.heard = self.frames = self.framed = self.skipped = self.broken = self.missing = 0
        self.head = 0
        self.values.clear()

    def hear(self, data: bytes, channel: str | None = None) -> int:
        """Count bytes that came in and return how many frames became whole with them."""
        self.heard += len(data)
        if channel is None:
            self.values.update(data)
            self.recent = (self.recent + data)[-RECENT_BYTES:]
        before = self.frames
        for item in self.feed(data, channel):
            if isinstance(item, Skipped):
                self._skip(item.data)
            else:
                self._frame(item)
        return self.frames - before

    def _skip(self, data: bytes) -> None:
        self.skipped += len(data)
        self.lost += len(data)
        if not self.longest:
            self.head += len(data)
        if self.broken_in is not None:
            self.broken += self.broken_in(data)

    def _frame(self, frame: Frame) -> None:
        self.frames += 1
        self.lost = 0
        self.framed += len(frame.raw)
        self.longest = max(self.longest, len(frame.raw))
        if self.missing_between is not None:
            if self._last is not None:
                self.missing += self.missing_between(self._last, frame)
            self._last = frame
