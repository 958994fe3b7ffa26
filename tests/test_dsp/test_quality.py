import numpy as np
import pytest

from dsp.quality import Flaw, ecg_quality

FS = 500.0


@pytest.fixture
def good(ecg, rhythm):
    return ecg(FS, rhythm(10), 10, noise=0.01, wander=0.1)


def flaws(strip, **more):
    (verdict,) = ecg_quality(strip, FS, **more)
    return set(verdict.flaws)


def test_a_good_lead_is_usable_and_without_flaws(good):
    (verdict,) = ecg_quality(good * 1000, FS, microvolts=True)
    assert (verdict.usable, verdict.flaws) == (True, ())


def test_every_lead_is_judged_for_itself(good):
    verdicts = ecg_quality(np.stack([good, np.zeros(good.size)]), FS)
    assert [verdict.usable for verdict in verdicts] == [True, False]


def test_a_constant_is_flat():
    assert Flaw.FLAT in flaws(np.full(5000, 3.0))


def test_a_lead_that_is_all_gap_is_off():
    assert {Flaw.GAP, Flaw.LEAD_OFF} <= flaws(np.full(5000, np.nan))


def test_a_third_missing_is_a_gap(good):
    good[1000:2700] = np.nan
    assert flaws(good) == {Flaw.GAP}


def test_under_a_second_is_short(good):
    assert Flaw.SHORT in flaws(good[:400])


def test_clipped_waves_are_saturated(good):
    assert Flaw.SATURATED in flaws(np.clip(good * 20, -3.0, 2.0))


def test_mains_is_said_and_does_not_disqualify(good):
    good += 0.5 * np.sin(2 * np.pi * 50 * np.arange(good.size) / FS)
    (verdict,) = ecg_quality(good, FS)
    assert (verdict.usable, verdict.flaws) == (True, (Flaw.MAINS,))


def test_noise_without_beats_is_noise():
    assert flaws(np.random.default_rng(0).normal(size=5000)) == {Flaw.NOISE}


def test_a_swing_of_microvolts_is_no_ecg_where_the_unit_is_known(good):
    assert Flaw.LEAD_OFF in flaws(good * 10, microvolts=True)
    assert flaws(good * 10) == set()


@pytest.mark.parametrize("strip", [np.empty(0), np.zeros((2, 0)), np.full(50, np.inf), np.ones(1)])
def test_what_is_no_signal_is_not_usable(strip):
    assert not any(verdict.usable for verdict in ecg_quality(strip, FS))
