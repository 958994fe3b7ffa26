"""A recording gives the same bytes out of the whole hub, anywhere, at any speed."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import ReplayMismatch
from drivers.transports.capture_file import (
    Happened,
    LinkEvent,
    Received,
    Recording,
    Written,
    load_case,
    write,
)
from edge.cli import main
from edge.golden import RESULTS
from edge.replay import results_of

FIXTURES = Path(__file__).parents[2] / "fixtures"
CASES = sorted(toml.parent for toml in (FIXTURES / "captures").glob("*/*/case.toml"))
IVY = FIXTURES / "captures" / "ivy-450c"
REAL = IVY / "real-27-packets"
SHORT = IVY / "sensor-off"
SPOT_CHECKS = FIXTURES / "captures" / "nonin" / "df13-stored-spot-checks"


def results(folder):
    return [json.loads(line) for line in (folder / RESULTS).read_text("utf-8").splitlines()]


def verb(capsys, *args):
    code = main(["replay", *map(str, args)])
    said = capsys.readouterr()
    return code, said.out, said.err


def in_a_process(*args, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-m", "edge.cli", "replay", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | environment,
    )


@pytest.fixture
def case(tmp_path):
    """A case of its own, outside version control."""
    return shutil.copytree(SHORT, tmp_path / "sensor-off")


@pytest.fixture
def checkout(tmp_path):
    """A work tree with one case among its fixtures, all of it committed."""
    fixtures = tmp_path / "fixtures"
    folder = shutil.copytree(SHORT, fixtures / "captures" / "ivy-450c" / "sensor-off")
    (fixtures / "MANIFEST.toml").write_text("")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "a case")
    return folder


def git(where, *args):
    who = ["-c", "user.name=a tester", "-c", "user.email=tester@example.org"]
    subprocess.run(["git", "-C", str(where), *who, *args], check=True, capture_output=True)


@pytest.mark.parametrize(
    "folder", CASES, ids=[f"{folder.parent.name}/{folder.name}" for folder in CASES]
)
def test_a_case_gives_the_results_written_beside_it(folder):
    assert results_of(load_case(folder)) == (folder / RESULTS).read_text("utf-8").splitlines()


@settings(max_examples=5)
@given(speed=st.sampled_from([None, 0.0, 50.0, 333.0, 1000.0]))
def test_the_bytes_are_the_same_at_any_speed(speed):
    expected = (SHORT / RESULTS).read_text("utf-8").splitlines()
    assert results_of(load_case(SHORT), speed=speed) == expected


@pytest.mark.parametrize("seed", ["1", "4711"])
def test_the_bytes_are_the_same_in_a_process_that_hashes_differently(tmp_path, seed):
    done = in_a_process(REAL, cwd=tmp_path, PYTHONHASHSEED=seed, TZ="Asia/Tokyo", LC_ALL="C")
    assert (done.returncode, done.stdout) == (0, (REAL / RESULTS).read_text("utf-8"))


def test_where_a_case_lies_does_not_matter(case):
    assert results_of(load_case(case)) == results_of(load_case(SHORT))


def test_the_name_of_a_case_is_in_its_ids(case):
    other = results_of(load_case(case.rename(case.with_name("other"))))
    ids = {json.loads(line)["result_id"] for line in other}
    assert not ids & {line["result_id"] for line in results(SHORT)}


def test_however_its_bytes_are_cut_a_case_gives_the_same_values():
    loaded = load_case(SHORT)
    lines = [
        replace(line, data=bytes([byte]))
        for line in loaded.recording.lines
        if isinstance(line, Received)
        for byte in line.data
    ]
    cut = results_of(replace(loaded, recording=Recording(tuple(lines))))
    assert cut == results_of(loaded)


def test_a_steady_value_of_the_recorded_visit_is_on_its_way_with_its_exact_bytes():
    sent = [line for line in results(REAL) if line["state"] == "queued"]
    assert [(line["kind"], line["origin"]) for line in sent] == [
        ("heart-rate", "measured"),
        ("oximetry", "measured"),
        ("heart-rate", "derived"),
    ]
    assert all(len(line["bundle_sha256"]) == 64 for line in sent)
    assert len({line["bundle_sha256"] for line in sent}) == 3


def test_what_cannot_be_proven_to_be_of_the_recording_is_quarantined_and_not_sent():
    pressure, *_ = results(REAL)
    assert (pressure["kind"], pressure["state"]) == ("blood-pressure", "quarantined")
    assert pressure["bundle_sha256"] is None
    before = [line for line in results(SPOT_CHECKS) if "begun before" in line["reason"]]
    assert {line["state"] for line in before} == {"quarantined"}


def test_an_untrusted_clock_holds_what_would_otherwise_go_out():
    loaded = load_case(REAL)
    clock = type(loaded.case.clock)(start=loaded.case.clock.start, trusted=False)
    case = type(loaded.case)(
        driver=loaded.case.driver,
        origin=loaded.case.origin,
        device="",
        licence="",
        deidentified="",
        clock=clock,
    )
    lines = [json.loads(line) for line in results_of(replace(loaded, case=case))]
    assert [line["state"] for line in lines] == ["quarantined", *["accepted"] * 3]
    assert {line["bundle_sha256"] for line in lines} == {None}


def test_a_link_that_comes_back_is_a_session_of_its_own_at_its_own_time():
    loaded = load_case(SHORT)
    first = loaded.recording.lines
    again = [replace(line, at_us=line.at_us + 60_000_000) for line in first]
    lines = (
        *first,
        Happened(8_000_000, LinkEvent.LOST),
        Happened(60_000_000, LinkEvent.OPEN),
        *again,
    )
    twice = [json.loads(line) for line in results_of(replace(loaded, recording=Recording(lines)))]
    # What the monitor repeats after a replug is the value from before, and is seen as such.
    assert [line["reason"] for line in twice] == [
        "first value seen from an instrument that repeats its last one",
        "seen before: it changes nothing",
    ]


def test_a_driver_that_does_not_write_what_was_recorded_ends_the_replay():
    loaded = load_case(SHORT)
    lines = (*loaded.recording.lines, Written(9_000_000, b"?"))
    with pytest.raises(ReplayMismatch, match="3f written at its end"):
        results_of(replace(loaded, recording=Recording(lines)))


def test_the_verb_prints_the_results_as_json_lines_and_the_rest_on_stderr(capsys):
    code, out, err = verb(capsys, SHORT)
    assert (code, out) == (0, (SHORT / RESULTS).read_text("utf-8"))
    assert err == "vitals-edge replay: 1 of 1 as expected\n"


def test_the_verb_plays_several_cases_in_the_order_given(capsys):
    code, out, _ = verb(capsys, REAL, SHORT)
    assert code == 0
    assert out == (REAL / RESULTS).read_text("utf-8") + (SHORT / RESULTS).read_text("utf-8")


def test_all_is_every_case_of_the_project(capsys, monkeypatch, checkout):
    monkeypatch.chdir(checkout.parents[3])
    code, _, err = verb(capsys, "--all", "--speed", "1000")
    assert (code, err) == (0, "vitals-edge replay: 1 of 1 as expected\n")


def test_another_result_than_expected_is_a_readable_diff_and_exit_code_1(capsys, case):
    results_file = case / RESULTS
    results_file.write_text(results_file.read_text().replace("quarantined", "accepted"))
    code, _, err = verb(capsys, case)
    changed = [line for line in err.splitlines() if line[:1] in "+-" and "item" in line]
    assert code == 1
    assert [line[0] for line in changed] == ["-", "+"]
    assert "accepted" in changed[0]
    assert "quarantined" in changed[1]
    assert err.endswith("vitals-edge replay: 0 of 1 as expected\n")


@pytest.mark.parametrize("name", ["expected.jsonl", "results.jsonl"])
def test_a_missing_file_is_not_as_expected(capsys, case, name):
    (case / name).unlink()
    code, _, err = verb(capsys, case)
    assert code == 1
    assert f"+++ {case / name}" in err


def test_a_mismatch_of_one_case_does_not_keep_the_others_from_being_played(capsys, case):
    wire = load_case(case).recording
    (case / "wire.cap").write_text(write(Recording((*wire.lines, Written(9_000_000, b"?")))))
    code, out, err = verb(capsys, case, SHORT)
    assert (code, out) == (1, (SHORT / RESULTS).read_text("utf-8"))
    assert "1 of 2 as expected" in err


def test_without_update_nothing_is_written(capsys, case):
    (case / RESULTS).unlink()
    before = {path: path.read_bytes() for path in case.parent.rglob("*") if path.is_file()}
    verb(capsys, case)
    assert {path: path.read_bytes() for path in case.parent.rglob("*") if path.is_file()} == before


def test_a_replay_leaves_nothing_in_the_temporary_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    results_of(load_case(SHORT))
    assert list(tmp_path.iterdir()) == []


def test_update_writes_files_and_manifest_anew_and_shows_the_diff(capsys, checkout):
    (checkout / RESULTS).unlink()
    git(checkout, "commit", "--quiet", "--all", "--message", "without results")
    code, _, err = verb(capsys, "--update", checkout)
    assert code == 0
    assert (checkout / RESULTS).read_text() == (SHORT / RESULTS).read_text("utf-8")
    manifest = checkout.parents[2] / "MANIFEST.toml"
    assert '["captures/ivy-450c/sensor-off".sha256]' in manifest.read_text()
    assert f"+++ {checkout / RESULTS}" in err
    assert f"+++ {manifest}" in err


def test_update_refuses_while_the_fixtures_have_uncommitted_changes(capsys, checkout):
    changed = checkout / "case.toml"
    changed.write_text(changed.read_text() + "\n# a thought\n")
    (checkout / RESULTS).unlink()
    code, out, err = verb(capsys, "--update", checkout)
    assert (code, out) == (2, "")
    assert "uncommitted changes" in err
    assert "case.toml" in err
    assert not (checkout / RESULTS).exists()


def test_update_takes_a_case_that_git_does_not_know_yet(capsys, checkout):
    new = shutil.copytree(REAL, checkout.with_name("new"))
    (new / RESULTS).unlink()
    code, _, _ = verb(capsys, "--update", new)
    assert code == 0
    assert len((new / RESULTS).read_text().splitlines()) == 4


def test_update_works_on_a_case_that_is_under_no_version_control(capsys, case):
    (case / RESULTS).write_text("")
    code, _, err = verb(capsys, "--update", case)
    assert code == 0
    assert "1 of 1 written anew" in err
    assert (case / RESULTS).read_text() == (SHORT / RESULTS).read_text("utf-8")


def test_update_refuses_when_git_cannot_be_asked(capsys, checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    code, _, err = verb(capsys, "--update", checkout)
    assert code == 2
    assert "there is no git to ask" in err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "name the case folders to play, or --all of them"),
        (["--all", str(SHORT)], "name the case folders to play, or --all of them"),
        (["--speed", "-1", str(SHORT)], "--speed N"),
        (["nowhere"], "nowhere"),
    ],
)
def test_a_slip_is_one_line_with_what_to_do(capsys, monkeypatch, tmp_path, args, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = verb(capsys, *args)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
