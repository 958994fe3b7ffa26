"""The part of FHIR R4 that results are made of, as types: decoding is the check of structure.

An element that is not listed is refused, so a misspelt one, or one of another release, is seen. R4
forbids empty lists, objects and strings, so nothing is both present and empty; it forbids a time of
day without a zone. Invariants are named by their keys (obs-6, vs-2, vs-3, ext-1, qty-3).
Source: hl7.org/fhir/R4, the pages of its resources and of its data types.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from edge.contract.wire import decode as decode_message

Text = Annotated[str, Meta(pattern=r"\S")]
Code = Annotated[str, Meta(pattern=r"^[^\s]+(\s[^\s]+)*$")]
Uri = Annotated[str, Meta(pattern=r"^\S+$")]
Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.\-]{1,64}$")]
FullUrl = Annotated[
    str, Meta(pattern=r"^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
]
Time = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d"
        r"(\.\d+)?(Z|[+-](0\d|1[0-4]):[0-5]\d)$"
    ),
]
_AT_LEAST_ONE = Meta(min_length=1)


class _Element(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", gc=False
):
    """Anything of R4; the names are R4's in the spelling of Python."""


class Coding(_Element, frozen=True, kw_only=True):
    """A code and the system it is from."""

    system: Uri | None = None
    version: Text | None = None
    code: Code | None = None
    display: Text | None = None


class CodeableConcept(_Element, frozen=True, kw_only=True):
    """A meaning, in codes and in words."""

    coding: Annotated[list[Coding], _AT_LEAST_ONE] | None = None
    text: Text | None = None

    def __post_init__(self) -> None:
        if self.coding is None and self.text is None:
            raise ValueError("a concept without a code and without words")


class Identifier(_Element, frozen=True, kw_only=True):
    """What something is known by."""

    system: Uri | None = None
    value: Text | None = None
    type: CodeableConcept | None = None


class Reference(_Element, frozen=True, kw_only=True):
    """Somebody or something else."""

    reference: Text | None = None
    type: Uri | None = None
    identifier: Identifier | None = None
    display: Text | None = None


class Quantity(_Element, frozen=True, kw_only=True):
    """A number with a unit, and the same in other units."""

    value: float
    unit: Text | None = None
    system: Uri | None = None
    code: Code | None = None
    comparator: Literal["<", "<=", ">=", ">"] | None = None
    extension: Annotated[list["Extension"], _AT_LEAST_ONE] | None = None

    def __post_init__(self) -> None:
        if self.code is not None and self.system is None:
            raise ValueError("a unit code without its system (qty-3)")


class Extension(_Element, frozen=True, kw_only=True):
    """What R4 itself has no element for."""

    url: Uri
    value_quantity: Quantity | None = None
    value_reference: Reference | None = None
    value_string: Text | None = None
    value_code: Code | None = None
    value_date_time: Time | None = None

    def __post_init__(self) -> None:
        values = (self.value_quantity, self.value_reference, self.value_string, self.value_code)
        if sum(value is not None for value in (*values, self.value_date_time)) != 1:
            raise ValueError("an extension without exactly one value (ext-1)")


class Metadata(_Element, frozen=True, kw_only=True):
    """What is said about a resource."""

    profile: Annotated[list[Uri], _AT_LEAST_ONE] | None = None
    security: Annotated[list[Coding], _AT_LEAST_ONE] | None = None
    tag: Annotated[list[Coding], _AT_LEAST_ONE] | None = None


class Annotation(_Element, frozen=True, kw_only=True):
    """Words for people."""

    text: Text
    time: Time | None = None
    author_reference: Reference | None = None


Concepts: TypeAlias = Annotated[list[CodeableConcept], _AT_LEAST_ONE]
References: TypeAlias = Annotated[list[Reference], _AT_LEAST_ONE]
Identifiers: TypeAlias = Annotated[list[Identifier], _AT_LEAST_ONE]
Notes: TypeAlias = Annotated[list[Annotation], _AT_LEAST_ONE]
Extensions: TypeAlias = Annotated[list[Extension], _AT_LEAST_ONE]


class DeviceName(_Element, frozen=True, kw_only=True):
    """What a device is called."""

    name: Text
    type: Literal[
        "udi-label-name",
        "user-friendly-name",
        "patient-reported-name",
        "manufacturer-name",
        "model-name",
        "other",
    ]


class DeviceVersion(_Element, frozen=True, kw_only=True):
    """The version of a part of a device."""

    value: Text
    type: CodeableConcept | None = None


