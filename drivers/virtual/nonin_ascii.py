"""A virtual bedside Nonin: a line a second, dashes while there is no finger."""

from datetime import datetime, timedelta

import msgspec

from drivers.protocols.nonin_ascii import Line, encode
from drivers.virtual.course import Ticks
from drivers.virtual.finger import FingerScene, SimpleFinger

_STARTED = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone


class Scene(FingerScene, frozen=True, forbid_unknown_fields=True):
    """A finger, whether the line begins with the time, and the letters after it."""

    with_clock: bool = False
    marks: str = ""


class VirtualNoninAscii:
    """The options are those of Scene."""

    def __init__(self, seed: int, **options: object) -> None:
        self._scene = msgspec.convert(options, Scene)
        self._finger = SimpleFinger(seed, self._scene)
        self._ticks = Ticks(1.0)

    def due(self, elapsed_s: float) -> bytes:
        """Return the lines of the seconds that ended since the last call."""
        return b"".join(encode(self._line(float(at))) for at in self._ticks.until(elapsed_s))

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - it is never spoken to
        """Ignore what the host wrote."""
        return b""

    def _line(self, at_s: float) -> Line:
        clock = f"{_STARTED + timedelta(seconds=at_s):%H:%M:%S}" if self._scene.with_clock else ""
        if self._finger.is_off(at_s) or self._finger.is_searched(at_s):
            return Line(clock, None, None, self._scene.marks)
        return Line(clock, *self._finger.shown(at_s), self._scene.marks)
