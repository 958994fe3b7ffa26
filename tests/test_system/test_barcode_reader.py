"""A barcode reader on a real port, beside a real hub, broker and record system."""

import asyncio
import os
import tty
from contextlib import asynccontextmanager, suppress

import pytest

from edge.demo.door import Door
from edge.demo.processes import until_there, verb
from edge.demo.scene import BADGE, FIRST, REGISTER, hub_settings
from edge.scanner import NO_CODE, NO_RULE

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

PATIENCE_S = 40  # never reached where all is well; two loaded cores are slow
READER = r"""
[scanner]
link = "serial:{path}"
wristband = 'P(\d{{4}}-\d)'
badge = 'B-\d+'
"""
NOBODY = "nobody is signed in: scan your badge"
GROCERY, CUT = "4006381333931", "P00\x0117-4"
STRANGER, NO_BADGE = "0099-9", "B-4711"
UNKNOWN = "the record system knows nobody with this code; check the wristband"
BADGE_UNKNOWN = "this badge is not known; ask the record system's administrator"


class Reader:
    """The instrument end of a pseudo-terminal: what it reads, the hub hears."""

    def __init__(self, link):
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        link.symlink_to(os.ttyname(self._slave))

    def scan(self, code):
        os.write(self._master, code.encode("ascii") + b"\r")

    def close(self):
        os.close(self._slave)
        os.close(self._master)


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path / "scanner")
    yield reader
    reader.close()


@asynccontextmanager
async def hub(folder, port):
    """A hub with a reader and no instrument, and the door to it."""
    settings = folder / "hub.toml"
    text = hub_settings(folder / "hub", port, (), str)
    settings.write_text(text + READER.format(path=folder / "scanner"), "utf-8")
    async with verb("run", ("--config", str(settings)), folder) as process:
        socket = folder / "hub" / "control.sock"
        await until_there(socket, process, "run", folder)
        door = await Door.open(socket)
        await seen(door, lambda view: view.scanner.state == "ready")
        yield door
        await door.close()


@asynccontextmanager
async def record_system(folder, port):
    (folder / "register.toml").write_text(REGISTER, "utf-8")
    arguments = [
        *("--broker", f"mqtt://127.0.0.1:{port}", "--store", str(folder / "record.db")),
        *("--register", str(folder / "register.toml"), "--accept-demo"),
    ]
    async with verb("record-system", arguments, folder):
        yield


async def seen(door, holds):
    view = await door.until(holds, PATIENCE_S)
    assert view is not None, (await door.look()).scanner
    return view


async def said(door, reader, code, word):
    """Scan, and wait until the view says a word of it."""
    reader.scan(code)
    await seen(door, lambda view: view.scanner.word == word)


async def signed_in(door, reader):
    """Scan the badge until the record system has said whose it is."""
    await seen(door, lambda view: view.record_system.connected)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            reader.scan(BADGE)
            await asyncio.sleep(0.5)
            if not (await door.look()).scanner.word:
                return


async def confirmed(door):
    """Compare the patient whom the wristband named, once the record system has said who it is."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(PermissionError):
                return await door.act("confirm-patient", reference=FIRST.reference)
            await asyncio.sleep(0.1)


async def test_a_badge_signs_in_and_a_wristband_names_the_patient(tmp_path, mosquitto, reader):
    async with record_system(tmp_path, mosquitto.port), hub(tmp_path, mosquitto.port) as door:
        await said(door, reader, f"P{FIRST.wristband}", NOBODY)
        await signed_in(door, reader)
        reader.scan(f"P{FIRST.wristband}")
        await confirmed(door)
        view = await door.look()
    assert (view.patient, view.verified) == ((FIRST.name, FIRST.birth_date), True)


async def test_a_code_that_cannot_be_used_is_said_on_the_view_and_is_in_no_log(
    tmp_path, mosquitto, reader
):
    async with record_system(tmp_path, mosquitto.port), hub(tmp_path, mosquitto.port) as door:
        await said(door, reader, GROCERY, NO_RULE)
        await said(door, reader, CUT, NO_CODE)
        await signed_in(door, reader)
        await said(door, reader, f"P{STRANGER}", UNKNOWN)
        await said(door, reader, NO_BADGE, BADGE_UNKNOWN)
        view = await door.look()
    assert view.patient is None
    told = "".join(path.read_text("utf-8") for path in tmp_path.glob("*.log"))
    assert "scanner: a code was not taken" in told
    assert not [code for code in (GROCERY, "0017-4", STRANGER, NO_BADGE) if code in told]
