import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.wave_intervals import compare
from benchmarks.wave_marks import ludb
from dsp import measure_ecg

FS = 500.0
NAMES = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
WAVES = ((-0.17, 0.020, 0.12), (0.0, 0.012, 1.1), (0.28, 0.040, 0.3))
NO_P = WAVES[1:]


def twelve(drawn, angle, precordial=0.8):
    """Project one drawn wave onto the limb leads at a frontal angle in degrees."""
    towards = np.radians(angle)
    first = np.cos(towards) * drawn
    foot = np.sin(towards) * drawn * np.sqrt(3) / 2
    second = foot + first / 2
    third = second - first
    limbs = [first, second, third, -(first + second) / 2, first - second / 2, foot]
    return 1000 * np.stack([*limbs, *[precordial * drawn] * 6])


@pytest.fixture
def measured(ecg, rhythm):
    def measure(*, angle=40.0, waves=WAVES, noise=5.0, per_min=72.0, names=NAMES, seconds=10):
        beats = rhythm(seconds, per_min=per_min, irregular=0.01)
        leads = twelve(ecg(FS, beats, seconds, waves=waves), angle)
        leads += noise * np.random.default_rng(1).normal(size=leads.shape)
        rows = [NAMES.index(name) for name in names]
        return measure_ecg(leads[rows], FS, names)

    return measure


def test_a_healthy_drawing_has_every_value(measured):
    found = measured()
    assert dict(found.reasons) == {}
    assert found.heart_rate == pytest.approx(72, abs=1)
    assert found.pr_ms == pytest.approx(185, abs=20)
    assert found.p_ms == pytest.approx(95, abs=20)
    assert found.qrs_ms == pytest.approx(70, abs=14)
    assert found.qt_ms == pytest.approx(405, abs=20)


@pytest.mark.parametrize("angle", [-150.0, -60.0, 0.0, 45.0, 90.0, 135.0])
def test_axes_are_the_angle_the_vector_was_drawn_at(measured, angle):
    found = measured(angle=angle)
    assert found.qrs_axis == pytest.approx(angle, abs=3)
    assert found.t_axis == pytest.approx(angle, abs=3)
    assert found.p_axis == pytest.approx(angle, abs=6)


@pytest.mark.parametrize("other", ["II", "III", "aVF"])
def test_lead_one_and_any_other_of_the_foot_give_the_axis(measured, other):
    assert measured(names=("I", other, "V2")).qrs_axis == pytest.approx(40, abs=3)


def test_the_chest_alone_has_no_axis_and_says_why(measured):
    found = measured(names=("V1", "V2"))
    assert found.qrs_axis is None
    assert "lead I" in found.reasons["qrs_axis"]
    assert found.qrs_ms is not None


def test_without_p_waves_there_is_no_pr_and_the_rest_is_there(measured):
    found = measured(waves=NO_P)
    assert (found.p_ms, found.pr_ms, found.p_axis) == (None, None, None)
    assert {"p_ms", "pr_ms", "p_axis"} == set(found.reasons)
    assert found.qt_ms is not None


def test_qtc_follows_each_formula_and_is_qt_at_sixty_a_minute(measured):
    found = measured(per_min=60.0)
    assert list(found.qtc_ms) == ["Bazett", "Fridericia", "Framingham", "Hodges"]
    for value in found.qtc_ms.values():
        assert value == pytest.approx(found.qt_ms, abs=6)
    quick = measured(per_min=100.0)
    rr = 60 / quick.heart_rate
    assert quick.qtc_ms["Bazett"] == pytest.approx(quick.qt_ms / rr**0.5)
    assert quick.qtc_ms["Fridericia"] == pytest.approx(quick.qt_ms / rr ** (1 / 3))
    assert quick.qtc_ms["Framingham"] == pytest.approx(quick.qt_ms + 154 * (1 - rr))
    assert quick.qtc_ms["Hodges"] == pytest.approx(quick.qt_ms + 1.75 * (60 / rr - 60))


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_nothing_to_measure_is_no_value_with_a_reason_each(value):
    found = measure_ecg(np.full((12, 5000), value), FS, NAMES)
    names = ("heart_rate", "p_ms", "pr_ms", "qrs_ms", "qt_ms", "p_axis", "qrs_axis", "t_axis")
    assert [getattr(found, name) for name in names] == [None] * len(names)
    assert set(found.qtc_ms.values()) == {None}
    assert set(found.reasons) == {*names, "qtc_ms"}


def test_two_beats_are_too_few(measured):
    assert measured(seconds=2).qrs_ms is None


def test_one_lead_off_changes_nothing_but_by_noise(ecg, rhythm):
    leads = twelve(ecg(FS, rhythm(10), 10, noise=0.005), 40.0)
    whole = measure_ecg(leads, FS, NAMES)
    leads[7] = np.nan
    without = measure_ecg(leads, FS, NAMES)
    assert without.qrs_ms == pytest.approx(whole.qrs_ms, abs=4)
    assert without.qt_ms == pytest.approx(whole.qt_ms, abs=8)


def test_intervals_are_those_of_the_marks_at_least_this_well(measured):
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        assert measured().qt_ms == pytest.approx(405, abs=20)
        return
    found = compare(list(ludb(Path(folder))))
    most = {"p_ms": (6, 13.5), "pr_ms": (4, 7), "qrs_ms": (3, 10.5), "qt_ms": (8, 15)}
    for name, (mean, spread) in most.items():
        away = found.differences[name]
        assert (abs(away.mean()) < mean, away.std() < spread) == (True, True), name
    assert found.p_said_all_the_same <= 5


@pytest.mark.parametrize("names", ["III", ("I",), ("I", "I"), ("I", "II", "V1")])
def test_names_that_do_not_fit_the_leads_are_refused(names):
    with pytest.raises(ValueError, match=r"^leads: "):
        measure_ecg(np.zeros((2, 1000)), FS, names)
