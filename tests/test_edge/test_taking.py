import pytest

from drivers.model import Flag, Instant, Kind, Measurement, Metric, Reading, Status, Unit
from drivers.registry import Memory, Remembers, Stable
from edge.clock import NS
from edge.observation import Association, Method, Moment
from edge.taking import watch_for

STREAM = Remembers(Memory.LIVE, 8.0, Stable(10.0, {Metric.SPO2: 1.0}))
STICKY = Remembers(Memory.STICKY, 180.0)
SEQUENCED = Remembers(Memory.SEQUENCED, 60.0)


def moment(second):
    return Moment(second * NS, second * NS, trusted=True, era="boot")


def visit(name="visit-1", at=0):
    return Association(name, "key", Method.SCAN, "person", verified=True, opened=moment(at))


def report(value=97.0, *, status=None, sequence=None, flags=frozenset()):
    if value is None:
        reading = Reading(Metric.SPO2, None, Unit.PERCENT, status or Status.NO_VALUE)
    else:
        reading = Reading(Metric.SPO2, value, Unit.PERCENT)
    instant = Instant(0, 0, trusted=True)
    return Measurement(Kind.OXIMETRY, (reading,), instant, b"x", sequence=sequence, flags=flags)


def taken(watch, reports, where=None):
    """Return the seconds at which something was taken."""
    visits = where or (lambda _: visit())
    return [
        second
        for second, one in reports
        if watch.look(one, moment(second), visits(second)) is not None
    ]


def test_a_steady_stream_gives_one_value_in_a_visit():
    steady = [(second, report(97.0 + second % 2)) for second in range(60)]
    assert taken(watch_for(STREAM), steady) == [10]


def test_a_stream_that_wanders_gives_none_until_it_is_steady():
    wandering = [(second, report(90.0 + second)) for second in range(5)]
    steady = [(second, report(97.0)) for second in range(5, 30)]
    assert taken(watch_for(STREAM), wandering + steady) == [15]


def test_time_with_nobody_in_the_room_does_not_count():
    steady = [(second, report()) for second in range(60)]
    here = taken(watch_for(STREAM), steady, lambda second: visit(at=30) if second >= 30 else None)
    assert here == [40]


def test_the_next_patient_gets_a_value_of_their_own_and_not_the_first_s_stretch():
    steady = [(second, report()) for second in range(60)]
    two = taken(
        watch_for(STREAM), steady, lambda second: visit("one") if second < 25 else visit("two", 25)
    )
    assert two == [10, 35]


def test_a_sensor_taken_off_and_put_on_again_gives_a_second_value():
    on = [(second, report()) for second in range(20)]
    off = [(second, report(None, status=Status.SENSOR_OFF)) for second in range(20, 40)]
    again = [(second, report(95.0)) for second in range(40, 60)]
    assert taken(watch_for(STREAM), on + off + again) == [10, 50]


def test_an_instrument_that_falls_silent_and_speaks_again_gives_a_second_value():
    first = [(second, report(70.0)) for second in range(15)]
    second = [(second, report(82.0)) for second in range(40, 60)]
    assert taken(watch_for(STREAM), first + second) == [10, 50]


def test_a_sensor_that_slips_for_a_moment_does_not():
    on = [(second, report()) for second in range(20)]
    off = [(20, report(None, status=Status.SENSOR_OFF))]
    again = [(second, report()) for second in range(21, 60)]
    assert taken(watch_for(STREAM), on + off + again) == [10]


def test_a_gap_in_the_stream_begins_the_stretch_anew():
    before = [(second, report()) for second in range(8)]
    after = [(second, report()) for second in range(30, 50)]
    assert taken(watch_for(STREAM), before + after) == [40]


def test_a_person_can_take_the_current_value_without_waiting():
    watch = watch_for(STREAM)
    watch.look(report(), moment(0), visit())
    watch.ask(visit())
    assert taken(watch, [(1, report()), (2, report())]) == [1]


