"""An ECG study: what a cart's file held, as it is kept, and the parts it becomes.

Four results, joined by one study id: the cart's own values and statements, ours, the waveform, the
original. Ours never stand in the place of the cart's.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from drivers.formats.spelling import CartValue
from drivers.model import (
    CartClock,
    DeviceTime,
    EcgFile,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Reading,
    Unit,
)
from drivers.plausibility import axis, reading
from drivers.registry import Memory
from edge.analysis_wire import StudyReply
from edge.clock import NS
from edge.events import Measured
from edge.observation import Compared, Moment, Origin, StudyPart, Subject, study_id

METHOD = "median beat of all leads of the cart's recording"
YEARS = range(1980, 2100)
CART_RESOLUTION_S = 1.0  # files have whole seconds

_MS = {
    CartValue.RR: Metric.RR_INTERVAL,
    CartValue.P: Metric.P_DURATION,
    CartValue.PR: Metric.PR_INTERVAL,
    CartValue.QRS: Metric.QRS_DURATION,
    CartValue.QT: Metric.QT_INTERVAL,
    "qtc_bazett_ms": Metric.QTC_BAZETT,
    "qtc_fridericia_ms": Metric.QTC_FRIDERICIA,
}
_AXES = {
    CartValue.P_AXIS: Metric.P_AXIS,
    CartValue.QRS_AXIS: Metric.QRS_AXIS,
    CartValue.T_AXIS: Metric.T_AXIS,
}
_QTC = {"Bazett": Metric.QTC_BAZETT, "Fridericia": Metric.QTC_FRIDERICIA}


class Content(Struct, frozen=True, eq=False):
    """What a study holds that no event does: it may name a patient, and it is large."""

    said: StudyReply
    microvolts: NDArray[np.float64]
    original: bytes


class NewStudy(Struct, frozen=True, eq=False):
    """A study on its way into the store; `act` stands for device, time and patient, if all are."""

    study: str
    original_sha256: str
    act: str | None
    content: Content


class Origins(Struct, frozen=True):
    """By what and when a study came: the instrument of the settings, and how it remembers."""

    instrument: str
    driver: str
    at: Moment
    memory: Memory
    settle_s: float


def new_study(said: StudyReply, microvolts: NDArray[np.float64], file: EcgFile) -> NewStudy:
    """Return what was read from a file, as it is kept."""
    number, serial = said.patient[0], said.device[1] or said.device[0]
    act = None
    if number and serial and said.acquired:
        act = _sha256(("act", serial, said.acquired, number))
    return NewStudy(
        study=study_id(said.samples_sha256, said.acquired),
        original_sha256=hashlib.sha256(file.data).hexdigest(),
        act=act,
        content=Content(said, microvolts, file.data),
    )


def compared(said: StudyReply, subject: Subject | None) -> Compared:
    """Compare the patient a file names with the one in the room.

    A number that differs contradicts, and so does a birth date under the same number.
    """
    number, _, birth_date, _ = said.patient
    if not number:
        return Compared.NOT_NAMED
    if subject is None or not subject.identifiers:
        return Compared.NOT_KNOWN
    if _plain(number) not in set(map(_plain, subject.identifiers)):
        return Compared.OTHER
    born = subject.display[1]
    both_whole = bool(birth_date) and len(birth_date or "") == len(born) == len("2000-01-01")
    return Compared.OTHER if both_whole and birth_date != born else Compared.SAME


def parts_of(
    new: NewStudy, file: EcgFile, origins: Origins, verdict: Compared, association: str | None
) -> tuple[Measured, ...]:
    """Return the events of a study: the cart's values, ours, the waveform and the original."""
    said = new.content.said
    model, serial, firmware = said.device
    identity = InstrumentId(origins.driver, model, serial, firmware)
    time = device_time(said, file)
    theirs, remarks = _of_the_cart(said)
    ours = tuple(filter(None, (_reading(name, value) for name, value in said.ours)))
    made: list[tuple[Kind, Origin, tuple[Reading, ...], tuple[tuple[str, str], ...]]] = []
    if theirs or said.statements:
        made.append((Kind.ECG12, Origin.MEASURED, theirs, remarks))
    if ours:
        why = tuple((f"no {name}", reason) for name, reason in said.reasons)
        made.append((Kind.ECG12, Origin.DERIVED, ours, (("beats", str(said.beats)), *why)))
    made.append((Kind.ECG12_WAVEFORM, Origin.MEASURED, (), ()))
    made.append((Kind.ECG12_ORIGINAL, Origin.MEASURED, (), ()))
    return tuple(
        Measured(
            at=origins.at,
            instrument=origins.instrument,
            identity=identity,
            measurement=Measurement(
                kind=kind,
                readings=readings,
                at=file.at,
                raw=bytes.fromhex(new.original_sha256),
                device_time=time,
                evidence=evidence,
            ),
            memory=origins.memory,
            settle_s=origins.settle_s,
            origin=origin,
            method=METHOD if origin is Origin.DERIVED else "",
            study=StudyPart(
                study=new.study,
                samples_sha256=said.samples_sha256,
                acquired=said.acquired,
                original_sha256=new.original_sha256,
                content_sha256=_content_sha256(new, kind, origin),
                compared=verdict,
                association=association,
            ),
        )
        for kind, origin, readings, evidence in made
    )


