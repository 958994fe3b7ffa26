import json
import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from drivers.model import (
    Flag,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Unit,
)
from edge.contract.wire import MessageError
from edge.fhir.actors import HubIdentity
from edge.fhir.bundle import encode
from edge.fhir.names import UCUM
from edge.fhir.read import BundleError, read
from edge.observation import (
    AssociatedMeasurement,
    Association,
    Correction,
    Method,
    Moment,
    Origin,
    Provenance,
    Space,
    Subject,
    Timing,
    content_sha256,
)
from edge.record.r4 import dangling, decode

GOLDEN = Path(__file__).parent / "golden_bundles"
NAME, BIRTH_DATE = "Okonkwo-Żółć, Adaeze", "1961-02-29"
AT_NS = 1_795_440_187_123_456_789  # 2026-11-23T14:03:07.123Z
HUB = HubIdentity("north", "room-3", "vitals-edge 0.1.0", "5d0c6f0e-run")
RR = Reading(Metric.RESPIRATION_RATE, 16.0, Unit.PER_MIN)


def result(kind, *readings, flags=(), device=None, **changes):
    moment = Moment(AT_NS, 5, trusted=True, era="boot")
    made = AssociatedMeasurement(
        result_id="7f3e2a10-0000-4000-8000-000000000001.42",
        space=Space.PRODUCTION,
        measurement=Measurement(
            kind, readings, Instant(AT_NS, 5, trusted=True), b"raw", flags=frozenset(flags)
        ),
        origin=Origin.MEASURED,
        subject=Subject("Patient/p-17", (NAME, BIRTH_DATE)),
        association=Association("a1", "key", Method.SCAN, "Practitioner/5", True, moment),
        timing=Timing(AT_NS, trusted=True, error_s=0.0),
        device=device or InstrumentId("nonin", "9560", "501234567", "1.07"),
        provenance=Provenance("room-3", HUB.software, "ab" * 32, "Practitioner/5", ""),
    )
    return replace(made, **changes)


CASES = {
    "blood-pressure": result(
        Kind.BLOOD_PRESSURE,
        Reading(Metric.SYSTOLIC, 121.0, Unit.MMHG),
        Reading(Metric.DIASTOLIC, 79.0, Unit.MMHG),
        Reading(Metric.MEAN_PRESSURE, 93.0, Unit.MMHG),
        Reading(Metric.PULSE_RATE, 71.0, Unit.PER_MIN),
        flags=[Flag.IRREGULAR_PULSE],
        device=InstrumentId("taidoc", "TD-3128", "00:1C:05:00:78:25", None),
        timing=Timing(AT_NS, True, 1.5, "2026-11-23T14:02:31", -36.5, 1.0),
    ),
    "blood-pressure-failed": result(
        Kind.BLOOD_PRESSURE,
        Reading(Metric.SYSTOLIC, None, Unit.MMHG, Status.FAILED),
        flags=[Flag.CUFF_LOOSE, Flag.LOW_BATTERY],
    ),
    "blood-pressure-kilopascal-untrusted-clock": result(
        Kind.BLOOD_PRESSURE,
        Reading(Metric.SYSTOLIC, 16.1, Unit.KPA),
        Reading(Metric.DIASTOLIC, None, Unit.KPA, Status.OVER_RANGE),
        timing=Timing(AT_NS, trusted=False, error_s=0.0),
    ),
    "oximetry": result(
        Kind.OXIMETRY,
        Reading(Metric.SPO2, 97.0, Unit.PERCENT),
        Reading(Metric.PULSE_RATE, 72.0, Unit.PER_MIN),
        Reading(Metric.PERFUSION_INDEX, 4.5, Unit.PERCENT),
    ),
    "oximetry-sensor-off-no-serial": result(
        Kind.OXIMETRY,
        Reading(Metric.SPO2, None, Unit.PERCENT, Status.SENSOR_OFF),
        Reading(Metric.PULSE_RATE, None, Unit.PER_MIN, Status.NOT_A_NUMBER),
        device=InstrumentId("ivy-450c"),
        space=Space.DEMO,
    ),
    "temperature-fahrenheit": result(
        Kind.TEMPERATURE, Reading(Metric.BODY_TEMPERATURE, 98.6, Unit.FAHRENHEIT)
    ),
    "respiration-entered": result(
        Kind.RESPIRATION,
        RR,
        origin=Origin.ENTERED,
        provenance=Provenance("room-3", HUB.software, "ab" * 32, "Practitioner/5", "counted"),
    ),
    "heart-rate": result(Kind.HEART_RATE, Reading(Metric.HEART_RATE, 68.0, Unit.PER_MIN)),
    "heart-rate-derived": result(
        Kind.HEART_RATE,
        Reading(Metric.HEART_RATE, 68.2, Unit.PER_MIN),
        origin=Origin.DERIVED,
        device=InstrumentId("ivy-450c"),
        provenance=Provenance("room-3", HUB.software, "ab" * 32, None, "R peaks of lead II, 10 s"),
    ),
    "weight-pounds": result(
        Kind.WEIGHT,
        Reading(Metric.WEIGHT, 154.3, Unit.POUND),
        Reading(Metric.BMI, 22.9, Unit.KG_PER_M2),
    ),
    "height": result(Kind.HEIGHT, Reading(Metric.HEIGHT, 1.75, Unit.METRE)),
    "correction": result(
        Kind.RESPIRATION,
        RR,
        result_id="7f3e2a10-0000-4000-8000-000000000001.57",
        corrects=Correction("7f3e2a10-0000-4000-8000-000000000001.42", "wrong patient"),
    ),
}


