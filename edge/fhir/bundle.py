"""A result as the exact bytes that are sent: an R4 transaction Bundle, once encoded never again.

entry        request                                  what
hub          POST, if none with its identifier        Device: the gateway
instrument   POST, if none with its identifier        Device, where it has a serial number
{metric}     POST, if none with {result id}.{entry}   Observation, status final
             PUT by {corrected id}.{entry}            the same, entered-in-error, of a correction
{document}   POST, if none; PUT, as {metric}          DocumentReference of an ECG
content      POST                                     Binary: the file it refers to
clock        POST                                     Coincident Timestamp of a device time
provenance   POST                                     who and what stands behind all of them

The subject is a reference of the record system's; nothing in a Bundle names or creates a patient.
An identifier is never the entry's own fullUrl, which servers rewrite.
"""

import msgspec

from edge.fhir.actors import HubIdentity, actors_of, provenance
from edge.fhir.ecg import resources
from edge.fhir.elements import Json, by_identifier, coding, entry_id, full_url, identifier
from edge.fhir.names import (
    RESULT_ID,
    SCHEMA,
    TAG_CLOCK,
    TAG_CONTENT,
    TAG_CORRECTS,
    TAG_KIND,
    TAG_RUN,
    TAG_SCHEMA,
    TAG_SEQ,
    TAG_SPACE,
    TAG_STUDY,
)
from edge.fhir.observations import Actors, coincident_timestamp, observations
from edge.observation import AssociatedMeasurement, content_sha256
from edge.study import Content


def encode(
    result: AssociatedMeasurement,
    *,
    hub: HubIdentity,
    sequence: int,
    content: Content | None = None,
) -> bytes:
    """Return the Bundle of a result as compact JSON; the same arguments are the same bytes.

    `sequence` is the place in the hub's journal of what the result was made of: it orders the
    results of a hub, and with `hub.run`, the run of the service in which it was enqueued, says
    where the bytes were made, however often and by whatever run they are sent. A part of a study
    needs the `content` of the study, ValueError without.
    """
    actors, entries = actors_of(result, hub)
    made, needed = _resources(result, actors, content)
    targets = [full_url(result.result_id, name) for name in made]
    entries += [_filed(result, name, resource) for name, resource in made.items()]
    entries += [_created(result, name, resource) for name, resource in needed.items()]
    clock = None if result.corrects else coincident_timestamp(result, actors)
    if clock:
        entries.append(_created(result, "clock", clock))
    entries.append(_created(result, "provenance", provenance(result, actors, hub, targets)))
    bundle: Json = {
        "resourceType": "Bundle",
        "meta": {"tag": _tags(result, hub, sequence)},
        "identifier": identifier(RESULT_ID, result.result_id),
        "type": "transaction",
        "entry": entries,
    }
    return msgspec.json.encode(bundle)


def _resources(
    result: AssociatedMeasurement, actors: Actors, content: Content | None
) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return what is about the patient by entry name, and what that needs."""
    if result.study is None:
        return observations(result, actors), {}
    if content is None:
        raise ValueError("a part of a study without the study's content")
    return resources(result, actors, content)


def _tags(result: AssociatedMeasurement, hub: HubIdentity, sequence: int) -> list[Json]:
    tags = [
        coding(TAG_SCHEMA, SCHEMA),
        coding(TAG_KIND, result.measurement.kind),
        coding(TAG_SPACE, result.space),
        coding(TAG_CLOCK, "synced" if result.timing.trusted else "unsynced"),
        coding(TAG_SEQ, str(sequence)),
        coding(TAG_RUN, hub.run),
        coding(TAG_CONTENT, content_sha256(result)),
    ]
    if result.study:
        tags.append(coding(TAG_STUDY, result.study.study))
    if result.corrects:
        tags.append(coding(TAG_CORRECTS, result.corrects.result_id))
    return tags


def _filed(result: AssociatedMeasurement, name: str, resource: Json) -> Json:
    """Create once; a correction replaces what the result it withdraws created."""
    kind = str(resource["resourceType"])
    if result.corrects:
        search = by_identifier(entry_id(result.corrects.result_id, name))
        request = {"method": "PUT", "url": f"{kind}?{search}"}
    else:
        search = by_identifier(entry_id(result.result_id, name))
        request = {"method": "POST", "url": kind, "ifNoneExist": search}
    return {
        "fullUrl": full_url(result.result_id, name),
        "resource": resource,
        "request": request,
    }


def _created(result: AssociatedMeasurement, name: str, resource: Json) -> Json:
    return {
        "fullUrl": full_url(result.result_id, name),
        "resource": resource,
        "request": {"method": "POST", "url": str(resource["resourceType"])},
    }
