"""A virtual Maibobo kiosk: shows the cuff's pressure while it measures, then result or error."""

from datetime import datetime, timedelta

import msgspec

from drivers.protocols.maibobo import (
    CONNECT,
    CUFF_PRESSURE,
    ERROR,
    RESULT,
    START,
    STOP,
    Frame,
    command,
    encode,
)
from drivers.virtual.course import Ticks

MEASURES_S = 20
PUMPS_S = 5
_TOP_MMHG = 180


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measurement: when it ends, in whole seconds, and what it finds."""

    at_s: int
    systolic: int = 126
    diastolic: int = 79
    pulse: int = 70
    error: int | None = None


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The measurements."""

    made: tuple[Made, ...] = (
        Made(25),
        Made(70, systolic=141, diastolic=88, pulse=83),
        Made(110, error=0x06),
    )
    started: datetime = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone


class VirtualMaibobo:
    """The options are those of Scene; the seed moves the pulse."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._scene = msgspec.convert(options, Scene)
        self._ticks = Ticks(1.0)
        self._heard = b""
        self._now_s = 0
        self._started: list[Made] = []

    def due(self, elapsed_s: float) -> bytes:
        """Return the frames of the seconds that ended since the last call."""
        return b"".join(
            encode(frame) for at_s in self._ticks.until(elapsed_s) for frame in self._frames(at_s)
        )

    def hear(self, data: bytes) -> bytes:
        """Obey and answer each whole command: connect, start, stop."""
        self._heard += data
        out = b""
        while len(self._heard) >= (size := len(command(CONNECT))):
            asked = [code for code in (CONNECT, START, STOP) if self._heard[:size] == command(code)]
            self._heard = self._heard[size if asked else 1 :]
            out += b"".join(map(self._obey, asked))
        return out

    def _obey(self, code: int) -> bytes:
        if code != CONNECT:
            self._started = [Made(self._now_s + MEASURES_S)] if code == START else []
        return encode(Frame(code, b"\x00"))

    def _frames(self, at_s: int) -> list[Frame]:
        frames: list[Frame] = []
        self._now_s = at_s
        for made in (*self._scene.made, *self._started):
            if made.at_s - MEASURES_S < at_s < made.at_s:
                pressure = _in_cuff(at_s - made.at_s + MEASURES_S)
                frames.append(Frame(CUFF_PRESSURE, pressure.to_bytes(2, "big")))
            elif at_s == made.at_s:
                frames.append(self._end(made))
        return frames

    def _end(self, made: Made) -> Frame:
        if made.error is not None:
            return Frame(ERROR, bytes((made.error,)))
        at = self._scene.started + timedelta(seconds=made.at_s)
        clock = bytes((1, at.year - 2000, at.month, at.day, at.hour, at.minute, at.second))
        numbers = (made.systolic, made.diastolic, made.pulse + self._seed % 4)
        return Frame(RESULT, clock + b"".join(number.to_bytes(2, "big") for number in numbers))


def _in_cuff(since_s: int) -> int:
    """Return the pressure so many seconds after the pump began."""
    if since_s < PUMPS_S:
        return _TOP_MMHG * since_s // PUMPS_S
    return _TOP_MMHG * (MEASURES_S - since_s) // (MEASURES_S - PUMPS_S)
