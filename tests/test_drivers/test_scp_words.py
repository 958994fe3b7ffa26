"""What an SCP-ECG record says beside its samples: who, when, by what, and what the cart found."""

import runpy
import struct
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import FormatError
from drivers.formats import read_ecg
from drivers.model import CartPatient, InstrumentId

scp = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("scp_oracle.py"))))

NOON = [(25, scp.day(2026, 11, 23)), (26, bytes([12, 0, 0]))]
BEAT = (100, 200, 250, 340, 620, 45, -30, 60)


def read(bodies, **more):
    rhythm = {3: scp.leads([(1, 1, 2)]), 6: scp.samples(1000, 2000, 0, [scp.raw([1, 2])])}
    return read_ecg(scp.record(rhythm | bodies, **more))


def header(*tags, **more):
    return read({1: scp.tags(*tags, **more)})


def measurements(body, revision=20):
    said = read({1: scp.tags((14, scp.machine(revision=revision))), 7: body}).measurements
    return dict(said)


def test_everything_a_whole_record_says_is_there():
    got = read_ecg(scp.record(scp.everything()))
    assert got.patient == CartPatient("P-1", "Doe, Jane", "1960-02-29", "female")
    assert got.device == InstrumentId("scp", "Mortara ELI250", "SN-17", "2.1")
    assert got.acquired == datetime(
        2026, 11, 23, 10, 30, 15, tzinfo=timezone(timedelta(minutes=60))
    )
    assert got.filters == ("high-pass 0.05 Hz", "low-pass 150 Hz", "notch 50 Hz")
    assert got.statements == ("Sinus rhythm", "Normal ECG", "NSR")
    assert got.derived == frozenset()
    assert got.measurements == (
        *(("rr_ms", "800"), ("pp_ms", "801"), ("p_ms", "100"), ("pr_ms", "150")),
        *(("qrs_ms", "90"), ("qt_ms", "370"), ("p_axis", "45"), ("qrs_axis", "-30")),
        *(("t_axis", "60"), ("pacer_spikes", "1"), ("pacer_spike_times_ms", "120")),
        *(("pacer_spike_amplitudes_uv", "-900"), ("heart_rate", "75"), ("atrial_rate", "76")),
        *(("qtc_ms", "421"), ("qtc_formula", "Bazett"), ("statement_status", "confirmed")),
        *(("I.p_ms", "100"), ("I.pr_ms", "150"), ("I.qrs_ms", "90"), ("II.pr_ms", "151")),
    )


def test_a_record_without_words_is_a_recording_of_nobody_and_no_time():
    got = read({})
    assert (got.patient, got.acquired, got.device) == (CartPatient(), None, None)
    assert (got.filters, got.measurements, got.statements) == ((), (), ())


def test_tags_come_in_any_order_empty_repeated_and_unknown():
    got = header((2, b""), (200, b"vendor"), (2, b"P-1"), (0, b"Doe\0 rest"), (2, b"P-1\0"), *NOON)
    assert got.patient == CartPatient("P-1", "Doe")
    assert got.acquired == datetime.fromisoformat("2026-11-23T12:00:00")


def test_an_identity_that_is_given_twice_and_differently_is_not_given():
    got = header((2, b"P-1\0"), (2, b"P-2\0"), (5, scp.day(1960, 1, 1)), (5, scp.day(1961, 1, 1)))
    assert got.patient == CartPatient()


def test_tags_may_end_where_their_section_does():
    assert header((2, b"P-12"), end=False).patient.patient_id == "P-12"


def test_a_tag_longer_than_its_section_is_refused():
    with pytest.raises(FormatError, match="section 1: tag 2 says it has 500 bytes"):
        read({1: struct.pack("<BH", 2, 500) + b"P-1"})


def test_a_wrong_length_of_a_tag_of_fixed_size_is_that_size():
    wrong = struct.pack("<BH", 25, 999) + scp.day(2026, 11, 23)
    body = wrong + scp.tags((2, b"P-1\0"), NOON[1])
    got = read({1: body})
    assert got.patient.patient_id == "P-1"
    assert got.acquired.isoformat() == "2026-11-23T12:00:00"


