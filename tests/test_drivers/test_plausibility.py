"""Which numbers of an instrument become values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Metric, Status, Unit
from drivers.plausibility import RANGES, agreeing, pressures, reading


def statuses(readings):
    return [each.status for each in readings]


@pytest.mark.parametrize(("metric", "unit"), list(RANGES))
@pytest.mark.parametrize("nothing", [None, 0, 0.0])
def test_nothing_and_zero_are_no_value_of_any_metric(metric, unit, nothing):
    assert reading(metric, nothing, unit).status is Status.NO_VALUE


@pytest.mark.parametrize(("metric", "unit"), list(RANGES))
def test_beyond_its_range_a_number_is_implausible_and_at_its_ends_a_value(metric, unit):
    low, high = RANGES[metric, unit]
    got = [reading(metric, value, unit).status for value in (low / 2, low, high, high * 1.1)]
    assert got == [Status.IMPLAUSIBLE, Status.OK, Status.OK, Status.IMPLAUSIBLE]


@given(st.sampled_from(sorted(set(Status) - {Status.OK})), st.none() | st.floats(allow_nan=False))
def test_a_number_the_instrument_disowns_is_never_passed_on(status, value):
    got = reading(Metric.SPO2, value, Unit.PERCENT, status)
    assert (got.value, got.status) == (None, status)


def test_pressures_that_fall_are_values():
    assert [each.value for each in pressures(120, 80, 93)] == [120, 80, 93]


def test_without_a_mean_there_is_no_reading_of_it():
    assert [each.metric for each in pressures(120, 80)] == [Metric.SYSTOLIC, Metric.DIASTOLIC]


@pytest.mark.parametrize(
    ("systolic", "diastolic", "mean"),
    [(80, 120, None), (120, 120, None), (120, 80, 130), (120, 80, 70), (300, 299, 10)],
)
def test_pressures_that_contradict_each_other_are_all_disbelieved(systolic, diastolic, mean):
    assert set(statuses(pressures(systolic, diastolic, mean))) == {Status.IMPLAUSIBLE}


def test_of_pressures_of_which_one_is_missing_the_other_stays():
    assert statuses(pressures(120, None)) == [Status.OK, Status.NO_VALUE]


def test_a_failed_measurement_has_no_pressure():
    assert set(statuses(pressures(120, 80, 93, Status.FAILED))) == {Status.FAILED}


def test_a_pressure_no_patient_has_takes_the_others_with_it():
    assert set(statuses(pressures(383, 128))) == {Status.IMPLAUSIBLE}


def test_readings_that_contradict_each_other_are_all_disbelieved_whatever_their_unit():
    said = ((Metric.SYSTOLIC, 11.0), (Metric.DIASTOLIC, 15.0), (Metric.MEAN_PRESSURE, 13.0))
    readings = tuple(reading(metric, value, Unit.KPA) for metric, value in said)
    assert {each.status for each in agreeing(readings)} == {Status.IMPLAUSIBLE}
    assert {each.value for each in agreeing(readings)} == {None}


def test_readings_that_agree_are_left_and_so_is_what_has_no_value():
    said = ((Metric.SYSTOLIC, 16.0), (Metric.DIASTOLIC, 10.0), (Metric.MEAN_PRESSURE, None))
    readings = tuple(reading(metric, value, Unit.KPA) for metric, value in said)
    assert agreeing(readings) == readings
