"""What a person counts or reads off a display and types: pure, from the words to the event.

It is a value like any other, of origin *entered*: it is journaled, judged and confirmed, and never
carries the name of an instrument. What was counted over some time was begun that long before, so a
count that reaches back before the patient came proves nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType

from drivers.model import Instant, InstrumentId, Kind, Measurement, Metric, Reading, Unit
from drivers.plausibility import RANGES
from drivers.registry import Memory
from edge.events import Measured
from edge.observation import Moment, Origin

BY_HAND = "by-hand"  # stands where the name of an instrument does
LONGEST_S = 300.0

METRICS: Mapping[Kind, Metric] = MappingProxyType(
    {
        Kind.RESPIRATION: Metric.RESPIRATION_RATE,
        Kind.TEMPERATURE: Metric.BODY_TEMPERATURE,
        Kind.WEIGHT: Metric.WEIGHT,
        Kind.HEIGHT: Metric.HEIGHT,
    }
)
# Of the dying to the newborn; a digit too many or too few is outside.
_RESPIRATION = {(Metric.RESPIRATION_RATE, Unit.PER_MIN): (3.0, 120.0)}
_RANGES = MappingProxyType({**RANGES, **_RESPIRATION})


class NotEntered(ValueError):  # noqa: N818 - what a person is told
    """What was typed cannot be a value; the message is for the person."""


def entered(
    kind: Kind, value: float, unit: Unit, seconds: float, method: str, at: Moment
) -> Measured:
    """Return what was typed as an event; NotEntered says what is wrong with it."""
    metric = METRICS.get(kind)
    if metric is None:
        known = ", ".join(sorted(METRICS))
        raise NotEntered(f"{kind} cannot be typed; there are {known}")
    limits = _RANGES.get((metric, unit))
    if limits is None:
        units = ", ".join(sorted(unit for name, unit in _RANGES if name is metric))
        raise NotEntered(f"{metric}: the unit {unit} is not one of it; give {units}")
    low, high = limits
    if not low <= value <= high:
        raise NotEntered(f"{metric} {value:g} {unit} is outside {low:g} to {high:g}; type it again")
    if not 0 <= seconds <= LONGEST_S:
        raise NotEntered(f"counted over {seconds:g} s: give 0 to {LONGEST_S:g} s")
    said = f"{metric}={value!r} {unit} {method}"
    return Measured(
        at=at,
        instrument=BY_HAND,
        identity=InstrumentId(BY_HAND),
        measurement=Measurement(
            kind,
            (Reading(metric, value, unit),),
            Instant(at.wall_ns, at.mono_ns, at.trusted),
            said.encode(),
        ),
        memory=Memory.LIVE,
        settle_s=seconds,
        origin=Origin.ENTERED,
        method=method,
    )