def bundle_of(case, sequence=42):
    return json.loads(encode(case, hub=HUB, sequence=sequence))


def resources(bundle, kind="Observation"):
    every = [entry["resource"] for entry in bundle["entry"]]
    return [resource for resource in every if resource["resourceType"] == kind]


def of_patient(bundle):
    return [r for r in resources(bundle) if r["subject"]["reference"].startswith("Patient/")]


def codes(concept):
    return [coding["code"] for coding in concept["coding"]]


@pytest.mark.parametrize("name", CASES)
def test_a_bundle_is_as_it_was_reviewed(name):
    text = json.dumps(bundle_of(CASES[name]), indent=1, ensure_ascii=False) + "\n"
    assert text == (GOLDEN / f"{name}.json").read_text("utf-8")


def test_every_reviewed_bundle_belongs_to_a_case():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)


@st.composite
def readings(draw):
    metrics = draw(st.lists(st.sampled_from(Metric), min_size=1, unique=True))
    finite = st.floats(allow_nan=False, allow_infinity=False)
    made = []
    for metric in metrics:
        status = draw(st.sampled_from(Status))
        value = draw(finite) if status is Status.OK else None
        made.append(Reading(metric, value, draw(st.sampled_from(Unit)), status))
    return tuple(made)


few = settings(max_examples=25)
some_text = st.none() | st.text(max_size=12)
some_ns = st.integers(0, 4_000_000_000_000_000_000)
some_float = st.floats() | st.floats(0, 1e6)
some_timing = st.builds(
    Timing,
    wall_ns=some_ns,
    trusted=st.booleans(),
    error_s=some_float,
    device_local=st.none() | st.datetimes().map(datetime.isoformat),
    device_offset_s=st.none() | some_float,
    device_resolution_s=st.none() | some_float,
)


@st.composite
def results(draw):
    base = CASES["oximetry"]
    at = Instant(draw(some_ns), 1, draw(st.booleans()))
    flags = frozenset(draw(st.lists(st.sampled_from(Flag))))
    return replace(
        base,
        space=draw(st.sampled_from(Space)),
        measurement=Measurement(
            draw(st.sampled_from(Kind)), draw(readings()), at, draw(st.binary()), flags=flags
        ),
        origin=draw(st.sampled_from(Origin)),
        timing=draw(some_timing),
        device=InstrumentId("nonin", draw(some_text), draw(some_text), draw(some_text)),
        provenance=Provenance(
            "room-3", "vitals-edge", "0" * 64, draw(some_text), draw(st.text(max_size=12))
        ),
        association=replace(base.association, person=draw(st.text(max_size=12))),
        corrects=draw(st.none() | st.builds(Correction, st.just("earlier.1"), st.text())),
    )


@given(results())
def test_any_result_is_well_formed_r4(made):
    assert dangling(decode(encode(made, hub=HUB, sequence=1))) == []


@given(results())
def test_every_reading_comes_back_as_it_was(made):
    contents = read(encode(made, hub=HUB, sequence=1))
    sent = {
        (r.metric.value, r.value, r.unit.value if r.status is Status.OK else None, r.status.value)
        for r in made.measurement.readings
    }
    assert {(v.metric, v.value, v.unit, v.status) for v in contents.values} == sent
    assert len(contents.values) == len(sent)


@few
@given(results(), st.integers(0, 10**9))
def test_what_names_a_result_comes_back_with_it(made, sequence):
    contents = read(encode(made, hub=HUB, sequence=sequence))
    assert (contents.result_id, contents.content_sha256) == (made.result_id, content_sha256(made))
    assert (contents.sequence, contents.run) == (sequence, HUB.run)
    assert (contents.space, contents.kind) == (made.space, made.measurement.kind)
    assert contents.corrects == (made.corrects.result_id if made.corrects else None)
    assert contents.subjects == {made.subject.reference}


