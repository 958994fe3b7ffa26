import csv
import hashlib
import json
import stat
import struct
import subprocess
import sys
from datetime import datetime

import numpy as np
import pytest

from drivers.formats import MAX_BYTES, read_ecg
from drivers.formats.scp import encode
from drivers.formats.scp_sections import checksum
from drivers.model import CartPatient, EcgRecording, InstrumentId
from drivers.virtual.ecg_cart import VirtualEcgCart
from edge import cli

KEYS = [
    *("format", "leads", "derived", "fs", "n", "duration_s", "acquired", "device", "filters"),
    *("measurements", "statements", "sha256"),
]


def recording():
    waves = np.array([[10.0, 20.0, np.nan, np.nan], [30.0, 10.0, -5.0, 2.5]])
    return EcgRecording(
        ("I", "II"),
        500.0,
        waves,
        datetime.fromisoformat("2026-11-23T10:30:15"),
        "00",
        device=InstrumentId("scp", "Mortara ELI250", "SN-17", "2.1"),
        patient=CartPatient("P-4711", "Doe, Jane", "1960-02-29", "female"),
        filters=("low-pass 150 Hz",),
        measurements=(("qrs_ms", "90"), ("heart_rate", "75")),
        statements=("Sinus rhythm",),
    )


@pytest.fixture
def cart_file(tmp_path):
    path = tmp_path / "from-cart.dat"
    path.write_bytes(encode(recording()))
    return path


def ecg(*args):
    return cli.main(["ecg", *map(str, args)])


def test_json_is_one_object_with_exactly_these_keys(cart_file, capsys):
    assert ecg(cart_file, "--json") == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    said = json.loads(line)
    assert list(said) == KEYS
    assert err == ""
    assert said == {
        "format": "SCP-ECG",
        "leads": ["I", "II"],
        "derived": ["III", "aVR", "aVL", "aVF"],
        "fs": 500.0,
        "n": 4,
        "duration_s": 0.008,
        "acquired": "2026-11-23T10:30:15",
        "device": {"model": "Mortara ELI250", "serial": "SN-17", "firmware": "2.1"},
        "filters": ["low-pass 150 Hz"],
        "measurements": {"qrs_ms": "90", "pacer_spikes": "0", "heart_rate": "75"}
        | {"statement_status": "original"},
        "statements": ["Sinus rhythm"],
        "sha256": hashlib.sha256(cart_file.read_bytes()).hexdigest(),
    }


def test_what_is_measured_here_stands_apart_from_what_the_cart_said(tmp_path, capsys):
    path = tmp_path / "a.scp"
    path.write_bytes(VirtualEcgCart(3).due(30.0)[0])
    assert ecg(path, "--json", "--measure") == 0
    said = json.loads(capsys.readouterr().out)
    computed, cart = said["computed"], said["measurements"]
    assert computed["heart_rate"] == pytest.approx(float(cart["heart_rate"]), abs=1.0)
    assert {"pr_ms", "qrs_ms", "qt_ms", "qtc_bazett_ms", "qtc_fridericia_ms"} <= set(computed)
    assert "missing" not in computed


def test_what_cannot_be_measured_is_missing_with_its_reason(cart_file, capsys):
    assert ecg(cart_file, "--json", "--measure") == 0
    missing = json.loads(capsys.readouterr().out)["computed"]["missing"]
    assert all(missing.values())


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_who_the_patient_is_is_told_only_when_asked_for(cart_file, capsys, how):
    words = {"Doe", "4711", "1960", "female"}
    ecg(cart_file, *how)
    out = capsys.readouterr().out
    assert {word for word in words if word in out} == set()
    ecg(cart_file, *how, "--with-patient")
    out = capsys.readouterr().out
    assert {word for word in words if word in out} == words


def test_text_for_a_person_has_a_line_for_each_thing(cart_file, capsys):
    ecg(cart_file)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == KEYS
    assert lines[2].split(maxsplit=1)[1] == "III, aVR, aVL, aVF"


