"""Which of the things an instrument reports become measurements of a visit.

A spot value is one by itself. A stream is watched: one value is taken when the instrument's own
averaged value has been valid and steady for the time its registry entry names, all of it within one
association, and once more only after the sensor was away, or when a person asks. An instrument that
repeats its last value is watched for change, and told apart by when the old value was last seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from drivers.model import Measurement, Metric, Status
from drivers.registry import Memory, Remembers, Stable
from edge.association import is_stored
from edge.clock import NS
from edge.observation import Association, Moment

SIGHTINGS = 2  # of a repeated value, before a change from it means anything


@dataclass(frozen=True, slots=True)
class Take:
    """Says that a report is a measurement; `unchanged_until` as in `edge.events.Measured`."""

    unchanged_until: Moment | None = None


class Watch(Protocol):
    """Looks at every report of one kind from one instrument, in order."""

    def look(
        self, measurement: Measurement, at: Moment, association: Association | None
    ) -> Take | None:
        """Return how to take it, or None to let it pass."""
        ...


def watch_for(remembers: Remembers) -> Watch:
    """Return the watch that fits how the instrument remembers."""
    if remembers.stream is not None:
        return StreamWatch(remembers.stream, remembers.settle_s)
    if remembers.memory is Memory.STICKY:
        return StickyWatch()
    if remembers.memory is Memory.SEQUENCED:
        return SequenceWatch()
    return SpotWatch()


class SpotWatch:
    """Every report is one act of measuring."""

    def look(
        self, measurement: Measurement, at: Moment, association: Association | None
    ) -> Take | None:
        """Take it."""
        del measurement, at, association
        return Take()


@dataclass(slots=True)
class StickyWatch:
    """Only a change of the repeated value is a measurement, and only against a value seen twice.

    One sighting proves nothing: a damaged frame between two good ones would look like two changes.
    A value that comes back after an empty field may be the old one shown again: it is taken, but
    not as new.
    """

    _value: tuple[object, ...] | None = None
    _last_number: tuple[object, ...] | None = None
    _seen: Moment | None = None
    _sightings: int = 0

    def look(
        self, measurement: Measurement, at: Moment, association: Association | None
    ) -> Take | None:
        """Take a value that differs from the one before; an empty field only sets the scene."""
        del association
        value = _value_of(measurement)
        empty = all(reading.status is Status.NO_VALUE for reading in measurement.readings)
        if value == self._value:
            self._seen, self._sightings = at, self._sightings + 1
            return None
        proven = self._sightings >= SIGHTINGS and value != self._last_number
        take = Take(self._seen if proven else None)
        self._value, self._seen, self._sightings = value, at, 1
        if empty:
            return None
        self._last_number = value
        return take


@dataclass(slots=True)
class SequenceWatch:
    """Every record is a measurement, once; a number beyond all those seen proves that it is new."""

    _numbers: set[int] = field(default_factory=set)
    _seen: Moment | None = None

    def look(
        self, measurement: Measurement, at: Moment, association: Association | None
    ) -> Take | None:
        """Take a record not taken before on this link."""
        del association
        number = measurement.sequence
        if number is None:
            return Take()
        if number in self._numbers:
            self._seen = at
            return None
        new = bool(self._numbers) and number > max(self._numbers)
        take = Take(self._seen if new else None)
        self._numbers.add(number)
        self._seen = at
        return take


@dataclass(slots=True)
class StreamWatch:
    """One value a sensor's stay on a patient, once it is steady."""

    rule: Stable
    settle_s: float
    _visit: str | None = None
    _since: Moment | None = None
    _last: Moment | None = None
    _lost: Moment | None = None
    _heard: Moment | None = None
    _range: dict[Metric, tuple[float, float]] = field(default_factory=dict)
    _armed: bool = True
    _asked: str | None = None

    def ask(self, association: Association | None) -> None:
        """Take the next valid value of this visit, steady or not: a person wants it."""
        self._asked = association.id if association else None

    def look(
        self, measurement: Measurement, at: Moment, association: Association | None
    ) -> Take | None:
        """Take the value that ends a steady stretch."""
        if is_stored(measurement):
            return Take()
        visit = association.id if association else None
        if visit != self._visit:
            self._visit, self._armed = visit, True
            self._restart()
        values = {r.metric: r.value for r in measurement.readings if r.value is not None}
        if association is None or not self._complete(values):
            self._gone(at)
            return None
        away = self._lost or self._heard  # said to be off, or silent, as a scale nobody stands on
        if away is not None and _seconds(away, at) >= self.rule.seconds:
            self._armed = True
        self._lost, self._heard = None, at
        if self._asked == visit:
            self._asked, self._armed = None, False
            return Take()
        if not self._armed or not self._steady(values, at):
            return None
        self._armed = False
        return Take()

    def _complete(self, values: Mapping[Metric, float]) -> bool:
        return all(metric in values for metric in self.rule.within)

    def _gone(self, at: Moment) -> None:
        if self._lost is None:
            self._lost = at
        self._restart()

    def _restart(self) -> None:
        self._since = self._last = None
        self._range = {}

    def _steady(self, values: Mapping[Metric, float], at: Moment) -> bool:
        """Extend the stretch with these values, or begin a new one with them."""
        wanted = {metric: values[metric] for metric in self.rule.within}
        paused = self._last is not None and _seconds(self._last, at) > self.rule.seconds
        ranges = {
            metric: (min(low, wanted[metric]), max(high, wanted[metric]))
            for metric, (low, high) in self._range.items()
        }
        left = any(high - low > self.rule.within[m] for m, (low, high) in ranges.items())
        if self._since is None or paused or left:
            self._since, ranges = at, {m: (value, value) for m, value in wanted.items()}
        self._range, self._last = ranges, at
        return _seconds(self._since, at) >= max(self.rule.seconds, self.settle_s)


def _value_of(measurement: Measurement) -> tuple[object, ...]:
    return tuple((r.metric, r.value, r.unit, r.status) for r in measurement.readings)


def _seconds(earlier: Moment, later: Moment) -> float:
    return (later.mono_ns - earlier.mono_ns) / NS
