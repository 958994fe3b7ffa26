"""The least a record system can do: answers each result with a receipt, and keeps nothing.

A program of its own: ``python -m benchmarks.receipts PORT``, so that it shares no interpreter with
what is measured. It says "ready" once it is subscribed.
"""

import socket
import sys

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.contract.messages import Ack
from edge.contract.wire import encode
from edge.events import Outcome

CONTENT_SHA256 = "ab" * 32
RESULTS = "exam/v1/bench/hub/result/+"
ACK = "exam/v1/bench/hub/ack"


def main(port: int) -> None:
    """Answer until the broker goes away."""
    client = Client(
        CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
    )
    client.max_inflight_messages_set(1000)
    client.on_socket_open = at_once
    client.on_connect = lambda *_: client.subscribe(RESULTS, 1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.on_message = _answer
    client.connect("127.0.0.1", port)
    client.loop_forever()


def at_once(_client: Client, _: object, opened: socket.socket) -> None:
    """Send small packets without waiting for the acknowledgement of earlier ones."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _answer(client: Client, _: object, message: MQTTMessage) -> None:
    result_id = message.properties.CorrelationData.decode()  # type: ignore[union-attr]  # v5 has them
    ack = Ack(result_id=result_id, outcome=Outcome.ACCEPTED, content_sha256=CONTENT_SHA256)
    client.publish(ACK, encode(ack), qos=1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
