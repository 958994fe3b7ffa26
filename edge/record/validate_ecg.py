"""Whether the parts of an ECG study are what they say: codes, leads, samples, the cart's file."""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping

from drivers.model import Kind
from edge.fhir.codes import (
    ECG_IMPRESSION,
    ECG_PANEL,
    ECG_STUDY,
    ECG_WAVEFORM,
    LEAD_OF_MDC,
    LEADS,
)
from edge.fhir.names import CATEGORY, LEAD, LOINC, MDC, RAW, STUDY, UCUM
from edge.fhir.read import Contents
from edge.record.r4 import Binary, CodeableConcept, Component, DocumentReference, Observation

ECG_KINDS = frozenset({Kind.ECG12, Kind.ECG12_WAVEFORM, Kind.ECG12_ORIGINAL, Kind.ECG12_PAGE})


def study(resource: Observation | DocumentReference, contents: Contents) -> Iterator[str]:
    """Check that a resource is joined to its study."""
    named = [each.value for each in resource.identifier or () if each.system == STUDY]
    if contents.study is None or named != [contents.study]:
        yield "not the study of the tag study-id"


def panel(resource: Observation) -> Iterator[str]:
    """Check the frame of the measurements; each value is checked by itself."""
    if not _loinc(resource.code) >= set(ECG_PANEL.loinc):
        yield "components without the code of the ECG panel"
    if resource.said:
        yield "a panel has no value of its own"


def impression(resource: Observation) -> Iterator[str]:
    """Check what is said of an ECG in words."""
    if not _loinc(resource.code) >= set(ECG_IMPRESSION.loinc) or resource.value_string is None:
        yield "neither measurements nor an impression in words"


def waveform(resource: Observation) -> Iterator[str]:
    """Check the leads of a waveform: each once, all alike, in microvolts."""
    if not _loinc(resource.code) >= set(ECG_WAVEFORM.loinc):
        yield "not the code of an ECG waveform"
    parts = resource.component or []
    leads = [_lead(part) for part in parts]
    if None in leads or len(set(leads)) != len(leads) or not leads:
        yield "a component that is no lead, or a lead twice"
    sampled = [part.value_sampled_data for part in parts]
    if any(each is None for each in sampled):
        yield "a lead without samples"
    shapes = {
        (each.period, each.factor, each.dimensions, each.data.count(" "))
        for each in sampled
        if each is not None
    }
    if len(shapes) > 1:
        yield "leads that differ in rate, step or length"
    for each in sampled:
        if each and (each.origin.system, each.origin.code, each.origin.value) != (UCUM, "uV", 0):
            yield "samples that do not begin at 0 uV"


def document(
    resource: DocumentReference, contents: Contents, files: Mapping[str, Binary]
) -> Iterator[str]:
    """Check a reference to the cart's file, and the file against its size and hash."""
    if not _loinc(resource.type) >= set(ECG_STUDY.loinc):
        yield "not the type of an ECG study"
    if (resource.status == "entered-in-error") != bool(contents.corrects):
        yield "only a correction is entered-in-error, and always"
    (content, *others) = resource.content
    if others:
        yield "more than one form of the document"
    if contents.corrects:
        return
    file = files.get(content.attachment.url or "")
    if file is None:
        yield "a document without its file"
        return
    hashes = [each.value for each in resource.identifier or () if each.system == RAW]
    try:
        data = base64.b64decode(file.data, validate=True)
    except binascii.Error:
        yield "a file that is not base64"
        return
    if len(data) != content.attachment.size or hashes != [hashlib.sha256(data).hexdigest()]:
        yield "a file that is not of the size or the hash that are told"


def is_procedure(resource: Observation) -> bool:
    """Tell whether an Observation is in the category of ECGs."""
    return any(
        (each.system, each.code) == (CATEGORY, "procedure")
        for concept in resource.category or ()
        for each in concept.coding or ()
    )


def _lead(part: Component) -> str | None:
    for each in part.code.coding or ():
        if each.system == MDC:
            name = LEAD_OF_MDC.get(each.code or "")
            return name if name and each.display in {None, LEADS[name].name} else None
        if each.system == LEAD:
            return each.code
    return None


def _loinc(code: CodeableConcept) -> set[str | None]:
    return {each.code for each in code.coding or () if each.system == LOINC}
