"""What an Ivy 450C's packets mean: values, reasons, waves, alarms, and what is never believed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.instruments.ivy_450c import Ivy450C, Monitor, Settings
from drivers.model import (
    Flag,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Notice,
    NoticeKind,
    Skipped,
    Status,
    Unit,
    Waveform,
)
from drivers.protocols.ivy_ansarb import START, Packet, encode
from drivers.registry import REGISTRY, Memory
from drivers.transports.bench import BenchHost, items_until_lost
from drivers.transports.capture_file import Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import ReplayLink
from drivers.virtual.ivy_450c import VirtualIvy450C

AT = Instant(1, 2, trusted=True)
ON, OFF = b"\x64", b"\xfb"  # a sample of a live wave, the sample of an absent one
# As the recording of the real monitor has it.
HR = b"HR=1;80;ECG-II-DIAG;"
RR = b"RR=1;35;APNEA: 20 SEC;"
SPO2 = b"SPO2=1;100;PR=80 ;"
NIBP = b"NIBP=4;121;75;92;80;;"


def packet(*lines, ecg=ON * 200, slow=ON * 50, p2=OFF * 50):
    return Packet(ecg, slow, slow, slow, p2, lines)


def said(*lines, monitor=None):
    """What a monitor makes of one packet with these lines; a known first line keeps it aligned."""
    return (monitor or Monitor()).read(packet(b"T2=1;;;", *lines), AT)


def measurement(line):
    (only,) = [item for item in said(line) if isinstance(item, Measurement)]
    return only


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


def notices(items):
    return [(item.kind, item.text) for item in items if isinstance(item, Notice)]


def waves(items):
    return {item.signals[0]: item for item in items if isinstance(item, Waveform)}


@pytest.mark.parametrize(
    ("line", "kind", "expected"),
    [
        (HR, Kind.HEART_RATE, {Metric.HEART_RATE: 80}),
        (RR, Kind.RESPIRATION, {Metric.RESPIRATION_RATE: 35}),
        (SPO2, Kind.OXIMETRY, {Metric.SPO2: 100, Metric.PULSE_RATE: 80}),
        (
            NIBP,
            Kind.BLOOD_PRESSURE,
            {
                Metric.SYSTOLIC: 121,
                Metric.DIASTOLIC: 75,
                Metric.MEAN_PRESSURE: 92,
                Metric.PULSE_RATE: 80,
            },
        ),
    ],
)
def test_a_line_of_the_recording_is_one_measurement(line, kind, expected):
    item = measurement(line)
    assert (item.kind, values(item), item.flags) == (kind, expected, frozenset())


@pytest.mark.parametrize("line", [HR, RR, SPO2, NIBP])
def test_the_raw_bytes_of_a_measurement_are_its_line_of_text(line):
    assert measurement(line).raw == line + b"\r"


def test_units_are_those_of_the_monitor():
    units = {r.metric: r.unit for line in (SPO2, NIBP) for r in measurement(line).readings}
    assert units == {
        Metric.SPO2: Unit.PERCENT,
        Metric.PULSE_RATE: Unit.PER_MIN,
        Metric.SYSTOLIC: Unit.MMHG,
        Metric.DIASTOLIC: Unit.MMHG,
        Metric.MEAN_PRESSURE: Unit.MMHG,
    }


def test_a_packet_comes_out_as_waves_then_measurements_then_notices_whatever_its_order():
    items = said(NIBP, b"T1=1;36.8;;", SPO2, RR, b"P1=3;111;73;88;;", HR)
    order = [item.signals[0] if isinstance(item, Waveform) else item.kind for item in items]
    assert order == [
        *["II", "respiration", "pleth", "P1"],
        *[Kind.HEART_RATE, Kind.RESPIRATION, Kind.OXIMETRY, Kind.BLOOD_PRESSURE],
        *[NoticeKind.UNMAPPED] * 2,
    ]


@pytest.mark.parametrize(
    ("line", "metric", "status"),
    [
        (b"HR=1;;ECG-II-DIAG;", Metric.HEART_RATE, Status.NO_VALUE),
        (b"HR=1;---;ECG-II-DIAG;", Metric.HEART_RATE, Status.NO_VALUE),
        (b"HR=1;0;ECG-II-DIAG;", Metric.HEART_RATE, Status.NO_VALUE),
        (b"HR=1;8a;ECG-II-DIAG;", Metric.HEART_RATE, Status.NOT_A_NUMBER),
        (b"HR=1;NaN;;", Metric.HEART_RATE, Status.NOT_A_NUMBER),
        (b"HR=1;-80;;", Metric.HEART_RATE, Status.NOT_A_NUMBER),
        (b"HR=1;1e2;;", Metric.HEART_RATE, Status.NOT_A_NUMBER),
        (b"HR=1;9;;", Metric.HEART_RATE, Status.IMPLAUSIBLE),
        (b"HR=1;351;;", Metric.HEART_RATE, Status.IMPLAUSIBLE),
        (b"HR=1;99999999999;;", Metric.HEART_RATE, Status.NOT_A_NUMBER),
        (b"RR=1;;APNEA: 20 SEC;", Metric.RESPIRATION_RATE, Status.NO_VALUE),
        (b"RR=1;0;;", Metric.RESPIRATION_RATE, Status.NO_VALUE),
        (b"RR=1;201;;", Metric.RESPIRATION_RATE, Status.IMPLAUSIBLE),
        (b"SPO2=1;;PR=80 ;", Metric.SPO2, Status.NO_VALUE),
        (b"SPO2=1;0;PR=80 ;", Metric.SPO2, Status.NO_VALUE),
        (b"SPO2=1;101;PR=80 ;", Metric.SPO2, Status.IMPLAUSIBLE),
        (b"SPO2=1;127;PR=80 ;", Metric.SPO2, Status.IMPLAUSIBLE),
        (b"SPO2=1;98;PR=   ;", Metric.PULSE_RATE, Status.NO_VALUE),
        (b"SPO2=1;98;PR=0;", Metric.PULSE_RATE, Status.NO_VALUE),
        (b"SPO2=1;98;PR=8?;", Metric.PULSE_RATE, Status.NOT_A_NUMBER),
        (b"SPO2=1;98;PR=400;", Metric.PULSE_RATE, Status.IMPLAUSIBLE),
        (b"SPO2=1;98;;", Metric.PULSE_RATE, Status.NO_VALUE),
        (b"NIBP=4;;;;;;", Metric.SYSTOLIC, Status.NO_VALUE),
        (b"NIBP=4;0;0;0;0;;", Metric.DIASTOLIC, Status.NO_VALUE),
        (b"NIBP=4;121;75;92;0;;", Metric.PULSE_RATE, Status.NO_VALUE),
        (b"NIBP=4;321;75;;80;;", Metric.SYSTOLIC, Status.IMPLAUSIBLE),
    ],
)
def test_what_is_no_value_has_its_reason_and_no_number(line, metric, status):
    assert values(measurement(line))[metric] is status


@pytest.mark.parametrize(
    "line",
    [
        b"NIBP=4;12;75;92;80;;",
        b"NIBP=4;121;175;150;80;;",
        b"NIBP=4;121;75;74;80;;",
        b"NIBP=4;121;75;122;80;;",
        b"NIBP=4;75;75;75;80;;",
    ],
)
def test_pressures_that_contradict_each_other_are_all_disbelieved_and_the_pulse_is_not(line):
    assert values(measurement(line)) == {
        Metric.SYSTOLIC: Status.IMPLAUSIBLE,
        Metric.DIASTOLIC: Status.IMPLAUSIBLE,
        Metric.MEAN_PRESSURE: Status.IMPLAUSIBLE,
        Metric.PULSE_RATE: 80,
    }


def test_a_pressure_without_its_mean_is_still_a_pressure():
    assert values(measurement(b"NIBP=4;121;75;;;;")) == {
        Metric.SYSTOLIC: 121,
        Metric.DIASTOLIC: 75,
        Metric.MEAN_PRESSURE: Status.NO_VALUE,
        Metric.PULSE_RATE: Status.NO_VALUE,
    }


@pytest.mark.parametrize(
    "line", [b"RR=1;0;APNEA: 20 SEC;", b"RR=1;0;;APNEA", b"RR=1;0;APNEA: 20 SEC;APNEA"]
)
def test_a_respiration_rate_of_0_with_apnea_is_a_value(line):
    item = measurement(line)
    assert values(item) == {Metric.RESPIRATION_RATE: 0}
    assert item.flags == {Flag.APNEA, Flag.ALARM}


def test_the_delay_of_the_apnea_alarm_beside_a_rate_is_no_apnea():
    item = measurement(RR)
    assert (item.flags, item.evidence) == (frozenset(), (("label", "APNEA: 20 SEC"),))


@pytest.mark.parametrize("line", [b"RR=1;35;APNEA: 20 SEC;APNEA", b"RR=1;35;APNEA;"])
def test_an_apnea_alarm_beside_a_rate_flags_it(line):
    item = measurement(line)
    assert values(item) == {Metric.RESPIRATION_RATE: 35}
    assert item.flags == {Flag.APNEA, Flag.ALARM}


def test_an_alarm_text_flags_the_measurement_and_stays_with_it():
    item = measurement(b"HR=1;148;ECG-II-DIAG;HR HIGH")
    assert values(item) == {Metric.HEART_RATE: 148}
    assert item.flags == {Flag.ALARM}
    assert item.evidence == (("label", "ECG-II-DIAG"), ("alarm", "HR HIGH"))


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"HR=1;80;ECG-II-DIAG;LEAD OFF", Status.SENSOR_OFF),
        (b"HR=1;;LEADS OFF;", Status.SENSOR_OFF),
        (b"SPO2=1;98;PR=80 ;SENSOR OFF", Status.SENSOR_OFF),
        (b"SPO2=1;;;NO SENSOR", Status.SENSOR_DISCONNECTED),
    ],
)
def test_words_that_disown_the_sensor_take_the_numbers_away(line, status):
    assert set(values(measurement(line)).values()) == {status}


def test_an_alarm_is_told_when_it_changes_and_when_it_ends():
    monitor = Monitor()
    alarms = ["", "HR HIGH", "HR HIGH", "HR LOW", "", ""]
    told = [
        notices(said(f"HR=1;80;ECG-II-DIAG;{alarm}".encode(), monitor=monitor)) for alarm in alarms
    ]
    assert told == [
        [],
        [(NoticeKind.ALARM, "HR: HR HIGH")],
        [],
        [(NoticeKind.ALARM, "HR: HR LOW")],
        [(NoticeKind.ALARM, "HR alarm ended")],
        [],
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"P1=3;111;73;88;;", "P1, invasive pressure: 111/73/88"),
        (b"P2=3;;;;NO TRANSDUCER;", "P2, invasive pressure: NO TRANSDUCER"),
        (b"ETCO2=1;38;;", "ETCO2, end-tidal CO2, unit not stated: 38"),
        (b"T1=1;36.8;;", "T1, temperature, unit not stated: 36.8"),
    ],
)
def test_a_parameter_without_a_kind_is_told_once_per_change(line, text):
    monitor = Monitor()
    assert notices(said(line, monitor=monitor)) == [(NoticeKind.UNMAPPED, text)]
    assert notices(said(line, monitor=monitor)) == []


def test_empty_parameters_without_a_kind_are_not_told():
    assert notices(said(b"ETCO2=1;;;", b"T1=1;;;")) == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"NAME=1;DOE;;", "NAME"),
        (b"HR=2;80;81;;", "HR"),
        (b"NIBP=4;12175;92;80;;", "NIBP"),
        (b"free text", "?"),
        (b"\x80\xfb\x00", "?"),
    ],
)
def test_a_line_not_understood_is_told_by_its_name_alone(line, name):
    items = said(line)
    assert notices(items) == [(NoticeKind.UNMAPPED, f"lines not understood: {name}")]
    assert not [item for item in items if isinstance(item, Measurement)]


def test_a_parameter_that_comes_twice_is_not_believed():
    items = said(b"HR=1;80;;", b"HR=1;81;;")
    assert notices(items) == [(NoticeKind.UNMAPPED, "lines not understood: HR")]
    assert not [item for item in items if isinstance(item, Measurement)]


def test_the_same_pressure_is_repeated_in_every_packet():
    monitor = Monitor()
    kinds = [item.kind for _ in range(5) for item in said(NIBP, monitor=monitor)[4:]]
    assert kinds == [Kind.BLOOD_PRESSURE] * 5


def pressures(*systolics):
    """The systolic of each packet's measurement, None where there is none."""
    monitor = Monitor()
    out = []
    for systolic in systolics:
        items = said(f"NIBP=4;{systolic};75;92;80;;".encode(), monitor=monitor)
        found = [values(i)[Metric.SYSTOLIC] for i in items if isinstance(i, Measurement)]
        out.append(found[0] if found else None)
    return out


