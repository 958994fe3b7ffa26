"""A beginning is proven only by what was seen of it, and never too late."""

from hypothesis import given
from hypothesis import strategies as st

from drivers.inflation import SLOWEST_MMHG_PER_S, Inflation
from drivers.model import Instant, Metric, Reading, Unit

NS = 1_000_000_000
RESULT = (Reading(Metric.MEAN_PRESSURE, 90.0, Unit.MMHG),)
KILOPASCALS = (Reading(Metric.DIASTOLIC, 10.0, Unit.KPA),)


def instant(seconds):
    return Instant(round(seconds * NS), round(seconds * NS), trusted=True)


def watched(*pressures, result=RESULT, earliest_s=100.0):
    inflation = Inflation()
    for second, mmhg in enumerate(pressures, 1):
        inflation.saw(mmhg, instant(second))
    return inflation.result(result, round(earliest_s * NS))


@given(
    top=st.floats(100, 280),
    pumps=st.floats(SLOWEST_MMHG_PER_S, 60),
    heard_from=st.floats(-30, 200),
    every=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_what_is_proven_is_never_later_than_the_pump_began(top, pumps, heard_from, every):
    inflation, top_s = Inflation(), top / pumps
    for number in range(400):
        at_s = heard_from + number * every
        if 0 <= at_s <= top_s + 40:
            mmhg = pumps * at_s if at_s < top_s else top * (1 - (at_s - top_s) / 41)
            inflation.saw(mmhg, instant(at_s))
    began = inflation.result(RESULT, round((top_s + 40) * NS))
    assert began is None or began.mono_ns <= 0


def test_a_result_in_kilopascals_is_compared_in_the_same_unit():
    assert watched(10, 40, 70, result=KILOPASCALS) is None
    assert watched(10, 40, 80, result=KILOPASCALS) is not None


def test_a_result_of_before_the_beginning_leaves_it_to_the_next():
    inflation = Inflation()
    inflation.saw(0.0, instant(50))
    inflation.saw(120.0, instant(51))
    assert inflation.result(RESULT, 40 * NS) is None
    assert inflation.result(RESULT, 60 * NS) == instant(50)


def test_a_measurement_that_failed_proves_nothing():
    assert watched(10, 120, result=()) is None
