import asyncio
import signal
import sys

import pytest

from drivers.contract import Write
from drivers.errors import LinkLost
from drivers.model import Instant
from drivers.registry import REGISTRY
from drivers.transports.capture_file import (
    Case,
    ClockStart,
    Happened,
    Origin,
    Received,
    Recording,
    Written,
    load_case,
    parse_case,
    read_recording,
)
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.pty_port import PtyPort, on_a_thread
from edge import cli
from edge.capturing import RecordedLink, case_text, make_folder, save, scrubbed
from edge.decoding import decode_lines

NAMES = sorted(
    name for name, entry in REGISTRY.items() if not (entry.is_gatt or entry.leaves_files)
)


class FastClock:
    """Ten times as fast as waiting for it."""

    def __init__(self):
        self.looks = 0

    def now(self):
        self.looks += 1
        return Instant(0, self.looks * 10_000_000, trusted=False)

    async def sleep(self, _seconds):
        await asyncio.sleep(0.001)


@pytest.fixture
def monitor():
    entry = REGISTRY["ivy-450c"]
    with on_a_thread(PtyPort(entry.simulator()(1), entry.line), FastClock()) as port:
        yield f"serial:{port.path}"


def capture(link, out, *more):
    return cli.main(["capture", "--driver", "ivy-450c", "--link", link, "--out", str(out), *more])


def test_a_live_instrument_becomes_a_case_that_decodes_to_what_is_beside_it(monitor, tmp_path):
    assert capture(monitor, tmp_path / "case", "--seconds", "1.5", "--note", "at rest") == 0
    loaded = load_case(tmp_path / "case")
    expected = (tmp_path / "case" / "expected.jsonl").read_text("utf-8").splitlines()
    assert decode_lines(loaded) == expected
    assert any('"measurement"' in line for line in expected)
    assert (loaded.case.driver, loaded.case.origin) == ("ivy-450c", Origin.HARDWARE)
    assert loaded.case.note == "at rest"


def test_a_recording_is_kept_when_the_cable_is_pulled_out(tmp_path):
    entry = REGISTRY["ivy-450c"]
    program = asyncio.new_event_loop()

    async def pulled():
        capturing = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge.cli", "capture", "--driver", "ivy-450c"),
            *("--link", f"serial:{port.path}", "--out", tmp_path / "case"),
            stderr=asyncio.subprocess.PIPE,
        )
        await capturing.stderr.readline()
        running = asyncio.ensure_future(port.run(FastClock()))
        await asyncio.sleep(0.5)
        port.close()
        await running
        return await capturing.wait()

    with PtyPort(entry.simulator()(1), entry.line) as port:
        try:
            assert program.run_until_complete(pulled()) == 0
        finally:
            program.close()
    recording = read_recording(tmp_path / "case" / "wire.cap")
    assert isinstance(recording.lines[-1], Happened)
    assert recording.received


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_it_records_until_it_is_told_to_stop(monitor, tmp_path, stop):
    capturing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.cli", "capture", "--driver", "ivy-450c"),
        *("--link", monitor, "--out", tmp_path / "case"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert b"Ctrl-C ends it" in await capturing.stderr.readline()
    await asyncio.sleep(0.3)
    capturing.send_signal(stop)
    _, said = await capturing.communicate()
    assert (capturing.returncode, said.count(b"\n")) == (0, 1)
    assert load_case(tmp_path / "case").recording.received


async def test_a_recording_that_is_killed_can_be_decoded_up_to_there(monitor, tmp_path):
    capturing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge.cli", "capture", "--driver", "ivy-450c"),
        *("--link", monitor, "--out", tmp_path / "case"),
        stderr=asyncio.subprocess.PIPE,
    )
    await capturing.stderr.readline()
    wire = tmp_path / "case" / "wire.cap"
    while wire.stat().st_size < 9000:  # noqa: ASYNC110 - another program writes it
        await asyncio.sleep(0.01)
    capturing.kill()
    await capturing.communicate()
    loaded = load_case(tmp_path / "case")
    assert loaded.recording.received
    assert await asyncio.to_thread(decode_lines, loaded)
    assert wire.stat().st_mode & 0o777 == 0o600


async def test_what_is_to_be_scrubbed_never_reaches_the_disk_as_it_was(tmp_path):
    entry = REGISTRY["masimo-ascii1"]
    with on_a_thread(PtyPort(entry.simulator()(1), entry.line), FastClock()) as port:
        capturing = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge.cli", "capture", "--driver", "masimo-ascii1"),
            *("--link", f"serial:{port.path}", "--out", tmp_path / "case", "--scrub"),
            stderr=asyncio.subprocess.PIPE,
        )
        await capturing.stderr.readline()
        wire = tmp_path / "case" / "wire.cap"
        while wire.stat().st_size < 1000:  # noqa: ASYNC110 - another program writes it
            await asyncio.sleep(0.01)
        capturing.kill()
        await capturing.communicate()
    heard = load_case(tmp_path / "case").recording.received
    assert b"SN=0000000000" in heard
    assert heard.count(b"SN=") == heard.count(b"SN=0000000000")


