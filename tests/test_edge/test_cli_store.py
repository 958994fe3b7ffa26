"""Looking into a hub's store from the command line, while the hub runs or after it."""

import asyncio
import json

import pytest

from drivers.model import Kind
from edge.cli import main
from edge.clock import ManualClock
from edge.events import Discarded, Enqueued, Outcome, Receipted
from edge.journal import SEGMENT_ENTRIES
from edge.observation import Moment, Space
from edge.store import FILE_NAME, Snapshot, Store
from edge.store.outbox import Enqueue, Move, OutboxRow, RowState

AT = Moment(0, 0, trusted=True, era="boot")


def happened(text):
    return Discarded(at=AT, item=1, person=text, reason="")


async def fill(path):
    async with await Store.open(path, clock=ManualClock()) as store:
        for name in ("first", "second"):
            row = OutboxRow(name, Kind.WEIGHT, f"[{name}]".encode(), "hash", Space.DEMO)
            event = Enqueued(at=AT, item=1, result_id=name, content_sha256="hash")
            await store.append([event], outbox=[Enqueue(row)])
        receipt = Receipted(
            at=AT, result_id="first", outcome=Outcome.ACCEPTED, content_sha256="hash"
        )
        await store.append([receipt], outbox=[Move("first", RowState.FILED)])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / FILE_NAME
    asyncio.run(fill(path))
    return path


@pytest.fixture
def said(capsys, path):
    def said(*args):
        code = main([*args, "--store", str(path)])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return said


def test_results_are_listed_with_their_states(said):
    code, lines = said("outbox", "list")
    assert (code, [(line["result_id"], line["state"]) for line in lines]) == (
        0,
        [("first", "filed"), ("second", "waiting")],
    )


def test_results_of_one_state_are_listed(said):
    _, lines = said("outbox", "list", "--state", "waiting")
    assert [line["result_id"] for line in lines] == ["second"]


def test_results_are_exported_as_the_bytes_that_are_sent(path, capfdbinary):
    assert main(["outbox", "export", "second", "first", "--store", str(path)]) == 0
    assert capfdbinary.readouterr().out == b"[second]\n[first]\n"


def test_exporting_a_result_that_is_not_there_is_an_error(path, capsys):
    assert main(["outbox", "export", "third", "--store", str(path)]) == 1
    assert "third: not in the outbox" in capsys.readouterr().err


def test_a_result_that_is_filed_is_sent_again_when_a_person_wants_it(said):
    code, (line,) = said("outbox", "resend", "first")
    assert (code, line["state"]) == (0, "waiting")
    assert len(said("outbox", "list", "--state", "waiting")[1]) == 2


def test_a_result_that_is_not_there_cannot_be_sent_again(path, capsys):
    assert main(["outbox", "resend", "third", "--store", str(path)]) == 2
    assert "no result third in the outbox" in capsys.readouterr().err


def test_while_the_hub_runs_nobody_else_changes_its_store(path, capsys):
    async def beside():
        async with await Store.open(path, clock=ManualClock()):
            return await asyncio.to_thread(
                main, ["outbox", "resend", "first", "--store", str(path)]
            )

    assert asyncio.run(beside()) == 2
    assert "in use by another vitals-edge" in capsys.readouterr().err


def test_a_journal_is_listed_event_by_event(said):
    code, lines = said("journal", "list", "--from", "2")
    assert (code, [line["event"]["event"] for line in lines]) == (0, ["enqueued", "receipted"])


def test_an_intact_journal_verifies(said):
    code, (line,) = said("journal", "verify")
    assert (code, line["intact"], line["checked"]) == (0, True, 3)


def test_a_journal_that_lost_its_end_does_not_verify_against_a_later_head(said):
    code, (line,) = said("journal", "verify", "--head", f"4:{64 * '0'}")
    assert (code, line["flaw"], line["sequence"]) == (1, "truncated", 4)


def test_what_is_no_head_is_refused(path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["journal", "verify", "--head", "three", "--store", str(path)])
    assert ended.value.code == 2
    assert "not a head of a journal" in capsys.readouterr().err


def test_a_store_that_is_not_there_is_one_line(tmp_path, capsys):
    assert main(["journal", "verify", "--store", str(tmp_path / "none.db")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_store_of_a_settings_file_is_found(path, tmp_path, capsys):
    settings = tmp_path / "hub.toml"
    settings.write_text(f'[hub]\nsite = "north"\nname = "room-3"\nstate_dir = "{path.parent}"\n')
    assert main(["journal", "verify", "--config", str(settings)]) == 0
    assert json.loads(capsys.readouterr().out)["checked"] == 3


def export(path, capsys):
    assert main(["journal", "export", "--store", str(path)]) == 0
    exported = path.with_suffix(".jsonl")
    exported.write_text(capsys.readouterr().out)
    return exported


def verified(exported, capsys):
    code = main(["journal", "verify", "--exported", str(exported)])
    return code, json.loads(capsys.readouterr().out)


def test_an_exported_journal_verifies_without_the_store(path, capsys):
    exported = export(path, capsys)
    path.unlink()
    assert verified(exported, capsys)[1]["checked"] == 3


def test_a_change_in_an_exported_journal_is_found(path, capsys):
    exported = export(path, capsys)
    exported.write_text(exported.read_text().replace('"result_id":"second"', '"result_id":"third"'))
    code, found = verified(exported, capsys)
    assert (code, found["flaw"], found["sequence"]) == (1, "altered", 2)


def test_an_exported_journal_cut_short_is_found(path, capsys):
    exported = export(path, capsys)
    exported.write_text("".join(exported.read_text().splitlines(keepends=True)[:-1]))
    code, found = verified(exported, capsys)
    assert (code, found["flaw"], found["sequence"]) == (1, "truncated", 3)


def test_an_exported_journal_that_was_purged_verifies_from_there(tmp_path, capsys):
    path = tmp_path / FILE_NAME

    async def purged():
        async with await Store.open(path, clock=ManualClock()) as store:
            await store.append([happened(str(n)) for n in range(SEGMENT_ENTRIES)])
            await store.append([happened("left")])
            await store.keep_snapshot(Snapshot(SEGMENT_ENTRIES, b""))
            return await store.purge(ManualClock().now(), 0)

    assert asyncio.run(purged()).entries == SEGMENT_ENTRIES
    code, found = verified(export(path, capsys), capsys)
    assert (code, found["checked"]) == (0, 1)


def test_what_is_no_export_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("nothing of the kind\n")
    assert main(["journal", "verify", "--exported", str(tmp_path / "file")]) == 2
    assert "not an exported journal" in capsys.readouterr().err
