"""SCP-ECG, written: what is read back, what the bytes are, and what the format cannot say."""

import runpy
import struct
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from drivers.errors import NotRepresentable
from drivers.formats import read_ecg
from drivers.formats.scp import encode
from drivers.model import CartPatient, EcgRecording, InstrumentId

scp = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("scp_oracle.py"))))


def recording(microvolts, leads=None, fs=500.0, **more):
    rows = np.atleast_2d(np.array(microvolts, dtype=np.float64))
    leads = leads or tuple(f"V{n}" for n in range(1, len(rows) + 1))
    return EcgRecording(leads, fs, rows, more.pop("acquired", None), "00", **more)


def section(data, number):
    _, length, index = struct.unpack_from("<HII", data, 22 + 10 * number)
    return data[index - 1 + 16 : index - 1 + length]


def sent(data, lead_bytes):
    """The bits of the first lead, as text."""
    body = section(data, 6)
    return "".join(f"{byte:08b}" for byte in body[8 : 8 + lead_bytes])


def test_the_bytes_are_those_of_the_layout():
    data = encode(recording([[0, 5, -5, 1000, 1000]]))
    chunk = scp.coded([0, 1, -3, 203, -201], [scp.DEFAULT_CODES])
    chunk += b"\0" * (len(chunk) % 2)
    bodies = {
        1: section(data, 1),
        2: struct.pack("<H", 19999),
        3: scp.leads([(3, 1, 5)]),
        6: scp.samples(5000, 2000, 2, [chunk]),
    }
    assert data == scp.record(bodies)


def test_every_word_that_scp_has_a_place_for_comes_back():
    original = recording(
        [[1.0, 2.0]],
        acquired=datetime.fromisoformat("2026-11-23T10:30:15+01:00"),
        device=InstrumentId("muse", "Cardio Works 12 Mk.II", "SN 1", "2.0"),
        patient=CartPatient("P-1", "Żółć, Łukasz", "1960-02-29", "male"),
        filters=("high-pass 0.05 Hz", "low-pass 150 Hz", "notch 60 Hz", "baseline filter"),
        measurements=(
            *(("rr_ms", "800"), ("pp_ms", "801"), ("p_ms", "100"), ("pr_ms", "150")),
            *(("qrs_ms", "90"), ("qt_ms", "370"), ("p_axis", "45"), ("qrs_axis", "-30")),
            *(("t_axis", "60"), ("pacer_spikes", "2"), ("pacer_spike_times_ms", "120 870")),
            *(("pacer_spike_amplitudes_uv", "-900 700"), ("heart_rate", "75")),
            *(("atrial_rate", "76"), ("qtc_ms", "421"), ("qtc_formula", "Hodges")),
            ("statement_status", "overread"),
        ),
        statements=("Rytm zatokowy", "zażółć"),
    )
    got = read_ecg(encode(original))
    for name in ("acquired", "patient", "filters", "measurements", "statements"):
        assert getattr(got, name) == getattr(original, name)
    assert got.device == replace(original.device, driver="scp")


@pytest.mark.parametrize("model", ["AT-2", "Mortara ELI250", "Cardiograph", "Maker Cardiograph 7"])
def test_a_model_comes_back_however_long_its_words_are(model):
    got = read_ecg(encode(recording([[1.0]], device=InstrumentId("x", model))))
    assert got.device.model == model


@pytest.mark.parametrize(
    "said",
    [
        {"qrs_ms": "90", "qt_ms": "370"},
        {"pr_ms": "150", "t_axis": "10"},
        {"p_ms": "100", "pr_ms": "150", "qrs_ms": "90"},
        {"heart_rate": "60"},
    ],
)
def test_measurements_that_were_not_made_stay_unmade(said):
    got = dict(read_ecg(encode(recording([[1.0]], measurements=tuple(said.items())))).measurements)
    assert got.pop("pacer_spikes") == "0"
    assert got == said


def test_a_p_wave_without_a_pr_interval_invents_none():
    said = (("p_ms", "100"), ("qrs_ms", "90"))
    got = dict(read_ecg(encode(recording([[1.0]], measurements=said))).measurements)
    assert set(got) == {"qrs_ms", "pacer_spikes"}


