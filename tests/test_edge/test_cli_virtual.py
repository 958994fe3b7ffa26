import asyncio
import signal
import sys

from drivers.contract import SerialLine
from drivers.model import Instant
from drivers.transports.address import open_link
from edge import cli

AT = Instant(0, 0, trusted=False)
LINE = SerialLine(baud=9600)


async def test_a_person_can_run_one_by_name(tmp_path):
    link = tmp_path / "monitor"
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.cli", "virtual", "ivy-450c", "--path", link),
        stderr=asyncio.subprocess.PIPE,
    )
    assert str(link).encode() in await running.stderr.readline()
    async with open_link(f"serial:{link}", LINE, lambda: AT) as opened:
        assert (await anext(opened)).data
    running.send_signal(signal.SIGTERM)
    assert await running.wait() == 0
    assert not link.is_symlink()


def test_a_file_in_the_way_of_the_link_is_left_alone(tmp_path, capsys):
    (tmp_path / "notes").write_text("mine")
    assert cli.main(["virtual", "ivy-450c", "--path", str(tmp_path / "notes")]) == 2
    assert "is not a link" in capsys.readouterr().err
    assert (tmp_path / "notes").read_text() == "mine"


async def test_a_cart_leaves_its_recordings_in_a_folder(tmp_path):
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.cli", "virtual", "ecg-folder", "--path", tmp_path),
        stderr=asyncio.subprocess.PIPE,
    )
    assert f"folder:{tmp_path}".encode() in await running.stderr.readline()
    running.send_signal(signal.SIGTERM)
    assert await running.wait() == 0


def test_a_cart_wants_a_folder(tmp_path, capsys):
    assert cli.main(["virtual", "ecg-folder", "--path", str(tmp_path / "none")]) == 2
    assert "name a folder with --path" in capsys.readouterr().err


def test_what_is_reached_by_cable_only_is_not_on_the_air(capsys):
    assert cli.main(["virtual", "ble-oximeter", "ivy-450c"]) == 2
    assert "ivy-450c is not reached by Bluetooth" in capsys.readouterr().err


def test_an_unknown_scenario_is_answered_with_those_there_are(capsys):
    assert cli.main(["virtual", "--scenario", "haunted"]) == 2
    assert "haunted; there are every-cuff-flag" in capsys.readouterr().err