def test_a_person_cannot_take_what_is_not_there():
    watch = watch_for(STREAM)
    watch.look(report(), moment(0), visit())
    watch.ask(visit())
    assert taken(watch, [(1, report(None)), (2, report())]) == [2]


def test_a_person_may_ask_before_the_first_report_of_the_visit():
    watch = watch_for(STREAM)
    watch.look(report(), moment(0), None)
    watch.ask(visit("next"))
    assert taken(watch, [(1, report()), (2, report())], lambda _: visit("next")) == [1]


def test_what_was_asked_for_in_one_visit_is_not_taken_in_the_next():
    watch = watch_for(STREAM)
    watch.look(report(None), moment(0), visit("one"))
    watch.ask(visit("one"))
    assert taken(watch, [(1, report()), (2, report())], lambda _: visit("two", 1)) == []


def test_a_stored_value_in_a_stream_is_taken_at_once():
    stored = report(flags=frozenset({Flag.FROM_MEMORY}))
    assert taken(watch_for(STREAM), [(0, stored), (1, stored)]) == [0, 1]


def test_a_change_of_a_repeated_value_tells_when_the_old_one_was_last_seen():
    watch = watch_for(STICKY)
    for second in range(5):
        watch.look(report(120.0), moment(second), visit())
    take = watch.look(report(130.0), moment(5), visit())
    assert take is not None
    assert take.unchanged_until == moment(4)


def test_the_first_repeated_value_is_taken_but_not_as_a_change():
    take = watch_for(STICKY).look(report(120.0), moment(0), visit())
    assert take is not None
    assert take.unchanged_until is None


def test_a_repeated_value_is_taken_once():
    repeats = [(second, report(120.0)) for second in range(30)]
    assert taken(watch_for(STICKY), repeats) == [0]


def test_a_damaged_first_sighting_does_not_make_the_old_value_a_change():
    watch = watch_for(STICKY)
    watch.look(report(12.0), moment(0), visit())
    take = watch.look(report(120.0), moment(1), visit())
    assert take is not None
    assert take.unchanged_until is None


def test_the_old_value_shown_again_after_an_empty_field_is_not_new():
    watch = watch_for(STICKY)
    for second, value in enumerate([120.0, 120.0, None, None]):
        watch.look(report(value), moment(second), visit())
    take = watch.look(report(120.0), moment(4), visit())
    assert take is not None
    assert take.unchanged_until is None


def test_another_value_after_an_empty_field_is_new_since_then():
    watch = watch_for(STICKY)
    for second, value in enumerate([120.0, 120.0, None, None]):
        watch.look(report(value), moment(second), visit())
    take = watch.look(report(131.0), moment(4), visit())
    assert take is not None
    assert take.unchanged_until == moment(3)


def test_an_empty_field_is_no_measurement():
    assert taken(watch_for(STICKY), [(0, report(None)), (1, report(None))]) == []


@pytest.mark.parametrize(
    ("numbers", "proven"),
    [
        ([7], [False]),
        ([7, 8], [False, True]),
        ([8, 7], [False, False]),
        ([7, 9, 8], [False, True, False]),
    ],
)
def test_only_a_record_number_beyond_all_seen_proves_a_new_record(numbers, proven):
    watch = watch_for(SEQUENCED)
    takes = [watch.look(report(sequence=n), moment(i), visit()) for i, n in enumerate(numbers)]
    assert [take.unchanged_until is not None for take in takes] == proven


def test_a_record_is_taken_once_a_link():
    again = [(second, report(sequence=7)) for second in range(3)]
    assert taken(watch_for(SEQUENCED), again) == [0]


def test_every_spot_value_is_a_measurement():
    spot = Remembers(Memory.LIVE, 30.0)
    assert taken(watch_for(spot), [(0, report()), (1, report())]) == [0, 1]
