"""What a TM-2655's messages mean: by order, never beside an error, with the envelope if granted."""

import asyncio

import pytest

from drivers.contract import Write
from drivers.instruments.and_tm2655 import ERRORS, AndTm2655, Settings, measurement
from drivers.model import (
    Flag,
    Instant,
    InstrumentId,
    Measurement,
    Metric,
    Notice,
    NoticeKind,
    Status,
)
from drivers.protocols.and_tm2655 import (
    Acknowledgement,
    Decoder,
    Message,
    command,
    encode,
    envelope_of,
    result_of,
    scrub,
)
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.and_tm2655 import VirtualAndTm2655

AT = Instant(1, 2, trusted=True)
FIELDS = (b"TM2655", b"2601050804", b"RB", b"M", b"E00", b"S122", b"M 92", b"D 78", b"P 68")
FIELDS += (b"I180", b"L 33")
FETCH = frozenset({Write.FETCH})


def with_field(index, text):
    return Message((*FIELDS[:index], text, *FIELDS[index + 1 :]))


def said(message):
    return measurement(result_of(message), (), b"raw", AT)


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


@pytest.mark.parametrize(
    ("code", "wire"),
    [
        (b"RB", "16 16 01 30 30 02 52 42 03 10"),
        (b"RP", "16 16 01 30 30 02 52 50 03 02"),
        (b"ST", "16 16 01 30 30 02 53 54 03 07"),
        (b"SP", "16 16 01 30 30 02 53 50 03 03"),
    ],
)
def test_a_message_has_the_check_byte_of_the_sources(code, wire):
    assert command(code) == bytes.fromhex(wire)
    assert Decoder().feed(bytes.fromhex(wire)) == [Message((code,))]


def test_an_acknowledgement_of_either_sort_is_read():
    wire = bytes.fromhex("16 16 01 30 30 06 16 16 01 30 30 15")
    assert Decoder().feed(wire) == [Acknowledgement(accepted=True), Acknowledgement(accepted=False)]


def test_the_two_fields_that_begin_with_m_are_told_apart_by_their_order():
    assert values(said(Message(FIELDS))) == {
        Metric.SYSTOLIC: 122,
        Metric.DIASTOLIC: 78,
        Metric.MEAN_PRESSURE: 92,
        Metric.PULSE_RATE: 68,
    }


def test_its_clock_is_evidence_and_not_the_time_of_the_value():
    item = said(Message(FIELDS))
    assert (item.device_time, item.evidence) == (None, (("clock", "2026-01-05T08:04"),))


@pytest.mark.parametrize("error", sorted(ERRORS))
def test_beside_an_error_no_number_is_believed(error):
    item = said(with_field(4, f"E{error}".encode()))
    assert set(values(item).values()) == {Status.FAILED}
    assert item.evidence[1] == ("error", f"E{error}, {ERRORS[error]}")


def test_an_error_nobody_documented_is_a_failure_too():
    item = said(with_field(4, b"E99"))
    assert set(values(item).values()) == {Status.FAILED}
    assert item.evidence[1] == ("error", "E99, not documented")


def test_body_movement_is_flagged():
    assert said(with_field(4, b"E44")).flags == {Flag.BODY_MOVEMENT}


@pytest.mark.parametrize("blank", [b"P   ", b"P---", b"P  0"])
def test_a_field_without_a_number_is_no_value(blank):
    assert values(said(with_field(8, blank)))[Metric.PULSE_RATE] is Status.NO_VALUE


def test_pressures_no_patient_has_are_disbelieved():
    item = values(said(with_field(5, b"S305")))
    assert (item[Metric.SYSTOLIC], item[Metric.DIASTOLIC]) == (Status.IMPLAUSIBLE,) * 2


@pytest.mark.parametrize(
    "message",
    [
        with_field(2, b"AB"),
        with_field(0, b"TM2657"),
        with_field(4, b"E0"),
        with_field(6, b"D 78"),
        Message(FIELDS[:8]),
        Message((*FIELDS[:3], b"1234567890", *FIELDS[3:])),
    ],
)
def test_a_message_of_another_form_is_no_result(message):
    assert result_of(message) is None


