"""A measurement that is somebody's: what goes to the record system, and under which names.

Only `edge` knows whose value it is. A result is made when a measurement is accepted for a patient;
from then on its id and its content hash never change.
"""

import hashlib
from enum import StrEnum

import msgspec
from msgspec import Struct

from drivers.model import Instant, InstrumentId, Kind, Measurement


class Origin(StrEnum):
    """Who made a value. Derived never hides, overwrites or looks like measured."""

    MEASURED = "measured"  # by the instrument
    DERIVED = "derived"  # by us, from a waveform
    ENTERED = "entered"  # by a person


class Moment(Struct, frozen=True):
    """An `Instant` that can be journaled: monotonic times compare only within one era."""

    wall_ns: int
    mono_ns: int
    trusted: bool
    era: str

    @staticmethod
    def of(instant: Instant, era: str) -> "Moment":
        """Return the instant with the era it belongs to."""
        return Moment(instant.wall_ns, instant.mono_ns, instant.trusted, era)


class Subject(Struct, frozen=True):
    """The patient as the record system named them; kept apart from the journal so it can be erased.

    `reference` is the record system's own, as in ``Patient/123``; a hub never makes one. `display`
    are the two identifiers a person compares (name, birth date), `identifiers` the numbers by which
    wristbands, cards and carts know the patient.
    """

    reference: str
    display: tuple[str, str]
    identifiers: tuple[str, ...] = ()


class Association(Struct, frozen=True):
    """Who was in the room: from when, to when, how it was established and by whom."""

    id: str
    subject: str  # key of the side table, not the patient
    method: "Method"
    person: str  # the operator who is answerable, as the record system knows them
    verified: bool
    opened: Moment
    closed: Moment | None = None


class Method(StrEnum):
    """How a patient was identified (IHE PCIM: method of data capture)."""

    SCAN = "scan"
    RECORD_SYSTEM = "record-system"
    ROOM_LIST = "room-list"
    DEMO = "demo"


class Compared(StrEnum):
    """What a comparison of the patient in a file with the patient in the room gave."""

    SAME = "same"
    OTHER = "other"  # they contradict each other
    NOT_NAMED = "not-named"  # the file has no patient's number
    NOT_KNOWN = "not-known"  # the room's patient has no number here, or nobody was in the room


class StudyPart(Struct, frozen=True):
    """One result of an ECG study, which `study` joins to the others; it names no patient.

    `samples_sha256` is of the canonical samples, `acquired` the cart's own time, `content_sha256`
    of what this part carries beside readings. `compared` is about the patient of `association`.
    """

    study: str
    samples_sha256: str
    acquired: str | None
    original_sha256: str
    content_sha256: str
    compared: Compared = Compared.NOT_KNOWN
    association: str | None = None


class Timing(Struct, frozen=True):
    """When a measurement was made, and how sure that is."""

    wall_ns: int
    trusted: bool
    error_s: float
    device_local: str | None = None  # the instrument's own time, ISO 8601 without zone
    device_offset_s: float | None = None
    device_resolution_s: float | None = None


class Provenance(Struct, frozen=True):
    """Which hub, software and raw bytes a result came from, and who took or confirmed it."""

    hub: str
    software: str
    raw_sha256: str
    person: str | None
    method: str


class Space(StrEnum):
    """Where a result may be filed; a production record system refuses the other two."""

    PRODUCTION = "production"
    DEMO = "demo"
    REPLAY = "replay"


class Correction(Struct, frozen=True):
    """The result a correction withdraws; sent only after that one's receipt."""

    result_id: str
    reason: str


class AssociatedMeasurement(Struct, frozen=True):
    """A measurement with its patient: one result, one bundle, one receipt."""

    result_id: str
    space: Space
    measurement: Measurement
    origin: Origin
    subject: Subject
    association: Association
    timing: Timing
    device: InstrumentId
    provenance: Provenance
    study: StudyPart | None = None
    corrects: Correction | None = None


Result = AssociatedMeasurement


def content_sha256(result: Result) -> str:
    """Hash what a chart would show: patient, kind, origin, readings, time, and what it withdraws.

    SHA-256 of compact JSON of ``[reference, kind, origin, [[metric, value, unit, status], ...],
    milliseconds since 1970, corrected result id or null]``, readings by metric, the unit null where
    there is no value; of a part of a study its own content hash comes last. Two bundles with one
    result id and different hashes are different claims.
    """
    readings = [
        (r.metric, r.value, r.unit if r.value is not None else None, r.status)
        for r in sorted(result.measurement.readings, key=lambda reading: reading.metric)
    ]
    content: tuple[object, ...] = (
        result.subject.reference,
        result.measurement.kind,
        result.origin,
        readings,
        result.timing.wall_ns // 1_000_000,  # what the bundle says: milliseconds
        result.corrects.result_id if result.corrects else None,
        *((result.study.content_sha256,) if result.study else ()),
    )
    return hashlib.sha256(_CANONICAL.encode(content)).hexdigest()


def content_result_id(measurement: Measurement, device: InstrumentId) -> str | None:
    """Return the hub-independent id of a measurement the instrument can tell from all its others.

    That takes a proven instrument (a serial number) and its own time or sequence; None otherwise,
    and then the place in the journal names the result (`journal_result_id`).
    """
    if device.serial is None or (measurement.device_time is None and measurement.sequence is None):
        return None
    stamp = measurement.device_time.local.isoformat() if measurement.device_time else None
    who = (device.driver, device.model, device.serial)
    parts = (who, measurement.kind, stamp, measurement.sequence, measurement.raw)
    return hashlib.sha256(_CANONICAL.encode(parts)).hexdigest()


def study_id(samples_sha256: str, acquired: str | None) -> str:
    """Return what joins the results of one recording, whatever hub or file it came by."""
    return hashlib.sha256(_CANONICAL.encode(("study", samples_sha256, acquired))).hexdigest()


def study_result_id(part: StudyPart, kind: Kind, origin: Origin) -> str:
    """Return the id of a part: its kind, the samples, the time; our values apart from a cart's."""
    own = (origin,) if origin is not Origin.MEASURED else ()
    content = (kind, part.samples_sha256, part.acquired, *own)
    return hashlib.sha256(_CANONICAL.encode(content)).hexdigest()


def journal_result_id(journal: str, sequence: int) -> str:
    """Return the id of a result named by its place in one journal."""
    return f"{journal}.{sequence}"


_CANONICAL = msgspec.json.Encoder(order="deterministic")
