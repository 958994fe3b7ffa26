"""A virtual HBP-9030: sends a line at the end of each measurement."""

from datetime import datetime, timedelta

import msgspec

from drivers.protocols.omron_hbp9030 import Line, encode


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measurement: when it ends, in seconds, and what it finds."""

    at_s: float
    systolic: int = 127
    diastolic: int = 81
    pulse: int = 69
    error: int = 0
    movements: int = 0


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The measurements, in order of time."""

    made: tuple[Made, ...] = (
        Made(4.0),
        Made(60.0, systolic=142, diastolic=91, pulse=77, movements=2),
        Made(110.0, error=3),
    )
    started: datetime = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone


class VirtualOmronHbp9030:
    """The options are those of Scene; the seed moves the pulse."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._scene = msgspec.convert(options, Scene)
        self._left = list(self._scene.made)

    def due(self, elapsed_s: float) -> bytes:
        """Return the lines of the measurements that ended since the last call."""
        out = b""
        while self._left and self._left[0].at_s <= elapsed_s:
            out += encode(self._line(self._left.pop(0)))
        return out

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - it takes no orders
        """Ignore what the host wrote."""
        return b""

    def _line(self, made: Made) -> Line:
        clock = self._scene.started + timedelta(seconds=made.at_s)
        found = not made.error
        return Line(
            clock=f"{clock:%Y,%m,%d,%H,%M}",
            ident=" " * 20,
            error=made.error,
            systolic=made.systolic if found else None,
            diastolic=made.diastolic if found else None,
            pulse=made.pulse + self._seed % 4 if found else None,
            movements=made.movements,
        )
