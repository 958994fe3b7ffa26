"""The laws of every ECG file format: a new one meets them by being in FORMATS.

Total: any bytes are a recording or one FormatError with a place in the file and a reason. Whole:
what is cut off is refused. Bounded: time and memory are linear in the file, whatever it claims.
Round trip: what `encode` writes is read back, to half a step of its scale.
"""

import gc
import hashlib
import runpy
import struct
import tracemalloc
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import FormatError
from drivers.formats import FORMATS, MAX_BYTES, format_of, read_ecg
from drivers.model import STANDARD_LEADS, CartPatient, EcgRecording, InstrumentId

scp = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("scp_oracle.py"))))

EXAMPLES = 150
MEMORY = 64_000_000  # four times what two million samples take
EXTREMES = [0, 1, 2, 16, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]

every_format = pytest.mark.parametrize("name", sorted(FORMATS))
every_written_format = pytest.mark.parametrize(
    "name", sorted(name for name, known in FORMATS.items() if known.suffix)
)


def recording(leads=("I", "II", "V1"), n=50, fs=500.0, step=2.5, seed=1, **more):
    steps = np.random.default_rng(seed).integers(-300, 300, (len(leads), n))
    return EcgRecording(leads, fs, steps * step, None, "00", **more)


# Per format: valid files that its own writer never makes, and how to put checksums right again.
SAMPLES = {"scp": lambda: [scp.record(scp.everything()), scp.record(scp.everything(), version=30)]}
SEALED = {"scp": scp.resealed}


@cache
def corpus(name):
    known = FORMATS[name]
    files = SAMPLES[name]() if name in SAMPLES else []
    if known.suffix:
        files += [known.load().encode(recording(n=n, seed=n)) for n in (1, 2, 50)]
    return files


def told(data, read=read_ecg):
    """Read; what comes is a sound recording, or an error with place and reason."""
    try:
        got = read(data)
    except FormatError as caught:
        error = caught
    else:
        return sound(got, data)
    assert error.reason
    assert 0 <= error.offset <= len(data)
    return None


def sound(got, data):
    assert got.microvolts.dtype == np.float64
    assert not got.microvolts.flags.writeable
    assert got.microvolts.shape[0] == len(got.leads) == len(set(got.leads))
    assert got.fs > 0
    assert got.original_sha256 == hashlib.sha256(data).hexdigest()
    return got


def mutated(name):
    """Valid files with numbers, stretches and single bytes replaced, their checksums put right."""
    number = st.tuples(
        st.floats(0, 1, exclude_max=True), st.sampled_from("BHI"), st.sampled_from(EXTREMES)
    )
    stretch = st.tuples(st.floats(0, 1), st.integers(0, 30), st.binary(max_size=30))

    def changed(data, numbers, stretches, seal):
        data = bytearray(data)
        for where, layout, value in numbers:
            size = struct.calcsize(layout)
            at = min(int(where * len(data)), len(data) - size)
            struct.pack_into("<" + layout, data, at, value % (1 << 8 * size))
        for where, gone, new in stretches:
            at = int(where * len(data))
            data[at : at + gone] = new
        return SEALED.get(name, bytes)(bytes(data)) if seal else bytes(data)

    return st.builds(
        changed,
        st.sampled_from(corpus(name)),
        st.lists(number, max_size=4),
        st.lists(stretch, max_size=1),
        st.sampled_from([True, True, True, False]),
    )


@every_format
def test_valid_files_are_known_by_their_content(name):
    assert corpus(name)
    for data in corpus(name):
        assert format_of(data) is FORMATS[name]
        assert told(data) is not None


@every_format
def test_any_bytes_are_a_recording_or_an_error_with_place_and_reason(name):
    @settings(max_examples=EXAMPLES)
    @given(st.binary(max_size=300))
    def law(data):
        told(data)
        told(data, FORMATS[name].load().read)

    law()


@every_format
def test_a_mutated_file_is_a_recording_or_an_error_with_place_and_reason(name):
    @settings(max_examples=EXAMPLES)
    @given(mutated(name))
    def law(data):
        told(data)
        told(data, FORMATS[name].load().read)

    law()


@every_format
def test_a_file_cut_off_anywhere_is_never_half_a_recording(name):
    data = min(corpus(name), key=len)
    for end in range(len(data)):
        assert told(data[:end]) is None


@every_format
def test_reading_changes_nothing_for_the_next_file(name):
    first, second = corpus(name)[:2]
    whole = told(first).microvolts
    told(second)
    told(first[: len(first) // 2])
    np.testing.assert_array_equal(told(first).microvolts, whole)


@every_format
def test_no_file_takes_more_memory_than_its_format_allows(name):
    @settings(max_examples=EXAMPLES // 10)
    @given(mutated(name))
    def law(data):
        gc.collect()
        tracemalloc.start()
        told(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak <= MEMORY

    law()


@every_format
def test_a_file_of_more_bytes_than_an_ecg_has_is_refused_unread(name):
    data = corpus(name)[0]
    assert told(data + bytes(MAX_BYTES)) is None


ALPHABETS = ["abcXYZ019", "aéîöüñÅ", "aąćęłśżŻ", "Иванов", "王伟"]


@st.composite
def recordings(draw):
    words = st.text(draw(st.sampled_from(ALPHABETS)), min_size=1)
    leads = draw(st.lists(st.sampled_from(STANDARD_LEADS), min_size=1, unique=True))
    patient = CartPatient(
        draw(st.none() | words),
        draw(st.none() | words),
        draw(st.none() | st.dates().map(str)),
        draw(st.sampled_from([None, "male", "female", "unknown"])),
    )
    return recording(
        tuple(leads),
        n=draw(st.integers(1, 60)),
        fs=draw(st.sampled_from([250.0, 500.0, 1000.0])),
        step=draw(st.sampled_from([0.5, 1.25, 2.5, 4.88])),
        seed=draw(st.integers(0, 99)),
        patient=patient,
        device=draw(st.none() | st.just(InstrumentId("x", "Maker Model", "SN", "1.0"))),
        statements=tuple(draw(st.lists(words, max_size=3, unique=True))),
    )


@every_written_format
def test_what_is_written_is_read_back(name):
    module = FORMATS[name].load()

    @settings(max_examples=EXAMPLES // 2)
    @given(recordings())
    def law(original):
        got = told(module.encode(original))
        assert (got.leads, got.fs) == (original.leads, original.fs)
        np.testing.assert_allclose(got.microvolts, original.microvolts, rtol=0, atol=1e-9)
        assert got.patient == original.patient
        assert got.statements == original.statements

    law()


@every_written_format
def test_writing_the_same_recording_twice_gives_the_same_bytes(name):
    encode = FORMATS[name].load().encode
    assert encode(recording()) == encode(recording())
