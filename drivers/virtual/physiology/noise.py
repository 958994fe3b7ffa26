"""What electrodes pick up that is not the heart, each source with its own signal-to-noise ratio.

Noise is made at the nine electrodes and goes through the leads as the heart's potentials do, so
Einthoven's and Goldberger's relations hold in a noisy ECG too, and Wilson's terminal shares the
limbs' noise with all chest leads. The ratio is that of `nst` of WFDB, in lead II: the power of a
sine as high as the QRS complex, peak to peak, over the mean square of the noise (of motion: while
there is motion). The same noise comes at any sampling rate.
"""

import math
from collections.abc import Mapping

import numpy as np

from drivers.virtual.physiology.breathing import Breathing
from drivers.virtual.physiology.circulation import Bumps
from drivers.virtual.physiology.scenarios import Electrode, Source, Span
from drivers.virtual.physiology.signals import Floats, Topic, chance, near

ELECTRODES = tuple(Electrode)
_RA, _LA, _LL = (ELECTRODES.index(each) for each in (Electrode.RA, Electrode.LA, Electrode.LL))
_CHEST = slice(3, None)

_WANDER_HZ = (0.05, 0.45)
_WANDERS = 6
_BREATH_PART = 1.2  # of the breath in the wander, where a sine has 1
_MUSCLE_HZ = (20.0, 300.0)
_MUSCLE_FS = 2000.0  # between its samples muscle noise is drawn straight
_MUSCLE_BLOCK_S, _MUSCLE_HOP_S = 1.0, 0.5
_MUSCLE_COUNT = round(_MUSCLE_BLOCK_S * _MUSCLE_FS)
_BUMPS_HZ = 1.5
_BUMP_S = (0.04, 0.20)


class ElectrodeNoise:
    """The noise of one recording: which sources, how strong."""

    def __init__(
        self,
        seed: int,
        snr_db: Mapping[Source, float],
        qrs_swing_uv: float,
        breathing: Breathing,
        *,
        motion: tuple[Span, ...],
        mains_hz: float,
    ) -> None:
        self._rms = {
            Source(source): qrs_swing_uv / math.sqrt(8) * 10 ** (-ratio / 20)
            for source, ratio in snr_db.items()
        }
        self._breathing = breathing
        self._motion = motion or None
        self._mains = _Mains(seed, mains_hz)
        self._wander = _Wander(seed)
        self._muscle = _Muscle(seed)
        self._bumps = Bumps(seed, Topic.MOTION, _BUMPS_HZ, _BUMP_S)

    def add_to(self, measured: Floats, times: Floats) -> None:
        """Add what the electrodes pick up to I, II and V1 to V6, (8, n), at increasing times."""
        for source in Source:
            if source in self._rms and times.size:
                picked = self._rms[source] * self._of(source, times)
                measured[0] += picked[_LA] - picked[_RA]
                measured[1] += picked[_LL] - picked[_RA]
                terminal = (picked[_RA] + picked[_LA] + picked[_LL]) / 3
                measured[2:] += picked[_CHEST] - terminal

    def _of(self, source: Source, times: Floats) -> Floats:
        """Return (9, n) of mean square 1 in lead II."""
        match source:
            case Source.MAINS:
                return self._mains.at(times)
            case Source.WANDER:
                return self._wander.at(times, self._breathing.volume(times) - 0.5)
            case Source.MUSCLE:
                return self._muscle.at(times)
            case Source.MOTION:
                each = [self._bumps.at(times, self._motion, part) for part in range(9)]
                return np.stack(each) / math.sqrt(2)


