"""SCP-ECG samples: every way of storing them that the layout has, against an encoder made from it.

No real file has been seen of tables of one's own, raw samples, first differences and a reference
beat, so that these are proven by `scp_oracle` alone, which shares nothing with the reader.
"""

import runpy
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import FormatError
from drivers.formats import read_ecg
from drivers.formats.scp_huffman import MAX_TABLES
from drivers.formats.scp_rhythm import MAX_BEATS, MAX_SAMPLES

scp = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("scp_oracle.py"))))

# Rows of the default table as they are published: prefix, all bits, mode, value, code.
PUBLISHED = [
    *[(1, 1, 1, 0, 0), (3, 3, 1, 1, 1), (3, 3, 1, -1, 5), (4, 4, 1, 2, 3), (4, 4, 1, -2, 11)],
    *[(5, 5, 1, 3, 7), (5, 5, 1, -3, 23), (6, 6, 1, 4, 15), (6, 6, 1, -4, 47)],
    *[(7, 7, 1, 5, 31), (7, 7, 1, -5, 95), (8, 8, 1, 6, 63), (8, 8, 1, -6, 191)],
    *[(9, 9, 1, 7, 127), (9, 9, 1, -7, 383), (10, 10, 1, 8, 255), (10, 10, 1, -8, 767)],
    *[(10, 18, 1, 0, 511), (10, 26, 1, 0, 1023)],
]


def default():
    return struct.pack("<H", scp.DEFAULT)


def one_lead(section_6, count, table=None, span=None, **more):
    bodies = {3: scp.leads([(2, *(span or (1, count)))]), 6: section_6} | more.pop("bodies", {})
    if table is not None:
        bodies[2] = table
    return scp.record(bodies, **more)


def steps(recording, step_nv=1000):
    """The samples of the first lead in steps of the file, exactly."""
    wave = recording.microvolts[0] * 1000 / step_nv
    assert (wave == np.rint(wave)).all()
    return wave.astype(int).tolist()


def smooth(draw):
    """Samples whose second differences have 16 bits, as every code can say them."""
    jumps = draw(
        st.lists(st.integers(-200, 200) | st.integers(-4000, 4000), min_size=1, max_size=40)
    )
    wave = np.clip(np.cumsum(jumps), -8000, 8000)
    return wave.tolist()


waves = st.composite(smooth)()


@st.composite
def code_tables(draw):
    """Up to three tables without a code that begins with another, each able to say any number."""
    size = draw(st.integers(1, 3))
    made = []
    for number in range(1, size + 1):
        values = draw(st.lists(st.integers(-60, 60), unique=True, max_size=12))
        rows = [(value, 0, 0) for value in values] + [(0, 8, 0), (0, 16, 0)]
        rows += [(0, 0, other) for other in range(1, size + 1) if other != number]
        leaves = [""]
        while len(leaves) < len(rows):
            leaf = leaves.pop(draw(st.integers(0, len(leaves) - 1)))
            leaves += [leaf + "0", leaf + "1"]
        made.append([(bits, *row) for bits, row in zip(leaves, rows, strict=True)])
    return made


@settings(max_examples=60)
@given(wave=waves, times=st.integers(0, 2))
def test_the_default_table_gives_back_what_was_coded_with_any_differences(wave, times):
    chunk = scp.coded(scp.differences(wave, times), [scp.DEFAULT_CODES])
    data = one_lead(scp.samples(1000, 2000, times, [chunk]), len(wave), default())
    assert steps(read_ecg(data)) == wave


@settings(max_examples=60)
@given(wave=waves, times=st.integers(0, 2), codes=code_tables(), data=st.data())
def test_tables_of_ones_own_and_switching_between_them_give_back_what_was_coded(
    wave, times, codes, data
):
    tables = st.integers(1, len(codes))
    switches = data.draw(st.lists(tables, min_size=len(wave), max_size=len(wave)))
    chunk = scp.coded(scp.differences(wave, times), codes, switches)
    record = one_lead(scp.samples(1000, 2000, times, [chunk]), len(wave), scp.tables(*codes))
    assert steps(read_ecg(record)) == wave


@settings(max_examples=40)
@given(wave=st.lists(st.integers(-8000, 8000), min_size=1, max_size=40), times=st.integers(0, 2))
def test_without_a_table_samples_are_16_bit_numbers_with_any_differences(wave, times):
    chunk = scp.raw(scp.differences(wave, times))
    data = one_lead(scp.samples(1000, 2000, times, [chunk]), len(wave))
    assert steps(read_ecg(data)) == wave


