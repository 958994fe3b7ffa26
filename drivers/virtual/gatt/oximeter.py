"""A virtual pulse oximeter: a stream every second, spot checks in a memory with record access."""

import math
from datetime import datetime

import msgspec

from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.date_time import DateTime
from drivers.protocols.gatt.medical_float import MedicalFloat, Number, Special
from drivers.protocols.gatt.oximetry import (
    Continuous,
    DeviceStatus,
    MeasurementStatus,
    OximeterFeature,
    OximeterFeatures,
    Saturation,
    SpotCheck,
)
from drivers.virtual.gatt.peripheral import Measure, VirtualPeripheral
from drivers.virtual.gatt.scene import Scene, Span, jitter, within

_SWING_S = 41.0
_STATUS = MeasurementStatus(0xFFE0)
_DEVICE = DeviceStatus(0xFFFF)


class OximeterScene(Scene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The finger and what befalls it; spans are from and until, in seconds."""

    spo2: float = 97.0
    pulse_rate: float = 72.0
    perfusion: float = 4.2
    finger_off: tuple[Span, ...] = ()
    low_perfusion: tuple[Span, ...] = ()
    streams: bool = True


def virtual_oximeter(seed: int, **options: object) -> VirtualPeripheral:
    """Return an oximeter; the options are OximeterScene's."""
    scene = msgspec.convert(options, OximeterScene)

    def measured(*, is_other: bool) -> Measure:
        def measure(clock: datetime) -> list[tuple[str, Frame]]:
            return [(characteristics.SPOT_CHECK, _spot(scene, seed, clock, is_other=is_other))]

        return measure

    def stream(at_s: float) -> list[tuple[str, Frame]]:
        return [(characteristics.CONTINUOUS, _continuous(scene, seed, at_s))]

    sends = [characteristics.SPOT_CHECK, *([characteristics.CONTINUOUS] if scene.streams else [])]
    oximeter = VirtualPeripheral(
        scene.ware("Virtual oximeter", "Virtual Ox"),
        scene.habits(has_record_access=True, stays_on=True),
        sends=sends,
        facts={
            characteristics.OXIMETER_FEATURES: OximeterFeatures(
                OximeterFeature(0x4F), _STATUS, _DEVICE
            )
        },
        stream=stream if scene.streams else None,
    )
    for taken in scene.stored_times():
        oximeter.remember(taken, measured(is_other=True))
    for at_s in scene.measure_at_s:
        oximeter.plan(at_s, measured(is_other=False))
    return oximeter


def _spot(scene: OximeterScene, seed: int, clock: datetime, *, is_other: bool) -> SpotCheck:
    spread = 4.0 if is_other else 0.5
    status = MeasurementStatus.FULLY_QUALIFIED
    return SpotCheck(
        Saturation(
            Number.of(min(100.0, scene.spo2 + jitter(seed, clock, spread))),
            Number.of(scene.pulse_rate + jitter(seed + 1, clock, 3 * spread)),
        ),
        taken=DateTime.of(clock) if scene.stamps else None,
        status=status | MeasurementStatus.FROM_STORAGE if is_other else status,
        pulse_amplitude=Number.of(scene.perfusion, 1),
        clock_unset=not scene.stamps,
    )


def _continuous(scene: OximeterScene, seed: int, at_s: float) -> Continuous:
    device = DeviceStatus(0)
    swing = math.sin(math.tau * at_s / _SWING_S + seed)
    spo2: MedicalFloat = Number.of(min(100.0, scene.spo2 + 0.4 * swing))
    rate: MedicalFloat = Number.of(scene.pulse_rate + 2 * swing)
    if within(scene.finger_off, at_s):
        spo2 = rate = Special.NAN
        device |= DeviceStatus.SENSOR_UNCONNECTED_TO_USER
    if within(scene.low_perfusion, at_s):
        device |= DeviceStatus.LOW_PERFUSION
    return Continuous(
        Saturation(spo2, rate),
        status=MeasurementStatus.VALIDATED,
        device=device,
        pulse_amplitude=Number.of(scene.perfusion, 1),
    )
