"""IEEE 11073 numbers: the published bytes, everything that is no number, and every number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.protocols.gatt.medical_float import Number, Special, decode, encode

SPECIALS = [
    (Special.NAN, "ff07", "ffff7f00"),
    (Special.NRES, "0008", "00008000"),
    (Special.POSITIVE_INFINITY, "fe07", "feff7f00"),
    (Special.NEGATIVE_INFINITY, "0208", "02008000"),
    (Special.RESERVED, "0108", "01008000"),
]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("8000", 128.0),
        ("bdf0", 18.9),
        ("9ff0", 15.9),
        ("0b00", 11.0),
        ("71f1", 36.9),
        ("2af0", 4.2),
        ("d7f0", 21.5),
        ("7800", 120.0),
        ("b00e00fe", 37.6),
        ("730100ff", 37.1),
    ],
)
def test_a_published_number_is_read_and_written_back(data, value):
    number = decode(bytes.fromhex(data))
    assert number.value == value
    assert encode(number, len(data) // 2).hex() == data


@pytest.mark.parametrize(("special", "short", "long"), SPECIALS)
def test_what_is_no_number_is_never_one(special, short, long):
    for data in (short, long):
        assert decode(bytes.fromhex(data)) is special
        assert encode(special, len(data) // 2).hex() == data


@pytest.mark.parametrize(
    ("data", "value"), [("fff7", 204.7), ("fef7", 204.6), ("02f8", -204.6), ("ff17", 20470.0)]
)
def test_with_an_exponent_the_same_mantissa_is_a_number(data, value):
    assert decode(bytes.fromhex(data)).value == value


@pytest.mark.parametrize(
    ("size", "mantissas"), [(2, (2047, 2046, -2048)), (4, (8388607, -8388607, -8388606))]
)
def test_a_number_that_would_be_read_as_none_is_not_written(size, mantissas):
    for mantissa in mantissas:
        with pytest.raises(ValueError, match="is not a number"):
            encode(Number(mantissa), size)


@pytest.mark.parametrize(
    ("size", "number"),
    [
        (2, Number(2048, 1)),
        (2, Number(-2049, 1)),
        (2, Number(1, 8)),
        (2, Number(1, -9)),
        (4, Number(1 << 23, 1)),
        (4, Number(1, 128)),
    ],
)
def test_a_number_that_does_not_fit_is_refused(size, number):
    with pytest.raises(ValueError, match="does not fit"):
        encode(number, size)


def test_every_short_number_survives_decoding_and_encoding():
    for word in range(1 << 16):
        data = word.to_bytes(2, "little")
        assert encode(decode(data), 2) == data


def test_five_of_all_short_words_are_no_number_and_the_others_are_finite():
    numbers = [decode(word.to_bytes(2, "little")) for word in range(1 << 16)]
    assert sum(isinstance(number, Special) for number in numbers) == len(Special)
    assert all(
        abs(number.value) <= 2048 * 10**7 for number in numbers if isinstance(number, Number)
    )


@given(st.binary(min_size=4, max_size=4))
def test_every_long_number_survives_decoding_and_encoding_and_is_finite(data):
    number = decode(data)
    assert encode(number, 4) == data
    assert isinstance(number, Special) or abs(number.value) < float("inf")


@given(st.integers(-2047, 2045), st.integers(0, 7))
def test_a_rounded_value_reads_as_the_value(mantissa, decimals):
    value = float(f"{mantissa}e-{decimals}")
    assert Number.of(value, decimals).value == value
