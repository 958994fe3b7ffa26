"""The journal as bytes: how events are written down, chained and checked. Pure; no file, no clock.

An entry is an event as canonical JSON (sorted sets, fixed field order) under a sequence counted
from 1. The chain is ``h_n = SHA-256(h_(n-1) || n as 8 bytes, big endian || event bytes)`` and
begins at a hash of the journal's UUID. Segments of some thousand entries close with their last
hash; removing whole old segments keeps those hashes, so the rest still verifies. Whoever holds a
hash of the head (it is in the status topic) can tell whether the end was cut off.
"""

import hashlib
import struct
import uuid
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct

from edge.events import Event

SCHEMA = 2  # of the events as they are written; a newer one begins a segment of its own
SEGMENT_ENTRIES = 1000
SEGMENT_BYTES = 4 << 20


class JournalError(Exception):
    """An event cannot be written so that it can be read again, or an entry cannot be read."""


class NewerEventsError(JournalError):
    """The events were written by newer software."""


class Head(Struct, frozen=True):
    """The end of a chain: the last sequence (0 before the first) and its hash."""

    sequence: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash.hex()}"

    @staticmethod
    def parse(text: str) -> "Head":
        """Return the head written as ``str(head)`` writes it; ValueError otherwise."""
        sequence, _, digest = text.partition(":")
        if not sequence.isdecimal() or len(digest) != 2 * hashlib.sha256().digest_size:
            raise ValueError(f"not a head of a journal (SEQUENCE:SHA256): {text!r}")
        return Head(int(sequence), bytes.fromhex(digest))


class Entry(Struct, frozen=True):
    """One line of the journal: the exact bytes of an event, and the hash up to here."""

    sequence: int
    data: bytes
    hash: bytes


class Segment(Struct, frozen=True):
    """A stretch of entries from `first`; `last` and `closing` once it is closed.

    `opening` is the hash before the first entry. Of a purged segment only this is left.
    """

    number: int
    first: int
    opening: bytes
    schema: int = SCHEMA
    last: int | None = None
    closing: bytes | None = None
    purged: bool = False


class Flaw(StrEnum):
    """In what way a journal is not what was written."""

    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    SEGMENTS = "segments"  # the table of segments contradicts itself or the entries


class Fault(Struct, frozen=True):
    """The first place where a journal is not what was written."""

    flaw: Flaw
    sequence: int
    message: str


class Verdict(Struct, frozen=True):
    """What a check found: entries checked in order, where they ended, the first fault or None."""

    checked: int
    head: Head
    fault: Fault | None

    @property
    def intact(self) -> bool:
        """Whether everything is as it was written."""
        return self.fault is None


def encode(event: Event) -> bytes:
    """Return the bytes of an event; JournalError if they would not give the same event back.

    What cannot be read back (NaN, which JSON has not; a text that is no Unicode) must not enter:
    it would stop every later start.
    """
    try:
        data = _ENCODER.encode(event)
        again = _DECODER.decode(data)
    except (msgspec.MsgspecError, OverflowError, TypeError, ValueError) as error:
        raise JournalError(f"{type(event).__name__} cannot be journaled: {error}") from error
    if again != event:
        raise JournalError(f"{type(event).__name__} cannot be journaled: it reads back differently")
    return data


def decode(data: bytes, sequence: int) -> Event:
    """Return the event of an entry; JournalError if this software does not know it."""
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError) as error:
        raise JournalError(f"journal entry {sequence} is no event known here: {error}") from error


def check_schema(schema: int) -> None:
    """Raise NewerEventsError where newer software wrote."""
    if schema > SCHEMA:
        raise NewerEventsError(
            f"the journal was written by newer software (events of schema {schema}, this one "
            f"knows {SCHEMA}): install that software again"
        )


def genesis(journal: uuid.UUID) -> Head:
    """Return the head of the empty journal of this name."""
    return Head(0, hashlib.sha256(b"vitals-edge journal" + journal.bytes).digest())


def link(previous: bytes, sequence: int, data: bytes) -> bytes:
    """Return the hash of an entry, which stands for all entries up to it."""
    return hashlib.sha256(previous + struct.pack(">Q", sequence) + data).digest()


def extend(head: Head, data: bytes) -> Entry:
    """Return the entry that follows `head`."""
    sequence = head.sequence + 1
    return Entry(sequence, data, link(head.hash, sequence, data))


