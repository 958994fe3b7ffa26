"""The record system as the program it is, with a real broker between it and a hub's messages."""

import json
import os
import queue
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from drivers.model import Kind
from edge.contract.dialogue import PatientRequest, ScannedPatient, decode_command, decode_reply
from edge.contract.messages import HubState, Status, decode_ack
from edge.contract.topics import Hub, RequestKind
from edge.contract.wire import encode
from edge.events import Outcome

pytestmark = pytest.mark.system

GOLDEN = Path(__file__).parents[1] / "test_edge" / "golden_bundles"
HUB = Hub("north", "room-3")
WAIT_S = 20
PERSON = """
[[operator]]
reference = "Practitioner/5"
name = "R. Amsel"
badge = "B-5"

[[patient]]
reference = "Patient/p-17"
name = "Okonkwo, Adaeze"
birth_date = "1961-02-28"
identifiers = ["0017-4"]
"""
ROOM = '\n[[room]]\nsite = "north"\nhub = "room-3"\n'
ASSIGNED = ROOM + 'assigned = "Patient/p-17"\nasserted_by = "Practitioner/5"\n'


class Program:
    """A running record system."""

    def __init__(self, folder, url, *options, fault=None):
        self.store = folder / "record.sqlite3"
        self.register = folder / "register.toml"
        if not self.register.exists():
            self.register.write_text(PERSON + ROOM, "utf-8")
        command = [sys.executable, "-m", "edge.cli", "record-system", "--broker", url]
        command += ["--store", str(self.store), "--register", str(self.register), *options]
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        if fault:
            environment["VITALS_EDGE_FAULT"] = fault
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment, text=True
        )
        self.told = ""

    def ready(self):
        """Return when the broker has granted the subscriptions."""
        return self.says("ready")

    def says(self, words):
        for line in self.process.stderr:
            self.told += line
            if words in line:
                return self
        pytest.fail(f"never said {words!r}:\n{self.told}")

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self):
        """Read to the end and return the exit code."""
        self.told += self.process.stderr.read()
        self.process.stderr.close()
        return self.process.wait(WAIT_S)


@pytest.fixture
def record_system(tmp_path, mosquitto):
    started = []

    def start(*options, **more):
        started.append(Program(tmp_path, mosquitto.url, *options, **more))
        return started[-1]

    yield start
    for program in started:
        if not program.process.stderr.closed:
            program.end(signal.SIGKILL)


class Room:
    """A hub's end of the conversation, in its barest form."""

    def __init__(self, client):
        self._client = client
        self._heard = queue.SimpleQueue()
        client.on_message = lambda _c, _u, message: self._heard.put(message)

    def send(self, topic, payload, *, retained=False):
        self._client.publish(topic, payload, qos=1, retain=retained).wait_for_publish(WAIT_S)

    def hears(self):
        return self._heard.get(timeout=WAIT_S)

    def submit(self, name, kind):
        self.send(HUB.result(kind), (GOLDEN / f"{name}.json").read_bytes())
        return decode_ack(self.hears().payload)


@contextmanager
def joined(port):
    client = Client(
        CallbackAPIVersion.VERSION2, client_id="room-3", protocol=MQTTProtocolVersion.MQTTv5
    )
    room, granted = Room(client), queue.SimpleQueue()
    client.on_subscribe = lambda *_: granted.put(None)
    client.on_connect = lambda *_: client.subscribe([(each, 1) for each in HUB.subscriptions()])
    client.connect("127.0.0.1", port)
    client.loop_start()
    granted.get(timeout=WAIT_S)
    try:
        yield room
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def room(mosquitto):
    with joined(mosquitto.port) as opened:
        yield opened