def test_a_new_pressure_counts_when_a_second_packet_says_the_same():
    assert pressures(121, 121, 135, 135, 135) == [121, 121, None, 135, 135]


def test_a_pressure_said_once_between_others_never_counts():
    assert pressures(121, 121, 131, 121, 121) == [121, 121, None, 121, 121]


def test_of_pressures_that_change_with_every_packet_none_counts():
    assert pressures(121, 131, 132, 133, 133) == [121, None, None, None, 133]


def test_a_pressure_that_waits_is_told():
    monitor = Monitor()
    said(NIBP, monitor=monitor)
    (told,) = notices(said(b"NIBP=4;135;75;92;80;;", monitor=monitor))
    assert told[0] is NoticeKind.STATE


def test_ecg_samples_are_millivolts_and_the_others_steps_as_sent():
    ecg = bytes([138, 134, 100, 0]) + ON * 196
    found = waves(Monitor().read(packet(HR, ecg=ecg, slow=bytes([0, 250]) * 25), AT))
    assert np.allclose(found["II"].samples[0, :4], [0.76, 0.68, 0.0, -2.0])
    assert (found["II"].fs, found["II"].unit) == (200.0, Unit.MILLIVOLT)
    assert found["respiration"].samples[0, :2].tolist() == [0.0, 250.0]
    assert (found["respiration"].fs, found["respiration"].unit) == (50.0, Unit.UNSCALED)


