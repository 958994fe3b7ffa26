"""A virtual scale that also tells body composition, in two indications."""

from datetime import datetime

import msgspec

from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.body_composition import BodyComposition
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.date_time import DateTime
from drivers.protocols.gatt.weight import ScaleFeature, Weight
from drivers.virtual.gatt.on_patient import Patients, PatientScene, fill
from drivers.virtual.gatt.peripheral import Measure, VirtualPeripheral
from drivers.virtual.gatt.scene import jitter
from drivers.virtual.physiology.scenarios import Person

KG_PER_LB = 0.45359237
UNKNOWN_USER = 255
STANDS_S = 4.0


class ScaleScene(PatientScene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The patient, in kilograms, metres and percent; `height_m` None where the scale has none."""

    kilograms: float = 72.4
    height_m: float | None = 1.74
    fat_percent: float = 22.5
    in_pounds: bool = False
    has_body_composition: bool = True
    user: int | None = UNKNOWN_USER


def virtual_scale(seed: int, **options: object) -> VirtualPeripheral:
    """Return a scale; the options are ScaleScene's."""
    scene = msgspec.convert(options, ScaleScene)
    patients = Patients(seed, scene)

    def measured(on: Person | None = None, *, is_other: bool = False) -> Measure:
        def measure(clock: datetime) -> list[tuple[str, Frame]]:
            kilograms = scene.kilograms + jitter(seed, clock, 15.0 if is_other else 0.05)
            height_m = scene.height_m
            if on is not None:
                kilograms, height_m = on.weight_kg, on.height_m
            frames: list[tuple[str, Frame]] = [
                (characteristics.WEIGHT, _weight(scene, clock, kilograms, height_m))
            ]
            if scene.has_body_composition:
                frames += [
                    (characteristics.BODY_COMPOSITION, frame)
                    for frame in _composition(scene, clock, kilograms)
                ]
            return frames

        return measure

    def start(at_s: float, who: int | None) -> None:
        on = patients.who(who).person if scene.is_on_patient else None
        scale.plan(at_s + STANDS_S, measured(on))

    sends = [characteristics.WEIGHT]
    facts: dict[str, Frame] = {characteristics.SCALE_FEATURE: ScaleFeature(0x07)}
    if scene.has_body_composition:
        sends.append(characteristics.BODY_COMPOSITION)
        facts[characteristics.BODY_COMPOSITION_FEATURE] = ScaleFeature(0x03)
    scale = VirtualPeripheral(
        scene.ware("Virtual scale", "Virtual W"),
        scene.habits(),
        sends=sends,
        facts=facts,
        start=start,
    )
    fill(scale, scene, measured(is_other=True), measured())
    return scale


def _weight(scene: ScaleScene, clock: datetime, kilograms: float, height_m: float | None) -> Weight:
    height, bmi = None, None
    if height_m is not None:
        height = round(height_m / 0.0254 * 10 if scene.in_pounds else height_m * 1000)
        bmi = round(kilograms / height_m**2 * 10)
    return Weight(
        _steps(scene, kilograms),
        is_imperial=scene.in_pounds,
        taken=_stamp(scene, clock),
        user=scene.user,
        bmi=bmi,
        height=height,
    )


def _composition(scene: ScaleScene, clock: datetime, kilograms: float) -> list[BodyComposition]:
    fat = round(scene.fat_percent * 10)
    lean = kilograms * (1 - scene.fat_percent / 100)
    first = BodyComposition(
        fat,
        is_imperial=scene.in_pounds,
        taken=_stamp(scene, clock),
        user=scene.user,
        weight=_steps(scene, kilograms),
        is_multi_packet=True,
    )
    second = BodyComposition(
        fat,
        is_imperial=scene.in_pounds,
        fat_free_mass=_steps(scene, lean),
        water_mass=_steps(scene, lean * 0.73),
        impedance=5120,
        is_multi_packet=True,
    )
    return [first, second]


def _stamp(scene: ScaleScene, clock: datetime) -> DateTime | None:
    return DateTime.of(clock) if scene.stamps else None


def _steps(scene: ScaleScene, kilograms: float) -> int:
    return round(kilograms / KG_PER_LB * 100 if scene.in_pounds else kilograms * 200)
