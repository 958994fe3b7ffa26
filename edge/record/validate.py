"""Whether a Bundle may be filed: its structure, codes, units, identifiers, patient and space.

What general R4 validators do not see is looked at here: the unit of a rate, the system of a unit,
a code without its partner, a number that disagrees with its name, a panel with half its pressures.
No reason quotes anything of the Bundle: reasons travel, are journaled and logged.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

import msgspec

from drivers.model import Kind, Metric, Unit
from edge.contract.messages import Issue
from edge.contract.wire import RESULT_ID_CHARS
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
from edge.fhir.read import (
    BundleError,
    Contents,
    codings,
    contents_of,
    metric_of,
    result_id_of,
    term_of,
)
from edge.observation import Space
from edge.record import r4
from edge.record.register import Register

MAX_BYTES = 1 << 20  # more than this is a study's waveform, original or page, each its own result
ISSUES_SAID = 20

Node: TypeAlias = Mapping[str, object]


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
    bundle = _decoded(payload)
    if not isinstance(bundle, dict):
        return Refusal(None, (_issue("structure", "the payload is not a JSON object"),))
    name = _name(bundle)
    malformed = [f"{issue.where}: {issue.what}" for issue in r4.issues(bundle)]
    if malformed:
        return _refused(name, "structure", malformed)
    try:
        contents = contents_of(bundle)
    except BundleError as error:
        return _refused(name, "invalid", [str(error)])
    coded = list(_observations(bundle, contents))
    if coded:
        return _refused(name, "code-invalid", coded)
    wrong = list(_envelope(contents, kind))
    if wrong:
        return _refused(name, "invalid", wrong)
    return _refusal_of_place(contents, register, accept_demo=accept_demo) or contents


def _decoded(payload: bytes) -> object:
    if len(payload) > MAX_BYTES:
        return None
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _name(bundle: Node) -> str | None:
    try:
        name = result_id_of(bundle)
    except BundleError:
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
    if not contents.values:
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


def _observations(bundle: Node, contents: Contents) -> Iterator[str]:
    """Check each Observation of the patient, and that the Provenance stands behind all of them."""
    targets: set[object] = set()
    urls = set()
    for index, entry in enumerate(cast("list[Node]", bundle["entry"])):
        resource = cast("Node", entry["resource"])
        where = f"Bundle.entry[{index}]"
        if resource["resourceType"] == "Provenance":
            targets |= {each.get("reference") for each in cast("list[Node]", resource["target"])}
        if resource["resourceType"] != "Observation":
            continue
        if cast("Node", resource["subject"]).get("type", "Patient") != "Patient":
            continue
        urls.add(entry["fullUrl"])
        said = (*_filing(entry, resource, contents), *_category(resource), *_coded(resource))
        yield from (f"{where}: {each}" for each in said)
    if urls - targets:
        yield "no Provenance for every reading"


def _filing(entry: Node, resource: Node, contents: Contents) -> Iterator[str]:
    """Check how the entry asks to be filed: created once, or replacing what it corrects."""
    request = cast("Node", entry["request"])
    of = contents.corrects or contents.result_id
    (value, *more) = [
        str(each.get("value"))
        for each in cast("list[Node]", resource.get("identifier", [{}]))
        if each.get("system") == RESULT_ID
    ] or [""]
    if more or not value.startswith(f"{of}.") or value == f"{of}.":
        yield "the identifier is not {result id}.{entry}"
    search = f"identifier={RESULT_ID}|{value}"
    if contents.corrects:
        wanted: Node = {"method": "PUT", "url": f"Observation?{search}"}
    else:
        wanted = {"method": "POST", "url": "Observation", "ifNoneExist": search}
    if request != wanted:
        yield "the request is not the one that files this identifier exactly once"
    if (resource["status"] == "entered-in-error") != bool(contents.corrects):
        yield "only a correction is entered-in-error, and always"


def _category(resource: Node) -> Iterator[str]:
    concepts = cast("list[Node]", resource.get("category", []))
    found = {(system, code) for each in concepts for system, code, _ in codings(each)}
    if (CATEGORY, "vital-signs") not in found:
        yield "no category vital-signs"


def _coded(resource: Node) -> Iterator[str]:
    code = cast("Node", resource["code"])
    if "component" not in resource:
        yield from _part(resource, metric_of(code))
        return
    components = cast("list[Node]", resource["component"])
    metrics = [metric_of(cast("Node", each["code"])) for each in components]
    loinc = {each for system, each, _ in codings(code) if system == LOINC}
    if not loinc >= set(PANEL.loinc):
        yield "components without the code of the blood-pressure panel"
    if any(name.startswith("value") for name in resource):
        yield "a panel has no value of its own"
    if set(metrics) - set(PRESSURES) or len(set(metrics)) != len(metrics):
        yield "a panel has each pressure once and nothing else"
    if not set(PRESSURES[:2]) <= set(metrics):
        yield "a panel without systolic or diastolic, not even a reason for their absence"
    yield from _names(code)
    for part, metric in zip(components, metrics, strict=True):
        yield from _part(part, metric)


def _part(part: Node, metric: Metric | None) -> Iterator[str]:
    """Check code and unit of an Observation without components, or of one component."""
    if metric is None:
        yield "a code that stands for no metric of this contract"
        return
    code = cast("Node", part["code"])
    loinc = {each for system, each, _ in codings(code) if system == LOINC}
    if not loinc >= set(CODES[metric].loinc):
        yield f"{metric}: a LOINC code is missing"
    yield from _names(code)
    if "valueQuantity" in part:
        yield from _unit(metric, cast("Node", part["valueQuantity"]))
    elif any(name.startswith("value") for name in part):
        yield f"{metric}: the value is not a quantity"
    elif not _has_reason(part):
        yield f"{metric}: the reason for its absence is not one of R4's"


def _names(code: Node) -> Iterator[str]:
    """Compare each MDC number with the name that came with it."""
    for system, number, name in codings(code):
        if system not in {MDC, MDC_OLD}:
            continue
        known = _PANEL_NAME if number == _PANEL_NUMBER else (term_of(number) or (None, None))[1]
        if known is None:
            yield "an MDC number that is not in the table"
        elif name is not None and name != known:
            yield "an MDC number and name that disagree"


def _unit(metric: Metric, quantity: Node) -> Iterator[str]:
    wanted = CODES[metric].unit
    if quantity.get("system") != UCUM:
        yield f"{metric}: the unit is not UCUM"
    elif quantity.get("code") != wanted:
        yield f"{metric}: the unit is not {wanted}"
    else:
        yield from _conversion(metric, quantity)


def _conversion(metric: Metric, quantity: Node) -> Iterator[str]:
    """Check that what was filed is what the instrument sent, converted."""
    for extension in cast("list[Node]", quantity.get("extension", [])):
        sent = cast("Node", extension.get("valueQuantity", {}))
        if extension["url"] != TRANSLATION:
            continue
        value, code = sent.get("value"), sent.get("code")
        if not isinstance(value, int | float) or code not in set(Unit):
            yield f"{metric}: a translation that is no quantity of this contract"
        elif in_filed_unit(metric, value, Unit(cast("str", code)))[0] != quantity.get("value"):
            yield f"{metric}: value and translation disagree"


def _has_reason(part: Node) -> bool:
    reason = cast("Node", part.get("dataAbsentReason", {}))
    return any(system == DATA_ABSENT_REASON for system, _, _ in codings(reason))


def _refused(result_id: str | None, code: str, said: list[str]) -> Refusal:
    return Refusal(result_id, tuple(_issue(code, each) for each in said[:ISSUES_SAID]))


def _issue(code: str, diagnostics: str) -> Issue:
    return Issue(severity="error", code=code, diagnostics=diagnostics)


_RESULT_ID = re.compile(rf"[A-Za-z0-9._:-]{{1,{RESULT_ID_CHARS}}}")
_SHA256_DIGITS = 64
_PANEL_TERM = cast("Mdc", PANEL.mdc)
_PANEL_NUMBER, _PANEL_NAME = str(_PANEL_TERM.number), _PANEL_TERM.name
