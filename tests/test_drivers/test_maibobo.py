"""What a Maibobo kiosk's frames mean: results, errors, and nothing told twice."""

import asyncio

import pytest

from drivers.contract import Write
from drivers.instruments.maibobo import Maibobo, Settings, failure, measurement
from drivers.model import Flag, Instant, InstrumentId, Measurement, Metric, Skipped, Status
from drivers.protocols.maibobo import CONNECT, ERRORS, Decoder, Frame, command, encode, scrub
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.maibobo import VirtualMaibobo

AT = Instant(1, 2, trusted=True)
CLOCK = bytes((1, 26, 1, 5, 8, 4, 30))
ASKED = frozenset({Write.IDENTIFY})


def result(systolic=126, diastolic=79, pulse=70, clock=CLOCK):
    numbers = (systolic, diastolic, pulse)
    return Frame(6, clock + b"".join(number.to_bytes(2, "big") for number in numbers))


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


def said(frame):
    (read,) = Decoder().feed(encode(frame))
    return measurement(read, AT)


@pytest.mark.parametrize(
    ("code", "wire"),
    [(1, "CC80030301010000"), (2, "CC80030301020003"), (3, "CC80030301030002")],
)
def test_a_command_is_that_of_the_sources(code, wire):
    assert command(code) == bytes.fromhex(wire)


def test_the_answer_of_the_sources_is_read():
    assert Decoder().feed(bytes.fromhex("AA80030301010000")) == [Frame(CONNECT, b"\x00")]


def test_frames_begin_as_those_of_the_sources():
    assert encode(Frame(5, b"\x00\x78")).hex().startswith("aa8003040105")
    assert encode(result()).hex().startswith("aa80030f0106")


def test_a_result_is_a_measurement_and_its_clock_is_evidence():
    item = said(result())
    assert values(item) == {Metric.SYSTOLIC: 126, Metric.DIASTOLIC: 79, Metric.PULSE_RATE: 70}
    assert (item.device_time, item.evidence) == (None, (("clock", "2026-01-05T08:04:30"),))


@pytest.mark.parametrize(("systolic", "diastolic"), [(301, 80), (80, 126), (90, 90), (0xFFFF, 80)])
def test_pressures_no_patient_has_are_disbelieved(systolic, diastolic):
    item = values(said(result(systolic, diastolic)))
    assert {item[Metric.SYSTOLIC], item[Metric.DIASTOLIC]} == {Status.IMPLAUSIBLE}


def test_zeros_are_no_value():
    assert set(values(said(result(0, 0, 0))).values()) == {Status.NO_VALUE}


@pytest.mark.parametrize("error", [*ERRORS, 0x33])
def test_an_error_is_a_failed_measurement_with_its_words(error):
    item = failure(Frame(7, bytes((error,)), b"raw"), AT)
    assert set(values(item).values()) == {Status.FAILED}
    assert item.evidence == (("error", f"{error:02X}, {ERRORS.get(error, 'not documented')}"),)
    assert item.flags == ({Flag.WRONG_POSITION} if error in {2, 6} else set())


def test_merged_and_split_frames_are_told_apart():
    wire = encode(Frame(5, b"\x00\x78")) + encode(result())
    decoder = Decoder()
    assert [*decoder.feed(wire[:11]), *decoder.feed(wire[11:])] == [
        Frame(5, b"\x00\x78"),
        result(),
    ]


def test_a_frame_with_a_wrong_check_is_skipped():
    wire = encode(result())
    assert {type(item) for item in Decoder().feed(wire[:-1] + b"\xee" + b"\x00")} == {Skipped}


def test_scrubbing_takes_the_number_of_the_user():
    assert scrub(result()) == encode(result(clock=b"\x00" + CLOCK[1:]))


def session(send=b"", granted=frozenset(), hear=None):
    clock = RecordedTime()
    link = MemoryLink(clock.now, granted, hear=hear)
    host = BenchHost(clock, granted)

    async def play():
        await clock.sleep(3)
        link.send(send)
        await clock.sleep(3)
        link.lose()

    async def run():
        items, _ = await asyncio.gather(items_until_lost(Maibobo(host, Settings()), link), play())
        return items

    return host, link, clock.run(run())


def test_a_result_that_comes_again_byte_for_byte_is_not_taken_twice():
    host, _, items = session(encode(result()) * 3)
    assert (len(items), host.counts["results_repeated"]) == (1, 2)


def test_the_cuffs_pressure_is_no_measurement():
    host, _, items = session(encode(Frame(5, b"\x00\x78")))
    assert (items, host.identified) == ([], [InstrumentId("maibobo")])


def in_cuff(*pressures):
    return b"".join(encode(Frame(5, mmhg.to_bytes(2, "big"))) for mmhg in pressures)


@pytest.mark.parametrize(
    ("seen", "proven"),
    [
        ((0, 90, 170, 60), True),
        ((170, 120, 60, 20), False),  # heard in the middle
        ((30, 20, 10), False),  # heard at the end
        ((), False),
    ],
)
def test_a_result_whose_cuff_was_seen_to_fill_has_a_beginning(seen, proven):
    _, _, (item,) = session(in_cuff(*seen) + encode(result()))
    assert (item.began is not None) is proven


def test_after_an_error_the_next_measurement_begins_anew():
    sent = in_cuff(0, 90) + encode(Frame(7, b"\x06")) + in_cuff(120, 60) + encode(result())
    assert [item.began for item in session(sent)[2]] == [None, None]


def test_the_connection_is_opened_once_where_granted():
    assert session(granted=ASKED, hear=VirtualMaibobo(1).hear)[1].written == [
        (Write.IDENTIFY, command(CONNECT))
    ]


def test_a_kiosk_that_does_not_answer_is_asked_five_times_and_listened_to():
    _, link, items = session(encode(result()), granted=ASKED)
    assert len(link.written) == 5
    assert [type(item) for item in items] == [Measurement]
