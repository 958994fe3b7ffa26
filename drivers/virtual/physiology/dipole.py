"""The heart as a moving dipole: Gaussian waves in three axes, projected on twelve leads.

Axes are Frank's: x to the left, y to the feet, z to the back, in microvolts. Each wave (P, QRS, T)
is a sum of Gaussian kernels in time, the closed solution of the dynamical model for one beat. How
a wave follows the rate is a stretch of its time about R: none for QRS, the cube root of the RR
interval before it for T (so that Fridericia's QTc is constant), a little for P.

What is true of a wave is computed from its own kernels alone, once, on a grid of 0.1 ms:
- it begins and ends where the magnitude of its dipole first and last exceeds 20 microvolts;
- its peak is the extremum of lead II; R is the peak of QRS and is second 0 of its beat;
- its frontal axis is that of the net area under it in lead I and in aVF.

Sources: McSharry, Clifford, Tarassenko, Smith 2003 (IEEE Trans Biomed Eng 50:289); Sameni,
Clifford, Jutten, Shamsollahi 2007 (EURASIP J Adv Signal Process 43407); lead vectors: Dower,
Machado, Osborne 1980 (Clin Cardiol 3:87).
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from drivers.virtual.physiology.signals import Floats, near

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
MEASURED = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")  # the other four follow from I and II
LEAD_VECTORS = (
    (0.632, -0.235, 0.059),
    (0.235, 1.066, -0.132),
    (-0.515, 0.157, -0.917),
    (0.044, 0.164, -1.387),
    (0.882, 0.098, -1.277),
    (1.213, 0.127, -0.601),
    (1.125, 0.127, -0.086),
    (0.831, 0.076, 0.230),
)
VISIBLE_UV = 20.0  # the least deflection IEC 60601-2-25 calls a wave
_GRID_S = 1e-4
_REACH = 7.0  # widths beyond which a kernel is less than a millionth of a microvolt
SHORTEST_RR_S, LONGEST_RR_S = 0.4, 1.6  # beyond these QT follows the rate no further


@dataclass(frozen=True, slots=True)
class Kernel:
    """One Gaussian: seconds from R, width (standard deviation) in seconds, microvolts."""

    at_s: float
    width_s: float
    x: float
    y: float
    z: float


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Seconds from R at which a wave begins, has its peak and ends."""

    onset_s: float
    peak_s: float
    offset_s: float

    def moved(self, r_s: float, stretch: float = 1.0) -> "Landmarks":
        """Return them for an R peak at `r_s` and a stretched time."""
        return Landmarks(
            r_s + self.onset_s * stretch, r_s + self.peak_s * stretch, r_s + self.offset_s * stretch
        )


@dataclass(frozen=True)
class Wave:
    """Kernels that make one wave, and the power of the RR interval its time goes with."""

    kernels: tuple[Kernel, ...]
    power: float = 0.0

    def stretch(self, rr_s: float) -> float:
        """Return how much slower the wave is than after an interval of one second."""
        return float(min(max(rr_s, SHORTEST_RR_S), LONGEST_RR_S) ** self.power)

    def add_to(self, dipole: Floats, times: Floats, r_s: float, stretch: float) -> None:
        """Add the wave of the beat at `r_s` to (3, n) at increasing times."""
        for kernel in self.kernels:
            centre, width = r_s + kernel.at_s * stretch, kernel.width_s * stretch
            part = near(times, centre - _REACH * width, centre + _REACH * width)
            if part.stop > part.start:
                bell = np.exp(-0.5 * ((times[part] - centre) / width) ** 2)
                for row, moment in zip(dipole, (kernel.x, kernel.y, kernel.z), strict=True):
                    row[part] += moment * bell

    @cached_property
    def landmarks(self) -> Landmarks:
        """What is true of the wave after an RR interval of one second."""
        first = min(kernel.at_s - _REACH * kernel.width_s for kernel in self.kernels)
        last = max(kernel.at_s + _REACH * kernel.width_s for kernel in self.kernels)
        steps = range(math.floor(first / _GRID_S), math.ceil(last / _GRID_S) + 1)
        times: Floats = np.array(steps, dtype=np.float64) * _GRID_S
        dipole = np.zeros((3, times.size))
        self.add_to(dipole, times, 0.0, 1.0)
        seen = np.flatnonzero(np.sqrt((dipole**2).sum(axis=0)) > VISIBLE_UV)
        peak = np.abs(project(dipole)[LEADS.index("II")]).argmax()
        return Landmarks(float(times[seen[0]]), float(times[peak]), float(times[seen[-1]]))

    @cached_property
    def area(self) -> tuple[float, float, float]:
        """The net area in microvolt seconds along x, y and z: that of a Gaussian is exact."""
        unit = math.sqrt(math.tau)
        return (
            unit * math.fsum(kernel.x * kernel.width_s for kernel in self.kernels),
            unit * math.fsum(kernel.y * kernel.width_s for kernel in self.kernels),
            unit * math.fsum(kernel.z * kernel.width_s for kernel in self.kernels),
        )

    def axis_deg(self, roll_rad: float = 0.0) -> float:
        """Return the frontal axis of the wave in a heart rolled about z, -180 to 180 degrees."""
        x, y, z = self.area
        rolled = np.array(turned((x, y, z), roll_rad, 0.0)).reshape(3, 1)
        leads = project(rolled)[:, 0]
        lead_i, avf = leads[LEADS.index("I")], leads[LEADS.index("aVF")]
        return math.degrees(math.atan2(2 / math.sqrt(3) * avf, lead_i))

    def posed(self, roll_rad: float, yaw_rad: float, gain: float) -> "Wave":
        """Return the wave of a heart that lies otherwise in the chest and is stronger or weaker."""
        return replace(
            self, kernels=tuple(_posed(k, roll_rad, yaw_rad, gain) for k in self.kernels)
        )


