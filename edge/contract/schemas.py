"""JSON Schema 2020-12 of every message, made from the types that read and write them."""

import inspect
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from edge.contract.dialogue import Command, Reply, Request
from edge.contract.messages import Ack, DeviceStatus, EventNotice, Live, Status
from edge.contract.topics import Channel

Schema: TypeAlias = dict[str, object]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
JSON_TYPES: dict[Channel, object] = {
    Channel.STATUS: Status,
    Channel.DEVICE_STATUS: DeviceStatus,
    Channel.EVENT: EventNotice,
    Channel.LIVE: Live,
    Channel.REQUEST: Request,
    Channel.ACK: Ack,
    Channel.COMMAND: Command,
    Channel.REPLY: Reply,
}  # a result is a FHIR Bundle: its schema is FHIR's own

# What the types check when they are built, in the words of JSON Schema.
RULES: dict[str, Schema] = {
    "Ack": {
        "if": {"properties": {"outcome": {"enum": ["accepted", "duplicate"]}}},
        "then": {
            "required": ["content_sha256"],
            "properties": {"content_sha256": {"type": "string"}},
        },
    },
    "Resending": {
        "anyOf": [
            {"required": ["result_ids"], "properties": {"result_ids": {"minItems": 1}}},
            {"required": ["from_seq"], "properties": {"from_seq": {"type": "integer"}}},
        ]
    },
}


def schema_of(channel: Channel) -> Schema:
    """Return the complete schema of a channel's payload."""
    (schema,), definitions = components([channel], "#/$defs/{name}")
    return {"$schema": DIALECT, "title": channel.value, **schema, "$defs": definitions}


def components(channels: Iterable[Channel], ref: str) -> tuple[list[Schema], Schema]:
    """Return a schema for each channel, and the definitions that they refer to by `ref`."""
    types = [JSON_TYPES[channel] for channel in channels]
    schemas, definitions = msgspec.json.schema_components(types, ref_template=ref)
    for name, definition in definitions.items():
        definition.update(RULES.get(name, {}))
    return [_tidy(schema) for schema in schemas], _tidy(dict(sorted(definitions.items())))


def file_name(channel: Channel) -> str:
    """Return the name of the file that holds a channel's schema."""
    return f"{channel.value}.schema.json"


def _tidy(schema: Schema) -> Schema:
    """Unindent descriptions; leave out `discriminator`, which is OpenAPI's, not JSON Schema's."""
    return {key: _tidied(key, value) for key, value in schema.items() if key != "discriminator"}


def _tidied(key: str, value: object) -> object:
    if isinstance(value, dict):
        return _tidy(value)
    if isinstance(value, list):
        return [_tidied(key, item) for item in value]
    return inspect.cleandoc(value) if key == "description" and isinstance(value, str) else value
