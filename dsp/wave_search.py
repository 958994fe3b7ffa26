"""The P and the T wave of each beat: where it is sought, which one it is, whether it is believed.

Beats come as rows in groups: all beats of a lead, or the median beats of all leads. The place where
most of a group have a wave narrows the search in each. A wave is said to be there when it stands at
the same place in most of the beats that witness for it: the fibrillation waves of one beat do not,
nor does noise. Few witnesses have to agree better, and so have the P waves of an irregular rhythm,
which is mostly one without.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import Floats, Places
from dsp.waves import (
    P_WAVE,
    T_WAVE,
    Peaks,
    Region,
    Shape,
    bridged,
    contrast,
    contrast_at,
    smoothed,
    value_at,
    wave_bounds,
)

ABSENT = -1
WITNESSES = 17  # beats of which the middle one's waves are believed or not
NORMAL = 1.4826  # standard deviations in a median absolute deviation
ASTRAY_S = 0.025  # by which a wave of one beat may lie beside that of the mean
IRREGULAR = 0.1  # usual change from one RR interval to the next, of the interval

# Where waves are sought: P by seconds before QRS onset, T by sqrt(RR) seconds after R, because QT
# goes about with the root of RR (Bazett). The second spread is that around the record's own place.
P_EXPECTED_S, P_SPREADS_S = -0.12, (0.08, 0.05)
P_EARLIEST_S, P_LATEST_S = 0.30, 0.02
T_EXPECTED_S, T_SPREADS_S = 0.30, (0.15, 0.08)
T_LATEST_S, T_AFTER_QRS_S = 0.5, 0.06
SLOWEST_RR_S = 1.6  # QT hardly lengthens beyond it


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Rows of beats, (groups, members, columns), with R at column `centre`, and their QRS bounds.

    `own` are the beats that witness: one for each row, consecutive within a group, or all the beats
    of which a row is the mean, (groups, members, beats, columns).
    """

    rows: Floats
    own: Floats
    onset: Places  # of QRS, (groups, members)
    offset: Places
    fs: float
    centre: int
    before_s: Floats  # RR interval before each member, (members,)
    after_s: Floats
    irregular: NDArray[np.bool_]  # whether the rhythm around it is, (members,)
    common: NDArray[np.bool_]  # whether its shape is that of most around, (groups, members)

    def samples(self, seconds: float) -> int:
        """Return a time in samples."""
        return round(seconds * self.fs)


def p_and_t(beats: Beats) -> tuple[Places, Places]:
    """Return onset, peak and offset of P and of T as columns, (3, groups, members) each."""
    bare = bridged(beats.rows, beats.onset, beats.offset, beats.fs)
    t = _t_waves(bare, beats)
    witnessed_by_own = beats.own.ndim > beats.rows.ndim
    ends = t[2] if witnessed_by_own else np.concatenate([t[2, :, :1], t[2, :, :-1]], axis=1)
    p = _p_waves(bare, ends - (beats.before_s * beats.fs).astype(np.intp), beats)
    onset, offset = beats.onset, beats.offset
    if witnessed_by_own:
        shape = beats.own.shape[:-1]
        onset, offset = (np.broadcast_to(b[..., np.newaxis], shape) for b in (onset, offset))
    bare = bridged(beats.own, onset, offset, beats.fs)
    few = np.sqrt(WITNESSES / min(WITNESSES, beats.own.shape[-2]))
    for wave, kind, surer in ((p, P_WAVE, few * (1.0 + beats.irregular)), (t, T_WAVE, 1.0)):
        there = _believed(bare, wave[1], beats, kind, kind.coherence * surer)
        there &= (wave[0] < wave[1]) & (wave[1] < wave[2])
        wave[:, ~there] = ABSENT
    return p, t


def _t_waves(bare: Floats, beats: Beats) -> Places:
    """Return onset, peak and offset of the T wave of each row, whether believed or not."""
    fs, samples, begin = beats.fs, beats.samples, beats.centre
    bare, qrs_end = bare[..., begin:], beats.offset - begin
    last = bare.shape[-1] - 2
    root = np.sqrt(np.minimum(beats.after_s, SLOWEST_RR_S))
    latest = np.minimum(T_LATEST_S * root, 0.7 * beats.after_s) * fs
    smooth = smoothed(bare, T_WAVE.smoothing_s * fs)
    latest = np.minimum(latest.astype(np.intp), last)
    region = Region(qrs_end + samples(T_AFTER_QRS_S), np.broadcast_to(latest, qrs_end.shape))
    rough, height = _settled(
        Peaks.of(contrast(smooth, fs, T_WAVE), region, T_WAVE),
        np.zeros_like(qrs_end),
        T_EXPECTED_S * fs,
        [spread * fs for spread in T_SPREADS_S],
        root,
    )
    next_p = ((beats.after_s - 0.12) * fs).astype(np.intp)
    end = np.minimum(np.maximum(next_p, rough + samples(T_WAVE.reach_s)), last + 1)
    bounds = wave_bounds(smooth, np.maximum(rough, 0), height, (qrs_end, end), fs, T_WAVE)
    return np.where(rough >= 0, np.stack(bounds) + begin, ABSENT)


