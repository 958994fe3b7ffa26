"""What a module with text frames is told, when, and what its result means."""

import asyncio

import pytest

from drivers.contract import Wish, Write
from drivers.errors import SettingsError
from drivers.instruments.stx_nibp import Settings, StxNibp, measurement
from drivers.model import Flag, Instant, Measurement, Metric, Notice, NoticeKind, Status
from drivers.protocols.stx_nibp import ABORT, Decoder, Ended, Progress, Result, command, encode
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.memory_port import speak
from drivers.virtual.stx_nibp import VirtualStxNibp

AT = Instant(1, 2, trusted=True)
ALL = frozenset({Write.FETCH, Write.START_MEASUREMENT})
FOUND = Result("0", "0", "03", "00", "120", "080", "090", "080", "0005")
NOTHING = Result("0", "0", "03", "00", "---", "---", "---", "---", "----")


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


def said(result):
    return values(measurement(result, AT, is_live=True))


@pytest.mark.parametrize(
    ("number", "check"),
    [(1, "D7"), (3, "D9"), (18, "DF"), (19, "E0"), (20, "D8"), (23, "DB"), (24, "DC"), (25, "DD")],
)
def test_a_command_has_the_check_of_the_sources(number, check):
    assert command(number) == b"\x02" + f"{number:02};;{check}".encode() + b"\x03"


@pytest.mark.parametrize(
    ("wire", "frame"),
    [
        (b"\x02142C0S1\x03\r", Progress(142, 0, 1)),
        (b"\x02999\x03\r", Ended()),
        (b"\x02S0;A0;C03;M00;P120080090;R080;T0005;;36\x03\r", FOUND),
    ],
)
def test_a_frame_of_the_table_is_read_with_and_without_the_line_end(wire, frame):
    assert Decoder().feed(wire) == [frame]
    assert Decoder().feed(wire[:-1] + b"\x02")[0] == frame
    assert encode(frame) == wire


def test_a_result_with_a_wrong_check_is_none():
    assert Decoder().feed(encode(FOUND).replace(b";36", b";37"))[0].data == encode(FOUND).replace(
        b";36", b";37"
    )


def test_a_result_is_systolic_diastolic_mean_and_pulse():
    assert said(FOUND) == {
        Metric.SYSTOLIC: 120,
        Metric.DIASTOLIC: 80,
        Metric.MEAN_PRESSURE: 90,
        Metric.PULSE_RATE: 80,
    }


def test_dashes_are_no_value():
    assert set(said(NOTHING).values()) == {Status.NO_VALUE}


@pytest.mark.parametrize("error", [f"{n:02}" for n in (2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 99)])
def test_every_error_known_and_one_that_is_not_is_a_failed_measurement(error):
    result = Result("0", "0", "03", error, "120", "080", "090", "080", "0005")
    item = measurement(result, AT, is_live=True)
    assert set(values(item).values()) == {Status.FAILED}
    assert dict(item.evidence)["error"].startswith(f"NIBP error {error}, ")


def test_beside_an_error_the_pressure_of_before_is_not_believed():
    (result,) = Decoder().feed(b"\x02S2;A0;C00;M07;P120078090;R060;T    ;;FC\x03\r")
    assert set(said(result).values()) == {Status.FAILED}
    item = measurement(result, AT, is_live=True)
    assert ("error", "NIBP error 07, a leak") in item.evidence


def test_a_loose_cuff_and_movement_are_flagged():
    codes = {"06": Flag.CUFF_LOOSE, "11": Flag.BODY_MOVEMENT}
    for code, flag in codes.items():
        result = Result("2", "0", "00", code, "---", "---", "---", "---", "    ")
        assert measurement(result, AT, is_live=True).flags == {flag}


def test_pressures_no_patient_has_are_disbelieved():
    result = Result("0", "0", "03", "00", "300", "299", "299", "080", "0005")
    assert said(result)[Metric.SYSTOLIC] is Status.IMPLAUSIBLE