@few
@given(results())
def test_the_same_result_is_the_same_bytes(made):
    assert encode(made, hub=HUB, sequence=1) == encode(made, hub=HUB, sequence=1)


@few
@given(results())
def test_a_bundle_names_no_patient_and_creates_none(made):
    payload = encode(made, hub=HUB, sequence=1)
    assert b"Okonkwo" not in payload
    assert BIRTH_DATE.encode() not in payload
    assert resources(json.loads(payload), "Patient") == []


@few
@given(results())
def test_every_time_has_a_zone_and_milliseconds(made):
    for observation in resources(json.loads(encode(made, hub=HUB, sequence=1))):
        assert re.fullmatch(r"\d{4}-..-..T..:..:..\.\d{3}Z", observation["effectiveDateTime"])


@few
@given(results())
def test_a_pressure_panel_has_no_value_of_its_own_and_always_both_pressures(made):
    panels = [
        o for o in of_patient(json.loads(encode(made, hub=HUB, sequence=1))) if "component" in o
    ]
    for panel in panels:
        assert not any(name.startswith("value") for name in panel)
        loincs = {codes(component["code"])[0] for component in panel["component"]}
        assert loincs >= {"8480-6", "8462-4"}


@few
@given(results())
def test_only_what_an_instrument_measured_carries_an_instruments_code_or_category(made):
    for observation in of_patient(json.loads(encode(made, hub=HUB, sequence=1))):
        if made.origin is Origin.MEASURED:
            assert "method" not in observation
            continue
        exact = {"150456", "150448", "149530", "149546", "147842", "151562", "150364", "150020"}
        assert not exact & set(codes(observation["code"]))
        assert [codes(category) for category in observation["category"]] == [["vital-signs"]]
        assert codes(observation["method"]) == [made.origin.value]


def test_all_units_are_ucum_and_a_rate_is_per_minute():
    quantities = [o["valueQuantity"] for o in of_patient(bundle_of(CASES["oximetry"]))]
    assert [(q["system"], q["code"]) for q in quantities] == [
        (UCUM, "%"),
        (UCUM, "/min"),
        (UCUM, "%"),
    ]


def test_a_converted_value_keeps_what_the_instrument_sent():
    (observation,) = of_patient(bundle_of(CASES["temperature-fahrenheit"]))
    quantity = observation["valueQuantity"]
    (original,) = quantity["extension"]
    assert (quantity["value"], quantity["code"]) == (37, "Cel")
    assert (original["valueQuantity"]["value"], original["valueQuantity"]["code"]) == (
        98.6,
        "[degF]",
    )


