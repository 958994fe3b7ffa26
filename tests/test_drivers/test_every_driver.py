"""What every driver keeps to: a new one is held to it by being in the registry.

Of drivers that take whole files `test_every_file_driver.py` is the judge.

All of it runs in recorded time: a driver that waits for something that never comes is found as a
dead end, not by a time-out.
"""

import asyncio
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import Peer, Wish, Write
from drivers.errors import DeviceMismatch, LinkLost, RequestRefused, SettingsError
from drivers.model import Measurement, Skipped
from drivers.plausibility import RANGES
from drivers.protocols.gatt.characteristics import CODECS
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import load_case
from drivers.transports.damage import NONE, Damage, as_heard
from drivers.transports.memory import MemoryLink
from drivers.transports.memory_gatt import MemoryGattLink, RadioDamage, Sent
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink
from drivers.transports.replay_gatt import ReplayGattLink
from drivers.virtual.gatt.radio import on_the_air
from drivers.virtual.memory_port import speak

CAPTURES = Path(__file__).parents[2] / "fixtures" / "captures"
NAMES = sorted(name for name, entry in REGISTRY.items() if not entry.leaves_files)
SESSION_S = 120  # in which a virtual instrument has said everything it can say
BRIEF_S = 30
LONG_SILENCE_S = 3600
WANTED_EVERY_S = 5
NOISY = Damage(flip=0.002, drop=0.002, duplicate=0.002, cut_start=7)
BAD_RADIO = RadioDamage(lose=0.1, duplicate=0.2, swap=0.2)
EXAMPLES = max(12, settings().max_examples // 8)
STRANGE_BYTES = 400

every_driver = pytest.mark.parametrize("name", NAMES)
every_measuring_driver = pytest.mark.parametrize("name", [n for n in NAMES if REGISTRY[n].memory])


@cache
def cases(name):
    return [load_case(toml.parent) for toml in sorted((CAPTURES / name).glob("*/case.toml"))]


class Anything:
    """A Bluetooth peripheral that lets itself be subscribed, sends and answers what it is given."""

    peer = Peer("C0:00:00:00:00:01")
    has_hung_up = False

    def __init__(self, sends=(), answers=()):
        self.sends = list(sends)
        self.answers = iter(answers)

    def connect(self):
        pass

    def due(self, _elapsed_s):
        out, self.sends = self.sends, []
        return [Sent(*each) for each in out]

    def confirm(self, sent):
        pass

    def read(self, channel):
        try:
            return next(self.answers)
        except StopIteration:
            raise RequestRefused(channel, 0x0A) from None

    def write(self, channel, _data):
        self.sends += [(channel, data) for data in self.answers]

    def subscribe(self, channel):
        pass


class Session:
    """One driver on a link in memory, until the link is lost."""

    def __init__(self, name, granted=frozenset(), options=None, **link):
        self.entry = REGISTRY[name]
        self.clock = RecordedTime()
        self.granted = frozenset(granted)
        self.options = options or {}
        self.link_options = link
        self.items = []
        self.late = []

    def run(self, talk):
        """Run the driver while `talk(link, clock)` plays the instrument; then pull the cable."""
        self.clock.run(self._run(talk))
        return self

    async def _run(self, talk):
        self.link = self._link(**self.link_options)
        self.host = host = BenchHost(self.clock, self.granted)
        driver = self.entry.factory()(host, self.entry.options(self.options))

        async def emit(item):
            (self.late if running.done() else self.items).append(item)

        running = asyncio.ensure_future(driver.run(self.link, emit))
        await talk(self.link, self.clock)
        self.ran_to_the_end = not running.done()
        self.link.lose()
        with pytest.raises((LinkLost, DeviceMismatch)):
            await running
        await self.clock.sleep(LONG_SILENCE_S)

    def _link(self, peripheral=None, **more):
        if self.entry.is_gatt:
            far_end = peripheral or Anything()
            return MemoryGattLink(far_end, self.clock.now, self.granted, **more)
        return MemoryLink(self.clock.now, self.granted, **more)

    @property
    def received(self):
        sent = self.link.sent
        return b"".join(data for _, data in sent) if self.entry.is_gatt else bytes(sent)

    @property
    def purposes(self):
        return {written[0] for written in self.link.written}

    @property
    def measurements(self):
        return [item for item in self.items if isinstance(item, Measurement)]


@cache
def with_its_virtual_instrument(name, *, granted=True, damage=NONE, seconds=SESSION_S):
    entry, seed = REGISTRY[name], 1
    virtual = entry.simulator()(seed)
    writes = entry.writes if granted else ()
    if entry.is_gatt:
        radio = RadioDamage() if damage == NONE else BAD_RADIO
        session = Session(name, writes, peripheral=virtual, damage=radio, seed=seed)
        return session.run(lambda link, clock: on_the_air(link, clock, seconds))
    session = Session(name, writes, hear=virtual.hear, damage=damage, seed=seed)

    async def used(link, clock):
        """The instrument speaks, and somebody wants a measurement of it whenever it can."""
        wanting = asyncio.ensure_future(wants(session, clock))
        await speak(virtual, link, clock, seconds)
        wanting.cancel()

    return session.run(used)


async def wants(session, clock):
    while True:
        await clock.sleep(WANTED_EVERY_S)
        session.host.wishes.tell(Wish.MEASURE)


def noisy(name):
    return with_its_virtual_instrument(name, damage=NOISY, seconds=BRIEF_S)


@cache
def replayed(name):
    """The items of each case of a driver, and the bytes it was given."""
    runs = []
    for loaded in cases(name):
        entry, case = REGISTRY[name], loaded.case
        granted = frozenset(case.grants)
        clock = RecordedTime(case.start_ns, trusted=case.clock.trusted)
        for recording in loaded.recording.sessions():

            async def run(
                recording=recording, entry=entry, case=case, granted=granted, clock=clock
            ):
                host = BenchHost(clock, granted)
                driver = entry.factory()(host, entry.options(case.options))
                link = ReplayGattLink if entry.is_gatt else ReplayLink
                wish = {} if entry.is_gatt else {"wish": host.wishes.tell}
                return await items_until_lost(driver, link(recording, clock, granted, **wish))

            runs.append((clock.run(run()), recording.received))
    return runs


async def silence(_link, clock):
    await clock.sleep(LONG_SILENCE_S)


@every_driver
def test_its_entry_says_what_it_is_and_loads(name):
    entry = REGISTRY[name]
    assert entry.title
    assert entry.sources
    assert entry.links
    assert callable(entry.factory())
    assert entry.decoder().pending == b""
    assert callable(entry.simulator())


@every_driver
def test_a_setting_it_does_not_know_is_refused_by_name(name):
    with pytest.raises(SettingsError, match="no_such_setting"):
        REGISTRY[name].options({"no_such_setting": 1})


@every_driver
def test_it_emits_exactly_the_kinds_whose_memory_it_declares(name):
    emitted = {
        item.kind
        for items in [
            with_its_virtual_instrument(name).items,
            with_its_virtual_instrument(name, granted=False, seconds=BRIEF_S).items,
            *(items for items, _ in replayed(name)),
        ]
        for item in items
        if isinstance(item, Measurement)
    }
    assert emitted == set(REGISTRY[name].memory)


@every_measuring_driver
def test_its_virtual_instrument_gives_it_values(name):
    session = with_its_virtual_instrument(name)
    assert any(measurement.has_value for measurement in session.measurements)


@every_driver
def test_what_its_virtual_instrument_says_is_understood_whole(name):
    session = with_its_virtual_instrument(name)
    assert session.items
    assert [item for item in session.items if isinstance(item, Skipped)] == []


@every_driver
def test_the_same_seed_gives_the_same_session(name):
    again = with_its_virtual_instrument.__wrapped__(name, seconds=BRIEF_S)
    first = with_its_virtual_instrument(name)
    assert again.items
    assert first.measurements[: len(again.measurements)] == again.measurements
    assert first.link.written[: len(again.link.written)] == again.link.written


@every_driver
def test_with_nothing_granted_it_writes_nothing_and_tries_nothing(name):
    for damage in (NONE, NOISY):
        session = with_its_virtual_instrument(name, granted=False, damage=damage, seconds=BRIEF_S)
        assert (session.link.written, session.link.refused) == ([], [])


@every_driver
def test_noise_makes_no_value_that_a_patient_cannot_have(name):
    assert impossible(noisy(name).measurements) == []


def impossible(measurements):
    """The values outside what a patient can have; 0 breaths are where an instrument says apnea."""
    return [
        reading
        for measurement in measurements
        for reading in measurement.readings
        if reading.value is not None and (span := RANGES.get((reading.metric, reading.unit)))
        if not span[0] <= reading.value <= span[1]
    ]


SERIAL = [name for name in NAMES if not REGISTRY[name].is_gatt]
# Where the bytes of one are, by their makers, also the bytes of the other.
SAME_BYTES = ({"and-ua767pbt", "and-ua767pc"}, {"nonin", "nonin-ble"})


@pytest.mark.parametrize("name", [n for n in SERIAL if REGISTRY[n].memory])
def test_the_frames_of_another_instrument_and_a_line_set_wrong_give_no_value(name):
    line = REGISTRY[name].line
    strangers = [n for n in SERIAL if n != name and {n, name} not in SAME_BYTES]
    heard = [with_its_virtual_instrument(n).received[:STRANGE_BYTES] for n in strangers]
    own = with_its_virtual_instrument(name).received[:STRANGE_BYTES]
    heard += [as_heard(own, line, replace(line, baud=baud)) for baud in (line.baud * 2, 300)]

    async def talk(link, clock):
        for data in heard:
            link.send(data)
            await clock.sleep(5)

    told = Session(name).run(talk).measurements
    assert [measurement for measurement in told if measurement.has_value] == []


@every_driver
def test_whatever_answers_it_writes_only_what_is_granted(name):
    known = [data for _, data in replayed(name)] + [with_its_virtual_instrument(name).received]
    stretch = st.builds(
        lambda data, where, size: data[(at := int(where * len(data))) : at + size],
        st.sampled_from(known),
        st.floats(0, 1),
        st.integers(1, 200),
    )
    hostile = st.lists(st.one_of(st.binary(min_size=1, max_size=40), stretch), max_size=8)
    channels = sorted(CODECS) if REGISTRY[name].is_gatt else [None]
    channel = st.sampled_from(channels)
    wish = st.sampled_from(sorted(Wish))

    @settings(max_examples=EXAMPLES)
    @given(st.sets(st.sampled_from(sorted(Write))), hostile, hostile, st.data())
    def law(granted, spoken, answers, chosen):
        left = iter(answers)
        peripheral = Anything(answers=answers)

        async def talk(link, clock):
            for data in spoken:
                if REGISTRY[name].is_gatt:
                    peripheral.sends.append((chosen.draw(channel), data))
                    link.carry()
                else:
                    link.send(data)
                session.host.wishes.tell(chosen.draw(wish))
                await clock.sleep(1)

        far_end = (
            {"peripheral": peripheral}
            if REGISTRY[name].is_gatt
            else {"hear": lambda _: next(left, b"")}
        )
        session = Session(name, granted, **far_end)
        session.run(talk)
        assert session.link.refused == []
        assert session.purposes <= granted & REGISTRY[name].writes
        assert session.late == []
        assert impossible(session.measurements) == []

    law()


@every_driver
@pytest.mark.parametrize("granted", [False, True])
def test_a_link_that_answers_nothing_is_waited_on_until_it_is_lost(name, granted):
    session = Session(name, REGISTRY[name].writes if granted else ()).run(silence)
    assert session.ran_to_the_end
    assert session.measurements == []


@every_driver
def test_it_does_not_hang_nor_emit_when_the_link_is_lost_at_once(name):
    async def nothing(_link, _clock):
        pass

    session = Session(name, REGISTRY[name].writes).run(nothing)
    assert (session.items, session.late) == ([], [])


@every_driver
def test_nothing_is_emitted_after_it_has_told_of_the_loss(name):
    for session in (with_its_virtual_instrument(name), noisy(name)):
        assert session.late == []


@every_measuring_driver
def test_the_raw_bytes_of_a_measurement_are_bytes_that_were_received(name):
    sessions = (with_its_virtual_instrument(name), noisy(name))
    runs = [*replayed(name), *((session.items, session.received) for session in sessions)]
    measurements = [
        (item, received)
        for items, received in runs
        for item in items
        if isinstance(item, Measurement)
    ]
    assert measurements
    slack = import_module(REGISTRY[name].protocol).MAX_PENDING
    for measurement, received in measurements:
        assert measurement.raw
        assert measurement.raw in received or stands_apart(measurement.raw, received, slack)


def stands_apart(raw, received, slack):
    """Whether `raw` is there in order with at most `slack` bytes between: a reply came in it."""
    starts = (at for at, byte in enumerate(received) if byte == raw[0])
    for start in starts:
        rest = iter(received[start : start + len(raw) + slack])
        if all(byte in rest for byte in raw):
            return True
    return False


@every_measuring_driver
def test_a_measurement_is_stamped_when_its_bytes_arrived_and_in_order(name):
    times = [item.at.mono_ns for item in with_its_virtual_instrument(name).measurements]
    assert times == sorted(times)
    assert times[-1] <= SESSION_S * 10**9
