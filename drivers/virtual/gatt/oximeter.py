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
from drivers.virtual.gatt.on_patient import Patients, PatientScene
from drivers.virtual.gatt.peripheral import Measure, VirtualPeripheral
from drivers.virtual.gatt.scene import Span, jitter, within
from drivers.virtual.patient import State

WEAK_PERCENT = 0.5  # of pulsating light, below which an oximeter says so
_SWING_S = 41.0
_STATUS = MeasurementStatus(0xFFE0)
_DEVICE = DeviceStatus(0xFFFF)


class OximeterScene(PatientScene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The finger and what befalls it; spans are from and until, in seconds.

    On the virtual patient the stream is that patient's; `start` puts it on somebody else's finger.
    """

    spo2: float = 97.0
    pulse_rate: float = 72.0
    perfusion: float = 4.2
    finger_off: tuple[Span, ...] = ()
    low_perfusion: tuple[Span, ...] = ()
    streams: bool = True


def virtual_oximeter(seed: int, **options: object) -> VirtualPeripheral:
    """Return an oximeter; the options are OximeterScene's."""
    scene = msgspec.convert(options, OximeterScene)
    patients = Patients(seed, scene)
    worn_by: list[int | None] = [None]

    def measured(*, is_other: bool) -> Measure:
        def measure(clock: datetime) -> list[tuple[str, Frame]]:
            return [(characteristics.SPOT_CHECK, _spot(scene, seed, clock, is_other=is_other))]

        return measure

    def stream(at_s: float) -> list[tuple[str, Frame]]:
        state = patients.who(worn_by[-1]).state(at_s) if scene.is_on_patient else None
        return [(characteristics.CONTINUOUS, _continuous(scene, seed, at_s, state))]

    def start(_at_s: float, who: int | None) -> None:
        worn_by.append(who)

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
        start=start,
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


def _continuous(scene: OximeterScene, seed: int, at_s: float, patient: State | None) -> Continuous:
    device = DeviceStatus(0)
    swing = math.sin(math.tau * at_s / _SWING_S + seed)
    saturation, pulses, perfusion = scene.spo2 + 0.4 * swing, scene.pulse_rate, scene.perfusion
    pulses += 2 * swing
    if patient is not None:
        saturation, pulses = patient.spo2, patient.pulse_rate
        perfusion = patient.perfusion_index
        device |= DeviceStatus.ERRATIC_SIGNAL if patient.moving else DeviceStatus(0)
        weak = perfusion < WEAK_PERCENT
        device |= DeviceStatus.LOW_PERFUSION if weak else DeviceStatus(0)
    spo2: MedicalFloat = Number.of(min(100.0, saturation))
    rate: MedicalFloat = Number.of(pulses)
    if within(scene.finger_off, at_s):
        spo2 = rate = Special.NAN
        device |= DeviceStatus.SENSOR_UNCONNECTED_TO_USER
    if within(scene.low_perfusion, at_s):
        device |= DeviceStatus.LOW_PERFUSION
    return Continuous(
        Saturation(spo2, rate),
        status=MeasurementStatus.VALIDATED,
        device=device,
        pulse_amplitude=Number.of(perfusion, 1),
    )
