"""The broker settings that are shipped: who may say and hear what, by certificate."""

import asyncio
import queue
import shutil
import ssl
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from drivers.model import Kind
from edge.contract.topics import CommandName, EventKind, Hub, RequestKind
from edge.publish.mqtt import Connected, Connection, Disconnected, Endpoint, Outgoing, Version

pytestmark = pytest.mark.system

DEPLOY = Path(__file__).resolve().parents[2] / "config" / "deploy"
OURS, THEIRS = Hub("main", "room-3"), Hub("main", "room-4")
DENIED = 135
WAIT_S = 20


def hub_writes(hub):
    return {
        hub.status,
        hub.result(Kind.OXIMETRY),
        hub.device_status("cuff"),
        hub.event(EventKind.QUARANTINE),
        hub.request(RequestKind.PATIENT),
    }


def record_system_writes(hub):
    return {hub.ack, hub.command(CommandName.RESEND), hub.reply(RequestKind.PATIENT)}


def openssl(*arguments):
    if shutil.which("openssl") is None:
        pytest.fail(
            "the tests of TLS make their certificates with openssl: apt-get install openssl"
        )
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate authority, the broker's certificate and one for each client."""
    folder = tmp_path_factory.mktemp("certificates")
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        *new,
        "-x509",
        "-subj",
        "/CN=Test CA",
        "-keyout",
        folder / "ca.key",
        "-out",
        folder / "ca.crt",
    )
    names = folder / "names"
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("broker", "room-3", "room-4", "record-system"):
        key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        openssl(*new, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signer = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial")
        openssl("x509", "-req", "-in", request, *signer, "-extfile", names, "-out", certificate)
    return folder


@pytest.fixture
def broker(tmp_path, certificates, mosquitto_with):
    """A broker with the shipped settings, but for paths, port and address."""
    rules = tmp_path / "rules.acl"
    rules.write_text((DEPLOY / "vitals-edge.acl").read_text("utf-8").replace("SITE", "main"))
    skipped = ("listener", "persistence", "autosave")
    shipped = (DEPLOY / "mosquitto.conf").read_text("utf-8")
    shipped = shipped.replace("/etc/mosquitto/certs", str(certificates))
    shipped = shipped.replace("/etc/mosquitto/vitals-edge.acl", str(rules))
    lines = [line for line in shipped.splitlines() if line and not line.startswith(("#", *skipped))]
    return mosquitto_with(*lines)


def identity(certificates, name):
    context = ssl.create_default_context(cafile=certificates / "ca.crt")
    if name is not None:
        context.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
    return context


@contextmanager
def client(broker, certificates, name, *filters):
    """A bare client that certifies as `name`; yields it with what it hears."""
    heard, answered, ready = queue.SimpleQueue(), queue.SimpleQueue(), queue.SimpleQueue()
    bare = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    bare.tls_set_context(identity(certificates, name))
    bare.on_connect = lambda *_: bare.subscribe([(f, 1) for f in (*filters, f"probe/{name}")])
    bare.on_subscribe = lambda *_: ready.put(True)
    bare.on_message = lambda _c, _u, message: heard.put(message.topic)
    bare.on_publish = lambda _c, _u, _mid, code, _p: answered.put(code.value)
    bare.connect("127.0.0.1", broker.port)
    bare.loop_start()
    try:
        ready.get(timeout=WAIT_S)

        def say(topic):
            bare.publish(topic, b"{}", qos=1)
            return answered.get(timeout=WAIT_S)

        yield say, heard
    finally:
        bare.disconnect()
        bare.loop_stop()


def test_a_hub_writes_on_its_own_topics_and_on_no_other(broker, certificates):
    everything = {
        topic for hub in (OURS, THEIRS) for topic in hub_writes(hub) | record_system_writes(hub)
    }
    with client(broker, certificates, "room-3") as (say, _):
        assert {topic for topic in everything if say(topic) != DENIED} == hub_writes(OURS)


def test_the_record_system_answers_every_hub_and_speaks_for_none(broker, certificates):
    answers = record_system_writes(OURS) | record_system_writes(THEIRS)
    everything = answers | hub_writes(OURS) | hub_writes(THEIRS)
    with client(broker, certificates, "record-system") as (say, _):
        assert {topic for topic in everything if say(topic) != DENIED} == answers


def test_a_hub_hears_what_is_meant_for_it_and_nothing_of_another_room(broker, certificates):
    answers = sorted(record_system_writes(THEIRS)) + sorted(record_system_writes(OURS))
    with (
        client(broker, certificates, "room-3", "exam/v1/#") as (_, heard),
        client(broker, certificates, "record-system") as (say, _),
    ):
        for topic in answers:
            say(topic)
        told = [heard.get(timeout=WAIT_S) for _ in record_system_writes(OURS)]
    assert sorted(told) == sorted(record_system_writes(OURS))


def test_the_record_system_hears_every_hub(broker, certificates):
    with (
        client(broker, certificates, "record-system", "exam/v1/main/#") as (_, heard),
        client(broker, certificates, "room-3") as (say, _),
    ):
        for topic in sorted(hub_writes(OURS)):
            say(topic)
        told = [heard.get(timeout=WAIT_S) for _ in hub_writes(OURS)]
    assert sorted(told) == sorted(hub_writes(OURS))


def connection(broker, tls, client_id="room-3"):
    """Connect as the hub does; return the connection and what it tells."""
    told = asyncio.Queue()
    endpoint = Endpoint("127.0.0.1", broker.port, client_id, tls=tls, will_delay_s=0)
    link = Connection(endpoint, Version.V5, 1, OURS.subscriptions(), told.put_nowait)
    link.start(Outgoing(OURS.status, b"{}", retained=True))
    return link, told


async def test_a_hub_with_a_certificate_is_let_in_with_all_its_subscriptions(broker, certificates):
    link, told = connection(broker, identity(certificates, "room-3"))
    came = await told.get()
    assert isinstance(came, Connected)
    assert came.refused == ()
    assert came.max_packet_bytes == 2 << 20
    link.close()
    assert isinstance(await told.get(), Disconnected)


async def test_a_hub_without_a_certificate_is_not_let_in(broker, certificates):
    _, told = connection(broker, identity(certificates, None))
    assert isinstance(await told.get(), Disconnected)


async def test_a_hub_does_not_speak_to_a_broker_that_a_stranger_certified(broker):
    _, told = connection(broker, ssl.create_default_context())
    ended = await told.get()
    assert isinstance(ended, Disconnected)
    assert "certificate" in ended.reason.lower()


async def test_a_certificate_takes_over_no_other_hubs_session(broker, certificates):
    ours, told = connection(broker, identity(certificates, "room-3"))
    assert isinstance(await told.get(), Connected)
    stranger, strange = connection(broker, identity(certificates, "room-4"), client_id="room-3")
    await strange.get()
    assert ours.publish(Outgoing(OURS.result(Kind.OXIMETRY), b"{}")) is not None
    assert (await told.get()).code != DENIED
    for link, said in ((stranger, strange), (ours, told)):
        link.close()
        while not isinstance(await said.get(), Disconnected):
            pass


def test_a_context_that_does_not_check_the_brokers_name_is_refused():
    careless = ssl.create_default_context()
    careless.check_hostname = False
    with pytest.raises(ValueError, match="must check the broker's name"):
        Endpoint("127.0.0.1", 8883, "room-3", tls=careless)
