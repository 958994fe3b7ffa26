"""GATT payloads: every published vector, every combination of flags, every truncation."""

from dataclasses import replace
from datetime import datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import channel_name
from drivers.model import Skipped
from drivers.protocols.gatt import characteristics, heart_rate, record_access
from drivers.protocols.gatt.blood_pressure import BloodPressure, CuffFeature, CuffStatus
from drivers.protocols.gatt.body_composition import BodyComposition, quantities
from drivers.protocols.gatt.characteristics import CODECS, Decoder, decode, encode
from drivers.protocols.gatt.date_time import AdjustReason, DateTime
from drivers.protocols.gatt.fields import Malformed, Reason
from drivers.protocols.gatt.medical_float import Number, Special
from drivers.protocols.gatt.oximetry import DeviceStatus, MeasurementStatus, OximeterFeature
from drivers.protocols.gatt.record_access import Operation, Operator, Outcome
from drivers.protocols.gatt.temperature import Site, site_of
from drivers.protocols.gatt.weight import length, mass

at = datetime.fromisoformat
DATE = "e20704110f3300"  # 2018-04-17 15:51:00

VECTORS = [
    ("2a08", "e2 07 04 11 0f 33 00"),
    ("2a08", "00 00 00 00 12 1a 20"),
    ("2a2b", "e9 07 01 0f 0e 1e 2d 03 21 01"),
    ("2a35", "1e 8a00 5800 7800 0000 04 11 14 29 3b 3c00 01 2700"),
    ("2a35", "15 bdf0 0b00 9ff0 3c00 1200"),
    ("2a35", "16 8000 5300 6200 ea070b17090f1e 4800 0000"),
    ("2a36", "1e 0400 0000 0000 0000 04 11 14 29 3b 3c00 01 2700"),
    ("2a36", "15 6ff0 0000 0000 3c00 1200"),
    ("2a36", "00 d7f0 0000 0000"),
    ("2a1c", "06 b00e00fe dc070c050b321b 04"),
    ("2a5e", "2f 6200 3e00 e40707020d2d3b 2000 00000c 2af0"),
    ("2a5f", "1f 6200 4800 6300 4900 6100 4700 8000 000000 0a00"),
    ("2a52", "06 00 01 01"),
    ("2a52", "06 00 01 06"),
    ("2a52", "06 00 0c 02"),
    ("2a52", "06 00 03 07"),
    ("2a52", "06 00 02 08"),
    ("2a52", "04 01"),
    ("2a52", "04 01 00"),
    ("2a52", "02 01 00"),
    ("2a37", "00 55"),
    ("2a37", "04 ff"),
    ("2a37", "1e 55 3200 2100"),
    ("2a37", "1f 0101 3201 0100 0201 ffff"),
    ("2a19", "64"),
]


def layouts():
    """Each characteristic with flags: how many bytes they are, and what each one adds.

    The first flag byte is followed by `always` bytes; flag n adds `adds[n]` bytes.
    """
    yield "2a35", 1, 6, [0, 7, 2, 1, 2]
    yield "2a36", 1, 6, [0, 7, 2, 1, 2]
    yield "2b34", 1, 6, [0, 4, 2, 1, 2, 4, 0]
    yield "2b35", 1, 6, [0, 4, 2, 1, 2, 4, 0]
    yield "2a1c", 1, 4, [0, 7, 1]
    yield "2a1e", 1, 4, [0, 7, 1]
    yield "2a5e", 1, 4, [7, 2, 3, 2, 0]
    yield "2a5f", 1, 4, [4, 4, 2, 3, 2]
    yield "2a37", 1, 1, [1, 0, 0, 2, 2]
    yield "2a9d", 1, 2, [0, 7, 1, 4]
    yield "2a9c", 2, 2, [0, 7, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0]
    yield "2a60", 2, 0, [2, 3]


def every_combination():
    """Yield name, payload and its flags for each combination of flags that has a meaning."""
    for name, flag_bytes, always, adds in layouts():
        for flags in product((0, 1), repeat=len(adds)):
            word = sum(bit << n for n, bit in enumerate(flags))
            size = always + sum(add for add, bit in zip(adds, flags, strict=True) if bit)
            body = bytes(range(1, size + 1))
            yield name, word.to_bytes(flag_bytes, "little") + body


def few_or_nearly_all_flags():
    """Yield every combination but those of 2a9c with a middling number of its thirteen flags."""
    for name, payload in every_combination():
        count = (payload[0] | payload[1] << 8).bit_count() if name == "2a9c" else 0
        if count < 3 or count > 11:
            yield name, payload


