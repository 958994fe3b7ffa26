"""Whatever writers, kills and refusals do, in whatever order: no file is lost, none is doubled."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drivers.model import Instant
from drivers.transports.drop_folder import OURS, DropFolder, FolderRules

RULES = FolderRules(settle_s=2.0, max_bytes=100)
LARGE = 101


class AnyCourseOfFiles(RuleBasedStateMachine):
    """Files are told apart by their content; a run of the hub ends in order, or by a kill."""

    def __init__(self):
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="folder-course-"))
        self.seconds = 0.0
        self.whole = []
        self.done = []
        self.hand = []
        self.count = 0
        self.start()

    def now(self):
        return Instant(0, round(self.seconds * 1e9), trusted=True)

    def start(self):
        self.folder = DropFolder(self.path, RULES, self.now)
        self.folder.open()

    def content(self, *, large=False):
        self.count += 1
        return f"<{self.count}>".encode().ljust(LARGE if large else 8, b".")

    @rule(large=st.booleans(), name=st.sampled_from(["{}.scp", "Doe_{}.SCP", "{}"]))
    def a_file_is_renamed_into_place(self, large, name):
        data = self.content(large=large)
        aside = self.path / f"{self.count}.part"
        aside.write_bytes(data)
        aside.rename(self.path / name.format(self.count))
        self.whole.append(data)

    @rule()
    def a_file_is_copied_at_once(self):
        data = self.content()
        (self.path / f"{self.count}.scp").write_bytes(data)
        self.whole.append(data)

    @rule()
    def a_link_is_left(self):
        self.count += 1
        (self.path / f"{self.count}.scp").symlink_to("/etc/hostname")

    @rule(seconds=st.sampled_from([0.0, 1.0, 2.0, 10.0]))
    def the_hub_looks(self, seconds):
        self.seconds += seconds
        file = self.folder.next()
        if file is not None:
            assert file.data in self.whole
            assert file.claim not in {each.claim for each in self.hand}
            self.hand.append(file)

    @precondition(lambda self: self.hand)
    @rule()
    def what_it_holds_is_durable(self):
        file = self.hand.pop(0)
        self.folder.done(file.claim)
        self.done.append(file.data)

    @precondition(lambda self: self.hand)
    @rule()
    def it_cannot_be_used(self):
        file = self.hand.pop(0)
        self.folder.set_aside(file.claim, "unreadable", file.data)

    @rule(killed=st.booleans())
    def the_hub_ends_and_starts_again(self, killed):
        if killed:
            self.folder._given.clear()
        self.folder.close()
        self.hand.clear()
        self.start()

    @invariant()
    def every_file_is_in_one_place_and_whole(self):
        ours = self.path / OURS
        places = [*self.path.iterdir(), *(ours / "claimed").iterdir()]
        places += [each for each in (ours / "quarantine").iterdir() if each.suffix == ".file"]
        there = [each.read_bytes() for each in places if each.is_file() and not each.is_symlink()]
        assert sorted(there + self.done) == sorted(self.whole)

    @invariant()
    def what_was_set_aside_has_a_reason(self):
        quarantine = self.path / OURS / "quarantine"
        files = {each.stem for each in quarantine.iterdir() if each.suffix == ".file"}
        assert files == {each.stem for each in quarantine.iterdir() if each.suffix == ".txt"}

    def teardown(self):
        """Leave nothing behind."""
        self.hand.clear()
        self.folder.close()
        shutil.rmtree(self.path)


TestAnyCourseOfFiles = AnyCourseOfFiles.TestCase
TestAnyCourseOfFiles.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
