"""A measurement's readings as R4 Observations, and the Coincident Timestamp of a device time.

Pressures are components of one panel; every other reading is an Observation of its own. A reading
without a value has a dataAbsentReason of two codings, R4's reason and our exact status. A value is
filed in the unit of its code; what the device sent stands beside it as its translation.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from drivers.model import Flag, Metric, Reading
from edge.fhir.codes import (
    ABSENT,
    PANEL,
    PRESSURES,
    QUESTIONABLE,
    REMARKS,
    Code,
    Mdc,
    code_of,
    in_filed_unit,
)
from edge.fhir.elements import (
    Json,
    coding,
    concept,
    entry_id,
    identifier,
    instant,
    line,
    mdc,
    quantity,
    shifted,
)
from edge.fhir.names import (
    ACT_REASON,
    CATEGORY,
    CERTAINTY,
    DATA_ABSENT_REASON,
    DEVICE_TIME,
    FLAG,
    GATEWAY,
    INTERPRETATION,
    LOINC,
    MEASUREMENT_STATUS,
    ORIGIN,
    PHD_CATEGORY,
    STATUS,
    STUDY,
    TIME_ERROR,
    TRANSLATION,
)
from edge.observation import AssociatedMeasurement, Origin, Space, Timing

PANEL_ENTRY = "blood-pressure"

_WALL_CLOCK = Mdc(67975, "MDC_ATTR_TIME_ABS")
_WALL_CLOCK_RESOLUTION = Mdc(68222, "MDC_TIME_RES_ABS")


@dataclass(frozen=True, slots=True)
class Actors:
    """References, valid inside the Bundle, to who made the values.

    `contained` is the instrument itself where it has no entry of its own.
    """

    instrument: Json
    hub: Json
    contained: Json | None
    operator: Json | None

    def containing(self) -> Json:
        """Return what a resource that refers to the instrument needs of it."""
        return {"contained": [self.contained]} if self.contained else {}


def observations(result: AssociatedMeasurement, actors: Actors) -> dict[str, Json]:
    """Return the Observations of a result by entry name, in the order of its readings."""
    measured = result.origin is Origin.MEASURED
    kind = result.measurement.kind
    made: dict[str, Json] = {}
    pressures = {r.metric: r for r in result.measurement.readings if r.metric in PRESSURES}
    for reading in result.measurement.readings:
        if reading.metric not in PRESSURES:
            code = code_of(reading.metric, kind, measured=measured)
            made[reading.metric] = frame(result, actors, reading.metric, code) | said_of(reading)
        elif PANEL_ENTRY not in made:
            panel = PANEL if measured else Code(PANEL.text, PANEL.loinc, None, None)
            made[PANEL_ENTRY] = frame(result, actors, PANEL_ENTRY, panel)
            made[PANEL_ENTRY]["component"] = _components(result, pressures)
    return {name: _with_interpretation(resource, result) for name, resource in made.items()}


def coincident_timestamp(result: AssociatedMeasurement, actors: Actors) -> Json | None:
    """Return what the instrument's clock said when the hub's said when; None without a device time.

    An instrument's clock has no zone: its reading is written in the hub's, which is UTC. The
    instrument's own time of the measurement is kept exactly as it came, beside it.
    """
    timing = result.timing
    if timing.device_local is None or result.origin is Origin.ENTERED:
        return None
    at_ns = result.measurement.at.wall_ns
    clock = shifted(at_ns, timing.device_offset_s)
    shown: Json = {"valueDateTime": clock}
    if clock is None:
        text = "the instrument's clock was not compared with the hub's"
        unknown = coding(DATA_ABSENT_REASON, "unknown")
        shown = {"dataAbsentReason": concept(unknown, text=text)}
    return {
        "resourceType": "Observation",
        **actors.containing(),
        "status": "final",
        "code": concept(mdc(_WALL_CLOCK), text="The instrument's clock"),
        "subject": actors.instrument,
        "effectiveDateTime": instant(at_ns),
        **shown,
        "device": actors.hub,
        "component": _device_time(timing),
    }


def frame(result: AssociatedMeasurement, actors: Actors, entry: str, code: Code) -> Json:
    """Return all of an Observation that is not its value."""
    corrected, study = result.corrects, result.study
    return {
        "resourceType": "Observation",
        **meta_of(result),
        **(actors.containing() if result.origin is Origin.MEASURED else {}),
        "extension": _extensions(result.timing, actors),
        "identifier": [
            entry_id(corrected.result_id if corrected else result.result_id, entry),
            *([identifier(STUDY, study.study)] if study else []),
        ],
        "status": "entered-in-error" if corrected else "final",
        "category": _categories(result),
        "code": named(code),
        "subject": {"reference": result.subject.reference, "type": "Patient"},
        "effectiveDateTime": instant(result.timing.wall_ns),
        **_made_by(result, actors),
        **_notes(result),
    }


def said_of(reading: Reading) -> Json:
    """Return the value or why there is none, for an Observation or a component."""
    if reading.value is not None:
        return {"valueQuantity": _filed(reading.metric, reading.value, reading)}
    absence = ABSENT[reading.status]
    reason = concept(
        coding(DATA_ABSENT_REASON, absence.reason),
        coding(STATUS, reading.status),
        text=absence.text,
    )
    if absence.off_scale is None:
        return {"dataAbsentReason": reason}
    scale = concept(coding(INTERPRETATION, absence.off_scale), text=absence.text)
    return {"dataAbsentReason": reason, "interpretation": [scale]}


def _filed(metric: Metric, value: float, reading: Reading) -> Json:
    filed, unit = in_filed_unit(metric, value, reading.unit)
    made = quantity(filed, unit)
    if unit is reading.unit:
        return made
    return {"extension": [_extension(TRANSLATION, quantity(value, reading.unit))], **made}


def _components(result: AssociatedMeasurement, given: Mapping[Metric, Reading]) -> list[Json]:
    """Return systolic and diastolic always, as US Core asks, and the mean where there is one."""
    measured = result.origin is Origin.MEASURED
    made = []
    for metric in (*given, *(m for m in PRESSURES[:2] if m not in given)):
        code = code_of(metric, result.measurement.kind, measured=measured)
        reading = given.get(metric)
        unsaid = concept(
            coding(DATA_ABSENT_REASON, "unknown"), text="the instrument has no such value"
        )
        said = said_of(reading) if reading else {"dataAbsentReason": unsaid}
        made.append({"code": named(code), **said})
    return made


def _with_interpretation(resource: Json, result: AssociatedMeasurement) -> Json:
    """Add what the flags of the whole measurement say of each of its values."""
    said = [_interpreted(flag) for flag in _flags(result) if REMARKS[flag].of_value]
    if not said:
        return resource
    already = resource.get("interpretation", [])
    return resource | {"interpretation": [*(already if isinstance(already, list) else []), *said]}


def _interpreted(flag: Flag) -> Json:
    remark = REMARKS[flag]
    status = [coding(MEASUREMENT_STATUS, remark.status)] if remark.status else []
    return concept(coding(FLAG, flag), *status, text=remark.text)


def _notes(result: AssociatedMeasurement) -> Json:
    timing, origin = result.timing, result.origin
    said = [REMARKS[flag].text for flag in _flags(result)]
    if origin is Origin.DERIVED:
        said.append("derived from a waveform by the hub, not measured by the instrument")
    if origin is Origin.ENTERED:
        said.append("entered by a person")
    if not timing.trusted:
        known = math.isfinite(timing.error_s) and timing.error_s > 0
        amount = f"by up to {timing.error_s:.0f} s" if known else "by an unknown amount"
        said.append(f"the time is uncertain {amount}: no synchronised clock vouches for it")
    if result.study:
        evidence = result.measurement.evidence
        said += [f"{name.replace('_', ' ')}: {line(text)}" for name, text in evidence]
    if result.corrects:
        said.append(f"withdrawn: {line(result.corrects.reason) or 'no reason given'}")
    return {"note": [{"text": text[:1].upper() + text[1:] + "."} for text in said]} if said else {}


def _made_by(result: AssociatedMeasurement, actors: Actors) -> Json:
    """Return device, method and performer, so that nothing derived or entered looks measured."""
    if result.origin is Origin.MEASURED:
        return {"device": actors.instrument}
    if result.origin is Origin.DERIVED:
        method = line(result.provenance.method) or "derived from a waveform"
        return {"method": concept(coding(ORIGIN, "derived"), text=method), "device": actors.hub}
    performer = {"performer": [actors.operator]} if actors.operator else {}
    method = line(result.provenance.method) or "entered by a person"
    return {**performer, "method": concept(coding(ORIGIN, "entered"), text=method)}


def meta_of(result: AssociatedMeasurement) -> Json:
    """Return what is said about a resource: whether it is a test, how certain, made by whom."""
    labels = [coding(ACT_REASON, "HTEST")] if result.space is not Space.PRODUCTION else []
    if any(REMARKS[flag].status == QUESTIONABLE for flag in result.measurement.flags):
        labels.append(coding(CERTAINTY, "UNCERTREL"))
    tags = [coding(ORIGIN, result.origin)]
    return {"meta": {**({"security": labels} if labels else {}), "tag": tags}}


def _categories(result: AssociatedMeasurement) -> list[Json]:
    made = concept(coding(CATEGORY, "vital-signs"), text="Vital Signs")
    if result.study:
        made = concept(coding(CATEGORY, "procedure"), text="Procedure")
    if result.origin is not Origin.MEASURED:
        return [made]
    return [made, concept(coding(PHD_CATEGORY, "phd"))]


def _extensions(timing: Timing, actors: Actors) -> list[Json]:
    made: list[Json] = [{"url": GATEWAY, "valueReference": actors.hub}]
    if math.isfinite(timing.error_s) and timing.error_s > 0:
        made.append(_extension(TIME_ERROR, quantity(timing.error_s, "s")))
    return made


def _device_time(timing: Timing) -> list[Json]:
    made: list[Json] = [
        {
            "code": concept(coding(DEVICE_TIME, "measured"), text="Measured, by that clock"),
            "valueString": timing.device_local,
        }
    ]
    resolution = timing.device_resolution_s
    if resolution is not None and math.isfinite(resolution):
        code = concept(mdc(_WALL_CLOCK_RESOLUTION), text="Resolution of that clock")
        made.append({"code": code, "valueQuantity": quantity(resolution, "s")})
    return made


def named(code: Code) -> Json:
    """Return what a code is called, in all its systems."""
    term = [mdc(code.mdc)] if code.mdc else []
    return concept(*(coding(LOINC, each) for each in code.loinc), *term, text=code.text)


def _flags(result: AssociatedMeasurement) -> list[Flag]:
    return sorted(result.measurement.flags)


def _extension(url: str, value: Json) -> Json:
    return {"url": url, "valueQuantity": value}