every_layout = pytest.mark.parametrize(
    ("name", "flag_bytes", "adds"),
    [(name, flag_bytes, adds) for name, flag_bytes, _, adds in layouts() if name != "2a60"],
)


@pytest.mark.parametrize(("channel", "payload"), VECTORS)
def test_a_published_payload_is_read_and_written_back(channel, payload):
    data = bytes.fromhex(payload)
    frame = decode(channel, data)
    assert not isinstance(frame, Malformed)
    assert frame.raw == data
    assert encode(frame) == data


def test_every_combination_of_flags_is_read_and_written_back():
    seen = 0
    for name, payload in every_combination():
        frame = decode(name, payload)
        assert frame.raw == payload
        assert encode(frame) == payload
        seen += 1
    assert seen == 2 * 32 + 2 * 128 + 2 * 8 + 3 * 32 + 16 + 8192 + 4


def test_every_payload_cut_short_is_rejected_whole():
    for name, payload in few_or_nearly_all_flags():
        for size in range(len(payload)):
            assert decode(name, payload[:size]) == Malformed(Reason.TRUNCATED, payload[:size])


def test_a_payload_with_a_byte_too_many_is_rejected_whole():
    for name, payload in few_or_nearly_all_flags():
        longer = payload + b"\x01"
        assert decode(name, longer) == Malformed(Reason.OVERLONG, longer)


def test_reserved_features_are_kept_and_reject_nothing():
    for name, payload in (("2a60", "00f0"), ("2a49", "c0ff"), ("2a9e", "0000ffff")):
        data = bytes.fromhex(payload)
        assert encode(decode(name, data)) == data


@every_layout
def test_reserved_flags_are_kept_and_reject_nothing(name, flag_bytes, adds):
    reserved = range(len(adds), 8 * flag_bytes)
    payloads = [payload for each, payload in every_combination() if each == name][:64]
    for bit, payload in product(reserved, payloads):
        word = int.from_bytes(payload[:flag_bytes], "little") | 1 << bit
        for rest in (b"", b"\x07"):
            data = word.to_bytes(flag_bytes, "little") + payload[flag_bytes:] + rest
            frame = decode(name, data)
            assert (frame.rfu, frame.rest) == (1 << bit, rest)
            assert encode(frame) == data


@pytest.mark.parametrize("name", sorted(CODECS))
def test_any_bytes_give_a_frame_or_a_reason_and_a_frame_gives_its_bytes_again(name):
    @settings(max_examples=50)
    @given(st.binary(max_size=30))
    def law(payload):
        frame = decode(name, payload)
        if isinstance(frame, Malformed):
            assert frame.raw == payload
        else:
            assert frame.raw == payload
            assert decode(name, encode(frame)) == frame

    law()


@pytest.mark.parametrize(
    ("code", "special"),
    [
        ("ff07", Special.NAN),
        ("0008", Special.NRES),
        ("fe07", Special.POSITIVE_INFINITY),
        ("0208", Special.NEGATIVE_INFINITY),
        ("0108", Special.RESERVED),
    ],
)
def test_no_number_of_any_payload_lets_a_special_value_pass_as_one(code, special):
    pressure = decode("2a35", bytes.fromhex(f"04 {code * 4}"))
    assert {pressure.systolic, pressure.diastolic, pressure.mean, pressure.pulse_rate} == {special}
    enhanced = decode("2b34", bytes.fromhex(f"04 {code * 4}"))
    assert {enhanced.systolic, enhanced.diastolic, enhanced.mean, enhanced.pulse_rate} == {special}
    spot = decode("2a5e", bytes.fromhex(f"08 {code * 3}"))
    assert {spot.saturation.spo2, spot.saturation.pulse_rate, spot.pulse_amplitude} == {special}
    stream = decode("2a5f", bytes.fromhex(f"13 {code * 7}"))
    for pair in (stream.saturation, stream.fast, stream.slow):
        assert {pair.spo2, pair.pulse_rate} == {special}
    assert stream.pulse_amplitude is special


def test_a_blood_pressure_is_read_as_published():
    frame = decode("2a35", bytes.fromhex(VECTORS[3][1]))
    assert [n.value for n in (frame.systolic, frame.diastolic, frame.mean)] == [138, 88, 120]
    assert (frame.is_kpa, frame.pulse_rate.value, frame.user) == (False, 60, 1)
    assert frame.taken == DateTime(0, 4, 17, 20, 41, 59)
    assert frame.taken.local is None
    assert frame.status == 0x27


