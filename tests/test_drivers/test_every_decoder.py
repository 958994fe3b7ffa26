"""The laws of every decoder of a byte stream: a new driver meets them by being in the registry.

Total: any bytes, any chunking, no exception. Conserving: bytes in = frames + skipped + pending; in
order, but for a reply that comes out before the frame it came in the middle of. Chunk-invariant:
only the bytes count. Bounded: pending never exceeds MAX_PENDING. Round trip: what `encode` makes
of a frame decodes to that frame.
"""

from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.model import Skipped
from drivers.registry import REGISTRY
from drivers.transports.capture_file import load_case
from drivers.transports.damage import Damage, Damager, resliced

CAPTURES = Path(__file__).parents[2] / "fixtures" / "captures"
WINDOW = 1500  # bytes of a capture in one example: some frames of every format
EXAMPLES = 40
VIRTUAL_S = 8
ALL_DAMAGE = Damage(flip=0.01, drop=0.01, duplicate=0.01, cut_start=3)


@cache
def cases(name):
    return [load_case(toml.parent) for toml in sorted((CAPTURES / name).glob("*/case.toml"))]


def formats():
    """Each driver as it comes, and with each table of options that one of its cases has."""
    streams = {
        name for name, entry in REGISTRY.items() if not (entry.is_gatt or entry.leaves_files)
    }
    for name in sorted(streams):
        tables = [{}]
        for loaded in cases(name):
            if loaded.case.options not in tables:
                tables.append(loaded.case.options)
        for table in tables:
            said = ",".join(f"{key}={value}" for key, value in table.items())
            yield pytest.param(name, table, id=f"{name}[{said}]")


every_format = pytest.mark.parametrize(("name", "options"), list(formats()))


@cache
def spoken(name, seed):
    """What the virtual instrument says of its own accord."""
    virtual = REGISTRY[name].simulator()(seed)
    return b"".join(virtual.due(tick / 10) for tick in range(1, VIRTUAL_S * 10 + 1))


@cache
def corpus(name):
    return [loaded.recording.received for loaded in cases(name)] + [spoken(name, 1)]


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


def decoded(name, options, pieces):
    """Feed the pieces, each within the bound; return items, adjoining skips as one, and pending."""
    entry = REGISTRY[name]
    bound = import_module(entry.protocol).MAX_PENDING
    decoder = entry.decoder(options)
    items = []
    for piece in pieces:
        for item in decoder.feed(piece):
            if items and isinstance(item, Skipped) and isinstance(items[-1], Skipped):
                items[-1] = Skipped(items[-1].data + item.data)
            else:
                items.append(item)
        assert len(decoder.pending) <= bound
    return items, bytes(decoder.pending)


def decoder_for(name, options, frame):
    """A decoder that takes this frame alone, though as built it may want several in a row."""
    choose = getattr(import_module(REGISTRY[name].protocol), "decoder_for", None)
    return choose(frame) if choose else REGISTRY[name].decoder(options)


def wire(item):
    return item.data if isinstance(item, Skipped) else item.raw


@every_format
def test_any_bytes_come_out_again_as_frames_skipped_and_pending(name, options):
    @settings(max_examples=EXAMPLES)
    @given(wire_bytes(name))
    def law(data):
        items, pending = decoded(name, options, [data])
        assert sorted(b"".join(map(wire, items)) + pending) == sorted(data)

    law()


@every_format
def test_a_stream_without_replies_comes_out_in_order(name, options):
    items, pending = decoded(name, options, [spoken(name, 1)])
    assert b"".join(map(wire, items)) + pending == spoken(name, 1)


@every_format
def test_how_bytes_are_cut_into_chunks_changes_nothing(name, options):
    @settings(max_examples=EXAMPLES)
    @given(wire_bytes(name), st.integers(0, 2**32))
    def law(data, seed):
        whole = decoded(name, options, [data])
        assert decoded(name, options, resliced(data, seed)) == whole
        assert decoded(name, options, [data[at : at + 1] for at in range(len(data))]) == whole

    law()


@every_format
def test_a_feed_without_bytes_says_nothing(name, options):
    decoder = REGISTRY[name].decoder(options)
    for data in corpus(name):
        decoder.feed(data[:WINDOW])
        assert list(decoder.feed(b"")) == []


@every_format
def test_every_frame_survives_being_encoded_and_decoded(name, options):
    encode = import_module(REGISTRY[name].protocol).encode

    def holds(data):
        for frame in decoded(name, options, [data])[0]:
            if not isinstance(frame, Skipped):
                assert list(decoder_for(name, options, frame).feed(encode(frame))) == [frame]

    @settings(max_examples=EXAMPLES)
    @given(wire_bytes(name))
    def law(data):
        holds(data)

    law()
    for data in corpus(name):
        holds(data)


@every_format
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_damaged_line_costs_frames_but_no_byte_and_no_exception(name, options, seed):
    data = Damager(ALL_DAMAGE, seed).through(spoken(name, seed))
    items, pending = decoded(name, options, resliced(data, seed))
    assert sorted(b"".join(map(wire, items)) + pending) == sorted(data)


@every_format
def test_a_scrubbed_frame_still_decodes_to_one_frame_and_scrubbing_it_again_changes_nothing(
    name, options
):
    scrub = import_module(REGISTRY[name].protocol).scrub
    frames = {
        item.raw: item
        for data in corpus(name)
        for item in decoded(name, options, [data])[0]
        if not isinstance(item, Skipped)
    }
    for frame in frames.values():
        (again,) = decoder_for(name, options, frame).feed(scrub(frame))
        assert not isinstance(again, Skipped)
        assert scrub(again) == scrub(frame)
