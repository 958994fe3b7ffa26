"""A cart's file in the analysis process: read, completed, measured, put into plain values.

Measured are all standard leads as stored: `dsp.measure_ecg` wants them unfiltered. Named is the
study by what was stored, so that another reader of the same file gives it the same name.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import dsp
from drivers.errors import FormatError
from drivers.formats import read_ecg
from drivers.formats.spelling import CartValue
from drivers.model import EcgRecording
from edge.analysis_wire import MAX_HEADER_BYTES, LeadVerdict, Message, StudyReply
from edge.samples import canonical_sha256

QTC = {"Bazett": "qtc_bazett_ms", "Fridericia": "qtc_fridericia_ms"}
MAX_SAMPLES = 2_000_000  # twelve leads for five minutes at 500 Hz
TEXT_CHARS = MAX_HEADER_BYTES // 8  # of all words of a file; a cart's are a few hundred


@dataclass(frozen=True, slots=True)
class Computed:
    """Our values by name, the reasons for others, beats found, and each lead's quality."""

    ours: tuple[tuple[str, float], ...]
    reasons: tuple[tuple[str, str], ...]
    beats: int
    quality: tuple[LeadVerdict, ...]


def study(data: bytes) -> Message:
    """Read and measure a file; FormatError says why it cannot be read."""
    recording = read_ecg(data)
    if recording.microvolts.size > MAX_SAMPLES:
        size = recording.microvolts.size
        raise FormatError(f"{size} samples; a resting ECG has at most {MAX_SAMPLES}", 0)
    whole = recording.standard_leads()
    found = computed(whole)
    _check_words(recording)
    patient, device = recording.patient, recording.device
    reply = StudyReply(
        stored=recording.leads,
        fs=recording.fs,
        acquired=recording.acquired.isoformat() if recording.acquired else None,
        patient=(patient.patient_id, patient.name, patient.birth_date, patient.sex),
        device=(device.model, device.serial, device.firmware) if device else (None, None, None),
        order=recording.order,
        filters=recording.filters,
        measurements=tuple(pair for pair in recording.measurements if "." not in pair[0]),
        statements=recording.statements,
        samples_sha256=canonical_sha256(recording.leads, recording.fs, recording.microvolts),
        ours=found.ours,
        reasons=found.reasons,
        beats=found.beats,
        leads=tuple(zip(whole.leads, found.quality, strict=True)),
        derived=tuple(name for name in whole.leads if name in whole.derived),
        shapes=(recording.microvolts.shape,),
    )
    return reply, (recording.microvolts,)


def computed(whole: EcgRecording) -> Computed:
    """Measure a recording with all leads that it can have."""
    try:
        return _found(whole.microvolts, whole.fs, whole.leads)
    except ValueError as wrong:  # a rate or a length that no measurement is made for
        nothing = tuple(LeadVerdict(usable=False, flaws=()) for _ in whole.leads)
        return Computed((), (("all", str(wrong)[:200]),), 0, nothing)


def _found(microvolts: NDArray[np.float64], fs: float, leads: tuple[str, ...]) -> Computed:
    measured = dsp.measure_ecg(microvolts, fs, leads)
    values = {
        CartValue.HEART_RATE: measured.heart_rate,
        CartValue.P: measured.p_ms,
        CartValue.PR: measured.pr_ms,
        CartValue.QRS: measured.qrs_ms,
        CartValue.QT: measured.qt_ms,
        CartValue.P_AXIS: measured.p_axis,
        CartValue.QRS_AXIS: measured.qrs_axis,
        CartValue.T_AXIS: measured.t_axis,
    }
    named = {name.value: value for name, value in values.items()}
    named |= {name: measured.qtc_ms.get(formula) for formula, name in QTC.items()}
    ours = tuple(
        (name, round(float(value), 1))
        for name, value in named.items()
        if value is not None and math.isfinite(value)
    )
    quality = dsp.ecg_quality(microvolts, fs, microvolts=True)
    return Computed(
        ours=ours,
        reasons=tuple(measured.reasons.items()),
        beats=measured.median_beat.used.size,
        quality=tuple(LeadVerdict(lead.usable, lead.flaws) for lead in quality),
    )


def _check_words(recording: EcgRecording) -> None:
    """Refuse a file with more words than a cart has to say: they go where people read them."""
    pairs = [text for pair in recording.measurements if "." not in pair[0] for text in pair]
    words = [*recording.statements, *recording.filters, *recording.leads, *pairs]
    patient, device = recording.patient, recording.device
    words += filter(None, (patient.patient_id, patient.name, recording.order))
    words += filter(None, (device.model, device.serial, device.firmware) if device else ())
    total = sum(map(len, words))
    if total > TEXT_CHARS or len(words) > TEXT_CHARS // 8:
        raise FormatError(f"{total} letters of text; a recording has at most {TEXT_CHARS}", 0)
