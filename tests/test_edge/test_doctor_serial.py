"""What the doctor says of ports and of the hub that runs, each with what to do."""

import json
import os
import socket
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.schema import Instrument
from drivers.transports import ports
from drivers.transports.ports import Port, permission_remedy
from edge.verbs import doctor_serial
from edge.verbs.doctor_hub import look_at_hub
from edge.verbs.doctor_serial import look_at_instrument, look_at_ports
from edge.verbs.findings import Level


@pytest.fixture
def pty():
    ends = os.openpty()
    yield os.ttyname(ends[1])
    for end in ends:
        os.close(end)


@pytest.fixture
def free_pty(pty, monkeypatch):
    """A pty that nobody seems to hold: its other end is in this process."""
    monkeypatch.setattr(doctor_serial, "holder", lambda _: None)
    return pty


def at(link):
    return Instrument(driver="ivy-450c", link=link)


def levels(findings):
    return [finding.level for finding in findings]


def test_an_instrument_at_a_port_that_may_be_used_is_right(free_pty):
    (finding,) = look_at_instrument("monitor", at(f"serial:{free_pty}"))
    assert finding.level is Level.OK
    assert "Ivy 450C" in finding.what


def test_a_port_in_use_by_another_program_is_wrong_by_the_hub_itself_is_right(pty, monkeypatch):
    monkeypatch.setattr(doctor_serial, "holder", lambda _: "minicom (process 7)")
    (finding,) = look_at_instrument("monitor", at(f"serial:{pty}"))
    assert (finding.level, finding.remedy) == (Level.WRONG, "stop it")
    assert "minicom (process 7)" in finding.what
    monkeypatch.setattr(doctor_serial, "holder", lambda _: "vitals-edge (process 9)")
    assert levels(look_at_instrument("monitor", at(f"serial:{pty}"))) == [Level.OK]


def test_a_number_that_is_given_out_anew_is_a_note_with_the_link_to_write():
    socket_name = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.0-port0"
    known = [Port("/dev/ttyUSB0", by_path=socket_name)]
    (finding,) = doctor_serial._name_of("monitor", Path("/dev/ttyUSB0"), known)
    assert (finding.level, finding.remedy) == (Level.NOTE, f'link = "serial:{socket_name}"')
    assert list(doctor_serial._name_of("monitor", Path(socket_name), known)) == []


@pytest.mark.parametrize(
    ("group", "members", "said"),
    [
        ("dialout", [], "usermod -aG dialout {user}"),
        ("dialout", ["{user}"], "log in again"),
        ("plugdev", [], "udev rules of config/deploy"),
        ("root", [], "udev rules of config/deploy"),
    ],
)
def test_no_permission_says_exactly_what_to_do(tmp_path, monkeypatch, group, members, said):
    user = ports._user()
    monkeypatch.setattr(ports, "_group", lambda _: group)
    monkeypatch.setattr(ports, "_members", lambda _: [m.format(user=user) for m in members])
    assert said.format(user=user) in permission_remedy(str(tmp_path))


def test_a_port_that_the_kernel_talks_on_is_a_note(tmp_path):
    for folder in ("dev", "proc", "sys/class/tty/ttyAMA0"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dev/ttyAMA0").touch()
    (tmp_path / "proc/cmdline").write_text("console=ttyAMA0,115200 root=/dev/mmcblk0p2\n")
    findings = list(look_at_ports(None, tmp_path))
    assert any("kernel's console" in finding.what for finding in findings)


def test_a_machine_without_ports_is_right(tmp_path):
    assert levels(look_at_ports(None, tmp_path)) == [Level.OK]


@contextmanager
def hub(folder, answer):
    """A hub at whose door one question is answered."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(folder / "control.sock"))
        door.listen()

        def serve():
            line, _ = door.accept()
            with line:
                line.recv(1000)
                line.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        yield
        serving.join()


def instrument(state, reason="", **counters):
    return {"name": "cuff", "driver": "maibobo", "state": state, "reason": reason} | {
        "counters": counters
    }


@pytest.mark.parametrize(
    ("said", "level"),
    [
        (instrument("streaming", frames=7), Level.OK),
        (instrument("silent"), Level.OK),
        (instrument("silent", "the stream stopped"), Level.NOTE),
        (instrument("absent", "not there; is it plugged in?"), Level.NOTE),
        (instrument("wrong-instrument", "not understood: wrong baud"), Level.WRONG),
        (instrument("refused", "in use by minicom"), Level.WRONG),
    ],
)
def test_the_running_hub_says_how_each_instrument_is_and_nobodys_name(tmp_path, said, level):
    view = {"ok": True, "result": {"patient": ["Example, Erika", "1964"], "instruments": [said]}}
    with hub(tmp_path, json.dumps(view).encode() + b"\n"):
        (finding,) = look_at_hub(tmp_path)
    assert (finding.level, finding.remedy) == (level, said["reason"])
    assert said["state"] in finding.what
    assert "Erika" not in finding.what


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b'{"ok": false, "error": "no"}\n'])
def test_a_hub_that_does_not_answer_is_a_note(tmp_path, answer):
    with hub(tmp_path, answer):
        assert levels(look_at_hub(tmp_path)) == [Level.NOTE]


def test_a_hub_that_does_not_run_is_not_spoken_of(tmp_path):
    assert list(look_at_hub(tmp_path)) == []
