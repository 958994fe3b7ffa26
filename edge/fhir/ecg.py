"""An ECG study as R4 resources: measurements, waveform, original, each a result of its own.

ecg12            Observation with a component a value, and one of the cart's statements
ecg12-waveform   Observation with a SampledData a stored lead; from LARGE_BYTES on as the original
ecg12-original   DocumentReference and Binary: the cart's file, byte for byte

One study id, an identifier of each, joins them. Samples are whole steps of one size, so reading
them back gives what the cart stored; derived leads follow from I and II and are not sent.
"""

import base64

import numpy as np
from numpy.typing import NDArray

from drivers.model import Kind
from edge.fhir.codes import (
    ECG_IMPRESSION,
    ECG_PANEL,
    ECG_STUDY,
    ECG_WAVEFORM,
    LEADS,
    Code,
    code_of,
)
from edge.fhir.elements import (
    Json,
    coding,
    concept,
    entry_id,
    full_url,
    identifier,
    instant,
    line,
    mdc,
    number,
    quantity,
)
from edge.fhir.names import LEAD, RAW, STUDY
from edge.fhir.observations import Actors, frame, meta_of, named, said_of
from edge.observation import AssociatedMeasurement, Origin
from edge.study import Content

LARGE_BYTES = 512_000  # of one SampledData waveform; more goes as the cart's file
MOST_DIGITS = 6  # of a sample that is no whole number of steps
FILE_TYPE = "application/octet-stream"  # no carts' format but DICOM has a registered one
GAP = "E"
NV = 1000


def resources(
    result: AssociatedMeasurement, actors: Actors, content: Content
) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return the resources about the patient by entry name, and those they need."""
    kind = result.measurement.kind
    if kind is Kind.ECG12:
        return _measurements(result, actors, content), {}
    wave = _waveform(result, actors, content) if kind is Kind.ECG12_WAVEFORM else None
    if wave is not None:
        return {"waveform": wave}, {}
    return _document(result, actors, content)


def step_uv(microvolts: NDArray[np.float64]) -> float:
    """Return the largest step in microvolts of which all samples are whole multiples.

    Samples that are no whole nanovolts have none but one so small that rounding is below it.
    """
    nanovolts = microvolts[np.isfinite(microvolts)] * NV
    whole = np.rint(nanovolts)
    if not np.allclose(whole, nanovolts, rtol=0, atol=1e-6):
        return float(10.0**-MOST_DIGITS)
    common = int(np.gcd.reduce(whole.astype(np.int64))) if whole.size else 0
    return (common or NV) / NV


def _measurements(
    result: AssociatedMeasurement, actors: Actors, content: Content
) -> dict[str, Json]:
    """Return one Observation of all values, and one of what the cart says of the recording."""
    measured = result.origin is Origin.MEASURED
    made: dict[str, Json] = {}
    if result.measurement.readings:
        code = Code(ECG_PANEL.text, (*ECG_PANEL.loinc, *ECG_STUDY.loinc), None, None)
        made["ecg12"] = frame(result, actors, "ecg12", code)
        made["ecg12"]["component"] = [
            {"code": named(code_of(each.metric, Kind.ECG12, measured=measured)), **said_of(each)}
            for each in result.measurement.readings
        ]
    said = content.said.statements if measured else ()
    statements = [text for each in said if (text := line(each))]  # each on a line of its own
    if statements:
        impression = frame(result, actors, "impression", ECG_IMPRESSION)
        made["impression"] = impression | {"valueString": "\n".join(statements)}
    return made


def _waveform(result: AssociatedMeasurement, actors: Actors, content: Content) -> Json | None:
    """Return the stored leads; None where they are too large to be written so."""
    said = content.said
    if content.microvolts.size * 2 > LARGE_BYTES:  # a digit and a space at the least
        return None
    step = step_uv(content.microvolts)
    origin = quantity(0.0, "uV")
    made, size = [], 0
    for name, wave in zip(said.stored, content.microvolts, strict=True):
        data = _samples(wave, step)
        size += len(data)
        sampled = {
            "origin": origin,
            "period": number(1000 / said.fs),
            "factor": number(step),
            "dimensions": 1,
            "data": data,
        }
        made.append({"code": _lead(name), "valueSampledData": sampled})
    if size > LARGE_BYTES:
        return None
    return frame(result, actors, "waveform", ECG_WAVEFORM) | {"component": made}


def _lead(name: str) -> Json:
    term = LEADS.get(name)
    return concept(mdc(term) if term else coding(LEAD, name), text=f"Lead {name}")


def _samples(wave: NDArray[np.float64], step: float) -> str:
    steps = np.rint(np.nan_to_num(wave) / step).astype(np.int64).tolist()
    gaps = np.isnan(wave)
    if not gaps.any():
        return " ".join(map(str, steps))
    return " ".join(GAP if gap else str(n) for n, gap in zip(steps, gaps.tolist(), strict=True))


def _document(
    result: AssociatedMeasurement, actors: Actors, content: Content
) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return the reference to the cart's file, and the file; a withdrawal needs no file."""
    name = "waveform" if result.measurement.kind is Kind.ECG12_WAVEFORM else "original"
    corrected = result.corrects
    study = result.study
    attachment: Json = {"contentType": FILE_TYPE, "size": len(content.original)}
    if not corrected:
        attachment["url"] = full_url(result.result_id, "content")
    reference: Json = {
        "resourceType": "DocumentReference",
        **meta_of(result),
        **actors.containing(),
        "identifier": [
            entry_id(corrected.result_id if corrected else result.result_id, name),
            *(
                [identifier(STUDY, study.study), identifier(RAW, study.original_sha256)]
                if study
                else []
            ),
        ],
        "status": "entered-in-error" if corrected else "current",
        "type": named(ECG_STUDY),
        "subject": {"reference": result.subject.reference, "type": "Patient"},
        "date": instant(result.measurement.at.wall_ns),
        "author": [actors.instrument],
        "content": [{"attachment": attachment}],
        "context": {"period": {"start": instant(result.timing.wall_ns)}},
    }
    if corrected:
        return {name: reference}, {}
    file = base64.b64encode(content.original).decode()
    binary: Json = {"resourceType": "Binary", "contentType": FILE_TYPE, "data": file}
    return {name: reference}, {"content": binary}
