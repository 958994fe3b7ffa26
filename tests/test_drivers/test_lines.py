"""What is left of a line when noise comes before it, in it, or instead of its end."""

from drivers.model import Skipped
from drivers.protocols.nonin_ascii import MAX_LINE, Decoder, Line

LINE = b"SPO2=097 HR=072\r\n"
READ = Line("", 97, 72, "")


def test_noise_before_a_line_costs_nothing_but_itself():
    assert Decoder().feed(b"\x00\xff\x00" + LINE) == [Skipped(b"\x00\xff\x00"), READ]


def test_noise_in_a_line_costs_the_line():
    broken = LINE[:6] + b"\xff" + LINE[6:]
    assert Decoder().feed(broken + LINE) == [Skipped(broken), READ]


def test_blank_lines_are_no_noise():
    assert Decoder().feed(b"\r\n\n\r\n" + LINE) == [READ]


def test_what_never_ends_is_skipped_as_soon_as_it_is_longer_than_a_line():
    decoder = Decoder()
    assert decoder.feed(b"x" * (MAX_LINE - 1)) == []
    assert decoder.feed(b"x") == [Skipped(b"x" * MAX_LINE)]
    assert decoder.pending == b""
