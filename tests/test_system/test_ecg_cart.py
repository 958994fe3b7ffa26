"""A cart's folder, a real hub, broker and record system: studies are filed once, and as stored."""

import asyncio
import hashlib
import json
import os
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from drivers.formats import read_ecg
from drivers.transports.drop_folder import OURS
from drivers.virtual.ecg_cart import VirtualEcgCart, leave
from edge.clock import NS, SystemClock, utc
from edge.demo.door import Door
from edge.demo.processes import verb
from edge.fhir.read import read
from edge.fhir.read_ecg import file_of, waveform_of
from edge.record.filing import Filing

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

WAIT_S = 40  # never reached where all is well; two loaded cores are slow
NUMBER, BORN = "0017-4", "1961-02-28"
KINDS = ["ecg12", "ecg12", "ecg12-original", "ecg12-waveform"]
REGISTER = f"""
[[operator]]
reference = "Practitioner/5"
name = "M. Example"
badge = "B-5"

[[patient]]
reference = "Patient/17"
name = "Example, Ida"
birth_date = "{BORN}"
identifiers = ["{NUMBER}"]
"""
HUB = """
[hub]
site = "ecg"
name = "room-1"
state_dir = "{folder}/hub"
space = "demo"
[broker]
port = {port}
[room]
confirm = "auto"
[clock]
trust = "assume"
[analysis]
publish = true
[instruments.cart]
driver = "ecg-folder"
link = "folder:{folder}/drop"
[instruments.cart.options]
settle_s = 0.3
poll_s = 0.1
clock_error_s = 0.5
"""
SECONDS = 4.0  # of a recording, which its time is uncertain by
LEAD_S = 0.5 + SECONDS + 1 + 5 + 2  # how long a patient is there before, to have it proven