def test_a_blood_pressure_in_kilopascals_says_so_in_its_flags():
    frame = decode("2a35", bytes.fromhex(VECTORS[4][1]))
    assert frame.is_kpa
    assert [n.value for n in (frame.systolic, frame.diastolic, frame.mean)] == [18.9, 11.0, 15.9]
    assert frame.status == CuffStatus.LOOSE | CuffStatus.PULSE_BELOW_RANGE


def test_a_blood_pressure_of_the_day_has_its_time():
    frame = decode("2a35", bytes.fromhex(VECTORS[5][1]))
    assert frame.taken.local == at("2026-11-23T09:15:30")


@pytest.mark.parametrize(("row", "pressure"), [(6, 4.0), (7, 11.1), (8, 21.5)])
def test_a_cuff_that_inflates_says_the_pressure_in_it(row, pressure):
    assert decode("2a36", bytes.fromhex(VECTORS[row][1])).systolic.value == pressure


def test_what_a_cuff_can_do_is_read_with_its_reserved_bits():
    frame = decode("2a49", bytes.fromhex("4580"))
    assert frame.supported & CuffFeature.MOVEMENT
    assert frame.supported == 0x8045


@pytest.mark.parametrize(
    ("flags", "local"),
    [("22", at("1900-01-02T00:00:01")), ("62", at("2000-01-02T00:00:01"))],
)
def test_the_times_of_an_enhanced_pressure_count_from_the_epoch_it_names(flags, local):
    frame = decode("2b34", bytes.fromhex(f"{flags} 7800 5000 5d00 0a000000 81510100"))
    assert (frame.time_stamp, frame.local) == (10, local)


def test_an_enhanced_pressure_without_the_time_it_shows_has_no_local_time():
    assert decode("2b34", bytes.fromhex("02 7800 5000 5d00 0a000000")).local is None


def test_a_temperature_is_read_as_published_and_refused_without_its_last_byte():
    payload = bytes.fromhex(VECTORS[9][1])
    frame = decode("2a1c", payload)
    assert (frame.temperature.value, frame.is_fahrenheit) == (37.6, False)
    assert frame.taken.local == at("2012-12-05T11:50:27")
    assert site_of(frame.type) is Site.FINGER
    assert decode("2a1c", payload[:-1]) == Malformed(Reason.TRUNCATED, payload[:-1])


@pytest.mark.parametrize("type_", [0, 11, 255])
def test_a_reserved_type_of_temperature_is_kept_and_names_no_site(type_):
    frame = decode("2a1c", bytes.fromhex("04 b00e00fe") + bytes([type_]))
    assert (frame.type, site_of(frame.type)) == (type_, None)
    assert decode("2a1d", bytes([type_])) == Malformed(Reason.RESERVED, bytes([type_]))


def test_the_type_of_a_thermometer_and_its_interval_are_read():
    assert decode("2a1d", b"\x03").site is Site.EAR
    assert decode("2a21", b"\x2c\x01").seconds == 300


def test_the_spot_check_of_a_real_oximeter_is_read_in_spite_of_its_reserved_bits():
    frame = decode("2a5e", bytes.fromhex(VECTORS[10][1]))
    assert (frame.saturation.spo2.value, frame.saturation.pulse_rate.value) == (98, 62)
    assert frame.taken.local == at("2020-07-02T13:45:59")
    assert frame.status == MeasurementStatus.ONGOING
    assert (frame.rfu, frame.device) == (0x20, DeviceStatus(0x0C0000))
    assert frame.pulse_amplitude == Number(42, -1)
    assert not frame.clock_unset


def test_a_spot_check_says_when_its_clock_was_never_set():
    assert decode("2a5e", bytes.fromhex("10 6200 4800")).clock_unset


def test_a_continuous_measurement_has_three_averagings():
    frame = decode("2a5f", bytes.fromhex(VECTORS[11][1]))
    pairs = (frame.saturation, frame.fast, frame.slow)
    assert [(p.spo2.value, p.pulse_rate.value) for p in pairs] == [(98, 72), (99, 73), (97, 71)]
    assert frame.status == MeasurementStatus.VALIDATED
    assert frame.pulse_amplitude.value == 10


def test_what_an_oximeter_can_do_is_read_with_the_bits_it_can_set():
    frame = decode("2a60", bytes.fromhex("0300 a083 ffff00"))
    assert frame.supported == OximeterFeature.MEASUREMENT_STATUS | OximeterFeature.DEVICE_STATUS
    assert (frame.status, frame.device) == (0x83A0, 0xFFFF)


def test_features_whose_parts_belie_their_bits_are_not_written():
    frame = decode("2a60", bytes.fromhex("0300 a083 ffff00"))
    with pytest.raises(ValueError, match="goes with its bit"):
        encode(replace(frame, device=None))