def test_an_envelope_is_as_many_pairs_as_it_says():
    pairs = (b"152, 12", b"148, 19", b" 96, 33")
    assert envelope_of(Message((b"N  3", *pairs))) == ((152, 12), (148, 19), (96, 33))
    assert envelope_of(Message((b"N  4", *pairs))) is None


def test_scrubbing_takes_what_may_identify_a_patient():
    wire = encode(Message((*FIELDS[:2], b"AB", b"1234567890123456", *FIELDS[3:])))
    (message,) = Decoder().feed(wire)
    (clean,) = Decoder().feed(scrub(message))
    assert clean.fields == (*FIELDS[:2], b"AB", b"x" * 16, *FIELDS[3:])


def test_no_field_is_shown_in_a_log():
    assert "123456" not in repr(Message((b"1234567890123456",)))


def session(*chunks, granted=frozenset(), hear=None, lose_after_s=10.0):
    """What the driver makes of chunks a minute apart, then of a lost link."""
    clock = RecordedTime()
    link = MemoryLink(clock.now, granted, hear=hear)
    host = BenchHost(clock, granted)

    async def play():
        for data in chunks:
            link.send(data)
            await clock.sleep(lose_after_s)
        link.lose()

    async def run():
        driver = AndTm2655(host, Settings())
        items, _ = await asyncio.gather(items_until_lost(driver, link), play())
        return items

    return host, link, clock.run(run())


def test_a_result_that_comes_again_byte_for_byte_is_not_taken_twice():
    host, _, items = session(encode(Message(FIELDS)), encode(Message(FIELDS)))
    assert (len(items), host.counts["results_repeated"]) == (1, 1)


def test_the_same_pressure_at_another_minute_is_another_measurement():
    assert len(session(encode(Message(FIELDS)), encode(with_field(1, b"2601050809")))[2]) == 2


def test_a_format_with_an_identification_is_told_and_nothing_of_it_shown():
    (notice,) = session(encode(with_field(2, b"AB")))[2]
    assert isinstance(notice, Notice)
    assert (notice.kind, "F25" in notice.text) == (NoticeKind.UNMAPPED, True)


def test_it_is_identified_by_its_model():
    assert session(encode(Message(FIELDS)))[0].identified == [InstrumentId("and-tm2655", "TM2655")]


def test_the_envelope_is_asked_for_where_granted_and_kept_as_evidence():
    virtual = VirtualAndTm2655(1, made=[{"at_s": 0.0}])
    _, link, (item,) = session(virtual.due(0.0), granted=FETCH, hear=virtual.hear)
    assert link.written == [(Write.FETCH, command(b"RP"))]
    assert item.evidence[1][0] == "envelope of mmHg,amplitude"
    assert item.evidence[1][1].startswith("152,")


def test_after_a_failed_measurement_no_envelope_is_asked_for():
    assert session(encode(with_field(4, b"E43")), granted=FETCH)[1].written == []


@pytest.mark.parametrize("lose_after_s", [1.0, 10.0])
def test_a_result_whose_envelope_never_comes_is_still_a_measurement(lose_after_s):
    items = session(encode(Message(FIELDS)), granted=FETCH, lose_after_s=lose_after_s)[2]
    assert [type(item) for item in items] == [Measurement]


def test_a_result_that_comes_while_the_envelope_is_awaited_is_taken_after_it():
    second = encode(with_field(5, b"S131"))
    items = session(encode(Message(FIELDS)) + second, granted=FETCH)[2]
    assert [values(item)[Metric.SYSTOLIC] for item in items] == [122, 131]


def test_an_envelope_that_comes_unasked_is_told_and_is_no_value():
    envelope = encode(Message((b"TM2655", b"RP", b"N  3", b"152, 12", b"148, 19", b" 96, 33")))
    (notice,) = session(envelope)[2]
    assert isinstance(notice, Notice)
    assert "3 pairs, 152 to 96 mmHg" in notice.text
