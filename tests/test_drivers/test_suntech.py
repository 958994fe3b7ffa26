"""What a SunTech module is told, when, and what its result means."""

import asyncio

import pytest

from drivers.contract import Wish, Write
from drivers.instruments.suntech import Settings, SunTech, measurement
from drivers.model import Flag, Instant, InstrumentId, Measurement, Metric, Notice, Status
from drivers.protocols import suntech
from drivers.protocols.suntech import Decoder, Frame, Result, command, encode, letter, result_frame
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.memory_port import speak
from drivers.virtual.suntech import VirtualSunTech

AT = Instant(1, 2, trusted=True)
ALL = frozenset({Write.IDENTIFY, Write.FETCH, Write.START_MEASUREMENT})
# Unit test of an open program, whose comments quote the maker's manual.
EXAMPLE = bytes.fromhex("3E 18 73 00 4A 00 1E 01 00 00 00 00 00 00 31 07 55 00 58 00 00 00 00 E9")


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


def test_the_result_of_the_manual_is_read():
    (frame,) = Decoder().feed(EXAMPLE)
    assert frame.result == Result(115, 74, 88, 85, beats=30, status=1, error=0)


def test_the_cuff_pressure_of_the_manual_and_a_length_of_0():
    (frame,) = Decoder().feed(bytes.fromhex("3E 05 02 01 BA"))
    assert int.from_bytes(frame.data, "little") == 258
    assert not any(isinstance(x, Frame) for x in Decoder().feed(bytes.fromhex("3E 00 02 01 BA")))


@pytest.mark.parametrize(
    ("body", "wire"),
    [
        (suntech.START_ADULT, "3A 20 A6"),
        (suntech.START_PAEDIATRIC, "3A 87 3F"),
        (suntech.START_NEONATAL, "3A 28 9E"),
        (suntech.ABORT, "3A 79 01 00 4C"),
        (suntech.ASK_PRESSURE, "3A 79 05 00 48"),
        (suntech.ASK_RESULT, "3A 79 03 00 4A"),
    ],
)
def test_a_command_is_what_the_manual_says(body, wire):
    assert command(body) == bytes.fromhex(wire)


@pytest.mark.parametrize("code", [*suntech.ERRORS, 5, 255])
def test_every_error_and_one_nobody_documented_is_a_failed_measurement(code):
    item = measurement(Result(115, 74, 88, 85, 30, 1, code), b"raw", AT, is_live=True)
    assert set(values(item).values()) == {Status.FAILED}
    assert dict(item.evidence)["error"].startswith(f"{code}, ")


def test_a_loose_cuff_and_an_artifact_are_flagged():
    flags = [
        measurement(Result(0, 0, 0, 0, 0, 1, code), b"raw", AT, is_live=True).flags
        for code in (87, 2)
    ]
    assert flags == [{Flag.CUFF_LOOSE}, {Flag.ARTIFACT}]


@pytest.mark.parametrize("numbers", [(300, 299, 299), (0xFFFF, 74, 88), (74, 115, 88)])
def test_pressures_no_patient_has_are_disbelieved(numbers):
    item = measurement(Result(*numbers, 85, 30, 1, 0), b"raw", AT, is_live=True)
    assert Metric.SYSTOLIC in values(item)
    assert all(value == 85 or isinstance(value, Status) for value in values(item).values())


def session(play, granted=ALL, hear=None, **scene):
    """Host, link and items while `play(host, link, clock)` goes on."""
    clock = RecordedTime()
    virtual = VirtualSunTech(1, **scene)
    link = MemoryLink(clock.now, granted, hear=hear or virtual.hear)
    host = BenchHost(clock, granted)

    async def run():
        running = asyncio.ensure_future(items_until_lost(SunTech(host, Settings()), link))
        speaking = asyncio.ensure_future(speak(virtual, link, clock, 600))
        await clock.sleep(2)
        await play(host, clock)
        link.lose()
        speaking.cancel()
        return await running

    return host, link, clock.run(run())