def test_an_identifier_is_the_result_and_the_entry_never_the_full_url():
    bundle = bundle_of(CASES["oximetry"])
    named = {
        entry["resource"]["identifier"][0]["value"]: entry["request"]["ifNoneExist"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    }
    result_id = CASES["oximetry"].result_id
    assert set(named) == {f"{result_id}.{m}" for m in ("spo2", "pulse-rate", "perfusion-index")}
    assert all(search.endswith(f"/result-id|{value}") for value, search in named.items())


def test_two_results_share_no_full_url():
    one = bundle_of(CASES["oximetry"])
    other = bundle_of(replace(CASES["oximetry"], result_id="another.1"))
    urls = [{entry["fullUrl"] for entry in bundle["entry"]} for bundle in (one, other)]
    assert urls[0] & urls[1] == set()


def test_a_serial_number_cannot_break_out_of_a_search():
    odd = result(Kind.RESPIRATION, RR, device=InstrumentId("nonin", None, "7|8,9&_id=1"))
    searches = [entry["request"].get("ifNoneExist", "") for entry in bundle_of(odd)["entry"]]
    assert (
        "identifier=https://vitals-edge.example/fhir/device|nonin.7%5C%7C8%5C%2C9%26_id%3D1"
        in searches
    )


@pytest.mark.parametrize(
    ("serial", "system", "value"),
    [
        ("00:1c:05:00:78:25", "http://hl7.org/fhir/sid/eui-48/bluetooth", "00-1C-05-00-78-25"),
        (
            "00-1c-05-ff-fe-00-78-25",
            "urn:oid:1.2.840.10004.1.1.1.0.0.1.0.0.1.2680",
            "00-1C-05-FF-FE-00-78-25",
        ),
        ("0011223344556677", "https://vitals-edge.example/fhir/device", "nonin.0011223344556677"),
    ],
)
def test_an_instrument_is_known_by_its_worldwide_address_or_by_its_serial_number(
    serial, system, value
):
    made = bundle_of(result(Kind.RESPIRATION, RR, device=InstrumentId("nonin", None, serial)))
    identifiers = [device["identifier"][0] for device in resources(made, "Device")]
    assert {"system": system, "value": value} in identifiers


def test_an_instrument_without_a_serial_number_is_not_filed_as_one_that_can_be_found_again():
    made = bundle_of(CASES["oximetry-sensor-off-no-serial"])
    assert [device["identifier"][0]["value"] for device in resources(made, "Device")] == [
        "north.room-3"
    ]
    assert {o["device"]["reference"] for o in of_patient(made)} == {"#instrument"}


def test_a_device_time_is_kept_as_it_came_with_what_its_clock_said_then():
    made = bundle_of(CASES["blood-pressure"])
    (clock,) = [o for o in resources(made) if o not in of_patient(made)]
    assert codes(clock["code"]) == ["67975"]
    assert (clock["effectiveDateTime"], clock["valueDateTime"]) == (
        "2026-11-23T13:23:07.123Z",
        "2026-11-23T13:22:30.623Z",
    )
    assert clock["component"][0]["valueString"] == "2026-11-23T14:02:31"


def test_a_clock_that_was_never_compared_has_an_unknown_time():
    timing = Timing(AT_NS, False, 0.0, "2001-01-01T00:00:00", None, 1.0)
    made = bundle_of(result(Kind.RESPIRATION, RR, timing=timing))
    (clock,) = [o for o in resources(made) if o not in of_patient(made)]
    assert codes(clock["dataAbsentReason"]) == ["unknown"]


def test_an_uncertain_time_says_so_to_machines_and_to_people():
    made = bundle_of(result(Kind.RESPIRATION, RR, timing=Timing(AT_NS, False, 90.0)))
    (observation,) = of_patient(made)
    errors = [e["valueQuantity"]["value"] for e in observation["extension"] if "valueQuantity" in e]
    assert errors == [90]
    assert "uncertain by up to 90 s" in observation["note"][0]["text"]
    assert read(encode(CASES["oximetry"], hub=HUB, sequence=1)).clock == "synced"
    assert {"unsynced"} <= {tag["code"] for tag in made["meta"]["tag"]}


def test_a_value_of_a_demonstration_is_labelled_as_a_test():
    made = bundle_of(CASES["oximetry-sensor-off-no-serial"])
    assert {label["code"] for o in of_patient(made) for label in o["meta"]["security"]} == {"HTEST"}


def test_a_correction_replaces_what_the_result_it_names_created():
    made = bundle_of(CASES["correction"])
    corrected, own = CASES["correction"].corrects.result_id, CASES["correction"].result_id
    (put,) = [entry for entry in made["entry"] if entry["request"]["method"] == "PUT"]
    assert put["request"]["url"].endswith(f"/result-id|{corrected}.respiration-rate")
    assert put["resource"]["identifier"][0]["value"] == f"{corrected}.respiration-rate"
    assert put["resource"]["status"] == "entered-in-error"
    assert made["identifier"]["value"] == own


def test_the_provenance_stands_behind_every_value():
    made = bundle_of(CASES["blood-pressure"])
    (provenance,) = resources(made, "Provenance")
    targets = {target["reference"] for target in provenance["target"]}
    values = [entry for entry in made["entry"] if entry["resource"] in of_patient(made)]
    assert targets == {entry["fullUrl"] for entry in values}
    assert provenance["entity"][0]["what"]["identifier"]["value"] == "ab" * 32


@given(st.binary())
def test_any_bytes_are_read_or_refused_as_no_bundle(payload):
    with pytest.raises(BundleError):
        read(payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(node, here=()):
    yield here
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children if isinstance(node, dict | list) else ():
        yield from paths(child, (*here, key)) if isinstance(child, dict | list) else [(*here, key)]


def damaged(bundle, path, value):
    if not path:
        return value
    node = bundle
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return bundle


@given(st.data(), st.sampled_from(sorted(CASES)), json_values)
def test_a_bundle_damaged_anywhere_is_read_or_refused_and_checked_without_raising(
    data, name, value
):
    bundle = bundle_of(CASES[name])
    path = data.draw(st.sampled_from(list(paths(bundle))))
    broken = json.dumps(damaged(bundle, path, value)).encode()
    with suppress(BundleError):
        read(broken)
    with suppress(MessageError):
        dangling(decode(broken))