@dataclass(frozen=True, slots=True)
class Morphology:
    """The waves of one type of beat; `spike_s` is when a pacemaker's pulse comes before R."""

    p: Wave | None
    qrs: Wave
    t: Wave
    spike: Wave | None = None

    @property
    def waves(self) -> tuple[Wave, ...]:
        """Its waves in the order of time."""
        return tuple(wave for wave in (self.p, self.spike, self.qrs, self.t) if wave is not None)

    def posed(self, roll_rad: float, yaw_rad: float, gain: float) -> "Morphology":
        """Return it in another chest, with its R peak at second 0 again."""
        pose = (roll_rad, yaw_rad, gain)
        return Morphology(
            p=self.p and self.p.posed(*pose),
            qrs=_anchored(self.qrs.posed(*pose)),
            t=self.t.posed(*pose),
            spike=self.spike and self.spike.posed(*pose),
        )


def project(dipole: Floats) -> Floats:
    """Return the twelve leads (12, n) of a dipole (3, n), without any matrix kernel.

    A product of matrices may round differently for another number of samples.
    """
    x, y, z = dipole
    return twelve(np.stack([a * x + b * y + c * z for a, b, c in LEAD_VECTORS]))


def twelve(measured: Floats) -> Floats:
    """Return the twelve leads of the eight that are measured, by Einthoven and Goldberger."""
    lead_i, lead_ii = measured[:2]
    limb = (
        lead_i,
        lead_ii,
        lead_ii - lead_i,
        -(lead_i + lead_ii) / 2,
        lead_i - lead_ii / 2,
        lead_ii - lead_i / 2,
    )
    return np.concatenate([np.stack(limb), measured[2:]])


def turned(
    vector: tuple[float, float, float], roll_rad: float, yaw_rad: float
) -> tuple[float, float, float]:
    """Return a vector turned about z (in the frontal plane), then about y (in the horizontal)."""
    x, y, z = vector
    x, y = (
        x * math.cos(roll_rad) - y * math.sin(roll_rad),
        x * math.sin(roll_rad) + y * math.cos(roll_rad),
    )
    x, z = (
        x * math.cos(yaw_rad) - z * math.sin(yaw_rad),
        x * math.sin(yaw_rad) + z * math.cos(yaw_rad),
    )
    return x, y, z


def _posed(kernel: Kernel, roll_rad: float, yaw_rad: float, gain: float) -> Kernel:
    x, y, z = turned((kernel.x, kernel.y, kernel.z), roll_rad, yaw_rad)
    return replace(kernel, x=gain * x, y=gain * y, z=gain * z)


def _anchored(qrs: Wave) -> Wave:
    shift = qrs.landmarks.peak_s
    return replace(
        qrs, kernels=tuple(replace(kernel, at_s=kernel.at_s - shift) for kernel in qrs.kernels)
    )
