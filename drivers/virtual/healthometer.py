"""A virtual platform scale: people step on it one after the other."""

import msgspec

from drivers.protocols.healthometer import Packet, encode
from drivers.virtual.course import Ticks

LOCKS_S = 3.0
_FEWEST_WITHOUT_STRAY = 3


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who stands on the platform from when until when; `height_at_s`: the height is entered."""

    on_s: float
    off_s: float
    weight: float = 71.4
    height: float = 172.0
    height_at_s: float | None = None


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The people, and whether the scale is set to pounds and inches; `unit` "" says none."""

    people: tuple[Person, ...] = (
        Person(2.0, 40.0, height_at_s=15.0),
        Person(60.0, 90.0, weight=88.2),
    )
    unit: str = "m"
    stray: bool = False


class VirtualHealthOMeter:
    """The options are those of Scene; the seed moves the last digit of the weights."""

    def __init__(self, seed: int, **options: object) -> None:
        self._seed = seed
        self._scene = msgspec.convert(options, Scene)
        self._ticks = Ticks(1.0)

    def due(self, elapsed_s: float) -> bytes:
        """Return the packets of the seconds that ended since the last call."""
        return b"".join(self._packet(float(at)) for at in self._ticks.until(elapsed_s))

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - the scale takes no orders
        """Ignore what the host wrote."""
        return b""

    def _packet(self, at_s: float) -> bytes:
        for person in self._scene.people:
            if person.on_s + LOCKS_S <= at_s < person.off_s:
                wire = encode(self._said(person, at_s))
                follows = at_s >= person.on_s + LOCKS_S + _FEWEST_WITHOUT_STRAY
                return b"6" + wire[1:] if self._scene.stray and follows else wire
        return b""

    def _said(self, person: Person, at_s: float) -> Packet:
        weight = person.weight + self._seed % 3 / 10
        entered = person.height_at_s is not None and at_s >= person.height_at_s
        height = person.height if entered else 0.0
        bmi = weight / (height / 100) ** 2 if entered else 0.0
        return Packet(
            "0" * 10, f"{weight:.1f}", f"{height:.1f}", f"{bmi:.1f}", "0.0", self._scene.unit
        )
