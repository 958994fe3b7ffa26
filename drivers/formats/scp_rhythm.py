"""SCP-ECG sections 3 to 6: which leads, where the beats lie, the reference beat, the rhythm.

3  leads u8, flags u8 (bit 0 reference beat subtracted); for each lead first and last sample u32,
   counted from 1, and its code u8
4  length of the reference beat in ms u16, its fiducial sample u16, beats u16; for each beat type
   u16, SB, fcM, SE u32; then perhaps protected zones QB, QE u32 for each
5  of the reference beat, 6 of the rhythm: nV a step u16, µs a sample u16, differences u8 (0 none,
   1 first, 2 second), in section 6 bimodal u8 (reserved from 3.0 on); bytes u16 and then data for
   each lead, int16 where there is no section 2

Samples SB to SE of each beat of type 0 have the reference beat taken off, its fiducial sample at
fcM. Both sections have steps of their own. Protected zones matter to bimodal data alone, which is
refused: no real file has been seen and every published reader doubts itself. So is a rhythm at
another rate than its reference beat's, which only bimodal data has reason for.

Leads that are not recorded all the time have gaps. Raw data may be one sample longer or shorter
than section 3 says (some carts count from 0): its bytes count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.errors import FormatError
from drivers.formats.scp_huffman import Decoding, read_tables
from drivers.formats.scp_sections import EDITION_3, Section

MAX_SAMPLES = 2_000_000  # of all leads: 12 for five minutes at 500 Hz
MAX_BEATS = 2000  # five minutes at a rate of 400
MAX_OVERLAP = 4  # times the rhythm that zones of all beats may cover
STEP_LIMITS = (-32768, 32767)  # samples are 16-bit numbers whatever their differences

# Lead codes of the standard; others are named by their number.
_FROM_1 = (
    "I II V1 V2 V3 V4 V5 V6 V7 V2R V3R V4R V5R V6R V7R X Y Z CC5 CM5 LA RA LL fI fE fC fA fM fF fH"
)
_FROM_61 = "III aVR aVL aVF -aVR V8 V9 V8R V9R D A J"
LEADS = dict(enumerate(_FROM_1.split(), 1)) | dict(enumerate(_FROM_61.split(), 61))
UNNAMED = "lead-"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The decoded leads; `microvolts[lead, sample]` with NaN where a lead was not recorded."""

    leads: tuple[str, ...]
    fs: float
    microvolts: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Lead:
    name: str
    first: int
    last: int
    at: int  # where section 3 says so

    @property
    def samples(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class _Chunk:
    """One lead's data in section 5 or 6."""

    data: bytes
    at: int
    what: str


@dataclass(frozen=True, slots=True)
class _Stored:
    """Section 5 or 6 before decoding."""

    step_nv: int
    interval_us: int
    differences: int
    byte_6: int
    chunks: Sequence[_Chunk]


@dataclass(frozen=True, slots=True)
class _Beat:
    begin: int
    centre: int
    end: int


@dataclass(frozen=True, slots=True)
class _Reference:
    """The reference beat of every lead in nanovolts, and where it was taken off."""

    nanovolts: Sequence[NDArray[np.int64]]
    fiducial: int
    beats: Sequence[_Beat]


def lead_name(code: int) -> str:
    """Return how a lead of this code is spelled."""
    return LEADS.get(code, f"{UNNAMED}{code}")


def read_rhythm(sections: Mapping[int, Section], protocol: int) -> Rhythm:
    """Return the rhythm, its reference beat put back; FormatError where it cannot be had whole.

    `protocol` is the writing device's, 0 where it says none and the sections do.
    """
    for number, content in ((3, "lead definition"), (6, "rhythm")):
        if number not in sections:
            raise FormatError(f"section {number} ({content}) is missing", 0)
    leads, subtracted = _leads(sections[3])
    decoding = Decoding(read_tables(sections[2])) if 2 in sections else None
    stored = _stored(sections[6], leads)
    if stored.byte_6 and (protocol or sections[6].protocol) not in EDITION_3:
        reason = "section 6: bimodal compression is not read, as no real file has proven a reader"
        raise FormatError(reason, sections[6].at)
    counts = [
        _count(lead, chunk, decoding) for lead, chunk in zip(leads, stored.chunks, strict=True)
    ]
    size = _size(leads, counts)
    steps = _decoded(stored, counts, decoding)
    nanovolts = [lead_steps * stored.step_nv for lead_steps in steps]
    if subtracted:
        _put_back(_reference(sections, leads, stored, decoding), leads, nanovolts)
    return _aligned(leads, nanovolts, size, 1e6 / stored.interval_us)


def _leads(section: Section) -> tuple[list[_Lead], bool]:
    cursor = section.cursor()
    count, flags = cursor.u8(), cursor.u8()
    if count == 0:
        raise cursor.wrong("no lead")
    leads: list[_Lead] = []
    for number in range(1, count + 1):
        at, first, last, code = cursor.at, cursor.u32(), cursor.u32(), cursor.u8()
        name = lead_name(code) if code else f"{UNNAMED}unspecified-{number}"
        if last < first:
            raise FormatError(f"section 3: lead {name} from sample {first} to {last}", at)
        if any(name == lead.name for lead in leads):
            raise FormatError(f"section 3: lead {name} is there twice", at)
        leads.append(_Lead(name, first, last, at))
    return leads, bool(flags & 1)


def _stored(section: Section, leads: Sequence[_Lead]) -> _Stored:
    cursor = section.cursor()
    step_nv, interval_us, differences, byte_6 = cursor.u16(), cursor.u16(), cursor.u8(), cursor.u8()
    if not (step_nv and interval_us):
        raise cursor.wrong(f"steps of {step_nv} nV every {interval_us} µs")
    if differences > 2:
        raise cursor.wrong(f"differences of kind {differences}; known are 0, 1 and 2")
    sizes = [cursor.u16() for _ in leads]
    chunks = []
    for lead, size in zip(leads, sizes, strict=True):
        at = cursor.at
        chunks.append(_Chunk(cursor.take(size), at, f"section {section.number}, lead {lead.name}"))
    return _Stored(step_nv, interval_us, differences, byte_6, chunks)


def _count(lead: _Lead, chunk: _Chunk, decoding: Decoding | None) -> int:
    """Return how many samples a lead has."""
    if decoding is not None:
        if lead.first == 0:
            reason = f"section 3: lead {lead.name} begins at sample 0, so its length is not certain"
            raise FormatError(reason, lead.at)
        return lead.samples
    held = len(chunk.data) // 2
    if len(chunk.data) % 2 or abs(held - lead.samples) > 1 or held == 0:
        reason = f"{chunk.what}: {lead.samples} samples by section 3, {len(chunk.data)} bytes here"
        raise FormatError(reason, chunk.at)
    return held


def _size(leads: Sequence[_Lead], counts: Sequence[int]) -> int:
    """Return how many samples all leads span together."""
    begin = min(lead.first for lead in leads)
    size = max(lead.first + count for lead, count in zip(leads, counts, strict=True)) - begin
    if size * len(leads) > MAX_SAMPLES:
        reason = f"section 3: {len(leads)} leads over {size} samples; {MAX_SAMPLES} in all are read"
        raise FormatError(reason, leads[0].at)
    return size


def _decoded(
    stored: _Stored, counts: Sequence[int], decoding: Decoding | None
) -> list[NDArray[np.int64]]:
    """Return the samples of each lead in steps."""
    leads = []
    for chunk, count in zip(stored.chunks, counts, strict=True):
        if decoding is None:
            values = np.frombuffer(chunk.data, dtype="<i2", count=count).astype(np.int64)
        else:
            values = decoding.samples(chunk.data, count, chunk.at, chunk.what)
        steps = _summed(values, stored.differences)
        if steps.min() < STEP_LIMITS[0] or steps.max() > STEP_LIMITS[1]:
            raise FormatError(f"{chunk.what}: the differences leave the 16-bit range", chunk.at)
        leads.append(steps)
    return leads


def _summed(values: NDArray[np.int64], differences: int) -> NDArray[np.int64]:
    """Undo differences; the first one or two values are stored as they are."""
    if differences == 0 or len(values) < differences:
        return values
    if differences == 1:
        return np.cumsum(values)
    slopes = values[1:].copy()
    slopes[0] -= values[0]
    return np.concatenate([values[:1], values[0] + np.cumsum(np.cumsum(slopes))])


def _reference(
    sections: Mapping[int, Section],
    leads: Sequence[_Lead],
    rhythm: _Stored,
    decoding: Decoding | None,
) -> _Reference:
    """Return the reference beat that section 3 says was taken off."""
    for number in (4, 5):
        if number not in sections:
            reason = f"the reference beat was taken off, but section {number} is missing"
            raise FormatError(reason, sections[3].at)
    length_ms, fiducial, beats = _beats(sections[4])
    covered = sum(max(0, beat.end - beat.begin + 1) for beat in beats)
    if covered > MAX_OVERLAP * (max(lead.last for lead in leads) + 1):
        raise FormatError("section 4: the beats lie upon each other", sections[4].at)
    stored = _stored(sections[5], leads)
    if stored.interval_us != rhythm.interval_us:
        reason = (
            f"section 5: a reference beat every {stored.interval_us} µs in a rhythm "
            f"every {rhythm.interval_us} µs is not read"
        )
        raise FormatError(reason, sections[5].at)
    longest = -(-length_ms * 1000 // stored.interval_us)
    try:
        steps = _decoded(stored, _reference_counts(stored, longest, decoding), decoding)
    except FormatError:
        # The length in ms is rounded by some writers, rounded up by others.
        shorter = _reference_counts(stored, length_ms * 1000 // stored.interval_us, decoding)
        steps = _decoded(stored, shorter, decoding)
    return _Reference([lead * stored.step_nv for lead in steps], fiducial, beats)


def _reference_counts(stored: _Stored, count: int, decoding: Decoding | None) -> list[int]:
    if count * len(stored.chunks) > MAX_SAMPLES:
        reason = f"section 4: a reference beat of {count} samples; {MAX_SAMPLES} in all are read"
        raise FormatError(reason, stored.chunks[0].at)
    for chunk in stored.chunks:
        if count == 0 or (decoding is None and len(chunk.data) < 2 * count):
            raise FormatError(
                f"{chunk.what}: {len(chunk.data)} bytes for {count} samples", chunk.at
            )
    return [count] * len(stored.chunks)


def _beats(section: Section) -> tuple[int, int, list[_Beat]]:
    """Return length in ms and fiducial of the reference beat, and the beats it was taken off."""
    cursor = section.cursor()
    length_ms, fiducial, count = cursor.u16(), cursor.u16(), cursor.u16()
    if count > MAX_BEATS:
        raise cursor.wrong(f"{count} beats; {MAX_BEATS} are read")
    beats = []
    for _ in range(count):
        kind, begin, centre, end = cursor.u16(), cursor.u32(), cursor.u32(), cursor.u32()
        if kind == 0:
            beats.append(_Beat(begin, centre, end))
    return length_ms, fiducial, beats


def _put_back(
    reference: _Reference, leads: Sequence[_Lead], nanovolts: Sequence[NDArray[np.int64]]
) -> None:
    """Add the reference beat where it was taken off, as far as lead and beat reach."""
    for lead, wave, shape in zip(leads, nanovolts, reference.nanovolts, strict=True):
        for beat in reference.beats:
            shift = reference.fiducial - beat.centre  # from sample numbers to those of the beat
            first = max(beat.begin, lead.first, 1 - shift)
            last = min(beat.end, lead.first + len(wave) - 1, len(shape) - shift)
            if first <= last:
                piece = shape[first + shift - 1 : last + shift]
                wave[first - lead.first : last - lead.first + 1] += piece


def _aligned(
    leads: Sequence[_Lead], nanovolts: Sequence[NDArray[np.int64]], size: int, fs: float
) -> Rhythm:
    begin = min(lead.first for lead in leads)
    microvolts = np.full((len(leads), size), np.nan)
    for row, lead, wave in zip(microvolts, leads, nanovolts, strict=True):
        row[lead.first - begin : lead.first - begin + len(wave)] = wave / 1000
    return Rhythm(tuple(lead.name for lead in leads), fs, microvolts)
