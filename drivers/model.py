"""What an instrument can say, before anyone knows whose measurement it is.

Everything here is frozen and refuses impossible states when it is built: a reading has a
finite value or a status that says why not, never both and never neither.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


class Kind(StrEnum):
    """What one act of measuring yields; the member value is the topic level of its results."""

    BLOOD_PRESSURE = "blood-pressure"
    OXIMETRY = "oximetry"
    TEMPERATURE = "temperature"
    RESPIRATION = "respiration"
    HEART_RATE = "heart-rate"
    WEIGHT = "weight"
    BODY_COMPOSITION = "body-composition"
    HEIGHT = "height"
    PAIN = "pain"
    ECG12 = "ecg12"
    ECG12_WAVEFORM = "ecg12-waveform"
    ECG12_ORIGINAL = "ecg12-original"
    ECG12_PAGE = "ecg12-page"

    @property
    def is_document(self) -> bool:
        """Whether what is filed is a signal or a file instead of readings."""
        return self in {Kind.ECG12_WAVEFORM, Kind.ECG12_ORIGINAL, Kind.ECG12_PAGE}


class Metric(StrEnum):
    """A measured quantity."""

    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    MEAN_PRESSURE = "mean-pressure"
    PULSE_RATE = "pulse-rate"
    HEART_RATE = "heart-rate"
    SPO2 = "spo2"
    PERFUSION_INDEX = "perfusion-index"
    RESPIRATION_RATE = "respiration-rate"
    BODY_TEMPERATURE = "body-temperature"
    WEIGHT = "weight"
    HEIGHT = "height"
    BMI = "bmi"
    BODY_FAT = "body-fat"
    RR_INTERVAL = "rr-interval"
    P_DURATION = "p-duration"
    PR_INTERVAL = "pr-interval"
    QRS_DURATION = "qrs-duration"
    QT_INTERVAL = "qt-interval"
    QTC = "qtc"  # by a formula that was not told
    QTC_BAZETT = "qtc-bazett"
    QTC_FRIDERICIA = "qtc-fridericia"
    P_AXIS = "p-axis"
    QRS_AXIS = "qrs-axis"
    T_AXIS = "t-axis"


class Unit(StrEnum):
    """UCUM codes of the units instruments send."""

    MMHG = "mm[Hg]"
    KPA = "kPa"
    PER_MIN = "/min"
    PERCENT = "%"
    CELSIUS = "Cel"
    FAHRENHEIT = "[degF]"
    KG = "kg"
    POUND = "[lb_av]"
    METRE = "m"
    CM = "cm"
    INCH = "[in_i]"
    KG_PER_M2 = "kg/m2"
    MILLIVOLT = "mV"
    MILLISECOND = "ms"
    DEGREE = "deg"
    UNSCALED = "1"


class Status(StrEnum):
    """Why a reading has, or has not, a value."""

    OK = "ok"
    NO_VALUE = "no-value"  # blank, dashes, "not available": the field's way to say nothing
    NOT_A_NUMBER = "not-a-number"  # NaN, 511, 127, FFFF: a reserved code in place of a number
    SENSOR_OFF = "sensor-off"  # not on the patient
    SENSOR_DISCONNECTED = "sensor-disconnected"
    SEARCHING = "searching"
    ARTIFACT = "artifact"  # the instrument itself disowns the value: motion, interference
    FAILED = "failed"  # a measurement was made and ended in an error
    UNDER_RANGE = "under-range"
    OVER_RANGE = "over-range"
    IMPLAUSIBLE = "implausible"  # a well-formed frame with a number no patient can have
    NOT_CALIBRATED = "not-calibrated"


class Flag(StrEnum):
    """What the instrument adds about a whole measurement."""

    IRREGULAR_PULSE = "irregular-pulse"
    BODY_MOVEMENT = "body-movement"
    CUFF_LOOSE = "cuff-loose"
    WRONG_POSITION = "wrong-position"
    ARTIFACT = "artifact"
    OUT_OF_TRACK = "out-of-track"
    LOW_PERFUSION = "low-perfusion"
    MEDIUM_PERFUSION = "medium-perfusion"
    GOOD_QUALITY = "good-quality"
    LOW_BATTERY = "low-battery"
    FROM_MEMORY = "from-memory"
    APNEA = "apnea"
    ALARM = "alarm"
    QUESTIONABLE = "questionable"
    POSSIBLE_DUPLICATE = "possible-duplicate"  # the same bytes came before, without a time in them


@dataclass(frozen=True, slots=True)
class Instant:
    """When the hub saw something: wall clock, whether that is synchronised, monotonic clock."""

    wall_ns: int
    mono_ns: int
    trusted: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that arrived together; `channel` names the GATT characteristic where there is one."""

    data: bytes
    at: Instant
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Bytes that belong to no frame; reported so that nothing is lost silently."""

    data: bytes


@dataclass(frozen=True, slots=True)
class InstrumentId:
    """Which instrument spoke; `serial` is what makes two of one model different.

    `serial` is a serial number, an EUI-64 or a Bluetooth address, None where the protocol has none.
    """

    driver: str
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """The instrument's own time of a measurement, as it gave it.

    `age_s` is the instrument's clock now minus `local`, read in the same session, None if it never
    was: it places the measurement on the hub's monotonic clock however wrong either wall clock is.
    `offset_s` is the instrument's clock minus the hub's wall clock, for people.
    """

    local: datetime
    resolution_s: float
    age_s: float | None = None
    age_error_s: float = 0.0
    offset_s: float | None = None

    def __post_init__(self) -> None:
        if self.local.tzinfo is not None:
            raise ValueError("device time: instruments have no zone, give a naive datetime")
        if not (self.resolution_s > 0 and self.age_error_s >= 0):
            raise ValueError("device time: resolution must be positive, the error not negative")


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric: a finite `value` exactly when `status` is OK, in the unit the device sent."""

    metric: Metric
    value: float | None
    unit: Unit
    status: Status = Status.OK

    def __post_init__(self) -> None:
        if (self.value is None) is (self.status is Status.OK):
            raise ValueError(f"{self.metric}: value {self.value} with status {self.status}")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"{self.metric}: {self.value} is not a number; give its status")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One act of measuring, whole: it is journaled, associated, published and receipted as one.

    `at` is when its last byte reached the hub. `sequence` is the instrument's own record number,
    `evidence` what else the instrument said (pairs of name and text), `raw` the bytes it was read
    from, `kept` the durable raw chunks (see `Host.keep`) that it settles. `began` is given where
    the link showed the act from its beginning: nothing of it is earlier. What comes from a memory
    was not seen to begin, so it has none. A document has no readings, and an ECG may have none
    beside its statements.
    """

    kind: Kind
    readings: tuple[Reading, ...]
    at: Instant
    raw: bytes
    device_time: DeviceTime | None = None
    sequence: int | None = None
    flags: frozenset[Flag] = frozenset()
    evidence: tuple[tuple[str, str], ...] = ()
    kept: tuple[int, ...] = ()
    began: Instant | None = None

    def __post_init__(self) -> None:
        if self.began is not None and self.began.mono_ns > self.at.mono_ns:
            raise ValueError(f"{self.kind}: a measurement that began after it ended")
        if self.began is not None and Flag.FROM_MEMORY in self.flags:
            raise ValueError(f"{self.kind}: a stored value that was seen to begin")
        metrics = [reading.metric for reading in self.readings]
        if not metrics and not (self.kind.is_document or self.kind is Kind.ECG12):
            raise ValueError(f"{self.kind}: a measurement without readings")
        if len(set(metrics)) != len(metrics):
            raise ValueError(f"{self.kind}: a metric twice in {metrics}")

    @property
    def has_value(self) -> bool:
        """Whether there is anything to file: a number, or what stands for itself without one."""
        return not self.readings or any(reading.value is not None for reading in self.readings)


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """A stretch of one or more signals of one rate; `samples[signal, sample]`, NaN is a gap."""

    signals: tuple[str, ...]
    fs: float
    unit: Unit
    samples: NDArray[np.float64]
    at: Instant

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", _frozen(self.samples, len(self.signals), "waveform"))
        if not self.fs > 0:
            raise ValueError(f"waveform: sampling rate {self.fs}")


class NoticeKind(StrEnum):
    """What an instrument says that is not a measurement."""

    ALARM = "alarm"
    STATE = "state"
    UNMAPPED = "unmapped"  # a parameter this project has no code for: visible, never dropped
    SET_ASIDE = "set-aside"  # a file of the instrument that cannot be used
    REFUSED = "refused"  # the instrument said no to a command
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth showing to a person or an engineer; never identifies a patient."""

    kind: NoticeKind
    text: str
    at: Instant