@pytest.mark.parametrize(
    ("label", "lead"),
    [
        ("ECG-I-MON", "I"),
        ("ECG-II-DIAG", "II"),
        ("ECG-III", "III"),
        ("ECG-IV", "ECG"),
        ("PLETH", "ECG"),
        ("", "ECG"),
    ],
)
def test_the_label_of_the_heart_rate_names_the_lead(label, lead):
    assert lead in waves(said(f"HR=1;80;{label};".encode()))


def test_without_a_heart_rate_line_the_lead_is_not_guessed():
    assert "ECG" in waves(said(SPO2))


def test_a_wave_that_is_off_in_every_sample_is_left_out():
    assert list(waves(Monitor().read(packet(HR, p2=OFF * 50), AT))) == [
        *["II", "respiration", "pleth", "P1"]
    ]


def test_a_wave_that_is_off_but_for_one_sample_is_there():
    assert "P2" in waves(Monitor().read(packet(HR, p2=OFF * 49 + ON), AT))


def test_the_waves_of_a_packet_that_lost_a_sample_are_left_out_and_its_whole_lines_are_not():
    items = Monitor().read(packet(HR[1:], SPO2), AT)
    assert waves(items) == {}
    assert [item.kind for item in items if isinstance(item, Measurement)] == [Kind.OXIMETRY]


