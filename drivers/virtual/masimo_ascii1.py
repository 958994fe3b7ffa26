"""A virtual Rad-8: a line a second, with dashes while the sensor is off or searches."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from drivers.protocols.masimo_ascii1 import Exception12, Line, encode
from drivers.virtual.course import Span, Ticks, drift, within

_STARTED = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone
_SEARCHES_S = 6.0  # for a pulse, when the sensor is put on


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The patient and what befalls the sensor; spans are from and until, in seconds."""

    spo2: Annotated[int, msgspec.Meta(ge=1, le=100)] = 97
    pulse_rate: Annotated[int, msgspec.Meta(ge=20, le=240)] = 72
    serial: Annotated[str, msgspec.Meta(pattern="^[0-9]{10}$")] = "0000012345"
    sensor_off: tuple[Span, ...] = ()
    interference: tuple[Span, ...] = ()
    low_perfusion: tuple[Span, ...] = ()
    zeros_for_dashes: bool = False


class VirtualMasimoAscii1:
    """The options are those of Scene; a seed moves the phase of the slow waves."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._scene = msgspec.convert(options, Scene)
        self._ticks = Ticks(1.0)

    def due(self, elapsed_s: float) -> bytes:
        """Return the lines of the seconds that ended since the last call."""
        return b"".join(encode(self._line(float(at))) for at in self._ticks.until(elapsed_s))

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - the oximeter takes no orders
        """Ignore what the host wrote, as the oximeter does."""
        return b""

    def _line(self, at_s: float) -> Line:
        scene, state = self._scene, self._state(at_s)
        spo2 = min(100, scene.spo2 + round(0.6 * drift(self._seed, at_s, 53.0)))
        rate = scene.pulse_rate + round(2 * drift(self._seed, at_s, 37.0))
        index = 0.3 if state & Exception12.LOW_PERFUSION else 2.4
        values = (f"{spo2:03}%", f"{rate:03}", f"{index:05.2f}%")
        disowned = Exception12.SENSOR_OFF | Exception12.PULSE_SEARCH | Exception12.INTERFERENCE
        if state & disowned:
            values = ("---%", "---", "--.--%")
            if scene.zeros_for_dashes:
                values = ("000%", "000", "00.00%")
        clock = (_STARTED + timedelta(seconds=at_s)).strftime("%m/%d/%y %H:%M:%S")
        fields = (
            ("SN", scene.serial),
            *zip(("SPO2", "BPM", "PI"), values, strict=True),
            *(("SPCO", "--.-%"), ("SPMET", "--.-%"), ("DESAT", "--"), ("PIDELTA", "+--")),
            *(("ALARM", "0000"), ("EXC", f"{state:06X}")),
        )
        return Line(clock, fields)

    def _state(self, at_s: float) -> Exception12:
        scene = self._scene
        if within(scene.sensor_off, at_s):
            return Exception12.SENSOR_OFF
        put_on = [(until, until + _SEARCHES_S) for _, until in scene.sensor_off]
        if within(put_on, at_s):
            return Exception12.PULSE_SEARCH
        state = Exception12.RUNNING
        if within(scene.interference, at_s):
            state |= Exception12.INTERFERENCE
        if within(scene.low_perfusion, at_s):
            state |= Exception12.LOW_PERFUSION
        return state
