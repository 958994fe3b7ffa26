import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.model import Kind
from edge.clock import ManualClock
from edge.contract.dialogue import (
    OperatorRequest,
    PatientRequest,
    RoomListRequest,
    ScannedBadge,
    ScannedPatient,
    WorklistRequest,
    decode_command,
    decode_reply,
)
from edge.contract.messages import HubState, Status, decode_ack
from edge.contract.topics import CommandName, Hub, RequestKind
from edge.contract.wire import MessageError, encode
from edge.events import Outcome
from edge.record.clerk import Clerk, Message
from edge.record.filing import Filing
from edge.record.misbehaviour import MODES
from edge.record.register import Register

GOLDEN = Path(__file__).parent / "golden_bundles"
HUB = Hub("north", "room-3")
NOW_NS = 1_795_440_187_000_000_000
AT = datetime(2026, 11, 23, 14, 3, 7, tzinfo=UTC)
NAME, BORN, MRN = "Okonkwo, Adaeze", "1961-02-28", "0017-4"


def register(**room):
    return msgspec.convert(
        {
            "patient": [
                {"reference": "Patient/p-17", "name": NAME, "birth_date": BORN}
                | {"identifiers": [MRN, "shared"]},
                {"reference": "Patient/p-18", "name": "Lindqvist, Sven", "birth_date": "1958-07-01"}
                | {"identifiers": ["shared"]},
            ],
            "operator": [
                {"reference": "Practitioner/5", "name": "R. Amsel", "badge": "B-5"},
                {"reference": "Practitioner/6", "name": "T. Fink", "badge": "B-6"},
            ],
            "room": [{"site": "north", "hub": "room-3", "patients": ["Patient/p-18"], **room}],
        },
        Register,
    )


ASSIGNED = {"assigned": "Patient/p-17", "asserted_by": "Practitioner/5"}


@pytest.fixture
def filing(tmp_path):
    opened = Filing(tmp_path / "record.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def clock():
    return ManualClock(NOW_NS)


@pytest.fixture
def clerk(filing, clock):
    return Clerk(filing, register(), clock)


def result(name, kind, hub=HUB):
    return Message(hub.result(kind), (GOLDEN / f"{name}.json").read_bytes())


def status(state=HubState.ONLINE, boot="run-1", seq=1):
    return Message(HUB.status, encode(Status(state=state, boot_id=boot, seq=seq)))


def asked(request):
    kind = RequestKind(request.__struct_config__.tag)
    return Message(HUB.request(kind), encode(request))


def envelope():
    return {"correlation_id": "c-1", "boot_id": "run-1", "at": AT}


def answer(clerk, request):
    (message,) = clerk.handle([asked(request)])
    return message.topic, decode_reply(message.payload)


OXIMETRY = result("oximetry", Kind.OXIMETRY)


def test_a_good_result_is_receipted_to_the_hub_it_came_from(clerk):
    (message,) = clerk.handle([OXIMETRY])
    ack = decode_ack(message.payload)
    content = [t["code"] for t in json.loads(OXIMETRY.payload)["meta"]["tag"]][-1]
    assert (message.topic, ack.outcome) == (HUB.ack, Outcome.ACCEPTED)
    assert ack.content_sha256 == content


def test_a_receipt_is_given_only_after_the_result_is_in_the_record(clerk, filing):
    clerk.handle([OXIMETRY])
    assert len(list(filing.values())) == 3


def test_a_result_sent_again_is_a_duplicate_of_what_is_held(clerk):
    first, again = (decode_ack(m.payload) for m in clerk.handle([OXIMETRY, OXIMETRY]))
    assert (first.outcome, again.outcome) == (Outcome.ACCEPTED, Outcome.DUPLICATE)
    assert first.content_sha256 == again.content_sha256


def test_a_bad_result_is_rejected_with_reason_and_outcome(clerk):
    (message,) = clerk.handle([Message(HUB.result(Kind.WEIGHT), OXIMETRY.payload)])
    ack = decode_ack(message.payload)
    assert (ack.outcome, ack.content_sha256) == (Outcome.REJECTED, None)
    assert ack.operation_outcome.issue[0].diagnostics == ack.reason


def test_a_bad_result_between_good_ones_stops_neither(clerk):
    bad = Message(HUB.result(Kind.WEIGHT), OXIMETRY.payload)
    good = result("height", Kind.HEIGHT)
    outcomes = [decode_ack(m.payload).outcome for m in clerk.handle([bad, good, bad])]
    assert sorted(outcomes) == [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.REJECTED]


def test_a_correction_before_its_original_is_to_be_sent_again(clerk):
    correction = result("correction", Kind.RESPIRATION)
    (early,) = clerk.handle([correction])
    clerk.handle([result("respiration-entered", Kind.RESPIRATION)])
    (later,) = clerk.handle([correction])
    assert [decode_ack(m.payload).outcome for m in (early, later)] == [
        Outcome.RETRY,
        Outcome.ACCEPTED,
    ]


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"\xff", b'{"identifier": 7}'])
def test_bytes_without_a_result_id_cannot_be_answered(clerk, payload):
    assert clerk.handle([Message(HUB.result(Kind.OXIMETRY), payload)]) == []


