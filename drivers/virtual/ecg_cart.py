"""A virtual ECG cart: it records the virtual patient and leaves SCP-ECG files in a folder.

It measures as a cart does: rate, intervals and axis of the patient's true beats, rounded to what
SCP-ECG can say. An electrode that is off is a flat line, as carts store it.
"""

import os
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np

from drivers.formats.scp_writer import encode
from drivers.formats.spelling import CartValue
from drivers.model import CartPatient, EcgRecording, InstrumentId
from drivers.virtual.course import Ticks
from drivers.virtual.patient import Patient
from drivers.virtual.physiology.dipole import LEADS, MEASURED
from drivers.virtual.physiology.heart import BeatTruth

FS = 500.0
STEP_UV = 2.5
NINE = datetime(2026, 1, 5, 9)  # noqa: DTZ001 - a cart's own time, without a zone


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is recorded, when by the cart's clock, and how often.

    `started` is the cart's clock at second 0. `patient_seed` and `scenario` are the virtual
    patient's, None the cart's own seed; `patient_id` is what somebody typed into the cart, None
    nothing.
    """

    started: datetime = NINE
    patient_seed: int | None = None
    scenario: str = "healthy"
    patient_id: str | None = "17"
    name: str | None = "Example, Erika"
    birth_date: str | None = "1964-08-12"
    sex: str | None = "female"
    every_s: float = 30.0
    seconds: float = 10.0
    statements: tuple[str, ...] = ()
    serial: str = "VC-0001"


class VirtualEcgCart:
    """The options are those of Scene."""

    def __init__(self, seed: int, **options: object) -> None:
        self._scene = msgspec.convert(options, Scene)
        chosen = self._scene.patient_seed
        self._patient = Patient(seed if chosen is None else chosen, self._scene.scenario)
        self._ticks = Ticks(self._scene.every_s)

    def due(self, elapsed_s: float) -> tuple[bytes, ...]:
        """Return the files of the recordings that ended since the last call."""
        ends = (number * self._scene.every_s for number in self._ticks.until(elapsed_s))
        return tuple(encode(self.recording(end)) for end in ends)

    def recording(self, end_s: float) -> EcgRecording:
        """Return the recording that ends `end_s` after the cart was started."""
        scene, patient = self._scene, self._patient
        begin_s = end_s - scene.seconds
        stored = [LEADS.index(name) for name in MEASURED]
        waves = np.nan_to_num(patient.ecg(begin_s, end_s, FS)[stored])
        steps = np.rint(waves / STEP_UV) * STEP_UV
        return EcgRecording(
            leads=tuple(MEASURED),
            fs=FS,
            microvolts=steps,
            acquired=scene.started + timedelta(seconds=int(begin_s)),
            original_sha256=sha256(steps.tobytes()).hexdigest(),  # of what the file is made from
            device=InstrumentId("scp", "Virtual CART", scene.serial, "1.0"),
            patient=CartPatient(scene.patient_id, scene.name, scene.birth_date, scene.sex),
            measurements=_measured(patient.beat_truth(begin_s, end_s)),
            statements=scene.statements,
        )


def leave(data: bytes, folder: Path, name: str | None = None) -> Path:
    """Leave a file in a folder as a careful writer does: written aside, then renamed."""
    path = folder / (name or f"{secrets.token_hex(4)}.scp")
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    return unfinished.rename(path)


def _measured(beats: tuple[BeatTruth, ...]) -> tuple[tuple[str, str], ...]:
    """Return what the cart says of the middle beat, and of the rate of all."""
    if len(beats) < 2:
        return ()
    beat = beats[len(beats) // 2]
    rr_s = float(np.median(np.diff([each.r_s for each in beats])))
    qt_s = beat.t.offset_s - beat.qrs.onset_s
    said: dict[CartValue, float] = {
        CartValue.HEART_RATE: 60 / rr_s,
        CartValue.RR: rr_s * 1000,
        CartValue.QRS: (beat.qrs.offset_s - beat.qrs.onset_s) * 1000,
        CartValue.QT: qt_s * 1000,
        CartValue.QTC: qt_s / rr_s**0.5 * 1000,
        CartValue.QRS_AXIS: beat.axis_deg,
    }
    if beat.p is not None:
        said[CartValue.P] = (beat.p.offset_s - beat.p.onset_s) * 1000
        said[CartValue.PR] = (beat.qrs.onset_s - beat.p.onset_s) * 1000
    pairs = [(name.value, str(round(value))) for name, value in said.items()]
    return (*pairs, (CartValue.QTC_FORMULA.value, "Bazett"))