def verify(
    entries: Iterable[Entry],
    segments: Sequence[Segment],
    journal: uuid.UUID,
    *,
    head: Head | None = None,
    witness: Head | None = None,
) -> Verdict:
    """Check a journal and name the first place where it is not what was written.

    `head` is where the entries must end; `witness` a head seen earlier from outside, which must
    be on the chain.
    """
    check = Verifier(segments, journal, head=head, witness=witness)
    for entry in entries:
        check.feed(entry)
    return check.finish()


class Verifier:
    """`verify` in pieces: feed the entries in the order they are stored, then finish."""

    def __init__(
        self,
        segments: Sequence[Segment],
        journal: uuid.UUID,
        *,
        head: Head | None = None,
        witness: Head | None = None,
    ) -> None:
        self._end = head
        self._witness = witness
        self._checked = 0
        self._head = genesis(journal)
        self._fault = _contradiction(segments, self._head)
        self._closing = {s.last: s.closing for s in segments if s.last is not None}
        for segment in segments:
            if segment.purged and segment.last is not None and segment.closing is not None:
                self._head = Head(segment.last, segment.closing)
                self._see_witness(self._head)
        if witness is not None and witness.sequence == 0:
            self._see_witness(genesis(journal))

    def feed(self, entry: Entry) -> None:
        """Take the next entry; after the first fault there is nothing more to find."""
        if self._fault is not None:
            return
        self._fault = self._fault_of(entry)
        if self._fault is None:
            self._head = Head(entry.sequence, entry.hash)
            self._checked += 1
            self._see_witness(self._head)

    def finish(self) -> Verdict:
        """Return what was found, with what is missing at the end."""
        if self._fault is None:
            self._fault = self._fault_at_end()
        return Verdict(self._checked, self._head, self._fault)

    def _fault_of(self, entry: Entry) -> Fault | None:
        expected = self._head.sequence + 1
        if entry.sequence > expected:
            last = entry.sequence - 1
            return Fault(Flaw.MISSING, expected, f"entries {expected} to {last} are missing")
        if entry.sequence < expected:
            text = f"entry {entry.sequence} stands where entry {expected} belongs"
            return Fault(Flaw.REORDERED, entry.sequence, text)
        if entry.hash != link(self._head.hash, entry.sequence, entry.data):
            text = f"entry {entry.sequence} is not what was written"
            return Fault(Flaw.ALTERED, entry.sequence, text)
        closing = self._closing.get(entry.sequence)
        if closing is not None and closing != entry.hash:
            text = (
                f"the segment that ends with entry {entry.sequence} was closed over other entries"
            )
            return Fault(Flaw.SEGMENTS, entry.sequence, text)
        return None

    def _fault_at_end(self) -> Fault | None:
        at = self._head.sequence
        last = max((end for end in self._closing if end is not None), default=0)
        for end in (self._end, self._witness):
            last = max(last, end.sequence if end is not None else 0)
        if last > at:
            return Fault(
                Flaw.TRUNCATED, at + 1, f"entries {at + 1} to {last} are missing at the end"
            )
        if self._end is not None and self._end != self._head:
            return Fault(Flaw.ALTERED, at, f"the journal does not end with {self._end}")
        return None

    def _see_witness(self, head: Head) -> None:
        witness = self._witness
        if self._fault is not None or witness is None or witness.sequence != head.sequence:
            return
        if witness.hash != head.hash:
            text = f"entry {head.sequence} is not the one whose hash was seen before"
            self._fault = Fault(Flaw.ALTERED, head.sequence, text)


def _contradiction(segments: Sequence[Segment], start: Head) -> Fault | None:
    """Return what is wrong with the table of segments by itself."""
    expected, purging = start, True
    for index, segment in enumerate(segments):
        purging = purging and segment.purged
        closed = segment.last is not None and segment.closing is not None
        wrong = (
            (segment.first, segment.opening) != (expected.sequence + 1, expected.hash)
            or (segment.purged and not (purging and closed))
            or (not closed and index != len(segments) - 1)
        )
        if wrong:
            text = f"segment {segment.number} does not follow on what is before it"
            return Fault(Flaw.SEGMENTS, segment.first, text)
        if segment.last is not None and segment.closing is not None:
            expected = Head(segment.last, segment.closing)
    return None


_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
