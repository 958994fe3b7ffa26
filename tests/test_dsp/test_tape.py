import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dsp.tape import Tape

STEPS = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 900), st.booleans()), max_size=20)


@given(STEPS)
def test_what_is_kept_is_what_was_added_at_its_own_position(steps):
    tape, whole = Tape(2), np.empty((2, 0))
    for count, keep, settle in steps:
        block = np.random.default_rng(count).normal(size=(2, count))
        tape.append(block)
        whole = np.concatenate([whole, block], axis=1)
        tape.forget(whole.shape[1] - keep)
        if settle:
            tape.settle()
        assert tape.end == whole.shape[1]
        assert tape.first >= whole.shape[1] - keep or tape.first == 0
        assert np.array_equal(tape.span(tape.first, tape.end), whole[:, tape.first :])


def test_a_settled_tape_holds_nothing_of_the_block_it_was_given():
    tape, block = Tape(1), np.ones((1, 5000))
    tape.append(block)
    tape.settle()
    block[:] = 7.0
    assert (tape.span(0, 5000) == 1.0).all()