@pytest.mark.parametrize(
    ("payload", "ended"),
    [
        ("06000101", (Operation.REPORT, Outcome.SUCCESS)),
        ("06000106", (Operation.REPORT, Outcome.NO_RECORDS)),
        ("06000c02", (12, Outcome.OPERATION_NOT_SUPPORTED)),
        ("06000307", (Operation.ABORT, Outcome.ABORT_UNSUCCESSFUL)),
        ("06000208", (Operation.DELETE, Outcome.NOT_COMPLETED)),
        ("06000902", (9, Outcome.OPERATION_NOT_SUPPORTED)),
        ("06000104", (Operation.REPORT, Outcome.OPERATOR_NOT_SUPPORTED)),
    ],
)
def test_a_procedure_says_which_one_ended_and_how(payload, ended):
    frame = decode("2a52", bytes.fromhex(payload))
    assert (frame.ended, frame.count) == (ended, None)


def test_the_number_of_records_is_answered():
    answer = record_access.number_of_records(5)
    assert encode(answer).hex() == "05000500"
    assert (answer.count, answer.ended) == (5, None)


@pytest.mark.parametrize("payload", ["050005", "0600010100", "0101"])
def test_an_answer_of_another_length_answers_nothing(payload):
    frame = decode("2a52", bytes.fromhex(payload))
    assert (frame.count, frame.ended) == (None, None)


def test_the_requests_are_those_of_the_standard():
    requests = (record_access.COUNT_ALL, record_access.REPORT_ALL, record_access.DELETE_ALL)
    assert [encode(request).hex() for request in requests] == ["0401", "0101", "0201"]
    assert record_access.COUNT_ALL.operator == Operator.ALL


@pytest.mark.parametrize(
    ("payload", "rate", "contact", "energy", "rr"),
    [
        ("0055", 85, None, None, None),
        ("04ff", 255, False, None, None),
        ("1e5532002100", 85, True, 50, (33,)),
        ("1f0101320101000201ffff", 257, True, 306, (1, 258, 65535)),
    ],
)
def test_a_heart_rate_is_read_as_published(payload, rate, contact, energy, rr):
    frame = decode("2a37", bytes.fromhex(payload))
    assert (frame.rate, frame.contact, frame.energy_kj, frame.rr) == (rate, contact, energy, rr)


def test_a_heart_rate_that_announces_intervals_and_has_none_is_rejected():
    payload = bytes.fromhex("170101")
    assert heart_rate.decode(payload) == Malformed(Reason.TRUNCATED, payload)


@pytest.mark.parametrize(
    ("payload", "kilograms_or_pounds"),
    [("00 d430", 62.5), ("01 d430", 125.0), ("00 ffff", 327.675)],
)
def test_a_weight_counts_in_the_steps_of_its_unit(payload, kilograms_or_pounds):
    frame = decode("2a9d", bytes.fromhex(payload))
    assert mass(frame.weight, is_imperial=frame.is_imperial) == kilograms_or_pounds


def test_a_weight_has_user_bmi_and_height_where_its_flags_say_so():
    frame = decode("2a9d", bytes.fromhex(f"0e d430 {DATE} 02 d900 a406"))
    assert (frame.user, frame.bmi, frame.height) == (2, 217, 1700)
    assert length(frame.height, is_imperial=False) == 1.7
    assert length(709, is_imperial=True) == 70.9


def test_bmi_without_height_is_not_written():
    frame = decode("2a9d", bytes.fromhex("08 d430 d900 a406"))
    with pytest.raises(ValueError, match="come together"):
        encode(replace(frame, height=None))


def test_a_body_composition_names_what_it_holds_in_the_order_of_its_flags():
    frame = decode("2a9c", bytes.fromhex("9806 f000 0a1a 2f01 1027 8813 d430"))
    assert frame == BodyComposition(
        240, basal_kj=6666, muscle_percent=303, soft_lean_mass=10000, impedance=5000, weight=12500
    )
    assert [name for name, _ in quantities(frame)] == [
        *("basal_kj", "muscle_percent", "soft_lean_mass", "impedance", "weight")
    ]


def test_a_body_composition_says_that_it_goes_on_in_another_payload():
    assert decode("2a9c", bytes.fromhex("0010 f000")).is_multi_packet


def test_strings_lose_the_padding_at_their_end_only():
    assert decode("2a29", b" Maker \0\0 ").text == " Maker"
    assert decode("2a25", b"0001\0").text == "0001"
    assert decode("2a24", b"").text == ""


