"""The journal as bytes: nothing that was written can change, vanish or move unnoticed."""

import hashlib
import uuid
from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import (
    DeviceTime,
    Flag,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Unit,
)
from drivers.registry import Memory
from edge.events import ClockTrusted, Discarded, Event, Measured
from edge.journal import (
    SCHEMA,
    Entry,
    Flaw,
    Head,
    JournalError,
    Segment,
    check_schema,
    decode,
    encode,
    extend,
    genesis,
    verify,
)
from edge.observation import Moment

NAME = uuid.UUID("6f1d1c5e-5d0f-4a57-9f53-0d7a2c3b4e5f")
AT = Moment(wall_ns=1_700_000_000_000_000_000, mono_ns=5, trusted=True, era="boot")

moments = st.builds(
    Moment, st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**62), st.booleans(), st.text()
)
instants = st.builds(Instant, st.integers(-(2**62), 2**62), st.integers(0, 2**62), st.booleans())
finite = st.floats(allow_nan=False, allow_infinity=False)
readings = st.one_of(
    st.builds(Reading, st.sampled_from(Metric), finite, st.sampled_from(Unit)),
    st.builds(
        Reading,
        st.sampled_from(Metric),
        st.none(),
        st.sampled_from(Unit),
        st.sampled_from([status for status in Status if status is not Status.OK]),
    ),
)
measurements = st.builds(
    Measurement,
    kind=st.sampled_from(Kind),
    readings=st.lists(readings, min_size=1, max_size=4, unique_by=lambda r: r.metric).map(tuple),
    at=instants,
    raw=st.binary(),
    device_time=st.none()
    | st.builds(DeviceTime, st.datetimes(), st.floats(0.001, 3600), st.none() | finite),
    sequence=st.none() | st.integers(0, 2**32),
    flags=st.frozensets(st.sampled_from([flag for flag in Flag if flag is not Flag.FROM_MEMORY])),
    evidence=st.lists(st.tuples(st.text(), st.text()), max_size=2).map(tuple),
    kept=st.lists(st.integers(1, 2**32), max_size=3).map(tuple),
    began=st.none() | st.just(Instant(0, 0, trusted=True)),
)
events = st.one_of(
    st.builds(ClockTrusted, at=moments),
    st.builds(Discarded, at=moments, item=st.integers(1, 9), person=st.text(), reason=st.text()),
    st.builds(
        Measured,
        at=moments,
        instrument=st.text(),
        identity=st.builds(InstrumentId, st.text(), st.none() | st.text()),
        measurement=measurements,
        memory=st.sampled_from(Memory),
        settle_s=st.floats(0, 60),
        unchanged_until=st.none() | moments,
    ),
)


def chain(payloads: list[bytes], *, every: int = 1000) -> tuple[list[Entry], list[Segment], Head]:
    """Return a journal of some payloads in segments of `every` entries."""
    head = genesis(NAME)
    entries, segments = [], [Segment(1, 1, head.hash)]
    for data in payloads:
        entry = extend(head, data)
        head = Head(entry.sequence, entry.hash)
        entries.append(entry)
        if entry.sequence % every == 0:
            closed = msgspec.structs.replace(segments[-1], last=head.sequence, closing=head.hash)
            opened = Segment(closed.number + 1, head.sequence + 1, head.hash)
            segments[-1:] = [closed, opened]
    return entries, segments, head


payload_lists = st.lists(st.binary(max_size=8), min_size=1, max_size=12)


@given(events)
def test_an_event_reads_back_as_it_was_written(event):
    assert decode(encode(event), 1) == event


@given(st.frozensets(st.sampled_from(Flag)))
def test_the_same_event_always_gives_the_same_bytes(flags):
    def event(order):
        measurement = Measurement(
            Kind.OXIMETRY,
            (Reading(Metric.SPO2, 97.0, Unit.PERCENT),),
            Instant(0, 0, trusted=True),
            b"",
            flags=frozenset(order),
        )
        return Measured(
            at=AT,
            instrument="finger",
            identity=InstrumentId("nonin"),
            measurement=measurement,
            memory=Memory.LIVE,
            settle_s=4.0,
        )

    assert encode(event(sorted(flags))) == encode(event(sorted(flags, reverse=True)))