def test_the_default_table_is_the_published_one():
    rows = b"".join(struct.pack("<BBBhI", *row) for row in PUBLISHED)
    written_out = struct.pack("<HH", 1, len(PUBLISHED)) + rows
    values = [*range(-8, 9), 127, -128, 128, -129, 32767, -32768]
    section = scp.samples(1000, 2000, 0, [scp.coded(values, [scp.DEFAULT_CODES])])
    assert steps(read_ecg(one_lead(section, len(values), written_out))) == values
    assert steps(read_ecg(one_lead(section, len(values), default()))) == values


def test_bits_are_sent_from_the_highest_of_each_byte():
    # 0, then 100 = 1, 101 = -1, 1100 = 2, 1111111110 with 8 bits = -100, and padding of ones
    bits = "01001011100111111111010011100" + "1" * 11
    chunk = int(bits, 2).to_bytes(5, "big")
    data = one_lead(scp.samples(1000, 2000, 0, [chunk]), 5, default())
    assert steps(read_ecg(data)) == [0, 1, -1, 2, -100]


def test_second_differences_begin_with_two_samples_as_they_are():
    data = one_lead(scp.samples(1000, 2000, 2, [scp.raw([10, 12, 1, -4])]), 4)
    assert steps(read_ecg(data)) == [10, 12, 15, 14]


@pytest.mark.parametrize("padding", [b"", b"\0", b"\xff", b"\xff\xff\xff"])
def test_what_follows_the_last_sample_of_a_lead_is_never_decoded(padding):
    chunk = scp.coded([5, -5, 100], [scp.DEFAULT_CODES]) + padding
    data = one_lead(scp.samples(1000, 2000, 0, [chunk]), 3, default())
    assert steps(read_ecg(data)) == [5, -5, 100]


@settings(max_examples=60)
@given(data=st.data(), times=st.integers(0, 2), with_zones=st.booleans(), coded=st.booleans())
def test_the_reference_beat_is_put_back_in_steps_of_its_own(data, times, with_zones, coded):
    small = st.integers(-900, 900)
    shape = data.draw(st.lists(small, min_size=4, max_size=12))
    first = data.draw(st.integers(1, 5))
    rest = data.draw(st.lists(small, min_size=30, max_size=40))
    last = first + len(rest) - 1
    fiducial = data.draw(st.integers(1, len(shape)))
    beats, begin = [], 1
    while begin <= last:
        end = begin + data.draw(st.integers(0, len(shape) - 1))
        centre = begin + data.draw(st.integers(-2, len(shape)))
        beats.append((data.draw(st.integers(0, 1)), begin, max(0, centre), end))
        begin = end + data.draw(st.integers(1, 12))
    own_nv, rest_nv = data.draw(st.sampled_from([(5000, 20000), (2500, 1000), (1000, 1000)]))

    def stored(values):
        values = scp.differences(values, times)
        return scp.coded(values, [scp.DEFAULT_CODES]) if coded else scp.raw(values)

    bodies = {
        3: scp.leads([(2, first, last)], subtracted=True),
        4: scp.beats(
            2 * len(shape), fiducial, beats, [(1, 2)] * len(beats) if with_zones else None
        ),
        5: scp.samples(own_nv, 2000, times, [stored(shape)]),
        6: scp.samples(rest_nv, 2000, times, [stored(rest)]),
    } | ({2: default()} if coded else {})
    got = np.rint(read_ecg(scp.record(bodies)).microvolts[0] * 1000).astype(int).tolist()
    left = scp.subtracted(got, [own_nv * value for value in shape], beats, fiducial, first)
    assert left == [rest_nv * value for value in rest]


def test_a_reference_beat_is_put_back_with_its_fiducial_sample_at_each_beat():
    bodies = {
        3: scp.leads([(1, 1, 8)], subtracted=True),
        4: scp.beats(6, 2, [(0, 3, 4, 5)]),
        5: scp.samples(1000, 2000, 0, [scp.raw([10, 50, 20])]),
        6: scp.samples(2000, 2000, 0, [scp.raw([1] * 8)]),
    }
    assert steps(read_ecg(scp.record(bodies))) == [2, 2, 12, 52, 22, 2, 2, 2]


def test_a_reference_beat_that_was_not_taken_off_is_not_put_back():
    bodies = {
        3: scp.leads([(1, 1, 8)]),
        4: scp.beats(6, 2, [(0, 3, 4, 5)]),
        5: scp.samples(1000, 2000, 0, [scp.raw([10, 50, 20])]),
        6: scp.samples(2000, 2000, 0, [scp.raw([1] * 8)]),
    }
    assert steps(read_ecg(scp.record(bodies)), 2000) == [1] * 8