def recorded(**scene):
    """A recording that begins now by a cart whose clock is right."""
    local = utc(SystemClock().now().wall_ns // NS * NS).replace(tzinfo=None)
    scene = {"patient_id": NUMBER, "birth_date": BORN, "seconds": SECONDS} | scene
    started = scene.pop("started", local - timedelta(seconds=30 - SECONDS))
    (data,) = VirtualEcgCart(7, started=started, **scene).due(30.0)
    return data


@asynccontextmanager
async def hub(folder, port):
    """A hub on its state folder, and the door to it."""
    settings = folder / "hub.toml"
    settings.write_text(HUB.format(folder=folder, port=port), "utf-8")
    async with verb("run", ("--config", str(settings)), folder) as process:
        door = await _door(folder, process)
        try:
            yield door
        finally:
            await door.close()


async def _door(folder, process):
    async with asyncio.timeout(WAIT_S):
        while True:
            assert process.returncode is None, (folder / "run.log").read_text("utf-8")
            with suppress(OSError):
                return await Door.open(folder / "hub" / "control.sock")
            await asyncio.sleep(0.05)


@asynccontextmanager
async def record_system(folder, port):
    (folder / "register.toml").write_text(REGISTER, "utf-8")
    arguments = [
        *("--broker", f"mqtt://127.0.0.1:{port}", "--store", str(folder / "record.db")),
        *("--register", str(folder / "register.toml"), "--accept-demo"),
    ]
    async with verb("record-system", arguments, folder):
        yield


async def identified(door):
    async with asyncio.timeout(WAIT_S):
        while True:
            with suppress(PermissionError):
                await door.act("sign-in", badge="B-5")
                break
            await asyncio.sleep(0.1)
    await door.act("scan", code=NUMBER)
    await door.act("confirm-patient", reference="Patient/17")


async def shown(door, *states):
    """Wait until all parts of an ECG are in one of some states, and return them."""

    def holds(view):
        parts = [value for value in view.values if value.kind.startswith("ecg12")]
        return sorted(p.kind for p in parts) == KINDS and all(p.state in states for p in parts)

    view = await door.until(holds, WAIT_S)
    last = [(v.kind, v.state, v.reason) for v in (await door.look()).values]
    assert view is not None, last
    return [value for value in view.values if value.kind.startswith("ecg12")]


async def filed_or_taken(door, folder):
    """Take the study if it still waits for somebody; return when all of it is in the record."""
    for _ in range(WAIT_S * 5):
        waiting = [value for value in (await door.look()).values if value.state == "quarantined"]
        if waiting:
            await door.act("take", item=waiting[0].item)
        if len(filed(folder)) == 4:
            return
        await asyncio.sleep(0.2)
    pytest.fail("never filed")


async def until(holds):
    """Wait until something holds."""
    for _ in range(WAIT_S * 10):
        if holds():
            return
        await asyncio.sleep(0.1)
    pytest.fail("never seen")


async def listed(record):
    """Return the ECGs of the record system's own listing."""
    command = (sys.executable, "-m", "edge.cli", "record-system", "--list", "--json")
    process = await asyncio.create_subprocess_exec(*command, "--store", str(record), stdout=PIPE)
    lines, _ = await process.communicate()
    return [told for line in lines.splitlines() if (told := json.loads(line))["type"] == "ecg"]


def filed(folder):
    """Return the bundles in the record by kind and origin of their values."""
    filing = Filing(folder / "record.db")
    try:
        bundles = [filing.bundle(ecg.result_id) for ecg in filing.ecgs()]
    finally:
        filing.close()
    held = {}
    for bundle in bundles:
        said = read(bundle)
        origins = {value.origin for value in said.values} or {"measured"}
        assert held.setdefault((said.kind, *origins), bundle) == bundle
    return held


def assert_equal_when_read_back(folder, data):
    held, stored = filed(folder), read_ecg(data)
    assert len(held) == 4
    said = {v.metric: v.value for v in read(held["ecg12", "measured"]).values}
    cart = dict(stored.measurements)
    for metric, name in (("qrs-duration", "qrs_ms"), ("qt-interval", "qt_ms")):
        assert said[metric] == float(cart[name])
    wave = waveform_of(held["ecg12-waveform", "measured"])
    assert (wave.leads, wave.fs) == (stored.leads, stored.fs)
    assert (wave.microvolts == stored.microvolts).all()
    assert file_of(held["ecg12-original", "measured"]) == data


async def test_a_dropped_ecg_of_the_patient_in_the_room_is_filed_and_reads_back_equal(
    tmp_path, mosquitto
):
    (tmp_path / "drop").mkdir()
    async with record_system(tmp_path, mosquitto.port), hub(tmp_path, mosquitto.port) as door:
        await identified(door)
        await asyncio.sleep(LEAD_S)
        data = recorded(statements=("Sinus rhythm",))
        leave(data, tmp_path / "drop")
        await shown(door, "filed")
        leave(data, tmp_path / "drop")  # a cart that sends again
        leave(b"no ECG", tmp_path / "drop", "Example_Ida.scp")
        drop = tmp_path / "drop"
        quarantine = drop / OURS / "quarantine"
        await until(lambda: any(quarantine.glob("*.file")) and not any(drop.glob("*.scp")))
        await until(lambda: not any((drop / OURS / "claimed").iterdir()))
        (reason,) = quarantine.glob("*.txt")
        assert "not an ECG file of a known format" in reason.read_text("utf-8")
    assert_equal_when_read_back(tmp_path, data)
    log = (tmp_path / "run.log").read_text("utf-8")
    assert "an ECG file was set aside: not an ECG file of a known format" in log
    assert not [word for word in ("Ida", NUMBER, BORN) if word in log]
    ecgs = await listed(tmp_path / "record.db")
    assert [told["statements"] for told in ecgs].count(["Sinus rhythm"]) == 1
    assert {told["file_sha256"] for told in ecgs} == {None, hashlib.sha256(data).hexdigest()}
    assert len({told["study"] for told in ecgs}) == 1


async def test_an_old_ecg_waits_for_a_person_who_compares_and_takes_it(tmp_path, mosquitto):
    (tmp_path / "drop").mkdir()
    old = utc(SystemClock().now().wall_ns).replace(tzinfo=None, microsecond=0) - timedelta(days=9)
    data = recorded(started=old)
    async with record_system(tmp_path, mosquitto.port), hub(tmp_path, mosquitto.port) as door:
        await identified(door)
        leave(data, tmp_path / "drop")
        parts = await shown(door, "quarantined")
        assert {part.reason for part in parts} == {
            "it may have begun before the patient was identified"
        }
        told = await door.act("compare", item=parts[0].item)
        assert (told["number"], told["birth_date"]) == (NUMBER, BORN)
        await door.act("take", item=parts[0].item)
        await shown(door, "filed")
    assert_equal_when_read_back(tmp_path, data)


@pytest.mark.parametrize(
    "point",
    [
        "store.append.before-commit",  # claimed, not durable
        "store.append.after-commit",  # durable, and still claimed
        "store.acceptance.after-commit",  # in the outbox, nothing sent
    ],
)
async def test_a_hub_killed_on_the_way_of_a_study_files_it_once(tmp_path, mosquitto, point):
    (tmp_path / "drop").mkdir()
    old = utc(SystemClock().now().wall_ns).replace(tzinfo=None, microsecond=0) - timedelta(days=9)
    data = recorded(started=old)
    async with record_system(tmp_path, mosquitto.port):
        async with hub(tmp_path, mosquitto.port) as door:
            await identified(door)
        await _killed(tmp_path, data, point)
        async with hub(tmp_path, mosquitto.port) as door:
            await identified(door)
            await filed_or_taken(door, tmp_path)
    assert_equal_when_read_back(tmp_path, data)
    assert not list((tmp_path / "drop" / OURS / "claimed").iterdir())


async def _killed(folder, data, point):
    """Run a hub that dies at a point while it has a study in hand."""
    settings = ("--config", str(folder / "hub.toml"))
    count = 3 if "append" in point else 1  # the start and the open link are journaled before
    os.environ["VITALS_EDGE_FAULT"] = f"{point}:{count}"
    leave(data, folder / "drop")
    try:
        async with verb("run", settings, folder) as process:
            if "acceptance" in point:
                door = await _door(folder, process)
                await identified(door)
                parts = await shown(door, "quarantined")
                with suppress(ConnectionError, ValueError):  # it dies while it answers
                    await door.act("take", item=parts[0].item)
                await door.close()
            await asyncio.wait_for(process.wait(), WAIT_S)
            assert process.returncode == -9
    finally:
        del os.environ["VITALS_EDGE_FAULT"]
