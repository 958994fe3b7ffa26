"""Virtual oximeters with their makers' own services: Nonin 3230, Jumper JPD-500F."""

import math
from collections.abc import Callable

import msgspec

from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.jumper import JumperValues, JumperWave
from drivers.protocols.gatt.nonin_ble import (
    MISSING_PULSE,
    MISSING_SPO2,
    NoninOximetry,
    NoninStatus,
)
from drivers.virtual.gatt.peripheral import VirtualPeripheral
from drivers.virtual.gatt.scene import Scene, Span, within

_SWING_S = 41.0
_WAVE_SAMPLES = 10
_NO_PULSE = 255


class FingerScene(Scene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The finger, and when it is out; such an oximeter stores nothing."""

    spo2: float = 97.0
    pulse_rate: float = 72.0
    perfusion: float = 4.2
    finger_off: tuple[Span, ...] = ()
    measure_at_s: tuple[float, ...] = ()


def virtual_nonin(seed: int, **options: object) -> VirtualPeripheral:
    """Return a Nonin 3230; the options are FingerScene's."""
    scene = msgspec.convert(options, FingerScene)

    def frame(at_s: float) -> Frame:
        status = NoninStatus.DISPLAY_SYNC
        spo2, pulse_rate = _shown(scene, seed, at_s)
        if within(scene.finger_off, at_s):
            return NoninOximetry(status | NoninStatus.SEARCHING, 29, 0, 0, MISSING_SPO2, 511)
        status |= NoninStatus.SMART_POINT
        amplitude = round(scene.perfusion * 100)
        return NoninOximetry(status, 29, amplitude, int(at_s), spo2, min(pulse_rate, MISSING_PULSE))

    return _oximeter("Virtual 3230", scene, characteristics.NONIN_OXIMETRY, lambda at: [frame(at)])


def virtual_jumper(seed: int, **options: object) -> VirtualPeripheral:
    """Return a Jumper JPD-500F; the options are FingerScene's."""
    scene = msgspec.convert(options, FingerScene)

    def frames(at_s: float) -> list[Frame]:
        if within(scene.finger_off, at_s):
            return [JumperValues(_NO_PULSE, MISSING_SPO2, 0)]
        spo2, pulse_rate = _shown(scene, seed, at_s)
        wave = (round(50 + 40 * math.sin(math.tau * at / 10)) for at in range(_WAVE_SAMPLES))
        values = JumperValues(pulse_rate, spo2, round(scene.perfusion * 10))
        return [JumperWave(bytes(wave)), values]

    return _oximeter("Virtual JPD", scene, characteristics.JUMPER_OXIMETRY, frames)


def _oximeter(
    model: str, scene: FingerScene, channel: str, frames: Callable[[float], list[Frame]]
) -> VirtualPeripheral:
    return VirtualPeripheral(
        scene.ware(model, model),
        scene.habits(stays_on=True),
        sends=(channel,),
        facts={},
        stream=lambda at_s: [(channel, frame) for frame in frames(at_s)],
    )


def _shown(scene: FingerScene, seed: int, at_s: float) -> tuple[int, int]:
    swing = math.sin(math.tau * at_s / _SWING_S + seed)
    return min(100, round(scene.spo2 + 0.4 * swing)), round(scene.pulse_rate + 2 * swing)
