"""A wish is handed to the driver that waits for it, or refused; it is never kept."""

import asyncio

from drivers.contract import Wish
from drivers.transports.wishes import Wishes


async def settle():
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_nobody_waits_for_is_refused_and_not_kept():
    wishes = Wishes()
    assert not wishes.tell(Wish.MEASURE)
    waiting = asyncio.ensure_future(wishes.wait(Wish.MEASURE))
    await settle()
    assert not waiting.done()
    waiting.cancel()


async def test_only_what_is_waited_for_is_taken_and_once():
    wishes = Wishes()
    waiting = asyncio.ensure_future(wishes.wait(Wish.STOP))
    await settle()
    assert wishes.open_to == {Wish.STOP}
    assert (wishes.tell(Wish.MEASURE), wishes.tell(Wish.STOP)) == (False, True)
    assert (wishes.tell(Wish.STOP), await waiting) == (False, Wish.STOP)


async def test_one_who_waits_no_more_takes_nothing_from_that_moment_on():
    wishes = Wishes()
    waiting = asyncio.ensure_future(wishes.wait(Wish.MEASURE))
    await settle()
    waiting.cancel()
    assert (wishes.open_to, wishes.tell(Wish.MEASURE)) == (frozenset(), False)


async def test_a_wish_that_was_taken_is_not_lost_to_a_cancellation_in_the_same_moment():
    wishes = Wishes()
    waiting = asyncio.ensure_future(wishes.wait(Wish.STOP))
    await settle()
    assert wishes.tell(Wish.STOP)
    waiting.cancel()
    assert await waiting is Wish.STOP
