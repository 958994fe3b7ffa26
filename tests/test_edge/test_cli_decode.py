import json
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.registry import REGISTRY
from edge import cli

FIXTURES = Path(__file__).parents[2] / "fixtures" / "captures"
IVY = FIXTURES / "ivy-450c"


def vitals_edge(*args, stdin=b""):
    return subprocess.run(
        [sys.executable, "-m", "edge.cli", *map(str, args)],
        input=stdin,
        capture_output=True,
        check=False,
    )


@pytest.fixture(scope="module")
def packet():
    """Two seconds of the virtual monitor, as bytes."""
    return REGISTRY["ivy-450c"].simulator()(1).due(3.0)


def types(out):
    return [json.loads(line)["type"] for line in out.splitlines()]


def test_a_measurement_is_one_line_with_exactly_these_keys(tmp_path, packet, capsys):
    (tmp_path / "wire.bin").write_bytes(packet)
    assert cli.main(["decode", "--driver", "ivy-450c", str(tmp_path / "wire.bin")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    pressure = next(line for line in lines if line.get("kind") == "blood-pressure")
    assert list(pressure) == ["type", "kind", "readings", "device_time", "flags"]
    assert list(pressure["readings"][0]) == ["metric", "value", "unit", "status"]
    assert pressure["readings"][0]["metric"] == "systolic"
    assert pressure["readings"][0]["unit"] == "mm[Hg]"


def test_a_waveform_is_one_line_without_its_samples(tmp_path, packet, capsys):
    (tmp_path / "wire.bin").write_bytes(packet)
    cli.main(["decode", "--driver", "ivy-450c", str(tmp_path / "wire.bin")])
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first == {"type": "waveform", "signals": ["II"], "fs": 200.0, "n": 200, "unit": "mV"}


@pytest.mark.parametrize("where", ["start", "middle", "end"])
def test_bytes_of_no_frame_are_one_line_that_says_how_many(tmp_path, packet, capsys, where):
    at = {"start": 0, "middle": len(packet) // 2, "end": len(packet)}[where]
    starts = [n for n in range(len(packet) + 1) if packet.startswith(b"\xffANSAR-B ", n)]
    at = min([*starts, len(packet)], key=lambda start: abs(start - at))
    (tmp_path / "wire.bin").write_bytes(packet[:at] + b"\x00" * 5000 + packet[at:])
    cli.main(["decode", "--driver", "ivy-450c", str(tmp_path / "wire.bin")])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [x for x in lines if x["type"] == "skipped"] == [{"type": "skipped", "n": 5000}]


@pytest.mark.parametrize("how", ["--hex", "suffix", "stdin"])
def test_hex_text_is_read_where_it_is_asked_for(tmp_path, packet, how):
    text = "# a monitor\n> 00 00\n" + "".join(f"< {byte:02x}\n" for byte in packet)
    (tmp_path / "wire.hex").write_text(text)
    (tmp_path / "wire.txt").write_text(text)
    (tmp_path / "wire.bin").write_bytes(packet)
    ask = ("decode", "--driver", "ivy-450c")
    got = {
        "--hex": lambda: vitals_edge(*ask, "--hex", tmp_path / "wire.txt"),
        "suffix": lambda: vitals_edge(*ask, tmp_path / "wire.hex"),
        "stdin": lambda: vitals_edge(*ask, "--hex", "-", stdin=text.encode()),
    }[how]()
    assert got.stderr == b""
    assert got.stdout == vitals_edge(*ask, tmp_path / "wire.bin").stdout


def test_text_without_hex_asked_for_is_bytes(tmp_path, packet, capsys):
    (tmp_path / "wire.txt").write_text(packet.hex(" "))
    cli.main(["decode", "--driver", "ivy-450c", str(tmp_path / "wire.txt")])
    assert set(types(capsys.readouterr().out)) == {"skipped"}


def test_bytes_come_from_stdin(packet):
    got = vitals_edge("decode", "--driver", "ivy-450c", "-", stdin=packet)
    assert (got.returncode, got.stderr) == (0, b"")
    assert "measurement" in types(got.stdout)


def test_an_empty_file_says_nothing_and_is_no_error(tmp_path, capsys):
    (tmp_path / "empty").write_bytes(b"")
    assert cli.main(["decode", "--driver", "ivy-450c", str(tmp_path / "empty")]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_frame_that_is_cut_off_by_the_end_is_told_on_stderr(tmp_path, packet, capsys):
    (tmp_path / "wire.bin").write_bytes(packet[:100])
    assert cli.main(["decode", "--driver", "ivy-450c", str(tmp_path / "wire.bin")]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "the last 100 bytes are the start of a frame" in err


CUFF_HEX = """# what a cuff indicated, noted by hand
> 2a2b: ea 07 01 05 08 00 00 01 00 00
< 2A36: 00 d7 f0 00 00 00 00
< 2a35: 15 bd f0 0b 00 9f f0 3c 00 12 00
"""


def test_hex_text_of_a_bluetooth_instrument_names_its_characteristics(tmp_path, capsys):
    (tmp_path / "cuff.txt").write_text(CUFF_HEX)
    args = ["decode", "--driver", "ble-blood-pressure", "--hex", str(tmp_path / "cuff.txt")]
    assert cli.main(args) == 0
    notice, measurement = map(json.loads, capsys.readouterr().out.splitlines())
    assert notice["type"] == "notice"
    assert measurement["kind"] == "blood-pressure"
    values = [(r["metric"], r["value"], r["unit"]) for r in measurement["readings"]]
    assert values[:2] == [("systolic", 18.9, "kPa"), ("diastolic", 11.0, "kPa")]


@pytest.mark.parametrize("text", [True, False])
def test_bytes_of_a_bluetooth_instrument_without_a_characteristic_are_refused(
    tmp_path, capsys, text
):
    file = tmp_path / ("cuff.hex" if text else "cuff.bin")
    file.write_bytes(b"00 78 00 50 00 5d 00" if text else bytes.fromhex("00780050005d00"))
    assert cli.main(["decode", "--driver", "ble-blood-pressure", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "say nothing without their characteristic" in err


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_case_folder_is_decoded_as_it_was_recorded(name, capsys):
    for toml in sorted((FIXTURES / name).glob("*/case.toml")):
        assert cli.main(["decode", str(toml.parent)]) == 0
        assert capsys.readouterr().out == (toml.parent / "expected.jsonl").read_text("utf-8")


def test_a_case_of_another_instrument_is_refused(capsys):
    case = min(IVY.glob("*/case.toml")).parent
    assert cli.main(["decode", "--driver", "nonin", str(case)]) == 2
    assert "is a recording for ivy-450c, not nonin" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--driver", "ivy-450c", "no-such-file"], "no-such-file: No such file or directory"),
        (["--driver", "ivi", "-"], "no driver is called 'ivi'; known are: and-"),
        (["-"], "name the instrument: --driver NAME"),
        (["--driver", "ivy-450c", "--set", "colour=red", "-"], "colour"),
        (["--driver", "ivy-450c", "--set", "colour", "-"], "--set colour: write KEY=VALUE"),
        (["--driver", "ivy-450c", "--set", "a=1", "--set", "a=2", "-"], "--set a is given twice"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(args, said, capsys):
    assert cli.main(["decode", *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_hex_text_that_is_wrong_is_named_with_its_line(tmp_path, capsys):
    (tmp_path / "wire.hex").write_text("00 01\n0x\n")
    assert cli.main(["decode", "--driver", "ivy-450c", str(tmp_path / "wire.hex")]) == 2
    assert "wire.hex: line 2: '0x' is not pairs of hex digits" in capsys.readouterr().err


def test_a_reader_who_goes_away_is_no_traceback(tmp_path, packet):
    (tmp_path / "wire.bin").write_bytes(packet * 400)
    command = [sys.executable, "-m", "edge.cli", "decode", "--driver", "ivy-450c"]
    with subprocess.Popen(
        [*command, tmp_path / "wire.bin"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as decoding:
        decoding.stdout.readline()
        decoding.stdout.close()
        assert decoding.stderr.read() == b""
        assert decoding.wait() == 1


def test_decode_loads_neither_scipy_nor_paho(tmp_path, packet):
    (tmp_path / "wire.bin").write_bytes(packet)
    program = (
        "import sys; from edge.cli import main; "
        f"main(['decode', '--driver', 'ivy-450c', {str(tmp_path / 'wire.bin')!r}]); "
        "heavy = {'scipy', 'paho', 'bleak', 'sqlite3', 'pydicom', 'serial'} & set(sys.modules); "
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    got = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (got.returncode, got.stderr) == (0, b"")


def test_a_slip_in_the_verb_is_answered_with_the_verbs_there_are(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["decod"])
    assert ended.value.code == 2
    assert "'decode'" in capsys.readouterr().err


@pytest.mark.parametrize("args", [["--help"], ["decode", "--help"]])
def test_help_is_an_answer(args, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(args)
    assert ended.value.code == 0
    assert capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.startswith("vitals-edge ")


def test_the_table_of_instruments_has_a_line_for_each(capsys):
    assert cli.main(["instruments"]) == 0
    table, _, unproven = capsys.readouterr().out.partition("\n\n")
    names = [line.split()[0] for line in table.splitlines()]
    experimental = [name for name, entry in REGISTRY.items() if entry.unproven]
    assert [line.split(":")[0].strip() for line in unproven.splitlines()[1:]] == experimental
    assert names == ["driver", *sorted(REGISTRY)]


def test_the_table_of_instruments_is_json_lines_where_asked_for(capsys):
    assert cli.main(["instruments", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["driver"] for line in lines] == sorted(REGISTRY)
    assert all(line["sources"] and (line["kinds"] or line["unproven"]) for line in lines)
