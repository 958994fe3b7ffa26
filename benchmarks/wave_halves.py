"""What choosing constants on the recordings gains: chosen on one half, scored on the other.

Each constant is tried below and above the value we ship while the others stay; of each, the value
is taken that does best on every other recording, and all together are scored on the rest; then the
other way round. What so comes out beside the shipped figures is what fitting can have gained.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

import numpy as np

from benchmarks.wave_marks import LEAD_II, Errors, Marked, errors, found_by_us
from dsp import wave_search, waves

# Constant, or field of one, and the values it may take; the middle one is shipped.
CHOICES: tuple[tuple[ModuleType, str, str | None, tuple[float, float, float]], ...] = (
    (waves, "SLOPE_SHARE", None, (0.037, 0.047, 0.057)),
    (waves, "SLOPE_LATE_S", None, (0.0, 0.003, 0.006)),
    (waves, "QUIET_FACTOR", None, (2.0, 2.5, 3.0)),
    (waves, "QRS_SMOOTHING_S", None, (0.012, 0.016, 0.02)),
    (wave_search, "P_WAVE", "smoothing_s", (0.022, 0.03, 0.038)),
    (wave_search, "P_WAVE", "before_s", (0.08, 0.09, 0.1)),
    (wave_search, "P_WAVE", "after_s", (0.055, 0.065, 0.075)),
    (wave_search, "T_WAVE", "smoothing_s", (0.03, 0.04, 0.05)),
    (wave_search, "T_WAVE", "after_s", (0.105, 0.12, 0.135)),
    (wave_search, "T_WAVE", "width_s", (0.26, 0.32, 0.38)),
    (wave_search, "T_WAVE", "negative", (0.8, 0.9, 1.0)),
    (wave_search, "T_EXPECTED_S", None, (0.28, 0.30, 0.32)),
    (wave_search, "T_WAVE", "blur_s", (0.045, 0.06, 0.075)),
)
SCORED = {"P on": 13, "P off": 15, "QRS on": 9, "QRS off": 12, "T peak": 16, "T off": 20}  # ms

OfRecord = dict[str, Errors]


def held_out(records: Sequence[Marked]) -> list[OfRecord]:
    """Return the errors of each recording, measured with what was chosen on the other half."""
    chosen: list[dict[int, float]] = [{}, {}]
    for number, (*_, values) in enumerate(CHOICES):
        tried = {value: measured(records, {number: value}) for value in values}
        for half in (0, 1):
            chosen[half][number] = min(values, key=lambda v: _loss(tried[v][half::2]))
    both = [measured(records, chosen[half]) for half in (0, 1)]
    return [both[1 - at % 2][at] for at in range(len(records))]


def measured(records: Sequence[Marked], changes: dict[int, float] | None = None) -> list[OfRecord]:
    """Return the errors of each recording: lead II of twelve, or the better of two."""
    with _changed(changes or {}):
        return [of_record(record) for record in records]


def of_record(record: Marked) -> OfRecord:
    """Return the errors of one recording."""
    leads = (LEAD_II,) if len(record.marks) > 1 else range(len(record.ecg))
    marked = record.marks[LEAD_II if len(record.marks) > 1 else 0]
    return errors(marked, found_by_us(record, leads), record.fs)


def _loss(half: Sequence[OfRecord]) -> float:
    """Return how large errors are, each kind against its aim."""
    loss = 0.0
    for point, aim in SCORED.items():
        every = np.concatenate([one[point].ms for one in half])
        loss += float(np.sqrt(np.square(every).mean())) / aim
    return loss


@contextmanager
def _changed(changes: dict[int, float]) -> Iterator[None]:
    """Put other constants in place for a while."""
    before = [(module, name, getattr(module, name)) for module, name, *_ in CHOICES]
    try:
        for number, value in changes.items():
            module, name, part, _ = CHOICES[number]
            now = value
            if part is not None:
                now = dataclasses.replace(getattr(module, name), **{part: value})
            setattr(module, name, now)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
