"""Bluetooth LE instruments that keep to the profiles of the Bluetooth SIG.

What such an instrument indicates may have been stored, so its kind is STAMPED: without a time, or
without a clock that was read in the session, a value proves nothing about when it was made.
"""

from collections.abc import Mapping
from types import MappingProxyType

from drivers.contract import Write
from drivers.entry import Confidence, Entry, LinkKind, Memory, Remembers, Stable
from drivers.model import Kind, Metric

_SPECIFICATIONS = "Bluetooth SIG service specifications (GATT XML)"
_VECTORS = "test vectors of Nordic Semiconductor's Android BLE Common Library"
_SPOT_CHECK = "a recorded spot check of a ChoiceMMed C208S"
_SET_CLOCK = frozenset({Write.SET_CLOCK})
_SEND_ALL = frozenset({Write.SET_CLOCK, Write.FETCH})  # of A&D: send what is stored
_RECORDS = frozenset({Write.SET_CLOCK, Write.FETCH, Write.DELETE_RECORDS})


def _entry(
    title: str,
    name: str,
    memory: Mapping[Kind, Remembers],
    *,
    virtual: str,
    writes: frozenset[Write],
    seen: str | None,
) -> Entry:
    """Return an entry; `seen` is what else than the specification shows the format, if anything."""
    return Entry(
        title=title,
        driver=f"drivers.instruments.gatt.profiles:{name}",
        protocol="drivers.protocols.gatt.characteristics",
        settings="drivers.instruments.gatt.settings:Settings",
        virtual=f"drivers.virtual.gatt.{virtual}",
        links=frozenset({LinkKind.BLE}),
        memory=MappingProxyType(memory),
        confidence=Confidence.CONFIRMED if seen else Confidence.SINGLE,
        sources="; ".join(part for part in (_SPECIFICATIONS, seen) if part),
        writes=writes,
    )


BLOOD_PRESSURE = _entry(
    "Bluetooth LE blood pressure monitors (Blood Pressure Service, 0x1810)",
    "new_cuff",
    # 180 s: no automatic cuff may stay inflated longer (IEC 80601-2-30), so none measures longer.
    {Kind.BLOOD_PRESSURE: Remembers(Memory.STAMPED, settle_s=180.0)},
    virtual="cuff:virtual_cuff",
    writes=_SEND_ALL,
    seen=_VECTORS,
)

THERMOMETER = _entry(
    "Bluetooth LE thermometers (Health Thermometer Service, 0x1809)",
    "new_thermometer",
    # An ear or a forehead takes seconds, a predicted oral or armpit temperature up to a minute.
    {Kind.TEMPERATURE: Remembers(Memory.STAMPED, settle_s=60.0)},
    virtual="thermometer:virtual_thermometer",
    writes=_SEND_ALL,
    seen=_VECTORS,
)

OXIMETER = _entry(
    "Bluetooth LE pulse oximeters (Pulse Oximeter Service, 0x1822)",
    "new_oximeter",
    {
        # The stream is live; a spot check says so itself, by its own time or the flag from-memory,
        # and is judged as stamped. The service does not say how long the normal averaging is: the
        # longest of its kind is that of Masimo SET at its slowest, 16 s.
        Kind.OXIMETRY: Remembers(
            Memory.LIVE,
            settle_s=16.0,
            stream=Stable(10.0, {Metric.SPO2: 1.0, Metric.PULSE_RATE: 8.0}),
        ),
    },
    virtual="oximeter:virtual_oximeter",
    writes=_RECORDS,
    seen=_SPOT_CHECK,
)

SCALE = _entry(
    "Bluetooth LE scales (Weight Scale 0x181D, Body Composition 0x181B)",
    "new_scale",
    # Stepping on until the reading stands; impedance takes longer than weight.
    {
        Kind.WEIGHT: Remembers(Memory.STAMPED, settle_s=30.0),
        Kind.BODY_COMPOSITION: Remembers(Memory.STAMPED, settle_s=30.0),
    },
    virtual="scale:virtual_scale",
    writes=_SET_CLOCK,
    seen=None,
)

HEART_RATE = _entry(
    "Bluetooth LE heart rate sensors (Heart Rate Service, 0x180D)",
    "new_belt",
    # The service does not say how long is averaged: 16 s as a monitor's heart rate.
    {
        Kind.HEART_RATE: Remembers(
            Memory.LIVE, settle_s=16.0, stream=Stable(10.0, {Metric.HEART_RATE: 5.0})
        ),
    },
    virtual="belt:virtual_belt",
    writes=_SET_CLOCK,
    seen=_VECTORS,
)
