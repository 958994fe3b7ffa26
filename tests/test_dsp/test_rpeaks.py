import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dsp import RPeakStream, find_r_peaks, match_beats


def streamed(ecg, fs, cuts):
    leads = 1 if ecg.ndim == 1 else len(ecg)
    stream = RPeakStream(fs, leads)
    blocks = np.split(ecg, sorted(cuts), axis=-1)
    return np.concatenate([*(stream.push(block) for block in blocks), stream.flush()])


def hard_strip(ecg, rhythm, seed, fs=250.0, leads=1):
    """Forty seconds with drops in amplitude, an artefact, noise and a gap."""
    random = np.random.default_rng(seed)
    beats = rhythm(40, per_min=random.uniform(45, 150), irregular=0.15, seed=seed)
    wave = np.stack(
        [ecg(fs, beats, 40, noise=random.uniform(0, 0.2), seed=seed + k) for k in range(leads)]
    )
    begin = random.integers(0, 30 * fs)
    wave[:, begin : begin + round(4 * fs)] *= random.uniform(0.1, 3)
    hole = random.integers(0, 38 * fs)
    wave[random.integers(leads), hole : hole + random.integers(1, 600)] = np.nan
    wave[0, random.integers(wave.shape[1])] += 20
    return wave[0] if leads == 1 else wave


@pytest.mark.parametrize("leads", [1, 3])
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 10_000), max_size=30))
def test_however_the_samples_are_cut_the_stream_finds_what_the_whole_has(
    ecg, rhythm, leads, seed, cuts
):
    strip = hard_strip(ecg, rhythm, seed, leads=leads)
    assert streamed(strip, 250.0, cuts).tolist() == find_r_peaks(strip, 250.0).tolist()


@pytest.mark.parametrize("block", [1, 7, 36])
def test_small_blocks_of_one_size_find_what_the_whole_has(ecg, rhythm, block):
    strip = hard_strip(ecg, rhythm, 5, fs=360.0)[: 1500 * block]
    cuts = range(block, strip.size, block)
    assert streamed(strip, 360.0, cuts).tolist() == find_r_peaks(strip, 360.0).tolist()


@pytest.mark.parametrize("kernel", ["Prescott", "Haswell"])
def test_another_matrix_kernel_finds_the_same_samples(ecg, rhythm, tmp_path, kernel):
    strip = hard_strip(ecg, rhythm, 11, fs=360.0)
    np.save(tmp_path / "strip.npy", strip)
    program = (
        "import sys, numpy as np, dsp\n"
        "strip = np.load(sys.argv[1])\n"
        "stream = dsp.RPeakStream(360.0)\n"
        "parts = [stream.push(strip[at:at + 37]) for at in range(0, strip.size, 37)]\n"
        "print(*np.concatenate([*parts, stream.flush()]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "strip.npy")],
        env=os.environ | {"OPENBLAS_CORETYPE": kernel},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [int(word) for word in done.stdout.split()] == find_r_peaks(strip, 360.0).tolist()


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    flip=st.sampled_from([1, -1]),
    power=st.integers(-30, 30),
    offset=st.integers(-(2**20), 2**20),
)
def test_polarity_exact_offsets_and_powers_of_two_change_no_index(
    ecg, rhythm, seed, flip, power, offset
):
    # Whole numbers of a converter: the offset then adds without rounding.
    strip = np.round(hard_strip(ecg, rhythm, seed) * 1000)
    other = flip * (strip + offset) * 2.0**power
    assert find_r_peaks(other, 250.0).tolist() == find_r_peaks(strip, 250.0).tolist()


@pytest.mark.parametrize("fs", [100.0, 128.0, 175.0, 200.0, 250.0, 360.0, 500.0, 1000.0, 2000.0])
def test_every_beat_is_found_once_at_every_sampling_rate(ecg, rhythm, fs):
    beats = rhythm(60, per_min=75, irregular=0.05, seed=2)
    strip = ecg(fs, beats, 60, noise=0.03, wander=0.4)
    score = match_beats(np.round(beats * fs), find_r_peaks(strip, fs), fs)
    assert (score.false_positives, score.false_negatives) == (0, 0)
    assert np.abs(score.offsets_s).max() <= 1.5 / fs + 0.004


@pytest.mark.parametrize("per_min", [30, 45, 60, 90, 120, 160, 200])
def test_every_beat_is_found_once_at_every_heart_rate(ecg, rhythm, per_min):
    beats = rhythm(60, per_min=per_min, irregular=0.02, seed=3)
    # QT shortens as the heart speeds up (Bazett).
    qt = np.sqrt(min(1.0, 60 / per_min))
    waves = [
        (-0.14 * qt, 0.02, 0.12),
        (0.0, 0.011, 1.1),
        (0.03, 0.01, -0.2),
        (0.27 * qt, 0.04, 0.3),
    ]
    strip = ecg(500.0, beats, 60, noise=0.02, wander=0.2, waves=waves)
    score = match_beats(np.round(beats * 500), find_r_peaks(strip, 500.0), 500.0)
    assert (score.false_positives, score.false_negatives) == (0, 0)


def test_beats_that_halve_in_height_are_still_found(ecg, rhythm):
    beats = rhythm(60, seed=4)
    strip = ecg(250.0, beats, 60)
    strip[30 * 250 :] *= 0.3
    score = match_beats(np.round(beats * 250), find_r_peaks(strip, 250.0), 250.0)
    assert (score.false_positives, score.false_negatives) == (0, 0)