class _Mains:
    """A hum whose frequency wanders a little, of another strength and phase at each electrode."""

    def __init__(self, seed: int, hz: float) -> None:
        draw = chance(seed, Topic.MAINS)
        self._hz = hz
        self._sizes = draw.uniform(0.5, 1.5, len(ELECTRODES))
        self._phases = draw.uniform(-0.8, 0.8, len(ELECTRODES))
        # The limbs of lead II face each other: their hum adds up and can never vanish from it.
        self._phases[_LL] += math.pi
        turns = self._sizes * np.exp(1j * self._phases)
        self._sizes *= math.sqrt(2) / float(abs(turns[_LL] - turns[_RA]))

    def at(self, times: Floats) -> Floats:
        phase = math.tau * self._hz * times + 0.4 * np.sin(math.tau * 0.07 * times)
        return np.stack(
            [
                size * np.sin(phase + own)
                for size, own in zip(self._sizes, self._phases, strict=True)
            ]
        )


class _Wander:
    """Slow drifts of each electrode, and the breath's."""

    def __init__(self, seed: int) -> None:
        draw = chance(seed, Topic.WANDER)
        many = (len(ELECTRODES), _WANDERS)
        self._hz = draw.uniform(*_WANDER_HZ, many)
        self._phases = draw.uniform(0, math.tau, many)
        self._breath = _BREATH_PART * draw.uniform(-1, 1, len(ELECTRODES))
        self._breath[_LL] = self._breath[_RA] + _BREATH_PART
        # Mean squares: 1/2 of a sine, 1/8 of the volume of the lung.
        power = _WANDERS * 2 / 2 + _BREATH_PART**2 / 8
        self._unit = 1 / math.sqrt(power)

    def at(self, times: Floats, breath: Floats) -> Floats:
        rows = []
        for hz, phases, share in zip(self._hz, self._phases, self._breath, strict=True):
            row = share * breath
            for each_hz, phase in zip(hz, phases, strict=True):
                row += np.sin(math.tau * each_hz * times + phase)
            rows.append(self._unit * row)
        return np.stack(rows)


class _Muscle:
    """Band-limited noise whose power falls with frequency.

    Blocks of chance overlap by half under a sine window, which keeps the power constant.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        hz = np.fft.rfftfreq(_MUSCLE_COUNT, 1 / _MUSCLE_FS)
        self._band = (hz >= _MUSCLE_HZ[0]) & (hz <= _MUSCLE_HZ[1])
        size = hz[self._band] ** -0.5
        # Mean square 1/2 at an electrode is 1 between two.
        self._size = size * _MUSCLE_COUNT / 2 / math.sqrt(2 * float((size**2).sum()))
        self._window = np.sin(math.pi * np.arange(_MUSCLE_COUNT) / _MUSCLE_COUNT)

    def at(self, times: Floats) -> Floats:
        wave = np.zeros((len(ELECTRODES), times.size))
        first = max(0, math.floor(times[0] / _MUSCLE_HOP_S) - 1)
        for block in range(first, math.floor(times[-1] / _MUSCLE_HOP_S) + 1):
            begin_s = block * _MUSCLE_HOP_S
            where = near(times, begin_s, begin_s + _MUSCLE_BLOCK_S)
            place = (times[where] - begin_s) * _MUSCLE_FS
            left = np.minimum(place.astype(np.intp), _MUSCLE_COUNT - 1)
            samples = self._block(block)
            step = samples[:, left + 1] - samples[:, left]
            wave[:, where] += samples[:, left] + (place - left) * step
        return wave

    def _block(self, block: int) -> Floats:
        """Return (9, n + 1) under its window, the last sample 0 as the first."""
        draw = chance(self._seed, Topic.MUSCLE, block)
        real, imaginary = draw.normal(0, 1, (2, len(ELECTRODES), self._size.size))
        spectrum = np.zeros((len(ELECTRODES), self._band.size), dtype=np.complex128)
        spectrum[:, self._band] = self._size * (real + 1j * imaginary)
        samples = np.zeros((len(ELECTRODES), _MUSCLE_COUNT + 1))
        samples[:, :-1] = np.fft.irfft(spectrum, _MUSCLE_COUNT) * self._window
        return samples
