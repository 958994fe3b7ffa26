import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Flag, Kind, Metric, Status, Unit
from edge.fhir.codes import (
    ABSENT,
    CODES,
    METRIC_OF_LOINC,
    METRIC_OF_MDC,
    PANEL,
    REMARKS,
    code_of,
    in_filed_unit,
)

# IEEE 11073-10101: name, partition (2 SCADA), code within the partition.
NOMENCLATURE = {
    "MDC_ECG_HEART_RATE": (2, 16770),
    "MDC_PULS_RATE": (2, 18442),
    "MDC_PULS_OXIM_PULS_RATE": (2, 18458),
    "MDC_PULS_RATE_NON_INV": (2, 18474),
    "MDC_PRESS_BLD_NONINV": (2, 18948),
    "MDC_PRESS_BLD_NONINV_SYS": (2, 18949),
    "MDC_PRESS_BLD_NONINV_DIA": (2, 18950),
    "MDC_PRESS_BLD_NONINV_MEAN": (2, 18951),
    "MDC_PRESS_CUFF_SYS": (2, 19229),
    "MDC_PRESS_CUFF_DIA": (2, 19230),
    "MDC_PRESS_CUFF_MEAN": (2, 19231),
    "MDC_TEMP_BODY": (2, 19292),
    "MDC_PULS_OXIM_PERF_REL": (2, 19376),
    "MDC_PULS_OXIM_SAT_O2": (2, 19384),
    "MDC_RESP_RATE": (2, 20490),
    "MDC_MASS_BODY_ACTUAL": (2, 57664),
    "MDC_LEN_BODY_ACTUAL": (2, 57668),
    "MDC_BODY_FAT": (2, 57676),
    "MDC_RATIO_MASS_BODY_LEN_SQ": (2, 57680),
    # DICOM PS3.16, CID 3228 and 3689, after IEEE 11073-10102.
    "MDC_ECG_TIME_PD_PR": (2, 15872),
    "MDC_ECG_TIME_PD_QTC": (2, 15876),
    "MDC_ECG_TIME_PD_QTC_BAZETT": (2, 15880),
    "MDC_ECG_TIME_PD_QTC_FREDERICA": (2, 15892),
    "MDC_ECG_ANGLE_P_FRONT": (2, 16128),
    "MDC_ECG_ANGLE_QRS_FRONT": (2, 16132),
    "MDC_ECG_ANGLE_T_FRONT": (2, 16136),
    "MDC_ECG_TIME_PD_QRS_GL": (2, 16156),
    "MDC_ECG_TIME_PD_QT_GL": (2, 16160),
    "MDC_ECG_TIME_PD_RR_GL": (2, 16168),
    "MDC_ECG_TIME_PD_P_GL": (2, 16184),
}


def test_every_mdc_number_is_the_one_of_its_name():
    written = {name: number for number, (_, name) in METRIC_OF_MDC.items()}
    written[PANEL.mdc.name] = PANEL.mdc.number
    assert written == {
        name: partition * 65536 + code for name, (partition, code) in NOMENCLATURE.items()
    }


def test_no_metric_is_without_a_code():
    assert set(CODES) == set(Metric)


def test_no_status_without_a_value_is_without_a_reason():
    assert set(ABSENT) == set(Status) - {Status.OK}


def test_no_flag_is_without_words():
    assert set(REMARKS) == set(Flag)


def test_every_reason_is_one_that_r4_has():
    assert {absence.reason for absence in ABSENT.values()} <= {
        *("unknown", "asked-unknown", "temp-unknown", "not-asked", "asked-declined", "masked"),
        *("not-applicable", "unsupported", "as-text", "error", "not-a-number"),
        *("negative-infinity", "positive-infinity", "not-performed", "not-permitted"),
    }


@pytest.mark.parametrize(
    ("kind", "metric", "loinc", "mdc"),
    [
        (Kind.OXIMETRY, Metric.SPO2, ("2708-6", "59408-5"), 150456),
        (Kind.OXIMETRY, Metric.PULSE_RATE, ("8867-4",), 149530),
        (Kind.OXIMETRY, Metric.PERFUSION_INDEX, ("61006-3",), 150448),
        (Kind.BLOOD_PRESSURE, Metric.PULSE_RATE, ("8867-4",), 149546),
        (Kind.HEART_RATE, Metric.HEART_RATE, ("8867-4",), 147842),
        (Kind.RESPIRATION, Metric.RESPIRATION_RATE, ("9279-1",), 151562),
        (Kind.TEMPERATURE, Metric.BODY_TEMPERATURE, ("8310-5",), 150364),
        (Kind.WEIGHT, Metric.BMI, ("39156-5",), 188752),
        (Kind.BODY_COMPOSITION, Metric.BODY_FAT, ("41982-0",), 188748),
    ],
)
def test_a_measured_value_is_called_by_what_measured_it(kind, metric, loinc, mdc):
    code = code_of(metric, kind, measured=True)
    assert (code.loinc, code.mdc.number) == (loinc, mdc)


@pytest.mark.parametrize("metric", [m for m in Metric if m is not Metric.PULSE_RATE])
@pytest.mark.parametrize("kind", Kind)
def test_a_value_that_no_instrument_measured_has_no_instruments_term(kind, metric):
    code = code_of(metric, kind, measured=False)
    assert (code.mdc is None) == bool(code.loinc)  # or it would have no name at all


@pytest.mark.parametrize("kind", Kind)
def test_a_pulse_that_no_instrument_measured_says_only_that_it_is_a_pulse(kind):
    assert code_of(Metric.PULSE_RATE, kind, measured=False).mdc.name == "MDC_PULS_RATE"


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("kind", Kind)
def test_every_code_leads_back_to_its_metric(kind, metric, measured):
    code = code_of(metric, kind, measured=measured)
    found = METRIC_OF_MDC[code.mdc.number][0] if code.mdc else METRIC_OF_LOINC[code.loinc[0]]
    assert found is metric


@pytest.mark.parametrize("metric", [Metric.PULSE_RATE, Metric.HEART_RATE, Metric.RESPIRATION_RATE])
def test_a_rate_is_per_minute_and_names_no_beats(metric):
    assert CODES[metric].unit == "/min"


@pytest.mark.parametrize(
    ("metric", "value", "unit", "filed"),
    [
        (Metric.BODY_TEMPERATURE, 98.6, Unit.FAHRENHEIT, (37.0, Unit.CELSIUS)),
        (Metric.BODY_TEMPERATURE, -40.0, Unit.FAHRENHEIT, (-40.0, Unit.CELSIUS)),
        (Metric.BODY_TEMPERATURE, 37.25, Unit.CELSIUS, (37.25, Unit.CELSIUS)),
        (Metric.SYSTOLIC, 16.0, Unit.KPA, (120.0, Unit.MMHG)),
        (Metric.WEIGHT, 154.3, Unit.POUND, (69.99, Unit.KG)),
        (Metric.HEIGHT, 1.75, Unit.METRE, (175.0, Unit.CM)),
        (Metric.HEIGHT, 70.5, Unit.INCH, (179.07, Unit.CM)),
        (Metric.SPO2, 97.0, Unit.KG, (97.0, Unit.KG)),
    ],
)
def test_a_value_is_filed_in_the_unit_of_its_code(metric, value, unit, filed):
    assert in_filed_unit(metric, value, unit) == filed


@given(st.sampled_from(Metric), st.floats(allow_nan=False, allow_infinity=False))
def test_no_conversion_makes_a_number_that_is_none(metric, value):
    for unit in Unit:
        assert in_filed_unit(metric, value, unit)[0] < float("inf")
