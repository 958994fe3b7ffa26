"""Files left in a folder: taken whole, claimed once, found again, set aside with a reason."""

import asyncio
import errno
import os
import socket
from contextlib import suppress

import pytest

from drivers.contract import FileSetAside
from drivers.errors import LinkLost, LinkNotFound, LinkRefused
from drivers.model import Instant
from drivers.transports import drop_folder
from drivers.transports.drop_folder import OURS, RUNS, DropFolder, FolderRules
from drivers.transports.folder import FolderLink
from drivers.virtual.ecg_cart import leave

SETTLE_S = 2.0
RULES = FolderRules(settle_s=SETTLE_S, poll_s=0.01, max_bytes=1000)
NAME = "Okonkwo_Adaeze_1961.scp"


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def now(self):
        ns = round(self.seconds * 1e9)
        return Instant(1_767_600_000 * 10**9 + ns, ns, trusted=True)


class Hub:
    """One run of a hub after the other on the same folder."""

    def __init__(self, path):
        self.path = path
        self.clock = Clock()
        self.folder = None
        self.start()

    def start(self, rules=RULES):
        self.folder = DropFolder(self.path, rules, self.clock.now)
        self.folder.open()

    def kill(self):
        """End a run as the kernel would: descriptors close, nothing else happens."""
        self.folder._given.clear()
        self.folder.close()

    def look(self, after_s=0.0):
        self.clock.seconds += after_s
        return self.folder.next()

    def take(self):
        """Look until a settled file must have been seen."""
        first = self.look()
        return first if first is not None else self.look(after_s=SETTLE_S)

    def quarantine(self):
        files = sorted((self.path / OURS / "quarantine").iterdir())
        return [path.name for path in files], [
            path.read_text() for path in files if path.suffix == ".txt"
        ]

    def claimed(self):
        return [path.name for path in (self.path / OURS / "claimed").iterdir()]


@pytest.fixture
def hub(tmp_path):
    made = Hub(tmp_path)
    yield made
    made.folder.close()


def names_in(path):
    return {each.name for each in path.iterdir()} - {OURS}


def test_a_file_is_taken_when_it_has_been_the_same_for_a_while(hub):
    (hub.path / NAME).write_bytes(b"ECG")
    assert hub.look() is None
    assert hub.look(after_s=SETTLE_S / 2) is None
    assert hub.look(after_s=SETTLE_S / 2).data == b"ECG"
    assert names_in(hub.path) == set()


def test_a_slow_copy_is_not_taken_before_its_end(hub):
    with (hub.path / NAME).open("wb", buffering=0) as copy:
        for _ in range(5):
            copy.write(b"piece ")
            assert hub.look(after_s=SETTLE_S * 0.9) is None
    assert hub.look(after_s=SETTLE_S).data == b"piece " * 5


def test_a_file_renamed_into_place_is_taken_at_once(hub):
    unfinished = hub.path / f"{NAME}.part"
    unfinished.write_bytes(b"ECG")
    assert hub.look() is None
    assert hub.look(after_s=10 * SETTLE_S) is None
    unfinished.rename(hub.path / NAME)
    assert hub.look().data == b"ECG"


def test_a_file_that_only_has_the_number_of_one_before_is_no_renamed_file(hub, monkeypatch):
    real = os.stat

    def same_inode(*args, **more):
        found = list(real(*args, **more))
        found[1] = 7
        return os.stat_result(found, {"st_mtime_ns": real(*args, **more).st_mtime_ns})

    (hub.path / "one.scp").write_bytes(b"first")
    monkeypatch.setattr(drop_folder.os, "stat", same_inode)
    assert hub.look() is None
    (hub.path / "one.scp").unlink()
    (hub.path / "two.scp").write_bytes(b"half of an")
    assert hub.look() is None


@pytest.mark.parametrize("name", [".hidden.scp", "a.tmp", "a.PART", "a.scp~", "a.filepart"])
def test_what_is_hidden_or_unfinished_is_left_alone(hub, name):
    (hub.path / name).write_bytes(b"ECG")
    assert hub.take() is None
    assert names_in(hub.path) == {name}