class Device(_Element, frozen=True, kw_only=True, tag_field="resourceType", tag="Device"):
    """An instrument or a hub."""

    id: Id | None = None
    meta: Metadata | None = None
    identifier: Identifiers | None = None
    status: Literal["active", "inactive", "entered-in-error", "unknown"] | None = None
    manufacturer: Text | None = None
    serial_number: Text | None = None
    device_name: Annotated[list[DeviceName], _AT_LEAST_ONE] | None = None
    model_number: Text | None = None
    type: CodeableConcept | None = None
    version: Annotated[list[DeviceVersion], _AT_LEAST_ONE] | None = None
    note: Notes | None = None

    contained = None

    def references(self) -> Iterator[Reference | None]:
        """Yield what the resource refers to."""
        return iter(())


Contained: TypeAlias = Annotated[list[Device], _AT_LEAST_ONE]


class SampledData(_Element, frozen=True, kw_only=True):
    """Samples at one rate: origin + factor * each, or E, U, L where there is none."""

    origin: Quantity
    period: Annotated[float, Meta(gt=0)]
    dimensions: Annotated[int, Meta(ge=1)]
    factor: float = 1.0
    lower_limit: float | None = None
    upper_limit: float | None = None
    data: Annotated[str, Meta(pattern=r"^(-?[0-9]+|[EUL])( (-?[0-9]+|[EUL]))*$")]


class _Valued(_Element, frozen=True, kw_only=True):
    """What has exactly one of a value and a reason why there is none (obs-6, vs-2, vs-3)."""

    code: CodeableConcept
    value_quantity: Quantity | None = None
    value_string: Text | None = None
    value_date_time: Time | None = None
    value_codeable_concept: CodeableConcept | None = None
    data_absent_reason: CodeableConcept | None = None
    interpretation: Concepts | None = None

    @property
    def said(self) -> int:
        """How many values there are, and reasons for the absence of one."""
        values = (self.value_quantity, self.value_string, self.value_date_time)
        others = (self.value_codeable_concept, self.data_absent_reason)
        return sum(each is not None for each in (*values, *others))


class Component(_Valued, frozen=True, kw_only=True):
    """One value of several that belong together; of a waveform the samples of one lead."""

    extension: Extensions | None = None
    value_sampled_data: SampledData | None = None

    def __post_init__(self) -> None:
        if self.said + (self.value_sampled_data is not None) != 1:
            raise ValueError("not exactly one of a value and a reason for its absence (vs-3)")


class Observation(_Valued, frozen=True, kw_only=True, tag_field="resourceType", tag="Observation"):
    """A value, or several that belong together, of one subject at one time."""

    status: Literal[
        "registered",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "cancelled",
        "entered-in-error",
        "unknown",
    ]
    subject: Reference
    effective_date_time: Time
    id: Id | None = None
    meta: Metadata | None = None
    contained: Contained | None = None
    extension: Extensions | None = None
    identifier: Identifiers | None = None
    category: Concepts | None = None
    encounter: Reference | None = None
    issued: Time | None = None
    performer: References | None = None
    note: Notes | None = None
    body_site: CodeableConcept | None = None
    method: CodeableConcept | None = None
    device: Reference | None = None
    derived_from: References | None = None
    component: Annotated[list[Component], _AT_LEAST_ONE] | None = None

    def __post_init__(self) -> None:
        if self.said > 1 or (self.said == 0 and self.component is None):
            raise ValueError("not exactly one of a value and a reason for its absence (vs-2)")

    def references(self) -> Iterator[Reference | None]:
        """Yield what the resource refers to."""
        yield from (self.subject, self.encounter, self.device)
        yield from self.performer or ()
        yield from self.derived_from or ()
        yield from (extension.value_reference for extension in self.extension or ())


class Agent(_Element, frozen=True, kw_only=True):
    """Somebody or something with a part in what was done."""

    who: Reference
    type: CodeableConcept | None = None
    role: Concepts | None = None
    on_behalf_of: Reference | None = None

    def references(self) -> Iterator[Reference | None]:
        """Yield who it is."""
        yield from (self.who, self.on_behalf_of)


Agents: TypeAlias = Annotated[list[Agent], _AT_LEAST_ONE]


class Entity(_Element, frozen=True, kw_only=True):
    """What was used."""

    role: Literal["derivation", "revision", "quotation", "source", "removal"]
    what: Reference
    agent: Agents | None = None


