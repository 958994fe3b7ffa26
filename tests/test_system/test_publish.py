"""The publisher with a real broker that denies, refuses, dies or stands still, and its peers."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from drivers.model import Kind
from edge.clock import SystemClock
from edge.contract.dialogue import (
    CloseAssociation,
    Closing,
    Patient,
    PatientReply,
    PatientRequest,
    ScannedPatient,
)
from edge.contract.messages import (
    Ack,
    DeviceState,
    DeviceStatus,
    HubState,
    JournalHead,
    decode_status,
)
from edge.contract.topics import CommandName, Hub, RequestKind
from edge.contract.wire import encode
from edge.events import Enqueued, Outcome, Parked, Receipted
from edge.observation import Moment, Space
from edge.publish.mqtt import Endpoint
from edge.publish.outgoing import Sender
from edge.publish.publisher import Publisher, Tuning
from edge.publish.window import Limits
from edge.store import Store
from edge.store.outbox import Enqueue, Move, OutboxRow, RowState

pytestmark = pytest.mark.system

TOPICS = Hub("main", "room-3")
AT = Moment(0, 0, trusted=True, era="test")
HASH = "ab" * 32
OTHER = "cd" * 32
QUICK = Tuning(
    limits=Limits(resend_s=1.0, retry_s=0.2, longest_s=2.0, poison_disconnects=3),
    first_wait_s=0.05,
    longest_wait_s=0.2,
    handshake_s=3.0,
    silence_s=0.3,
)
DEPLOY = Path(__file__).resolve().parents[2] / "config" / "deploy"


async def until(condition):
    """Return once the condition holds; the test's own time-out is the limit."""
    while True:
        if condition():
            return
        await asyncio.sleep(0.01)


class Service:
    """The service's half of the bargain: what ends is journaled with its row."""

    def __init__(self, store):
        self.store = store
        self.receipts, self.parked, self.commands = [], [], []

    async def on_receipt(self, receipt):
        self.receipts.append(receipt)
        ack = receipt.ack
        event = Receipted(
            at=AT,
            result_id=ack.result_id,
            outcome=ack.outcome,
            content_sha256=ack.content_sha256 or "",
        )
        await self.store.append([event], outbox=[Move(ack.result_id, receipt.state)])

    async def on_parked(self, parked):
        self.parked.append(parked)
        event = Parked(at=AT, result_id=parked.result_id, reason=parked.reason)
        await self.store.append([event], outbox=[Move(parked.result_id, RowState.PARKED)])

    async def on_command(self, command, received):
        self.commands.append((command, received))

    def head(self):
        return JournalHead(self.store.head.sequence, self.store.head.hash.hex())


class HubUnderTest:
    """A store with results in it and the publisher that sends them."""

    def __init__(self, store, port, tuning=QUICK, **endpoint):
        self.store = store
        self.service = Service(store)
        at = Endpoint("127.0.0.1", port, "room-3", keepalive_s=2, **endpoint)
        sender = Sender(TOPICS, boot_id="run-7", versions={"vitals-edge": "test"})
        self.publisher = Publisher(sender, at, store, self.service, SystemClock(), tuning)
        self.accepted = 0

    async def accept(self, n, *, kind=Kind.OXIMETRY, padding=0):
        names = [f"r-{self.accepted + at}" for at in range(1, n + 1)]
        self.accepted += n
        rows = [
            OutboxRow(
                result_id=name,
                kind=kind,
                payload=json.dumps({"id": name, "padding": "x" * padding}).encode(),
                content_sha256=HASH,
                space=Space.PRODUCTION,
            )
            for name in names
        ]
        events = [
            Enqueued(at=AT, item=1, result_id=row.result_id, content_sha256=HASH) for row in rows
        ]
        await self.store.append(events, outbox=[Enqueue(row) for row in rows])
        self.publisher.wake()
        return names

    async def count(self, state):
        return (await self.store.counts())[state]

    async def all_are(self, state):
        await self.at_least(self.accepted, state)
        assert await self.count(state) == self.accepted

    async def at_least(self, n, *states):
        """Return once so many results ended in these states."""
        while True:
            counts = await self.store.counts()
            if sum(counts[state] for state in states) >= n:
                return
            await asyncio.sleep(0.01)

    async def alarm(self, words):
        """Return once people are told so."""
        await until(lambda: any(words in alarm for alarm in self.publisher.state.alarms))

    async def connected(self):
        await until(lambda: self.publisher.state.connected)


