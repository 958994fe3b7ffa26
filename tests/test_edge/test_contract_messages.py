"""Messages: what one side writes the other reads, and nothing else passes for one."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Instant
from edge.contract import dialogue, messages
from edge.contract.__main__ import DOCS, description
from edge.contract.asyncapi import document
from edge.contract.commands import why_refused
from edge.contract.dialogue import (
    Assignment,
    AssignPatient,
    CloseAssociation,
    Closing,
    Operator,
    OperatorReply,
    OperatorRequest,
    Order,
    Patient,
    PatientReply,
    PatientRequest,
    Resend,
    Resending,
    RoomListReply,
    RoomListRequest,
    ScannedBadge,
    ScannedPatient,
    WorklistReply,
    WorklistRequest,
)
from edge.contract.messages import (
    Ack,
    ClockState,
    DeviceState,
    DeviceStatus,
    EventNotice,
    HubState,
    JournalHead,
    Live,
    Status,
)
from edge.contract.schemas import JSON_TYPES, schema_of
from edge.contract.topics import Channel, EventKind
from edge.contract.wire import MessageError, encode
from edge.events import Outcome

AT = datetime(2026, 11, 23, 14, 3, 5, 250_000, UTC)
HASH = "ab" * 32
PATIENT = Patient("Patient/p1", ("Test Person", "1980-02-29"))
ENVELOPE = {
    "issued_at": AT,
    "expires_at": AT + timedelta(minutes=2),
    "boot_id": "run-7",
    "correlation_id": "c1",
}
ASSIGN = AssignPatient(body=Assignment("a1", PATIENT, "Practitioner/5"), **ENVELOPE)
QUESTION = {"correlation_id": "c1", "boot_id": "run-7", "at": AT}
READERS = {
    Channel.STATUS: messages.decode_status,
    Channel.DEVICE_STATUS: messages.decode_device_status,
    Channel.EVENT: messages.decode_event,
    Channel.LIVE: messages.decode_live,
    Channel.ACK: messages.decode_ack,
    Channel.COMMAND: dialogue.decode_command,
    Channel.REQUEST: dialogue.decode_request,
    Channel.REPLY: dialogue.decode_reply,
}
EXAMPLES = [
    (
        Channel.STATUS,
        Status(
            state=HubState.ONLINE,
            boot_id="run-7",
            seq=3,
            at=AT,
            versions={"software": "1.0", "schema": "exam/v1"},
            clock=ClockState.SYNCED,
            journal=JournalHead(71, HASH),
        ),
    ),
    (Channel.STATUS, Status(state=HubState.OFFLINE, boot_id="run-7", seq=3, reason="lost")),
    (
        Channel.DEVICE_STATUS,
        DeviceStatus(state=DeviceState.PRESENT, boot_id="run-7", at=AT, driver="nonin"),
    ),
    (Channel.EVENT, EventNotice(kind=EventKind.QUARANTINE, boot_id="run-7", at=AT, instrument="x")),
    (Channel.LIVE, Live(at=AT, unit="1", fs=75.0, samples=[1.0, None, 2.5])),
    (Channel.ACK, Ack(result_id="j.4", content_sha256=HASH, outcome=Outcome.ACCEPTED)),
    (Channel.ACK, Ack(result_id="j.4", outcome=Outcome.RETRY, reason="database is locked")),
    (Channel.COMMAND, ASSIGN),
    (Channel.COMMAND, CloseAssociation(body=Closing("a1"), **ENVELOPE)),
    (Channel.COMMAND, Resend(body=Resending(("j.4",)), **ENVELOPE)),
    (Channel.COMMAND, Resend(body=Resending(from_seq=0), **ENVELOPE)),
    (Channel.REQUEST, PatientRequest(body=ScannedPatient("12345", "urn:mrn"), **QUESTION)),
    (Channel.REQUEST, RoomListRequest(**QUESTION)),
    (Channel.REQUEST, WorklistRequest(**QUESTION)),
    (Channel.REQUEST, OperatorRequest(body=ScannedBadge("b-1"), **QUESTION)),
    (Channel.REPLY, PatientReply(correlation_id="c1", patients=(PATIENT,))),
    (Channel.REPLY, RoomListReply(correlation_id="c1", problem="the register is closed")),
    (
        Channel.REPLY,
        WorklistReply(correlation_id="c1", orders=(Order("ServiceRequest/1", PATIENT, "ecg12"),)),
    ),
    (
        Channel.REPLY,
        OperatorReply(correlation_id="c1", operator=Operator("Practitioner/5", "Test Nurse")),
    ),
]
HUB_WRITES = {
    Channel.STATUS,
    Channel.DEVICE_STATUS,
    Channel.EVENT,
    Channel.LIVE,
    Channel.REQUEST,
}
every_example = pytest.mark.parametrize(("channel", "message"), EXAMPLES)


def validator(channel):
    return jsonschema.Draft202012Validator(schema_of(channel))


@every_example
def test_what_is_written_reads_back_equal(channel, message):
    assert READERS[channel](encode(message)) == message


@every_example
def test_what_is_written_keeps_to_the_published_schema(channel, message):
    validator(channel).validate(json.loads(encode(message)))


@every_example
def test_an_unknown_field_is_an_error_in_what_a_hub_writes_and_passed_over_in_what_it_reads(
    channel, message
):
    extended = json.dumps({**json.loads(encode(message)), "colour": "blue"}).encode()
    if channel in HUB_WRITES:
        with pytest.raises(MessageError, match="unknown field `colour`"):
            READERS[channel](extended)
    else:
        assert READERS[channel](extended) == message


@every_example
def test_the_schema_and_the_reader_agree_on_which_fields_can_be_left_out(channel, message):
    whole = json.loads(encode(message))
    for name in whole:
        part = {key: value for key, value in whole.items() if key != name}
        try:
            READERS[channel](json.dumps(part).encode())
            readable = True
        except MessageError:
            readable = False
        assert validator(channel).is_valid(part) is readable, name


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused_and_nothing_else_happens(channel, payload):
    with pytest.raises(MessageError):
        READERS[channel](payload)


@given(st.sampled_from(EXAMPLES), st.data())
def test_a_damaged_message_is_read_or_refused_and_nothing_else_happens(example, data):
    channel, message = example
    payload = bytearray(encode(message))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] = data.draw(st.integers(0, 255))
    with suppress(MessageError):
        assert isinstance(READERS[channel](bytes(payload)), msgspec.Struct)


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.DUPLICATE])
def test_a_receipt_that_does_not_say_what_is_held_is_no_receipt(outcome):
    payload = json.dumps({"result_id": "j.4", "outcome": outcome}).encode()
    with pytest.raises(MessageError, match="without the content_sha256"):
        messages.decode_ack(payload)


def test_a_refusal_is_explained_by_its_reason_or_else_by_its_operation_outcome():
    told = {"result_id": "j.4", "outcome": "rejected"}
    issue = {"severity": "error", "code": "invalid", "details": {"text": "no such patient"}}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    read = messages.decode_ack(json.dumps({**told, "OperationOutcome": outcome}).encode())
    assert read.why == "no such patient"
    both = {**told, "reason": "closed", "OperationOutcome": outcome}
    assert messages.decode_ack(json.dumps(both).encode()).why == "closed"


def test_an_error_does_not_quote_what_the_message_said():
    payload = json.dumps({"result_id": "j.4", "outcome": "Test Person"}).encode()
    with pytest.raises(MessageError) as caught:
        messages.decode_ack(payload)
    assert str(caught.value) == "Invalid enum value - at `$.outcome`"


def test_a_time_without_a_zone_is_no_time():
    payload = encode(ASSIGN).replace(b"+00:00", b"").replace(b"250000Z", b"250000")
    with pytest.raises(MessageError, match=r"at `[$][.](issued|expires)_at`"):
        dialogue.decode_command(payload)


def test_a_resend_of_nothing_is_refused():
    payload = json.loads(encode(Resend(body=Resending(from_seq=1), **ENVELOPE)))
    payload["body"] = {}
    with pytest.raises(MessageError, match="name result_ids or from_seq"):
        dialogue.decode_command(json.dumps(payload).encode())


def instant(at, *, trusted=True):
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return Instant(since // timedelta(microseconds=1) * 1000, 0, trusted)


def test_an_assignment_in_time_for_this_run_under_a_synchronised_clock_is_followed():
    assert why_refused(ASSIGN, instant(AT + timedelta(seconds=119)), "run-7") is None


def test_an_assignment_is_not_followed_from_the_moment_it_expires():
    assert why_refused(ASSIGN, instant(AT + timedelta(minutes=2)), "run-7").startswith("it expired")


def test_an_expiry_in_another_zone_is_the_same_moment():
    zone = timezone(timedelta(hours=5, minutes=30))
    command = AssignPatient(
        body=ASSIGN.body, **{**ENVELOPE, "expires_at": ENVELOPE["expires_at"].astimezone(zone)}
    )
    assert why_refused(command, instant(AT + timedelta(seconds=119)), "run-7") is None
    assert why_refused(command, instant(AT + timedelta(seconds=120)), "run-7") is not None


def test_an_assignment_for_an_earlier_start_of_the_hub_is_not_followed():
    assert why_refused(ASSIGN, instant(AT), "run-8") == "it answers an earlier start of this hub"


def test_an_assignment_under_a_clock_that_is_not_synchronised_is_not_followed():
    assert "not synchronised" in why_refused(ASSIGN, instant(AT, trusted=False), "run-7")


def test_an_assignment_from_the_future_is_not_followed():
    assert "disagree" in why_refused(ASSIGN, instant(AT - timedelta(minutes=1)), "run-7")


@pytest.mark.parametrize(
    "command",
    [
        CloseAssociation(body=Closing("a1"), **ENVELOPE),
        Resend(body=Resending(("j.4",)), **ENVELOPE),
    ],
)
def test_a_command_that_opens_nothing_is_followed_however_late(command):
    assert why_refused(command, instant(AT + timedelta(days=2), trusted=False), "run-8") is None


@given(
    st.integers(-(10**6), 10**6),
    st.booleans(),
    st.sampled_from(["run-7", "run-8"]),
)
def test_no_assignment_is_followed_outside_its_time_its_run_or_a_known_clock(late_s, trusted, run):
    received = instant(AT + timedelta(seconds=late_s), trusted=trusted)
    followed = why_refused(ASSIGN, received, run) is None
    assert followed is (trusted and run == "run-7" and -30 <= late_s < 120)


@pytest.mark.parametrize("name", sorted(description()))
def test_the_published_description_is_what_the_code_says(name, pytestconfig):
    committed = (pytestconfig.rootpath / DOCS / name).read_bytes()
    assert committed == description()[name], "run: python -m edge.contract"


def test_every_json_schema_is_one():
    for channel in JSON_TYPES:
        jsonschema.Draft202012Validator.check_schema(schema_of(channel))


def test_every_channel_is_described_with_its_parameters():
    api = document()
    assert set(api["channels"]) == set(Channel)
    for channel in api["channels"].values():
        in_address = {part[1:-1] for part in channel["address"].split("/") if part[0] == "{"}
        assert in_address == set(channel["parameters"])


def test_every_reference_in_the_description_leads_somewhere():
    api = document()

    def references(node):
        if isinstance(node, dict):
            yield from (value for key, value in node.items() if key == "$ref")
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for item in node:
                yield from references(item)

    for reference in references(api):
        node = api
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]
