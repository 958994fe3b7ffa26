"""The demonstration, as who tries it first runs it."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def demo(*arguments):
    command = [sys.executable, "-P", "-m", "edge.cli", "demo", "--once", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


def test_the_demonstration_ends_with_every_value_read_back_equal():
    done = demo()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    for told in (
        "cuff            5 values taken",  # of other people, set aside
        "by hand         respirations",
        "BMI",
        "derived from its ECG",
        "12-lead ECG, the cart's file",
        "Ivo Example, born 1984-11-05",
        "each equal to what was sent",
    ):
        assert told in done.stdout
    record = done.stdout.partition("read back from it")[2]
    assert "151/93" not in record, "a stranger's pressure was filed"
    assert record.count("Patient/demo-17") > record.count("Patient/demo-18") > 0


def test_other_instruments_and_another_patient_are_shown_where_they_are_asked_for(tmp_path):
    chosen = "and-tm2655,masimo-ascii1,healthometer"
    keep = tmp_path / "room"
    done = demo("--with", chosen, "--scenario", "fever", "--seed", "3", "--keep", str(keep))
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(f"{name} " in done.stdout for name in chosen.split(","))
    assert "each equal to what was sent" in done.stdout
    assert (keep / "record.db").exists()


def test_an_instrument_that_there_is_not_is_refused_with_those_there_are():
    done = demo("--with", "no-such")
    assert done.returncode == 2
    assert "no virtual instrument 'no-such'" in done.stderr
    assert "and-tm2655" in done.stderr
