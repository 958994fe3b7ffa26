import numpy as np
import pytest

# Wave: time from R in seconds, width in seconds, height in mV; lead II of a healthy adult.
WAVES = (
    (-0.17, 0.025, 0.12),
    (-0.03, 0.009, -0.10),
    (0.0, 0.011, 1.10),
    (0.032, 0.010, -0.22),
    (0.27, 0.045, 0.28),
)


def _ecg(fs, beats_s, seconds, *, noise=0.0, wander=0.0, seed=0, waves=WAVES):  # noqa: PLR0913 -- a drawing has many sides
    t = np.arange(round(seconds * fs)) / fs
    ecg = np.zeros(t.size)
    for beat in beats_s:
        for at, width, height in waves:
            near = slice(*np.searchsorted(t, beat + at + np.array([-6, 6]) * width))
            ecg[near] += height * np.exp(-0.5 * ((t[near] - beat - at) / width) ** 2)
    random = np.random.default_rng(seed)
    white = random.normal(size=t.size)
    drift = np.sin(2 * np.pi * 0.25 * t) + 0.5 * np.sin(2 * np.pi * 0.11 * t)
    return ecg + noise * white + wander * drift


def _rhythm(seconds, *, per_min=72.0, irregular=0.03, seed=0):
    random = np.random.default_rng(seed)
    beats, now = [], 0.4
    while now < seconds - 0.4:
        beats.append(now)
        now += 60 / per_min * (1 + irregular * random.normal())
    return np.array(beats)


@pytest.fixture(scope="session")
def ecg():
    """Draw an ECG with its R peaks at the given seconds."""
    return _ecg


@pytest.fixture(scope="session")
def rhythm():
    """Return the seconds of beats of a nearly regular rhythm."""
    return _rhythm