@dataclass(frozen=True, slots=True)
class CartPatient:
    """The patient as an ECG cart said it; patient data, never logged and never shown by repr."""

    patient_id: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    birth_date: str | None = field(default=None, repr=False)
    sex: str | None = field(default=None, repr=False)


ONE_LEAD = "one-lead"  # the signal of an ECG whose lead is none of the twelve
STANDARD_LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True, slots=True, eq=False)
class EcgRecording:
    """A stored ECG: `microvolts[lead, sample]`, read-only float64, NaN is a gap.

    `measurements` and `statements` are the cart's own words; `derived` marks leads computed here.
    """

    leads: tuple[str, ...]
    fs: float
    microvolts: NDArray[np.float64]
    acquired: datetime | None
    original_sha256: str
    device: InstrumentId | None = None
    patient: CartPatient = field(default=CartPatient(), repr=False)
    order: str | None = None
    filters: tuple[str, ...] = ()
    measurements: tuple[tuple[str, str], ...] = ()
    statements: tuple[str, ...] = ()
    derived: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "microvolts", _frozen(self.microvolts, len(self.leads), "ECG"))
        if len(set(self.leads)) != len(self.leads):
            raise ValueError(f"ECG: a lead twice in {self.leads}")
        if not self.fs > 0:
            raise ValueError(f"ECG: sampling rate {self.fs}")

    def standard_leads(self) -> "EcgRecording":
        """Return the recording with III, aVR, aVL and aVF derived from I and II where absent.

        Einthoven: III = II - I; Goldberger: aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2.
        """
        have = dict(zip(self.leads, self.microvolts, strict=True))
        new: dict[str, NDArray[np.float64]] = {}
        if "I" in have and "II" in have:
            one, two = have["I"], have["II"]
            derived = {
                "III": two - one,
                "aVR": -(one + two) / 2,
                "aVL": one - two / 2,
                "aVF": two - one / 2,
            }
            new = {name: wave for name, wave in derived.items() if name not in have}
        every = have | new
        order = [name for name in STANDARD_LEADS if name in every]
        order += [name for name in self.leads if name not in STANDARD_LEADS]
        return EcgRecording(
            leads=tuple(order),
            fs=self.fs,
            microvolts=np.stack([every[name] for name in order]),
            acquired=self.acquired,
            original_sha256=self.original_sha256,
            device=self.device,
            patient=self.patient,
            order=self.order,
            filters=self.filters,
            measurements=self.measurements,
            statements=self.statements,
            derived=self.derived | frozenset(new),
        )


@dataclass(frozen=True, slots=True)
class CartClock:
    """What a site vouches for of an ECG cart's clock: its time zone, and how far off it may be."""

    zone: str = "UTC"
    error_s: float | None = None


@dataclass(frozen=True, slots=True)
class EcgFile:
    """A file of an ECG cart, whole and not yet read: that is the analysis process's work."""

    data: bytes = field(repr=False)
    at: Instant
    clock: CartClock = CartClock()


Item: TypeAlias = Measurement | Waveform | EcgFile | Notice | Skipped


def _frozen(samples: NDArray[np.float64], signals: int, what: str) -> NDArray[np.float64]:
    """Return a read-only float64 copy shaped (signals, n); infinities are refused."""
    array = np.array(samples, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != signals or signals == 0:
        raise ValueError(f"{what}: shape {array.shape} for {signals} signals")
    if np.isinf(array).any():
        raise ValueError(f"{what}: infinite sample; a gap is NaN")
    array.setflags(write=False)
    return array
