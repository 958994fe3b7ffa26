"""What instruments say right now, in memory only.

Streams are not journaled sample by sample; their current values live here with their age, and are
gone with the service: nothing is shown as current after a restart.
"""

from collections import deque
from dataclasses import dataclass, field

from drivers.model import Kind, Measurement, Notice
from edge.observation import Moment, Origin

NOTICES_KEPT = 50


@dataclass(frozen=True, slots=True)
class Current:
    """The latest report of one kind from one instrument."""

    measurement: Measurement
    at: Moment
    origin: Origin


@dataclass(slots=True)
class Live:
    """Current values by instrument and kind, and the latest notices."""

    values: dict[tuple[str, Kind, Origin], Current] = field(default_factory=dict)
    notices: deque[tuple[str, Notice]] = field(
        default_factory=lambda: deque[tuple[str, Notice]](maxlen=NOTICES_KEPT)
    )

    def saw(self, instrument: str, current: Current) -> None:
        """Replace the current value."""
        self.values[instrument, current.measurement.kind, current.origin] = current

    def noticed(self, instrument: str, notice: Notice) -> None:
        """Keep a notice, and forget the oldest."""
        self.notices.append((instrument, notice))

    def lost(self, instrument: str) -> None:
        """Forget what an instrument said when it went away."""
        self.values = {key: v for key, v in self.values.items() if key[0] != instrument}
