"""What a radio does about hearing nothing: the steps, their order, and what stops them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.transports.ble.ladder import ENDS_CONNECTIONS, NS, Ladder, Limits, Step

ALL = Limits(silence_s=300, settle_s=60, again_s=3600, may_restart_daemon=True)
CLIMB = (Step.RESTART_SCAN, Step.POWER_CYCLE, Step.RESTART_DAEMON, Step.ALARM)


def climbed(limits, seconds, heard=(), **more):
    """Return the steps of a radio that is looked at every second, and when they were taken."""
    ladder, steps, last = Ladder(limits, 0), [], None
    for at in range(seconds):
        last = at * NS if at in heard else last
        ladder, step = ladder.look(at * NS, last, **more)
        if step is not None:
            steps.append((at, step))
    return steps


def test_silence_is_answered_step_by_step_each_with_time_to_show():
    assert climbed(ALL, 600) == list(zip((300, 360, 420, 480), CLIMB, strict=True))


def test_after_the_alarm_it_begins_again_for_as_long_as_nothing_is_heard():
    steps = climbed(ALL, 10_000)
    assert [step for _, step in steps] == [*CLIMB, *CLIMB, *CLIMB]
    assert steps[4][0] == 480 + 3600


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        (Limits(), [Step.RESTART_SCAN, Step.POWER_CYCLE, Step.ALARM]),
        (Limits(may_power_cycle=False), [Step.RESTART_SCAN, Step.ALARM]),
    ],
)
def test_what_a_site_does_not_allow_is_left_out(limits, steps):
    assert [step for _, step in climbed(limits, 1000)] == steps


def test_one_advertisement_of_anybody_ends_the_climb_and_is_told():
    assert climbed(ALL, 700, heard={370}) == [
        (300, Step.RESTART_SCAN),
        (360, Step.POWER_CYCLE),
        (370, Step.RECOVERED),
        (670, Step.RESTART_SCAN),
    ]


def test_a_radio_that_hears_is_left_alone():
    assert climbed(ALL, 3000, heard=range(0, 3000, 299)) == []


def test_a_radio_that_cannot_be_made_to_listen_is_not_waited_for():
    assert climbed(ALL, 130, is_stuck=True) == [(60, Step.RESTART_SCAN), (120, Step.POWER_CYCLE)]


def test_an_open_connection_is_not_ended_to_repair_what_may_not_be_broken():
    assert climbed(ALL, 3000, is_busy=True) == [(300, Step.RESTART_SCAN)]


@given(
    st.lists(
        st.tuples(st.integers(1, 400), st.booleans(), st.booleans(), st.booleans()), max_size=200
    )
)
def test_in_any_course_no_step_is_skipped_and_none_ends_a_connection(course):
    ladder, at, heard, due = Ladder(ALL, 0), 0, None, list(CLIMB)
    for wait, hears, stuck, busy in course:
        at += wait
        heard = at * NS if hears else heard
        ladder, step = ladder.look(at * NS, heard, is_stuck=stuck, is_busy=busy)
        assert not (busy and step in ENDS_CONNECTIONS)
        if step is Step.RECOVERED:
            due = list(CLIMB)
        elif step is not None:
            if hears and not stuck:
                raise AssertionError("it was heard this moment")
            due = due if step is due[0] else list(CLIMB)
            assert step is due.pop(0)
            due = due or list(CLIMB)
