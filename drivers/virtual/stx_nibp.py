"""A virtual module with text frames: measures when it is told to, or by its button."""

from typing import Annotated

import msgspec

from drivers.protocols.stx_nibp import ABORT, ASK, START, Ended, Progress, Result, command, encode
from drivers.virtual.course import Ticks

MEASURES_S = 20
_TOP_MMHG = 180


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each measurement finds, in turn, and when its button is pushed, in whole seconds."""

    pressures: tuple[tuple[int, int, int], ...] = ((118, 77, 66), (131, 84, 72))
    errors: tuple[str, ...] = ("00", "00", "07")
    button_at_s: tuple[Annotated[int, msgspec.Meta(ge=0)], ...] = (60,)


class VirtualStxNibp:
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
        """Return what is said in the seconds that ended since the last call."""
        return b"".join(self._second(at_s) for at_s in self._ticks.until(elapsed_s))

    def hear(self, data: bytes) -> bytes:
        """Obey what is whole: start, end, and ask for the result."""
        self._heard += data
        out = b""
        while self._heard:
            size, answer = self._obey()
            if not size:
                break
            self._heard = self._heard[size:]
            out += answer
        return out

    def _obey(self) -> tuple[int, bytes]:
        """Return how many bytes of what was heard are dealt with, and the answer."""
        if self._heard.startswith(ABORT):
            self._until = None
            return len(ABORT), b""
        if self._heard.startswith(command(START)):
            self._until = self._now_s + MEASURES_S
        size = len(command(START))
        if not self._heard.startswith(b"\x02"):
            return 1, b""
        if len(self._heard) < size:
            return 0, b""
        asked = self._heard[:size] == command(ASK)
        return size, encode(self._result()) if asked and self._made else b""

    def _second(self, at_s: int) -> bytes:
        self._now_s = at_s
        if at_s in self._scene.button_at_s:
            self._until = at_s + MEASURES_S
        if self._until is None:
            return b""
        if at_s < self._until:
            left = self._until - at_s
            return encode(Progress(_TOP_MMHG * left // MEASURES_S, 0, 1))
        self._until = None
        self._made += 1
        return encode(Ended())

    def _result(self) -> Result:
        scene, number = self._scene, self._made - 1
        error = scene.errors[number % len(scene.errors)]
        if error != "00":
            return Result("0", "0", "03", error, "---", "---", "---", "---", "----")
        systolic, diastolic, pulse = scene.pressures[number % len(scene.pressures)]
        mean = diastolic + (systolic - diastolic) // 3
        numbers = (systolic, diastolic, mean, pulse + self._seed % 4)
        first, second, third, rate = (f"{each:03}" for each in numbers)
        return Result("0", "0", "03", error, first, second, third, rate, "0020")
