"""What goes out: properties as MQTT 5 has them, results never expiring, sizes known beforehand."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from drivers.model import Kind
from edge.contract.dialogue import RoomListRequest
from edge.contract.messages import Live, decode_status
from edge.contract.topics import Hub
from edge.observation import Space
from edge.publish.mqtt import Notes, _PublishProperties
from edge.publish.outgoing import COPIED, HEADROOM_BYTES, Sender, too_large
from edge.publish.window import Dispatch
from edge.store.outbox import OutboxRow

SENDER = Sender(Hub("main", "room-3"), boot_id="run-7", versions={"vitals-edge": "1.0"})
GOLDEN = Path(__file__).parent / "golden_bundles"
LONGEST = Sender(Hub("s" * 64, "h" * 64), boot_id="b" * 200)
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=60)
notes = st.builds(
    Notes,
    content_type=words,
    response_topic=st.none() | words.filter(bool),
    correlation=st.none() | st.binary(max_size=200),
    expiry_s=st.none() | st.integers(1, 2**32 - 1),
    user=st.lists(st.tuples(words, words), max_size=6).map(tuple),
)


def row(**changes):
    fields = {
        "result_id": "j.4",
        "kind": Kind.OXIMETRY,
        "payload": b'{"resourceType":"Bundle"}',
        "content_sha256": "0" * 64,
        "space": Space.PRODUCTION,
        "order": 17,
    }
    return OutboxRow(**{**fields, **changes})


@given(notes)
def test_properties_are_packed_as_the_library_reads_them(given_notes):
    packed = _PublishProperties(given_notes).pack()
    read = Properties(PacketTypes.PUBLISH)
    _, length = read.unpack(packed)
    assert length == len(packed)
    assert (read.PayloadFormatIndicator, read.ContentType) == (1, given_notes.content_type)
    assert getattr(read, "ResponseTopic", None) == given_notes.response_topic
    assert getattr(read, "CorrelationData", None) == given_notes.correlation
    assert getattr(read, "MessageExpiryInterval", None) == given_notes.expiry_s
    assert tuple(getattr(read, "UserProperty", ())) == given_notes.user


def test_a_result_goes_out_as_the_bytes_that_are_stored_and_never_expires():
    message = SENDER.result(Dispatch(row(), first=True))
    assert (message.payload, message.qos, message.retained) == (row().payload, 1, False)
    assert message.notes.expiry_s is None


def test_the_properties_of_a_result_repeat_what_its_tags_say():
    bundle = (GOLDEN / "oximetry.json").read_bytes()
    said = dict(SENDER.result(Dispatch(row(payload=bundle), first=True)).notes.user)
    told = [said[name] for name in ("schema", "seq", "boot-id", "clock", "result-id")]
    assert told == ["1", "42", "5d0c6f0e-run", "synced", "j.4"]
    assert said["sha256"] == hashlib.sha256(bundle).hexdigest()


def test_a_payload_without_tags_goes_out_all_the_same():
    said = dict(SENDER.result(Dispatch(row(payload=b"\xff"), first=True)).notes.user)
    assert sorted(said) == ["replay", "result-id", "sha256", "traceparent"]


def test_only_what_was_sent_before_is_marked_as_a_repeat():
    told = [
        dict(SENDER.result(dispatch).notes.user)["replay"]
        for dispatch in (
            Dispatch(row(), first=True),
            Dispatch(row(), first=False),
            Dispatch(row(attempts=1), first=True),
        )
    ]
    assert told == ["false", "true", "true"]


def test_previews_expire_and_are_sent_once_at_most():
    preview = Live(at=datetime(2026, 11, 23, tzinfo=UTC), unit="%", value=97.0)
    message = SENDER.live("oximeter", "spo2", preview)
    assert (message.qos, message.retained, message.notes.expiry_s) == (0, False, 5)


def test_a_request_names_where_its_reply_is_expected():
    request = RoomListRequest(
        correlation_id="c-1", boot_id="run-7", at=datetime(2026, 11, 23, tzinfo=UTC)
    )
    message = SENDER.request(request)
    assert message.topic == "exam/v1/main/room-3/request/room-list"
    assert message.notes.response_topic == "exam/v1/main/room-3/reply/room-list"


def test_a_will_pairs_with_the_birth_of_its_connection():
    status = decode_status(SENDER.will(4).payload)
    assert (status.boot_id, status.seq, status.at, status.journal) == ("run-7", 4, None, None)


def test_a_result_that_just_fits_makes_no_packet_larger_than_the_limit():
    limit = 10_000
    told = [{"system": system, "code": "c" * 100} for system in COPIED.values()]
    start = json.dumps({"meta": {"tag": told}}).encode()
    payload = start.ljust(limit - HEADROOM_BYTES)
    longest = row(result_id="r" * 128, payload=payload, kind=Kind.BODY_COMPOSITION)
    message = LONGEST.result(Dispatch(longest, first=True))
    properties = _PublishProperties(message.notes).pack()
    packet = 5 + 2 + len(message.topic) + 2 + len(properties) + len(message.payload)
    assert too_large(payload, limit) is None
    assert packet <= limit


def test_one_byte_more_is_refused_with_both_sizes():
    payload = b"x" * (10_000 - HEADROOM_BYTES + 1)
    assert too_large(payload, 10_000) == "it has 7,953 bytes and the broker takes 7,952"
