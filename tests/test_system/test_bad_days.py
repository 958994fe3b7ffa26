"""Bad days of a hub, as a process: values are kept and filed later, once, and the view is true."""

import asyncio
import hashlib
import sqlite3
import subprocess
import sys
from contextlib import asynccontextmanager, suppress

import pytest

from drivers.model import Chunk, Instant
from drivers.registry import REGISTRY
from drivers.virtual.pty_port import PtyPort, on_a_thread
from edge.clock import ManualClock, SystemClock
from edge.demo.door import Door, of_kind
from edge.demo.processes import verb
from edge.demo.reading_back import held
from edge.store import FILE_NAME, Store, StoreFull

pytestmark = pytest.mark.system

WAIT_S = 40  # never reached where all is well; two loaded cores are slow
NAME, BIRTH_DATE = "Example, Ida", "1961-02-28"
REGISTER = f"""
[[operator]]
reference = "Practitioner/5"
name = "M. Example"
badge = "B-5"

[[patient]]
reference = "Patient/17"
name = "{NAME}"
birth_date = "{BIRTH_DATE}"
identifiers = ["0017-4"]
"""
HUB = """
[hub]
site = "bad"
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
enabled = false
[instruments.oximeter]
driver = "nonin"
link = "serial:{folder}/port"
allow = ["identify"]
"""
WARM_S = 10
CLOCK = SystemClock()


class Used:
    """An instrument that was switched on some time before the test began."""

    def __init__(self, virtual):
        self._virtual = virtual
        virtual.due(WARM_S)

    def due(self, elapsed_s):
        return self._virtual.due(elapsed_s + WARM_S)

    def hear(self, data):
        return self._virtual.hear(data)


@asynccontextmanager
async def instrument(folder, **scene):
    """An oximeter on its port: a stream, unless the scene says otherwise."""
    entry, scene = REGISTRY["nonin"], {"data_format": 7} | scene
    virtual = Used(entry.simulator()(1, spo2=97, pulse_rate=72, **scene))
    with PtyPort(virtual, entry.line, link=folder / "port") as port, on_a_thread(port, CLOCK):
        yield


class Room:
    """A hub that runs, from the place of the person in the room."""

    def __init__(self, folder, door, process):
        self.folder = folder
        self.door = door
        self.process = process

    async def shows(self, what):
        """Return the first view of which this is true."""
        view = await self.door.until(what, WAIT_S)
        assert view is not None, f"never shown; at last: {await self.door.look()}"
        return view

    async def signs_in(self):
        """Sign in as soon as the record system answers."""
        async with asyncio.timeout(WAIT_S):
            while True:
                with suppress(PermissionError):
                    return await self.door.act("sign-in", badge="B-5")
                await asyncio.sleep(0.1)

    async def identifies(self):
        await self.signs_in()
        found = await self.door.act("scan", code="0017-4")
        await self.door.act("confirm-patient", reference=found["patient"]["reference"])

    async def takes(self):
        """Take the oximeter's value, compared with its display; return it as it is then shown."""
        await self.shows(lambda view: any(r.value for live in view.live for r in live.readings))
        await self.door.act("take-now", instrument="oximeter", kind="oximetry")
        view = await self.shows(lambda view: of_kind(view, "oximetry", "quarantined"))
        (value,) = of_kind(view, "oximetry", "quarantined")
        await self.door.act("take", item=value.item)
        return await self.value(value.item, "accepted", "queued", "filed", "refused")

    async def value(self, item, *states):
        """Return a value once it is in one of some states."""
        view = await self.shows(lambda view: any(_is(value, item, states) for value in view.values))
        return next(value for value in view.values if value.item == item)


def _is(value, item, states):
    return value.item == item and value.state in states


@asynccontextmanager
async def hub(folder, port, more=""):
    """A hub on its state folder, up and answering."""
    settings = folder / "hub.toml"
    settings.write_text(HUB.format(folder=folder, port=port) + more, "utf-8")
    async with verb("run", ("--config", str(settings)), folder) as process:
        door = await _door(folder, process)
        try:
            yield Room(folder, door, process)
        finally:
            await door.close()
    assert process.returncode == 0


async def _door(folder, process):
    async with asyncio.timeout(WAIT_S):
        while True:
            assert process.returncode is None, (folder / "run.log").read_text("utf-8")
            with suppress(OSError):
                return await Door.open(folder / "hub" / "control.sock")
            await asyncio.sleep(0.05)


@asynccontextmanager
async def record_system(folder, port, mode=None):
    (folder / "register.toml").write_text(REGISTER, "utf-8")
    arguments = [
        *("--broker", f"mqtt://127.0.0.1:{port}", "--store", str(folder / "record.db")),
        *("--register", str(folder / "register.toml"), "--accept-demo"),
        *(("--misbehave-to-test-hubs", mode) if mode else ()),
    ]
    async with verb("record-system", arguments, folder):
        yield


