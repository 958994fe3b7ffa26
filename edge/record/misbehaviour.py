"""A record system that misbehaves on purpose, to see what a hub does then; never near patients.

silent      files everything and answers nothing
slow        answers each result only after the next one has come
nonsense    answers results with bytes that are no receipt
wrong-hash  answers every result as a duplicate of which it holds something else
"""

from collections.abc import Callable, Sequence
from types import MappingProxyType

from edge.contract import topics
from edge.contract.messages import Ack, decode_ack
from edge.contract.topics import Channel
from edge.contract.wire import encode
from edge.events import Outcome
from edge.record.clerk import Message
from edge.record.program import Twist

NONSENSE = b'{"result_id": 7, "outcome": "yes'
OTHER_HASH = "0" * 64


def silent(messages: Sequence[Message]) -> Sequence[Message]:
    """Keep every receipt back."""
    return [each for each in messages if not _is_receipt(each)]


def nonsense(messages: Sequence[Message]) -> Sequence[Message]:
    """Replace every receipt by what is none."""
    return [Message(each.topic, NONSENSE) if _is_receipt(each) else each for each in messages]


def wrong_hash(messages: Sequence[Message]) -> Sequence[Message]:
    """Claim to hold something else under every id."""
    return [_with_other_hash(each) if _is_receipt(each) else each for each in messages]


def slow() -> Twist:
    """Return what keeps each receipt back until the next one is due."""
    kept: list[Message] = []

    def late(messages: Sequence[Message]) -> Sequence[Message]:
        receipts = [each for each in messages if _is_receipt(each)]
        waiting = [*kept, *receipts]
        kept[:] = waiting[-1:]
        return [*(each for each in messages if not _is_receipt(each)), *waiting[:-1]]

    return late


MODES: MappingProxyType[str, Callable[[], Twist]] = MappingProxyType(
    {
        "silent": lambda: silent,
        "slow": slow,
        "nonsense": lambda: nonsense,
        "wrong-hash": lambda: wrong_hash,
    }
)


def _is_receipt(message: Message) -> bool:
    return topics.parse(message.topic).channel is Channel.ACK


def _with_other_hash(message: Message) -> Message:
    result_id = decode_ack(message.payload).result_id
    ack = Ack(result_id=result_id, outcome=Outcome.DUPLICATE, content_sha256=OTHER_HASH)
    return Message(message.topic, encode(ack))