def test_a_lead_of_noise_beside_a_good_one_takes_nothing_away(ecg, rhythm):
    beats = rhythm(60, seed=6)
    good = ecg(500.0, beats, 60, noise=0.02)
    noise = np.random.default_rng(1).normal(size=good.size)
    found = find_r_peaks(np.stack([noise, good]), 500.0)
    assert found.tolist() == find_r_peaks(good, 500.0).tolist()


def test_a_lead_that_falls_off_leaves_the_beats_to_the_other(ecg, rhythm):
    beats = rhythm(60, seed=7)
    both = np.stack([ecg(250.0, beats, 60), 0.5 * ecg(250.0, beats, 60)])
    both[0, 20 * 250 :] = np.nan
    score = match_beats(np.round(beats * 250), find_r_peaks(both, 250.0), 250.0)
    assert (score.false_positives, score.false_negatives) == (0, 0)


def test_an_index_is_on_the_extremum_of_the_lead_as_given(ecg, rhythm):
    strip = ecg(500.0, rhythm(20, seed=8), 20, noise=0.05)
    for at in find_r_peaks(strip, 500.0):
        assert strip[at] == strip[at - 20 : at + 21].max()


@pytest.mark.parametrize(
    "strip",
    [
        np.zeros(5000),
        np.full(5000, 7.5),
        np.full(5000, np.nan),
        np.full(5000, np.inf),
        np.empty(0),
        np.zeros((2, 0)),
        np.ones(3),
        np.zeros((3, 4000)),
    ],
    ids=["zero", "constant", "nan", "inf", "empty", "empty-leads", "three", "flat-leads"],
)
def test_where_there_is_nothing_nothing_is_found(strip):
    found = find_r_peaks(strip, 500.0)
    assert (found.size, found.dtype, found.ndim) == (0, np.dtype(np.intp), 1)


NUMBERS = st.one_of(
    hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64))
)


@settings(max_examples=60)
@given(
    strip=NUMBERS.flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=2, max_side=400))
    ),
    fs=st.sampled_from([100.0, 360.0, 2000.0]),
)
def test_any_real_array_gives_increasing_indices_and_stays_as_it_was(strip, fs):
    repeated = np.repeat(strip, 5, axis=-1)
    before = repeated.tobytes()
    repeated.setflags(write=False)
    found = find_r_peaks(repeated, fs)
    assert repeated.tobytes() == before
    assert (np.diff(found) > 0).all()
    assert ((found >= 0) & (found < repeated.shape[-1])).all()


def test_a_view_with_strides_is_read_like_its_copy(ecg, rhythm):
    strip = ecg(250.0, rhythm(20, seed=9), 20)
    view = np.stack([strip, strip], axis=1)[:, 0]
    assert find_r_peaks(view, 250.0).tolist() == find_r_peaks(strip, 250.0).tolist()


def test_a_stream_refuses_another_number_of_leads():
    with pytest.raises(ValueError, match="ecg: 1 leads in a stream of 2"):
        RPeakStream(250.0, 2).push(np.zeros(10))


def test_a_stream_ends_once():
    stream = RPeakStream(250.0)
    stream.flush()
    with pytest.raises(ValueError, match="after flush"):
        stream.push(np.zeros(10))


def test_a_stream_keeps_a_bounded_memory(ecg, rhythm):
    strip = ecg(250.0, rhythm(60, seed=1), 60, noise=0.1)
    stream = RPeakStream(250.0)
    sizes = []
    for _ in range(30):
        stream.push(strip)
        stream.push(np.full(3000, np.nan))
        sizes.append(stream._raw._store.size + stream._picker._waves._store.size)
    assert max(sizes[5:]) <= max(sizes[:5])
    assert max(sizes) < 10 * 250


def test_beats_with_an_r_and_an_s_of_one_size_are_soon_all_marked_on_the_first(ecg, rhythm):
    beats = rhythm(60, seed=12)
    waves = ((-0.025, 0.011, 1.0), (0.025, 0.011, -1.0), (0.3, 0.045, 0.2))
    strip = ecg(360.0, beats, 60, noise=0.05, waves=waves, seed=3)
    found = find_r_peaks(strip, 360.0)
    assert found.size == beats.size
    assert (strip[found[2:]] > 0).all()


def test_bursts_of_muscle_noise_between_the_beats_are_not_beats(ecg, rhythm):
    beats = rhythm(60, per_min=60, seed=13)
    strip = ecg(360.0, beats, 60, noise=0.02)
    random = np.random.default_rng(5)
    for begin in range(10, 60, 10):
        burst = slice(begin * 360, begin * 360 + 720)
        strip[burst] += 0.25 * random.normal(size=720)
    score = match_beats(np.round(beats * 360), find_r_peaks(strip, 360.0), 360.0)
    assert (score.false_positives, score.false_negatives) == (0, 0)


def test_what_a_stream_was_given_may_be_written_to_afterwards(ecg, rhythm):
    strip = ecg(360.0, rhythm(20, seed=9), 20)
    stream, reused = RPeakStream(360.0), strip.copy()
    early = stream.push(reused)
    reused[:] = 7.0
    both = np.concatenate([early, stream.flush()])
    assert both.tolist() == find_r_peaks(strip, 360.0).tolist()


def test_finding_beats_does_not_load_scipy():
    program = (
        "import sys, numpy as np, dsp\n"
        "dsp.find_r_peaks(np.zeros(999), 250.0)\n"
        "dsp.ecg_quality(np.zeros(999), 250.0)\n"
        "print(sorted(name for name in sys.modules if name.startswith('scipy')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
