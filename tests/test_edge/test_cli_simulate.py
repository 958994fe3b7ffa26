"""`vitals-edge simulate`: ECGs with truth, as files that others can read."""

import csv
import json

import numpy as np
import pytest

from drivers.virtual.patient import Patient
from drivers.virtual.physiology.dipole import LEADS
from dsp import find_r_peaks
from edge import cli


def simulated(folder, capsys, *args):
    assert cli.main(["simulate", "--out", str(folder), *args]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    return json.loads(line), json.loads((folder / "truth.json").read_text())


def columns(folder):
    with (folder / "ecg.csv").open(newline="") as stream:
        head, *rows = csv.reader(stream)
    return head, np.array([[float(cell or "nan") for cell in row] for row in rows])


def test_the_table_holds_the_patients_twelve_leads(tmp_path, capsys):
    said, _ = simulated(tmp_path, capsys, "--seed", "5", "--seconds", "4", "--fs", "250")
    head, rows = columns(tmp_path)
    assert head == ["time_s", *LEADS]
    assert said["samples"] == len(rows) == 1000
    np.testing.assert_allclose(rows[:, 0], np.arange(1000) / 250)
    np.testing.assert_allclose(rows[:, 1:].T, Patient(5).ecg(0, 4, 250), atol=0.006)


def test_the_truth_is_that_of_the_signal_beside_it(tmp_path, capsys):
    said, truth = simulated(tmp_path, capsys, "--seconds", "12", "--scenario", "ectopy")
    _, rows = columns(tmp_path)
    found = find_r_peaks(rows[:, 2], 500)
    told = [beat["r_sample"] for beat in truth["beats"] if 200 < beat["r_sample"] < 5800]
    assert [at for at in found if 200 < at < 5800] == pytest.approx(told, abs=1)
    assert said["beats"] == len(truth["beats"])
    assert truth["beat_types"]["V"] == [beat["type"] for beat in truth["beats"]].count("V") > 0
    assert truth["heart_rate"] == said["heart_rate"]


def test_the_truth_holds_boundaries_rules_and_every_parameter_of_the_model(tmp_path, capsys):
    _, truth = simulated(tmp_path, capsys)
    beat = truth["beats"][1]
    assert beat["p"]["onset_s"] < beat["qrs"]["onset_s"] < beat["r_s"] < beat["t"]["offset_s"]
    assert set(truth["rules"]) == {"axis", "boundaries", "peaks", "snr"}
    assert len(truth["parameters"]["kernels"]["N"]["qrs"]["kernels"]) == 5
    assert set(truth["parameters"]["lead_vectors"]) == {"I", "II", *LEADS[6:]}


def test_the_same_arguments_write_the_same_bytes(tmp_path, capsys):
    args = ("--scenario", "motion", "--format", "wfdb", "--noise", "mains=20", "--seconds", "6")
    for name in ("one", "two"):
        simulated(tmp_path / name, capsys, *args)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two
    assert set(one) == {
        *("annotations.csv", "ecg.atr", "ecg.csv", "ecg.dat", "ecg.hea", "truth.json")
    }


def test_noise_is_added_and_taken_away_by_name(tmp_path, capsys):
    said, truth = simulated(
        tmp_path, capsys, "--scenario", "motion", "--noise", "motion=off", "--noise", "wander=9"
    )
    assert said["noise_snr_db"] == truth["noise_snr_db"] == {"muscle": 18.0, "wander": 9.0}


def test_an_electrode_that_is_off_leaves_empty_fields_and_is_told(tmp_path, capsys):
    _, truth = simulated(
        tmp_path, capsys, "--scenario", "electrode-off", "--format", "wfdb", "--fs", "100"
    )
    _, rows = columns(tmp_path)
    gone = np.isnan(rows[:, 1 + LEADS.index("V3")])
    assert (gone.sum(), gone[300:600].sum(), np.isnan(rows).sum()) == (300, 300, 300)
    assert truth["electrodes_off"][0] == {"electrode": "V3", "from_s": 3.0, "until_s": 6.0}
    samples = np.frombuffer((tmp_path / "ecg.dat").read_bytes(), "<i2").reshape(-1, 12)
    assert (samples[:, LEADS.index("V3")] == -32768).tolist() == gone.tolist()


def test_a_wfdb_record_says_a_microvolt_a_step_and_adds_up(tmp_path, capsys):
    simulated(tmp_path, capsys, "--format", "wfdb")
    record, *signals = (tmp_path / "ecg.hea").read_text().splitlines()
    assert record == "ecg 12 500 5000"
    samples = np.frombuffer((tmp_path / "ecg.dat").read_bytes(), "<i2").reshape(-1, 12)
    _, rows = columns(tmp_path)
    np.testing.assert_allclose(samples, rows[:, 1:], atol=0.51)
    for name, column, line in zip(LEADS, samples.T, signals, strict=False):
        file, form, gain, bits, zero, first, checksum, block, lead = line.split()
        assert (file, form, gain, bits, zero) == ("ecg.dat", "16", "1000/mV", "16", "0")
        assert (block, lead, int(first)) == ("0", name, column[0])
        assert (int(checksum) - int(column.astype(int).sum())) % 65536 == 0
        assert -32768 <= int(checksum) < 32768


def test_the_binary_annotations_are_those_of_the_text(tmp_path, capsys):
    simulated(tmp_path, capsys, "--format", "wfdb", "--scenario", "ectopy", "--fs", "2000")
    words = np.frombuffer((tmp_path / "ecg.atr").read_bytes(), "<u2").tolist()
    names = {1: "N", 5: "V", 24: "p", 27: "t", 39: "(", 40: ")"}
    at, place, read = 0, 0, []
    while words[at]:
        code, step = words[at] >> 10, words[at] & 1023
        if code == 59:
            place += (words[at + 1] << 16) + words[at + 2]
            at += 3
            continue
        place += step
        read.append([str(place), names[code]])
        at += 1
    with (tmp_path / "annotations.csv").open(newline="") as stream:
        told = [row[1:] for row in csv.reader(stream)][1:]
    assert read == told
    assert at == len(words) - 1


def test_a_wave_in_the_strip_is_marked_even_if_its_r_peak_is_not_in_it(tmp_path, capsys):
    seen = set()
    for seed in range(12):
        folder = tmp_path / str(seed)
        simulated(folder, capsys, "--format", "wfdb", "--seconds", "2", "--seed", str(seed))
        seen.add((folder / "annotations.csv").read_text().splitlines()[1][-1])
    assert {"(", ")"} <= seen


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--scenario", "flu"), "known are: healthy"),
        (("--seconds", "0"), "--seconds 0"),
        (("--seconds", "nan"), "--seconds nan"),
        (("--fs", "1e9"), "--fs 1e+09"),
        (("--seed", "-1"), "--seed -1"),
        (("--noise", "hum=3"), "known are mains, muscle, wander, motion"),
        (("--noise", "mains"), "write NAME=SNR_DB"),
        (("--noise", "mains=inf"), "-60 to 120 dB"),
        (("--noise", "mains=20", "--mains", "300"), "less than half of --fs"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_nothing_is_written(tmp_path, capsys, args, says):
    assert cli.main(["simulate", "--out", str(tmp_path / "new"), *args]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1
    assert not (tmp_path / "new").exists()
