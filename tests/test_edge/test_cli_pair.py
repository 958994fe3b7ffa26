"""What the verb `pair` refuses, and what it says where there is no Bluetooth."""

import pytest

from edge.cli import NOT_DONE, main


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--again"], "give the address"),
        (["--remove"], "give the address"),
        (["C0:11:22:33:44"], "write ble: and the address"),
        (["a cuff"], "write ble: and the address"),
        (["C0:11:22:33:44:55", "--scan"], "not both"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_write(capsys, args, said):
    assert main(["pair", *args]) == NOT_DONE
    assert said in capsys.readouterr().err


def test_a_machine_without_a_bus_is_told_what_is_missing(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert main(["pair"]) == NOT_DONE
    assert "no system bus" in capsys.readouterr().err


def test_doctor_says_what_to_install_for_the_bluetooth_that_the_settings_name(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    settings = tmp_path / "hub.toml"
    settings.write_text(
        f'[hub]\nsite = "a"\nname = "b"\nstate_dir = "{tmp_path}"\n'
        '[instruments.cuff]\ndriver = "ble-blood-pressure"\nlink = "ble:C0:11:22:33:44:55"\n'
    )
    assert main(["doctor", "--config", str(settings)]) == 1
    out = capsys.readouterr().out
    assert "WRONG Bluetooth: no system bus" in out
    assert "apt-get install dbus bluez" in out
