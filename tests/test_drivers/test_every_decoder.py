"""The laws of every decoder of a byte stream: a new driver meets them by being in the registry.

Total: any bytes, any chunking, no exception. Conserving: bytes in = frames + skipped + pending; in
order, but for a reply that comes out before the frame it came in the middle of. Chunk-invariant:
only the bytes count. Bounded: pending never exceeds MAX_PENDING. Round trip: what `encode` makes
of a frame decodes to that frame.
"""

from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.model import Skipped
from drivers.registry import REGISTRY
from drivers.transports.capture_file import load_case
from drivers.transports.damage import Damage, Damager, as_heard, resliced

CAPTURES = Path(__file__).parents[2] / "fixtures" / "captures"
NAMES = sorted(n for n, entry in REGISTRY.items() if not (entry.is_gatt or entry.leaves_files))
WINDOW = 1200  # bytes of a capture in one example: some frames of every format
BYTEWISE = 600  # of them, or one frame and its half where that is more, also byte by byte
EXAMPLES = max(12, settings().max_examples // 8)
FRAMES = 250  # different ones of a driver that are encoded again
VIRTUAL_S = 8
FLOOD_BYTES = 100_000
ALL_DAMAGE = Damage(flip=0.01, drop=0.01, duplicate=0.01, cut_start=3)

every_decoder = pytest.mark.parametrize("name", NAMES)


@cache
def cases(name):
    return [load_case(toml.parent) for toml in sorted((CAPTURES / name).glob("*/case.toml"))]


@cache
def spoken(name, seed):
    """What the virtual instrument says of its own accord."""
    virtual = REGISTRY[name].simulator()(seed)
    return b"".join(virtual.due(tick / 10) for tick in range(1, VIRTUAL_S * 10 + 1))


@cache
def corpus(name):
    return [loaded.recording.received for loaded in cases(name)] + [spoken(name, 1)]


@cache
def frames(name):
    """Different frames of a driver, as many as are worth the time."""
    found = {
        item.raw: item
        for data in corpus(name)
        for item in decoded(name, [data])[0]
        if not isinstance(item, Skipped)
    }
    chosen = list(found.values())
    return chosen[:: max(1, len(chosen) // FRAMES)]


def wire_bytes(name):
    """Bytes as they may come: anything, stretches of what is known, known stretches with edits."""
    known = st.sampled_from(corpus(name)).flatmap(
        lambda data: st.integers(0, max(0, len(data) - WINDOW)).map(lambda a: data[a : a + WINDOW])
    )
    edit = st.tuples(st.floats(0, 1), st.binary(max_size=3), st.integers(0, 3))

    def edited(data, edits):
        for where, new, gone in edits:
            at = int(where * len(data))
            data = data[:at] + new + data[at + gone :]
        return data

    mutated = st.builds(edited, known, st.lists(edit, max_size=8))
    return st.one_of(st.binary(max_size=300), mutated, st.builds(bytes.__add__, mutated, mutated))


def decoded(name, pieces):
    """Feed the pieces, each within the bound; return items, adjoining skips as one, and pending."""
    entry = REGISTRY[name]
    bound = import_module(entry.protocol).MAX_PENDING
    decoder = entry.decoder()
    items = []
    for piece in pieces:
        for item in decoder.feed(piece):
            if items and isinstance(item, Skipped) and isinstance(items[-1], Skipped):
                items[-1] = Skipped(items[-1].data + item.data)
            else:
                items.append(item)
        assert len(decoder.pending) <= bound
    return items, bytes(decoder.pending)


def decoder_for(name, frame):
    """A decoder that takes this frame alone, though as built it may want several in a row."""
    choose = getattr(import_module(REGISTRY[name].protocol), "decoder_for", None)
    return choose(frame) if choose else REGISTRY[name].decoder()


def wire(item):
    return item.data if isinstance(item, Skipped) else item.raw


def conserved(name, pieces, data):
    items, pending = decoded(name, pieces)
    assert sorted(b"".join(map(wire, items)) + pending) == sorted(data)
    return items, pending


@every_decoder
def test_any_bytes_come_out_again_however_they_are_cut_and_every_frame_survives_being_sent(name):
    encode = import_module(REGISTRY[name].protocol).encode
    bytewise = max(BYTEWISE, 3 * import_module(REGISTRY[name].protocol).MAX_PENDING // 2)

    @settings(max_examples=EXAMPLES)
    @given(wire_bytes(name), st.integers(0, 2**32))
    def law(data, seed):
        whole = conserved(name, [data], data)
        assert decoded(name, resliced(data, seed)) == whole
        short = data[:bytewise]
        byte_by_byte = decoded(name, [short[at : at + 1] for at in range(len(short))])
        assert byte_by_byte == (whole if short == data else decoded(name, [short]))
        for frame in {wire(item): item for item in whole[0]}.values():
            if not isinstance(frame, Skipped):
                assert list(decoder_for(name, frame).feed(encode(frame))) == [frame]

    law()


@every_decoder
def test_every_frame_that_is_known_survives_being_encoded_and_decoded(name):
    encode = import_module(REGISTRY[name].protocol).encode
    assert frames(name)
    for frame in frames(name):
        assert list(decoder_for(name, frame).feed(encode(frame))) == [frame]


@every_decoder
def test_a_stream_without_replies_comes_out_in_order(name):
    items, pending = decoded(name, [spoken(name, 1)])
    assert b"".join(map(wire, items)) + pending == spoken(name, 1)


@every_decoder
def test_a_feed_without_bytes_says_nothing(name):
    decoder = REGISTRY[name].decoder()
    for data in corpus(name):
        decoder.feed(data[:WINDOW])
        assert list(decoder.feed(b"")) == []


@every_decoder
@pytest.mark.parametrize("seed", [1, 2])
def test_a_damaged_line_costs_frames_but_no_byte_and_no_exception(name, seed):
    data = Damager(ALL_DAMAGE, seed).through(spoken(name, seed))
    conserved(name, resliced(data, seed), data)


@every_decoder
def test_a_flood_is_taken_within_the_bound_and_loses_no_byte(name):
    material = b"".join(corpus(name)) + bytes(range(256))
    data = (material * (FLOOD_BYTES // len(material) + 1))[:FLOOD_BYTES]
    conserved(name, [data[at : at + 16_384] for at in range(0, len(data), 16_384)], data)


@every_decoder
def test_a_line_set_wrong_costs_frames_but_no_byte_and_no_exception(name):
    line = REGISTRY[name].line
    said = max(corpus(name), key=len)[:400]
    for wrong in ({"baud": line.baud * 2}, {"baud": line.baud // 2}, {"bits": 7, "parity": "E"}):
        data = as_heard(said, line, replace(line, **wrong))
        conserved(name, [data], data)


@every_decoder
def test_a_scrubbed_frame_still_decodes_to_one_frame_and_scrubbing_it_again_changes_nothing(name):
    scrub = import_module(REGISTRY[name].protocol).scrub
    for frame in frames(name):
        (again,) = decoder_for(name, frame).feed(scrub(frame))
        assert not isinstance(again, Skipped)
        assert scrub(again) == scrub(frame)
