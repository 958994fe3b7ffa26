"""Kiosks that a person in the room starts and stops from here, where that is granted."""

import asyncio

import pytest

from drivers.contract import Wish, Write
from drivers.model import Measurement, Metric, NoticeKind
from drivers.protocols import and_tm2655, maibobo
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.memory_port import speak

START = {
    "and-tm2655": bytes.fromhex("16 16 01 30 30 02 53 54 03 07"),
    "maibobo": bytes.fromhex("CC 80 03 03 01 02 00 03"),
}
STOP = {
    "and-tm2655": bytes.fromhex("16 16 01 30 30 02 53 50 03 03"),
    "maibobo": bytes.fromhex("CC 80 03 03 01 03 00 02"),
}
FIELDS = b"TM2655 2601050804 RB M E00 S122 M092 D078 P068".split()
RESULT = and_tm2655.encode(and_tm2655.Message(tuple(FIELDS)))
LATER = and_tm2655.encode(and_tm2655.Message((FIELDS[0], b"2601050806", *FIELDS[2:])))
ACCEPTED = and_tm2655.encode(and_tm2655.Acknowledgement(accepted=True))
every_kiosk = pytest.mark.parametrize("name", sorted(START))


def session(name, play, granted=None, deaf=False):
    """Host, orders and items while `play(host, clock)` goes on."""
    entry, clock = REGISTRY[name], RecordedTime()
    granted = entry.writes if granted is None else frozenset(granted)
    virtual = entry.simulator()(1, made=())
    link = MemoryLink(clock.now, granted, hear=None if deaf else virtual.hear)
    host = BenchHost(clock, granted)

    async def run():
        driver = entry.factory()(host, entry.options({}))
        running = asyncio.ensure_future(items_until_lost(driver, link))
        speaking = asyncio.ensure_future(speak(virtual, link, clock, 600))
        await clock.sleep(5)
        await play(host, clock)
        link.lose()
        speaking.cancel()
        return await running

    items = clock.run(run())
    orders = [data for purpose, data in link.written if purpose is Write.START_MEASUREMENT]
    return host, orders, items


def wants(*wishes, seconds=60):
    async def play(host, clock):
        for wish in wishes:
            assert host.wishes.tell(wish)
            await clock.sleep(seconds)

    return play


def test_the_orders_are_those_of_the_sources():
    assert and_tm2655.command(b"ST") == START["and-tm2655"]
    assert and_tm2655.command(b"SP") == STOP["and-tm2655"]
    assert maibobo.command(maibobo.START) == START["maibobo"]
    assert maibobo.command(maibobo.STOP) == STOP["maibobo"]


@every_kiosk
def test_a_measurement_that_is_wanted_began_when_it_was_started(name):
    _, orders, items = session(name, wants(Wish.MEASURE))
    (item,) = [item for item in items if isinstance(item, Measurement)]
    assert orders == [START[name]]
    assert item.readings[0].metric is Metric.SYSTOLIC
    assert 5.0 <= item.began.mono_ns / 1e9 <= 6.0


@every_kiosk
def test_an_end_that_is_wanted_ends_it_and_it_can_be_started_again(name):
    _, orders, items = session(name, wants(Wish.MEASURE, Wish.STOP, Wish.MEASURE, seconds=10))
    assert orders == [START[name], STOP[name], START[name]]
    assert [item.text for item in items] == ["the measurement was ended from here"]


@every_kiosk
def test_one_that_does_not_answer_is_told_and_is_not_measuring(name):
    async def play(host, clock):
        assert host.wishes.tell(Wish.MEASURE)
        await clock.sleep(10)
        assert host.wishes.open_to == {Wish.MEASURE}

    _, _, (notice,) = session(name, play, deaf=True)
    assert "does not begin" in notice.text


@every_kiosk
def test_without_the_grant_it_is_open_to_nothing(name):
    async def play(host, clock):
        assert host.wishes.open_to == frozenset()
        await clock.sleep(1)

    granted = REGISTRY[name].writes - {Write.START_MEASUREMENT}
    assert session(name, play, granted=granted)[1] == []


def test_a_wish_while_the_kiosk_measures_already_is_refused_and_dates_nothing():
    entry, clock = REGISTRY["maibobo"], RecordedTime()
    virtual = entry.simulator()(1, made=[{"at_s": 25}])
    link = MemoryLink(clock.now, entry.writes, hear=virtual.hear)
    host = BenchHost(clock, entry.writes)

    async def run():
        driver = entry.factory()(host, entry.options({}))
        running = asyncio.ensure_future(items_until_lost(driver, link))
        speaking = asyncio.ensure_future(speak(virtual, link, clock, 600))
        await clock.sleep(15)
        assert host.wishes.tell(Wish.MEASURE)
        await clock.sleep(60)
        link.lose()
        speaking.cancel()
        return await running

    notice, told = clock.run(run())
    assert notice.kind is NoticeKind.REFUSED
    assert told.began.mono_ns < 15e9
    assert START["maibobo"] not in [data for _, data in link.written]


def test_a_result_that_comes_between_the_order_and_its_answer_was_not_started_by_it():
    entry, clock = REGISTRY["and-tm2655"], RecordedTime()
    granted = frozenset({Write.START_MEASUREMENT})
    link, host = MemoryLink(clock.now, granted), BenchHost(clock, granted)

    async def run():
        driver = entry.factory()(host, entry.options({}))
        running = asyncio.ensure_future(items_until_lost(driver, link))
        await clock.sleep(5)
        assert host.wishes.tell(Wish.MEASURE)
        await clock.sleep(0.5)
        for said in (RESULT, ACCEPTED, LATER):
            link.send(said)
            await clock.sleep(0.5)
        link.lose()
        return await running

    before, started = clock.run(run())
    assert (before.began, started.began.mono_ns) == (None, 5_000_000_000)
