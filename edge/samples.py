"""The samples of an ECG as what names it: one hash, whoever reads it, from whatever it is read."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from drivers.model import STANDARD_LEADS

DIGITS = 6  # of a microvolt: below any converter's noise, above what floating point does to a step


def canonical_sha256(leads: Sequence[str], fs: float, microvolts: NDArray[np.float64]) -> str:
    """Return the SHA-256 of the canonical samples of an ECG.

    They are a line ``fs leads``, the rate with six decimals, and behind it the leads as float64
    microvolts, little endian, rounded to DIGITS decimals: the standard leads in their order, then
    others by name; every gap the same NaN, no negative zero.
    """
    named = dict(zip(leads, microvolts, strict=True))
    order = [name for name in STANDARD_LEADS if name in named]
    order += sorted(name for name in named if name not in STANDARD_LEADS)
    samples = np.round(np.stack([named[name] for name in order]), DIGITS).astype("<f8")
    samples[np.isnan(samples)] = np.nan
    samples += 0.0
    return sha256(f"{fs:.6f} {' '.join(order)}\n".encode() + samples.tobytes()).hexdigest()
