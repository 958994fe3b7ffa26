"""Whether a Bundle may be filed: its structure, codes, units, identifiers, patient and space.

What general R4 validators do not see is looked at here: the unit of a rate, the system of a unit,
a code without its partner, a number that disagrees with its name, a panel with half its pressures.
No reason quotes anything of the Bundle: reasons travel, are journaled and logged.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from drivers.model import Kind, Metric, Unit
from edge.contract.messages import Issue
from edge.contract.wire import RESULT_ID_CHARS, MessageError
from edge.fhir.codes import CODES, PANEL, PRESSURES, Mdc, in_filed_unit
from edge.fhir.names import (
    CATEGORY,
    DATA_ABSENT_REASON,
    LOINC,
    MDC,
    MDC_OLD,
    RESULT_ID,
    SCHEMA,
    TRANSLATION,
    UCUM,
)
from edge.fhir.read import BundleError, Contents, metric_of, read, result_id_of, term_of
from edge.observation import Space
from edge.record import r4, validate_ecg
from edge.record.r4 import (
    Binary,
    Bundle,
    CodeableConcept,
    Component,
    DocumentReference,
    Observation,
    Provenance,
    Quantity,
    Request,
)
from edge.record.register import Register

MAX_BYTES = 1 << 20  # more than this is a study's waveform, original or page, each its own result
ISSUES_SAID = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a Bundle is not filed; without `result_id` nobody can be told."""

    result_id: str | None
    issues: tuple[Issue, ...]

    @property
    def reason(self) -> str:
        """The first issue, for people."""
        return self.issues[0].diagnostics


def check(
    payload: bytes, kind: str, register: Register, *, accept_demo: bool
) -> Contents | Refusal:
    """Return what the Bundle says, or why it is refused; `kind` is the level of its topic."""
    if len(payload) > MAX_BYTES:
        return _refused(None, "too-long", [f"more than {MAX_BYTES} bytes"])
    try:
        bundle = r4.decode(payload)
        contents = read(payload)
    except MessageError as error:
        return _refused(_name(payload), "structure", [str(error)])
    except BundleError as error:
        return _refused(_name(payload), "invalid", [str(error)])
    name = contents.result_id if _RESULT_ID.fullmatch(contents.result_id) else None
    wrong = [*r4.dangling(bundle), *_about_patient(bundle, contents), *_envelope(contents, kind)]
    if name is None:
        wrong.append("Bundle.identifier: not a result id")
    if wrong:
        return _refused(name, "invalid", wrong)
    return _refusal_of_place(contents, register, accept_demo=accept_demo) or contents


