"""ECG studies as Bundles: as they were reviewed, read back equal, refused for a single fault."""

import base64
import hashlib
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from drivers.model import (
    STANDARD_LEADS,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Reading,
    Unit,
)
from edge.analysis_wire import LeadVerdict, StudyReply
from edge.fhir.actors import HubIdentity
from edge.fhir.bundle import encode
from edge.fhir.codes import LEADS
from edge.fhir.ecg import LARGE_BYTES, step_uv
from edge.fhir.read import Contents, read
from edge.fhir.read_ecg import file_of, waveform_of
from edge.observation import (
    AssociatedMeasurement,
    Association,
    Correction,
    Method,
    Moment,
    Origin,
    Provenance,
    Space,
    StudyPart,
    Subject,
    Timing,
    study_id,
    study_result_id,
)
from edge.record.register import Register
from edge.record.validate import Refusal, check
from edge.samples import canonical_sha256
from edge.study import Content

GOLDEN = Path(__file__).parent / "golden_ecg_bundles"
AT_NS = 1_795_440_187_123_456_789
HUB = HubIdentity("north", "room-3", "vitals-edge 0.1.0", "5d0c6f0e-run")
REGISTER = msgspec.convert(
    {"patient": [{"reference": "Patient/p-17", "name": "N", "birth_date": "1961-02-28"}]}, Register
)
FILE = b"SCP-ECG record, as the cart wrote it"
WAVES = np.array([[0.0, 2.5, 5.0, -2.5], [0.0, np.nan, 10.0, 2.5], [7.5, 5.0, 2.5, 0.0]])
STATEMENTS = ("Sinus rhythm", "Left axis deviation")


def content(leads=("I", "II", "V1"), fs=500.0, waves=WAVES, file=FILE):
    said = StudyReply(
        stored=leads,
        fs=fs,
        acquired="2026-11-23T14:02:50",
        patient=("0017-4", "Okonkwo", "1961-02-28", "female"),
        device=("ELI250", "E-17", None),
        order=None,
        filters=(),
        measurements=(),
        statements=STATEMENTS,
        samples_sha256=canonical_sha256(leads, fs, waves),
        ours=(),
        reasons=(),
        beats=0,
        leads=tuple((lead, LeadVerdict(usable=True, flaws=())) for lead in leads),
        derived=(),
        shapes=(waves.shape,),
    )
    return Content(said, waves, file)


def part(kind, *readings, origin=Origin.MEASURED, of=None, **changes):
    of = of or content()
    said = of.said
    moment = Moment(AT_NS, 5, trusted=True, era="boot")
    study = StudyPart(
        study=study_id(said.samples_sha256, said.acquired),
        samples_sha256=said.samples_sha256,
        acquired=said.acquired,
        original_sha256=hashlib.sha256(of.original).hexdigest(),
        content_sha256="cd" * 32,
    )
    evidence = (("qtc_formula", "Bazett"),) if kind is Kind.ECG12 else ()
    made = AssociatedMeasurement(
        result_id=study_result_id(study, kind, origin),
        space=Space.PRODUCTION,
        measurement=Measurement(
            kind, readings, Instant(AT_NS, 5, trusted=True), b"raw", evidence=evidence
        ),
        origin=origin,
        subject=Subject("Patient/p-17", ("Okonkwo", "1961-02-28")),
        association=Association("a1", "key", Method.SCAN, "Practitioner/5", True, moment),
        timing=Timing(AT_NS - 17 * 10**9, True, 12.0, said.acquired, None, 1.0),
        device=InstrumentId("ecg-folder", "ELI250", "E-17"),
        provenance=Provenance("room-3", HUB.software, study.original_sha256, "Practitioner/5", ""),
        study=study,
    )
    return replace(made, **changes)