def test_a_scan_is_answered_with_reference_and_two_identifiers(clerk):
    topic, reply = answer(clerk, PatientRequest(**envelope(), body=ScannedPatient(MRN)))
    assert (topic, reply.correlation_id) == (HUB.reply(RequestKind.PATIENT), "c-1")
    assert [(p.reference, p.display) for p in reply.patients] == [("Patient/p-17", (NAME, BORN))]


def test_a_scan_that_fits_two_people_is_answered_with_both(clerk):
    _, reply = answer(clerk, PatientRequest(**envelope(), body=ScannedPatient("shared")))
    assert len(reply.patients) == 2


def test_a_scan_of_nobody_says_so(clerk):
    _, reply = answer(clerk, PatientRequest(**envelope(), body=ScannedPatient("0099")))
    assert (reply.patients, reply.problem) == ((), "nobody has this identifier")


def test_a_room_is_told_whom_it_expects(clerk):
    _, reply = answer(clerk, RoomListRequest(**envelope()))
    assert [patient.reference for patient in reply.patients] == ["Patient/p-18"]


def test_a_room_nobody_registered_is_told_so(filing, clock):
    clerk = Clerk(filing, Register(), clock)
    assert answer(clerk, RoomListRequest(**envelope()))[1].problem
    assert answer(clerk, WorklistRequest(**envelope()))[1].problem


def test_a_badge_is_answered_with_its_person(clerk):
    _, reply = answer(clerk, OperatorRequest(**envelope(), body=ScannedBadge("B-5")))
    assert (reply.operator.reference, reply.problem) == ("Practitioner/5", None)


@pytest.mark.parametrize("badge", ["B-6", "B-7"])
def test_a_badge_that_may_not_act_here_is_refused(filing, clock, badge):
    clerk = Clerk(filing, register(operators=["Practitioner/5"]), clock)
    _, reply = answer(clerk, OperatorRequest(**envelope(), body=ScannedBadge(badge)))
    assert reply.operator is None
    assert reply.problem


def commands(messages):
    return [decode_command(message.payload) for message in messages]


def test_a_room_is_told_who_is_in_it_when_its_hub_comes_online(filing, clock):
    clerk = Clerk(filing, register(**ASSIGNED), clock)
    (message,) = clerk.handle([status(boot="run-7")])
    command = decode_command(message.payload)
    assert message.topic == HUB.command(CommandName.ASSIGN_PATIENT)
    assert (command.boot_id, command.body.patient.display) == ("run-7", (NAME, BORN))
    assert command.issued_at < command.expires_at
    assert (command.body.asserted_by, command.body.validated_by) == ("Practitioner/5", None)


def test_a_hub_that_comes_back_is_told_the_same_association_until_it_expires(filing, clock):
    clerk = Clerk(filing, register(**ASSIGNED), clock)
    told = commands(clerk.handle([status()]))
    clock.jump_wall(599)
    told += commands(clerk.handle([status(boot="run-2")]))
    clock.jump_wall(1)
    assert clerk.handle([status(boot="run-3")]) == []
    first, second = told
    assert first.body.association_id == second.body.association_id
    assert first.expires_at == second.expires_at
    assert second.boot_id == "run-2"