def run(*chunks):
    """The driver on a link that carries these chunks, one a second: items and host."""
    lines = tuple(Received(at * 1_000_000, data) for at, data in enumerate(chunks))
    clock = RecordedTime()
    host = BenchHost(clock)
    driver = Ivy450C(host, Settings())
    return clock.run(items_until_lost(driver, ReplayLink(Recording(lines), clock))), host


def test_a_packet_is_stamped_with_the_chunk_that_ended_it():
    wire = encode(packet(HR))
    items, host = run(wire[:200], wire[200:400], wire[400:])
    (heart,) = [item for item in items if isinstance(item, Measurement)]
    assert heart.at == host.now()


def test_the_instrument_is_named_by_its_first_whole_packet():
    wire = encode(packet(HR))
    assert run(wire[:-1])[1].identified == []
    assert run(wire, wire)[1].identified == [InstrumentId("ivy-450c")]


def test_bytes_between_packets_are_emitted_as_skipped():
    items, _ = run(b"\xff\x00", encode(packet(HR)))
    assert items[0] == Skipped(b"\xff\x00")


def test_a_damaged_packet_is_counted():
    wire = encode(packet(HR))
    assert run(wire[:50] + wire[51:])[1].counts == {"packets_damaged": 1}


@given(st.lists(st.binary(max_size=40).map(lambda b: b.translate(None, b"\r\xfe\xff")), max_size=8))
def test_no_text_stops_the_monitor_and_no_measurement_breaks_the_rules_of_readings(lines):
    monitor = Monitor()
    for _ in range(2):
        for item in monitor.read(packet(*lines), AT):
            if isinstance(item, Measurement):
                assert item.raw[:-1] in lines


