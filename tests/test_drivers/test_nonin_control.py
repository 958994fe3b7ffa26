"""Nonin commands and replies, each with its bytes from the documents that describe them."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Skipped
from drivers.protocols import nonin_control
from drivers.protocols.nonin import Decoder, encode, scrub
from drivers.protocols.nonin_control import (
    NEED_MORE,
    Ack,
    Block,
    ClockReply,
    DeviceTypeReply,
    Nak,
    OtherReply,
    SerialReply,
    read_block,
)


@pytest.mark.parametrize(
    ("command", "wire"),
    [
        pytest.param(nonin_control.select_format(2), "02 70 02 02 02 03", id="format 2"),
        pytest.param(nonin_control.select_format(7), "02 70 02 02 07 03", id="format 7"),
        pytest.param(nonin_control.select_format(8), "02 70 02 02 08 03", id="format 8"),
        pytest.param(nonin_control.select_format(13), "02 70 02 02 0d 03", id="format 13"),
        pytest.param(
            nonin_control.select_format_long(7, spot_check=False, bluetooth_on=True),
            "02 70 04 02 07 21 9e 03",
            id="format 7, Bluetooth on at power-up",
        ),
        pytest.param(
            nonin_control.set_clock(datetime.fromisoformat("2050-12-31T14:30:15")),
            "02 72 06 32 0c 1f 0e 1e 0f 03",
            id="set the clock, in binary",
        ),
        pytest.param(nonin_control.GET_CLOCK, "02 72 00 03", id="tell the clock"),
        pytest.param(nonin_control.GET_DEVICE_TYPE, "02 73 00 03", id="tell the device type"),
        pytest.param(nonin_control.GET_SERIAL, "02 74 02 02 02 03", id="tell the serial number"),
    ],
)
def test_a_command_is_written_as_documented(command, wire):
    assert command == bytes.fromhex(wire)


@pytest.mark.parametrize(
    ("wire", "reply"),
    [
        ("06", Ack()),
        ("15", Nak()),
        ("02 f2 06 32 0c 1f 0e 1e 0f 03", ClockReply(bytes.fromhex("32 0c 1f 0e 1e 0f"))),
        ("02 f3 03 18 05 09 03", DeviceTypeReply(b"\x18\x05\x09")),
        ("02 f4 0a 02 35 30 31 32 33 34 35 36 37 03", SerialReply(2, "501234567")),
        ("02 f5 04 04 00 05 09 03", OtherReply(0xF5, b"\x04\x00\x05\x09")),
    ],
)
def test_a_reply_is_read_and_written_as_documented(wire, reply):
    assert Decoder().feed(bytes.fromhex(wire)) == [reply]
    assert encode(reply) == bytes.fromhex(wire)


@pytest.mark.parametrize(
    ("code", "model"),
    [("18 05 09", "3150"), ("9e 09", "9560"), ("93 06", "9560"), ("01 02", None)],
)
def test_a_model_is_named_by_its_code_and_not_guessed(code, model):
    assert DeviceTypeReply(bytes.fromhex(code)).model == model


def test_a_clock_reply_is_binary_and_counts_years_from_2000():
    (reply,) = Decoder().feed(bytes.fromhex("02 f2 06 32 0c 1f 0e 1e 0f 03"))
    assert reply.local == datetime.fromisoformat("2050-12-31T14:30:15")


def test_a_clock_that_shows_no_date_has_none():
    assert ClockReply(bytes(6)).local is None


@pytest.mark.parametrize("year", [1970, 1999, 2100])
def test_a_year_the_clock_cannot_show_is_refused(year):
    with pytest.raises(ValueError, match=str(year)):
        nonin_control.set_clock(datetime.fromisoformat(f"{year}-01-01"))


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param("02 f2 06 32 0c 1f 0e 1e 0f 04", id="no trailer"),
        pytest.param("02 72 00 03", id="a command is no reply"),
        pytest.param("02 f2 21", id="longer than any"),
    ],
)
def test_what_only_looks_like_a_reply_is_skipped(wire):
    items = Decoder().feed(bytes.fromhex(wire))
    assert [type(item) for item in items] == [Skipped]


def test_a_reply_that_has_not_ended_is_waited_for():
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex("02 f4 0a 02 35")) == []
    assert decoder.pending == bytes.fromhex("02 f4 0a 02 35")


def test_an_acknowledgement_among_noise_is_noise():
    assert Decoder().feed(b"\x33\x06\x15") == [Skipped(b"\x33\x06\x15")]


def test_replies_follow_each_other():
    assert Decoder().feed(b"\x06\x15\x06") == [Ack(), Nak(), Ack()]


def test_a_serial_number_is_blanked_for_a_fixture():
    blanked = scrub(SerialReply(2, "501234567"))
    assert Decoder().feed(blanked) == [SerialReply(2, "000000000")]


def test_other_replies_are_left_as_they_came():
    wire = bytes.fromhex("02 f3 03 18 05 09 03")
    (reply,) = Decoder().feed(wire)
    assert scrub(reply) == wire


@given(st.integers(0x70, 0x7F), st.binary(max_size=nonin_control.MAX_DATA))
def test_a_block_survives_being_written_and_read(operation, data):
    block = Block(operation, data)
    assert read_block(bytes(block), 0, 0x70) == block


@given(st.integers(0x70, 0x7F), st.binary(max_size=nonin_control.MAX_DATA), st.data())
def test_any_part_of_a_block_wants_the_rest(operation, data, draw):
    whole = bytes(Block(operation, data))
    size = draw.draw(st.integers(0, len(whole) - 1))
    assert read_block(whole[:size], 0, 0x70) is NEED_MORE
