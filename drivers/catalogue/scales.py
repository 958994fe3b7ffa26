"""Scales and stadiometers."""

from types import MappingProxyType

from drivers.contract import SerialLine
from drivers.entry import Confidence, Entry, LinkKind, Memory, Remembers, Stable
from drivers.model import Kind, Metric

HEALTHOMETER = Entry(
    title="Health-o-meter platform scales (500KL, 1100L, 2000 series)",
    driver="drivers.instruments.healthometer:HealthOMeter",
    protocol="drivers.protocols.healthometer",
    settings="drivers.instruments.healthometer:Settings",
    virtual="drivers.virtual.healthometer:VirtualHealthOMeter",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType(
        {
            # It sends only while somebody stands there, and the same locked number each time; one
            # number three times over cannot be a digit lost on a line without checksum. settle_s
            # is an assumption: how long the scale takes to lock is not in the sources.
            Kind.WEIGHT: Remembers(
                Memory.LIVE, settle_s=5.0, stream=Stable(3.0, {Metric.WEIGHT: 0.0})
            ),
            Kind.HEIGHT: Remembers(
                Memory.LIVE, settle_s=5.0, stream=Stable(3.0, {Metric.HEIGHT: 0.0})
            ),
        }
    ),
    confidence=Confidence.CONFIRMED,
    sources=(
        "manufacturer's protocol description as quoted by an open driver in use; an open driver "
        "for 500KL"
    ),
    line=SerialLine(baud=9600),
    matches="ESC R ESC I ... ESC E once a second while somebody stands on it",
)