async def filed(folder, of=None):
    """Return what the record holds, of one value or of all: result id, patient, saturation, pulse.

    A stream goes on: beside the value of a test, a later steady one may be filed as well.
    """
    there = (await held(folder / "record.db")).values
    if of is not None:
        there = [each for each in there if each.result_id == of.result_id]
    results = {}
    for value in there:
        results.setdefault((value.result_id, value.subject), {})[value.metric] = value.value
    return [(*key, values["spo2"], values["pulse-rate"]) for key, values in results.items()]


def as_filed(value):
    readings = {reading.metric: reading.value for reading in value.readings}
    return (value.result_id, "Patient/17", readings["spo2"], readings["pulse-rate"])


# ---- the broker


async def test_values_measured_before_there_is_a_broker_wait_for_a_patient_and_are_filed_once(
    tmp_path, mosquitto
):
    mosquitto.stop()
    spot = {"data_format": 13, "spot_at_s": (WARM_S + 3.0,)}
    async with instrument(tmp_path, **spot), hub(tmp_path, mosquitto.port) as room:
        view = await room.shows(lambda view: view.held + view.quarantined == 1)
        assert not view.record_system.connected
        assert "results are kept" in " ".join(view.record_system.alarms)
        with pytest.raises(PermissionError, match="does not answer"):
            await room.door.act("sign-in", badge="B-5")
        mosquitto.start()
        async with record_system(tmp_path, mosquitto.port):
            await room.identifies()
            (value,) = of_kind(view, "oximetry", "held", "quarantined")
            await room.door.act("take", item=value.item)
            value = await room.value(value.item, "filed")
            assert (await room.door.look()).record_system.alarms == ()
            assert await filed(tmp_path, value) == [as_filed(value)]


async def test_a_broker_that_goes_in_mid_visit_keeps_nothing_back_for_good(tmp_path, mosquitto):
    async with (
        instrument(tmp_path),
        record_system(tmp_path, mosquitto.port),
        hub(tmp_path, mosquitto.port) as room,
    ):
        await room.identifies()
        mosquitto.kill()
        view = await room.shows(lambda view: not view.record_system.connected)
        assert "no connection to the broker" in " ".join(view.record_system.alarms)
        value = await room.takes()
        value = await room.value(value.item, "queued")
        view = await room.door.look()
        assert (view.patient, view.record_system.waiting) == ((NAME, BIRTH_DATE), 1)
        mosquitto.start()
        value = await room.value(value.item, "filed")
        view = await room.shows(lambda view: view.record_system.waiting == 0)
        assert (view.record_system.connected, view.record_system.alarms) == (True, ())
        assert await filed(tmp_path, value) == [as_filed(value)]


async def test_a_patient_scanned_while_nobody_can_be_asked_is_verified_before_anything_is_filed(
    tmp_path, mosquitto
):
    async with (
        instrument(tmp_path),
        hub(tmp_path, mosquitto.port) as room,
    ):
        async with record_system(tmp_path, mosquitto.port):
            await room.signs_in()
        assert await room.door.act("scan", code="0017-4") is None
        view = await room.door.look()
        assert (view.patient, view.verified) == (("0017-4", ""), False)
        await room.shows(lambda view: any(r.value for live in view.live for r in live.readings))
        await room.door.act("take-now", instrument="oximeter", kind="oximetry")
        view = await room.shows(lambda view: of_kind(view, "oximetry", "held", "quarantined"))
        (value,) = of_kind(view, "oximetry", "held", "quarantined")
        with pytest.raises(PermissionError, match="no verified patient"):
            await room.door.act("take", item=value.item)
        async with record_system(tmp_path, mosquitto.port):
            found = await _checked(room)
            await room.door.act("confirm-patient", reference=found["patient"]["reference"])
            await room.shows(lambda view: view.patient == (NAME, BIRTH_DATE) and view.verified)
            await room.door.act("take", item=value.item)
            value = await room.value(value.item, "filed")
            assert await filed(tmp_path, value) == [as_filed(value)]


async def _checked(room):
    async with asyncio.timeout(WAIT_S):
        while True:
            if found := await room.door.act("check-unverified"):
                return found
            await asyncio.sleep(0.1)


