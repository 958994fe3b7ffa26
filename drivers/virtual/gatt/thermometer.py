"""A virtual ear thermometer."""

from datetime import datetime

import msgspec

from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.date_time import DateTime
from drivers.protocols.gatt.medical_float import Number
from drivers.protocols.gatt.temperature import Site, Temperature, TemperatureType
from drivers.virtual.gatt.on_patient import Patients, PatientScene, ends_within, fill
from drivers.virtual.gatt.peripheral import Measure, VirtualPeripheral
from drivers.virtual.gatt.scene import jitter

RISING_S = 4.0
RISE_PER_S = 0.6


class ThermometerScene(PatientScene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The patient's temperature in degrees Celsius."""

    celsius: float = 36.8
    in_fahrenheit: bool = False


def virtual_thermometer(seed: int, **options: object) -> VirtualPeripheral:
    """Return a thermometer; the options are ThermometerScene's."""
    scene = msgspec.convert(options, ThermometerScene)
    patients = Patients(seed, scene)
    rising: dict[float, float] = {}  # when it ends, in seconds, and what it finds
    if not scene.is_on_patient:
        rising.update(dict.fromkeys(scene.measure_at_s, scene.celsius))

    def measured(found: float | None = None, *, is_other: bool = False) -> Measure:
        def measure(clock: datetime) -> list[tuple[str, Frame]]:
            celsius = scene.celsius + jitter(seed, clock, 1.2 if is_other else 0.1)
            taken = DateTime.of(clock) if scene.stamps else None
            number = _number(scene, celsius if found is None else found)
            return [(characteristics.TEMPERATURE, Temperature(*number, taken=taken, type=Site.EAR))]

        return measure

    def stream(at_s: float) -> list[tuple[str, Frame]]:
        left = ends_within(rising, at_s, RISING_S)
        if left is None:
            return []
        frame = Temperature(*_number(scene, rising[left + at_s] - left * RISE_PER_S))
        return [(characteristics.INTERMEDIATE_TEMPERATURE, frame)]

    def start(at_s: float, who: int | None) -> None:
        found = scene.celsius
        if scene.is_on_patient:
            found = patients.who(who).state(at_s).temperature_c
        rising[at_s + RISING_S] = found
        thermometer.plan(at_s + RISING_S, measured(found))

    thermometer = VirtualPeripheral(
        scene.ware("Virtual thermometer", "Virtual T"),
        scene.habits(),
        sends=(characteristics.TEMPERATURE, characteristics.INTERMEDIATE_TEMPERATURE),
        facts={characteristics.TEMPERATURE_TYPE: TemperatureType(Site.EAR)},
        stream=stream,
        start=start,
    )
    fill(thermometer, scene, measured(is_other=True), measured())
    return thermometer


def _number(scene: ThermometerScene, celsius: float) -> tuple[Number, bool]:
    if scene.in_fahrenheit:
        return Number.of(celsius * 9 / 5 + 32, 1), True
    return Number.of(celsius, 1), False
