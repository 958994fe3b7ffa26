"""The contract as an AsyncAPI 3.0 document with the MQTT binding 0.2.0, made from the code.

It describes the hub as the application: what the hub sends and what it receives. The MQTT 5
properties of a result are described in docs/contract/README.md: they are copies of what the payload
says, and nothing depends on them.
"""

import re
from enum import StrEnum

from edge.contract.schemas import JSON_TYPES, Schema, components
from edge.contract.topics import LEVEL_CHARS, ROOT, SHAPES, Channel, Shape, Writer
from edge.contract.wire import SCHEMA

RESULT_CONTENT_TYPE = "application/fhir+json; fhirVersion=4.0"
BINDING = "0.2.0"
LIVE_EXPIRY_S = 5
SESSION_EXPIRY_S = 7 * 24 * 3600

SUMMARIES = {
    Channel.STATUS: "Birth, will and orderly end of a hub",
    Channel.DEVICE_STATUS: "An instrument came, went or has a fault",
    Channel.RESULT: "One result: a FHIR R4 transaction Bundle, sent until it is receipted",
    Channel.EVENT: "What people who run the hub should know",
    Channel.LIVE: "Previews for displays, never to be filed",
    Channel.REQUEST: "What the hub asks",
    Channel.ACK: "The receipt for a result; without it the hub sends again",
    Channel.COMMAND: "What the record system asks of the hub",
    Channel.REPLY: "What the record system answers to a request",
}


def document() -> Schema:
    """Return the whole AsyncAPI document."""
    ref = "#/components/schemas/{name}"
    payloads, definitions = components(JSON_TYPES, ref)
    of = dict(zip(JSON_TYPES, payloads, strict=True))
    messages = {channel.value: _message(channel, of.get(channel)) for channel in Channel}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "vitals-edge",
            "version": SCHEMA.rpartition("/")[2].removeprefix("v") + ".0.0",
            "description": "Between an exam-room hub and the clinic's record system.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _broker()},
        "channels": {channel.value: _channel(channel) for channel in Channel},
        "operations": {_operation_name(channel): _operation(channel) for channel in Channel},
        "components": {"messages": messages, "schemas": definitions},
    }


def _broker() -> Schema:
    will = {"topic": _address(Channel.STATUS), "qos": 1, "retain": True}
    return {
        "host": "broker.example:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5",
        "description": "The clinic's broker; MQTT 3.1.1 where it has no 5.",
        "security": [{"type": "X509"}],
        "bindings": {
            "mqtt": {
                "clientId": "{hub}",
                "cleanSession": False,
                "lastWill": will,
                "sessionExpiryInterval": SESSION_EXPIRY_S,
                "bindingVersion": BINDING,
            }
        },
    }


def _address(channel: Channel) -> str:
    return "/".join((ROOT, "{site}", "{hub}", *SHAPES[channel].levels))


def _channel(channel: Channel) -> Schema:
    shape = SHAPES[channel]
    return {
        "address": _address(channel),
        "description": SUMMARIES[channel],
        "messages": {channel.value: {"$ref": f"#/components/messages/{channel.value}"}},
        "parameters": {
            "site": {"description": f"The clinic; {_LEVEL_TEXT}"},
            "hub": {"description": f"The hub, the common name of its certificate; {_LEVEL_TEXT}"},
            **{name: _parameter(shape) for name in shape.variables},
        },
    }


def _parameter(shape: Shape) -> Schema:
    if shape.closed is None:
        return {"description": f"As the site named it; {_LEVEL_TEXT}"}
    return {"enum": list(shape.closed), "description": _first_line(shape.closed)}


def _operation(channel: Channel) -> Schema:
    shape = SHAPES[channel]
    binding: Schema = {"qos": shape.qos, "retain": shape.retained, "bindingVersion": BINDING}
    if channel is Channel.LIVE:
        binding["messageExpiryInterval"] = LIVE_EXPIRY_S
    operation: Schema = {
        "action": "send" if shape.writer is Writer.HUB else "receive",
        "channel": {"$ref": f"#/channels/{channel.value}"},
        "summary": SUMMARIES[channel],
        "messages": [{"$ref": f"#/channels/{channel.value}/messages/{channel.value}"}],
        "bindings": {"mqtt": binding},
    }
    answer = {Channel.RESULT: Channel.ACK, Channel.REQUEST: Channel.REPLY}.get(channel)
    if answer is not None:
        operation["reply"] = {"channel": {"$ref": f"#/channels/{answer.value}"}}
    return operation


def _message(channel: Channel, payload: Schema | None) -> Schema:
    message: Schema = {"title": channel.value, "summary": SUMMARIES[channel]}
    if payload is not None:
        return {**message, "contentType": "application/json", "payload": payload}
    bundle = {
        "type": "object",
        "required": ["resourceType", "type", "identifier", "entry"],
        "properties": {
            "resourceType": {"const": "Bundle"},
            "type": {"const": "transaction"},
            "identifier": {"type": "object", "required": ["system", "value"]},
        },
    }
    return {**message, "contentType": RESULT_CONTENT_TYPE, "payload": bundle}


def _operation_name(channel: Channel) -> str:
    words = channel.value.split("-")
    verb = "send" if SHAPES[channel].writer is Writer.HUB else "receive"
    return verb + "".join(word.capitalize() for word in words)


def _first_line(closed: type[StrEnum]) -> str:
    return re.split(r"\n", closed.__doc__ or "", maxsplit=1)[0]


_LEVEL_TEXT = f"1 to {LEVEL_CHARS} of a-z, 0-9 and '-'"