def test_nobody_reads_a_patient_in_what_a_recording_is_printed_as():
    assert "Jane" not in repr(read_ecg(scp.record(scp.everything())))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (scp.day(1960, 2, 29), "1960-02-29"),
        (scp.day(1960, 2, 0), "1960-02"),
        (scp.day(1960, 0, 0), "1960"),
        (scp.day(0, 0, 0), None),
        (scp.day(1961, 2, 29), None),
        (scp.day(10000, 1, 1), None),
        (b"\0", None),
    ],
)
def test_a_birth_date_is_said_as_far_as_it_is_given(value, said):
    assert header((5, value)).patient.birth_date == said


@pytest.mark.parametrize(
    ("code", "sex"), [(0, "unknown"), (1, "male"), (2, "female"), (9, None), (77, None)]
)
def test_sex_is_as_coded_or_not_said(code, sex):
    assert header((8, bytes([code]))).patient.sex == sex


@pytest.mark.parametrize(
    ("day", "clock", "at"),
    [
        ((2026, 11, 23), (23, 59, 59), "2026-11-23T23:59:59"),
        ((2026, 12, 31), (24, 0, 0), "2027-01-01T00:00:00"),
        ((2026, 11, 23), (24, 0, 1), None),
        ((2026, 11, 31), (1, 0, 0), None),
        ((9999, 12, 31), (24, 0, 0), None),
        ((0, 0, 0), (0, 0, 0), None),
    ],
)
def test_the_time_is_the_carts_with_midnight_either_way_or_none(day, clock, at):
    got = header((25, scp.day(*day)), (26, bytes(clock))).acquired
    assert (got.isoformat() if got else None) == at


@pytest.mark.parametrize("tags", [NOON[:1], NOON[1:], [NOON[0], (26, b"\1")]])
def test_without_day_or_time_there_is_no_acquisition_time(tags):
    assert header(*tags).acquired is None


@pytest.mark.parametrize(
    ("minutes", "offset"), [(0, 0), (-300, -300), (330, 330), (0x7FFF, None), (900, None)]
)
def test_the_time_has_a_zone_only_where_the_cart_said_one(minutes, offset):
    zone = header(*NOON, (34, struct.pack("<hH", minutes, 0))).acquired.tzinfo
    assert zone == (None if offset is None else timezone(timedelta(minutes=offset)))


def test_a_device_is_called_by_its_manufacturers_number_where_it_has_no_name():
    strings = [b"", b"unknown", b"", b"", b""]
    device = header((14, scp.machine(maker=17, model=b"AT2\0\0\0", strings=strings))).device
    assert device == InstrumentId("scp", "Schiller AT2", None, None)


def test_a_short_description_of_the_device_is_no_device():
    assert header((14, scp.machine()[:20])).device is None


@pytest.mark.parametrize(
    ("language", "stored"),
    [
        (0x00, "långsam".encode("latin-1")),  # declared ASCII, as a cart was seen to do
        (0x00, "långsam".encode()),
        (0x01, "långsam".encode("latin-1")),
    ],
)
def test_letters_are_read_in_the_declared_set_or_the_one_they_are_in(language, stored):
    bodies = {1: scp.tags((14, scp.machine(language=language))), 8: scp.statements([stored])}
    assert read(bodies).statements == ("långsam",)


@pytest.mark.parametrize(
    ("language", "codec", "name"),
    [
        (0x03, "iso8859-2", "Łukasz"),
        (0x13, "iso8859-5", "Иван"),
        (0x1B, "iso8859-6", "محمد"),
        (0x23, "iso8859-7", "Ελένη"),
        (0x2B, "iso8859-8", "משה"),
        (0x07, "utf-16-le", "Łukasz 明"),
        (0x0F, "shift-jis", "ﾔﾏﾀﾞ"),
        (0x17, "euc-jp", "山田"),
        (0x27, "gb2312", "王伟"),
        (0x2F, "euc-kr", "김"),
    ],
)
def test_names_are_read_in_the_character_set_that_the_device_declares(language, codec, name):
    end = "\0".encode(codec)
    got = header((0, name.encode(codec) + end), (14, scp.machine(language=language)))
    assert got.patient.name == name


