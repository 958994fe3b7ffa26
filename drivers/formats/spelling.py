"""What carts' measurements and filters are called, whatever the file's own words.

A measurement is a pair of name and text. Names end in their unit where it is not a rate (1/min) or
an axis (degrees); a measurement of one lead has the lead before it: ("V1.r_uv", "330").
"""

import re
from collections.abc import Sequence
from enum import StrEnum


class CartValue(StrEnum):
    """Names of what carts say about a whole recording."""

    HEART_RATE = "heart_rate"
    ATRIAL_RATE = "atrial_rate"
    RR = "rr_ms"
    PP = "pp_ms"
    P = "p_ms"
    PR = "pr_ms"
    QRS = "qrs_ms"
    QT = "qt_ms"
    QTC = "qtc_ms"
    QTC_FORMULA = "qtc_formula"
    P_AXIS = "p_axis"
    QRS_AXIS = "qrs_axis"
    T_AXIS = "t_axis"
    PACER_SPIKES = "pacer_spikes"  # how many the cart saw; 0 is a finding, absence is none
    PACER_SPIKE_TIMES = "pacer_spike_times_ms"
    PACER_SPIKE_AMPLITUDES = "pacer_spike_amplitudes_uv"
    STATEMENT_STATUS = "statement_status"  # original, confirmed or overread


BASELINE_FILTER = "baseline filter"
ARTEFACT_FILTER = "artefact filter"

_FREQUENCY = re.compile(r"(high-pass|low-pass|notch) ([0-9.]+) Hz")


def high_pass(hz: float) -> str:
    """Name a high-pass filter that was applied before storing."""
    return f"high-pass {hz:g} Hz"


def low_pass(hz: float) -> str:
    """Name a low-pass filter that was applied before storing."""
    return f"low-pass {hz:g} Hz"


def notch(hz: float) -> str:
    """Name a mains filter that was applied before storing."""
    return f"notch {hz:g} Hz"


def filter_frequency(filters: Sequence[str], kind: str) -> float | None:
    """Return the frequency in Hz of the high-pass, low-pass or notch among filters so named."""
    for named in filters:
        said = _FREQUENCY.fullmatch(named)
        if said and said[1] == kind:
            return float(said[2])
    return None