async def measure(host, clock, seconds=60):
    assert host.wishes.tell(Wish.MEASURE)
    await clock.sleep(seconds)


def started(link):
    return [data for purpose, data in link.written if purpose is Write.START_MEASUREMENT]


def test_a_measurement_that_is_wanted_is_started_once_and_its_result_is_live():
    host, link, items = session(measure)
    assert started(link) == [command(suntech.START_ADULT)]
    assert [values(item)[Metric.SYSTOLIC] for item in items] == [116]
    assert [item.flags for item in items] == [frozenset()]
    assert host.identified == [InstrumentId("suntech", firmware="LX virtual 1.0")]


def test_while_it_measures_another_is_refused_and_an_end_is_obeyed():
    async def play(host, clock):
        await measure(host, clock, 5)
        assert not host.wishes.tell(Wish.MEASURE)
        assert host.wishes.tell(Wish.STOP)
        await clock.sleep(60)

    _, link, items = session(play)
    assert started(link) == [command(suntech.START_ADULT), command(suntech.ABORT)]
    assert [type(item) for item in items] == [Notice]


@pytest.mark.parametrize("left_out", [Write.START_MEASUREMENT, Write.FETCH])
def test_without_both_grants_no_wish_is_taken(left_out):
    async def play(host, clock):
        assert not host.wishes.tell(Wish.MEASURE)
        await clock.sleep(5)

    _, link, items = session(play, granted=ALL - {left_out})
    assert started(link) == []
    told = ["allow 'fetch'" in item.text for item in items]
    assert told == ([True] if left_out is Write.FETCH else [])


def test_an_unasked_result_is_from_memory_and_told_once():
    clock = RecordedTime()
    link, host = MemoryLink(clock.now), BenchHost(clock)

    async def run():
        running = asyncio.ensure_future(items_until_lost(SunTech(host, Settings()), link))
        link.send(EXAMPLE * 2)
        await clock.sleep(1)
        link.lose()
        return await running

    (item,) = clock.run(run())
    assert isinstance(item, Measurement)
    assert item.flags == {Flag.FROM_MEMORY}


def test_a_module_that_is_busy_is_asked_again_and_one_that_refuses_is_told():
    answers = iter([letter("B"), letter("B"), letter("E")])
    _, link, items = session(measure, hear=lambda _: encode(next(answers, letter("E"))))
    assert len(started(link)) == 2  # the first answer was to the question for the version
    assert "error" in items[0].text


def test_a_result_survives_its_frame():
    result = Result(129, 82, 97, 71, 30, 1, 0)
    assert result_frame(result).result == result


def old_result_after(answer, *ends):
    """Items when a module that still holds a result answers a start so, and ends it so."""
    clock = RecordedTime()

    def hear(data):
        if data == command(suntech.ASK_RESULT):
            return EXAMPLE
        return encode(letter(answer)) if data == command(suntech.START_ADULT) else b""

    link, host = MemoryLink(clock.now, ALL, hear=hear), BenchHost(clock, ALL)

    async def run():
        running = asyncio.ensure_future(items_until_lost(SunTech(host, Settings()), link))
        await clock.sleep(2)
        link.send(EXAMPLE)
        await clock.sleep(1)
        assert host.wishes.tell(Wish.MEASURE)
        await clock.sleep(20)
        for end in ends:
            link.send(encode(letter(end)))
        await clock.sleep(60)
        link.lose()
        return await running

    return [item for item in clock.run(run()) if isinstance(item, Measurement)]


@pytest.mark.parametrize("way", ["KK", "OK", "OA"])
def test_a_result_that_the_module_still_held_is_not_that_of_what_was_started(way):
    told = old_result_after(*way)
    assert {item.flags for item in told} == {frozenset({Flag.FROM_MEMORY})}
    assert {item.began for item in told} == {None}