VALUES = (
    Reading(Metric.HEART_RATE, 71.0, Unit.PER_MIN),
    Reading(Metric.RR_INTERVAL, 845.0, Unit.MILLISECOND),
    Reading(Metric.P_DURATION, 102.0, Unit.MILLISECOND),
    Reading(Metric.PR_INTERVAL, 148.0, Unit.MILLISECOND),
    Reading(Metric.QRS_DURATION, 120.0, Unit.MILLISECOND),
    Reading(Metric.QT_INTERVAL, 420.0, Unit.MILLISECOND),
    Reading(Metric.QTC_BAZETT, 456.9, Unit.MILLISECOND),
    Reading(Metric.P_AXIS, 44.0, Unit.DEGREE),
    Reading(Metric.QRS_AXIS, -61.0, Unit.DEGREE),
    Reading(Metric.T_AXIS, 86.0, Unit.DEGREE),
)
MEASURED = part(Kind.ECG12, *VALUES)
CASES = {
    "ecg12": MEASURED,
    "ecg12-derived": part(
        Kind.ECG12,
        Reading(Metric.HEART_RATE, 71.3, Unit.PER_MIN),
        Reading(Metric.P_DURATION, 104.0, Unit.MILLISECOND),
        Reading(Metric.QTC_FRIDERICIA, 440.2, Unit.MILLISECOND),
        origin=Origin.DERIVED,
        provenance=Provenance("room-3", HUB.software, "ab" * 32, None, "median beat of all leads"),
    ),
    "ecg12-statements-alone": part(Kind.ECG12),
    "ecg12-waveform": part(Kind.ECG12_WAVEFORM),
    "ecg12-original": part(Kind.ECG12_ORIGINAL),
    "ecg12-original-no-serial": part(
        Kind.ECG12_ORIGINAL, device=InstrumentId("ecg-folder"), space=Space.DEMO
    ),
    "ecg12-correction": replace(
        MEASURED, result_id="j.57", corrects=Correction(MEASURED.result_id, "wrong patient")
    ),
    "ecg12-original-correction": part(
        Kind.ECG12_ORIGINAL, result_id="j.58", corrects=Correction("ab" * 32, "wrong patient")
    ),
}
NAMES = sorted(CASES)


def bundle_of(name):
    return json.loads(encode(CASES[name], hub=HUB, sequence=42, content=content()))


def judged(bundle):
    kind = next(t["code"] for t in bundle["meta"]["tag"] if t["system"].endswith("/kind"))
    return check(json.dumps(bundle).encode(), kind, REGISTER, accept_demo=True)


def resource(bundle, kind="Observation", number=0):
    every = [entry["resource"] for entry in bundle["entry"]]
    return [each for each in every if each["resourceType"] == kind][number]


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_is_as_it_was_reviewed(name):
    text = json.dumps(bundle_of(name), indent=1, ensure_ascii=False) + "\n"
    assert text == (GOLDEN / f"{name}.json").read_text("utf-8")


def test_every_reviewed_bundle_belongs_to_a_case():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_hub_writes_is_accepted_and_names_nobody(name):
    assert isinstance(judged(bundle_of(name)), Contents)
    assert "Okonkwo" not in json.dumps(bundle_of(name))


def test_values_and_statements_read_back_as_the_cart_gave_them():
    said = read(encode(MEASURED, hub=HUB, sequence=42, content=content()))
    assert {(v.metric, v.value, v.unit) for v in said.values} == {
        (each.metric.value, each.value, each.unit.value) for each in VALUES
    }
    assert said.statements == STATEMENTS
    assert said.study == MEASURED.study.study


def test_the_parts_of_a_study_have_ids_of_their_own_whatever_the_hub():
    parts = [part(Kind.ECG12), part(Kind.ECG12, origin=Origin.DERIVED)]
    parts += [part(Kind.ECG12_WAVEFORM), part(Kind.ECG12_ORIGINAL)]
    assert len({each.result_id for each in parts}) == 4
    assert {each.study.study for each in parts} == {MEASURED.study.study}


