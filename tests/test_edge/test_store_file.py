"""A store's file that cannot be used is said to be so, with what to do, and is left as it is."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

from edge.clock import ManualClock
from edge.events import Discarded
from edge.observation import Moment, Subject
from edge.store import Store, StoreError

AT = Moment(0, 0, trusted=True, era="boot")


async def write(path, texts=("one", "two")):
    """Make a store with some events and return its head."""
    async with await Store.open(path, clock=ManualClock()) as store:
        for text in texts:
            await store.append([Discarded(at=AT, item=1, person=text, reason="")])
        return store.head


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "hub" / "store.db"
    await write(path)
    return path


async def refused(path, words):
    """Open a store in vain; return whether its file is as it was."""
    before = path.read_bytes()
    with pytest.raises(StoreError, match=words) as caught:
        await Store.open(path, clock=ManualClock())
    assert str(path) in str(caught.value)
    return path.read_bytes() == before


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


async def test_nobody_else_can_read_the_store(path):
    async with await Store.open(path, clock=ManualClock()):
        modes = {file.name: mode(file) for file in path.parent.iterdir()}
    assert (mode(path.parent), set(modes.values())) == (0o700, {0o600})
    assert {"store.db", "store.db-wal"} <= modes.keys()


async def test_a_store_that_others_could_read_is_closed_to_them(path):
    path.chmod(0o644)
    await write(path)
    assert mode(path) == 0o600


async def test_garbage_is_not_taken_for_a_store(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"no database, but somebody's file")
    assert await refused(path, "is not a store of vitals-edge: move the file away")


async def test_an_emptied_file_is_not_taken_for_a_new_store(path):
    path.write_bytes(b"")
    assert await refused(path, "is empty: move the file away")


@pytest.mark.parametrize("left", [100, 4096, 20_000])
async def test_a_truncated_file_is_said_to_be_damaged(path, left):
    path.write_bytes(path.read_bytes()[:left])
    assert await refused(path, "is damaged .*restore a copy")


async def test_a_scrambled_file_is_said_to_be_damaged(path):
    data = bytearray(path.read_bytes())
    data[100:] = bytes(255 - byte for byte in data[100:])
    path.write_bytes(data)
    assert await refused(path, "is damaged|of another program")


async def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "store.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    assert await refused(path, "is a database of another program")


async def test_a_file_of_newer_software_is_left_alone(path):
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 4")
    other.close()
    assert await refused(path, "written by newer software .*install that software again")


async def test_events_of_newer_software_are_left_alone(path):
    other = sqlite3.connect(path)
    with other:
        other.execute("UPDATE segments SET schema = 3")
    other.close()
    assert await refused(path, "events of schema 3, .*install that software again")


async def test_events_of_older_software_get_a_segment_of_their_own(path):
    other = sqlite3.connect(path)
    with other:
        other.execute("UPDATE segments SET schema = 1")
    other.close()
    await write(path, ["three"])
    other = sqlite3.connect(path)
    found = other.execute("SELECT schema, first, last FROM segments").fetchall()
    other.close()
    assert found == [(1, 1, 2), (2, 3, None)]
    async with await Store.open(path, clock=ManualClock()) as store:
        assert (await store.verify()).checked == 3


@pytest.fixture
async def older(path):
    """A store as version 1 left it, with a patient in it."""
    async with await Store.open(path, clock=ManualClock()) as store:
        await store.append([], subjects=[("key", Subject("Patient/17", ("Name", "1961-02-28")))])
    other = sqlite3.connect(path)
    with other:
        other.execute("DROP TABLE studies")
        other.execute("ALTER TABLE subjects DROP COLUMN identifiers")
        other.execute("ALTER TABLE raw DROP COLUMN identity")
        other.execute("UPDATE segments SET schema = 1")
        other.execute("PRAGMA user_version = 1")
    other.close()
    return path


async def test_a_store_of_older_software_is_brought_up_to_date_with_all_that_is_in_it(older):
    async with await Store.open(older, clock=ManualClock()) as store:
        assert await store.subject("key") == Subject("Patient/17", ("Name", "1961-02-28"))
        assert not await store.has_original("00")
        await store.append([Discarded(at=AT, item=1, person="three", reason="")])
        assert (await store.verify()).checked == 3
    async with await Store.open_to_read(older) as store:
        assert (await store.verify()).checked == 3


async def test_a_store_of_older_software_is_not_read_before_the_service_was_started(older):
    before = older.read_bytes()
    with pytest.raises(StoreError, match=r"written by older software .*start the service once"):
        await Store.open_to_read(older)
    assert older.read_bytes() == before


async def test_a_store_of_another_journal_is_left_alone(path):
    with pytest.raises(StoreError, match=r"holds the journal .*name another file"):
        await Store.open(path, clock=ManualClock(), journal=uuid.UUID(int=1))


async def test_a_second_writer_is_kept_out(path):
    async with await Store.open(path, clock=ManualClock()):
        with pytest.raises(StoreError, match="is in use by another vitals-edge"):
            await Store.open(path, clock=ManualClock())
    await write(path)


async def test_a_refused_store_can_be_opened_once_it_is_put_right(path):
    good = path.read_bytes()
    path.write_bytes(b"")
    assert await refused(path, "is empty")
    path.write_bytes(good)
    assert (await write(path)).sequence == 4


async def test_the_log_of_a_store_that_is_gone_never_gets_into_a_new_one(path):
    path.with_name("store.db-wal").write_bytes(b"what is left of it")
    path.unlink()
    with pytest.raises(StoreError, match=r"is gone, but its log store\.db-wal is there"):
        await Store.open(path, clock=ManualClock())
    assert not path.exists()


async def test_a_birth_that_was_cut_short_is_begun_anew(tmp_path):
    path = tmp_path / "store.db"
    for left in ("store.db-new", "store.db-new-journal"):
        (tmp_path / left).write_bytes(b"half of it")
    assert (await write(path)).sequence == 2
    assert not (tmp_path / "store.db-new").exists()


async def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=r"cannot be used: .*own the folder"):
        await Store.open(tmp_path / "file" / "store.db", clock=ManualClock())


async def test_looking_at_a_store_that_is_not_there_makes_none(tmp_path):
    with pytest.raises(StoreError, match="there is no store at"):
        await Store.open_to_read(tmp_path / "store.db")
    assert list(tmp_path.iterdir()) == []


UNPRIVILEGED = """
import asyncio, os, sys
from pathlib import Path
from edge.clock import ManualClock
from edge.store import Store, StoreError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    asyncio.run(Store.open(Path(sys.argv[1]), clock=ManualClock()))
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_that_must_not_be_written_is_named(exists):
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders let no other user through
        folder = Path(name)
        path = folder / "store.db"
        if exists:
            asyncio.run(write(path))
            path.chmod(0o444)
            path.with_name("store.db-lock").unlink()
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, path], capture_output=True, text=True, check=True
        )
        folder.chmod(0o700)
    assert f"{path} cannot be used: Permission denied" in done.stdout


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from edge.clock import ManualClock
from edge.events import Discarded
from edge.observation import Moment
from edge.store import Store, StoreError

def event(text):
    return Discarded(at=Moment(0, 0, True, "e"), item=1, person=text, reason="")

async def main():
    store = await Store.open(Path(sys.argv[1]), clock=ManualClock())
    await store.append([event("before")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    for text in ("x" * 100_000, "small"):
        try:
            await store.append([event(text)])
        except StoreError as error:
            print(type(error).__name__, error)
    print(len([1 async for _ in store.recorded()]))

asyncio.run(main())
"""


async def look(path):
    async with await Store.open(path, clock=ManualClock()) as store:
        return [r.event.person async for r in store.recorded()], (await store.verify()).intact


def test_after_a_failing_disk_nothing_is_written_until_the_next_start(tmp_path):
    path = tmp_path / "store.db"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path], capture_output=True, text=True, check=True
    )
    first, second, count = done.stdout.splitlines()
    assert first.startswith("StoreError")
    assert "start again once the disk is well" in second
    assert count == "1"
    assert asyncio.run(look(path)) == (["before"], True)
