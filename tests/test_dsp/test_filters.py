import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp import EcgFilterStream, clean_ecg, detect_mains

FS = 500.0
T = np.arange(5000) / FS


def gain(preset, hertz, **corners):
    wave = np.sin(2 * np.pi * hertz * np.arange(60_000) / FS)
    cleaned = clean_ecg(wave, FS, preset, **corners)
    middle = slice(20_000, 40_000)
    return np.sqrt(np.mean(cleaned[middle] ** 2) / np.mean(wave[middle] ** 2))


@pytest.mark.parametrize(
    ("preset", "corner"),
    [("diagnostic", 0.67), ("diagnostic", 150), ("monitor", 0.5), ("monitor", 40), ("st", 150)],
)
def test_a_corner_is_three_decibels_down(preset, corner):
    assert gain(preset, corner) == pytest.approx(np.sqrt(0.5), rel=0.02)


@pytest.mark.parametrize("preset", ["diagnostic", "monitor", "st"])
def test_ten_hertz_pass_unchanged(preset):
    assert gain(preset, 10) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("mains", "other"), [(50, 60), (60, 50)])
def test_the_notch_takes_its_mains_and_no_other(mains, other):
    assert gain("diagnostic", mains, mains_hz=mains) < 0.01
    assert gain("diagnostic", other, mains_hz=mains) > 0.9


def test_nothing_is_shifted(ecg):
    strip = ecg(FS, [2.0, 3.0, 4.0], 6)
    for preset in ("diagnostic", "monitor", "st"):
        assert np.argmax(clean_ecg(strip, FS, preset)[900:1100]) == 100


def test_an_even_wave_stays_even():
    wave = np.exp(-0.5 * ((T[:4001] - 4.0) / 0.02) ** 2)
    for preset in ("diagnostic", "monitor"):
        cleaned = clean_ecg(wave, FS, preset)
        assert np.abs(cleaned - cleaned[::-1]).max() < 1e-7


@pytest.mark.parametrize("level", [-0.2, -0.1, 0.1, 0.2])
def test_st_levels_keep_within_25_microvolts_of_the_drawing_under_the_st_preset(ecg, level):
    waves = ((0.0, 0.011, 1.0), (0.10, 0.03, level), (0.16, 0.03, level), (0.28, 0.05, 0.2))
    beats = np.arange(0.5, 10, 0.8)
    strip = ecg(FS, beats, 10, waves=waves)
    cleaned = clean_ecg(strip, FS, "st")
    for beat in beats:
        j, pq = round((beat + 0.13) * FS), round((beat - 0.08) * FS)
        assert (cleaned[j] - cleaned[pq]) - (strip[j] - strip[pq]) == pytest.approx(0, abs=0.025)


def test_the_first_and_last_beat_of_a_strip_keep_their_height(ecg):
    beats = np.array([0.05, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 9.95])
    strip = ecg(FS, beats, 10) + 3.0
    cleaned = clean_ecg(strip, FS)
    heights = cleaned[np.round(beats * FS).astype(int)]
    assert np.ptp(heights) < 0.1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2499), st.integers(1, 400)), max_size=6))
def test_gaps_stay_gaps_and_nothing_else_becomes_one(holes):
    strip = np.sin(np.arange(2500) / 10)
    for begin, size in holes:
        strip[begin : begin + size] = np.nan
    assert (np.isnan(clean_ecg(strip, FS)) == np.isnan(strip)).all()


def test_each_stretch_between_gaps_is_filtered_for_itself(ecg):
    strip = ecg(FS, [1, 2, 3, 4, 5, 6, 7], 8, noise=0.02)
    strip[2000:2100] = np.nan
    assert np.array_equal(clean_ecg(strip, FS)[:2000], clean_ecg(strip[:2000], FS))


def test_leads_are_filtered_each_for_itself(ecg):
    one, two = ecg(FS, [1, 2, 3], 4), ecg(FS, [1, 2, 3], 4, noise=0.1)
    both = clean_ecg(np.stack([one, two]), FS)
    assert np.allclose(both, np.stack([clean_ecg(one, FS), clean_ecg(two, FS)]), atol=1e-12)


def test_a_low_pass_corner_beyond_the_samples_changes_nothing(ecg):
    strip = ecg(200.0, [1, 2, 3], 4)
    only_high = clean_ecg(strip, 200.0, lowpass_hz=1000)
    assert np.array_equal(clean_ecg(strip, 200.0), only_high)
    assert np.array_equal(clean_ecg(strip, 200.0, highpass_hz=0), strip)


def test_mains_beyond_the_samples_is_left_out(ecg):
    strip = ecg(100.0, [1, 2, 3], 4)
    assert np.array_equal(clean_ecg(strip, 100.0, mains_hz=50), clean_ecg(strip, 100.0))