def test_a_waveform_too_large_for_numbers_goes_as_the_carts_file():
    large = content(waves=np.tile(WAVES, 100_000))
    of = part(Kind.ECG12_WAVEFORM, of=large)
    payload = encode(of, hub=HUB, sequence=42, content=large)
    assert file_of(payload) == FILE
    assert len(payload) < LARGE_BYTES
    assert isinstance(judged(json.loads(payload)), Contents)


def test_a_part_of_a_study_is_not_written_without_the_study():
    with pytest.raises(ValueError, match="without the study's content"):
        encode(MEASURED, hub=HUB, sequence=42)


some_steps = st.sampled_from([1.0, 2.5, 4.88, 5.0, 0.305, 1 / 3, 0.0001])
some_leads = st.lists(
    st.sampled_from([*STANDARD_LEADS, "V3R", "X", "lead 85"]), min_size=1, max_size=5, unique=True
)


@st.composite
def waves(draw):
    leads = tuple(draw(some_leads))
    n = draw(st.integers(1, 20))
    steps = draw(
        st.lists(st.integers(-32768, 32767), min_size=len(leads) * n, max_size=len(leads) * n)
    )
    array = np.array(steps, dtype=float).reshape(len(leads), n) * draw(some_steps)
    for lead, at in draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 19)), max_size=3)):
        array[lead % len(leads), at % n] = np.nan
    return content(leads, draw(st.sampled_from([500.0, 1e6 / 1667, 1000.0, 257.3])), array)


@settings(max_examples=60)
@given(waves())
def test_any_waveform_reads_back_with_its_leads_rate_gaps_and_samples(of):
    payload = encode(part(Kind.ECG12_WAVEFORM, of=of), hub=HUB, sequence=42, content=of)
    back = waveform_of(payload)
    assert back.leads == of.said.stored
    assert back.fs == pytest.approx(of.said.fs, rel=1e-12)
    assert np.array_equal(np.isnan(back.microvolts), np.isnan(of.microvolts))
    assert np.allclose(back.microvolts, of.microvolts, rtol=0, atol=1e-6, equal_nan=True)
    assert canonical_sha256(back.leads, back.fs, back.microvolts) == of.said.samples_sha256
    assert isinstance(judged(json.loads(payload)), Contents)


@given(st.integers(1, 65535), st.lists(st.integers(-1000, 1000), min_size=1, max_size=30))
def test_the_step_divides_every_sample_and_no_larger_one_does(step_nv, steps):
    found = step_uv(np.array([steps]) * step_nv / 1000)
    nanovolts = {abs(each) * step_nv for each in steps} - {0}
    common = int(np.gcd.reduce([*nanovolts])) if nanovolts else 1000
    assert found == common / 1000


def test_every_lead_has_the_number_of_its_potential():
    assert {name: term.number for name, term in LEADS.items()} == {
        "I": 131329,
        "II": 131330,
        "V1": 131331,
        "V2": 131332,
        "V3": 131333,
        "V4": 131334,
        "V5": 131335,
        "V6": 131336,
        "III": 131389,
        "aVR": 131390,
        "aVL": 131391,
        "aVF": 131392,
    }


def of_lead(bundle, number=0):
    return resource(bundle)["component"][number]


def drop(node, key):
    del node[key]


def other_file(bundle):
    data = base64.b64encode(b"another file, of the same size ....").decode()
    resource(bundle, "Binary").update(data=data)


