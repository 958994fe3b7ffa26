"""The record system's connection to the broker: MQTT 5 with a session that outlives it.

A message is acknowledged to the broker only after it was dealt with, so a record system that dies
gets it again. Callbacks only put into a queue; nothing is published from them and no lock is held.
"""

import logging
import queue
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from drivers.errors import SettingsError
from edge.contract.topics import Channel, subscription
from edge.record.clerk import Message

SESSION_EXPIRY_S = 7 * 24 * 3600
RECEIVE_MAXIMUM = 200  # results in our hands at once: one transaction files them
MAX_PACKET_BYTES = 2 << 20
KEEPALIVE_S = 30
RECONNECT_S = (1, 30)
PORTS = {"mqtt": 1883, "mqtts": 8883}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and as whom to speak."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    credentials: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message and what acknowledges it, on the connection it came by only."""

    message: Message
    mid: int
    qos: int
    epoch: int


def broker_at(
    url: str,
    *,
    ca: Path | None = None,
    certificate: tuple[Path, Path] | None = None,
    password_file: Path | None = None,
) -> Broker:
    """Return the broker of ``mqtt[s]://[user@]host[:port]``; SettingsError where unsafe."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SettingsError(f"--broker {url}: {error}") from error
    if parts.scheme not in PORTS or not host or parts.path.strip("/"):
        raise SettingsError("--broker: write mqtt://HOST:PORT or mqtts://HOST:PORT")
    if parts.password:
        raise SettingsError(
            "--broker: a password does not belong on a command line; --password-file"
        )
    if parts.scheme == "mqtt" and host not in LOOPBACK:
        raise SettingsError(
            f"--broker: {host} is another machine, so TLS it must be: mqtts://{host}"
        )
    tls = _tls(ca, certificate) if parts.scheme == "mqtts" else None
    credentials = None
    if parts.username:
        secret = password_file.read_text("utf-8").rstrip("\n") if password_file else ""
        credentials = (parts.username, secret)
    return Broker(host, port or PORTS[parts.scheme], tls, credentials)


def _tls(ca: Path | None, certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
        if certificate:
            context.load_cert_chain(*certificate)
    except OSError as error:
        raise SettingsError(f"--ca, --cert, --key: {error}") from error
    return context


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call] # paho does not annotate it


class Connection:
    """The broker, from `start` to `stop`; reconnects by itself."""

    def __init__(self, broker: Broker, client_id: str, group: str | None) -> None:
        share = f"$share/{group}/" if group else ""
        self._filters = [
            share + subscription(Channel.RESULT),
            share + subscription(Channel.REQUEST),
            subscription(Channel.STATUS),
        ]
        self.ready = threading.Event()
        self._epoch = 0
        self._broker = broker
        self._inbox: queue.SimpleQueue[Arrived] = queue.SimpleQueue()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        if broker.tls is not None:
            self._client.tls_set_context(broker.tls)
        if broker.credentials is not None:
            self._client.username_pw_set(*broker.credentials)
        self._client.reconnect_delay_set(*RECONNECT_S)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        wanted = _properties(PacketTypes.CONNECT)
        wanted.SessionExpiryInterval = SESSION_EXPIRY_S
        wanted.ReceiveMaximum = RECEIVE_MAXIMUM
        wanted.MaximumPacketSize = MAX_PACKET_BYTES
        self._client.connect_async(
            self._broker.host,
            self._broker.port,
            KEEPALIVE_S,
            clean_start=False,
            properties=wanted,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye; the broker keeps what comes until the next start."""
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, most: int, wait_s: float) -> list[Arrived]:
        """Return what has arrived, waiting a while for the first."""
        taken: list[Arrived] = []
        try:
            taken.append(self._inbox.get(timeout=wait_s))
            while len(taken) < most:
                taken.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return taken

    def send(self, messages: Sequence[Message]) -> None:
        """Publish at QoS 1; while the broker is away the library keeps them."""
        for message in messages:
            properties = _properties(PacketTypes.PUBLISH)
            properties.PayloadFormatIndicator = 1
            properties.ContentType = "application/json"
            if message.expires_s is not None:
                properties.MessageExpiryInterval = message.expires_s
            self._client.publish(message.topic, message.payload, qos=1, properties=properties)

    def acknowledge(self, dealt_with: Sequence[Arrived]) -> None:
        """Let the broker forget what was dealt with."""
        for arrived in dealt_with:
            if arrived.qos and arrived.epoch == self._epoch:
                self._client.ack(arrived.mid, arrived.qos)

    def _on_connect(
        self,
        client: Client,
        _: object,
        _flags: ConnectFlags,
        code: ReasonCode,
        _said: Properties | None,
    ) -> None:
        if code.is_failure:
            log.error("the broker refuses this record system: %s", code)
            return
        self._epoch += 1
        client.subscribe([(topic, 1) for topic in self._filters])

    def _on_connect_fail(self, _client: Client, _: object) -> None:
        log.warning("no broker answers at %s:%s; trying on", self._broker.host, self._broker.port)

    def _on_subscribe(
        self,
        _client: Client,
        _: object,
        _mid: int,
        codes: list[ReasonCode],
        _said: Properties | None,
    ) -> None:
        refused = [
            topic for topic, code in zip(self._filters, codes, strict=False) if code.is_failure
        ]
        if refused:
            log.error("the broker refuses subscriptions: %s; nothing of them arrives", refused)
            return
        log.info("ready")
        self.ready.set()

    def _on_message(self, _client: Client, _: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        arrived = Message(topic, bytes(message.payload))
        self._inbox.put(Arrived(arrived, message.mid, message.qos, self._epoch))

    def _on_disconnect(
        self,
        _client: Client,
        _: object,
        _flags: DisconnectFlags,
        code: ReasonCode,
        _said: Properties | None,
    ) -> None:
        self.ready.clear()
        if code.is_failure:
            log.warning("the broker is gone: %s; trying on", code)