def _p_waves(bare: Floats, t_before: Places, beats: Beats) -> Places:
    """Return onset, peak and offset of the P wave of each row, whether believed or not."""
    fs, samples, onset = beats.fs, beats.samples, beats.onset
    bare = bare[..., : beats.centre + samples(P_WAVE.width_s)]
    smooth = smoothed(bare, P_WAVE.smoothing_s * fs)
    halfway = beats.centre - (0.6 * beats.before_s * fs).astype(np.intp)
    t_over = np.minimum(t_before + samples(0.02), onset - samples(0.10))
    first = np.maximum(np.maximum(onset - samples(P_EARLIEST_S), halfway), t_over)
    region = Region(first, onset - samples(P_LATEST_S))
    rough, height = _settled(
        Peaks.of(contrast(smooth, fs, P_WAVE), region, P_WAVE),
        onset,
        P_EXPECTED_S * fs,
        [spread * fs for spread in P_SPREADS_S],
        np.ones(onset.shape[-1]),
    )
    limits = (np.zeros_like(onset), onset)
    bounds = wave_bounds(smooth, np.maximum(rough, 0), height, limits, fs, P_WAVE)
    return np.where(rough >= 0, np.stack(bounds), ABSENT)


def _settled(
    peaks: Peaks, anchor: Places, expected: float, spreads: list[float], unit: Floats
) -> tuple[Places, Floats]:
    """Return of each row the peak that counts most, sought anew around where the group has it.

    Places are told from `anchor`, in multiples of `unit`.
    """
    usual: Floats = np.full((len(anchor), 1), expected)
    rough, height = anchor, np.zeros(anchor.shape)
    for spread in spreads:
        rough, height = peaks.best(
            anchor + usual * unit, np.broadcast_to(spread * unit, rough.shape)
        )
        usual = _median((rough - anchor) / unit, rough >= 0, usual)
    return rough, height


def _median(values: Floats, counted: NDArray[np.bool_], otherwise: Floats) -> Floats:
    """Return the median of the counted values of each row, (rows, 1); `otherwise` for none."""
    count = counted.sum(axis=-1, keepdims=True)
    order = np.sort(np.where(counted, values, np.inf), axis=-1)
    low, high = (value_at(order, at[..., 0]) for at in ((count - 1) // 2, count // 2))
    return np.asarray(np.where(count > 0, ((low + high) / 2)[..., np.newaxis], otherwise))


def _believed(
    bare: Floats, peaks: Places, beats: Beats, shape: Shape, least: Floats | float
) -> NDArray[np.bool_]:
    """Say of each row whether its wave stands, the same, in the beats that witness for it.

    Noise and fibrillation give a place of the cycle a value that scatters about nothing; a wave
    gives it one that is `least` times larger than its scatter.
    """
    found, fs = peaks >= 0, beats.fs
    if bare.ndim > peaks.ndim + 1:
        at = np.broadcast_to(peaks[..., np.newaxis], bare.shape[:-1])
        seen = contrast_at(bare, at, fs, shape)
        middle, scatter = _middle_and_scatter(seen, np.ones(seen.shape, dtype=bool))
        return found & (np.abs(middle) > least * scatter)
    nothing = np.zeros((len(peaks), 1))
    usual = np.round(_median(peaks.astype(np.float64), found & beats.common, nothing))
    at = np.broadcast_to(usual.astype(np.intp), peaks.shape)
    seen = around(contrast_at(bare, at, fs, shape))
    middle, scatter = _middle_and_scatter(seen, around(beats.common))
    astray = round(ASTRAY_S * fs) * np.arange(-1, 2)[:, np.newaxis, np.newaxis]
    places = np.maximum(peaks + astray, 0)
    each = np.stack([contrast_at(bare, at, fs, shape) for at in places]) * np.sign(middle)
    own: Floats = each.max(axis=0)
    middle = np.abs(middle)
    return found & (middle > least * scatter) & (own > shape.own_share * middle)


def around(values: NDArray[Any]) -> NDArray[Any]:
    """Return for each value those of the witnesses around it, (..., WITNESSES).

    Beyond the first and the last the row is mirrored.
    """
    return values[..., _witnesses(values.shape[-1])]


@lru_cache(maxsize=16)
def _witnesses(members: int) -> Places:
    """Return who the witnesses of each of so many members are."""
    places = np.arange(members)[:, np.newaxis] + np.arange(WITNESSES) - WITNESSES // 2
    places %= 2 * members
    witnesses: Places = np.minimum(places, 2 * members - 1 - places)
    return witnesses


def irregular(rr_s: Floats) -> NDArray[np.bool_]:
    """Say of each RR interval whether the rhythm around it is irregular."""
    if rr_s.size < 2:
        return np.zeros(rr_s.shape, dtype=bool)
    change = np.abs(np.diff(rr_s, prepend=rr_s[1]))
    usual = np.median(around(rr_s), axis=-1)
    return np.asarray(np.median(around(change), axis=-1) > IRREGULAR * usual)


def _middle_and_scatter(seen: Floats, counted: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the median of what is counted, and the standard deviation around it."""
    nothing = np.zeros((*seen.shape[:-1], 1))
    middle = _median(seen, counted, nothing)
    scatter = NORMAL * _median(np.abs(seen - middle), counted, nothing)
    return middle[..., 0], scatter[..., 0]
