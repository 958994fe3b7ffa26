import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import Write
from drivers.errors import FormatError, SettingsError
from drivers.transports.capture_file import (
    CASE,
    WIRE,
    Happened,
    LinkEvent,
    Origin,
    Received,
    Recording,
    Written,
    load_case,
    parse,
    parse_case,
    parse_hex,
    write,
)

CASE_TEXT = b"""
driver = "nonin"
origin = "hardware"
device = "Xpod"
licence = "Apache-2.0"
deidentified = "holds no patient field"
"""

bytes_lines = st.builds(
    lambda kind, us, data, channel: kind(us, data, channel),
    st.sampled_from([Received, Written]),
    st.integers(0, 10**12),
    st.binary(max_size=20),
    st.sampled_from([None, "2a37", "fff1-a"]),
)
recordings = st.lists(
    bytes_lines | st.builds(Happened, st.integers(0, 10**12), st.sampled_from(LinkEvent)),
    max_size=20,
).map(lambda lines: Recording(tuple(sorted(lines, key=lambda line: line.at_us))))

texts = st.text() | st.lists(
    st.sampled_from(["0", "1.5", "<", ">", "!", "lost", "#", "2a37:", "0a", "f", "\n", "\r\n", "٣"])
).map(" ".join)


def refusal(reader, text):
    try:
        reader(text)
    except FormatError as error:
        return error
    return None


@given(recordings)
def test_what_is_written_is_read_again(recording):
    assert parse(write(recording, "a comment\n\nof three lines")) == recording


@given(texts)
def test_any_text_is_a_recording_or_one_error_that_names_a_line(text):
    said = refusal(parse, text)
    assert said is None or (said.reason.startswith("line ") and said.offset <= len(text.encode()))


@given(texts)
def test_any_hex_text_is_bytes_or_one_error_that_names_a_line(text):
    said = refusal(parse_hex, text)
    assert said is None or (said.reason.startswith("line ") and said.offset <= len(text.encode()))


def test_a_recording_has_three_directions_comments_and_channels():
    text = "# pulled out\n0.5 < C7 2e\n1.25 > 02 # asked\n\n2 < 2a37: 0048\n3.000001 ! lost\n"
    assert parse(text).lines == (
        Received(500_000, b"\xc7\x2e"),
        Written(1_250_000, b"\x02"),
        Received(2_000_000, b"\x00\x48", "2a37"),
        Happened(3_000_001, LinkEvent.LOST),
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("x < 00", "'x' is not a time"),
        ("1.1234567 < 00", "'1.1234567' is not a time"),
        ("-1 < 00", "'-1' is not a time"),
        ("1.0 00", "after the time comes < or > or !"),
        ("1.0", "after the time comes < or > or !"),
        ("1.0 < 0", "'0' is not pairs of hex digits"),
        ("1.0 < 2a37: zz", "'zz' is not pairs of hex digits"),
        ("1.0 ! gone", "'gone' is no event; lost, open"),
        ("0.1 < 00", "its time is before that of the line above"),
    ],
)
def test_a_line_that_is_wrong_is_named_with_its_number_and_offset(line, said):
    with pytest.raises(FormatError) as caught:
        parse(f"0.2 < 00\n{line}\n")
    assert caught.value.reason.startswith("line 2: ")
    assert said in caught.value.reason
    assert caught.value.offset == 9


def test_hex_text_keeps_what_the_instrument_said_only():
    text = "# asked\n> 02 70\n< 0181 0100\n83\n< 2a37: 00 48  # heart rate\n"
    assert parse_hex(text).lines == (
        Received(0, b"\x01\x81\x01\x00"),
        Received(0, b"\x83"),
        Received(0, b"\x00\x48", "2a37"),
    )


def test_sessions_begin_where_the_link_was_opened_again():
    recording = parse("0 < 01\n1 ! lost\n2 ! open\n3 < 02\n")
    assert [session.received for session in recording.sessions()] == [b"\x01", b"\x02"]


def test_a_case_needs_only_what_cannot_be_guessed():
    case = parse_case(CASE_TEXT)
    assert (case.driver, case.origin, case.grants, case.options) == (
        "nonin",
        Origin.HARDWARE,
        (),
        {},
    )
    assert case.clock.trusted


def test_the_clock_of_a_case_starts_at_its_wall_time():
    case = parse_case(CASE_TEXT + b"[clock]\nstart = 1970-01-02T00:00:00.5Z\ntrusted = false\n")
    assert (case.start_ns, case.clock.trusted) == (86_400_500_000_000, False)


def test_a_case_grants_writes_by_purpose():
    case = parse_case(b'grants = ["select-format"]\n' + CASE_TEXT)
    assert case.grants == (Write.SELECT_FORMAT,)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (b'devise = "x"', "devise"),
        (b'grants = ["everything"]', "grants"),
        (b"= 1", "Invalid"),
        (b"[clock]\nstart = 2026-01-01T00:00:00", "no zone"),
        (b"\xff", "decode"),
    ],
)
def test_a_case_that_is_wrong_says_which_key(extra, said):
    with pytest.raises(SettingsError, match=said):
        parse_case(CASE_TEXT + extra)


def test_a_case_without_licence_is_refused():
    with pytest.raises(SettingsError, match="licence"):
        parse_case(CASE_TEXT.replace(b"licence", b"# licence"))


def test_a_folder_that_is_wrong_is_named_with_its_file(tmp_path):
    (tmp_path / CASE).write_bytes(CASE_TEXT)
    (tmp_path / WIRE).write_bytes(b"0.0 < 00\n0.1 < 0\n")
    with pytest.raises(FormatError, match=rf"{WIRE}: line 2: "):
        load_case(tmp_path)


def test_bytes_in_place_of_text_are_named_with_their_file(tmp_path):
    (tmp_path / CASE).write_bytes(CASE_TEXT)
    (tmp_path / WIRE).write_bytes(b"0.0 < \xff\xfe")
    with pytest.raises(FormatError, match=f"{WIRE}: not text but bytes") as caught:
        load_case(tmp_path)
    assert caught.value.offset == 6
