import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import SerialLine, Write
from drivers.errors import LinkLost, WriteNotPermitted
from drivers.model import Chunk, Instant
from drivers.transports.damage import NONE, Damage, Damager, as_heard, resliced
from drivers.transports.memory import KeptLink, MemoryLink

AT = Instant(1, 2, trusted=True)
ALL = Damage(flip=0.1, drop=0.1, duplicate=0.1, cut_start=2)
LINES = st.builds(
    SerialLine,
    baud=st.sampled_from([2400, 4800, 9600, 19200, 38400, 115200]),
    bits=st.sampled_from([7, 8]),
    parity=st.sampled_from("NEOMS"),
    stop=st.sampled_from([1, 2]),
)


async def chunks_until_lost(link):
    chunks = []
    with suppress(LinkLost):
        while True:
            chunks.append(await anext(link))
    return chunks


async def test_what_is_said_before_the_loss_arrives_before_the_loss():
    link = MemoryLink(lambda: AT)
    link.send(b"\x01")
    link.send(b"\x02", "2a37")
    link.lose()
    link.send(b"\x03")
    assert await chunks_until_lost(link) == [Chunk(b"\x01", AT), Chunk(b"\x02", AT, "2a37")]
    assert link.ended


async def test_a_reader_who_waits_is_woken():
    link = MemoryLink(lambda: AT)
    reading = asyncio.ensure_future(anext(link))
    await asyncio.sleep(0)
    link.send(b"\x01")
    assert (await reading).data == b"\x01"


async def test_the_answer_to_a_write_comes_back():
    link = MemoryLink(lambda: AT, frozenset({Write.IDENTIFY}), hear=lambda data: data[::-1])
    await link.write(Write.IDENTIFY, b"\x01\x02")
    assert (await anext(link)).data == b"\x02\x01"
    assert link.written == [(Write.IDENTIFY, b"\x01\x02")]


async def test_a_write_that_is_not_granted_is_refused_and_remembered():
    link = MemoryLink(lambda: AT)
    with pytest.raises(WriteNotPermitted):
        await link.write(Write.SET_CLOCK, b"\x01")
    assert (link.written, link.refused) == ([], [(Write.SET_CLOCK, b"\x01")])


async def test_writing_to_a_pulled_cable_is_a_loss():
    link = MemoryLink(lambda: AT, frozenset({Write.IDENTIFY}))
    link.lose()
    with pytest.raises(LinkLost):
        await link.write(Write.IDENTIFY, b"\x01")


async def test_kept_chunks_go_through_again_as_they_came_and_writes_go_nowhere():
    kept = [Chunk(b"\x01", AT), Chunk(b"\x02", AT, "2a37")]
    link = KeptLink(kept)
    await link.write(Write.FETCH, b"\x01")
    assert await chunks_until_lost(link) == kept


@given(st.binary(max_size=200), st.integers(0, 99), st.integers(0, 99))
def test_damage_depends_on_seed_and_bytes_and_not_on_chunking(data, seed, cutting):
    whole = Damager(ALL, seed).through(data)
    damager = Damager(ALL, seed)
    assert b"".join(map(damager.through, resliced(data, cutting))) == whole


def test_each_damage_does_what_it_says():
    data = bytes(range(200))
    assert Damager(NONE, 1).through(data) == data
    assert Damager(Damage(cut_start=3), 1).through(data) == data[3:]
    assert Damager(Damage(drop=1), 1).through(data) == b""
    assert Damager(Damage(duplicate=1), 1).through(data) == bytes(b for b in data for _ in "ab")
    flipped = Damager(Damage(flip=1), 1).through(data)
    assert [(a ^ b).bit_count() for a, b in zip(data, flipped, strict=True)] == [1] * 200


@given(st.binary(max_size=300), st.integers(0, 99))
def test_reslicing_loses_nothing(data, seed):
    pieces = list(resliced(data, seed))
    assert b"".join(pieces) == data
    assert all(pieces)


@given(st.binary(max_size=60), LINES)
def test_a_port_set_right_hears_what_is_said(data, line):
    low_bits = bytes(byte & (1 << line.bits) - 1 for byte in data)
    assert as_heard(low_bits, line, line) == low_bits


@given(st.binary(max_size=60), LINES, LINES)
def test_a_port_set_wrong_hears_something_finite(data, spoken, set_to):
    heard = as_heard(data, spoken, set_to)
    assert len(heard) <= len(data) * 13 * (set_to.baud / spoken.baud + 1)


def test_seven_bits_with_even_parity_heard_as_eight_show_their_parity_as_the_top_bit():
    assert as_heard(b"AC", SerialLine(bits=7, parity="E"), SerialLine()) == b"A\xc3"


def test_half_the_speed_hears_other_bytes():
    heard = as_heard(b"\x01\x80\x43", SerialLine(baud=9600), SerialLine(baud=4800))
    assert heard
    assert heard != b"\x01\x80\x43"