def test_a_change_of_the_register_closes_one_association_and_opens_the_next(filing, clock):
    clerk = Clerk(filing, register(**ASSIGNED), clock)
    (opened,) = commands(clerk.handle([status()]))
    closed, following = commands(clerk.use(register(**{**ASSIGNED, "assigned": "Patient/p-18"})))
    assert closed.body.association_id == opened.body.association_id
    assert following.body.patient.reference == "Patient/p-18"
    assert following.body.association_id != opened.body.association_id


def test_a_register_that_says_the_same_is_not_announced_again(filing, clock):
    clerk = Clerk(filing, register(**ASSIGNED), clock)
    clerk.handle([status()])
    assert clerk.use(register(**ASSIGNED)) == []


def test_a_restart_of_the_record_system_announces_nobody_twice(filing, clock):
    Clerk(filing, register(**ASSIGNED), clock).handle([status()])
    assert Clerk(filing, register(**ASSIGNED), clock).use(register(**ASSIGNED)) == []


def test_nobody_is_announced_to_a_hub_that_is_away(filing, clock):
    clerk = Clerk(filing, register(), clock)
    clerk.handle([status(), status(HubState.OFFLINE)])
    assert clerk.use(register(**ASSIGNED)) == []
    assert len(clerk.handle([status(boot="run-2")])) == 1


def test_the_late_will_of_an_earlier_connection_does_not_end_the_present_one(clerk, filing):
    clerk.handle([status(seq=1), status(seq=2), status(HubState.OFFLINE, seq=1)])
    assert filing.hubs()[0].state == "online"
    clerk.handle([status(HubState.OFFLINE, seq=2)])
    assert filing.hubs()[0].state == "offline"


words = st.text(min_size=1, max_size=40)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), word=words)
def test_nothing_that_names_a_patient_is_logged(caplog, tmp_path_factory, data, word):
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    opened = Filing(tmp_path_factory.mktemp("record") / "record.sqlite3")
    clerk = Clerk(opened, register(**ASSIGNED), ManualClock(NOW_NS), accept_demo=True)
    bundle = json.loads(OXIMETRY.payload)
    bundle["identifier"]["value"] = NAME + word
    secret = data.draw(st.sampled_from([MRN, NAME, BORN]))
    broken = OXIMETRY.payload.replace(b"Patient/p-17", f"Patient/{secret}".encode())
    scanned = PatientRequest(**envelope(), body=ScannedPatient(secret))
    clerk.handle(
        [
            status(),
            OXIMETRY,
            Message(HUB.result(Kind.OXIMETRY), json.dumps(bundle).encode()),
            Message(HUB.result(Kind.OXIMETRY), broken),
            asked(scanned),
            Message(HUB.request(RequestKind.PATIENT), encode(scanned)[:-1]),
            Message(HUB.request(RequestKind.PATIENT), b'{"kind": "' + secret.encode() + b'"}'),
            Message(f"exam/v1/north/room-3/result/{secret}", OXIMETRY.payload),
        ]
    )
    clerk.use(register())
    opened.close()
    told = caplog.text
    assert told
    assert not any(each in told for each in (NAME, BORN, MRN, "Patient/", "Lindqvist"))


def receipt(clerk, *messages, twist):
    return [decode_ack(m.payload) for m in twist(clerk.handle(messages))]


def test_a_silent_record_system_files_and_says_nothing(clerk, filing):
    assert receipt(clerk, OXIMETRY, twist=MODES["silent"]()) == []
    assert len(list(filing.values())) == 3


def test_a_slow_record_system_is_one_receipt_behind(clerk):
    twist = MODES["slow"]()
    assert receipt(clerk, OXIMETRY, twist=twist) == []
    (late,) = receipt(clerk, result("height", Kind.HEIGHT), twist=twist)
    assert late.outcome is Outcome.ACCEPTED


def test_a_record_system_that_claims_another_hash_claims_it_of_every_result(clerk):
    (claimed,) = receipt(clerk, OXIMETRY, twist=MODES["wrong-hash"]())
    assert (claimed.outcome, claimed.content_sha256) == (Outcome.DUPLICATE, "0" * 64)


def test_nonsense_is_no_receipt(clerk):
    (message,) = MODES["nonsense"]()(clerk.handle([OXIMETRY]))
    with pytest.raises(MessageError):
        decode_ack(message.payload)
