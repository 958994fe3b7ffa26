"""Who made a result: the instrument, the hub, the people; and the Provenance that names them.

An instrument that says its serial number is an entry of its own, created once per server. One that
does not has no identity to be found by again, and is contained in what it measured.
"""

import re
from dataclasses import dataclass

from drivers.model import InstrumentId
from edge.fhir.codes import Mdc
from edge.fhir.elements import (
    Json,
    by_identifier,
    coding,
    concept,
    full_url,
    identifier,
    instant,
    line,
    mdc,
)
from edge.fhir.names import (
    BLUETOOTH,
    DEVICE,
    EUI_64,
    HUB,
    OPERATION,
    OPERATOR,
    PARTICIPANT,
    RAW,
    RESULT_ID,
)
from edge.fhir.observations import Actors
from edge.observation import AssociatedMeasurement, Origin

_INSTRUMENT_TYPE = Mdc(65573, "MDC_MOC_VMS_MDS_SIMP")
_HUB_TYPE = Mdc(531981, "MDC_MOC_VMS_MDS_AHD")
_FIRMWARE = Mdc(531976, "MDC_ID_PROD_SPEC_FW")
_CONTAINED = "instrument"
_PAIRS = re.compile(
    r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?:[:-][0-9A-Fa-f]{2}[:-][0-9A-Fa-f]{2})?"
)
_PERSON = re.compile(r"(?:Practitioner|PractitionerRole)/[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True, slots=True)
class HubIdentity:
    """Which hub encodes: its levels in the topics, its software, and the run that enqueued."""

    site: str
    hub: str
    software: str
    run: str


def actors_of(result: AssociatedMeasurement, hub: HubIdentity) -> tuple[Actors, list[Json]]:
    """Return references to who made a result, and the entries that the references need."""
    instrument = _instrument(result.device)
    known = instrument.get("identifier")
    entries = [_entry(result.result_id, "hub", _hub(hub))]
    if known and result.origin is not Origin.ENTERED:
        entries.append(_entry(result.result_id, "instrument", instrument))
    reference = full_url(result.result_id, "instrument") if known else f"#{_CONTAINED}"
    return (
        Actors(
            instrument={"reference": reference, "type": "Device"},
            hub={"reference": full_url(result.result_id, "hub"), "type": "Device"},
            contained=None if known else instrument | {"id": _CONTAINED},
            operator=_person(result.provenance.person),
        ),
        entries,
    )


def provenance(
    result: AssociatedMeasurement, actors: Actors, hub: HubIdentity, targets: list[str]
) -> Json:
    """Return who and what stands behind the entries of a Bundle."""
    action = "NULLIFY" if result.corrects else "CREATE"
    raw = _entity("source", identifier(RAW, result.provenance.raw_sha256))
    sources, contained = [raw], {}
    if result.origin is not Origin.ENTERED:
        raw["agent"] = [
            _agent("performer", actors.instrument, "the instrument that sent the bytes")
        ]
        contained = actors.containing()
    if result.corrects:
        sources.append(_entity("revision", identifier(RESULT_ID, result.corrects.result_id)))
    return {
        "resourceType": "Provenance",
        **contained,
        "target": [{"reference": target} for target in targets],
        "recorded": instant(result.measurement.at.wall_ns),
        "activity": concept(coding(OPERATION, action)),
        "agent": _agents(result, actors, hub),
        "entity": sources,
    }


def _agents(result: AssociatedMeasurement, actors: Actors, hub: HubIdentity) -> list[Json]:
    agents = [
        _agent("assembler", actors.hub, "the hub"),
        _agent("assembler", {"display": line(hub.software) or "vitals-edge"}, "its software"),
    ]
    if actors.operator:
        agents.append(_agent("performer", actors.operator, "answers for the values"))
    identified = _person(result.association.person)
    if identified:
        how = f"identified the patient ({result.association.method})"
        agents.append(_agent("informant", identified, how))
    return agents


def _agent(part: str, who: Json, role: str) -> Json:
    return {
        "type": concept(coding(PARTICIPANT, part)),
        "role": [concept(text=role)],
        "who": who,
    }


def _entity(role: str, what: Json) -> Json:
    return {"role": role, "what": {"identifier": what}}


def _person(name: str | None) -> Json | None:
    """Return a reference to a person as the record system knows them."""
    text = line(name)
    if text is None:
        return None
    if _PERSON.fullmatch(text):
        return {"reference": text}
    return {"identifier": identifier(OPERATOR, text)}


def _hub(hub: HubIdentity) -> Json:
    return {
        "resourceType": "Device",
        "identifier": [identifier(HUB, f"{hub.site}.{hub.hub}")],
        "deviceName": [{"name": f"{hub.site}/{hub.hub}", "type": "user-friendly-name"}],
        "type": concept(mdc(_HUB_TYPE), text="Hub"),
    }


def _instrument(device: InstrumentId) -> Json:
    model, serial, firmware = line(device.model), line(device.serial), line(device.firmware)
    names = [{"name": device.driver, "type": "other"}]
    if model:
        names.insert(0, {"name": model, "type": "model-name"})
    version = {"type": concept(mdc(_FIRMWARE)), "value": firmware}
    return {
        "resourceType": "Device",
        **({"identifier": [_identity(device.driver, serial)]} if serial else {}),
        **({"serialNumber": serial} if serial else {}),
        "deviceName": names,
        **({"modelNumber": model} if model else {}),
        "type": concept(mdc(_INSTRUMENT_TYPE), text="Instrument"),
        **({"version": [version]} if firmware else {}),
    }


def _identity(driver: str, serial: str) -> Json:
    """Return the worldwide identity of an EUI, else the serial number within its driver."""
    if not _PAIRS.fullmatch(serial):
        return identifier(DEVICE, f"{driver}.{serial}")
    pairs = serial.replace(":", "-").upper()
    return identifier(EUI_64 if len(pairs) > len("00-00-00-00-00-00") else BLUETOOTH, pairs)


def _entry(result_id: str, name: str, resource: Json) -> Json:
    named = resource["identifier"]
    return {
        "fullUrl": full_url(result_id, name),
        "resource": resource,
        "request": {
            "method": "POST",
            "url": "Device",
            "ifNoneExist": by_identifier(named[0] if isinstance(named, list) else {}),
        },
    }
