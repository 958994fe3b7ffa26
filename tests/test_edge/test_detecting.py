"""Finding the instrument at a port: every registered one, on real ptys that mind the baud.

Time passes with the turns of the event loop, so a busy machine finds the same.
"""

import asyncio
from contextlib import AsyncExitStack

import pytest

from drivers.contract import SerialLine
from drivers.registry import REGISTRY, LinkKind
from drivers.transports.damage import NONE, Damage
from drivers.transports.loop_time import LoopTime
from drivers.virtual.pty_port import PtyPort
from edge.detecting import Candidate, Search, Sure, judged, lines_of, ranked

NAMES = sorted(name for name, entry in REGISTRY.items() if LinkKind.SERIAL in entry.links)
SPEAKING = [name for name in NAMES if REGISTRY[name].rhythm_s and name != "contec-v7"]
ASKED = [name for name in NAMES if REGISTRY[name].question and name not in SPEAKING]
# What says little and seldom can only be so sure, and only where its line is known.
LESS_SURE = {"and-ua767pc": Sure.POSSIBLE}
# What says nothing until somebody presses its button.
PRESSED = {"stx-nibp": {"button_at_s": (1,)}}
# Ten characters, which the sister's decoder reads as well: both are named.
CONFUSED = {"and-ua767pc": {"and-ua767pc", "and-ua767pbt"}}


class Mute:
    def due(self, _elapsed_s):
        return b""

    def hear(self, _data):
        return b""


class Awake:
    """A virtual instrument that somebody has just used, so that one asleep would answer."""

    def __init__(self, name):
        self.virtual = REGISTRY[name].simulator()(1)
        self.virtual.due(6.0)
        self.written = b""

    def due(self, elapsed_s):
        return self.virtual.due(6.0 + elapsed_s)

    def hear(self, data):
        self.written += data
        return self.virtual.hear(data)


async def search(*plugged, seconds=4.5, ask=False, lines=(), damage=NONE):
    """Look at each (instrument, its line) on a pty of its own; what was found of each."""
    async with AsyncExitStack() as stack:
        clock = await stack.enter_async_context(LoopTime())
        looking = Search(clock, seconds=seconds, ask=ask, lines=tuple(lines))
        ports = [
            stack.enter_context(PtyPort(far_end, line, damage=damage, minds_baud=True))
            for far_end, line in plugged
        ]
        running = [asyncio.ensure_future(port.run(clock)) for port in ports]
        found = await asyncio.gather(*(looking.at(f"serial:{port.path}") for port in ports))
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return list(found)


def speaks(name):
    return REGISTRY[name].simulator()(1, **PRESSED.get(name, {})), REGISTRY[name].line


@pytest.mark.parametrize("name", SPEAKING)
async def test_what_streams_is_found_by_listening_alone_at_the_line_it_speaks(name):
    # One instrument is looked for at all lines; to hear of each at a wrong one first is enough.
    own = SerialLine(REGISTRY[name].line.baud)  # a pty knows no parity
    lines = () if name == "bci-5byte" else dict.fromkeys([SerialLine(9600), own])
    (found,) = await search(speaks(name), lines=lines)
    assert (found.state, found.best.driver) == ("found", name)
    assert found.best.sure is Sure.CERTAIN
    assert found.best.line.baud == own.baud


@pytest.mark.parametrize("name", sorted({*NAMES} - {*SPEAKING} - {*ASKED}))
async def test_what_speaks_when_it_has_measured_is_found_at_its_own_line(name):
    (found,) = await search(speaks(name), seconds=15.0, lines=[REGISTRY[name].line])
    best = {each.driver for each in found.candidates if each.sure is found.best.sure}
    assert (found.state, best) == ("found", CONFUSED.get(name, {name}))
    assert found.best.sure >= LESS_SURE.get(name, Sure.LIKELY)


