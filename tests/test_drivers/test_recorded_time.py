import asyncio

import pytest

from drivers.transports.recorded_time import RecordedTime


def test_sleepers_wake_in_the_order_of_their_times_and_at_them():
    clock = RecordedTime(start_ns=1_000)
    woken = []

    async def sleeper(seconds):
        await clock.sleep(seconds)
        woken.append((seconds, clock.now().mono_ns, clock.now().wall_ns))

    async def main():
        await asyncio.gather(*map(sleeper, [3600.0, 0.25, 1.0]))

    clock.run(main())
    assert woken == [(s, int(s * 1e9), int(s * 1e9) + 1_000) for s in (0.25, 1.0, 3600.0)]


def test_no_time_passes_while_anything_can_run():
    clock = RecordedTime()

    async def main():
        for _ in range(1000):
            await asyncio.sleep(0)
        return clock.now().mono_ns

    assert clock.run(main()) == 0


def test_a_time_out_of_the_event_loop_is_in_recorded_time_too():
    clock = RecordedTime()

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await asyncio.Event().wait()
        return clock.now().mono_ns

    assert clock.run(main()) == 60 * 10**9


def test_waiting_for_what_never_comes_is_found_at_once():
    async def main():
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="dead end"):
        RecordedTime().run(main())


def test_it_says_whether_the_wall_clock_was_synchronised():
    assert not RecordedTime(trusted=False).now().trusted
