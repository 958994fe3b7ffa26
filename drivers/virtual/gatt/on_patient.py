"""Virtual Bluetooth LE instruments that can be put on the virtual patient."""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from drivers.virtual.gatt.peripheral import Measure, VirtualPeripheral
from drivers.virtual.gatt.scene import Scene
from drivers.virtual.patient import Patient
from drivers.virtual.physiology.scenarios import scenario_named


class PatientScene(Scene, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """With `patient_seed` or `scenario` the virtual patient is measured, else the scene's numbers.

    Then `measure_at_s` are the seconds at which measurements are started, as by `start`.
    """

    patient_seed: Annotated[int, msgspec.Meta(ge=0)] | None = None
    scenario: str | None = None

    def __post_init__(self) -> None:
        """Refuse a scenario nobody knows."""
        if self.scenario is not None:
            scenario_named(self.scenario)

    @property
    def is_on_patient(self) -> bool:
        """Whether the virtual patient is measured."""
        return self.patient_seed is not None or self.scenario is not None


class Patients:
    """The patients an instrument is put on, each made once: who they are does not change."""

    def __init__(self, seed: int, scene: PatientScene) -> None:
        self._first = seed if scene.patient_seed is None else scene.patient_seed
        self._scenario = scene.scenario or "healthy"
        self._known: dict[int, Patient] = {}

    def who(self, seed: int | None) -> Patient:
        """Return a patient by seed, the scene's own without one."""
        seed = self._first if seed is None else seed
        if seed not in self._known:
            self._known[seed] = Patient(seed, self._scenario)
        return self._known[seed]


def ends_within(ends: Iterable[float], at_s: float, seconds: float) -> float | None:
    """Return how long it is to the end of the measurement that goes on, None if none does."""
    return next((end - at_s for end in ends if 0 < end - at_s <= seconds), None)


def fill(
    instrument: VirtualPeripheral, scene: PatientScene, stored: Measure, fresh: Measure
) -> None:
    """Give an instrument what the scene has in its memory, and what it measures in time."""
    for taken in scene.stored_times():
        instrument.remember(taken, stored)
    for at_s in scene.measure_at_s:
        if scene.is_on_patient:
            instrument.start(at_s)
        else:
            instrument.plan(at_s, fresh)
