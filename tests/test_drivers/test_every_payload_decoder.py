"""The laws of every decoder of GATT payloads: a new driver meets them by being in the registry.

As of a stream, but one call is one payload. Total: any bytes of any characteristic, no exception.
Conserving: a payload comes out as one frame or is skipped whole. Bounded: nothing is pending.
Round trip: what `encode` makes of a frame decodes to that frame.
"""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import channel_name
from drivers.model import Skipped
from drivers.protocols.gatt.characteristics import CODECS
from drivers.registry import REGISTRY
from drivers.transports.capture_file import Received, load_case
from drivers.transports.damage import resliced

CAPTURES = Path(__file__).parents[2] / "fixtures" / "captures"
NAMES = sorted(name for name, entry in REGISTRY.items() if entry.is_gatt)
EXAMPLES = settings().max_examples

every_driver = pytest.mark.parametrize("name", NAMES)


@cache
def recorded(name):
    """Every payload of a driver's cases, with its characteristic."""
    return [
        (channel_name(line.channel), line.data)
        for toml in sorted((CAPTURES / name).glob("*/case.toml"))
        for line in load_case(toml.parent).recording.lines
        if isinstance(line, Received)
    ]


def payloads(name):
    """Payloads as they may come: anything, what is known, what is known with edits."""
    channel = st.sampled_from([*sorted(CODECS), "ff01", None])
    known = st.sampled_from(recorded(name))
    edit = st.tuples(st.floats(0, 1), st.binary(max_size=3), st.integers(0, 3))

    def edited(payload, edits):
        channel, data = payload
        for where, new, gone in edits:
            at = int(where * len(data))
            data = data[:at] + new + data[at + gone :]
        return channel, data

    return st.one_of(
        st.tuples(channel, st.binary(max_size=40)), st.builds(edited, known, st.lists(edit))
    )


@every_driver
def test_a_payload_comes_out_whole_as_a_frame_or_skipped(name):
    @settings(max_examples=EXAMPLES)
    @given(payloads(name))
    def law(payload):
        channel, data = payload
        decoder = REGISTRY[name].payload_decoder()
        items = decoder.feed(data, channel)
        assert [getattr(item, "raw", None) or item.data for item in items] == [data][: len(data)]
        assert decoder.pending == b""

    law()


@every_driver
def test_every_frame_survives_being_encoded_and_decoded(name):
    entry = REGISTRY[name]
    encode = entry.protocol_module().encode

    @settings(max_examples=EXAMPLES)
    @given(payloads(name))
    def law(payload):
        channel, data = payload
        for item in entry.payload_decoder().feed(data, channel):
            if not isinstance(item, Skipped) and encode(item):
                assert list(entry.payload_decoder().feed(encode(item), channel)) == [item]

    law()


@every_driver
def test_every_recorded_frame_is_written_back_to_the_byte(name):
    encode = REGISTRY[name].protocol_module().encode
    for channel, data in recorded(name):
        for item in REGISTRY[name].payload_decoder().feed(data, channel):
            assert isinstance(item, Skipped) or encode(item) == data


@every_driver
def test_a_scrubbed_payload_still_decodes_to_a_frame_and_scrubbing_it_again_changes_nothing(name):
    entry = REGISTRY[name]
    scrub = entry.protocol_module().scrub
    for channel, data in recorded(name):
        for item in entry.payload_decoder().feed(data, channel):
            if not isinstance(item, Skipped):
                (again,) = entry.payload_decoder().feed(scrub(item), channel)
                assert scrub(again) == scrub(item)


@every_driver
def test_bytes_without_a_characteristic_say_nothing_however_they_are_cut(name):
    data = b"".join(data for _, data in recorded(name))
    decoder = REGISTRY[name].decoder()
    items = [item for piece in resliced(data, seed=1) for item in decoder.feed(piece)]
    assert {type(item) for item in items} == {Skipped}
    assert b"".join(item.data for item in items) == data