def listed(store):
    command = [sys.executable, "-m", "edge.cli", "record-system", "--list", "--json"]
    done = subprocess.run(
        [*command, "--store", str(store)], capture_output=True, check=True, text=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def values(store):
    return [line for line in listed(store) if line["type"] == "value"]


def test_a_result_is_receipted_and_can_be_read_back(record_system, room):
    program = record_system().ready()
    ack = room.submit("temperature-fahrenheit", Kind.TEMPERATURE)
    assert ack.outcome is Outcome.ACCEPTED
    (value,) = values(program.store)
    assert (value["metric"], value["value"], value["unit"]) == ("body-temperature", 98.6, "[degF]")
    assert value["subject"] == "Patient/p-17"
    assert program.end() == 0


def test_a_result_that_comes_while_the_record_system_is_away_is_filed_when_it_is_back(
    record_system, room
):
    first = record_system().ready()
    first.end()
    room.send(HUB.result(Kind.HEIGHT), (GOLDEN / "height.json").read_bytes())
    second = record_system().ready()
    assert decode_ack(room.hears().payload).outcome is Outcome.ACCEPTED
    assert len(values(second.store)) == 1


@pytest.mark.parametrize(
    ("point", "outcome"),
    [
        ("record.filing.before-commit", Outcome.ACCEPTED),
        ("record.filing.inside-commit", None),
        ("record.filing.after-commit", Outcome.DUPLICATE),
    ],
)
def test_a_record_system_killed_while_filing_has_it_once_and_says_so_after(
    record_system, room, point, outcome
):
    dying = record_system(fault=f"{point}:1:7").ready()
    room.send(HUB.result(Kind.HEIGHT), (GOLDEN / "height.json").read_bytes())
    if dying.wait() == 0:
        pytest.fail("it did not die")
    record_system().ready()
    said = decode_ack(room.hears().payload)
    assert said.outcome in ({outcome} if outcome else {Outcome.ACCEPTED, Outcome.DUPLICATE})
    assert len(values(dying.store)) == 1


def test_a_broker_that_dies_and_comes_back_is_found_again(record_system, mosquitto):
    program = record_system().ready()
    mosquitto.kill()
    mosquitto.start()
    program.ready()
    with joined(mosquitto.port) as room:
        assert room.submit("height", Kind.HEIGHT).outcome is Outcome.ACCEPTED


def test_a_question_about_a_patient_is_answered_to_the_hub_that_asked(record_system, room):
    record_system().ready()
    asked = PatientRequest(
        correlation_id="c-1",
        boot_id="run-1",
        at=datetime(2026, 11, 23, tzinfo=UTC),
        body=ScannedPatient("0017-4"),
    )
    room.send(HUB.request(RequestKind.PATIENT), encode(asked))
    heard = room.hears()
    assert heard.topic == HUB.reply(RequestKind.PATIENT)
    (patient,) = decode_reply(heard.payload).patients
    assert (patient.reference, patient.display[1]) == ("Patient/p-17", "1961-02-28")


def test_a_room_is_told_when_the_register_puts_somebody_into_it(record_system, room):
    program = record_system().ready()
    online = Status(state=HubState.ONLINE, boot_id="run-1", seq=1)
    room.send(HUB.status, encode(online), retained=True)
    program.says("online")
    program.register.write_text(PERSON + ASSIGNED, "utf-8")
    command = decode_command(room.hears().payload)
    assert (command.boot_id, command.body.patient.reference) == ("run-1", "Patient/p-17")
    (hub,) = [line for line in listed(program.store) if line["type"] == "hub"]
    assert (hub["site"], hub["hub"], hub["state"]) == ("north", "room-3", "online")


def test_a_slip_in_the_register_changes_nothing_and_is_told(record_system, room):
    program = record_system().ready()
    program.register.write_text(PERSON + "[[room", "utf-8")
    program.says("going by the one before")
    assert room.submit("height", Kind.HEIGHT).outcome is Outcome.ACCEPTED


def test_two_record_systems_that_share_the_work_file_each_result_once(record_system, room):
    one = record_system("--client-id", "one", "--share", "ehr").ready()
    record_system("--client-id", "two", "--share", "ehr").ready()
    names = {"height": Kind.HEIGHT, "oximetry": Kind.OXIMETRY, "weight-pounds": Kind.WEIGHT}
    bundles = {
        kind: json.loads((GOLDEN / f"{name}.json").read_bytes()) for name, kind in names.items()
    }
    for number, (kind, bundle) in enumerate(bundles.items()):
        text = json.dumps(bundle).replace("000000000001.42", f"000000000001.{number}")
        room.send(HUB.result(kind), text.encode())
        room.send(HUB.result(kind), text.encode())
    heard = sorted(decode_ack(room.hears().payload).outcome for _ in range(2 * len(names)))
    assert heard == [Outcome.ACCEPTED] * 3 + [Outcome.DUPLICATE] * 3
    assert len({value["result_id"] for value in values(one.store)}) == len(names)


def test_nothing_a_person_could_be_known_by_is_logged(record_system, room):
    program = record_system().ready()
    room.submit("oximetry", Kind.OXIMETRY)
    room.submit("oximetry", Kind.WEIGHT)
    program.end()
    assert "accepted" in program.told
    assert "rejected" in program.told
    assert not any(word in program.told for word in ("Okonkwo", "0017-4", "Patient/", "1961"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--broker", "mqtt://broker.example"], "TLS it must be"),
        (["--broker", "mqtt://user:word@127.0.0.1"], "--password-file"),
        (["--misbehave-to-test-hubs", "silent"], "add --accept-demo"),
        (["--register", "none.toml"], "none.toml: No such file"),
        (["--cert", "hub.pem"], "--cert and --key together"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(record_system, options, said):
    program = record_system(*options)
    assert program.wait() == 2
    assert said in program.told
    assert len(program.told.splitlines()) == 1
