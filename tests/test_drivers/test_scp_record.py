"""The frame of an SCP-ECG record: pointers, checksums, and what lies where it may not."""

import runpy
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import FormatError
from drivers.formats import MAX_BYTES, format_of, read_ecg
from drivers.formats.scp_sections import checksum

scp = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("scp_oracle.py"))))

WHOLE = scp.record(scp.everything())
POINTERS = 22  # where section 0 has them


def refused(data):
    with pytest.raises(FormatError) as caught:
        read_ecg(bytes(data))
    return caught.value


def pointing(number, length=None, index=None):
    """The record with another length or position in its pointer to a section, well sealed."""
    data = bytearray(WHOLE)
    at = POINTERS + 10 * number
    old = struct.unpack_from("<II", data, at + 2)
    new = [old[n] if value is None else value for n, value in enumerate((length, index))]
    struct.pack_into("<II", data, at + 2, *new)
    table = 16 + 12 * 10
    struct.pack_into("<H", data, 6, scp.crc(data[8 : 6 + table]))
    struct.pack_into("<H", data, 0, scp.crc(data[2:]))
    return bytes(data)


def test_the_checksum_is_the_published_one():
    assert checksum(b"123456789") == scp.crc(b"123456789") == 0x29B1


def test_a_record_is_known_without_the_word_that_old_carts_leave_out():
    data = scp.record(scp.everything(), magic=bytes(6))
    assert format_of(data).title == "SCP-ECG"
    assert (read_ecg(data).microvolts == read_ecg(WHOLE).microvolts)[:2].all()


def test_sections_may_lie_in_any_order():
    order = [1, 2, 3, 5, 4, 7, 6, 11, 10, 9, 8]
    assert read_ecg(scp.record(scp.everything(), order=order)).leads == ("I", "II", "V3")


def test_an_empty_section_is_an_absent_one():
    assert read_ecg(scp.record(scp.everything() | {11: b"", 8: b""})).statements == ()


def test_more_or_fewer_pointers_than_usual_are_read():
    bodies = {number: scp.everything()[number] for number in (2, 3, 4, 5, 6)}
    assert read_ecg(scp.record(bodies, pointers=7)).leads == ("I", "II", "V3")
    assert read_ecg(scp.record(bodies | {20: b"vendor's"}, pointers=24)).leads[0] == "I"


def test_what_old_carts_leave_in_version_and_reserved_bytes_means_nothing():
    data = scp.record(
        scp.everything(), version=13, reserved=b"\xde\xad\xbe\xef\1\2", magic=b"\xff" * 6
    )
    assert read_ecg(data).leads == ("I", "II", "V3")


def test_bytes_after_the_record_are_nobodys():
    assert read_ecg(WHOLE + b"\0" * 100).leads == read_ecg(WHOLE).leads


def test_a_second_record_in_the_file_is_not_passed_over():
    error = refused(WHOLE + WHOLE)
    assert (error.offset, "second record" in error.reason) == (len(WHOLE), True)


def test_a_record_cut_off_anywhere_is_refused():
    small = scp.record({3: scp.leads([(1, 1, 2)]), 6: scp.samples(1, 1, 0, [scp.raw([1, 2])])})
    read_ecg(small)
    for end in range(len(small)):
        refused(small[:end])


@settings(max_examples=300)
@given(bit=st.integers(0, 8 * len(WHOLE) - 1))
def test_a_record_with_one_bit_turned_is_refused(bit):
    data = bytearray(WHOLE)
    data[bit // 8] ^= 1 << bit % 8
    refused(data)


@pytest.mark.parametrize("number", [*range(1, 9), 10, 11])
def test_a_section_whose_own_checksum_is_wrong_is_named(number):
    data = bytearray(WHOLE)
    _, _, index = struct.unpack_from("<HII", data, POINTERS + 10 * number)
    data[index - 1] ^= 1
    struct.pack_into("<H", data, 0, scp.crc(data[2:]))
    error = refused(data)
    assert error.reason == f"the checksum of section {number} does not match"
    assert error.offset == index - 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"index": 0}, "is not inside the record"),
        ({"index": 0xFFFFFFFF}, "is not inside the record"),
        ({"length": 0xFFFFFFFF}, "is not inside the record"),
        ({"length": 15}, "is not inside the record"),
        ({"index": 7}, "lie upon each other"),
        ({"index": 1}, "lie upon each other"),
        ({"length": 18}, "bytes by its pointer"),
    ],
)
def test_a_pointer_that_leads_astray_is_refused(changes, why):
    assert why in refused(pointing(6, **changes)).reason


def test_pointers_that_lead_to_one_section_are_refused():
    index = struct.unpack_from("<I", WHOLE, POINTERS + 10 * 8 + 6)[0]
    assert "lie upon each other" in refused(pointing(11, index=index)).reason


def test_two_pointers_of_one_number_are_refused():
    data = bytearray(WHOLE)
    struct.pack_into("<H", data, POINTERS + 10 * 9, 8)
    assert "points twice" in refused(scp.resealed(data)).reason


def test_a_header_of_another_section_is_refused():
    data = bytearray(WHOLE)
    _, _, index = struct.unpack_from("<HII", data, POINTERS + 10 * 8)
    struct.pack_into("<H", data, index + 1, 11)
    assert "its header 11" in refused(scp.resealed(data)).reason


@pytest.mark.parametrize("length", [0, 21, 0xFFFFFFFF])
def test_a_record_length_that_cannot_be_is_refused_at_its_place(length):
    data = bytearray(WHOLE)
    struct.pack_into("<I", data, 2, length)
    assert refused(data).offset == 2


def test_a_length_that_no_ecg_has_is_told_from_a_file_cut_off():
    data = bytearray(WHOLE)
    struct.pack_into(">I", data, 2, len(data))
    assert "this is not SCP" in refused(data).reason
    assert "it is cut off" in refused(WHOLE[:-1]).reason


def test_more_pointers_than_there_are_section_numbers_are_refused():
    table = b"".join(struct.pack("<HII", 0, 0, 0) for _ in range(1025))
    assert "more than 1024" in refused(scp.sealed(scp.section(0, table, reserved=b"SCPECG"))).reason


def test_more_bytes_than_any_ecg_has_are_not_looked_at():
    assert refused(bytes(MAX_BYTES + 1)).offset == MAX_BYTES


@pytest.mark.parametrize("data", [b"", b"<?xml version='1.0'?>", bytes(500), b"SCPECG" * 9])
def test_what_is_no_ecg_file_is_told_so(data):
    assert "not an ECG file of a known format (SCP-ECG" in refused(data).reason