@pytest.mark.parametrize(
    "options", [{"patient": "neonate", "first_pressure": 180}, {"first_pressure": 100}]
)
def test_a_first_pressure_that_is_for_others_is_refused(options):
    with pytest.raises(SettingsError, match="first_pressure"):
        REGISTRY["stx-nibp"].options(options)


def session(play, granted=ALL, options=None, **scene):
    """Link and items while `play(host, clock)` goes on."""
    clock = RecordedTime()
    virtual = VirtualStxNibp(1, **({"button_at_s": ()} | scene))
    link = MemoryLink(clock.now, granted, hear=virtual.hear)
    host = BenchHost(clock, granted)

    async def run():
        driver = StxNibp(host, Settings(**(options or {})))
        running = asyncio.ensure_future(items_until_lost(driver, link))
        speaking = asyncio.ensure_future(speak(virtual, link, clock, 600))
        await clock.sleep(2)
        await play(host, clock)
        link.lose()
        speaking.cancel()
        return await running

    items = clock.run(run())
    return link, items


def wants(seconds, *then):
    async def play(host, clock):
        assert host.wishes.tell(Wish.MEASURE)
        await clock.sleep(seconds)
        for wish in then:
            assert host.wishes.tell(wish)
            await clock.sleep(60)

    return play


def test_a_measurement_that_is_wanted_is_prepared_started_and_fetched():
    link, items = session(wants(60), options={"patient": "neonate", "first_pressure": 120})
    assert [data for _, data in link.written] == [command(n) for n in (25, 20, 1, 18)]
    assert [purpose for purpose, _ in link.written] == [Write.START_MEASUREMENT] * 3 + [Write.FETCH]
    assert [(values(item)[Metric.SYSTOLIC], item.flags) for item in items] == [(118, frozenset())]


def test_an_end_that_is_wanted_is_one_byte_and_gives_no_value():
    link, items = session(wants(5, Wish.STOP))
    assert link.written[-1] == (Write.START_MEASUREMENT, ABORT)
    assert [type(item) for item in items] == [Notice]


async def looks_on(_host, clock):
    await clock.sleep(100)


def test_what_was_started_at_the_module_is_fetched_where_only_that_is_granted():
    link, items = session(looks_on, granted=frozenset({Write.FETCH}), button_at_s=(5,))
    assert link.written == [(Write.FETCH, command(18))]
    assert [item.flags for item in items] == [frozenset()]


def test_with_nothing_granted_nothing_is_written():
    assert session(looks_on, granted=frozenset(), button_at_s=(5,))[0].written == []


def test_a_result_nobody_asked_for_is_from_memory_and_told_once():
    clock = RecordedTime()
    link = MemoryLink(clock.now)

    async def run():
        driver = StxNibp(BenchHost(clock), Settings())
        running = asyncio.ensure_future(items_until_lost(driver, link))
        link.send(encode(FOUND) * 2)
        await clock.sleep(1)
        link.lose()
        return await running

    (item,) = clock.run(run())
    assert item.flags == {Flag.FROM_MEMORY}


def test_a_wish_while_the_module_measures_already_is_refused_and_dates_nothing():
    async def play(host, clock):
        await clock.sleep(8)  # the button was pressed after 5 s
        assert host.wishes.tell(Wish.MEASURE)
        await clock.sleep(100)

    link, items = session(play, button_at_s=(5,))
    assert [data for _, data in link.written] == [command(18)]
    notice, told = items
    assert (notice.kind, type(told)) == (NoticeKind.REFUSED, Measurement)
    assert told.began is None


def test_a_result_that_equals_the_last_may_be_that_of_before():
    clock = RecordedTime()
    link = MemoryLink(
        clock.now, ALL, hear=lambda data: encode(FOUND) if data == command(18) else b""
    )

    async def run():
        driver = StxNibp(BenchHost(clock, ALL), Settings())
        running = asyncio.ensure_future(items_until_lost(driver, link))
        for _ in range(2):
            link.send(encode(Ended()))
            await clock.sleep(60)
        link.lose()
        return await running

    assert [item.flags for item in clock.run(run())] == [frozenset(), {Flag.FROM_MEMORY}]
