"""What is told outside the hub of a radio that hears nobody, from the radio itself on."""

import asyncio

import pytest

from config.schema import Bluetooth as BluetoothSettings
from drivers.model import Instant
from drivers.transports.ble.ladder import Step
from edge.bluetooth import Bluetooth
from edge.chronicle import Chronicle
from edge.contract.topics import EventKind
from edge.events import RadioActed
from edge.observation import Moment
from edge.post import Post
from edge.store import Store

ADDRESS = "C0:FF:EE:00:00:01"


class HurriedClock:
    """Whoever sleeps on it has slept at once."""

    era = "hurried"

    def __init__(self):
        self._ns = 0

    def now(self):
        return Instant(self._ns, self._ns, trusted=True)

    async def sleep(self, seconds):
        self._ns += round(seconds * 1e9)
        await asyncio.sleep(0)


@pytest.fixture
def clock():
    return HurriedClock()


@pytest.fixture
async def hub(tmp_path, clock):
    """A journal, and the notices that are made of what is recorded there."""
    async with await Store.open(tmp_path / "hub.db", clock=clock) as store:
        chronicle = await Chronicle.resumed(store)
        post = Post(chronicle, store, clock)
        notices = []
        chronicle.listeners.append(lambda recorded: notices.append(post.notice_of(recorded)))
        yield chronicle, notices


async def told_of(hub, clock, *steps):
    chronicle, notices = hub
    at = Moment.of(clock.now(), clock.era)
    for step in steps:
        await chronicle.record(RadioActed(at=at, step=step, text="in words"))
    return [notice.kind for notice in notices if notice is not None]


async def test_a_radio_for_which_nothing_helps_is_told_once_it_has_tried_all(
    hub, clock, tmp_path, monkeypatch
):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")
    chronicle, notices = hub
    alarmed = asyncio.Event()
    chronicle.listeners.append(lambda one: one.event.step == Step.ALARM and alarmed.set())
    bluetooth = Bluetooth(BluetoothSettings(), {"cuff": ADDRESS}, clock, chronicle)
    running = asyncio.ensure_future(bluetooth.run())
    async with asyncio.timeout(30):
        await alarmed.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert len(notices) > 3  # the trouble and each step are journaled
    (notice,) = [notice for notice in notices if notice is not None]
    assert notice.kind is EventKind.RADIO_ALARM
    assert "nothing this hub may do has helped" in notice.detail
    assert (notice.instrument, notice.result_id) == (None, None)
    assert ADDRESS not in notice.detail


async def test_an_alarm_is_repeated_while_it_stands_and_its_end_is_told_once(hub, clock):
    steps = (Step.ALARM, Step.RESTART_SCAN, Step.ALARM, Step.RECOVERED, Step.RECOVERED)
    assert await told_of(hub, clock, *steps) == [
        EventKind.RADIO_ALARM, EventKind.RADIO_ALARM, EventKind.RADIO_RECOVERED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "step", [*sorted({*Step} - {Step.ALARM}), "found", "switched-on", "trouble"]
)
async def test_what_the_radio_repairs_by_itself_is_told_nobody(hub, clock, step):
    assert await told_of(hub, clock, step) == []