@pytest.mark.parametrize("size", [0, 1, 2, 5, 40])
def test_short_strips_come_back_as_short(size):
    cleaned = clean_ecg(np.arange(size), FS)
    assert cleaned.shape == (size,)
    assert np.isfinite(cleaned).all()


def test_the_input_is_not_touched(ecg):
    strip = ecg(FS, [1, 2], 3)
    strip.setflags(write=False)
    assert clean_ecg(strip, FS) is not strip


@pytest.mark.parametrize(
    ("named", "arguments"),
    [
        ("preset", {"preset": "pretty"}),
        ("highpass_hz", {"highpass_hz": -1.0}),
        ("highpass_hz", {"highpass_hz": 250.0}),
        ("highpass_hz", {"highpass_hz": float("nan")}),
        ("lowpass_hz", {"lowpass_hz": 0.5}),
        ("lowpass_hz", {"lowpass_hz": float("nan")}),
        ("mains_hz", {"mains_hz": 16.7}),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(named, arguments):
    with pytest.raises(ValueError, match=rf"^{named}: "):
        clean_ecg(np.zeros(100), FS, **arguments)


@pytest.mark.parametrize("mains", [50.0, 60.0])
@pytest.mark.parametrize("fs", [250.0, 360.0, 500.0])
def test_mains_is_told_and_taken_out_to_a_hundredth(ecg, rhythm, mains, fs):
    clean = ecg(fs, rhythm(10), 10, noise=0.01)
    sine = 0.3 * np.sin(2 * np.pi * (mains + 0.05) * np.arange(clean.size) / fs)
    assert detect_mains(clean, fs) is None
    assert detect_mains(clean + sine, fs) == mains
    both = [clean_ecg(strip, fs, "diagnostic", mains_hz=mains) for strip in (clean, clean + sine)]
    assert np.std((both[1] - both[0])[500:-500]) < 0.02 * np.std(sine)


def test_taking_mains_out_does_not_ring_before_a_steep_qrs():
    """A triangle of 1 mV and 24 ms: what is 20 to 200 ms before it must stay within 1 uV.

    A notch rings by 15 uV there; a triangle of 40 ms would prove nothing, it holds no 50 Hz.
    """
    strip = np.zeros(5000)
    for beat in range(300, 5000, 400):
        strip[beat - 6 : beat + 7] = 1.0 - np.abs(np.arange(-6, 7)) / 6
    cleaned = clean_ecg(strip, FS, highpass_hz=0, lowpass_hz=250, mains_hz=50)
    before = np.stack([cleaned[beat - 110 : beat - 20] for beat in range(300, 5000, 400)])
    assert np.abs(before).max() < 0.001


def test_no_strip_has_no_mains():
    assert detect_mains(np.zeros((3, 0)), FS) is None
    assert detect_mains(np.full(5000, np.nan), FS) is None


@pytest.mark.parametrize("preset", ["diagnostic", "monitor", "st"])
@settings(max_examples=20)
@given(seed=st.integers(0, 999), cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_a_filter_stream_gives_the_same_samples_for_any_blocks(preset, seed, cuts):
    random = np.random.default_rng(seed)
    strip = random.normal(size=(2, 2000)) + 5
    hole = random.integers(0, 1900)
    strip[seed % 2, hole : hole + random.integers(0, 300)] = np.nan
    whole = EcgFilterStream(FS, 2, preset, mains_hz=50.0).push(strip)
    stream = EcgFilterStream(FS, 2, preset, mains_hz=50.0)
    pieces = [stream.push(block) for block in np.split(strip, sorted(cuts), axis=1)]
    assert np.concatenate(pieces, axis=1).tobytes() == whole.tobytes()
    assert (np.isnan(whole) == np.isnan(strip)).all()


@pytest.mark.parametrize("hertz", [1.0, 5.0, 20.0])
def test_a_filter_stream_delays_as_it_says(hertz):
    stream = EcgFilterStream(FS, preset="monitor")
    t = np.arange(10_000) / FS
    out = stream.push(np.sin(2 * np.pi * hertz * t))
    expected = np.sin(2 * np.pi * hertz * (t - stream.delay_s(hertz)))
    settled = slice(5000, None)
    assert np.corrcoef(out[settled], expected[settled])[0, 1] > 0.9999


def test_a_filter_stream_starts_without_a_transient_of_the_offset():
    assert np.abs(EcgFilterStream(FS).push(np.full(500, 1000.0))).max() < 1e-6


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"fs": 5.0}, "fs"),
        ({"leads": 0}, "leads"),
        ({"preset": "loud"}, "preset"),
        ({"mains_hz": 16.7}, "mains_hz"),
    ],
)
def test_a_filter_stream_refuses_by_the_name_of_the_argument(arguments, named):
    with pytest.raises(ValueError, match=rf"^{named}: "):
        EcgFilterStream(**{"fs": FS, **arguments})