async def test_a_result_the_broker_denies_is_shown_as_refused_and_filed_once_it_is_allowed(
    tmp_path, mosquitto_with
):
    rules = tmp_path / "acl"
    topics = ["result", "status", "request", "reply", "ack", "cmd", "event", "device", "live"]
    allowed = [f"topic readwrite exam/v1/+/+/{topic}/#" for topic in topics]
    rules.write_text("\n".join(allowed[1:]) + "\ntopic read exam/v1/+/+/result/#\n", "utf-8")
    rules.chmod(0o700)
    mosquitto = mosquitto_with(f"acl_file {rules}")
    async with instrument(tmp_path), record_system(tmp_path, mosquitto.port):
        async with hub(tmp_path, mosquitto.port) as room:
            await room.identifies()
            value = await room.takes()
            value = await room.value(value.item, "refused")
            assert "the broker does not allow" in value.reason
            assert (await room.door.look()).refused == 1
            assert await filed(tmp_path) == []
        rules.write_text("\n".join(allowed) + "\n", "utf-8")
        mosquitto.stop()
        mosquitto.start()
        resend(tmp_path, value.result_id)
        async with hub(tmp_path, mosquitto.port) as room:
            value = await room.value(value.item, "filed")
            assert (await room.door.look()).refused == 0
            assert await filed(tmp_path, value) == [as_filed(value)]


def resend(folder, result_id):
    store = str(folder / "hub" / FILE_NAME)
    command = [sys.executable, "-P", "-m", "edge.cli", "outbox", "resend", result_id]
    subprocess.run([*command, "--store", store], check=True, capture_output=True)


# ---- the record system


@pytest.mark.parametrize("mode", ["silent", "nonsense"])
async def test_without_a_receipt_nothing_is_shown_as_filed_and_a_later_receipt_counts_once(
    tmp_path, mosquitto, mode
):
    async with instrument(tmp_path):
        async with (
            record_system(tmp_path, mosquitto.port, mode),
            hub(tmp_path, mosquitto.port) as room,
        ):
            await room.identifies()
            value = await room.takes()
            value = await room.value(value.item, "queued")
            await _until_filed(tmp_path)
            if mode == "nonsense":
                view = await room.shows(lambda view: view.record_system.alarms)
                assert "could not be understood" in view.record_system.alarms[0]
            view = await room.door.look()
            (still,) = of_kind(view, "oximetry", "queued")
            assert (still.filed, view.record_system.waiting) == (None, 1)
        async with (
            record_system(tmp_path, mosquitto.port),
            hub(tmp_path, mosquitto.port) as room,
        ):
            value = await room.value(value.item, "filed")
            assert await filed(tmp_path, value) == [as_filed(value)]


async def _until_filed(folder):
    async with asyncio.timeout(WAIT_S):
        while True:
            if await filed(folder):
                return
            await asyncio.sleep(0.1)


async def test_a_slow_record_system_is_waited_for_value_by_value(tmp_path, mosquitto):
    async with (
        instrument(tmp_path),
        record_system(tmp_path, mosquitto.port, "slow"),
        hub(tmp_path, mosquitto.port) as room,
    ):
        await room.identifies()
        first = await room.takes()
        second = await room.takes()
        await room.value(first.item, "filed")
        view = await room.door.look()
        assert [value.item for value in of_kind(view, "oximetry", "queued")] == [second.item]
        assert view.record_system.waiting == 1


async def test_another_content_under_our_id_is_a_refusal_until_a_person_sends_again(
    tmp_path, mosquitto
):
    async with instrument(tmp_path):
        async with (
            record_system(tmp_path, mosquitto.port, "wrong-hash"),
            hub(tmp_path, mosquitto.port) as room,
        ):
            await room.identifies()
            value = await room.takes()
            value = await room.value(value.item, "refused")
            assert "another content" in value.reason
            assert (await room.door.look()).refused == 1
        resend(tmp_path, value.result_id)
        async with (
            record_system(tmp_path, mosquitto.port),
            hub(tmp_path, mosquitto.port) as room,
        ):
            value = await room.value(value.item, "filed")
            assert await filed(tmp_path, value) == [as_filed(value)]


# ---- the disk


async def test_a_full_store_refuses_loudly_and_takes_values_again_when_there_is_room(
    tmp_path, mosquitto
):
    await fill(tmp_path / "hub" / FILE_NAME, 16)
    async with instrument(tmp_path), record_system(tmp_path, mosquitto.port):
        async with hub(tmp_path, mosquitto.port, "[store]\nlimit_mib = 16\n") as room:
            view = await room.shows(lambda view: view.instruments[0].state == "refused")
            assert "is full" in view.instruments[0].reason
            await room.identifies()
            assert (await room.door.look()).values == ()
        async with hub(tmp_path, mosquitto.port, "[store]\nlimit_mib = 32\n") as room:
            assert (await room.door.look()).patient == (NAME, BIRTH_DATE)
            await room.signs_in()
            value = await room.takes()
            value = await room.value(value.item, "filed")
            assert await filed(tmp_path, value) == [as_filed(value)]
    assert "is full" in (tmp_path / "run.log").read_text("utf-8")
    async with await Store.open_to_read(tmp_path / "hub" / FILE_NAME) as store:
        assert (await store.verify()).intact


