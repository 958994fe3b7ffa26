"""A virtual TM-2655: sends its result at the end of each measurement, and answers RB and RP."""

import math
from datetime import datetime, timedelta

import msgspec

from drivers.protocols.and_tm2655 import (
    OK,
    Acknowledgement,
    Decoder,
    Message,
    command,
    encode,
)

MEASURES_S = 30.0


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measurement: when it ends, in seconds, and what it finds."""

    at_s: float
    systolic: int = 122
    diastolic: int = 78
    pulse: int = 68
    error: str = OK


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The measurements in order of time; `with_id` is an output format with an identification."""

    made: tuple[Made, ...] = (
        Made(4.0),
        Made(60.0, systolic=97, diastolic=61, pulse=88),
        Made(110.0, error="44"),
    )
    with_id: bool = False
    started: datetime = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone


class VirtualAndTm2655:
    """The options are those of Scene; the seed moves the amplitudes of the envelope."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._scene = msgspec.convert(options, Scene)
        self._left = list(self._scene.made)
        self._last: Made | None = None
        self._decoder = Decoder()
        self._now_s = 0.0
        self._started_s: float | None = None

    def due(self, elapsed_s: float) -> bytes:
        """Return the results of the measurements that ended since the last call."""
        out = b""
        self._now_s = elapsed_s
        if self._started_s is not None and self._started_s + MEASURES_S <= elapsed_s:
            self._last = Made(self._started_s + MEASURES_S, systolic=119, diastolic=75, pulse=71)
            self._started_s = None
            out += encode(self._result(self._last))
        while self._left and self._left[0].at_s <= elapsed_s:
            self._last = self._left.pop(0)
            out += encode(self._result(self._last))
        return out

    def hear(self, data: bytes) -> bytes:
        """Take commands and answer those that are whole; RB and RP once there is a result."""
        heard = self._decoder.feed(data)  # a command has the form of a message
        return b"".join(self._answer(each) for each in heard if isinstance(each, Message))

    def _answer(self, question: Message) -> bytes:
        asked = encode(question)
        if asked in (command(b"ST"), command(b"SP")):
            self._started_s = self._now_s if asked == command(b"ST") else None
            return encode(Acknowledgement(accepted=True))
        if self._last is None or asked not in (command(b"RB"), command(b"RP")):
            return encode(Acknowledgement(accepted=False))
        reply = self._envelope if asked == command(b"RP") else self._result
        return encode(Acknowledgement(accepted=True)) + encode(reply(self._last))

    def _result(self, made: Made) -> Message:
        failed = made.error != OK
        mean = made.diastolic + (made.systolic - made.diastolic) // 3
        numbers = (made.systolic, mean, made.diastolic, made.pulse)
        said = ["   " if failed else f"{number:3}" for number in numbers]
        clock = self._scene.started + timedelta(seconds=made.at_s)
        fields = [
            *("TM2655", f"{clock:%y%m%d%H%M}", "AB" if self._scene.with_id else "RB"),
            *(("1234567890123456",) if self._scene.with_id else ()),
            *("M", f"E{made.error}", f"S{said[0]}", f"M{said[1]}", f"D{said[2]}", f"P{said[3]}"),
            *("I180", "L 33"),
        ]
        return Message(tuple(field.encode("ascii") for field in fields))

    def _envelope(self, made: Made) -> Message:
        mean = made.diastolic + (made.systolic - made.diastolic) / 3
        pressures = range(made.systolic + 30, max(20, made.diastolic - 25), -4)
        top = 30 + self._seed % 5
        heights = [top * math.exp(-(((each - mean) / 25) ** 2)) for each in pressures]
        pairs = [f"{a:3},{round(b):3}" for a, b in zip(pressures, heights, strict=True)]
        fields = ("TM2655", "RP", f"N {len(pairs)}", *pairs)
        return Message(tuple(field.encode("ascii") for field in fields))
