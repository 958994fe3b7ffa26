"""A virtual NPB-295: a row every two seconds, its heading every 25 rows, its memory on request."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from drivers.protocols.nellcor import Heading, Line, Mark, Other, Row, encode
from drivers.virtual.course import Span, Ticks, drift, within

ROW_S = 2.0
HEADING_ROWS = 25
_SEARCHES_S = 6.0
_TREND_ROWS = 6


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The patient and what befalls the sensor; `trend_at_s`: somebody prints the memory."""

    spo2: Annotated[int, msgspec.Meta(ge=1, le=100)] = 97
    pulse_rate: Annotated[int, msgspec.Meta(ge=20, le=250)] = 70
    sensor_off: tuple[Span, ...] = ()
    motion: tuple[Span, ...] = ()
    low_battery: bool = False
    first_row: Annotated[int, msgspec.Meta(ge=0)] = 0
    trend_at_s: float | None = None
    started: datetime = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone


class VirtualNellcor:
    """The options are those of Scene; `first_row` is where in the 25 the hub comes in."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._scene = msgspec.convert(options, Scene)
        self._ticks = Ticks(ROW_S)

    def due(self, elapsed_s: float) -> bytes:
        """Return the lines of the periods that ended since the last call."""
        lines = [line for row in self._ticks.until(elapsed_s) for line in self._lines(row)]
        return b"".join(encode(line) for line in lines)

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - it is never spoken to
        """Ignore what the host wrote."""
        return b""

    def _lines(self, row: int) -> list[Line]:
        at_s = row * ROW_S
        lines: list[Line] = []
        trend_s = self._scene.trend_at_s
        if trend_s is not None and at_s - ROW_S < trend_s <= at_s:
            lines += [_heading(is_trend=True), Other(Mark.COLUMNS)]
            lines += [self._row(at_s - 3600 + 2 * each) for each in range(_TREND_ROWS)]
            lines += [Other(Mark.COMPLETE), _heading(is_trend=False), Other(Mark.COLUMNS)]
        if (row - 1 + self._scene.first_row) % HEADING_ROWS == 0:
            lines += [_heading(is_trend=False), Other(Mark.COLUMNS)]
        return [*lines, self._row(at_s)]

    def _row(self, at_s: float) -> Row:
        scene = self._scene
        clock = f"{scene.started + timedelta(seconds=at_s):%d-%b-%y %H:%M:%S}".upper()
        codes: tuple[str, ...] = ("LB",) if scene.low_battery else ()
        put_on = [(until, until + _SEARCHES_S) for _, until in scene.sensor_off]
        if within(scene.sensor_off, at_s):
            return Row(clock, None, None, None, frozenset(), ("SO", *codes))
        if within(put_on, at_s):
            return Row(clock, None, None, None, frozenset(), ("PS", *codes))
        spo2 = min(100, scene.spo2 + round(0.6 * drift(self._seed, at_s, 53.0)))
        pulse = scene.pulse_rate + round(2 * drift(self._seed, at_s, 37.0))
        marked = frozenset({"spo2"} if spo2 < 85 else ())
        codes = (("MO",) if within(scene.motion, at_s) else ()) + codes
        return Row(clock, spo2, pulse, 50, marked, codes)


def _heading(*, is_trend: bool) -> Heading:
    return Heading("NPB-295", "2.0.0.0", is_trend)