def test_texts_are_utf_8_from_edition_3_on():
    got = header((0, "Łukasz\0".encode()), (14, scp.machine(revision=30, language=0x03)))
    assert got.patient.name == "Łukasz"


@given(value=st.binary(max_size=20), language=st.integers(0, 255))
def test_no_bytes_and_no_language_code_make_a_text_fail(value, language):
    got = header((2, value), (14, scp.machine(language=language)))
    assert got.patient.patient_id is None or got.patient.patient_id.isprintable()


def test_filters_are_named_in_hz():
    tags = [(27, struct.pack("<H", 50)), (28, struct.pack("<H", 35)), (29, b"\x0f")]
    assert header(*tags).filters == (
        *("high-pass 0.5 Hz", "low-pass 35 Hz", "notch 60 Hz", "notch 50 Hz"),
        *("artefact filter", "baseline filter"),
    )


def test_what_was_not_computed_is_not_said():
    none = 29999
    got = measurements(scp.measured((none, none, 250, 340, none, 999, none, 60)))
    assert got == {"qrs_ms": "90", "t_axis": "60", "pacer_spikes": "0"}


def test_the_first_edition_is_believed_to_its_first_beat_only():
    body = scp.measured(BEAT, rr=800, spikes=[(1, 2)], tail=([0], 75, 75, 400, 1))
    assert set(measurements(body, revision=10)) == {
        *("rr_ms", "p_ms", "pr_ms", "qrs_ms", "qt_ms", "p_axis", "qrs_axis", "t_axis")
    }


@pytest.mark.parametrize("formula", [(0, None), (1, "Bazett"), (2, "Hodges"), (9, "code 9")])
def test_the_formula_of_qtc_is_named(formula):
    code, name = formula
    got = measurements(scp.measured(BEAT, tail=([0, 0], 60, 29999, 410, code)))
    assert got["qtc_ms"] == "410"
    assert got.get("qtc_formula") == name
    assert "atrial_rate" not in got


@pytest.mark.parametrize("cut", [1, 7, 9])
def test_a_tail_of_measurements_that_is_not_whole_is_not_read(cut):
    body = scp.measured(BEAT, tail=([0, 0], 60, 60, 410, 1))[:-cut]
    assert "heart_rate" not in measurements(body)
    assert measurements(body)["qrs_ms"] == "90"


@pytest.mark.parametrize("body", [b"\0\0", b"\1\0\0\0\0\0", b"\0\2\0\0\0\0" + bytes(8)])
def test_measurements_that_their_section_cannot_hold_are_refused(body):
    with pytest.raises(FormatError, match="section 7: ends"):
        measurements(body)


@pytest.mark.parametrize("number", [8, 11])
def test_statements_that_their_section_cannot_hold_are_refused(number):
    body = scp.statements([b"one", b"two"])[:-4]
    with pytest.raises(FormatError, match=f"section {number}: ends"):
        read({number: body})


def test_statements_of_two_sections_are_said_once_and_the_first_status_counts():
    bodies = {
        8: scp.statements([b"Normal\0", b""], status=2),
        11: scp.universal([(2, b"Normal\0"), (3, b"A\0AND\0B\0")], status=0),
    }
    got = read(bodies)
    assert got.statements == ("Normal", "A AND B")
    assert got.measurements == (("statement_status", "overread"),)


def test_lead_measurements_may_count_their_own_header_into_their_length():
    numbers = [(1, [100, 150]), (5, [-32768, 19999, 95])]
    plain = scp.per_lead(numbers)
    counted = bytearray(plain)
    counted[6] += 4
    counted[6 + 8] += 4
    expected = (("I.p_ms", "100"), ("I.pr_ms", "150"), ("V3.p_ms", "-32768"), ("V3.qrs_ms", "95"))
    assert read({10: plain}).measurements == expected
    assert read({10: bytes(counted)}).measurements == expected


def test_lead_measurements_that_fit_in_no_way_are_refused():
    with pytest.raises(FormatError, match="section 10"):
        read({10: struct.pack("<HHHH", 1, 0, 1, 9999)})


def test_whom_a_file_is_of_is_not_shown_by_repr():
    patient = CartPatient("0017-4", "Example, Erika", "1964-08-12", "F")
    assert repr(patient) == "CartPatient()"
