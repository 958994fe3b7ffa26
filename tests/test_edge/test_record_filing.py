import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from drivers.errors import SettingsError
from edge.events import Outcome
from edge.fhir.read import read
from edge.record.filing import Assigned, Filing, HeldHub, Submission

GOLDEN = Path(__file__).parent / "golden_bundles"


def submission(name="oximetry", **changes):
    payload = (GOLDEN / f"{name}.json").read_bytes()
    return Submission(replace(read(payload), **changes), payload, "north", "room-3", 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record.sqlite3"


@pytest.fixture
def filing(path):
    opened = Filing(path)
    yield opened
    opened.close()


def outcomes(filed):
    return [(each.outcome, each.held) for each in filed]


def test_a_result_is_filed_with_its_values_as_they_were_sent(filing):
    given = submission("temperature-fahrenheit")
    assert outcomes(filing.file([given])) == [(Outcome.ACCEPTED, given.contents.content_sha256)]
    (value,) = filing.values()
    assert (value.metric, value.value, value.unit, value.status) == (
        "body-temperature",
        98.6,
        "[degF]",
        "ok",
    )
    assert (value.subject, value.site, value.hub, value.withdrawn) == (
        "Patient/p-17",
        "north",
        "room-3",
        False,
    )


def test_a_result_is_filed_once_however_often_it_comes(filing):
    given = submission()
    held = given.contents.content_sha256
    filed = filing.file([given, given]) + filing.file([given])
    assert outcomes(filed) == [
        (Outcome.ACCEPTED, held),
        (Outcome.DUPLICATE, held),
        (Outcome.DUPLICATE, held),
    ]
    assert [value.metric for value in filing.values()] == ["spo2", "pulse-rate", "perfusion-index"]


def test_another_claim_under_the_same_id_is_answered_with_the_hash_that_is_held(filing):
    given = submission()
    filing.file([given])
    other = submission(content_sha256="f" * 64)
    assert outcomes(filing.file([other])) == [(Outcome.DUPLICATE, given.contents.content_sha256)]


def test_what_is_filed_is_still_there_after_a_restart(path):
    first = Filing(path)
    first.file([submission()])
    first.close()
    second = Filing(path)
    assert len(list(second.values())) == 3
    second.close()


def test_a_correction_waits_for_what_it_corrects(filing):
    correction = submission("correction")
    assert outcomes(filing.file([correction])) == [(Outcome.RETRY, None)]
    assert list(filing.values()) == []


def test_a_correction_withdraws_the_values_and_keeps_them(filing):
    filed = filing.file([submission("respiration-entered"), submission("correction")])
    assert [each.outcome for each in filed] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    (value,) = filing.values()
    assert (value.metric, value.value, value.withdrawn) == ("respiration-rate", 16.0, True)


def test_a_correction_of_another_patients_result_is_rejected(filing):
    filing.file([submission("respiration-entered")])
    filed = filing.file([submission("correction", subjects=frozenset({"Patient/p-18"}))])
    assert outcomes(filed) == [(Outcome.REJECTED, None)]
    assert not any(value.withdrawn for value in filing.values())


def test_a_record_that_somebody_else_holds_is_a_reason_to_try_again(filing, path):
    filing._db.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    filed = filing.file([submission(), submission("height", result_id="h.1")])
    other.execute("ROLLBACK")
    other.close()
    assert [each.outcome for each in filed] == [Outcome.RETRY, Outcome.RETRY]
    assert list(filing.values()) == []
    assert filing.file([submission()])[0].outcome is Outcome.ACCEPTED


def test_a_full_disk_is_a_reason_to_try_again_and_loses_nothing(filing):
    filing.file([submission()])
    pages = filing._db.execute("PRAGMA page_count").fetchone()[0]
    filing._db.execute(f"PRAGMA max_page_count = {pages}")
    big = submission(result_id="big.1")
    big = Submission(big.contents, b" " * 100_000, "north", "room-3", 1)
    filed = filing.file([big])
    assert (filed[0].outcome, "full" in filed[0].reason) == (Outcome.RETRY, True)
    filing._db.execute("PRAGMA max_page_count = 100000")
    assert filing.file([big])[0].outcome is Outcome.ACCEPTED


def test_one_result_that_the_tables_refuse_stops_no_other(filing):
    twice = submission("height", result_id="h.1")
    twice = submission("height", result_id="h.1", values=twice.contents.values * 2)
    filed = filing.file([submission(), twice, submission("weight-pounds", result_id="w.1")])
    assert [each.outcome for each in filed] == [
        Outcome.ACCEPTED,
        Outcome.REJECTED,
        Outcome.ACCEPTED,
    ]


def test_the_last_state_of_a_hub_is_remembered(filing):
    filing.heard(HeldHub("north", "room-3", "online", "run-1", 1, 5))
    filing.heard(HeldHub("north", "room-3", "offline", "run-1", 1, 9))
    assert filing.hubs() == [HeldHub("north", "room-3", "offline", "run-1", 1, 9)]


def test_an_assignment_is_remembered_until_it_is_taken_back(filing):
    filing.assign("north", "room-3", Assigned("Patient/p-17", "a-1", 7))
    filing.assign("north", "room-3", Assigned("Patient/p-18", "a-2", 8))
    assert filing.assigned("north", "room-3") == Assigned("Patient/p-18", "a-2", 8)
    filing.assign("north", "room-3", None)
    assert filing.assigned("north", "room-3") is None


def test_a_file_that_is_no_record_is_refused_and_left_alone(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipe (name TEXT)")
    other.commit()
    other.close()
    with pytest.raises(SettingsError, match="not a record"):
        Filing(path)


def test_a_record_of_a_newer_version_is_refused(path):
    Filing(path).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 2")
    newer.close()
    with pytest.raises(SettingsError, match="newer"):
        Filing(path)


@pytest.mark.parametrize(
    "content", [b"not a database, whatever it is called", b"SQLite format 3\0"]
)
def test_a_file_that_is_no_database_is_refused(path, content):
    path.write_bytes(content * 100)
    with pytest.raises(SettingsError, match=r"record\.sqlite3"):
        Filing(path)


def test_nobody_else_may_read_the_record(path):
    Filing(path).close()
    assert path.stat().st_mode & 0o077 == 0
