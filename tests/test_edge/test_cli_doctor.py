import subprocess
import sys

import pytest

from drivers.transports.drop_folder import OURS
from edge import cli
from edge.verbs import doctor
from edge.verbs.doctor import Level

SETTINGS = """
[hub]
site = "clinic"
name = "room-3"
state_dir = "{state}"

[clock]
trust = "assume"
"""


@pytest.fixture
def settings(tmp_path):
    def write(more="", state=None):
        path = tmp_path / "settings.toml"
        path.write_text(SETTINGS.format(state=state or tmp_path / "state") + more)
        return ["doctor", "--config", str(path)]

    return write


def test_an_installation_like_this_one_is_right(capsys):
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "WRONG" not in out
    assert "nobody else provides config, drivers, dsp, edge" in out


def test_it_says_the_same_from_another_folder(tmp_path):
    got = subprocess.run(
        [sys.executable, "-m", "edge.cli", "doctor"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (got.returncode, got.stderr) == (0, b"")


def test_another_distribution_with_a_package_of_our_name_is_wrong():
    finding = doctor._names({"config": ["config", "vitals-edge"], "edge": ["vitals-edge"]})
    assert finding.level is Level.WRONG
    assert "config of config" in finding.what


def test_packages_from_two_folders_are_wrong(tmp_path):
    places = dict.fromkeys(doctor.PACKAGES, tmp_path)
    assert doctor._one_place(places).level is Level.OK
    assert doctor._one_place(places | {"config": tmp_path / "other"}).level is Level.WRONG
    assert doctor._one_place(places | {"config": None}).level is Level.WRONG


def test_a_hub_with_a_writable_state_folder_is_right(settings, capsys):
    assert cli.main(settings()) == 0
    assert "state is writable" in capsys.readouterr().out


def test_a_state_folder_that_cannot_be_made_is_wrong_with_what_to_do(settings, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert cli.main(settings(state=tmp_path / "file" / "state")) == 1
    assert "to do: install -d -m 0700" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("instrument", "code", "said"),
    [
        ('driver = "ivy-450c"\nlink = "serial:/dev/ttyNowhere"', 0, "/dev/ttyNowhere is not there"),
        (
            'driver = "ivy-450c"\nlink = "rfc2217://10.0.0.7:4001"',
            1,
            "plaintext = true",
        ),
        (
            'driver = "ivy-450c"\nlink = "socket://10.0.0.7:4001"\nplaintext = true',
            0,
            "encrypted, or proves who speaks",
        ),
        ('driver = "ivy-450c"\nlink = "serial:/dev/x"\nline = "9600"', 1, "9600 8N1"),
        ('driver = "ivi"\nlink = "serial:/dev/null"', 1, "no driver is called 'ivi'"),
        ('driver = "ivy-450c"\nlink = "/dev/null"', 1, "meant is perhaps serial:/dev/null"),
        (
            'driver = "ivy-450c"\nlink = "serial:/dev/null"\noptions = { colour = "red" }',
            1,
            "colour",
        ),
    ],
)
def test_each_instrument_of_the_settings_is_looked_at(settings, capsys, instrument, code, said):
    assert cli.main(settings(f"\n[instruments.monitor]\n{instrument}\n")) == code
    assert said in capsys.readouterr().out


def test_settings_that_are_wrong_are_one_line_and_not_done(settings, capsys):
    assert cli.main(settings("colour = 1\n")) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "clock.colour" in err


CART = """
[instruments.cart]
driver = "ecg-folder"
link = "folder:{folder}"
[instruments.cart.options]
{options}
"""


def test_a_carts_folder_is_looked_at_with_its_quarantine_and_its_clock(settings, tmp_path, capsys):
    quarantine = tmp_path / "drop" / OURS / "quarantine"
    quarantine.mkdir(parents=True)
    (quarantine / "1.file").touch()
    (quarantine / "1.txt").touch()
    assert cli.main(settings(CART.format(folder=tmp_path / "drop", options=""))) == 0
    out = capsys.readouterr().out
    assert f"instrument cart: files in {tmp_path / 'drop'}" in out
    assert "1 files in quarantine" in out
    assert "nobody vouches for the cart's clock" in out


def test_a_carts_folder_that_is_not_there_is_said_to_be_missing(settings, tmp_path, capsys):
    vouched = CART.format(folder=tmp_path / "none", options="clock_error_s = 5.0")
    assert cli.main(settings(vouched)) == 0
    out = capsys.readouterr().out
    assert "make the folder, or mount the share" in out
    assert "nobody vouches" not in out
