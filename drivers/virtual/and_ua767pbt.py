"""A virtual UA-767PBT and its sister scale: connect when somebody has measured, and send."""

from datetime import datetime, timedelta

import msgspec

from drivers.protocols import and_ua767pc
from drivers.protocols.and_ua767pbt import CUFF, Ask, Packet, encode, head_of
from drivers.protocols.and_ua767pc import IS_READING, Result

SCALE = 407
SENDS_AFTER_S = 3.0


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measurement: when it ends, in seconds, and what it finds; a weight is of the scale."""

    at_s: float
    systolic: int = 118
    diastolic: int = 76
    pulse: int = 66
    error: int | None = None
    weight: float | None = None


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The measurements in order of time, and what the instruments' clocks say at second 0."""

    made: tuple[Made, ...] = (
        Made(3.0),
        Made(40.0, weight=71.35),
        Made(70.0, systolic=124, diastolic=81, pulse=71),
        Made(100.0, error=0x0B),
    )
    started: datetime = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the instrument's own, without a zone


class VirtualAndUa767pbt:
    """The options are those of Scene; the seed moves the pulse and the fat."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._scene = msgspec.convert(options, Scene)
        self._left = list(self._scene.made)

    def due(self, elapsed_s: float) -> bytes:
        """Return the packets of the measurements that ended `SENDS_AFTER_S` ago."""
        out = b""
        while self._left and self._left[0].at_s + SENDS_AFTER_S <= elapsed_s:
            out += encode(Ask(b"PWCAPI")) + encode(self._packet(self._left.pop(0)))
        return out

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - taken or not, it has nothing to add
        """Hear that the packet was taken."""
        return b""

    def _packet(self, made: Made) -> Packet:
        payload = self._reading(made) if made.weight is None else self._weight(made.weight)
        measured = self._scene.started + timedelta(seconds=made.at_s)
        sent = measured + timedelta(seconds=SENDS_AFTER_S)
        instrument = CUFF if made.weight is None else SCALE
        return Packet(head_of(instrument, payload, measured, sent), payload)

    def _reading(self, made: Made) -> bytes:
        if made.error is not None:
            return and_ua767pc.encode(Result(made.error, 0, 0, 0, 0))
        over = made.systolic - made.diastolic
        mean, pulse = made.diastolic + over // 3, made.pulse + self._seed % 4
        return and_ua767pc.encode(Result(IS_READING, over, made.diastolic, pulse, mean))

    def _weight(self, weight: float) -> bytes:
        fat = 25.0 + self._seed % 10 / 10
        said = (f"ST,+{weight:06.2f}kg", "RT,0486.1O", f"FT,{fat:.1f}%", "HT,+1740mm", "ID,01")
        return "".join(f"{line}\r\n" for line in said).encode("ascii")