@pytest.mark.parametrize("length_ms", [718, 719])
def test_the_length_of_the_reference_beat_in_ms_may_be_rounded_either_way(length_ms):
    shape = [7] * 431  # of 1667 µs: 718.5 ms
    bodies = {
        3: scp.leads([(1, 1, 500)], subtracted=True),
        4: scp.beats(length_ms, 1, [(0, 1, 1, 431)]),
        5: scp.samples(1000, 1667, 0, [scp.raw(shape)]),
        6: scp.samples(1000, 1667, 0, [scp.raw([0] * 500)]),
    }
    assert steps(read_ecg(scp.record(bodies))) == [7] * 431 + [0] * 69


@pytest.mark.parametrize(
    ("interval_us", "fs"), [(1000, 1000.0), (2000, 500.0), (4000, 250.0), (1667, 1e6 / 1667)]
)
def test_the_rate_is_that_of_the_interval_and_not_a_rounder_one(interval_us, fs):
    data = one_lead(scp.samples(1000, interval_us, 0, [scp.raw([1, 2])]), 2)
    assert read_ecg(data).fs == fs


def test_leads_are_told_by_their_code_whatever_their_place():
    codes = [2, 11, 3, 62, 9, 66, 1, 200]
    bodies = {
        3: scp.leads([(code, 1, 2) for code in codes]),
        6: scp.samples(1000, 2000, 0, [scp.raw([code, code]) for code in codes]),
    }
    got = read_ecg(scp.record(bodies))
    assert got.leads == ("II", "V3R", "V1", "aVR", "V7", "V8", "I", "lead-200")
    assert got.microvolts[:, 0].tolist() == codes


def test_a_lead_that_is_not_recorded_all_the_time_has_gaps():
    bodies = {
        3: scp.leads([(1, 1, 2), (2, 3, 5)], simultaneous=False),
        6: scp.samples(1000, 2000, 0, [scp.raw([1, 2]), scp.raw([3, 4, 5])]),
    }
    gap = np.nan
    expected = [[1, 2, gap, gap, gap], [gap, gap, 3, 4, 5]]
    np.testing.assert_array_equal(read_ecg(scp.record(bodies)).microvolts, expected)


@pytest.mark.parametrize("span", [(0, 4), (1, 5), (1, 3), (1, 4)])
def test_raw_samples_count_by_their_bytes_where_section_3_is_one_off(span):
    data = one_lead(scp.samples(1000, 2000, 0, [scp.raw([1, 2, 3, 4])]), 4, span=span)
    assert steps(read_ecg(data)) == [1, 2, 3, 4]


def refused(data):
    with pytest.raises(FormatError) as caught:
        read_ecg(data)
    return caught.value.reason


def test_a_raw_lead_longer_than_its_length_field_can_say_is_refused():
    data = one_lead(scp.samples(1000, 2000, 0, [scp.raw([1] * 5087)]), 37855)
    assert refused(data) == "section 6, lead II: 37855 samples by section 3, 10174 bytes here"


def test_bimodal_data_are_refused_with_the_reason():
    data = one_lead(scp.samples(1000, 2000, 0, [scp.raw([1, 2])], byte_6=1), 2)
    assert refused(data).startswith("section 6: bimodal compression is not read")


def test_the_bimodal_byte_means_nothing_from_edition_3_on():
    section = scp.samples(1000, 2000, 0, [scp.raw([1, 2])], byte_6=1)
    assert steps(read_ecg(one_lead(section, 2, version=30))) == [1, 2]


def test_the_edition_is_the_devices_where_old_carts_put_anything_into_the_sections():
    section = scp.samples(1000, 2000, 0, [scp.raw([1, 2])], byte_6=1)
    device = {1: scp.tags((14, scp.machine(revision=10)))}
    assert "bimodal" in refused(one_lead(section, 2, version=30, bodies=device))


@pytest.mark.parametrize("version", [0, 10, 13, 20, 0xC3])
def test_bimodal_data_are_refused_whatever_else_the_version_byte_is(version):
    section = scp.samples(1000, 2000, 0, [scp.raw([1, 2])], byte_6=1)
    assert "bimodal" in refused(one_lead(section, 2, version=version))


def test_a_reference_beat_of_another_rate_is_refused():
    bodies = scp.everything()
    bodies[5] = bodies[5][:2] + struct.pack("<H", 1000) + bodies[5][4:]
    assert "every 1000 µs in a rhythm every 2000 µs" in refused(scp.record(bodies))


@pytest.mark.parametrize("missing", [3, 4, 5, 6])
def test_a_section_that_the_rhythm_needs_is_missed_by_its_number(missing):
    assert f"section {missing}" in refused(scp.record(scp.everything() | {missing: None}))


def test_long_term_rhythm_alone_is_refused_by_its_name():
    bodies = {3: scp.leads([(1, 1, 2)]), 12: b"anything"}
    assert "section 12" in refused(scp.record(bodies, pointers=13))


