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
from drivers.protocols.gatt.medical_float import MedicalFloat, Number, Special
from drivers.virtual.gatt.on_patient import Patients, PatientScene, ends_within, fill
from drivers.virtual.gatt.peripheral import Measure, VirtualPeripheral
from drivers.virtual.gatt.scene import jitter
from drivers.virtual.physiology.cuff import STEP_MMHG, Deflation

INFLATED_S = 25.0
PUMPS_S = 5.0
TOP_MMHG = 190.0
LEAK_MMHG_PER_S = 7.0


class CuffScene(PatientScene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The patient's pressures in mmHg; `status` bits go with each measurement.

    On the virtual patient it lets its air out in steps of `step_mmhg`.
    """

    systolic: float = 122.0
    diastolic: float = 78.0
    pulse_rate: float = 68.0
    in_kpa: bool = False
    user: int | None = None
    status: int = 0
    step_mmhg: float = STEP_MMHG
    features: int = 0x3F  # what it says that it can do: all of it


def virtual_cuff(seed: int, **options: object) -> VirtualPeripheral:
    """Return a cuff that shows its pressure while it measures; the options are CuffScene's."""
    scene = msgspec.convert(options, CuffScene)
    patients = Patients(seed, scene)
    drawn_ends = [] if scene.is_on_patient else list(scene.measure_at_s)
    runs: list[Deflation] = []

    def drawn(*, is_other: bool) -> Measure:
        def measure(clock: datetime) -> list[tuple[str, Frame]]:
            return [(characteristics.BLOOD_PRESSURE, _drawn(scene, seed, clock, is_other=is_other))]

        return measure

    def stream(at_s: float) -> list[tuple[str, Frame]]:
        in_cuff = [run.pressure(at_s) for run in runs if run.begin_s <= at_s < run.end_s]
        left = ends_within(drawn_ends, at_s, INFLATED_S)
        if left is not None:
            in_cuff.append(_drawn_pressure(INFLATED_S - left))
        return [(characteristics.CUFF_PRESSURE, _in_cuff(scene, mmhg)) for mmhg in in_cuff[:1]]

    def start(at_s: float, who: int | None) -> None:
        if not scene.is_on_patient:
            drawn_ends.append(at_s + INFLATED_S)
            cuff.plan(at_s + INFLATED_S, drawn(is_other=False))
            return
        run = patients.who(who).deflation(at_s, scene.step_mmhg)
        runs.append(run)

        def measure(clock: datetime) -> list[tuple[str, Frame]]:
            return [(characteristics.BLOOD_PRESSURE, _found(scene, run, clock))]

        cuff.plan(run.end_s, measure)

    cuff = VirtualPeripheral(
        scene.ware("Virtual cuff", "Virtual BP"),
        scene.habits(),
        sends=(characteristics.BLOOD_PRESSURE, characteristics.CUFF_PRESSURE),
        facts={
            characteristics.BLOOD_PRESSURE_FEATURE: BloodPressureFeature(
                CuffFeature(scene.features)
            )
        },
        stream=stream,
        start=start,
    )
    fill(cuff, scene, drawn(is_other=True), drawn(is_other=False))
    return cuff


_ZERO = Number(0)


def _drawn_pressure(since_s: float) -> float:
    if since_s < PUMPS_S:
        return TOP_MMHG * since_s / PUMPS_S
    return TOP_MMHG - (since_s - PUMPS_S) * LEAK_MMHG_PER_S


def _in_cuff(scene: CuffScene, mmhg: float) -> BloodPressure:
    return BloodPressure(_scaled(scene, mmhg), _ZERO, _ZERO, is_kpa=scene.in_kpa)


def _drawn(scene: CuffScene, seed: int, clock: datetime, *, is_other: bool) -> BloodPressure:
    spread = 25.0 if is_other else 2.0
    systolic = scene.systolic + jitter(seed, clock, spread)
    diastolic = scene.diastolic + jitter(seed + 1, clock, spread / 3)
    mean = diastolic + (systolic - diastolic) / 3
    pulse_rate = scene.pulse_rate + jitter(seed + 2, clock, spread / 2)
    return _result(scene, clock, (systolic, diastolic, mean), pulse_rate, CuffStatus(scene.status))


def _found(scene: CuffScene, run: Deflation, clock: datetime) -> BloodPressure:
    """Return what the cuff makes of the patient; one that leaks finds nothing."""
    status = CuffStatus(scene.status)
    status |= CuffStatus.IRREGULAR_PULSE if run.irregular else CuffStatus(0)
    status |= CuffStatus.MOVEMENT if run.moved else CuffStatus(0)
    if run.leaked:
        return _result(scene, clock, None, None, status | CuffStatus.LOOSE)
    return _result(scene, clock, (run.systolic, run.diastolic, run.mean), run.pulse_rate, status)


def _result(
    scene: CuffScene,
    clock: datetime,
    pressures: tuple[float, float, float] | None,
    pulse_rate: float | None,
    status: CuffStatus,
) -> BloodPressure:
    systolic, diastolic, mean = (None, None, None) if pressures is None else pressures
    return BloodPressure(
        _scaled(scene, systolic),
        _scaled(scene, diastolic),
        _scaled(scene, mean),
        is_kpa=scene.in_kpa,
        taken=DateTime.of(clock) if scene.stamps else None,
        pulse_rate=Special.NAN if pulse_rate is None else Number.of(pulse_rate),
        user=scene.user,
        status=status,
    )


def _scaled(scene: CuffScene, mmhg: float | None) -> MedicalFloat:
    if mmhg is None:
        return Special.NAN
    return Number.of(mmhg * 0.133322, 1) if scene.in_kpa else Number.of(mmhg)
