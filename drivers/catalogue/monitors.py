"""Patient monitors."""

from types import MappingProxyType

from drivers.contract import SerialLine
from drivers.entry import Confidence, Entry, LinkKind, Memory, Remembers, Stable
from drivers.model import Kind, Metric

IVY_450C = Entry(
    title="Ivy 450C patient monitor (Ansar-B stream)",
    driver="drivers.instruments.ivy_450c:Ivy450C",
    protocol="drivers.protocols.ivy_ansarb",
    settings="drivers.instruments.ivy_450c:Settings",
    virtual="drivers.virtual.ivy_450c:VirtualIvy450C",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType(
        {
            # Stable for ten packets: longer than a breath moves the rates, and a digit lost on a
            # line without checksum cannot pass. They may move by as much as they do at rest.
            # The monitor's averaging is not published; settle_s is the longest of its kind: a
            # heart rate over 16 s, Masimo SET at its slowest 16 s, eight breaths at 8 a minute.
            Kind.HEART_RATE: Remembers(
                Memory.LIVE, settle_s=16.0, stream=Stable(10.0, {Metric.HEART_RATE: 5.0})
            ),
            Kind.OXIMETRY: Remembers(
                Memory.LIVE,
                settle_s=16.0,
                stream=Stable(10.0, {Metric.SPO2: 1.0, Metric.PULSE_RATE: 5.0}),
            ),
            Kind.RESPIRATION: Remembers(
                Memory.LIVE, settle_s=60.0, stream=Stable(10.0, {Metric.RESPIRATION_RATE: 3.0})
            ),
            # 180 s: no automatic cuff may stay inflated longer (IEC 80601-2-30), so none measures
            # longer.
            Kind.BLOOD_PRESSURE: Remembers(Memory.STICKY, settle_s=180.0),
        }
    ),
    confidence=Confidence.SINGLE,
    sources="MD PnP Program, OpenICE: device driver and a recording of an Ivy 450C",
    line=SerialLine(baud=9600),
    rhythm_s=1.0,
    matches="FF ANSAR-B, one packet a second",
)
