"""A virtual UA-767PC: sends ten characters at the end of each measurement."""

import msgspec

from drivers.protocols.and_ua767pc import IS_READING, Result, encode


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measurement: when it ends, in seconds, and what it finds; `error` in place of 80."""

    at_s: float
    systolic: int = 118
    diastolic: int = 76
    pulse: int = 66
    error: int | None = None


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The measurements, in order of time."""

    made: tuple[Made, ...] = (
        Made(3.0),
        Made(50.0, systolic=124, diastolic=81, pulse=71),
        Made(100.0, error=0x0B),
    )


class VirtualAndUa767pc:
    """The options are those of Scene; the seed moves the pulse."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._left = list(msgspec.convert(options, Scene).made)

    def due(self, elapsed_s: float) -> bytes:
        """Return the results of the measurements that ended since the last call."""
        out = b""
        while self._left and self._left[0].at_s <= elapsed_s:
            out += encode(self._result(self._left.pop(0)))
        return out

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - its commands are not known
        """Ignore what the host wrote."""
        return b""

    def _result(self, made: Made) -> Result:
        if made.error is not None:
            return Result(made.error, 0, 0, 0, 0)
        over = made.systolic - made.diastolic
        mean = made.diastolic + over // 3
        return Result(IS_READING, over, made.diastolic, made.pulse + self._seed % 4, mean)
