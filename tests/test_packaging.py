"""What a clinic installs: the wheel, alone, in an environment of its own."""

import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("config", "drivers", "dsp", "edge")
DATA = {
    "config/example.toml",
    "config/deploy/70-vitals-edge.rules",
    "config/deploy/mosquitto.conf",
    "config/deploy/vitals-edge.acl",
    "config/deploy/vitals-edge.service",
    "edge/store/schema_v1.sql",
    *(f"{name}/py.typed" for name in OURS),
}

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", str(folder), str(ROOT), cwd=folder)
    (built,) = folder.glob("vitals_edge-*.whl")
    return built


def test_the_wheel_holds_our_four_packages_with_their_data_and_nothing_else(wheel):
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {name.partition("/")[0] for name in files} == set(OURS)
    assert files >= DATA
    sources = {str(path.relative_to(ROOT)) for name in OURS for path in (ROOT / name).rglob("*.py")}
    assert {name for name in files if name.endswith(".py")} == sources


def test_the_wheel_works_in_a_clean_environment_from_another_folder(wheel, tmp_path):
    home = tmp_path / "venv"
    venv.create(home, with_pip=True, symlinks=True)
    pip = (str(home / "bin/pip"), "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--require-hashes", "--no-deps", "-r", str(ROOT / "requirements.lock"), cwd=tmp_path)
    run(*pip, "--no-deps", str(wheel), cwd=tmp_path)
    run(str(home / "bin/pip"), "check", cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = run(str(home / "bin/vitals-edge"), "doctor", cwd=elsewhere)
    assert str(home) in found, "the program that ran is not the one that was installed"


def test_the_locks_pin_every_version_with_hashes_and_agree_with_each_other():
    pinned = {}
    for lock in sorted(ROOT.glob("requirements*.lock")):
        text = lock.read_text()
        for name, version, rest in re.findall(
            r"^([\w.-]+)==(\S+)((?:.*\\\n)+.*)$", text, re.MULTILINE
        ):
            assert "--hash=sha256:" in rest, f"{lock.name}: {name} has no hash"
            assert pinned.setdefault(name, version) == version, f"{name}: two versions"
        assert len(re.findall(r"^\S", text, re.MULTILINE)) == len(
            re.findall(r"^\S+==\S", text, re.MULTILINE)
        )
    assert pinned
