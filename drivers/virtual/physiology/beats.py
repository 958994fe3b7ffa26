"""How the dipole moves in each type of beat: a healthy heart, an ectopic and a paced one.

Directions follow what makes the shapes: the septum is excited first, to the right and front (r in
V1, q in I and V6), then the apex to the front, the free wall to the left and down, the base last,
up and to the back (S in V1 to V3). An ectopic beat of the right outflow tract runs downwards and
to the left, a paced one from the apex of the right ventricle upwards; both are slow, and their T
waves point the other way.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType

from drivers.virtual.physiology.dipole import Kernel, Morphology, Wave

_T_POWER = 1 / 3  # Fridericia
_P_POWER = 0.12


class BeatType(StrEnum):
    """What kind of beat; the member value is the annotation code of WFDB."""

    NORMAL = "N"
    PVC = "V"
    PACED = "/"


_P = Wave(
    (
        Kernel(-0.160, 0.0180, 48, 74, -40),
        Kernel(-0.130, 0.0180, 92, 56, 44),
    ),
    _P_POWER,
)
_NORMAL = Morphology(
    p=_P,
    qrs=Wave(
        (
            Kernel(-0.025, 0.0070, -170, -40, -150),
            Kernel(-0.009, 0.0085, 320, 190, -400),
            Kernel(0.000, 0.0088, 960, 700, 200),
            Kernel(0.014, 0.0088, 190, 60, 720),
            Kernel(0.028, 0.0088, -140, -170, 240),
        )
    ),
    t=Wave(
        (
            Kernel(0.205, 0.0480, 95, 55, -70),
            Kernel(0.268, 0.0360, 260, 140, -190),
        ),
        _T_POWER,
    ),
)
_PVC = Morphology(
    p=None,
    qrs=Wave(
        (
            Kernel(-0.034, 0.0170, 60, 520, 150),
            Kernel(0.000, 0.0230, 380, 1050, 560),
            Kernel(0.042, 0.0180, 260, 120, 420),
        )
    ),
    t=Wave(
        (
            Kernel(0.240, 0.0440, -90, -210, -180),
            Kernel(0.305, 0.0390, -190, -330, -300),
        ),
        _T_POWER,
    ),
)
_PACED = Morphology(
    p=Wave(tuple(replace(kernel, at_s=kernel.at_s - 0.055) for kernel in _P.kernels), _P_POWER),
    spike=Wave((Kernel(-0.0900, 0.0012, 900, -1100, 200),)),
    qrs=Wave(
        (
            Kernel(-0.036, 0.0170, 260, -360, 120),
            Kernel(0.000, 0.0230, 720, -760, 560),
            Kernel(0.042, 0.0180, 330, -180, 380),
        )
    ),
    t=Wave(
        (
            Kernel(0.240, 0.0440, -120, 130, -150),
            Kernel(0.305, 0.0390, -260, 290, -250),
        ),
        _T_POWER,
    ),
)
MORPHOLOGIES: Mapping[BeatType, Morphology] = MappingProxyType(
    {BeatType.NORMAL: _NORMAL, BeatType.PVC: _PVC, BeatType.PACED: _PACED}
)