def test_the_bytes_of_an_event_are_those_that_old_journals_hold():
    event = Measured(
        at=AT,
        instrument="cuff",
        identity=InstrumentId("and-tm2655", "TM-2655", "4711"),
        measurement=Measurement(
            Kind.BLOOD_PRESSURE,
            (
                Reading(Metric.SYSTOLIC, 121.0, Unit.MMHG),
                Reading(Metric.DIASTOLIC, None, Unit.MMHG, Status.FAILED),
            ),
            Instant(7, 8, trusted=False),
            b"\x00\xff",
            DeviceTime(datetime(2026, 1, 2, 3, 4, 5), 1.0, 0.5),  # noqa: DTZ001 - instruments have no zone
            17,
            frozenset({Flag.BODY_MOVEMENT, Flag.ALARM}),
            (("cuff", "large"),),
            (3,),
        ),
        memory=Memory.STAMPED,
        settle_s=60.0,
    )
    assert encode(event) == (
        b'{"event":"measured","at":{"wall_ns":1700000000000000000,"mono_ns":5,"trusted":true,'
        b'"era":"boot"},"instrument":"cuff","identity":{"driver":"and-tm2655","model":"TM-2655",'
        b'"serial":"4711","firmware":null},"measurement":{"kind":"blood-pressure","readings":['
        b'{"metric":"systolic","value":121.0,"unit":"mm[Hg]","status":"ok"},{"metric":"diastolic",'
        b'"value":null,"unit":"mm[Hg]","status":"failed"}],"at":{"wall_ns":7,"mono_ns":8,'
        b'"trusted":false},"raw":"AP8=","device_time":{"local":"2026-01-02T03:04:05",'
        b'"resolution_s":1.0,"age_s":0.5,"age_error_s":0.0,"offset_s":null},"sequence":17,"flags":['
        b'"alarm","body-movement"],"evidence":[["cuff","large"]],"kept":[3],"began":null},'
        b'"memory":"stamped","settle_s":60.0,"origin":"measured","method":"",'
        b'"unchanged_until":null,"study":null}'
    )
    older = encode(event).replace(b',"study":null', b"")  # schema 1 had no studies
    assert decode(older, 1) == event


def test_a_measurement_written_before_beginnings_were_known_is_read_without_one():
    event = Measured(
        at=AT,
        instrument="cuff",
        identity=InstrumentId("and-tm2655"),
        measurement=Measurement(
            Kind.BLOOD_PRESSURE,
            (Reading(Metric.SYSTOLIC, 121.0, Unit.MMHG),),
            Instant(7, 8, trusted=False),
            b"",
        ),
        memory=Memory.STAMPED,
        settle_s=60.0,
    )
    assert decode(encode(event).replace(b',"began":null', b""), 1) == event


def test_the_hashes_of_a_journal_are_those_that_old_journals_hold():
    start = hashlib.sha256(b"vitals-edge journal" + NAME.bytes).digest()
    first = hashlib.sha256(start + bytes([0, 0, 0, 0, 0, 0, 0, 1]) + b"event").digest()
    assert extend(genesis(NAME), b"event") == Entry(1, b"event", first)


@pytest.mark.parametrize(
    "event",
    [
        Discarded(at=AT, item=1, person="\ud800", reason=""),
        Discarded(at=AT, item=1.5, person="p", reason=""),
        ClockTrusted(at=Moment(float("nan"), 0, trusted=True, era="e")),
    ],
)
def test_what_could_not_be_read_back_is_not_written(event):
    with pytest.raises(JournalError, match=f"{type(event).__name__} cannot be journaled"):
        encode(event)


@pytest.mark.parametrize("data", [b'{"event":"teleported"}', b"{}", b"\xff", b"", b"[1]"])
def test_an_unknown_event_is_one_clear_error(data):
    with pytest.raises(JournalError, match="journal entry 12 is no event known here"):
        decode(data, 12)


def test_events_of_newer_software_are_one_clear_error():
    with pytest.raises(JournalError, match="written by newer software"):
        check_schema(SCHEMA + 1)


@given(payload_lists, st.integers(1, 5))
def test_what_was_written_verifies(payloads, every):
    entries, segments, head = chain(payloads, every=every)
    verdict = verify(entries, segments, NAME, head=head, witness=head)
    assert (verdict.intact, verdict.checked, verdict.head) == (True, len(payloads), head)


