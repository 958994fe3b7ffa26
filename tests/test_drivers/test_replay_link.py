import asyncio
from contextlib import suppress

import pytest

from drivers.contract import SerialLine, Write
from drivers.errors import LinkLost, ReplayMismatch, WriteNotPermitted
from drivers.transports.capture_file import Received, parse
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import BytesLink, ReplayLink

IDENTIFY = frozenset({Write.IDENTIFY})


def play(text, driver, granted=IDENTIFY):
    """Run `driver(link, clock)` on a recording; return what it returns."""
    clock = RecordedTime(start_ns=10**15)

    async def main():
        return await driver(ReplayLink(parse(text), clock, granted), clock)

    return clock.run(main())


async def listen(link, clock):
    """Note each chunk with the time it says and the time it came, in seconds, until the loss."""
    chunks = []
    with suppress(LinkLost):
        while True:
            chunk = await anext(link)
            chunks.append((chunk.at.mono_ns / 1e9, clock.now().mono_ns / 1e9, chunk.data))
    return chunks


def test_chunks_come_at_their_recorded_times():
    assert play("0.5 < 01\n0.5 < 02\n90 < 03\n", listen) == [
        (0.5, 0.5, b"\x01"),
        (0.5, 0.5, b"\x02"),
        (90.0, 90.0, b"\x03"),
    ]


def test_a_reader_who_dawdles_gets_the_recorded_times_all_the_same():
    async def dawdle(link, clock):
        times = []
        with suppress(LinkLost):
            while True:
                times.append((await anext(link)).at)
                await clock.sleep(10)
        return [(at.mono_ns, at.wall_ns - 10**15) for at in times]

    assert play("1 < 01\n2 < 02\n", dawdle) == [(10**9, 10**9), (2 * 10**9, 2 * 10**9)]


def test_a_recorded_loss_comes_when_it_came():
    async def until_lost(link, clock):
        with pytest.raises(LinkLost, match="lost here"):
            await anext(link)
        return clock.now().mono_ns

    assert play("7 ! lost\n", until_lost) == 7 * 10**9


def test_channels_are_kept():
    async def first(link, _clock):
        return (await anext(link)).channel

    assert play("0 < 2a37: 00\n", first) == "2a37"


def test_the_write_that_was_recorded_is_accepted_in_any_pieces():
    async def ask(link, clock):
        await link.write(Write.IDENTIFY, b"\x02")
        await link.write(Write.IDENTIFY, b"\x70\x03")
        return await listen(link, clock)

    assert [data for *_, data in play("0.1 > 02 70\n0.1 > 03\n0.2 < 06\n", ask)] == [b"\x06"]


def test_another_write_than_was_recorded_is_told_with_both():
    async def ask(link, _clock):
        await link.write(Write.IDENTIFY, b"\x02\x71")

    with pytest.raises(ReplayMismatch, match=r"writes 02 71 \(identify\); recorded is 02 70"):
        play("0.1 > 02 70\n0.2 < 06\n", ask)


def test_a_write_too_many_is_told():
    async def ask(link, _clock):
        await link.write(Write.IDENTIFY, b"\x02")

    with pytest.raises(ReplayMismatch, match="recorded is no further write"):
        play("0.2 < 06\n", ask)


def test_a_write_that_never_comes_is_told_before_the_answer_to_it_is_played():
    with pytest.raises(ReplayMismatch, match=r"has 02 70 written before 0\.200000 s"):
        play("0.1 > 02 70\n0.2 < 06\n", listen)


def test_a_write_that_is_missing_at_the_end_is_told():
    with pytest.raises(ReplayMismatch, match="at its end"):
        play("0.1 < 06\n0.2 > 02 70\n", listen)


def test_a_write_that_is_a_little_late_is_waited_for():
    async def ask_late(link, clock):
        async def late():
            await clock.sleep(1.5)
            await link.write(Write.IDENTIFY, b"\x02")

        writing = asyncio.ensure_future(late())
        chunks = await listen(link, clock)
        await writing
        return chunks

    assert play("0.1 > 02\n0.2 < 06\n", ask_late) == [(0.2, 1.5, b"\x06")]


def test_what_is_not_granted_is_not_written():
    async def ask(link, _clock):
        await link.write(Write.SET_CLOCK, b"\x02")

    with pytest.raises(WriteNotPermitted, match="set-clock"):
        play("0.1 > 02\n", ask)


def test_bare_bytes_arrive_at_the_pace_of_their_line():
    clock = RecordedTime()
    blocks = [Received(0, bytes(200)), Received(0, b"last", "2a37")]

    async def main():
        return await listen(BytesLink(blocks, clock, SerialLine(baud=9600)), clock)

    arrived = [(round(said * 960), len(data)) for said, _, data in clock.run(main())]
    assert arrived == [(96, 96), (192, 96), (200, 8), (204, 4)]


def test_nothing_is_written_to_bare_bytes():
    clock = RecordedTime()

    async def main():
        await BytesLink([], clock, SerialLine()).write(Write.IDENTIFY, b"\x02")

    with pytest.raises(WriteNotPermitted):
        clock.run(main())