field = st.one_of(st.integers(-5, 400).map(str), st.text("0123456789.- PR=", max_size=5))


@given(st.lists(field, min_size=6, max_size=6))
def test_a_pressure_that_is_a_value_is_one_a_patient_can_have(fields):
    line = ("NIBP=4;" + ";".join(fields)).encode()
    for item in said(line):
        if isinstance(item, Measurement):
            got = {r.metric: r.value for r in item.readings if r.value is not None}
            order = [Metric.DIASTOLIC, Metric.MEAN_PRESSURE, Metric.SYSTOLIC]
            there = [got[metric] for metric in order if metric in got]
            assert there == sorted(there)
            assert all(10 <= value <= 350 for value in got.values())


@given(st.integers(0, 2**32), st.integers(20, 250), st.integers(1, 100), st.integers(1, 150))
def test_what_the_virtual_monitor_is_told_is_what_is_read_from_it(seed, heart, spo2, breaths):
    virtual = VirtualIvy450C(seed, heart_rate=heart, spo2=spo2, respiration_rate=breaths)
    items, _ = run(virtual.due(1.0))
    got = {}
    for item in items:
        got.update(values(item) if isinstance(item, Measurement) else {})
    assert got == {
        Metric.HEART_RATE: heart,
        Metric.RESPIRATION_RATE: breaths,
        Metric.SPO2: spo2,
        Metric.PULSE_RATE: heart,
        Metric.SYSTOLIC: 118,
        Metric.DIASTOLIC: 76,
        Metric.MEAN_PRESSURE: 90,
    }


def test_the_virtual_monitor_says_the_same_in_one_call_or_many():
    many = VirtualIvy450C(5)
    in_parts = b"".join(many.due(tick / 10) for tick in range(51))
    assert in_parts == VirtualIvy450C(5).due(5.0)
    assert in_parts != VirtualIvy450C(6).due(5.0)
    assert in_parts.count(START) == 5


def test_the_virtual_ecg_has_an_r_wave_for_every_beat_at_its_rate():
    items, _ = run(VirtualIvy450C(1, heart_rate=90).due(60.0))
    ecg = [w.samples[0] for w in items if isinstance(w, Waveform) and w.signals == ("II",)]
    above = np.concatenate(ecg) > 0.8
    assert abs(np.count_nonzero(above[1:] & ~above[:-1]) - 90) <= 1


def test_the_pressure_is_declared_as_one_the_monitor_repeats_and_the_rest_as_live():
    memory = REGISTRY["ivy-450c"].memory
    assert {kind: it.memory for kind, it in memory.items()} == {
        Kind.HEART_RATE: Memory.LIVE,
        Kind.OXIMETRY: Memory.LIVE,
        Kind.RESPIRATION: Memory.LIVE,
        Kind.BLOOD_PRESSURE: Memory.STICKY,
    }
    assert REGISTRY["ivy-450c"].writes == frozenset()