def test_empty_files_and_folders_are_left_alone(hub):
    (hub.path / "empty.scp").touch()
    (hub.path / "folder").mkdir()
    assert hub.take() is None
    assert names_in(hub.path) == {"empty.scp", "folder"}


def test_files_are_taken_oldest_first_and_each_once(hub):
    for second, name in enumerate("cab"):
        (hub.path / name).write_bytes(name.encode())
        os.utime(hub.path / name, (second, second))
    hub.take()
    taken = [hub.look() for _ in range(3)]
    assert [file and file.data for file in taken] == [b"a", b"b", None]


def test_nothing_of_a_files_name_is_kept(hub):
    (hub.path / NAME).write_bytes(b"ECG")
    file = hub.take()
    hub.folder.set_aside(file.claim, "unreadable", file.data)
    names, reasons = hub.quarantine()
    said = " ".join([file.claim, *names, *reasons, repr(file)])
    assert "Okonkwo" not in said
    assert "1961" not in said
    assert "ECG" not in said


def test_a_file_that_is_done_with_is_gone(hub):
    (hub.path / NAME).write_bytes(b"ECG")
    hub.folder.done(hub.take().claim)
    assert (names_in(hub.path), hub.claimed()) == (set(), [])


def test_a_file_set_aside_keeps_its_bytes_and_the_reason(hub):
    (hub.path / NAME).write_bytes(b"ECG")
    file = hub.take()
    hub.folder.set_aside(file.claim, "no ECG file (at byte 0)", file.data)
    names, (reason,) = hub.quarantine()
    assert [name.partition(".")[2] for name in names] == ["file", "txt"]
    assert (hub.path / OURS / "quarantine" / names[0]).read_bytes() == b"ECG"
    assert "reason: no ECG file (at byte 0)\n" in reason
    assert "set aside: 2026-01-05T08:00:02+00:00\n" in reason


def test_a_claimed_file_is_found_again_after_a_kill(hub):
    (hub.path / NAME).write_bytes(b"ECG")
    first = hub.take()
    hub.kill()
    hub.start()
    again = hub.look()
    assert (again.data, again.claim.partition(".")[0]) == (b"ECG", first.claim.partition(".")[0])


def test_a_file_in_hand_at_every_kill_is_set_aside_unread(hub):
    (hub.path / NAME).write_bytes(b"ECG")
    hub.take()
    for _ in range(RUNS - 1):
        hub.kill()
        hub.start()
        assert hub.look().data == b"ECG"
    hub.kill()
    hub.start()
    assert hub.look() is None
    _, (reason,) = hub.quarantine()
    assert f"the hub was killed {RUNS} times while it had this file in hand" in reason


def test_orderly_stops_are_not_counted_against_a_file(hub):
    (hub.path / NAME).write_bytes(b"ECG")
    hub.take()
    for _ in range(2 * RUNS):
        hub.folder.close()
        hub.start()
        assert hub.look().data == b"ECG"


