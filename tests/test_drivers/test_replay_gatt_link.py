"""A recorded Bluetooth LE session: what is read and what is sent comes as it came."""

import asyncio

import pytest

from drivers.contract import Write
from drivers.errors import LinkLost, ReplayMismatch, RequestRefused, WriteNotPermitted
from drivers.transports.capture_file import parse
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay_gatt import ReplayGattLink

SESSION = """
0.100000 < 2a25: 41 42
0.200000 < 2A2B: 01
0.300000 > 2a2b: 02
0.400000 < 2a2b: 03
1.000000 < 2a35: 10
2.000000 < 00002a36-0000-1000-8000-00805f9b34fb: 20
3.000000 ! lost
4.000000 < 2a35: 30
"""
GRANTED = frozenset({Write.SET_CLOCK})


def play(text, talk, granted=GRANTED):
    clock = RecordedTime()
    return clock.run(talk(ReplayGattLink(parse(text), clock, granted)))


async def heard(link):
    out = []
    while True:
        try:
            chunk = await anext(link)
        except LinkLost:
            return out
        out.append((chunk.at.mono_ns // 1_000_000, chunk.channel, chunk.data))


def test_what_was_read_is_read_again_and_what_was_sent_is_sent_again_in_time():
    async def talk(link):
        reads = [await link.read("2a25"), await link.read("2a2b")]
        await link.write(Write.SET_CLOCK, "2a2b", b"\2")
        reads.append(await link.read("2a2b"))
        await link.subscribe("2a35")
        return [(c.at.mono_ns // 1_000_000, c.data) for c in reads], await heard(link)

    reads, sent = play(SESSION, talk)
    start = reads[0][0] - 100
    assert [(at - start, data) for at, data in reads] == [(100, b"AB"), (200, b"\1"), (400, b"\3")]
    assert [(at - start, *more) for at, *more in sent] == [
        (1000, "2a35", b"\x10"),
        (2000, "2a36", b"\x20"),
    ]


def test_an_answer_that_was_passed_over_is_there_when_it_is_asked_for():
    async def talk(link):
        await link.read("2a2b")
        first = await anext(link)
        return first.data, (await link.read("2a2b")).data

    text = "0.1 < 2a2b: 01\n0.2 < 2a2b: 02\n0.3 < 2a35: 10\n"
    assert play(text, talk) == (b"\x10", b"\2")


def test_what_was_not_recorded_is_refused():
    async def talk(link):
        with pytest.raises(RequestRefused):
            await link.read("2a19")
        return link.peer.is_lasting

    assert play(SESSION, talk) is False


@pytest.mark.parametrize(
    ("channel", "data", "said"),
    [("2a2b", b"\5", "recorded is 2a2b: 02"), ("2a08", b"\2", "the driver writes 2a08: 02")],
)
def test_another_write_than_the_recorded_is_a_mismatch(channel, data, said):
    async def talk(link):
        with pytest.raises(ReplayMismatch, match=said):
            await link.write(Write.SET_CLOCK, channel, data)

    play(SESSION, talk)


def test_a_write_the_recording_does_not_have_is_a_mismatch():
    async def talk(link):
        with pytest.raises(ReplayMismatch, match="no further one"):
            await link.write(Write.SET_CLOCK, "2a2b", b"\2")

    play("0.1 < 2a35: 10\n", talk)


def test_a_write_without_its_grant_is_refused():
    async def talk(link):
        with pytest.raises(WriteNotPermitted):
            await link.write(Write.SET_CLOCK, "2a2b", b"\2")

    play(SESSION, talk, frozenset())


@pytest.mark.parametrize(
    ("text", "where"),
    [("0.1 > 2a2b: 02\n0.5 < 2a35: 10\n", "before 0.500000 s"), ("0.1 > 2a2b: 02\n", "at its end")],
)
def test_a_recorded_write_that_the_driver_never_makes_is_a_mismatch(text, where):
    async def talk(link):
        with pytest.raises(ReplayMismatch, match=f"2a2b: 02 written {where}"):
            await anext(link)

    play(text, talk)


def test_a_late_write_is_waited_for():
    async def talk(link):
        async def later():
            await asyncio.sleep(1)
            await link.write(Write.SET_CLOCK, "2a2b", b"\2")

        writing = asyncio.ensure_future(later())
        chunk = await anext(link)
        await writing
        return chunk.data

    assert play("0.1 > 2a2b: 02\n0.5 < 2a35: 10\n", talk) == b"\x10"