@asynccontextmanager
async def hub(tmp_path, port, **options):
    async with await Store.open(tmp_path / "hub.db", clock=SystemClock()) as store:
        yield HubUnderTest(store, port, **options)


@asynccontextmanager
async def running(publisher):
    task = asyncio.create_task(publisher.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


def accepted(result_id):
    return [Ack(result_id=result_id, outcome=Outcome.ACCEPTED, content_sha256=HASH)]


def silent(_):
    return []


RESULTS = (TOPICS.result(Kind.OXIMETRY),)


class Peer:
    """Another client of the broker: hears results, and answers them as its `answer` says."""

    def __init__(self, port, name, answer=silent, filters=RESULTS):
        self.answer = answer
        self.heard = []
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_connect = lambda client, *_: client.subscribe([(f, 1) for f in filters])
        self._ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._client.on_subscribe = lambda *_: loop.call_soon_threadsafe(self._ready.set)
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", port, 30, clean_start=False, properties=session)

    async def __aenter__(self):
        self._client.loop_start()
        await self._ready.wait()
        return self

    async def __aexit__(self, *_):
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def say(self, topic, payload):
        self._client.publish(topic, payload, qos=1)

    def ids(self):
        return [json.loads(message.payload)["id"] for message in self.heard]

    async def hears(self, n):
        await until(lambda: len(self.heard) >= n)
        return self.heard[:n]

    def _on_message(self, _client, _data, message):
        self.heard.append(message)
        if "/result/" in message.topic:
            for receipt in self.answer(json.loads(message.payload)["id"]):
                payload = receipt if isinstance(receipt, bytes) else encode(receipt)
                self._client.publish(TOPICS.ack, payload, qos=1)


class OldBroker:
    """A broker without MQTT 5: refuses such a CONNECT, passes anything else on to a real one."""

    REFUSAL = bytes([0x20, 2, 0, 1])  # CONNACK: unacceptable protocol version

    def __init__(self, port):
        self._real = port
        self.refused = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._tasks = set()
        return self

    async def __aexit__(self, *_):
        await self.cut()

    async def cut(self):
        """Break all connections and take no new ones."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            start = await reader.readexactly(10)  # fixed header, 00 04 MQTT, level
            if start[start.index(b"MQTT") + 4] == 5:
                self.refused += 1
                writer.write(self.REFUSAL)
                await writer.drain()
                return
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._real)
            to_writer.write(start)
            both = [self._pass(reader, to_writer), self._pass(to_reader, writer)]
            await asyncio.gather(*both)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _pass(self, reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


async def test_results_arrive_byte_for_byte_in_order_and_are_filed(tmp_path, mosquitto):
    async with (
        Peer(mosquitto.port, "record-system", accepted) as peer,
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        names = await here.accept(5)
        await here.all_are(RowState.FILED)
        rows = await here.store.rows(10)
        assert peer.ids() == names
        assert [message.payload for message in peer.heard] == [row.payload for row in rows]
        assert here.publisher.state.version == "5"


async def test_a_result_carries_copies_of_what_it_says_and_never_expires(tmp_path, mosquitto):
    async with (
        Peer(mosquitto.port, "record-system", accepted) as peer,
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        await here.accept(1)
        (message,) = await peer.hears(1)
    said = message.properties
    assert said.ContentType == "application/fhir+json; fhirVersion=4.0"
    assert (said.ResponseTopic, said.CorrelationData) == (TOPICS.ack, b"r-1")
    assert not hasattr(said, "MessageExpiryInterval")
    assert [name for name, _ in said.UserProperty] == [
        *("result-id", "sha256", "replay", "traceparent")
    ]
    assert dict(said.UserProperty)["replay"] == "false"


async def test_a_broker_that_knows_no_mqtt_5_is_spoken_to_in_3_1_1(tmp_path, mosquitto):
    async with (
        OldBroker(mosquitto.port) as old,
        Peer(mosquitto.port, "record-system", accepted),
        hub(tmp_path, old.port) as here,
        running(here.publisher),
    ):
        await here.accept(70)
        await here.all_are(RowState.FILED)
        assert (here.publisher.state.version, old.refused) == ("3.1.1", 1)


async def test_what_the_access_list_denies_is_parked_and_the_rest_is_filed(
    tmp_path, mosquitto_with
):
    rules = tmp_path / "rules.acl"
    rules.write_text(
        "topic readwrite exam/v1/main/+/result/oximetry\n"
        "topic readwrite exam/v1/main/+/status\ntopic readwrite exam/v1/main/+/ack\n"
    )
    broker = mosquitto_with(f"acl_file {rules}")
    async with (
        Peer(broker.port, "record-system", accepted),
        hub(tmp_path, broker.port) as here,
        running(here.publisher),
    ):
        (denied,) = await here.accept(1, kind=Kind.TEMPERATURE)
        await here.accept(3)
        await here.at_least(here.accepted, RowState.FILED, RowState.PARKED)
        assert await here.count(RowState.FILED) == 3
        (parked,) = here.service.parked
        assert parked.result_id == denied
        assert "access list" in parked.reason


async def test_a_hub_that_may_not_even_be_born_keeps_everything_and_says_why(
    tmp_path, mosquitto_with
):
    rules = tmp_path / "rules.acl"
    rules.write_text("topic readwrite exam/v1/main/other-hub/#\n")
    broker = mosquitto_with(f"acl_file {rules}")
    async with hub(tmp_path, broker.port) as here, running(here.publisher):
        await here.accept(3)
        await here.alarm("own status topic")
        assert await here.count(RowState.WAITING) == 3


async def test_a_result_larger_than_the_broker_takes_is_parked_without_breaking_the_connection(
    tmp_path, mosquitto_with
):
    broker = mosquitto_with("max_packet_size 100000")
    async with (
        Peer(broker.port, "record-system", accepted),
        hub(tmp_path, broker.port) as here,
        running(here.publisher),
    ):
        names = await here.accept(2) + await here.accept(1, padding=120_000) + await here.accept(2)
        await here.at_least(here.accepted, RowState.FILED, RowState.PARKED)
        assert await here.count(RowState.FILED) == 4
        assert [parked.result_id for parked in here.service.parked] == [names[2]]
        assert (
            here.publisher.fits(b"x" * 120_000)
            == "it has 120,000 bytes and the broker takes 97,952"
        )


async def test_where_the_broker_does_not_say_its_limit_the_poison_is_found_and_parked(
    tmp_path, mosquitto_with
):
    broker = mosquitto_with("max_packet_size 100000")
    async with (
        OldBroker(broker.port) as old,
        Peer(broker.port, "record-system", accepted),
        hub(tmp_path, old.port) as here,
        running(here.publisher),
    ):
        names = await here.accept(2) + await here.accept(1, padding=120_000) + await here.accept(2)
        await here.at_least(here.accepted, RowState.FILED, RowState.PARKED)
        assert await here.count(RowState.FILED) == 4
        assert [parked.result_id for parked in here.service.parked] == [names[2]]


async def test_a_broker_killed_in_the_middle_loses_nothing(tmp_path, mosquitto):
    async with (
        Peer(mosquitto.port, "record-system", accepted) as peer,
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        names = await here.accept(400)
        for filed in (50, 150, 300):
            await here.at_least(filed, RowState.FILED)
            mosquitto.kill()
            mosquitto.start()
        await here.all_are(RowState.FILED)
        assert set(peer.ids()) == set(names)
        assert Counter(r.ack.result_id for r in here.service.receipts) == Counter(names)


async def test_a_broker_that_stands_still_is_left_and_found_again(tmp_path, mosquitto_with):
    broker = mosquitto_with()
    async with (
        Peer(broker.port, "record-system", accepted),
        hub(tmp_path, broker.port) as here,
        running(here.publisher),
    ):
        await here.accept(5)
        await here.all_are(RowState.FILED)
        broker.pause()
        await here.accept(5)
        await here.alarm("no connection to the broker")
        broker.resume()
        await here.all_are(RowState.FILED)
        assert here.service.parked == []


async def test_a_broker_that_is_away_at_the_start_is_waited_for(tmp_path, mosquitto):
    mosquitto.stop()
    async with hub(tmp_path, mosquitto.port) as here, running(here.publisher):
        await here.accept(3)
        await here.alarm("no connection to the broker")
        mosquitto.start()
        async with Peer(mosquitto.port, "record-system", accepted):
            await here.all_are(RowState.FILED)


async def test_while_the_record_system_is_silent_exactly_sixty_four_results_are_out(
    tmp_path, mosquitto
):
    async with (
        Peer(mosquitto.port, "outsider") as outsider,
        Peer(mosquitto.port, "record-system") as record_system,
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        names = await here.accept(200)
        await here.alarm("has not answered")
        await until(lambda: max(Counter(outsider.ids()).values()) >= 3)  # sent again, twice
        assert set(outsider.ids()) == set(names[:64])
        record_system.answer = accepted
        await here.all_are(RowState.FILED)


async def test_receipts_that_are_none_are_counted_and_change_nothing(tmp_path, mosquitto):
    nonsense = [b"\xff", b"{}", b'{"result_id": "r-1", "outcome": "filed"}', b"null"]
    async with (
        Peer(mosquitto.port, "record-system", lambda _: nonsense) as record_system,
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        await here.accept(1)
        await here.alarm("4 messages of the record system could not be understood")
        assert await here.count(RowState.WAITING) == 1
        record_system.answer = accepted
        await here.all_are(RowState.FILED)


async def test_a_receipt_for_something_else_under_this_id_is_a_refusal(tmp_path, mosquitto):
    def holds_something_else(name):
        return [Ack(result_id=name, outcome=Outcome.DUPLICATE, content_sha256=OTHER)]

    async with (
        Peer(mosquitto.port, "record-system", holds_something_else),
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        await here.accept(1)
        await here.all_are(RowState.REJECTED)
        (receipt,) = here.service.receipts
        assert (receipt.differs, receipt.ack.content_sha256) == (True, OTHER)


async def test_not_now_is_asked_again_until_it_is_filed(tmp_path, mosquitto):
    asked = Counter()

    def busy(name):
        asked[name] += 1
        later = Ack(result_id=name, outcome=Outcome.RETRY, reason="the register is locked")
        return accepted(name) if asked[name] == 3 else [later]

    async with (
        Peer(mosquitto.port, "record-system", busy),
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        await here.accept(2)
        await here.alarm("the register is locked")
        await here.all_are(RowState.FILED)
        assert asked == {"r-1": 3, "r-2": 3}


async def test_results_that_nobody_receives_are_kept_and_people_are_told(tmp_path, mosquitto):
    async with hub(tmp_path, mosquitto.port) as here, running(here.publisher):
        await here.accept(3)
        await here.alarm("no record system is subscribed")
        async with Peer(mosquitto.port, "record-system", accepted):
            await here.all_are(RowState.FILED)


async def test_after_a_restart_what_has_no_receipt_is_sent_again_as_a_repeat(tmp_path, mosquitto):
    async with Peer(mosquitto.port, "record-system") as record_system:
        async with hub(tmp_path, mosquitto.port) as here, running(here.publisher):
            await here.accept(1)
            await record_system.hears(1)
        record_system.answer = accepted
        async with hub(tmp_path, mosquitto.port) as here, running(here.publisher):
            here.accepted = 1
            await here.all_are(RowState.FILED)
    first, *again = record_system.heard
    assert dict(first.properties.UserProperty)["replay"] == "false"
    assert {dict(m.properties.UserProperty)["replay"] for m in again} == {"true"}
    assert {m.payload for m in again} == {first.payload}


async def test_a_row_put_back_by_a_person_is_sent_again(tmp_path, mosquitto):
    async with (
        Peer(mosquitto.port, "record-system", accepted) as peer,
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        await here.accept(2)
        await here.all_are(RowState.FILED)
        await here.store.requeue("r-1")
        here.publisher.wake(from_start=True)
        await peer.hears(3)
        await here.all_are(RowState.FILED)
        assert peer.ids() == ["r-1", "r-2", "r-1"]


async def test_birth_and_orderly_end_are_told_to_everybody(tmp_path, mosquitto):
    async with Peer(mosquitto.port, "outsider", filters=(TOPICS.status,)) as outsider:
        async with hub(tmp_path, mosquitto.port) as here:
            await here.accept(1)
            head = here.service.head()
            async with running(here.publisher):
                await outsider.hears(1)
        told = [decode_status(m.payload) for m in await outsider.hears(2)]
    assert [(s.state, s.reason, s.boot_id, s.seq) for s in told] == [
        (HubState.ONLINE, None, "run-7", 1),
        (HubState.OFFLINE, "shutdown", "run-7", 1),
    ]
    assert [status.journal for status in told] == [head, head]


async def test_a_hub_that_vanishes_is_told_to_everybody_by_its_will(tmp_path, mosquitto):
    async with (
        Peer(mosquitto.port, "outsider", filters=(TOPICS.status,)) as outsider,
        OldBroker(mosquitto.port) as cable,
        hub(tmp_path, cable.port) as here,
        running(here.publisher),
    ):
        await outsider.hears(1)
        await cable.cut()
        _, will = await outsider.hears(2)
    status = decode_status(will.payload)
    assert (status.state, status.reason, status.boot_id) == (HubState.OFFLINE, "lost", "run-7")


async def test_instruments_are_announced_on_every_connection(tmp_path, mosquitto):
    status = DeviceStatus(
        state=DeviceState.PRESENT,
        boot_id="run-7",
        at=datetime(2026, 11, 23, tzinfo=UTC),
        driver="nonin",
    )
    topic = TOPICS.device_status("oximeter")
    async with hub(tmp_path, mosquitto.port) as here:
        here.publisher.device_status("oximeter", status)
        async with (
            Peer(mosquitto.port, "outsider", filters=(topic,)) as outsider,
            running(here.publisher),
        ):
            await outsider.hears(1)
            mosquitto.stop()
            await here.alarm("no connection")
            mosquitto.start()
            told = await outsider.hears(2)
    assert {message.payload for message in told} == {encode(status)}


async def test_commands_reach_the_service_and_one_on_a_foreign_topic_does_not(tmp_path, mosquitto):
    command = CloseAssociation(
        issued_at=datetime(2026, 11, 23, tzinfo=UTC),
        expires_at=datetime(2026, 11, 24, tzinfo=UTC),
        boot_id="run-7",
        correlation_id="c-1",
        body=Closing("a-1"),
    )
    async with (
        Peer(mosquitto.port, "record-system") as record_system,
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        await here.connected()
        record_system.say(TOPICS.command(CommandName.RESEND), encode(command))
        await here.alarm("of another kind than its topic")
        record_system.say(TOPICS.command(CommandName.CLOSE), encode(command))
        await until(lambda: here.service.commands)
        assert [told for told, _ in here.service.commands] == [command]


async def test_a_question_finds_its_own_answer(tmp_path, mosquitto):
    patient = Patient("Patient/p1", ("Test Person", "1980-02-29"))
    request = PatientRequest(
        correlation_id="c-1",
        boot_id="run-7",
        at=datetime(2026, 11, 23, tzinfo=UTC),
        body=ScannedPatient("12345"),
    )
    asked = (TOPICS.request(RequestKind.PATIENT),)
    async with (
        Peer(mosquitto.port, "record-system", filters=asked) as record_system,
        hub(tmp_path, mosquitto.port) as here,
        running(here.publisher),
    ):
        await here.connected()
        answer = asyncio.create_task(here.publisher.ask(request))
        await record_system.hears(1)
        for name in ("c-0", "c-1"):
            reply = PatientReply(correlation_id=name, patients=(patient,) if name == "c-1" else ())
            record_system.say(TOPICS.reply(RequestKind.PATIENT), encode(reply))
        assert await answer == PatientReply(correlation_id="c-1", patients=(patient,))


async def test_a_question_without_a_connection_has_no_answer(tmp_path, mosquitto):
    mosquitto.stop()
    request = PatientRequest(
        correlation_id="c-1",
        boot_id="run-7",
        at=datetime(2026, 11, 23, tzinfo=UTC),
        body=ScannedPatient("12345"),
    )
    async with hub(tmp_path, mosquitto.port) as here, running(here.publisher):
        assert await here.publisher.ask(request) is None
