"""One connection to an MQTT broker, from CONNECT to its end, as events; the only home of paho.

A connection is used once. What was handed to it and not acknowledged when it ends is gone with it,
so the library never sends again by itself what the outbox will send again. It lives in the event
loop; only opening it (name, TCP, TLS) is done in a thread. `Connected` comes after the broker
granted the subscriptions, so that no receipt is missed.

MQTT 5 as in the contract: clean start false, session expiry 7 days, receive maximum 100. MQTT 3.1.1
has no reason codes, will delay nor properties: nothing that matters depends on them.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeAlias

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

SESSION_EXPIRY_S = 7 * 24 * 3600
RECEIVE_MAXIMUM = 100
IN_FLIGHT = 20  # to the broker at once; mosquitto's own limit, and paho cannot change it later
TICKS = 4  # looks at the clock in one keep-alive

ACCEPTED = 0
NO_SUBSCRIBERS = 16
FAILURE = 128  # codes from here on say that a request was refused
UNSUPPORTED_VERSION = 132
KEEP_ALIVE_TIMEOUT = 141
NO_CODE = -1  # it ended without a word from the broker


class Version(Enum):
    """A version of MQTT, by what it calls itself on the wire."""

    V5 = 5
    V311 = 4

    def __str__(self) -> str:
        return "5" if self is Version.V5 else "3.1.1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the broker is and as whom to speak; without `tls` only for a broker on this machine."""

    host: str
    port: int
    client_id: str
    tls: ssl.SSLContext | None = None
    credentials: tuple[str, str] | None = None
    keepalive_s: int = 30
    max_packet_bytes: int = 1 << 20
    will_delay_s: int = 15

    def __post_init__(self) -> None:
        if self.tls is not None and not self.tls.check_hostname:
            raise ValueError("broker: the TLS context must check the broker's name")


@dataclass(frozen=True, slots=True)
class Notes:
    """MQTT 5 properties of a message; on 3.1.1 they are left out."""

    content_type: str = "application/json"
    response_topic: str | None = None
    correlation: bytes | None = None
    expiry_s: int | None = None
    user: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish."""

    topic: str
    payload: bytes
    qos: int = 1
    retained: bool = False
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker took us and our subscriptions, except those it `refused`."""

    epoch: int
    version: Version
    max_packet_bytes: int | None
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is over, or never was; `code` is MQTT 5's or NO_CODE."""

    epoch: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker took a message, or refused it: `code` is always ACCEPTED on 3.1.1."""

    epoch: int
    mid: int
    code: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message for us; the broker keeps it until it is acknowledged."""

    epoch: int
    mid: int
    topic: str
    payload: bytes
    qos: int


Event: TypeAlias = Connected | Disconnected | Acknowledged | Arrived


class _Socket(Protocol):
    def fileno(self) -> int: ...


