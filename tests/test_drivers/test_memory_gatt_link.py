"""A Bluetooth LE connection in memory: what a real one does to a driver, it does too."""

import pytest

from drivers.contract import Peer, Write
from drivers.errors import LinkLost, RequestRefused, WriteNotPermitted
from drivers.model import Chunk, Instant
from drivers.transports.memory_gatt import KeptGattLink, MemoryGattLink, RadioDamage, Sent

AT = Instant(5_000, 7_000, trusted=True)


class Chatty:
    """A peripheral that sends what it is told to, to whoever subscribed to anything."""

    peer = Peer("C0:00:00:00:00:01")

    def __init__(self, *sends, hangs_up=False):
        self.sends = list(sends)
        self.confirmed = []
        self.has_hung_up = False
        self.hangs_up = hangs_up
        self.open = False
        self.heard = []

    def connect(self):
        self.open = False

    def due(self, _elapsed_s):
        if not self.open:
            return []
        out, self.sends = self.sends, []
        self.has_hung_up = self.hangs_up and not out
        return out

    def confirm(self, sent):
        self.confirmed.append(sent)

    def read(self, channel):
        if channel != "2a19":
            raise RequestRefused(channel, 0x0A)
        return b"\x64"

    def write(self, channel, data):
        self.heard.append((channel, data))
        self.sends.append(Sent(channel, data[::-1], is_indication=True))

    def subscribe(self, _channel):
        self.open = True


def indications(count):
    return [Sent("2a35", bytes([n]), is_indication=True) for n in range(count)]


def link_to(peripheral, granted=frozenset(), **more):
    return MemoryGattLink(peripheral, lambda: AT, granted, **more)


async def all_of(link):
    chunks = []
    while True:
        try:
            chunks.append(await anext(link))
        except LinkLost:
            return chunks


async def test_what_is_due_at_the_subscription_has_arrived_when_it_returns():
    link = link_to(Chatty(*indications(2)))
    await link.subscribe("2a35")
    link.lose()
    assert await all_of(link) == [Chunk(b"\0", AT, "2a35"), Chunk(b"\1", AT, "2a35")]


async def test_a_peripheral_that_hangs_up_before_the_subscription_returns_loses_no_value():
    link = link_to(Chatty(*indications(1), hangs_up=True))
    with pytest.raises(LinkLost):
        await link.subscribe("2a35")
    assert [chunk.data for chunk in await all_of(link)] == [b"\0"]
    assert link.ended


async def test_a_read_gives_the_value_and_when_it_came():
    link = link_to(Chatty())
    assert await link.read("2a19") == Chunk(b"\x64", AT, "2a19")


async def test_what_a_peripheral_does_not_have_is_refused_and_the_link_stays():
    link = link_to(Chatty())
    with pytest.raises(RequestRefused, match="0x0a") as refused:
        await link.read("2a2b")
    assert refused.value.code == 0x0A
    assert not link.is_lost


async def test_a_write_needs_its_grant_and_its_answer_comes_back():
    peripheral = Chatty()
    link = link_to(peripheral, frozenset({Write.FETCH}))
    await link.subscribe("2a52")
    with pytest.raises(WriteNotPermitted):
        await link.write(Write.DELETE_RECORDS, "2a52", b"\2\1")
    await link.write(Write.FETCH, "2a52", b"\4\1")
    link.lose()
    assert [chunk.data for chunk in await all_of(link)] == [b"\1\4"]
    assert peripheral.heard == [("2a52", b"\4\1")]
    assert link.written == [(Write.FETCH, "2a52", b"\4\1")]
    assert link.refused == [(Write.DELETE_RECORDS, "2a52", b"\2\1")]


@pytest.mark.parametrize("asks", ["read", "subscribe", "write"])
async def test_whoever_asks_of_a_lost_link_is_told(asks):
    link = link_to(Chatty(), frozenset({Write.FETCH}))
    link.lose()
    arguments = {
        "read": ["2a19"],
        "subscribe": ["2a35"],
        "write": [Write.FETCH, "2a52", b""],
    }
    with pytest.raises(LinkLost):
        await getattr(link, asks)(*arguments[asks])


async def test_an_indication_that_is_lost_on_the_way_is_not_confirmed():
    peripheral = Chatty(*indications(3))
    link = link_to(peripheral, damage=RadioDamage(lose=1.0))
    await link.subscribe("2a35")
    assert (link.sent, peripheral.confirmed) == ([], [])


async def test_an_indication_that_comes_twice_is_confirmed_twice():
    peripheral = Chatty(*indications(2))
    link = link_to(peripheral, damage=RadioDamage(duplicate=1.0))
    await link.subscribe("2a35")
    assert [data for _, data in link.sent] == [b"\0", b"\0", b"\1", b"\1"]
    assert len(peripheral.confirmed) == 4


async def test_values_can_overtake_each_other():
    link = link_to(Chatty(*indications(2)), damage=RadioDamage(swap=1.0))
    await link.subscribe("2a35")
    assert [data for _, data in link.sent] == [b"\1", b"\0"]


async def test_a_notification_of_no_bytes_is_delivered():
    link = link_to(Chatty(Sent("2a37", b"")))
    await link.subscribe("2a37")
    link.lose()
    assert await all_of(link) == [Chunk(b"", AT, "2a37")]


async def test_the_same_seed_does_the_same_damage():
    def sent(seed):
        peripheral = Chatty(*indications(40))
        peripheral.open = True
        link = link_to(peripheral, damage=RadioDamage(0.3, 0.3, 0.3), seed=seed)
        peripheral.open = True
        link.carry()
        return link.sent

    assert sent(1) == sent(1)
    assert sent(1) != sent(2)


async def test_kept_chunks_come_again_and_answer_the_reads_they_answered_then():
    clock, value = Chunk(b"clock", AT, "2a2b"), Chunk(b"value", AT, "2a35")
    link = KeptGattLink([clock, value])
    await link.subscribe("2a35")
    await link.write(Write.FETCH, "2a52", b"\4\1")
    assert await link.read("2a2b") is clock
    with pytest.raises(RequestRefused):
        await link.read("2a25")
    (again,) = await all_of(link)
    assert again is value


def test_kept_chunks_are_of_no_address():
    assert not KeptGattLink([]).peer.is_lasting
