"""Signal processing of physiological waveforms: arrays in, arrays and reasons out.

Names are loaded when first used, so that what needs numpy alone never pays for scipy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsp.beats import HeartRate, MedianBeat, RRSeries, heart_rate, median_beat, rr_series
    from dsp.delineation import Delineation, Wave, delineate
    from dsp.filters import clean_ecg
    from dsp.mains import detect_mains
    from dsp.measurements import EcgMeasurements, measure_ecg
    from dsp.pulse import RateAgreement, pulse_agreement, pulse_peaks
    from dsp.quality import BeatQuality, LeadQuality, beat_quality, ecg_quality
    from dsp.respiration import RespirationRate, respiration_rate
    from dsp.rpeaks import RPeakStream, find_r_peaks
    from dsp.scoring import BeatScore, match_beats
    from dsp.stream import EcgFilterStream

__all__ = [
    "BeatQuality",
    "BeatScore",
    "Delineation",
    "EcgFilterStream",
    "EcgMeasurements",
    "HeartRate",
    "LeadQuality",
    "MedianBeat",
    "RPeakStream",
    "RRSeries",
    "RateAgreement",
    "RespirationRate",
    "Wave",
    "beat_quality",
    "clean_ecg",
    "delineate",
    "detect_mains",
    "ecg_quality",
    "find_r_peaks",
    "heart_rate",
    "match_beats",
    "measure_ecg",
    "median_beat",
    "pulse_agreement",
    "pulse_peaks",
    "respiration_rate",
    "rr_series",
]

_HOMES = {
    "BeatQuality": "dsp.quality",
    "BeatScore": "dsp.scoring",
    "Delineation": "dsp.delineation",
    "EcgFilterStream": "dsp.stream",
    "EcgMeasurements": "dsp.measurements",
    "HeartRate": "dsp.beats",
    "LeadQuality": "dsp.quality",
    "MedianBeat": "dsp.beats",
    "RPeakStream": "dsp.rpeaks",
    "RRSeries": "dsp.beats",
    "RateAgreement": "dsp.pulse",
    "RespirationRate": "dsp.respiration",
    "Wave": "dsp.delineation",
    "beat_quality": "dsp.quality",
    "clean_ecg": "dsp.filters",
    "delineate": "dsp.delineation",
    "detect_mains": "dsp.mains",
    "ecg_quality": "dsp.quality",
    "find_r_peaks": "dsp.rpeaks",
    "heart_rate": "dsp.beats",
    "match_beats": "dsp.scoring",
    "measure_ecg": "dsp.measurements",
    "median_beat": "dsp.beats",
    "pulse_agreement": "dsp.pulse",
    "pulse_peaks": "dsp.pulse",
    "respiration_rate": "dsp.respiration",
    "rr_series": "dsp.beats",
}


def __getattr__(name: str) -> object:
    """Load a public name from the module it lives in (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
