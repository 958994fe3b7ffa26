"""A virtual SunTech module: measures when it is told to, and is busy until it has."""

import msgspec

from drivers.protocols import suntech
from drivers.protocols.suntech import Result, command, encode, letter, result_frame
from drivers.virtual.course import Ticks

MEASURES_S = 20
_VERSION = b"LX virtual 1.0"
_STARTS = tuple(
    command(body)
    for body in (suntech.START_ADULT, suntech.START_PAEDIATRIC, suntech.START_NEONATAL)
)


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each measurement finds, in turn: systolic, diastolic, pulse; and its error."""

    pressures: tuple[tuple[int, int, int], ...] = ((116, 74, 64), (129, 82, 70))
    errors: tuple[int, ...] = (0, 0, 87)


class VirtualSunTech:
    """The options are those of Scene; the seed moves the pulse."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._scene = msgspec.convert(options, Scene)
        self._ticks = Ticks(1.0)
        self._now_s = 0
        self._until: int | None = None
        self._made = 0
        self._heard = b""

    def due(self, elapsed_s: float) -> bytes:
        """Return the letter of a measurement that ended since the last call."""
        out = b""
        for at_s in self._ticks.until(elapsed_s):
            self._now_s = at_s
            if self._until is not None and at_s >= self._until:
                self._until = None
                self._made += 1
                out += encode(letter(suntech.DONE))
        return out

    def hear(self, data: bytes) -> bytes:
        """Obey what is whole."""
        self._heard += data
        out = b""
        while self._heard:
            whole = [each for each in self._known() if self._heard.startswith(each)]
            if whole:
                out += self._obey(whole[0])
                self._heard = self._heard[len(whole[0]) :]
            elif any(each.startswith(self._heard) for each in self._known()):
                break
            else:
                self._heard = self._heard[1:]
        return out

    def _known(self) -> tuple[bytes, ...]:
        asks = (suntech.ABORT, suntech.ASK_RESULT, suntech.ASK_PRESSURE, suntech.ASK_VERSION)
        return (*_STARTS, *map(command, asks))

    def _obey(self, order: bytes) -> bytes:
        if order == command(suntech.ASK_VERSION):
            return encode(suntech.Frame(_VERSION.ljust(suntech.VERSION - 3, b"\0")))
        if order == command(suntech.ABORT):
            self._until = None
            return encode(letter(suntech.ABORTED))
        if self._until is not None:
            return encode(letter(suntech.BUSY))
        if order in _STARTS:
            self._until = self._now_s + MEASURES_S
            return encode(letter(suntech.RECEIVED))
        if order == command(suntech.ASK_RESULT) and self._made:
            return encode(result_frame(self._result()))
        return encode(letter("N"))

    def _result(self) -> Result:
        scene, number = self._scene, self._made - 1
        error = scene.errors[number % len(scene.errors)]
        if error:
            return Result(0, 0, 0, 0, 0, 1, error)
        systolic, diastolic, pulse = scene.pressures[number % len(scene.pressures)]
        mean = diastolic + (systolic - diastolic) // 3
        return Result(systolic, diastolic, mean, pulse + self._seed % 4, 30, 1, error)
