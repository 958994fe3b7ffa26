"""A virtual heart rate belt."""

import math

import msgspec

from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.heart_rate import RR_PER_S, HeartRate
from drivers.virtual.gatt.peripheral import VirtualPeripheral
from drivers.virtual.gatt.scene import Scene, Span, within

_BREATH_S = 4.2
_NO_CONTACT, _CONTACT = 2, 3


class BeltScene(Scene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The heart, and when the belt is off; a belt stores nothing."""

    heart_rate: float = 66.0
    belt_off: tuple[Span, ...] = ()
    measure_at_s: tuple[float, ...] = ()


def virtual_belt(seed: int, **options: object) -> VirtualPeripheral:
    """Return a belt; the options are BeltScene's."""
    scene = msgspec.convert(options, BeltScene)

    def stream(at_s: float) -> list[tuple[str, Frame]]:
        if within(scene.belt_off, at_s):
            return [(characteristics.HEART_RATE, HeartRate(0, contact_bits=_NO_CONTACT))]
        rate = scene.heart_rate + 1.5 * math.sin(math.tau * at_s / _BREATH_S + seed)
        intervals = (round(60 / rate * RR_PER_S),)
        frame = HeartRate(round(rate), contact_bits=_CONTACT, rr=intervals)
        return [(characteristics.HEART_RATE, frame)]

    return VirtualPeripheral(
        scene.ware("Virtual belt", "Virtual HR"),
        scene.habits(stays_on=True),
        sends=(characteristics.HEART_RATE,),
        facts={},
        stream=stream,
    )