def test_a_kill_while_a_file_is_set_aside_leaves_it_to_be_done_again(hub, monkeypatch):
    (hub.path / NAME).write_bytes(b"ECG")
    file = hub.take()
    fsync, calls = os.fsync, []

    def dying(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:  # the reason is written, the file not yet moved
            raise KeyboardInterrupt
        fsync(descriptor)

    monkeypatch.setattr(drop_folder.os, "fsync", dying)
    with suppress(KeyboardInterrupt):
        hub.folder.set_aside(file.claim, "unreadable", file.data)
    monkeypatch.undo()
    hub.kill()
    hub.start()
    again = hub.look()
    hub.folder.set_aside(again.claim, "unreadable", again.data)
    names, _ = hub.quarantine()
    assert sorted(name.rpartition(".")[2] for name in names if "part" not in name) == [
        "file",
        "txt",
    ]


def test_a_file_that_is_too_large_is_set_aside_unread(hub):
    (hub.path / NAME).write_bytes(bytes(1001))
    assert hub.take() is None
    _, (reason,) = hub.quarantine()
    assert "1001 bytes; the settings allow 1000 (max_bytes)" in reason


def test_a_file_that_may_not_be_read_is_set_aside_with_what_to_do(hub, monkeypatch):
    def refused(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied")

    (hub.path / NAME).write_bytes(b"ECG")
    hub.look()
    with monkeypatch.context() as patched:
        real = os.open
        patched.setattr(
            drop_folder.os,
            "open",
            lambda name, flags, *args, **more: (
                real(name, flags, *args, **more) if "." not in name or "txt" in name else refused()
            ),
        )
        assert hub.look(after_s=SETTLE_S) is None
    _, (reason,) = hub.quarantine()
    assert "let the cart write files that its group can read" in reason


def test_links_and_devices_are_set_aside_and_never_followed(hub, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_bytes(b"secret")
    (hub.path / "link.scp").symlink_to(secret)
    os.mkfifo(hub.path / "pipe.scp")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(hub.path / "socket.scp"))
    assert hub.take() is None
    listening.close()
    names, reasons = hub.quarantine()
    assert len(names) == 6
    assert all("not a file: a link, a device or the like" in reason for reason in reasons)
    assert secret.read_bytes() == b"secret"
    assert names_in(hub.path) == set()


def test_a_file_written_on_after_it_was_read_is_read_again_and_not_set_aside(hub):
    path = hub.path / NAME
    with path.open("wb", buffering=0) as slow:
        slow.write(b"half ")
        file = hub.take()
        assert file.data == b"half "
        slow.write(b"an ECG")
        hub.folder.set_aside(file.claim, "cut off", file.data)
    assert hub.look().data == b"half an ECG"
    assert hub.quarantine() == ([], [])


def test_a_full_quarantine_stops_the_taking_and_says_so(hub, monkeypatch):
    monkeypatch.setattr(drop_folder, "QUARANTINE_MAX", 1)
    (hub.path / NAME).write_bytes(b"ECG")
    file = hub.take()
    hub.folder.set_aside(file.claim, "unreadable", file.data)
    (hub.path / "next").write_bytes(b"ECG")
    with pytest.raises(LinkRefused, match=r"1 files in .*empty it"):
        hub.take()
    assert names_in(hub.path) == {"next"}


async def test_a_folder_that_is_not_there_says_what_to_do(tmp_path):
    with pytest.raises(LinkNotFound, match="there is no such folder; make it or mount it"):
        await FolderLink.open(tmp_path / "none", RULES, Clock().now)


async def test_a_folder_has_one_hub(tmp_path):
    clock = Clock()
    link = await FolderLink.open(tmp_path, RULES, clock.now)
    with pytest.raises(LinkRefused, match="in use by another instrument or hub"):
        await FolderLink.open(tmp_path, RULES, clock.now)
    await link.close()
    await (await FolderLink.open(tmp_path, RULES, clock.now)).close()


async def test_a_work_folder_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / OURS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LinkRefused, match=f"must own {OURS}"):
        await FolderLink.open(tmp_path / "drop", RULES, Clock().now)


async def test_the_link_yields_what_is_left_and_is_lost_with_the_folder(tmp_path):
    clock = Clock()
    link = await FolderLink.open(tmp_path, FolderRules(settle_s=0.0, poll_s=0.001), clock.now)
    waiting = asyncio.ensure_future(anext(link))
    leave(b"ECG", tmp_path)
    file = await waiting
    assert file.data == b"ECG"
    await link.done(file)
    await link.close()
    with pytest.raises(LinkLost):
        await anext(link)


async def test_the_link_tells_of_a_file_that_it_sets_aside_unread_and_goes_on(tmp_path):
    rules = FolderRules(settle_s=0.0, poll_s=0.001, max_bytes=1024)
    link = await FolderLink.open(tmp_path, rules, Clock().now)
    leave(b"x" * 2000, tmp_path, "Example_Ida.scp")
    told = await anext(link)
    assert isinstance(told, FileSetAside)
    assert "1024" in told.reason
    assert "Ida" not in told.reason
    leave(b"ECG", tmp_path)
    assert (await anext(link)).data == b"ECG"
    await link.close()
