import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.analysis_wire import (
    MAX_ARRAY_BYTES,
    PREFIX,
    MessageError,
    RateRequest,
    Refusal,
    decode,
    encode,
)

SHAPES = st.lists(st.lists(st.integers(0, 5), max_size=3).map(tuple), max_size=3).map(tuple)


def split(pieces):
    data = b"".join(pieces)
    header, arrays = PREFIX.unpack(data[: PREFIX.size])
    assert PREFIX.size + header + arrays == len(data)
    return data[PREFIX.size : PREFIX.size + header], data[PREFIX.size + header :]


@given(SHAPES, st.floats(), st.none() | st.text(max_size=20))
def test_a_message_comes_out_as_it_went_in(shapes, fs, preset):
    arrays = tuple(np.random.default_rng(1).normal(size=shape) for shape in shapes)
    header, back = decode(*split(encode(RateRequest(fs, shapes, None, preset), arrays)))
    assert (repr(header.fs), header.preset, header.shapes) == (repr(fs), preset, shapes)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, back, strict=True))


@given(st.binary(max_size=200), st.binary(max_size=64))
def test_any_other_bytes_are_an_error_of_this_protocol(header, arrays):
    try:
        decode(header, arrays)
    except MessageError:
        return
    assert arrays == b""


def test_arrays_that_do_not_fill_their_shapes_are_refused():
    header, _ = split(encode(Refusal("error", "")))
    with pytest.raises(MessageError, match="8 bytes for shapes"):
        decode(header, bytes(8))


@pytest.mark.parametrize("shape", [(-1, -8), (2**40, 2**40)])
def test_absurd_shapes_are_refused(shape):
    header = msgspec.msgpack.encode(RateRequest(500.0, (shape,)))
    with pytest.raises(MessageError):
        decode(header, bytes(8))


def test_what_is_over_the_limit_is_not_encoded():
    array = np.broadcast_to(0.0, (MAX_ARRAY_BYTES // 8 + 1,))
    with pytest.raises(MessageError, match="at most"):
        encode(RateRequest(500.0, (array.shape,)), (array,))