def test_csv_has_a_row_a_sample_with_derived_leads_and_empty_gaps(cart_file, tmp_path):
    out = tmp_path / "out.csv"
    assert ecg(cart_file, "--csv", out) == 0
    header, *rows = csv.reader(out.read_text("utf-8").splitlines())
    assert header == ["time_s", "I", "II", "III", "aVR", "aVL", "aVF"]
    assert rows[1] == ["0.002000", "20", "10", "-10", "-15", "15", "0"]
    assert rows[3] == ["0.006000", "", "2.5", "", "", "", ""]
    assert len(rows) == 4


def test_a_converted_file_reads_back_as_the_same_recording_of_the_same_person(cart_file, tmp_path):
    out = tmp_path / "out.SCP"
    assert ecg(cart_file, "--convert", out) == 0
    got, original = read_ecg(out.read_bytes()), recording()
    np.testing.assert_array_equal(got.microvolts, original.microvolts)
    assert (got.leads, got.patient) == (original.leads, original.patient)


def test_nothing_is_printed_where_only_files_are_asked_for(cart_file, tmp_path, capsys):
    ecg(cart_file, "--csv", tmp_path / "a.csv", "--convert", tmp_path / "a.scp")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("option", "name"), [("--csv", "a.csv"), ("--convert", "a.scp")])
def test_what_is_written_is_for_its_owner_only(cart_file, tmp_path, option, name):
    ecg(cart_file, option, tmp_path / name)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_bytes_may_come_from_stdin(cart_file):
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", "ecg", "-", "--json"],
        input=cart_file.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["n"] == 4


def refused(capsys, *args):
    assert ecg(*args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_a_file_that_cannot_be_read_is_named_with_place_and_reason(cart_file, capsys):
    cart_file.write_bytes(cart_file.read_bytes()[:-1])
    said = refused(capsys, cart_file, "--json")
    assert f"{cart_file}: the record says it has " in said
    assert said.endswith("it is cut off (at byte 2)\n")


@pytest.mark.parametrize("content", [b"", b"no ECG", bytes(MAX_BYTES + 1)])
def test_what_is_no_ecg_is_said_in_one_line(tmp_path, capsys, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert f"{path}: " in refused(capsys, path)


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path, capsys):
    assert "No such file or directory" in refused(capsys, tmp_path / "none")


def test_a_suffix_of_no_format_is_answered_with_those_there_are(cart_file, tmp_path, capsys):
    out = tmp_path / "out.doc"
    assert "the suffix says the format, one of .scp" in refused(capsys, cart_file, "--convert", out)
    assert not out.exists()


@pytest.mark.parametrize("option", ["--csv", "--convert"])
def test_the_original_is_never_written_over(tmp_path, capsys, option):
    path = tmp_path / "cart.scp"
    path.write_bytes(encode(recording()))
    before = path.read_bytes()
    assert "is the file that is read" in refused(capsys, path, option, path)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_said_in_one_line(cart_file, tmp_path, capsys):
    out = tmp_path / "none" / "out.scp"
    assert "No such file or directory" in refused(capsys, cart_file, "--convert", out)


def test_what_the_wanted_format_cannot_say_leaves_no_file_at_all(tmp_path, capsys):
    data = bytearray(encode(EcgRecording(("I",), 500.0, np.ones((1, 4)), None, "00")))
    (index,) = struct.unpack_from("<I", data, 22 + 10 * 3 + 6)
    end = index - 1 + 16 + 2 + 9
    data[end - 1] = 0  # the code of the lead: not specified
    struct.pack_into("<H", data, index - 1, checksum(bytes(data[index + 1 : end + 1])))
    struct.pack_into("<H", data, 0, checksum(bytes(data[2:])))
    path, table, out = tmp_path / "in.scp", tmp_path / "out.csv", tmp_path / "out.scp"
    path.write_bytes(data)
    said = refused(capsys, path, "--csv", table, "--convert", out)
    assert "no code for lead" in said
    assert list(tmp_path.iterdir()) == [path]


def test_reading_an_ecg_loads_neither_scipy_nor_what_speaks_to_instruments(cart_file):
    program = (
        "import sys; from edge.cli import main; "
        f"main(['ecg', {str(cart_file)!r}]); "
        "heavy = {'scipy', 'paho', 'bleak', 'sqlite3', 'pydicom', 'serial', 'asyncio'}; "
        "heavy &= set(sys.modules); sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    got = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (got.returncode, got.stderr) == (0, b"")