def _name(payload: bytes) -> str | None:
    """Return the result id of a payload, however bad the rest, if it can be an id at all."""
    try:
        bundle = msgspec.json.decode(payload)
        name = result_id_of(bundle) if isinstance(bundle, dict) else ""
    except (BundleError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return name if _RESULT_ID.fullmatch(name) else None


def _envelope(contents: Contents, kind: str) -> Iterator[str]:
    if contents.schema != SCHEMA:
        yield f"tag schema: this record system reads schema {SCHEMA}"
    if contents.kind not in set(Kind) or contents.kind != kind:
        yield "tag kind: not the kind of the topic"
    if contents.space not in set(Space):
        yield "tag space: none of " + ", ".join(Space)
    if contents.clock not in {"synced", "unsynced"}:
        yield "tag clock: neither synced nor unsynced"
    hexadecimal = set(contents.content_sha256) <= set("0123456789abcdef")
    if len(contents.content_sha256) != _SHA256_DIGITS or not hexadecimal:
        yield "tag content-sha256: not a SHA-256 in hexadecimal"
    if contents.corrects == contents.result_id:
        yield "tag corrects: a result cannot correct itself"
    documents = {Kind.ECG12, *(kind for kind in Kind if kind.is_document)}
    if not contents.values and (contents.kind not in documents or not contents.filed_under):
        yield "no reading at all"
    if len({value.metric for value in contents.values}) != len(contents.values):
        yield "one metric twice"
    if len(contents.subjects) > 1:
        yield "readings of more than one patient"


def _refusal_of_place(
    contents: Contents, register: Register, *, accept_demo: bool
) -> Refusal | None:
    """Refuse what is well made and does not belong here."""
    if contents.space != Space.PRODUCTION and not accept_demo:
        return _refused(
            contents.result_id,
            "business-rule",
            [f"a {contents.space} result: this record system files production results only"],
        )
    if any(register.patient(subject) is None for subject in contents.subjects):
        return _refused(contents.result_id, "not-found", ["the patient is not in the register"])
    return None


def _about_patient(bundle: Bundle, contents: Contents) -> Iterator[str]:
    """Check each resource about the patient, and that the Provenance stands behind all of them."""
    behind: set[str | None] = set()
    urls = set()
    files = {e.full_url: e.resource for e in bundle.entry if isinstance(e.resource, Binary)}
    for index, entry in enumerate(bundle.entry):
        resource = entry.resource
        if isinstance(resource, Provenance):
            behind |= {target.reference for target in resource.target}
        if not isinstance(resource, Observation | DocumentReference):
            continue
        if resource.subject.type not in {None, "Patient"}:
            continue
        urls.add(entry.full_url)
        request = _request(entry.request, resource, contents)
        said = (*request, *_content(resource, contents, files))
        yield from (f"Bundle.entry[{index}]: {each}" for each in said)
    if urls - behind:
        yield "no Provenance for every reading"


def _content(
    resource: Observation | DocumentReference, contents: Contents, files: Mapping[str, Binary]
) -> Iterator[str]:
    """Check what a resource says, by the kind of its result."""
    if contents.kind not in validate_ecg.ECG_KINDS:
        if isinstance(resource, DocumentReference):
            yield f"a document in a result of {contents.kind}"
            return
        yield from _status(resource, contents)
        yield from _category(resource)
        yield from _coded(resource)
        return
    yield from validate_ecg.study(resource, contents)
    if isinstance(resource, DocumentReference):
        if contents.kind == Kind.ECG12:
            yield "a document in the measurements of an ECG"
        yield from validate_ecg.document(resource, contents, files)
        return
    yield from _status(resource, contents)
    if not validate_ecg.is_procedure(resource):
        yield "no category procedure"
    yield from _ecg(resource, contents)


def _ecg(resource: Observation, contents: Contents) -> Iterator[str]:
    if contents.kind == Kind.ECG12_WAVEFORM:
        yield from validate_ecg.waveform(resource)
    elif contents.kind != Kind.ECG12:
        yield "an Observation where the cart's file belongs"
    elif resource.component is None:
        yield from validate_ecg.impression(resource)
    else:
        yield from validate_ecg.panel(resource)
        for part in resource.component:
            yield from _part(part)


def _request(
    request: Request, resource: Observation | DocumentReference, contents: Contents
) -> Iterator[str]:
    """Check how an entry asks to be filed: created once, or replacing what it corrects."""
    of = contents.corrects or contents.result_id
    named = [each.value or "" for each in resource.identifier or () if each.system == RESULT_ID]
    value = named[0] if len(named) == 1 else ""
    if not value.startswith(f"{of}.") or value == f"{of}.":
        yield "the identifier is not {result id}.{entry}"
    kind = "Observation" if isinstance(resource, Observation) else "DocumentReference"
    search = f"identifier={RESULT_ID}|{value}"
    once = Request(method="POST", url=kind, if_none_exist=search)
    instead = Request(method="PUT", url=f"{kind}?{search}")
    if request != (instead if contents.corrects else once):
        yield "the request is not the one that files this identifier exactly once"


def _status(resource: Observation, contents: Contents) -> Iterator[str]:
    if (resource.status == "entered-in-error") != bool(contents.corrects):
        yield "only a correction is entered-in-error, and always"


def _category(resource: Observation) -> Iterator[str]:
    if not any((CATEGORY, "vital-signs") in _codes(each) for each in resource.category or ()):
        yield "no category vital-signs"


def _coded(resource: Observation) -> Iterator[str]:
    if resource.component is None:
        yield from _part(resource)
        return
    metrics = [_metric(each) for each in resource.component]
    if not _loinc(resource.code) >= set(PANEL.loinc):
        yield "components without the code of the blood-pressure panel"
    if resource.said:
        yield "a panel has no value of its own"
    if set(metrics) - set(PRESSURES) or len(set(metrics)) != len(metrics):
        yield "a panel has each pressure once and nothing else"
    if not set(PRESSURES[:2]) <= set(metrics):
        yield "a panel without systolic or diastolic, not even a reason for their absence"
    yield from _names(resource.code)
    for part in resource.component:
        yield from _part(part)


def _part(part: Observation | Component) -> Iterator[str]:
    """Check code and unit of an Observation without components, or of one component."""
    metric = _metric(part)
    if metric is None:
        yield "a code that stands for no metric of this contract"
        return
    if not _loinc(part.code) >= set(CODES[metric].loinc):
        yield f"{metric}: a LOINC code is missing"
    yield from _names(part.code)
    if part.value_quantity is not None:
        yield from _unit(metric, part.value_quantity)
    elif part.data_absent_reason is None:
        yield f"{metric}: the value is not a quantity"
    elif not any(system == DATA_ABSENT_REASON for system, _ in _codes(part.data_absent_reason)):
        yield f"{metric}: the reason for its absence is not one of R4's"


def _names(code: CodeableConcept) -> Iterator[str]:
    """Compare each MDC number with the name that came with it."""
    for coding in code.coding or ():
        if coding.system not in {MDC, MDC_OLD}:
            continue
        number = coding.code or ""
        known = _PANEL_NAME if number == _PANEL_NUMBER else (term_of(number) or (None, None))[1]
        if known is None:
            yield "an MDC number that is not in the table"
        elif coding.display not in {None, known}:
            yield "an MDC number and name that disagree"


def _unit(metric: Metric, quantity: Quantity) -> Iterator[str]:
    wanted = CODES[metric].unit
    if quantity.system != UCUM:
        yield f"{metric}: the unit is not UCUM"
    elif quantity.code != wanted:
        yield f"{metric}: the unit is not {wanted}"
    for extension in quantity.extension or ():
        if extension.url == TRANSLATION:
            yield from _conversion(metric, quantity, extension.value_quantity)


def _conversion(metric: Metric, filed: Quantity, sent: Quantity | None) -> Iterator[str]:
    """Check that what was filed is what the instrument sent, converted."""
    if sent is None or sent.system != UCUM or sent.code not in set(Unit):
        yield f"{metric}: a translation that is no quantity of this contract"
    elif in_filed_unit(metric, sent.value, Unit(sent.code)) != (filed.value, filed.code):
        yield f"{metric}: value and translation disagree"


def _metric(part: Observation | Component) -> Metric | None:
    return metric_of((each.system, each.code) for each in part.code.coding or ())


def _loinc(code: CodeableConcept) -> set[str | None]:
    return {number for system, number in _codes(code) if system == LOINC}


def _codes(concept: CodeableConcept) -> set[tuple[str | None, str | None]]:
    return {(each.system, each.code) for each in concept.coding or ()}


def _refused(result_id: str | None, code: str, said: list[str]) -> Refusal:
    return Refusal(result_id, tuple(_issue(code, each) for each in said[:ISSUES_SAID]))


def _issue(code: str, diagnostics: str) -> Issue:
    return Issue(severity="error", code=code, diagnostics=diagnostics)


_RESULT_ID = re.compile(rf"[A-Za-z0-9._:-]{{1,{RESULT_ID_CHARS}}}")
_SHA256_DIGITS = 64
_PANEL_TERM = cast("Mdc", PANEL.mdc)
_PANEL_NUMBER, _PANEL_NAME = str(_PANEL_TERM.number), _PANEL_TERM.name
