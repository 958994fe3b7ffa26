import json
import tomllib

import pytest

from config.load import parse
from drivers.errors import LinkNotFound
from drivers.registry import REGISTRY, LinkKind
from drivers.virtual.pty_port import PtyPort, on_a_thread
from edge import cli
from edge.assembly import plans
from edge.clock import SystemClock
from edge.detecting import Candidate, Found, Sure
from edge.verbs.detect import settings_block

HEAD = '[hub]\nsite = "clinic"\nname = "room-3"\n'


@pytest.fixture
def oximeter():
    entry = REGISTRY["nonin"]
    with on_a_thread(PtyPort(entry.simulator()(1), entry.line), SystemClock()) as port:
        yield f"serial:{port.path}"


def test_what_is_found_is_a_json_line_with_settings_that_can_be_pasted(oximeter, capsys):
    assert cli.main(["detect", "--ask", "--port", oximeter.removeprefix("serial:")]) == 0
    out, err = capsys.readouterr()
    (line,) = [json.loads(text) for text in out.splitlines()]
    assert (line["state"], line["driver"], line["sure"]) == ("found", "nonin", "certain")
    assert line["identity"]["serial"] == "501234567"
    assert line["settings"] in err
    assert "VID" not in err
    (plan,) = plans(parse(HEAD + line["settings"], "settings.toml"))
    assert (plan.name, plan.driver, plan.serial) == ("nonin", "nonin", "501234567")
    assert plan.granted == {"identify"}


def test_a_port_with_nothing_at_it_is_exit_1_with_what_to_do(tmp_path, capsys):
    assert cli.main(["detect", "--port", str(tmp_path / "nowhere")]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["state"] == "absent"
    assert "plugged in" in err


def test_a_serial_server_on_another_machine_is_warned_of(capsys, monkeypatch):
    async def nobody(*_):
        raise LinkNotFound("nobody there")

    monkeypatch.setattr("drivers.transports.tcp_port.reached", nobody)
    assert cli.main(["detect", "--port", "socket://192.0.2.7:4001"]) == 1
    assert "encrypted" in capsys.readouterr().err


@pytest.mark.parametrize("args", [("--port", "ttyUSB0"), ("--line", "9600")])
def test_what_is_no_port_and_no_line_is_refused_with_how_to_write_it(args, capsys):
    assert cli.main(["detect", *args]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


def found(name, line=None, socket="x"):
    entry = REGISTRY[name]
    one = Candidate(name, line or entry.line, 9, 90, 0, 1.0, sure=Sure.CERTAIN)
    return Found(f"serial:/dev/serial/by-path/{socket}", "found", candidates=(one,))


def test_every_instrument_gets_settings_that_the_hub_accepts():
    names = {}
    serial = [name for name, entry in sorted(REGISTRY.items()) if LinkKind.SERIAL in entry.links]
    blocks = [
        settings_block(found(name, socket=str(number)), names, asked=False)
        for number, name in enumerate(serial + serial)
    ]
    made = plans(parse(HEAD + "\n".join(blocks), "settings.toml"))
    assert len(made) == 2 * len(serial)
    assert all(not plan.granted for plan in made)


def test_another_line_than_the_instruments_own_is_written_down():
    line = REGISTRY["maibobo"].also[0]
    (table,) = tomllib.loads(settings_block(found("maibobo", line), {}, asked=False)).values()
    assert table["maibobo"]["line"] == "9600 8N1"


def test_nothing_found_has_no_settings():
    assert settings_block(Found("serial:/dev/x", "silent"), {}, asked=False) == ""
