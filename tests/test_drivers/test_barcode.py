"""Codes of a barcode reader: the laws of a decoder, with any prefix and terminator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Skipped
from drivers.protocols.barcode import MAX_CODE, MAX_PENDING, Decoder, Scan, encode
from drivers.transports.damage import resliced

ENDS = st.sampled_from(
    [(b"", b"\r"), (b"", b"\r\n"), (b"\x02", b"\x03"), (b"]C1", b"\t"), (b"", b"\n")]
)
CODE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)
PIECE = st.one_of(st.binary(max_size=200), CODE.map(lambda code: code.encode() + b"\r\n"))


def decoded(ends, pieces):
    decoder, items = Decoder(*ends), []
    for piece in pieces:
        for item in decoder.feed(piece):
            if items and isinstance(item, Skipped) and isinstance(items[-1], Skipped):
                items[-1] = Skipped(items[-1].data + item.data)
            else:
                items.append(item)
        assert len(decoder.pending) < MAX_PENDING
    return items, decoder.pending


@given(ENDS, st.lists(PIECE, max_size=6).map(b"".join), st.integers(0, 2**32))
def test_any_bytes_come_out_again_however_they_are_cut(ends, data, seed):
    whole = items, pending = decoded(ends, [data])
    assert b"".join(getattr(i, "raw", None) or i.data for i in items) + pending == data
    assert decoded(ends, resliced(data, seed)) == whole


@given(ENDS, CODE)
def test_a_code_survives_being_sent(ends, code):
    prefix, terminator = ends
    wire = encode(Scan(code), prefix, terminator)
    if terminator not in wire[: -len(terminator)]:
        assert decoded(ends, [wire]) == ([Scan(code)], b"")


@pytest.mark.parametrize("wire", [b"A12\r\nB-7\r\n", b"A12\rB-7\r", b"\r\nA12\r\n\nB-7\r"])
def test_carriage_return_reads_what_ends_with_both_too(wire):
    scans = [item.code for item in decoded((b"", b"\r"), [wire])[0] if isinstance(item, Scan)]
    assert scans == ["A12", "B-7"]


@pytest.mark.parametrize(
    "wire",
    [
        b"A12\r",
        b"\x02\r",
        b"\x02A\x00B\r",
        b"\x02" + b"9" * (MAX_CODE + 1) + b"\r",
        b"\x02\xc3\xa4\r",
    ],
)
def test_what_is_no_code_of_this_reader_is_skipped_to_the_end_of_its_line(wire):
    items, pending = decoded((b"\x02", b"\r"), [wire, b"\x02B-7\r"])
    assert (items, pending) == ([Skipped(wire), Scan("B-7")], b"")


def test_a_code_is_not_shown():
    assert "B-7" not in repr(Scan("B-7", b"B-7\r"))


def test_a_reader_needs_an_end():
    with pytest.raises(ValueError, match="terminator"):
        Decoder(b"", b"")
