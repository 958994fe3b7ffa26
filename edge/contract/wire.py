"""The bounds on what messages hold, and how their bytes are read and written."""

import re
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

SCHEMA = "exam/v1"  # of the payloads; a change that breaks a reader makes it v2, and the topics too
RESULT_ID_CHARS = 128

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Explanation = Annotated[str, Meta(max_length=4000)]
ResultId = Annotated[str, Meta(min_length=1, max_length=RESULT_ID_CHARS)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Counter = Annotated[int, Meta(ge=0)]
Time = Annotated[datetime, Meta(tz=True)]

M = TypeVar("M")


class MessageError(ValueError):
    """Bytes that are not the message their topic promises; says where and why."""


def encode(message: msgspec.Struct) -> bytes:
    """Return the payload; the same message is always the same bytes."""
    return _ENCODER.encode(message)


def decode(decoder: msgspec.json.Decoder[M], payload: bytes) -> M:
    """Read a payload; raises `MessageError`, which quotes no value.

    What a message holds may name a patient, and what is wrong with it goes into a log.
    """
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(_QUOTED_VALUE.sub(r"\1", str(error))) from None


_QUOTED_VALUE = re.compile(r"^(Invalid (?:enum )?value) .*?(?= - at |$)", re.DOTALL)
_ENCODER = msgspec.json.Encoder(order="deterministic")
