"""The structure of FHIR R4, as far as a result needs it: elements, types, cardinality, invariants.

Closed: an element that is not listed is refused, so a misspelt one or one of another FHIR release
is seen. Each element is written ``name:Type`` with ``!`` for required, ``*`` for a list that may be
absent, ``+`` for a list that may not. R4 forbids empty lists, objects and strings, so nothing is
ever both present and empty. Source: hl7.org/fhir/R4, pages of its resources and its data types.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, cast

Node: TypeAlias = Mapping[str, object]


class Issue(NamedTuple):
    """What is wrong and where; quotes no content."""

    where: str
    what: str


_VALUE = (
    "valueQuantity:Quantity valueCodeableConcept:CodeableConcept valueString:string "
    "valueBoolean:boolean valueInteger:integer valueDateTime:dateTime valueTime:time "
)
_LANGUAGE_FREE = "id:id meta:Meta contained*:Device extension*:Extension "

_TYPES = {
    "Bundle": "resourceType!:code id:id meta:Meta identifier!:Identifier type!:code "
    "timestamp:instant entry+:Bundle.entry",
    "Bundle.entry": "fullUrl!:uuid resource!:Resource request!:Bundle.request",
    "Bundle.request": "method!:code url!:uri ifNoneMatch:string ifMatch:string ifNoneExist:string",
    "Observation": "resourceType!:code "
    + _LANGUAGE_FREE
    + "identifier*:Identifier basedOn*:Reference partOf*:Reference status!:code "
    "category*:CodeableConcept code!:CodeableConcept subject:Reference focus*:Reference "
    "encounter:Reference effectiveDateTime:dateTime issued:instant performer*:Reference "
    + _VALUE
    + "dataAbsentReason:CodeableConcept interpretation*:CodeableConcept note*:Annotation "
    "bodySite:CodeableConcept method:CodeableConcept specimen:Reference device:Reference "
    "referenceRange*:Observation.referenceRange hasMember*:Reference derivedFrom*:Reference "
    "component*:Observation.component",
    "Observation.component": "extension*:Extension code!:CodeableConcept "
    + _VALUE
    + "dataAbsentReason:CodeableConcept interpretation*:CodeableConcept "
    "referenceRange*:Observation.referenceRange",
    "Observation.referenceRange": "low:Quantity high:Quantity type:CodeableConcept "
    "appliesTo*:CodeableConcept text:string",
    "Device": "resourceType!:code "
    + _LANGUAGE_FREE
    + "identifier*:Identifier status:code manufacturer:string manufactureDate:dateTime "
    "lotNumber:string serialNumber:string deviceName*:Device.deviceName modelNumber:string "
    "partNumber:string type:CodeableConcept version*:Device.version "
    "property*:Device.property note*:Annotation safety*:CodeableConcept parent:Reference",
    "Device.deviceName": "name!:string type!:code",
    "Device.version": "type:CodeableConcept component:Identifier value!:string",
    "Device.property": "type!:CodeableConcept valueQuantity*:Quantity valueCode*:CodeableConcept",
    "Provenance": "resourceType!:code "
    + _LANGUAGE_FREE
    + "target+:Reference occurredDateTime:dateTime recorded!:instant policy*:uri "
    "location:Reference reason*:CodeableConcept activity:CodeableConcept "
    "agent+:Provenance.agent entity*:Provenance.entity",
    "Provenance.agent": "type:CodeableConcept role*:CodeableConcept who!:Reference "
    "onBehalfOf:Reference",
    "Provenance.entity": "role!:code what!:Reference agent*:Provenance.agent",
    "Meta": "versionId:id lastUpdated:instant source:uri profile*:uri security*:Coding tag*:Coding",
    "Identifier": "use:code type:CodeableConcept system:uri value:string assigner:Reference",
    "Coding": "system:uri version:string code:code display:string userSelected:boolean",
    "CodeableConcept": "coding*:Coding text:string",
    "Quantity": "extension*:Extension value:decimal comparator:code unit:string system:uri "
    "code:code",
    "Reference": "reference:string type:uri identifier:Identifier display:string",
    "Annotation": "authorReference:Reference authorString:string time:dateTime text!:string",
    "Extension": "extension*:Extension url!:uri " + _VALUE + "valueReference:Reference",
}

# R4 lets times without a zone through only where they are dates; a result always has a zone.
_ZONED = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)"
_ZONED += r"(\.\d+)?(Z|[+-](0\d|1[0-4]):[0-5]\d)"
_PATTERNS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "code": re.compile(r"[^\s]+(\s[^\s]+)*"),
        "id": re.compile(r"[A-Za-z0-9.\-]{1,64}"),
        "uri": re.compile(r"\S+"),
        "uuid": re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        "string": re.compile(r"[ \r\n\t\S]+"),
        "dateTime": re.compile(_ZONED),
        "instant": re.compile(_ZONED),
        "time": re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"),
    }
)
_CLOSED: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        ("Bundle", "type"): frozenset({"transaction"}),
        ("Bundle.request", "method"): frozenset({"POST", "PUT"}),
        ("Observation", "status"): frozenset(
            {"registered", "preliminary", "final", "amended", "corrected"}
            | {"cancelled", "entered-in-error", "unknown"}
        ),
        ("Device", "status"): frozenset({"active", "inactive", "entered-in-error", "unknown"}),
        ("Device.deviceName", "type"): frozenset(
            {"udi-label-name", "user-friendly-name", "patient-reported-name"}
            | {"manufacturer-name", "model-name", "other"}
        ),
        ("Provenance.entity", "role"): frozenset(
            {"derivation", "revision", "quotation", "source", "removal"}
        ),
        ("Quantity", "comparator"): frozenset({"<", "<=", ">=", ">"}),
    }
)
_RESOURCES = frozenset({"Observation", "Device", "Provenance"})
_DOUBLE_BITS = 1023  # a longer whole number has no double, and no instrument
_DEEPEST = 12  # of what is listed above, except extensions of extensions


class _Element(NamedTuple):
    type: str
    required: bool
    many: bool


def _parsed(text: str) -> dict[str, _Element]:
    made = {}
    for part in text.split():
        name, _, kind = part.partition(":")
        bare = name.rstrip("!*+")
        made[bare] = _Element(kind, name[-1] in "!+", name[-1] in "*+")
    return made


_TABLE = {name: _parsed(text) for name, text in _TYPES.items()}


def issues(bundle: object) -> list[Issue]:
    """Return everything in a decoded Bundle that R4 does not allow; none: it is well formed."""
    found = list(_object("Bundle", bundle, "Bundle", 0))
    return found or list(_references(cast("Node", bundle)))


def _object(type_name: str, node: object, where: str, depth: int) -> Iterator[Issue]:
    if not isinstance(node, dict) or not node:
        yield Issue(where, "not an object with elements")
        return
    if depth > _DEEPEST:
        yield Issue(where, "nested too deeply")
        return
    elements = _TABLE[type_name]
    for name in sorted(set(node) - set(elements)):
        known = name if re.fullmatch(r"\w{1,40}", name) else "with such a name"
        yield Issue(where, f"no element {known} in this part of R4")
    for name, element in elements.items():
        if name in node:
            yield from _element(type_name, name, element, node[name], where, depth)
        elif element.required:
            yield Issue(f"{where}.{name}", "missing")
    for broken in _INVARIANTS.get(type_name, _no_invariant)(node):
        yield Issue(where, broken)


def _element(
    owner: str, name: str, element: _Element, value: object, where: str, depth: int
) -> Iterator[Issue]:
    here = f"{where}.{name}"
    if not element.many:
        yield from _value(owner, name, element.type, value, here, depth)
    elif not isinstance(value, list) or not value:
        yield Issue(here, "not a list with members")
    else:
        for index, each in enumerate(value):
            yield from _value(owner, name, element.type, each, f"{here}[{index}]", depth)


def _value(
    owner: str, name: str, type_name: str, value: object, where: str, depth: int
) -> Iterator[Issue]:
    if type_name == "Resource":
        type_name = str(value.get("resourceType")) if isinstance(value, dict) else ""
        if type_name not in _RESOURCES:
            yield Issue(where, "a resource that is no part of a result")
            return
    if type_name in _TABLE:
        yield from _object(type_name, value, where, depth + 1)
    elif not _is_primitive(type_name, value):
        yield Issue(where, f"not a {type_name}")
    elif value not in _CLOSED.get((owner, name), {value}):
        yield Issue(where, "not a code of the list")


def _is_primitive(type_name: str, value: object) -> bool:
    if type_name == "boolean":
        return isinstance(value, bool)
    if type_name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if type_name == "decimal":
        return _is_decimal(value)
    return isinstance(value, str) and _PATTERNS[type_name].fullmatch(value) is not None


def _is_decimal(value: object) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return value.bit_length() <= _DOUBLE_BITS
    return isinstance(value, float) and math.isfinite(value)


def _values(node: Node) -> list[str]:
    return [name for name in node if name.startswith("value")]


def _observation(node: Node) -> Iterator[str]:
    yield from _valued(node, unless=("component", "hasMember"))
    if "effectiveDateTime" not in node:
        yield "no effectiveDateTime"
    if "subject" not in node:
        yield "no subject"


def _valued(node: Node, unless: tuple[str, ...] = ()) -> Iterator[str]:
    """Check obs-6, vs-2 and vs-3: exactly one of a value and a reason why there is none."""
    values = _values(node)
    if len(values) > 1:
        yield "more than one value"
    if values and "dataAbsentReason" in node:
        yield "a value and a reason for its absence"
    if not values and "dataAbsentReason" not in node and not any(each in node for each in unless):
        yield "neither a value nor a reason for its absence"


def _extension(node: Node) -> Iterator[str]:
    if ("extension" in node) == bool(_values(node)):
        yield "an extension has either a value or extensions"


def _quantity(node: Node) -> Iterator[str]:
    if "code" in node and "system" not in node:
        yield "a unit code without its system"


def _no_invariant(_: Node) -> Iterator[str]:
    return iter(())


_INVARIANTS: Mapping[str, Callable[[Node], Iterator[str]]] = MappingProxyType(
    {
        "Observation": _observation,
        "Observation.component": _valued,
        "Extension": _extension,
        "Quantity": _quantity,
    }
)


def _references(bundle: Node) -> Iterator[Issue]:
    """Check that names within the Bundle are unique and every reference to one is met."""
    entries = cast("list[Node]", bundle["entry"])
    urls = [entry["fullUrl"] for entry in entries]
    if len(set(urls)) != len(urls):
        yield Issue("Bundle.entry", "one fullUrl twice")
    for index, entry in enumerate(entries):
        resource = cast("Node", entry["resource"])
        where = f"Bundle.entry[{index}].resource"
        inside = {
            f"#{each.get('id')}" for each in cast("list[Node]", resource.get("contained", []))
        }
        met = set()
        for reference in _references_in(resource):
            met.add(reference)
            local = reference.startswith(("#", "urn:uuid:"))
            if local and reference not in inside and reference not in urls:
                yield Issue(where, "a reference to nothing in this Bundle")
        if inside - met:
            yield Issue(where, "contains what it does not refer to")
        if entry["fullUrl"] in {each.get("value") for each in _identifiers(resource)}:
            yield Issue(where, "an identifier that is its own fullUrl")


def _references_in(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for name, child in node.items():
            if name == "reference" and isinstance(child, str):
                yield child
            else:
                yield from _references_in(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references_in(child)


def _identifiers(resource: Node) -> list[Node]:
    return cast("list[Node]", resource.get("identifier", []))
