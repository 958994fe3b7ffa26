import pytest

from drivers.errors import SettingsError
from edge.fixtures import MANIFEST, describe, manifest_text, read_manifest, refresh_manifest

CASE = (
    'driver = "nonin"\norigin = "hardware"\ndevice = "Xpod"\n'
    'licence = "CC0-1.0"\ndeidentified = "nothing to remove"\n'
)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def root(tmp_path):
    case = tmp_path / "captures" / "nonin" / "at-rest"
    case.mkdir(parents=True)
    (case / "case.toml").write_text(CASE)
    (case / "wire.cap").touch()
    (tmp_path / "README.md").write_text("what this is")
    (tmp_path / "ecg" / "one").mkdir(parents=True)
    (tmp_path / "ecg" / "one" / "record.scp").touch()
    return tmp_path


def test_every_file_but_the_manifest_and_its_readme_has_its_hash(root):
    refresh_manifest(root)
    manifest = read_manifest(root)
    assert {folder: set(entry.sha256) for folder, entry in manifest.items()} == {
        "captures/nonin/at-rest": {"case.toml", "wire.cap"},
        "ecg/one": {"record.scp"},
    }
    assert manifest["captures/nonin/at-rest"].sha256["wire.cap"] == EMPTY


def test_the_words_of_a_capture_are_those_of_its_case(root):
    refresh_manifest(root)
    entry = read_manifest(root)["captures/nonin/at-rest"]
    assert (entry.origin, entry.licence, entry.deidentified) == (
        "hardware",
        "CC0-1.0",
        "nothing to remove",
    )


def test_words_written_by_hand_stay_when_hashes_are_made_anew(root):
    refresh_manifest(root)
    path = root / MANIFEST
    text = path.read_text().replace('licence = ""', 'licence = "Apache \\"2.0\\""')
    path.write_text(text)
    (root / "ecg" / "one" / "record.scp").write_bytes(b"x")
    refresh_manifest(root)
    entry = read_manifest(root)["ecg/one"]
    assert entry.licence == 'Apache "2.0"'
    assert entry.sha256["record.scp"] != EMPTY


def test_making_it_anew_changes_nothing_where_nothing_changed(root):
    refresh_manifest(root)
    once = (root / MANIFEST).read_text()
    refresh_manifest(root)
    assert (root / MANIFEST).read_text() == once


def test_a_file_that_was_added_shows(root):
    refresh_manifest(root)
    (root / "captures" / "nonin" / "at-rest" / "expected.jsonl").touch()
    assert manifest_text(describe(root, read_manifest(root))) != (root / MANIFEST).read_text()


def test_a_folder_that_is_gone_is_gone_from_the_manifest(root):
    refresh_manifest(root)
    (root / "ecg" / "one" / "record.scp").unlink()
    assert "ecg/one" not in describe(root, read_manifest(root))


def test_a_manifest_that_is_wrong_names_the_key(root):
    (root / MANIFEST).write_text('["ecg/one"]\nlicense = "x"\n')
    with pytest.raises(SettingsError, match="license"):
        read_manifest(root)