def test_a_string_that_is_no_text_is_rejected():
    assert decode("2a25", b"\xff\xfe") == Malformed(Reason.NOT_TEXT, b"\xff\xfe")


def test_the_system_id_is_an_eui_64_and_shows_the_address_it_was_made_from():
    frame = decode("2a23", bytes.fromhex("563412feffefcdab"))
    assert frame.eui64.hex() == "abcdeffffe123456"


def test_the_product_is_told_by_four_numbers():
    frame = decode("2a50", bytes.fromhex("01 0e02 3412 0001"))
    assert (frame.source, frame.vendor, frame.product, frame.version) == (1, 0x020E, 0x1234, 256)


@pytest.mark.parametrize("percent", [101, 255])
def test_a_battery_above_a_hundred_percent_is_no_level(percent):
    assert decode("2a19", bytes([percent])) == Malformed(Reason.RESERVED, bytes([percent]))


def test_the_current_time_has_fractions_a_weekday_and_a_reason():
    frame = decode("2a2b", bytes.fromhex(VECTORS[2][1]))
    assert frame.local == at("2025-01-15T14:30:45.128906")
    assert (frame.weekday, frame.reason) == (3, AdjustReason.MANUAL)


@pytest.mark.parametrize(
    "payload",
    [
        "0000 04 11 14 29 3b",
        "ea07 00 11 14 29 3b",
        "ea07 04 00 14 29 3b",
        "ea07 02 1e 00 00 00",
        "ea07 04 11 18 00 00",
        "ea07 04 11 00 3c 00",
        "ea07 0d 01 00 00 00",
        "2d06 01 01 00 00 00",
        "1027 01 01 00 00 00",
        "ffff ff ff ff ff ff",
    ],
)
def test_a_time_that_is_unknown_or_does_not_exist_is_kept_without_being_one(payload):
    data = bytes.fromhex(payload)
    frame = decode("2a08", data)
    assert frame.local is None
    assert encode(frame) == data


@given(st.datetimes(at("1582-01-01"), at("9999-12-31")))
def test_every_time_survives_to_the_second(local):
    whole = local.replace(microsecond=0)
    assert DateTime.of(local).local == whole


@pytest.mark.parametrize(
    "frame",
    [
        BloodPressure(Number(120), Number(80), Number(93), user=256),
        BloodPressure(Number(120), Number(80), Number(93), rfu=1),
        BloodPressure(Number(120), Number(80), Number(93), rest=b"\0"),
        BodyComposition(70_000),
        heart_rate.HeartRate(256),
        heart_rate.HeartRate(60, contact_bits=4),
        heart_rate.HeartRate(60, rr=()),
        DateTime(70_000, 1, 1, 0, 0, 0),
    ],
)
def test_what_no_payload_can_carry_is_not_written(frame):
    with pytest.raises(ValueError, match=r".+"):
        encode(frame)


@pytest.mark.parametrize(
    ("uuid", "name"),
    [
        ("2A35", "2a35"),
        ("00002a35-0000-1000-8000-00805F9B34FB", "2a35"),
        ("233bf001-5a34-1b6d-975c-000d5690abe4", "233bf001-5a34-1b6d-975c-000d5690abe4"),
        ("12342a35-0000-1000-8000-00805f9b34fb", "12342a35-0000-1000-8000-00805f9b34fb"),
    ],
)
def test_a_characteristic_has_one_name_however_its_uuid_is_written(uuid, name):
    assert channel_name(uuid) == name


def test_a_characteristic_without_a_layout_is_not_guessed():
    assert decode("ff01", b"\1") == Malformed(Reason.UNKNOWN, b"\1")
    assert Decoder().feed(b"\1\2") == [Skipped(b"\1\2")]


def test_a_decoder_gives_the_frame_of_a_payload_or_skips_it_whole():
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex("0055"), "2A37") == [heart_rate.HeartRate(85)]
    assert decoder.feed(b"\1", "2a37") == [Skipped(b"\1")]
    assert decoder.feed(b"", "2a37") == []
    assert decoder.pending == b""


@pytest.mark.parametrize(
    ("channel", "payload"), [("2a25", b"A1234567\0"), ("2a23", bytes(range(8))), ("2a2a", b"abc")]
)
def test_what_names_one_instrument_is_scrubbed(channel, payload):
    scrubbed = characteristics.scrub(decode(channel, payload))
    assert set(scrubbed) <= {0, ord("0")}
    assert characteristics.scrub(decode(channel, scrubbed)) == scrubbed


def test_a_value_is_left_as_it_is_when_scrubbed():
    payload = bytes.fromhex(VECTORS[3][1])
    assert characteristics.scrub(decode("2a35", payload)) == payload