FAULTS = {
    "no study": (
        "ecg12",
        lambda b: b["meta"]["tag"].remove(
            next(t for t in b["meta"]["tag"] if t["system"].endswith("study-id"))
        ),
        "not the study of the tag",
    ),
    "another study": (
        "ecg12-waveform",
        lambda b: resource(b)["identifier"][1].update(value="other"),
        "not the study of the tag",
    ),
    "a vital sign": (
        "ecg12",
        lambda b: resource(b)["category"][0]["coding"][0].update(code="vital-signs"),
        "no category procedure",
    ),
    "no panel": (
        "ecg12",
        lambda b: drop(resource(b)["code"], "coding"),
        "components without the code of the ECG panel",
    ),
    "seconds": (
        "ecg12",
        lambda b: of_lead(b, 3)["valueQuantity"].update(code="s"),
        "pr-interval: the unit is not ms",
    ),
    "another interval's name": (
        "ecg12",
        lambda b: of_lead(b, 3)["code"]["coding"][1].update(display="MDC_ECG_TIME_PD_PQ_GL"),
        "an MDC number and name that disagree",
    ),
    "no words": (
        "ecg12-statements-alone",
        lambda b: drop(resource(b)["code"], "coding"),
        "neither measurements nor an impression in words",
    ),
    "a lead twice": (
        "ecg12-waveform",
        lambda b: of_lead(b, 1).update(code=of_lead(b, 0)["code"]),
        "a lead twice",
    ),
    "a lead that is none": (
        "ecg12-waveform",
        lambda b: of_lead(b)["code"]["coding"][0].update(code="131999"),
        "a component that is no lead",
    ),
    "a lead by another's name": (
        "ecg12-waveform",
        lambda b: of_lead(b)["code"]["coding"][0].update(display="MDC_ECG_ELEC_POTL_II"),
        "a component that is no lead",
    ),
    "a short lead": (
        "ecg12-waveform",
        lambda b: of_lead(b)["valueSampledData"].update(data="0 1 2"),
        "leads that differ in rate, step or length",
    ),
    "another rate": (
        "ecg12-waveform",
        lambda b: of_lead(b)["valueSampledData"].update(period=4),
        "leads that differ in rate, step or length",
    ),
    "millivolts": (
        "ecg12-waveform",
        lambda b: of_lead(b)["valueSampledData"]["origin"].update(code="mV"),
        "samples that do not begin at 0 uV",
    ),
    "samples that are words": (
        "ecg12-waveform",
        lambda b: of_lead(b)["valueSampledData"].update(data="hello world"),
        "matching regex",
    ),
    "no samples": (
        "ecg12-waveform",
        lambda b: of_lead(b).update(
            valueString=of_lead(b).pop("valueSampledData") and "a fine wave"
        ),
        "a lead without samples",
    ),
    "another file": ("ecg12-original", other_file, "not of the size or the hash"),
    "no file": (
        "ecg12-original",
        lambda b: drop(resource(b, "DocumentReference")["content"][0]["attachment"], "url"),
        "a document without its file",
    ),
    "a file that is none": (
        "ecg12-original",
        lambda b: resource(b, "Binary").update(data="AAAAA"),
        "a file that is not base64",
    ),
    "another document": (
        "ecg12-original",
        lambda b: resource(b, "DocumentReference")["type"]["coding"][0].update(code="11502-2"),
        "not the type of an ECG study",
    ),
    "two patients": (
        "ecg12",
        lambda b: resource(b, number=1)["subject"].update(reference="Patient/p-18"),
        "readings of more than one patient",
    ),
    "the file of another kind": (
        "ecg12-original",
        lambda b: next(t for t in b["meta"]["tag"] if t["system"].endswith("/kind")).update(
            code="ecg12"
        ),
        "a document in the measurements of an ECG",
    ),
    "a withdrawal that is current": (
        "ecg12-original-correction",
        lambda b: resource(b, "DocumentReference").update(status="current"),
        "only a correction is entered-in-error, and always",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_single_fault_is_refused_for_its_own_reason(fault):
    name, make, said = FAULTS[fault]
    bundle = bundle_of(name)
    make(bundle)
    refusal = judged(bundle)
    assert isinstance(refusal, Refusal)
    assert any(said in issue.diagnostics for issue in refusal.issues), refusal.issues
