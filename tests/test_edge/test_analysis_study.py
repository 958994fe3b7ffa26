"""Carts' files in the analysis process: whatever they hold, an answer, and the process stays."""

import runpy
import struct
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.formats import MAX_BYTES, read_ecg
from drivers.formats.scp_writer import encode as scp_of
from drivers.model import EcgRecording
from drivers.virtual.ecg_cart import VirtualEcgCart
from edge.analysis import Analysis, AnalysisFailed, EcgStudy, Failure, Limits
from edge.analysis_study import MAX_SAMPLES, TEXT_CHARS
from edge.analysis_wire import Refusal, StudyReply, StudyRequest, encode
from edge.analysis_worker import answer
from edge.samples import canonical_sha256

ORACLE = Path(__file__).parents[1] / "test_drivers" / "scp_oracle.py"
REFUSED = {"format", "input"}
EXAMPLES = 40

pytestmark = pytest.mark.timeout(180)


@cache
def oracle():
    return SimpleNamespace(**runpy.run_path(str(ORACLE)))


@cache
def recorded(seconds=10.0, scenario="healthy"):
    return VirtualEcgCart(3, seconds=seconds, scenario=scenario).due(30.0)[0]


@cache
def corpus():
    return [
        recorded(2.0),
        recorded(0.5),
        oracle().record(oracle().everything()),
        oracle().record(oracle().everything(), version=30),
    ]


def mutated():
    """Valid files with numbers and stretches replaced, their checksums put right."""
    number = st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from("BHI"),
        st.sampled_from([0, 1, 2, 16, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]),
    )
    stretch = st.tuples(st.floats(0, 1), st.integers(0, 30), st.binary(max_size=30))

    def changed(data, numbers, stretches):
        data = bytearray(data)
        for where, layout, value in numbers:
            size = struct.calcsize(layout)
            at = min(int(where * len(data)), len(data) - size)
            struct.pack_into("<" + layout, data, at, value % (1 << 8 * size))
        for where, gone, new in stretches:
            at = int(where * len(data))
            data[at : at + gone] = new
        return oracle().resealed(bytes(data))

    return st.builds(
        changed,
        st.sampled_from(corpus()),
        st.lists(number, max_size=4),
        st.lists(stretch, max_size=1),
    )


def asked(data):
    """Return the process's answer, which can be sent."""
    array = np.frombuffer(data, dtype=np.uint8)
    header, arrays = answer((StudyRequest((array.shape,)), (array,)))
    assert encode(header, arrays)
    return header


@settings(max_examples=EXAMPLES)
@given(mutated())
def test_any_file_is_a_study_or_a_refusal_that_says_why(data):
    header = asked(data)
    if isinstance(header, Refusal):
        assert header.reason in REFUSED, header
        assert header.detail
    else:
        assert isinstance(header, StudyReply)


def test_a_study_says_what_the_file_says_and_what_was_measured_here():
    stored, said = read_ecg(recorded()), asked(recorded())
    assert (said.stored, said.fs) == (stored.leads, stored.fs)
    assert (said.acquired, said.device[1]) == ("2026-01-05T09:00:20", "VC-0001")
    assert dict(said.measurements) == dict(stored.measurements)
    assert said.derived == ("III", "aVR", "aVL", "aVF")
    assert len(said.leads) == 12
    assert all(verdict.usable for _, verdict in said.leads)
    ours, cart = dict(said.ours), dict(stored.measurements)
    assert ours["heart_rate"] == pytest.approx(float(cart["heart_rate"]), abs=1.0)
    assert ours["qrs_axis"] == pytest.approx(float(cart["qrs_axis"]), abs=10.0)
    assert said.beats == 11


def test_what_cannot_be_measured_is_told_with_its_reason():
    said = asked(recorded(0.5))
    assert said.ours == ()
    assert {"heart_rate", "qrs_ms", "qtc_ms"} <= set(dict(said.reasons))


def test_a_recording_of_one_lead_or_of_an_odd_rate_is_a_study_without_all_values():
    waves = read_ecg(recorded()).microvolts[1:2]
    said = asked(scp_of(EcgRecording(("II",), 500.0, waves, None, "00")))
    assert (said.stored, "qrs_axis" in dict(said.ours)) == (("II",), False)
    slow = asked(scp_of(EcgRecording(("II",), 50.0, waves, None, "00")))
    assert slow.ours == ()
    assert "all" in dict(slow.reasons)


def test_words_without_end_are_refused():
    ecg = read_ecg(recorded(0.5))
    many = EcgRecording(ecg.leads, ecg.fs, ecg.microvolts, None, "00", statements=("x" * 60_000,))
    refusal = asked(scp_of(many))
    assert (refusal.reason, str(TEXT_CHARS) in refusal.detail) == ("format", True)


def test_samples_without_end_are_refused(monkeypatch):
    monkeypatch.setattr("edge.analysis_study.MAX_SAMPLES", 100)
    assert MAX_SAMPLES > 100
    assert "a resting ECG has at most 100" in asked(recorded(0.5)).detail


def test_the_hash_of_the_samples_is_that_of_the_leads_in_any_order():
    ecg = read_ecg(recorded())
    backwards = canonical_sha256(ecg.leads[::-1], ecg.fs, ecg.microvolts[::-1])
    assert backwards == asked(recorded()).samples_sha256
    assert backwards != canonical_sha256(ecg.leads, 2 * ecg.fs, ecg.microvolts)


async def test_hostile_files_cost_the_process_nothing_and_good_ones_are_read_between_them():
    rng = np.random.default_rng(4)
    hostile = [b"", b"\0" * 2000, rng.bytes(2000), b"SCPECG" * 1000, bytes(MAX_BYTES + 1)]
    hostile.append(oracle().resealed(recorded()[:22] + rng.bytes(MAX_BYTES - 22)))
    async with Analysis(Limits()) as analysis:
        for data in hostile:
            found = await analysis.read_study(data)
            assert isinstance(found, AnalysisFailed), found
            assert found.reason is Failure.FORMAT
            assert isinstance(await analysis.read_study(recorded()), EcgStudy)
        assert analysis.replaced == 0