@given(payload_lists.filter(any), st.integers(1, 5), st.data())
def test_any_flipped_bit_is_found_at_its_entry(payloads, every, data):
    entries, segments, head = chain(payloads, every=every)
    at = data.draw(st.sampled_from([i for i, entry in enumerate(entries) if entry.data]))
    bit = data.draw(st.integers(0, 8 * len(entries[at].data) - 1))
    flipped = bytearray(entries[at].data)
    flipped[bit // 8] ^= 1 << bit % 8
    entries[at] = msgspec.structs.replace(entries[at], data=bytes(flipped))
    fault = verify(entries, segments, NAME, head=head).fault
    assert (fault.flaw, fault.sequence) == (Flaw.ALTERED, at + 1)


@given(payload_lists, st.data())
def test_a_journal_written_anew_from_some_entry_on_betrays_itself_to_an_old_head(payloads, data):
    _, segments, head = chain(payloads)
    at = data.draw(st.integers(0, len(payloads) - 1))
    forged, _, forged_head = chain([*payloads[:at], payloads[at] + b"!", *payloads[at + 1 :]])
    assert verify(forged, segments, NAME, head=forged_head).intact
    fault = verify(forged, segments, NAME, head=forged_head, witness=head).fault
    assert (fault.flaw, fault.sequence) == (Flaw.ALTERED, head.sequence)


@given(payload_lists.filter(lambda p: len(p) > 1), st.integers(1, 5), st.data())
def test_a_deleted_entry_is_named(payloads, every, data):
    entries, segments, head = chain(payloads, every=every)
    at = data.draw(st.integers(0, len(payloads) - 2))
    del entries[at]
    fault = verify(entries, segments, NAME, head=head).fault
    assert (fault.flaw, fault.sequence) == (Flaw.MISSING, at + 1)


@given(payload_lists.filter(lambda p: len(p) > 1), st.data())
def test_swapped_entries_are_found_at_the_first(payloads, data):
    entries, segments, head = chain(payloads)
    one, two = sorted(
        data.draw(st.lists(st.integers(0, len(payloads) - 1), min_size=2, max_size=2, unique=True))
    )
    entries[one], entries[two] = entries[two], entries[one]
    fault = verify(entries, segments, NAME, head=head).fault
    assert (fault.flaw, fault.sequence) == (Flaw.MISSING, one + 1)


@given(payload_lists, st.data())
def test_a_repeated_entry_is_found(payloads, data):
    entries, segments, head = chain(payloads)
    at = data.draw(st.integers(0, len(payloads) - 1))
    entries.insert(at + 1, entries[at])
    fault = verify(entries, segments, NAME, head=head).fault
    assert (fault.flaw, fault.sequence) == (Flaw.REORDERED, at + 1)


@given(payload_lists, st.data())
def test_a_cut_end_is_found_by_whoever_saw_the_head(payloads, data):
    entries, segments, head = chain(payloads)
    left = data.draw(st.integers(0, len(payloads) - 1))
    fault = verify(entries[:left], segments, NAME, witness=head).fault
    assert (fault.flaw, fault.sequence) == (Flaw.TRUNCATED, left + 1)


@given(payload_lists, st.integers(1, 4), st.data())
def test_without_its_old_segments_a_journal_still_verifies(payloads, every, data):
    entries, segments, head = chain(payloads, every=every)
    closed = sum(segment.last is not None for segment in segments)
    gone = data.draw(st.integers(0, closed))
    kept = [
        msgspec.structs.replace(segment, purged=True) if index < gone else segment
        for index, segment in enumerate(segments)
    ]
    verdict = verify(entries[gone * every :], kept, NAME, head=head)
    assert (verdict.fault, verdict.checked) == (None, len(payloads) - gone * every)


@given(payload_lists, st.integers(1, 4), st.data())
def test_removing_entries_of_a_segment_that_was_not_purged_is_found(payloads, every, data):
    entries, segments, head = chain(payloads, every=every)
    gone = data.draw(st.integers(1, len(payloads)))
    fault = verify(entries[gone:], segments, NAME, head=head).fault
    assert (fault.flaw, fault.sequence) in {(Flaw.MISSING, 1), (Flaw.TRUNCATED, 1)}


def test_a_closing_hash_that_was_changed_is_found():
    entries, segments, head = chain([b"a", b"b", b"c"], every=2)
    segments[0] = msgspec.structs.replace(segments[0], closing=bytes(32))
    assert verify(entries, segments, NAME, head=head).fault.flaw is Flaw.SEGMENTS


def test_a_segment_that_was_dropped_from_the_table_is_found():
    entries, segments, head = chain([b"a", b"b", b"c"], every=1)
    assert verify(entries, segments[1:], NAME, head=head).fault.flaw is Flaw.SEGMENTS


def test_a_journal_does_not_verify_under_another_name():
    entries, segments, head = chain([b"a"])
    assert not verify(entries, segments, uuid.UUID(int=1), head=head).intact


def test_an_empty_journal_verifies():
    entries, segments, head = chain([])
    assert verify(entries, segments, NAME, head=head).intact


def test_a_head_is_written_and_read_as_text():
    _, _, head = chain([b"a"])
    assert Head.parse(str(head)) == head


@pytest.mark.parametrize("text", ["", "1", "x:00", "1:zz", "-1:" + 64 * "0", "1:" + 64 * "g"])
def test_what_is_no_head_is_refused(text):
    with pytest.raises(ValueError, match=r"not a head|non-hexadecimal"):
        Head.parse(text)


def test_every_kind_of_event_has_a_name_of_its_own_in_the_journal():
    names = [kind.__struct_config__.tag for kind in Event.__args__]
    assert len(set(names)) == len(names)
