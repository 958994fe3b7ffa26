"""Whether a measurement was provably made while a patient was associated with the room.

The whole span of the measurement, from the earliest moment its act can have begun to the latest it
can have ended, must lie inside the association. How far back the span reaches is a question of the
instrument's memory:

LIVE        it reports what it measures: the span is `settle_s` before the bytes came
STICKY      it repeats: only a change counts, and the act began at most `settle_s` before the last
            sighting of the previous value
STAMPED     its own time, placed on the hub's monotonic clock by its age, widened by the clock's
            resolution and the error of the comparison
SEQUENCED   a record number higher than one seen in the association: as a change of STICKY
BLIND       proves nothing

Where the link showed the act from its beginning (`Measurement.began`), no span reaches further
back. That never helps a value of which nobody knows that it is new: the first one of STICKY and
SEQUENCED, a BLIND one; nor one of STAMPED whose own time is not surely after that beginning, for
then it is another act's.

A measurement of LIVE or STICKY that carries a device time or says that it comes from memory is
judged as STAMPED: no change that is seen on the link makes it new. What cannot be proven is
quarantined, never guessed.
"""

from dataclasses import dataclass
from typing import TypeAlias

from drivers.model import Flag, Measurement
from drivers.registry import Memory
from edge.clock import NS
from edge.events import Measured
from edge.observation import Association, Moment


@dataclass(frozen=True, slots=True)
class Span:
    """The widest stretch of hub time in which the act of measuring can lie."""

    start: Moment
    end: Moment


@dataclass(frozen=True, slots=True)
class Unprovable:
    """Why nobody can say when a measurement was made."""

    reason: str


Verdict: TypeAlias = Span | Unprovable

BLIND = Unprovable("the instrument stores values without a time")
FIRST_SEEN = Unprovable("first value seen from an instrument that repeats its last one")
NO_TIME = Unprovable("a stored value without a time")
NEVER_COMPARED = Unprovable("the instrument's clock was not compared with ours in this session")
FROM_THE_FUTURE = Unprovable("the instrument's clock puts the value in the future")
OTHER_BOOT = "the hub restarted in between and its clock was not synchronised"
BEFORE = "it may have begun before the patient was identified"
AFTER = "it may have ended after the visit"


def is_stored(measurement: Measurement) -> bool:
    """Tell a measurement out of the instrument's memory from one that is being made."""
    return measurement.device_time is not None or Flag.FROM_MEMORY in measurement.flags


def judged_as(event: Measured) -> Memory:
    """Return the memory class this one measurement is judged by."""
    if event.memory in {Memory.LIVE, Memory.STICKY} and is_stored(event.measurement):
        return Memory.STAMPED
    return event.memory


def span_of(event: Measured) -> Verdict:
    """Return when the measurement can have been made, or why that cannot be known."""
    match judged_as(event):
        case Memory.LIVE:
            return Span(_start(event, _earlier(event.at, event.settle_s)), event.at)
        case Memory.STICKY | Memory.SEQUENCED:
            if event.unchanged_until is None:
                return FIRST_SEEN
            start = _earlier(event.unchanged_until, event.settle_s)
            return Span(_start(event, start), event.at)
        case Memory.STAMPED:
            return _stamped(event)
        case Memory.BLIND:
            return BLIND


def why_outside(event: Measured, association: Association) -> str | None:
    """Return None when the measurement is provably inside the association, else the reason."""
    span = span_of(event)
    if isinstance(span, Unprovable):
        return span.reason
    began = _since(association.opened, span.start)
    if began is None:
        return OTHER_BOOT
    if began < 0:
        return BEFORE
    if association.closed is None:
        return None
    ended = _since(span.end, association.closed)
    if ended is None:
        return OTHER_BOOT
    return AFTER if ended < 0 else None


def _stamped(event: Measured) -> Verdict:
    time = event.measurement.device_time
    if time is None:
        return NO_TIME
    if time.age_s is None:
        return NEVER_COMPARED
    slack = time.age_error_s + time.resolution_s
    if time.age_s + slack < 0:
        return FROM_THE_FUTURE
    stamped = _earlier(event.at, time.age_s + slack)
    start = _earlier(stamped, event.settle_s)
    if event.measurement.began is not None and event.measurement.began.mono_ns <= stamped.mono_ns:
        start = _start(event, start)
    end = _earlier(event.at, max(0.0, time.age_s - slack))
    return Span(start, end)


def _start(event: Measured, earliest: Moment) -> Moment:
    """Return when the act can have begun at the earliest: it may have been seen to begin."""
    began = event.measurement.began
    if began is None:
        return earliest
    seen = Moment.of(began, event.at.era)
    since = _since(earliest, seen)
    return seen if since is not None and since > 0 else earliest


def _earlier(moment: Moment, seconds: float) -> Moment:
    back = round(seconds * NS)
    return Moment(moment.wall_ns - back, moment.mono_ns - back, moment.trusted, moment.era)


def _since(earlier: Moment, later: Moment) -> int | None:
    """Return nanoseconds from one moment to the other, None when no common clock tells.

    Within an era the monotonic clock is right whatever the wall clock did; across a reboot only
    two synchronised wall times compare.
    """
    if earlier.era == later.era:
        return later.mono_ns - earlier.mono_ns
    if earlier.trusted and later.trusted:
        return later.wall_ns - earlier.wall_ns
    return None
