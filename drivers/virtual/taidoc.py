"""A virtual TaiDoc instrument: stores what it measures, answers while it is awake.

It is awake for a minute after each measurement and otherwise silent, as the real ones are. What a
question about a record that is not there gives is this project's choice: a frame of zeros.
"""

from datetime import datetime, timedelta

import msgspec

from drivers.protocols import taidoc
from drivers.protocols.scanning import NeedMore
from drivers.protocols.taidoc import Reply, encode, read_command, scale_command, time_bytes

AWAKE_S = 60.0
_SCALE_MODELS = 0x25
_SERIAL = bytes.fromhex("2163547001000000")


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record: when it is made, in seconds, its four bytes of value and the flags of its time."""

    at_s: float
    value: tuple[int, int, int, int]
    flags: int = 0x80


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model, what is measured, and how far the clock is ahead of `started` at second 0."""

    model: int = 0x3128
    records: tuple[Stored, ...] = (
        Stored(-86400.0, (148, 112, 94, 81)),
        Stored(5.0, (121, 92, 78, 69)),
        Stored(70.0, (118, 90, 76, 68), flags=0xC0),
    )
    started: datetime = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone
    clock_offset_s: float = 0.0
    keeps_time: bool = True


class VirtualTaiDoc:
    """The options are those of Scene; the seed moves the first digit of the serial number."""

    def __init__(self, seed: int, **options: object) -> None:
        self._scene = scene = msgspec.convert(options, Scene)
        self._serial = bytes((seed & 0xFF,)) + _SERIAL[1:]
        self._clock = scene.started + timedelta(seconds=scene.clock_offset_s)
        self._now_s = 0.0
        self._heard = bytearray()

    def due(self, elapsed_s: float) -> bytes:
        """Let time pass; the instrument says nothing of its own accord."""
        self._now_s = max(self._now_s, elapsed_s)
        return b""

    def hear(self, data: bytes) -> bytes:
        """Take questions and answer those that are whole, if somebody has measured just now."""
        self._heard += data
        out = b""
        while self._heard:
            if (code := asked_scale(self._heard)) is not None:
                del self._heard[:7]
                out += self._weight(code)
                continue
            question = read_command(self._heard, 0)
            if isinstance(question, NeedMore):
                break
            del self._heard[: len(question.raw) if question else 1]
            if question and any(0 <= self._now_s - each.at_s < AWAKE_S for each in self._made()):
                out += self._answer(question)
        return out

    def _made(self) -> list[Stored]:
        return [each for each in self._scene.records if each.at_s <= self._now_s][::-1]

    def _answer(self, question: Reply) -> bytes:
        now = self._clock + timedelta(seconds=self._now_s)
        made = self._made()
        record = made[question.word] if question.word < len(made) else None
        known = {
            taidoc.MODEL: self._scene.model.to_bytes(2, "little") + bytes(2),
            taidoc.CLOCK: time_bytes(now),
            taidoc.SERIAL_LOW: self._serial[:4],
            taidoc.SERIAL_HIGH: self._serial[4:],
            taidoc.RECORD_TIME: self._time(record),
            taidoc.RECORD_VALUE: bytes(record.value) if record else bytes(4),
        }
        data = known.get(question.command)
        return encode(Reply(question.command, data)) if data is not None else b""

    def _weight(self, code: int) -> bytes:
        """Return the last weight, if somebody stood on the scale just now and it is one."""
        made = [each for each in self._made() if 0 <= self._now_s - each.at_s < AWAKE_S]
        if not made or self._scene.model >> 8 != _SCALE_MODELS:
            return b""
        tenths = made[0].value[0] | made[0].value[1] << 8
        return encode(Reply(code, bytes(14) + tenths.to_bytes(2, "big") + bytes(12)))

    def _time(self, record: Stored | None) -> bytes:
        if record is None or not self._scene.keeps_time:
            return bytes(4)
        time = time_bytes(self._clock + timedelta(seconds=record.at_s))
        return time[:2] + bytes((time[2] | record.flags, time[3]))


def asked_scale(heard: bytes | bytearray) -> int | None:
    """Return which question to a scale stands at the beginning of what was heard."""
    for code in (taidoc.SCALE, taidoc.SCALES):
        if heard.startswith(scale_command(code)):
            return code
    return None