def test_derived_leads_are_left_to_be_derived_again():
    whole = recording([[10.0, 20.0], [30.0, 10.0]], leads=("I", "II")).standard_leads()
    got = read_ecg(encode(whole))
    assert got.leads == ("I", "II")
    np.testing.assert_array_equal(got.standard_leads().microvolts, whole.microvolts)


def test_gaps_before_and_after_a_lead_come_back():
    gap = np.nan
    rows = [[1, 2, gap, gap], [gap, gap, 3, 4], [gap, 5, 6, gap]]
    np.testing.assert_array_equal(read_ecg(encode(recording(rows))).microvolts, rows)


@pytest.mark.parametrize(
    ("microvolts", "step_nv"),
    [
        ([0, 2.5, -7.5], 2500),
        ([0, 4.88, -9.76], 4880),
        ([0, 1.25, 5], 1250),
        ([0, 0, 0], 1000),
        ([0, 100_000], 62_500),
        ([70_000, 1], 2137),  # 1 µV steps would need 17 bits
        ([0, 1 / 3, 1], 1),
    ],
)
def test_the_step_is_the_coarsest_that_loses_nothing_and_fits(microvolts, step_nv):
    data = encode(recording([microvolts]))
    assert struct.unpack_from("<H", section(data, 6))[0] == step_nv
    error = np.abs(read_ecg(data).microvolts[0] - microvolts).max()
    assert error <= step_nv / 2000


def test_a_step_that_is_asked_for_is_the_step():
    got = read_ecg(encode(recording([[0, 7, 13]]), step_nv=5000))
    assert got.microvolts.tolist() == [[0, 5, 15]]


@pytest.mark.parametrize(
    ("wave", "differences"),
    [([0, 1, 2], 2), ([0, 30000, 0, 30000], 1), ([32767, -32767, 32767], 0)],
)
def test_differences_are_of_the_highest_kind_that_16_bits_hold(wave, differences):
    data = encode(recording([wave]), step_nv=1000)
    assert section(data, 6)[4] == differences
    assert read_ecg(data).microvolts.tolist() == [wave]


@pytest.mark.parametrize(("fs", "interval"), [(500.0, 2000), (600.0, 1667), (360.0, 2778)])
def test_a_rate_is_written_in_the_nearest_microsecond(fs, interval):
    data = encode(recording([[1.0, 2.0]], fs=fs))
    assert read_ecg(data).fs == 1e6 / interval


NOISE = np.random.default_rng(1).integers(-30000, 30000, 40000).astype(float)
CANNOT = [
    (recording([[1, np.nan, 2]]), "lead V1 has a gap inside"),
    (recording([[np.nan, np.nan]]), "lead V1 has a gap inside, or nothing"),
    (recording([[1.0]], leads=("C1",)), "no code for lead C1"),
    (recording([[1.0]], leads=("lead-0",)), "no code for lead lead-0"),
    (recording([[1.0]], fs=16000.0), "no whole number of microseconds for 16000 Hz"),
    (recording([[1.0]], fs=10.0), "no whole number of microseconds for 10 Hz"),
    (recording([[1e10]]), "no step for 10000000 mV"),
    (recording([NOISE]), "too long"),
    (recording([[1.0]], statements=("Łukasz משה",)), "no character set"),
    (recording([[1.0]], statements=("x",) * 256), "256 statements"),
    (recording([[1.0]], statements=("x" * 70000,)), "a statement is too long"),
    (recording([[1.0]], derived=frozenset({"V1"})), "1 to 255 leads"),
]


@pytest.mark.parametrize(("original", "why"), CANNOT, ids=[why for _, why in CANNOT])
def test_what_scp_has_no_way_to_say_is_refused_by_name(original, why):
    with pytest.raises(NotRepresentable, match=why):
        encode(original)


def test_a_step_too_fine_for_16_bits_is_refused():
    with pytest.raises(NotRepresentable, match="16 bits"):
        encode(recording([[40000.0]]), step_nv=1000)


def test_a_refusal_does_not_tell_who_the_patient_is():
    patient = CartPatient("משה-77", "Łukasz")
    with pytest.raises(NotRepresentable) as caught:
        encode(recording([[1.0]], patient=patient))
    assert "77" not in str(caught.value)
