"""Files of real carts beside the project, found by VITALS_EDGE_DATA; its own without that folder.

`expected.json` in the folder says what each file holds. Without it, records of our own encoder
stand in, so that the same comparison is made either way.
"""

import hashlib
import json
import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from drivers.errors import FormatError
from drivers.formats import read_ecg
from drivers.formats.scp import encode
from drivers.formats.spelling import CartValue

scp = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("scp_oracle.py"))))

LEADS = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6", "III", "aVR", "aVL", "aVF"]
OTHER_ORDER = "length in the other byte order"
CODES = [*range(1, 9), *range(61, 65)]


def made_here():
    """A record as carts write it, 12 leads by the default table, and what it holds."""
    rng = np.random.default_rng(20261123)
    one, two, *chest = np.cumsum(rng.integers(-9, 10, (8, 5000)), axis=1)
    limbs = [two - one, -(one + two) // 2, one - two // 2, two - one // 2]
    waves = np.stack([one, two, *chest, *limbs])
    chunks = [scp.coded(scp.differences(wave.tolist(), 2), [scp.DEFAULT_CODES]) for wave in waves]
    beat = (0, 102, 148, 268, 568, 44, -61, 86)
    data = scp.record(
        {
            2: b"\x1f\x4e",
            3: scp.leads([(code, 1, 5000) for code in CODES]),
            6: scp.samples(2500, 2000, 2, chunks),
            7: scp.measured(beat),
        }
    )
    microvolts = dict(zip(LEADS, waves * 2.5, strict=True))
    expected = {
        "format": "SCP-ECG",
        "sha256": hashlib.sha256(data).hexdigest(),
        "fs_hz": 500.0,
        "leads": LEADS,
        "n": dict.fromkeys(LEADS, 5000),
        "uV": {
            lead: {
                "first8": wave[:8].tolist(),
                "min": wave.min(),
                "max": wave.max(),
                "sum": wave.sum(),
            }
            for lead, wave in microvolts.items()
        },
        "measurements": {"PR_ms": 148, "QRS_ms": 120, "QT_ms": 420, "P_axis": 44, "RR_ms": None},
    }
    return data, expected


def cart_files():
    """Name, bytes and contents of every SCP file there is an expectation of."""
    yield "made here", *made_here()
    if folder := os.environ.get("VITALS_EDGE_DATA"):
        carts = Path(folder) / "carts"
        expected = json.loads((carts / "expected.json").read_text("utf-8"))
        for name, contents in expected.items():
            if contents["format"] == "SCP-ECG":
                yield name, (carts / name).read_bytes(), contents


def bent_files():
    """Name and bytes of SCP files that break the standard: ours, and each without expectation."""
    data, _ = made_here()
    yield OTHER_ORDER, data[:2] + data[5:1:-1] + data[6:]
    if folder := os.environ.get("VITALS_EDGE_DATA"):
        carts = Path(folder) / "carts"
        expected = json.loads((carts / "expected.json").read_text("utf-8"))
        for path in sorted((carts / "scp").iterdir()):
            if f"scp/{path.name}" not in expected:
                yield path.name, path.read_bytes()


GOOD = [pytest.param(data, contents, id=name) for name, data, contents in cart_files()]
BENT = [pytest.param(data, id=name) for name, data in bent_files()]
FOREIGN = {OTHER_ORDER, "62.SCP", "63.SCP"}
WITH_III = [case for case in GOOD if "III" in case.values[1]["leads"]]


@pytest.mark.parametrize(("data", "contents"), GOOD)
def test_every_lead_of_a_cart_file_is_exactly_what_is_expected(data, contents):
    got = read_ecg(data)
    assert list(got.leads) == contents["leads"]
    assert got.fs == pytest.approx(contents["fs_hz"], rel=1e-12)
    assert got.original_sha256 == contents["sha256"]
    for lead, wave in zip(got.leads, got.microvolts, strict=True):
        expected = contents["uV"][lead]
        present = wave[np.isfinite(wave)]
        assert len(present) == contents["n"][lead]
        assert present[:8].tolist() == pytest.approx(expected["first8"], abs=1e-9)
        totals = [present.min(), present.max(), present.sum()]
        assert totals == pytest.approx(
            [expected["min"], expected["max"], expected["sum"]], abs=1e-6
        )


@pytest.mark.parametrize(("data", "contents"), GOOD)
def test_measurements_of_a_cart_file_are_what_the_cart_said(data, contents):
    said = dict(read_ecg(data).measurements)
    expected = {
        name.lower(): None if value is None else str(value)
        for name, value in contents["measurements"].items()
        if name.lower() in set(CartValue)
    }
    assert {name: said.get(name) for name in expected} == expected


@pytest.mark.parametrize(("data", "contents"), WITH_III)
def test_einthovens_law_holds_to_the_last_step_where_all_limb_leads_are_stored(data, contents):
    got = read_ecg(data)
    waves = dict(zip(contents["leads"], got.microvolts, strict=True))
    np.testing.assert_array_equal(waves["III"], waves["II"] - waves["I"])


@pytest.mark.parametrize(("data", "contents"), GOOD)
def test_a_cart_file_written_anew_holds_the_same_samples(data, contents):
    got = read_ecg(encode(read_ecg(data)))
    assert list(got.leads) == contents["leads"]
    np.testing.assert_array_equal(got.microvolts, read_ecg(data).microvolts)


@pytest.mark.parametrize("data", BENT)
def test_a_file_that_breaks_the_standard_is_refused_with_place_and_reason(data):
    with pytest.raises(FormatError) as caught:
        read_ecg(data)
    assert caught.value.reason
    assert 0 <= caught.value.offset <= len(data)


@pytest.mark.parametrize("data", [case for case in BENT if case.id in FOREIGN])
def test_a_record_with_a_length_of_another_byte_order_is_told_from_one_cut_off(data):
    with pytest.raises(FormatError, match="this is not SCP"):
        read_ecg(data)
