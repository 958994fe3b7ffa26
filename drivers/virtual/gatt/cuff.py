"""A virtual blood pressure monitor."""

from datetime import datetime

import msgspec

from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.blood_pressure import (
    BloodPressure,
    BloodPressureFeature,
    CuffFeature,
    CuffStatus,
)
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.date_time import DateTime
from drivers.protocols.gatt.medical_float import MedicalFloat, Number
from drivers.virtual.gatt.peripheral import Measure, VirtualPeripheral, Ware
from drivers.virtual.gatt.scene import Scene, jitter

INFLATED_S = 25.0
LEAK_MMHG_PER_S = 6.0


class CuffScene(Scene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The patient's pressures in mmHg; `status` bits go with each measurement."""

    systolic: float = 122.0
    diastolic: float = 78.0
    pulse_rate: float = 68.0
    in_kpa: bool = False
    user: int | None = None
    status: int = 0


def virtual_cuff(seed: int, **options: object) -> VirtualPeripheral:
    """Return a cuff that shows its pressure while it measures; the options are CuffScene's."""
    scene = msgspec.convert(options, CuffScene)

    def measured(*, is_other: bool) -> Measure:
        def measure(clock: datetime) -> list[tuple[str, Frame]]:
            return [(characteristics.BLOOD_PRESSURE, _frame(scene, seed, clock, is_other=is_other))]

        return measure

    def stream(at_s: float) -> list[tuple[str, Frame]]:
        left = [end - at_s for end in scene.measure_at_s if 0 < end - at_s <= INFLATED_S]
        if not left:
            return []
        pressure = 40.0 + left[0] * LEAK_MMHG_PER_S
        return [(characteristics.CUFF_PRESSURE, BloodPressure(_whole(pressure), _ZERO, _ZERO))]

    cuff = VirtualPeripheral(
        Ware("Virtual cuff", "Virtual BP", scene.serial, battery=scene.battery),
        scene.habits(),
        sends=(characteristics.BLOOD_PRESSURE, characteristics.CUFF_PRESSURE),
        facts={characteristics.BLOOD_PRESSURE_FEATURE: BloodPressureFeature(CuffFeature(0x3F))},
        stream=stream,
    )
    for taken in scene.stored_times():
        cuff.remember(taken, measured(is_other=True))
    for at_s in scene.measure_at_s:
        cuff.plan(at_s, measured(is_other=False))
    return cuff


_ZERO = Number(0)


def _frame(scene: CuffScene, seed: int, clock: datetime, *, is_other: bool) -> BloodPressure:
    spread = 25.0 if is_other else 2.0
    systolic = scene.systolic + jitter(seed, clock, spread)
    diastolic = scene.diastolic + jitter(seed + 1, clock, spread / 3)
    scaled = _kilopascals if scene.in_kpa else _whole
    return BloodPressure(
        scaled(systolic),
        scaled(diastolic),
        scaled(diastolic + (systolic - diastolic) / 3),
        is_kpa=scene.in_kpa,
        taken=DateTime.of(clock) if scene.stamps else None,
        pulse_rate=_whole(scene.pulse_rate + jitter(seed + 2, clock, spread / 2)),
        user=scene.user,
        status=CuffStatus(scene.status),
    )


def _whole(value: float) -> MedicalFloat:
    return Number.of(value)


def _kilopascals(mmhg: float) -> MedicalFloat:
    return Number.of(mmhg * 0.133322, 1)
