"""A virtual ear thermometer."""

from datetime import datetime

import msgspec

from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.date_time import DateTime
from drivers.protocols.gatt.medical_float import Number
from drivers.protocols.gatt.temperature import Site, Temperature, TemperatureType
from drivers.virtual.gatt.peripheral import Measure, VirtualPeripheral, Ware
from drivers.virtual.gatt.scene import Scene, jitter

RISING_S = 4.0
RISE_PER_S = 0.6


class ThermometerScene(Scene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The patient's temperature in degrees Celsius."""

    celsius: float = 36.8
    in_fahrenheit: bool = False


def virtual_thermometer(seed: int, **options: object) -> VirtualPeripheral:
    """Return a thermometer; the options are ThermometerScene's."""
    scene = msgspec.convert(options, ThermometerScene)

    def measured(*, is_other: bool) -> Measure:
        def measure(clock: datetime) -> list[tuple[str, Frame]]:
            celsius = scene.celsius + jitter(seed, clock, 1.2 if is_other else 0.1)
            taken = DateTime.of(clock) if scene.stamps else None
            frame = Temperature(*_number(scene, celsius), taken=taken, type=Site.EAR)
            return [(characteristics.TEMPERATURE, frame)]

        return measure

    def stream(at_s: float) -> list[tuple[str, Frame]]:
        left = [end - at_s for end in scene.measure_at_s if 0 < end - at_s <= RISING_S]
        if not left:
            return []
        frame = Temperature(*_number(scene, scene.celsius - left[0] * RISE_PER_S))
        return [(characteristics.INTERMEDIATE_TEMPERATURE, frame)]

    thermometer = VirtualPeripheral(
        Ware("Virtual thermometer", "Virtual T", scene.serial, battery=scene.battery),
        scene.habits(),
        sends=(characteristics.TEMPERATURE, characteristics.INTERMEDIATE_TEMPERATURE),
        facts={characteristics.TEMPERATURE_TYPE: TemperatureType(Site.EAR)},
        stream=stream,
    )
    for taken in scene.stored_times():
        thermometer.remember(taken, measured(is_other=True))
    for at_s in scene.measure_at_s:
        thermometer.plan(at_s, measured(is_other=False))
    return thermometer


def _number(scene: ThermometerScene, celsius: float) -> tuple[Number, bool]:
    if scene.in_fahrenheit:
        return Number.of(celsius * 9 / 5 + 32, 1), True
    return Number.of(celsius, 1), False