@pytest.mark.parametrize("allowed", [True, False])
def test_an_instrument_that_takes_orders_can_be_started_and_that_is_part_of_the_case(
    tmp_path, capsys, allowed
):
    entry = REGISTRY["suntech"]
    grants = ["--allow", "start-measurement", "--allow", "fetch"] if allowed else []
    with on_a_thread(PtyPort(entry.simulator()(1), entry.line), FastClock()) as port:
        args = [
            "--driver",
            "suntech",
            "--link",
            f"serial:{port.path}",
            "--out",
            str(tmp_path / "x"),
        ]
        cli.main(["capture", *args, "--measure-after", "0.1", "--seconds", "0.5", *grants])
    lines = read_recording(tmp_path / "x" / "wire.cap").lines
    events = [line for line in lines if isinstance(line, (Happened, Written))]
    assert [type(line) for line in events[:2]] == ([Happened, Written] if allowed else [])
    assert ("no measurement was started" in capsys.readouterr().err) is not allowed


def test_a_recording_never_replaces_another(tmp_path, capsys):
    (tmp_path / "wire.cap").write_text("0.0 < 00\n")
    assert capture("serial:/dev/ttyNowhere", tmp_path) == 2
    assert "is not empty" in capsys.readouterr().err
    assert (tmp_path / "wire.cap").read_text() == "0.0 < 00\n"


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("serial:/dev/ttyNowhere", "/dev/ttyNowhere: not there"),
        ("ble:00:11:22:33:44:55", "ivy-450c is reached by serial"),
        ("/dev/ttyUSB0", "meant is perhaps serial:/dev/ttyUSB0"),
    ],
)
def test_a_link_that_cannot_be_opened_is_one_line(tmp_path, capsys, link, said):
    assert capture(link, tmp_path / "case", "--seconds", "1") == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_what_the_driver_wrote_is_recorded_where_it_wrote_it():
    clock = RecordedTime()
    granted = frozenset({Write.IDENTIFY})

    async def talk():
        link = MemoryLink(clock.now, granted, hear=lambda data: data[::-1])
        recorded = RecordedLink(link, clock)
        await clock.sleep(1)
        await recorded.write(Write.IDENTIFY, b"\x01\x02")
        await anext(recorded)
        await clock.sleep(1)
        link.lose()
        with pytest.raises(LinkLost):
            await anext(recorded)
        return recorded.lines

    written, answered, lost = clock.run(talk())
    assert written == Written(1_000_000, b"\x01\x02")
    assert answered == Received(1_000_000, b"\x02\x01")
    assert lost.at_us == 2_000_000


def test_a_chunk_that_waited_behind_a_write_does_not_turn_back_time():
    clock = RecordedTime()
    granted = frozenset({Write.IDENTIFY})

    async def talk():
        link = MemoryLink(clock.now, granted)
        recorded = RecordedLink(link, clock)
        link.send(b"\x01")
        await clock.sleep(1)
        await recorded.write(Write.IDENTIFY, b"\x02")
        await anext(recorded)
        return [line.at_us for line in recorded.lines]

    assert clock.run(talk()) == [1_000_000, 1_000_000]


@pytest.mark.parametrize("name", NAMES)
def test_a_scrubbed_recording_keeps_its_frames_and_says_how_much_was_left_out(name):
    entry = REGISTRY[name]
    spoken = entry.simulator()(1).due(10.0)
    garbled = Recording((Received(0, b"\x00" * 7), Received(5, spoken)))
    clean = scrubbed(entry, {}, garbled)
    pending = len(_pending(entry, spoken))
    assert clean.left_out == 7 + pending
    assert len(clean.recording.received) == len(spoken) - pending


def _pending(entry, data):
    decoder = entry.decoder()
    decoder.feed(b"\x00" * 7 + data)
    return decoder.pending


@pytest.mark.parametrize("head", ["02f40a02", "02f40b0202"])
def test_a_scrubbed_nonin_has_no_serial_number_nor_what_might_be_one(head):
    reply = bytes.fromhex(head) + b"123456789" + b"\x03"
    clean = scrubbed(REGISTRY["nonin"], {}, Recording((Received(0, reply),)))
    assert (len(clean.recording.received), clean.left_out) == (len(reply), 0)
    assert b"123456789" not in clean.recording.received


def test_every_word_of_a_case_is_read_again():
    case = Case(
        driver="nonin",
        origin=Origin.HARDWARE,
        device='Xpod "3012"',
        licence="Apache-2.0",
        deidentified="not: as recorded",
        firmware="48",
        note="tab\there, Łódź",
        options={"format": "7"},
        grants=(Write.SELECT_FORMAT,),
        clock=ClockStart(trusted=False),
    )
    assert parse_case(case_text(case).encode()) == case


def test_a_case_is_saved_whole(tmp_path):
    make_folder(tmp_path / "a" / "case")
    entry = REGISTRY["ivy-450c"]
    recording = Recording((Received(0, entry.simulator()(1).due(2.0)),))
    case = Case("ivy-450c", Origin.SIMULATED, "virtual", "Apache-2.0", "no patient")
    count = save(tmp_path / "a" / "case", case, recording, "a comment")
    there = sorted(path.name for path in (tmp_path / "a" / "case").iterdir())
    assert there == ["case.toml", "expected.jsonl", "wire.cap"]
    assert len((tmp_path / "a" / "case" / "expected.jsonl").read_text().splitlines()) == count