@pytest.mark.parametrize("name", ASKED)
async def test_what_answers_the_question_of_its_driver_is_found_by_asking(name):
    far_end = Awake(name)
    (found,) = await search((far_end, REGISTRY[name].line), seconds=0.5, ask=True)
    assert (found.state, found.best.driver, found.best.sure) == ("found", name, Sure.CERTAIN)
    assert found.best.line == REGISTRY[name].line


async def test_nothing_is_written_to_an_instrument_unless_that_is_asked_for():
    for name in ASKED:
        far_end = Awake(name)
        await search((far_end, REGISTRY[name].line), seconds=0.5)
        assert far_end.written == b""


async def test_two_at_once_are_both_found():
    found = await search(speaks("nonin"), speaks("masimo-ascii1"))
    assert [each.best.driver for each in found] == ["nonin", "masimo-ascii1"]


async def test_an_instrument_that_was_found_is_asked_for_its_number_if_that_is_allowed():
    asked, not_asked = await search(speaks("nonin"), ask=True), await search(speaks("nonin"))
    assert asked[0].identity.serial == "501234567"
    assert not_asked[0].identity is None


async def test_a_number_in_the_stream_needs_no_question():
    (found,) = await search(speaks("masimo-ascii1"))
    assert found.identity.serial


@pytest.mark.parametrize("ask", [False, True])
async def test_silence_is_silence_at_the_first_line_and_no_driver_is_guessed(ask):
    (found,) = await search((Mute(), SerialLine(9600)), seconds=1.0, ask=ask)
    assert (found.state, found.candidates) == ("silent", ())
    assert ("--ask" in found.reason) is not ask


async def test_a_port_that_echoes_is_no_instrument():
    class Echo(Mute):
        def hear(self, data):
            return data

    (found,) = await search((Echo(), SerialLine(9600)), seconds=0.5, ask=True)
    assert found.state == "silent"


async def test_an_instrument_at_a_baud_that_is_none_of_its_own_is_found_there():
    far_end, _ = speaks("ivy-450c")
    lines = [SerialLine(9600), SerialLine(19200)]
    (found,) = await search((far_end, SerialLine(19200)), lines=lines)
    assert (found.best.driver, found.best.line.baud) == ("ivy-450c", 19200)


async def test_noise_is_unknown_with_what_may_be_wrong():
    class Noise(Mute):
        def __init__(self):
            self.said = 0

        def due(self, elapsed_s):
            count, self.said = int(elapsed_s * 300) - self.said, int(elapsed_s * 300)
            return bytes((n * 167 + 13) % 251 & 0x7F for n in range(self.said, self.said + count))

    (found,) = await search((Noise(), SerialLine(9600)), seconds=2.0, lines=[SerialLine(9600)])
    assert found.state == "unknown"
    assert found.reason


async def test_a_noisy_line_is_still_recognised():
    noise = Damage(flip=0.001)
    (found,) = await search(speaks("masimo-ascii1"), damage=noise, lines=[SerialLine(9600)])
    assert found.best.driver == "masimo-ascii1"


async def test_a_port_that_is_not_there_or_held_is_said_so(tmp_path):
    looking = Search(LoopTime())
    absent = await looking.at(f"serial:{tmp_path}/nowhere")
    refused = await looking.at("serial:/dev/null")
    assert [absent.state, refused.state] == ["absent", "refused"]


def test_two_drivers_that_read_the_same_are_both_only_possible():
    line = SerialLine()
    both = judged([Candidate(name, line, 9, 90, 0, 1.0) for name in ("a", "b")])
    assert [each.sure for each in both] == [Sure.POSSIBLE, Sure.POSSIBLE]
    (alone,) = judged([Candidate("a", line, 9, 90, 0, 1.0)])
    assert ranked([*both, alone])[0] is alone


def test_every_line_setting_of_the_registry_is_tried_the_commonest_first():
    lines = lines_of(REGISTRY[name] for name in NAMES)
    assert lines[0] == SerialLine(9600)
    assert {REGISTRY[name].line for name in NAMES} <= set(lines)
    assert len(lines) == len(set(lines))