class Connection:
    """One connection; `post` is called in the event loop, the last time with Disconnected."""

    def __init__(
        self,
        endpoint: Endpoint,
        version: Version,
        epoch: int,
        filters: Sequence[str],
        post: Callable[[Event], None],
    ) -> None:
        self.epoch = epoch
        self.version = version
        self._endpoint = endpoint
        self._filters = list(filters)
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._max_packet: int | None = None
        self._up = False
        self._serving = False
        self._over = asyncio.Event()
        self._end: tuple[int, str] | None = None
        self._client = self._make_client()
        self._task: asyncio.Task[None] | None = None

    def start(self, will: Outgoing) -> None:
        """Connect in the background; `will` is what the broker says when we vanish."""
        delay = None
        if self.version is Version.V5:
            delay = _properties(PacketTypes.WILLMESSAGE)
            delay.WillDelayInterval = self._endpoint.will_delay_s
            delay.PayloadFormatIndicator = 1
            delay.ContentType = will.notes.content_type
        self._client.will_set(will.topic, will.payload, will.qos, will.retained, properties=delay)
        self._task = asyncio.create_task(self._run(), name=f"mqtt-{self.epoch}")

    def publish(self, message: Outgoing) -> int | None:
        """Send a message as soon as the socket takes it; return its number, None when not up."""
        if not self._up:
            return None
        properties = _PublishProperties(message.notes) if self.version is Version.V5 else None
        sent = self._client.publish(
            message.topic, message.payload, message.qos, message.retained, properties
        )
        return sent.mid if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def acknowledge(self, message: Arrived) -> None:
        """Tell the broker that a message was dealt with."""
        if message.qos and message.epoch == self.epoch and self._end is None:
            self._client.ack(message.mid, message.qos)

    def close(self) -> None:
        """Say goodbye, so that the broker forgets the will; `Disconnected` follows."""
        if not self._up:
            self.abort()
            return
        self._up = False
        self._client.disconnect()

    def abort(self) -> None:
        """End without a word; `Disconnected` follows, at once unless it is being opened."""
        self._ended(NO_CODE, "the connection was given up")

    def _make_client(self) -> Client:
        endpoint, v5 = self._endpoint, self.version is Version.V5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=endpoint.client_id,
            clean_session=None if v5 else False,
            protocol=MQTTProtocolVersion(self.version.value),
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if endpoint.tls is not None:
            endpoint.tls.sslsocket_class = _TidySocket
            client.tls_set_context(endpoint.tls)
        if endpoint.credentials is not None:
            client.username_pw_set(*endpoint.credentials)
        client.max_inflight_messages_set(IN_FLIGHT)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.on_socket_open = _send_small_packets_at_once
        client.on_socket_register_write = self._on_more_to_write
        client.on_socket_unregister_write = self._on_all_written
        client.on_socket_close = self._on_socket_close
        return client

    async def _run(self) -> None:
        try:
            await asyncio.to_thread(self._open)
            await self._serve()
        except OSError as error:
            self._ended(NO_CODE, error.strerror or str(error))
        except Exception as error:  # noqa: BLE001 - what the library stumbles over ends this connection only
            self._ended(NO_CODE, f"{type(error).__name__}: {error}")
        finally:
            self._hang_up()
            code, reason = self._end or (NO_CODE, "the connection was lost")
            self._post(Disconnected(self.epoch, code, reason))

    async def _serve(self) -> None:
        """Move bytes until the end, and let the library look after its keep-alive."""
        opened = self._client.socket()
        if opened is None:
            return
        self._serving = True
        self._loop.add_reader(opened.fileno(), self._guarded, self._on_readable)
        self._loop.add_writer(opened.fileno(), self._guarded, self._on_writable)
        while not self._over.is_set():
            try:
                async with asyncio.timeout(self._endpoint.keepalive_s / TICKS):
                    await self._over.wait()
            except TimeoutError:
                self._guarded(self._client.loop_misc)

    def _guarded(self, step: Callable[[], object]) -> None:
        """Do one step of the library; see whether the connection survived it."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - what the library stumbles over ends this connection only
            self._ended(NO_CODE, f"{type(error).__name__}: {error}")
        if self._client.socket() is None:
            self._over.set()

    def _on_readable(self) -> None:
        self._client.loop_read()
        while isinstance(opened := self._client.socket(), ssl.SSLSocket) and opened.pending():
            self._client.loop_read()

    def _on_writable(self) -> None:
        self._client.loop_write()

    def _open(self) -> None:
        endpoint = self._endpoint
        if self.version is Version.V311:
            self._client.connect(endpoint.host, endpoint.port, endpoint.keepalive_s)
            return
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = endpoint.max_packet_bytes
        self._client.connect(
            endpoint.host,
            endpoint.port,
            endpoint.keepalive_s,
            clean_start=False,
            properties=properties,
        )

    def _hang_up(self) -> None:
        """Close the socket, and untie the library's object from this one so that it goes now."""
        self._up = False
        client, opened = self._client, self._client.socket()
        if opened is not None:
            self._forget(opened.fileno())
            opened.close()
        for name in _CALLBACKS:
            setattr(client, f"on_{name}", None)

    def _ended(self, code: int, reason: str) -> None:
        """Keep the first reason: what comes after is its consequence."""
        self._up = False
        self._over.set()
        if self._end is None:
            self._end = (code, reason)

    def _forget(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        self._loop.remove_writer(descriptor)

    def _on_more_to_write(self, _client: Client, _: object, opened: _Socket) -> None:
        """Write when the socket takes it; while a thread is opening it, that comes later."""
        if self._serving:
            self._loop.add_writer(opened.fileno(), self._guarded, self._on_writable)

    def _on_all_written(self, _client: Client, _: object, opened: _Socket) -> None:
        self._loop.remove_writer(opened.fileno())

    def _on_socket_close(self, _client: Client, _: object, opened: _Socket) -> None:
        self._forget(opened.fileno())

    def _on_connect(
        self,
        client: Client,
        _: object,
        _flags: ConnectFlags,
        code: ReasonCode,
        said: Properties | None,
    ) -> None:
        if code.is_failure:
            self._ended(code.value, str(code))
            return
        self._max_packet = getattr(said, "MaximumPacketSize", None)
        client.subscribe([(topic, 1) for topic in self._filters])

    def _on_subscribe(
        self,
        _client: Client,
        _: object,
        _mid: int,
        codes: list[ReasonCode],
        _said: Properties | None,
    ) -> None:
        granted = zip(self._filters, codes, strict=False)
        refused = tuple(topic for topic, code in granted if code.is_failure)
        self._up = True
        self._post(Connected(self.epoch, self.version, self._max_packet, refused))

    def _on_publish(
        self, _client: Client, _: object, mid: int, code: ReasonCode, _said: Properties | None
    ) -> None:
        self._post(Acknowledged(self.epoch, mid, code.value))

    def _on_message(self, _client: Client, _: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._post(Arrived(self.epoch, message.mid, topic, bytes(message.payload), message.qos))

    def _on_disconnect(
        self,
        _client: Client,
        _: object,
        _flags: DisconnectFlags,
        code: ReasonCode,
        said: Properties | None,
    ) -> None:
        self._ended(code.value, getattr(said, "ReasonString", str(code)))


class _TidySocket(ssl.SSLSocket):
    """Closes itself when the handshake fails; the library would leave it open."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class _PublishProperties(Properties):
    """Properties of a PUBLISH, packed here: the library takes ten times as long for it."""

    def __init__(self, notes: Notes) -> None:
        fields = [b"\x01\x01", b"\x03" + _prefixed(notes.content_type.encode())]
        if notes.expiry_s is not None:
            fields.append(b"\x02" + notes.expiry_s.to_bytes(4, "big"))
        if notes.response_topic is not None:
            fields.append(b"\x08" + _prefixed(notes.response_topic.encode()))
        if notes.correlation is not None:
            fields.append(b"\x09" + _prefixed(notes.correlation))
        for name, value in notes.user:
            fields.append(b"\x26" + _prefixed(name.encode()) + _prefixed(value.encode()))
        # Not the library's own attributes: it refuses to have any but those of the standard.
        object.__setattr__(self, "_packed", _with_length(b"".join(fields)))

    def pack(self) -> bytes:
        """Return them as they go on the wire; MQTT 5, 2.2.2 and 3.3.2.3."""
        packed: bytes = object.__getattribute__(self, "_packed")
        return packed


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _with_length(data: bytes) -> bytes:
    """Put the length in front, seven bits a byte, the lowest first."""
    length, prefix = len(data), bytearray()
    while length > 127:
        prefix.append(0x80 | length & 0x7F)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + data


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]  # the library leaves it unannotated


def _send_small_packets_at_once(_client: Client, _: object, opened: object) -> None:
    """Do not let an acknowledgement hold up the next result for 40 ms (Nagle, delayed ACK)."""
    if isinstance(opened, socket.socket):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


_CALLBACKS = (
    *("connect", "subscribe", "publish", "message", "disconnect", "socket_open", "socket_close"),
    *("socket_register_write", "socket_unregister_write"),
)
