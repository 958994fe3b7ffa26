import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.fhir.read import Contents
from edge.record.register import Register
from edge.record.validate import Refusal, check

GOLDEN = Path(__file__).parent / "golden_bundles"
REGISTER = msgspec.convert(
    {"patient": [{"reference": "Patient/p-17", "name": "N", "birth_date": "1961-02-28"}]}, Register
)
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def kind_of(bundle):
    return next(t["code"] for t in bundle["meta"]["tag"] if t["system"].endswith("/kind"))


def judged(bundle, kind=None, register=REGISTER, accept_demo=True):
    payload = json.dumps(bundle).encode()
    return check(payload, kind or kind_of(bundle), register, accept_demo=accept_demo)


def observation(bundle, number=0):
    every = [entry["resource"] for entry in bundle["entry"]]
    return [each for each in every if each["resourceType"] == "Observation"][number]


def component(bundle, number):
    return observation(bundle)["component"][number]


def tag(bundle, name):
    return next(t for t in bundle["meta"]["tag"] if t["system"].endswith(f"/{name}"))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_hub_writes_is_accepted(name):
    assert isinstance(judged(golden(name)), Contents)


def drop(node, key):
    del node[key]


FAULTS = {
    "no zone": (
        "blood-pressure",
        lambda b: observation(b).update(effectiveDateTime="2026-11-23T14:03:07.123"),
        "matching regex",
    ),
    "no time": (
        "blood-pressure",
        lambda b: drop(observation(b), "effectiveDateTime"),
        "missing required field `effectiveDateTime`",
    ),
    "no code": (
        "blood-pressure",
        lambda b: drop(observation(b), "code"),
        "missing required field `code`",
    ),
    "no subject": (
        "blood-pressure",
        lambda b: drop(observation(b), "subject"),
        "missing required field `subject`",
    ),
    "no status": (
        "blood-pressure",
        lambda b: drop(observation(b), "status"),
        "missing required field `status`",
    ),
    "a status that R4 does not have": (
        "blood-pressure",
        lambda b: observation(b).update(status="finished"),
        "Invalid enum value - at `$.entry[2].resource.status`",
    ),
    "an unknown element": (
        "blood-pressure",
        lambda b: observation(b).update(trigger=1),
        "unknown field `trigger`",
    ),
    "an element of R5": (
        "oximetry",
        lambda b: b["entry"][0]["resource"].update(displayName="x"),
        "unknown field `displayName`",
    ),
    "a value in quotes": (
        "oximetry",
        lambda b: observation(b)["valueQuantity"].update(value="97"),
        "Expected `float`, got `str`",
    ),
    "a number too long for any instrument": (
        "oximetry",
        lambda b: observation(b)["valueQuantity"].update(value=10**400),
        "Number out of range",
    ),
    "a value and a reason why there is none": (
        "oximetry",
        lambda b: observation(b).update(dataAbsentReason={"text": "off"}),
        "not exactly one of a value and a reason",
    ),
    "neither value nor reason": (
        "oximetry",
        lambda b: drop(observation(b), "valueQuantity"),
        "not exactly one of a value and a reason",
    ),
    "a component with neither": (
        "blood-pressure",
        lambda b: drop(component(b, 1), "valueQuantity"),
        "(vs-3) - at `$.entry[2].resource.component[1]`",
    ),
    "a panel with a value": (
        "blood-pressure",
        lambda b: observation(b).update(valueString="120/80"),
        "a panel has no value",
    ),
    "a panel without its code": (
        "blood-pressure",
        lambda b: observation(b)["code"]["coding"].pop(0),
        "without the code of the blood-pressure panel",
    ),
    "a panel without diastolic": (
        "blood-pressure",
        lambda b: observation(b)["component"].pop(1),
        "a panel without systolic or diastolic",
    ),
    "a pressure that is none": (
        "blood-pressure",
        lambda b: component(b, 2).update(code=observation(b, 1)["code"]),
        "a panel has each pressure once",
    ),
    "a code that stands for nothing": (
        "height",
        lambda b: observation(b)["code"].update(coding=[{"system": "http://loinc.org"}]),
        "no metric of this contract",
    ),
    "a heart rate in beats": (
        "heart-rate",
        lambda b: observation(b)["valueQuantity"].update(code="{beat}/min"),
        "heart-rate: the unit is not /min",
    ),
    "a unit of another system": (
        "oximetry",
        lambda b: observation(b)["valueQuantity"].update(system="http://example.org/units"),
        "the unit is not UCUM",
    ),
    "a unit without a system": (
        "oximetry",
        lambda b: drop(observation(b)["valueQuantity"], "system"),
        "a unit code without its system",
    ),
    "a pressure in kilopascal": (
        "blood-pressure",
        lambda b: component(b, 0)["valueQuantity"].update(code="kPa"),
        "the unit is not mm[Hg]",
    ),
    "a conversion that is wrong": (
        "temperature-fahrenheit",
        lambda b: observation(b)["valueQuantity"].update(value=38),
        "value and translation disagree",
    ),
    "a saturation without the code of US Core": (
        "oximetry",
        lambda b: observation(b)["code"]["coding"].pop(1),
        "spo2: a LOINC code is missing",
    ),
    "an MDC number under another's name": (
        "oximetry",
        lambda b: observation(b)["code"]["coding"][2].update(display="MDC_PULS_RATE"),
        "number and name that disagree",
    ),
    "an invented MDC number": (
        "temperature-fahrenheit",
        lambda b: observation(b)["code"]["coding"][1].update(code="19308"),
        "an MDC number that is not in the table",
    ),
    "no category": (
        "oximetry",
        lambda b: drop(observation(b), "category"),
        "no category vital-signs",
    ),
    "a reason in words only": (
        "oximetry-sensor-off-no-serial",
        lambda b: observation(b).update(dataAbsentReason={"text": "off"}),
        "the reason for its absence is not one of R4's",
    ),
    "waves that are words": (
        "oximetry",
        lambda b: observation(b).update(valueSampledData={"data": "hello world"}),
        "unknown field `valueSampledData`",
    ),
    "an identifier that is the fullUrl": (
        "respiration-entered",
        lambda b: observation(b)["identifier"][0].update(value=b["entry"][1]["fullUrl"]),
        "an identifier that is its own fullUrl",
    ),
    "an identifier of another result": (
        "respiration-entered",
        lambda b: observation(b)["identifier"][0].update(value="another.1.respiration-rate"),
        "the identifier is not",
    ),
    "a request that creates it every time": (
        "respiration-entered",
        lambda b: drop(b["entry"][1]["request"], "ifNoneExist"),
        "not the one that files this identifier exactly once",
    ),
    "a reference to nothing": (
        "oximetry",
        lambda b: observation(b)["device"].update(
            reference="urn:uuid:" + "0" * 8 + "-0000" * 3 + "-" + "0" * 12
        ),
        "a reference to nothing",
    ),
    "a patient of the hub's own": (
        "oximetry",
        lambda b: b["entry"][0].update(resource={"resourceType": "Patient", "id": "p-17"}),
        "Invalid value - at `$.entry[0].resource.resourceType`",
    ),
    "two patients": (
        "oximetry",
        lambda b: observation(b)["subject"].update(reference="Patient/p-18"),
        "more than one patient",
    ),
    "no provenance": ("oximetry", lambda b: b["entry"].pop(), "no Provenance"),
    "withdrawn without a correction": (
        "respiration-entered",
        lambda b: observation(b).update(status="entered-in-error"),
        "only a correction",
    ),
    "no hash of its content": (
        "oximetry",
        lambda b: b["meta"]["tag"].pop(),
        "content-sha256 is missing",
    ),
    "a hash that is none": (
        "oximetry",
        lambda b: tag(b, "content-sha256").update(code="0x12"),
        "not a SHA-256",
    ),
    "a schema to come": ("oximetry", lambda b: tag(b, "schema").update(code="2"), "schema 1"),
    "a space that is none": (
        "oximetry",
        lambda b: tag(b, "space").update(code="staging"),
        "tag space",
    ),
    "an endless sequence": ("oximetry", lambda b: tag(b, "seq").update(code="9" * 30), "tag seq"),
    "a batch": ("oximetry", lambda b: b.update(type="batch"), "Invalid enum value - at `$.type`"),
    "nothing in it": (
        "oximetry",
        lambda b: b.update(entry=[]),
        "`array` of length >= 1 - at `$.entry`",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_single_fault_is_refused_for_its_own_reason(fault):
    name, make, said = FAULTS[fault]
    bundle = golden(name)
    make(bundle)
    refusal = judged(bundle)
    assert isinstance(refusal, Refusal)
    assert any(said in issue.diagnostics for issue in refusal.issues), refusal.issues


def test_a_kind_that_is_not_the_topics_is_refused():
    assert "not the kind of the topic" in judged(golden("oximetry"), kind="weight").reason


def test_a_patient_nobody_registered_is_refused_without_a_name():
    refusal = judged(golden("oximetry"), register=Register())
    assert refusal.reason == "the patient is not in the register"


def test_a_demonstration_is_refused_where_patients_are():
    refusal = judged(golden("oximetry-sensor-off-no-serial"), accept_demo=False)
    assert "production results only" in refusal.reason


def test_a_refusal_names_the_result_it_is_about():
    bundle = golden("oximetry")
    drop(observation(bundle), "code")
    assert judged(bundle).result_id == bundle["identifier"]["value"]


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "Ω"])
def test_a_result_id_that_is_no_name_is_not_repeated(name):
    bundle = golden("oximetry")
    bundle["identifier"]["value"] = name
    refusal = judged(bundle)
    assert isinstance(refusal, Refusal)
    assert refusal.result_id is None


@given(st.binary(max_size=64))
def test_any_bytes_are_refused(payload):
    refusal = check(payload, "oximetry", REGISTER, accept_demo=True)
    assert refusal.result_id is None


def test_a_bundle_over_the_size_of_a_result_is_refused():
    bundle = golden("oximetry")
    observation(bundle)["note"] = [{"text": "x" * (1 << 20)}]
    assert isinstance(judged(bundle), Refusal)


def paths(node, here=()):
    yield here
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children:
        if isinstance(child, dict | list):
            yield from paths(child, (*here, key))
        else:
            yield (*here, key)


def put(bundle, path, value):
    node = bundle
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(st.data(), st.sampled_from(NAMES), json_values)
def test_a_bundle_damaged_anywhere_is_judged(data, name, value):
    bundle = golden(name)
    kind = kind_of(bundle)
    put(bundle, data.draw(st.sampled_from(list(paths(bundle))[1:])), value)
    assert isinstance(judged(bundle, kind=kind), Contents | Refusal)
