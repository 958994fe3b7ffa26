"""What a consumer finds in a Bundle: every value, whose it is, when, and under which id.

The inverse of `edge/fhir/bundle.py`, by codes alone: MDC where there is one, else LOINC. Where a
value was converted on the way, what is read back is what the instrument sent.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeAlias, cast

import msgspec
from msgspec import Struct

from drivers.model import Metric
from edge.fhir.codes import ECG_IMPRESSION, METRIC_OF_LOINC, METRIC_OF_MDC
from edge.fhir.names import (
    LOINC,
    MDC,
    MDC_OLD,
    ORIGIN,
    RESULT_ID,
    STATUS,
    TAG_CLOCK,
    TAG_CONTENT,
    TAG_CORRECTS,
    TAG_KIND,
    TAG_RUN,
    TAG_SCHEMA,
    TAG_SEQ,
    TAG_SPACE,
    TAG_STUDY,
    TRANSLATION,
)

Node: TypeAlias = Mapping[str, object]


class BundleError(ValueError):
    """Not a Bundle of this contract; the message says what is missing and quotes no content."""


class Value(Struct, frozen=True):
    """One reading, read back: `value` in the `unit` that was sent, or `status` says why not."""

    metric: str
    value: float | None
    unit: str | None
    status: str
    time: str
    subject: str
    origin: str
    withdrawn: bool


class Contents(Struct, frozen=True):
    """A result, read back; `filed_under` are the identifiers its Observations are found by."""

    result_id: str
    schema: str
    kind: str
    space: str
    clock: str
    sequence: int
    run: str
    content_sha256: str
    corrects: str | None
    filed_under: tuple[str, ...]
    values: tuple[Value, ...]
    subjects: frozenset[str]  # whom it is about: exactly one in an acceptable result
    study: str | None = None
    statements: tuple[str, ...] = ()


def read(payload: bytes) -> Contents:
    """Read a Bundle; raises `BundleError`."""
    try:
        bundle = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BundleError("not JSON") from None
    if not isinstance(bundle, dict):
        raise BundleError("not a JSON object")
    return _contents(bundle)


def _contents(bundle: Node) -> Contents:
    tags = _tags(bundle)
    sequence = _tag(tags, TAG_SEQ)
    if not _SEQUENCE.fullmatch(sequence):
        raise BundleError("tag seq: not a number")
    about_patient = list(_about_patient(bundle))
    return Contents(
        result_id=result_id_of(bundle),
        schema=_tag(tags, TAG_SCHEMA),
        kind=_tag(tags, TAG_KIND),
        space=_tag(tags, TAG_SPACE),
        clock=_tag(tags, TAG_CLOCK),
        sequence=int(sequence),
        run=_tag(tags, TAG_RUN),
        content_sha256=_tag(tags, TAG_CONTENT),
        corrects=tags.get(TAG_CORRECTS),
        filed_under=tuple(_filed_under(each) for each in about_patient),
        values=tuple(value for each in about_patient for value in _values(each)),
        subjects=frozenset(_text(_node(each, "subject"), "reference") for each in about_patient),
        study=tags.get(TAG_STUDY),
        statements=tuple(text for each in about_patient for text in _statements(each)),
    )


def result_id_of(bundle: Node) -> str:
    """Return the id of a decoded Bundle, however bad the rest; raises `BundleError`."""
    named = _node(bundle, "identifier")
    if named.get("system") != RESULT_ID:
        raise BundleError("Bundle.identifier: not a result id")
    return _text(named, "value")


def metric_of(codes: Iterable[tuple[str | None, str | None]]) -> Metric | None:
    """Return what pairs of system and code stand for; None: no metric of this contract."""
    found: Metric | None = None
    for system, code in codes:
        if system in {MDC, MDC_OLD} and code:
            known = term_of(code)
            if known:
                return known[0]
        elif system == LOINC and code:
            found = found or METRIC_OF_LOINC.get(code)
    return found


def term_of(number: str) -> tuple[Metric, str] | None:
    """Return what an MDC number stands for, and its name; None when it is not in the table."""
    return METRIC_OF_MDC.get(int(number)) if _MDC_NUMBER.fullmatch(number) else None


def _codings(concept: Node) -> Iterator[tuple[str, str]]:
    for each in _nodes(concept, "coding"):
        system, code = each.get("system"), each.get("code")
        if isinstance(system, str) and isinstance(code, str):
            yield system, code


def _about_patient(bundle: Node) -> Iterator[Node]:
    """Yield what is about the patient; an Observation about the instrument's clock is not."""
    for entry in _nodes(bundle, "entry"):
        resource = _node(entry, "resource")
        if resource.get("resourceType") not in ("Observation", "DocumentReference"):
            continue
        if _node(resource, "subject").get("type", "Patient") == "Patient":
            yield resource