async def fill(path, limit_mib):
    """Fill a store with an instrument's raw bytes until it takes no more."""
    now = Instant(0, 0, trusted=True)
    async with await Store.open(path, clock=ManualClock(), limit_bytes=limit_mib << 20) as store:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(StoreFull):
                while True:
                    await store.keep("another", Chunk(bytes(size), now))


# ---- what cannot be started


def started(config):
    """Return exit code and what was said of a service that cannot start."""
    command = [sys.executable, "-P", "-m", "edge.cli", "run", "--config", str(config)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=WAIT_S)
    assert done.stdout == ""
    return done.returncode, done.stderr


def refused(tmp_path, text):
    """Return what is said of settings that cannot be used: one line, exit code 2."""
    config = tmp_path / "hub.toml"
    config.write_text(text, "utf-8")
    code, said = started(config)
    assert code == 2
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('[hub\nsite = "bad"', "not TOML"),
        ("[hub]\ncolour = 1", "colour"),
        ("[room]\nconfirm = true", "room.confirm"),
        ("[store]\nlimit_mib = 1", "store.limit_mib"),
        ('[broker]\nhost = "broker.example"', "broker.tls is missing"),
        ('[broker]\nusername = "room-1"', "broker.password_file"),
        (
            '[broker]\nusername = "room-1"\npassword_file = "/nowhere/secret"',
            "/nowhere/secret",
        ),
        ('[instruments.cuff]\ndriver = "unheard-of"\nlink = "serial:/dev/null"', "no driver"),
        ('[instruments.cuff]\ndriver = "nonin"\nlink = "folder:/tmp"', "instruments.cuff.link"),
        (
            '[instruments.cuff]\ndriver = "nonin"\nlink = "serial:/dev/null"\nallow = ["fly"]',
            "instruments.cuff.allow",
        ),
        (
            '[instruments.cuff]\ndriver = "nonin"\nlink = "serial:/dev/null"\noptions.format = 5',
            "instruments.cuff",
        ),
        (
            '[broker]\nhost = "x.example"\ntls = {ca = "/none/ca", certificate = "c", key = "k"}',
            "/none/ca",
        ),
    ],
)
def test_settings_that_are_wrong_in_any_way_are_refused_in_one_line(tmp_path, line, said):
    hub = f'site = "bad"\nname = "room-1"\nstate_dir = "{tmp_path}/hub"'
    text = line.replace("[hub]", f"[hub]\n{hub}") if "[hub" in line else f"[hub]\n{hub}\n{line}"
    told = refused(tmp_path, text)
    assert told.startswith(f"vitals-edge: {tmp_path / 'hub.toml'}: ")
    assert said in told
    assert not (tmp_path / "hub").exists()


def test_a_settings_file_that_is_not_there_is_said_in_one_line(tmp_path):
    code, said = started(tmp_path / "none.toml")
    assert (code, len(said.splitlines())) == (2, 1)
    assert "none.toml" in said


@pytest.fixture
def store(tmp_path):
    """The file of a store that was used before."""
    path = tmp_path / "hub" / FILE_NAME

    async def use():
        async with await Store.open(path, clock=ManualClock()) as opened:
            await opened.keep("cuff", Chunk(bytes(20_000), Instant(0, 0, trusted=True)))

    asyncio.run(use())
    return path


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-9000])


def emptied(path):
    path.write_bytes(b"")


def overwritten(path):
    path.write_bytes(b"not a database, whoever wrote this" * 1000)


def of_a_newer_version(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def of_another_program(path):
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut_short, "damaged"),
        (emptied, "is empty"),
        (overwritten, "is not a store"),
        (of_a_newer_version, "written by newer software"),
        (of_another_program, "another program"),
    ],
)
def test_a_store_that_cannot_be_used_stops_the_hub_and_is_left_as_it_is(
    tmp_path, store, spoil, said
):
    spoil(store)
    before = hashlib.sha256(store.read_bytes()).hexdigest()
    told = refused(tmp_path, HUB.format(folder=tmp_path, port=1))
    assert said in told
    assert str(store) in told
    assert hashlib.sha256(store.read_bytes()).hexdigest() == before


async def test_a_second_hub_on_the_same_store_is_refused_and_the_first_goes_on(tmp_path, mosquitto):
    async with hub(tmp_path, mosquitto.port) as room:
        code, said = await asyncio.to_thread(started, tmp_path / "hub.toml")
        assert (code, len(said.splitlines())) == (2, 1)
        assert "in use" in said
        assert (await room.door.look()).patient is None