class Provenance(_Element, frozen=True, kw_only=True, tag_field="resourceType", tag="Provenance"):
    """Who and what stands behind other resources."""

    target: References
    recorded: Time
    agent: Agents
    id: Id | None = None
    meta: Metadata | None = None
    contained: Contained | None = None
    occurred_date_time: Time | None = None
    reason: Concepts | None = None
    activity: CodeableConcept | None = None
    entity: Annotated[list[Entity], _AT_LEAST_ONE] | None = None

    identifier = None

    def references(self) -> Iterator[Reference | None]:
        """Yield what the resource refers to."""
        yield from self.target
        for agent in self.agent:
            yield from agent.references()
        for entity in self.entity or ():
            yield entity.what
            for agent in entity.agent or ():
                yield from agent.references()


class Attachment(_Element, frozen=True, kw_only=True):
    """A file: its type, its size and where it is."""

    content_type: Code
    url: Uri | None = None
    size: Annotated[int, Meta(ge=0)] | None = None
    title: Text | None = None


class DocumentContent(_Element, frozen=True, kw_only=True):
    """One form of a document."""

    attachment: Attachment


class Period(_Element, frozen=True, kw_only=True):
    """A stretch of time."""

    start: Time
    end: Time | None = None


class DocumentContext(_Element, frozen=True, kw_only=True):
    """When what a document tells of was done."""

    period: Period


class DocumentReference(
    _Element, frozen=True, kw_only=True, tag_field="resourceType", tag="DocumentReference"
):
    """A document about a patient, and where it is."""

    status: Literal["current", "superseded", "entered-in-error"]
    type: CodeableConcept
    subject: Reference
    date: Time
    content: Annotated[list[DocumentContent], _AT_LEAST_ONE]
    context: DocumentContext
    id: Id | None = None
    meta: Metadata | None = None
    contained: Contained | None = None
    identifier: Identifiers | None = None
    author: References | None = None

    def references(self) -> Iterator[Reference | None]:
        """Yield what the resource refers to."""
        yield self.subject
        yield from self.author or ()
        for each in self.content:
            yield Reference(reference=each.attachment.url)


class Binary(_Element, frozen=True, kw_only=True, tag_field="resourceType", tag="Binary"):
    """A file, byte for byte."""

    content_type: Code
    data: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]+={0,2}$")]
    id: Id | None = None
    meta: Metadata | None = None

    contained = None
    identifier = None

    def references(self) -> Iterator[Reference | None]:
        """Yield what the resource refers to."""
        return iter(())


class Request(_Element, frozen=True, kw_only=True):
    """How an entry asks to be stored."""

    method: Literal["POST", "PUT"]
    url: Uri
    if_none_exist: Uri | None = None


class Entry(_Element, frozen=True, kw_only=True):
    """One resource of a Bundle."""

    full_url: FullUrl
    resource: Observation | Device | Provenance | DocumentReference | Binary
    request: Request


class Bundle(_Element, frozen=True, kw_only=True, tag_field="resourceType", tag="Bundle"):
    """A transaction: all of it is stored, or nothing."""

    identifier: Identifier
    type: Literal["transaction"]
    entry: Annotated[list[Entry], _AT_LEAST_ONE]
    id: Id | None = None
    meta: Metadata | None = None
    timestamp: Time | None = None


def decode(payload: bytes) -> Bundle:
    """Read a Bundle; raises `MessageError`, which says what is wrong where and quotes no value."""
    return decode_message(_DECODER, payload)


def dangling(bundle: Bundle) -> list[str]:
    """Return what is wrong with names and references within a Bundle; nothing: they all meet."""
    urls = [entry.full_url for entry in bundle.entry]
    found = ["Bundle.entry: one fullUrl twice"] if len(set(urls)) != len(urls) else []
    for index, entry in enumerate(bundle.entry):
        said = _dangling(entry, set(urls))
        found += [f"Bundle.entry[{index}].resource: {each}" for each in said]
    return found


def _dangling(entry: Entry, urls: set[str]) -> Iterator[str]:
    resource = entry.resource
    inside = {f"#{device.id}" for device in resource.contained or ()}
    references = {each.reference for each in resource.references() if each and each.reference}
    local = {each for each in references if each.startswith(("#", "urn:uuid:"))}
    if local - inside - urls:
        yield "a reference to nothing in this Bundle"
    if inside - references:
        yield "contains what it does not refer to"
    if entry.full_url in {each.value for each in resource.identifier or ()}:
        yield "an identifier that is its own fullUrl"


_DECODER = msgspec.json.Decoder(Bundle)