def _filed_under(observation: Node) -> str:
    for named in _nodes(observation, "identifier"):
        if named.get("system") == RESULT_ID:
            return _text(named, "value")
    raise BundleError("Observation without the identifier of its result")


def _statements(observation: Node) -> Iterator[str]:
    """Yield what is said of an ECG, line by line."""
    if (LOINC, ECG_IMPRESSION.loinc[0]) in set(_codings(_node(observation, "code"))):
        yield from _text(observation, "valueString").split("\n")


def is_signal(part: Node) -> bool:
    """Tell a waveform, or what is said in words, from a value."""
    return "valueSampledData" in part or "valueString" in part


def _values(observation: Node) -> Iterator[Value]:
    if observation.get("resourceType") != "Observation":
        return
    parts = _nodes(observation, "component") or [observation]
    origin = _tags(observation).get(ORIGIN, "measured")
    for part in parts:
        if is_signal(part):
            continue
        metric = metric_of(_codings(_node(part, "code")))
        if metric is None:
            raise BundleError("Observation.code: no metric of this contract")
        said = _said(part)
        if said is None:
            continue
        value, unit, status = said
        yield Value(
            metric=metric.value,
            value=value,
            unit=unit,
            status=status,
            time=_time(observation),
            subject=_text(_node(observation, "subject"), "reference"),
            origin=origin,
            withdrawn=observation.get("status") == "entered-in-error",
        )


def _said(part: Node) -> tuple[float | None, str | None, str] | None:
    """Return value, unit and status; None for a component that only says that there is none."""
    if "valueQuantity" in part:
        given = _node(part, "valueQuantity")
        for extension in _nodes(given, "extension"):
            if extension.get("url") == TRANSLATION:
                given = _node(extension, "valueQuantity")
        value = given.get("value")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BundleError("valueQuantity.value: not a number")
        try:
            return float(value), _text(given, "code"), "ok"
        except OverflowError:
            raise BundleError("valueQuantity.value: not a number") from None
    for system, code in _codings(_node(part, "dataAbsentReason")):
        if system == STATUS:
            return None, None, code
    return None


def _time(observation: Node) -> str:
    text = _text(observation, "effectiveDateTime")
    try:
        zoned = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        zoned = False
    if not zoned:
        raise BundleError("effectiveDateTime: not a time with a zone")
    return text


def _tags(resource: Node) -> dict[str, str]:
    found = {}
    for tag in _nodes(_node(resource, "meta"), "tag"):
        system, code = tag.get("system"), tag.get("code")
        if isinstance(system, str) and isinstance(code, str):
            found[system] = code
    return found


def _tag(tags: Mapping[str, str], system: str) -> str:
    code = tags.get(system)
    if not code:
        raise BundleError(f"Bundle.meta.tag: {system.rpartition('/')[2]} is missing")
    return code


def _node(parent: Node, name: str) -> Node:
    child = parent.get(name, {})
    if not isinstance(child, dict):
        raise BundleError(f"{name}: not an object")
    return cast("Node", child)


def _nodes(parent: Node, name: str) -> list[Node]:
    children = parent.get(name, [])
    if not isinstance(children, list) or not all(isinstance(each, dict) for each in children):
        raise BundleError(f"{name}: not a list of objects")
    return cast("list[Node]", children)


def _text(parent: Node, name: str) -> str:
    text = parent.get(name)
    if not (isinstance(text, str) and text):
        raise BundleError(f"{name}: missing or not text")
    return text


_SEQUENCE = re.compile(r"[0-9]{1,18}")
_MDC_NUMBER = re.compile(r"[0-9]{1,10}")