def device_time(said: StudyReply, file: EcgFile) -> DeviceTime | None:
    """Return the cart's time of a recording; None where it gave none, or one that cannot be.

    It is placed on our clock only where somebody vouches for the cart's and ours is synchronised.
    The error covers the recording itself, since carts stamp its begin or its end.
    """
    if said.acquired is None:
        return None
    given = datetime.fromisoformat(said.acquired)
    if given.year not in YEARS:
        return None
    local = given.replace(tzinfo=None)
    vouched = file.clock.error_s
    if vouched is None or not file.at.trusted:
        return DeviceTime(local, CART_RESOLUTION_S)
    seconds = _samples(said) / said.fs
    age_s = file.at.wall_ns / NS - _in_zone(given, file.clock).timestamp()
    return DeviceTime(local, CART_RESOLUTION_S, age_s, vouched + seconds)


def readings_of(said: Sequence[tuple[str, str]]) -> tuple[Reading, ...]:
    """Return the readings that cart values are; what is none of a number is left out."""
    formula = dict(said).get(CartValue.QTC_FORMULA, "")
    made = []
    for name, text in said:
        try:
            value = float(text)
        except ValueError:
            continue
        one = _reading(name, value, _QTC.get(formula, Metric.QTC))
        if one is not None:
            made.append(one)
    return tuple(made)


def _of_the_cart(said: StudyReply) -> tuple[tuple[Reading, ...], tuple[tuple[str, str], ...]]:
    """Return the cart's readings, and what else it said of them."""
    readings = readings_of(said.measurements)
    also = {CartValue.QTC_FORMULA, CartValue.STATEMENT_STATUS, CartValue.PACER_SPIKES}
    also |= {CartValue.ATRIAL_RATE, CartValue.PP}
    return readings, tuple(pair for pair in said.measurements if pair[0] in set(also))


def _reading(name: str, value: float, qtc: Metric = Metric.QTC) -> Reading | None:
    if name == CartValue.HEART_RATE:
        return reading(Metric.HEART_RATE, value, Unit.PER_MIN)
    if name == CartValue.QTC:
        return reading(qtc, value, Unit.MILLISECOND)
    if name in _MS:
        return reading(_MS[name], value, Unit.MILLISECOND)
    return axis(_AXES[CartValue(name)], value) if name in set(_AXES) else None


def _content_sha256(new: NewStudy, kind: Kind, origin: Origin) -> str:
    if kind is Kind.ECG12_ORIGINAL:
        return new.original_sha256
    said = new.content.said
    if kind is Kind.ECG12_WAVEFORM:
        return said.samples_sha256
    return _sha256(said.statements if origin is Origin.MEASURED else ())


def _samples(said: StudyReply) -> int:
    return said.shapes[0][1]


def _in_zone(given: datetime, clock: CartClock) -> datetime:
    """Return the cart's time with a zone: its own, else the one the site says it is set to."""
    if given.tzinfo is not None:
        return given.astimezone(UTC)
    return given.replace(tzinfo=ZoneInfo(clock.zone)).astimezone(UTC)


def _plain(number: str) -> str:
    """Return a patient's number without what people and machines write differently."""
    return number.strip().casefold()


def _sha256(content: object) -> str:
    return hashlib.sha256(_CANONICAL.encode(content)).hexdigest()


_CANONICAL = msgspec.json.Encoder(order="deterministic")