def one_chunk(chunk, times=0, step_nv=1000, interval_us=2000):
    return scp.samples(step_nv, interval_us, times, [chunk])


JUMP = scp.coded([30000, 30000], [scp.DEFAULT_CODES])
IN_CIRCLES = [[("0", 0, 0, 2), ("1", 1, 0, 0)], [("0", 0, 0, 1), ("1", 1, 0, 0)]]
BAD = [
    (one_chunk(b"\0"), 9, None, "1 bytes cannot hold 9 samples"),
    (one_chunk(b"\x01"), 8, None, "after 7 of 8 samples"),
    (one_chunk(b"\xff\xc0\0"), 1, None, "after 0 of 1 samples"),
    (one_chunk(b"\xff\xff"), 1, [[("0", 1, 0, 0)]], "are no code after 0 of 1 samples"),
    (one_chunk(b"\0\0"), 1, [[("1", 1, 0, 0)]], "are no code after 0 of 1 samples"),
    (one_chunk(b"\0" * 50), 2, IN_CIRCLES, "after 0 of 2 samples"),
    (one_chunk(JUMP, times=1), 2, None, "the differences leave the 16-bit range"),
    (one_chunk(b"\0", step_nv=0), 1, None, "steps of 0 nV every 2000 µs"),
    (one_chunk(b"\0", interval_us=0), 1, None, "steps of 1000 nV every 0 µs"),
    (one_chunk(b"\0", times=3), 1, None, "differences of kind 3"),
    (one_chunk(b""), 1, None, "0 bytes cannot hold 1 samples"),
    (one_chunk(b"\0" * 9)[:-4], 1, None, "ends 3 bytes too early"),
    (one_chunk(b"\0"), 0, None, "lead II from sample 1 to 0"),
]


@pytest.mark.parametrize(("section", "count", "codes", "why"), BAD, ids=[row[3] for row in BAD])
def test_a_lead_that_cannot_be_had_whole_is_not_had_at_all(section, count, codes, why):
    table = scp.tables(*codes) if codes else default()
    assert why in refused(one_lead(section, count, table))


BAD_TABLES = {
    "one code begins with another": scp.tables([("10", 1, 0, 0), ("101", 2, 0, 0)]),
    "a code twice": scp.tables([("10", 1, 0, 0), ("10", 2, 0, 0)]),
    "a switch to no table": scp.tables([("0", 0, 0, 9)]),
    "a value and further bits": scp.tables([("0", 3, 8, 0)]),
    "too many further bits": scp.tables([("0", 0, 17, 0)]),
    "a prefix of no bits": scp.tables([("", 1, 0, 0)]),
    "an unknown mode": struct.pack("<HHBBBhI", 1, 1, 1, 1, 2, 0, 0),
    "no tables": struct.pack("<H", 0),
    "more tables than are read": struct.pack("<H", MAX_TABLES + 1),
    "a table without codes": struct.pack("<HH", 1, 0),
    "codes that are not there": struct.pack("<HH", 1, 60000),
}


@pytest.mark.parametrize("what", BAD_TABLES)
def test_tables_that_can_be_read_in_two_ways_or_none_are_refused(what):
    data = one_lead(scp.samples(1000, 2000, 0, [b"\0"]), 1, BAD_TABLES[what])
    assert refused(data).startswith("section 2: ")


def test_compressed_leads_that_count_from_0_are_refused_as_their_length_is_not_certain():
    data = one_lead(scp.samples(1000, 2000, 0, [b"\0\0"]), 8, default(), span=(0, 8))
    assert "begins at sample 0" in refused(data)


def test_a_lead_twice_is_refused():
    bodies = {
        3: scp.leads([(1, 1, 1), (1, 1, 1)]),
        6: scp.samples(1000, 2000, 0, [scp.raw([1])] * 2),
    }
    assert refused(scp.record(bodies)) == "section 3: lead I is there twice"


def test_no_claim_about_samples_makes_the_reader_take_memory_for_them():
    spans = [(1, 1, 2), (2, MAX_SAMPLES, MAX_SAMPLES + 1)]
    bodies = {
        3: scp.leads(spans),
        6: scp.samples(1000, 2000, 0, [scp.raw([1, 2])] * 2),
    }
    assert f"{MAX_SAMPLES} in all are read" in refused(scp.record(bodies))


@pytest.mark.parametrize(
    "beats", [[(0, 1, 1, 30)] * (MAX_BEATS + 1), [(0, 1, 1, 40)] * 5], ids=["many", "overlapping"]
)
def test_beats_that_no_heart_makes_are_refused(beats):
    bodies = scp.everything() | {4: scp.beats(16, 4, beats)}
    assert refused(scp.record(bodies)).startswith("section 4: ")
