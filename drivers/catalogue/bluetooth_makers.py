"""Bluetooth LE instruments with services of their makers' own: streams, nothing stored."""

from types import MappingProxyType

from drivers.contract import Write
from drivers.entry import Confidence, Entry, LinkKind, Memory, Remembers, Stable
from drivers.model import Kind, Metric

_PROTOCOL = "drivers.protocols.gatt.characteristics"
_SETTINGS = "drivers.instruments.gatt.settings:Settings"
_BLE = frozenset({LinkKind.BLE})
_CLOCK = frozenset({Write.SET_CLOCK})
# No source says how long is averaged: the longest of its kind is that of Masimo SET at its slowest.
_FINGER = MappingProxyType(
    {
        Kind.OXIMETRY: Remembers(
            Memory.LIVE,
            settle_s=16.0,
            stream=Stable(10.0, {Metric.SPO2: 1.0, Metric.PULSE_RATE: 8.0}),
        ),
    }
)
_HEART = MappingProxyType(
    {
        Kind.HEART_RATE: Remembers(
            Memory.LIVE, settle_s=16.0, stream=Stable(10.0, {Metric.HEART_RATE: 5.0})
        ),
    }
)

NONIN_BLE = Entry(
    title="Nonin 3230 and 3150 pulse oximeters, Bluetooth LE with Nonin's own service",
    driver="drivers.instruments.gatt.profiles:new_nonin",
    protocol=_PROTOCOL,
    settings=_SETTINGS,
    virtual="drivers.virtual.gatt.fingers:virtual_nonin",
    links=_BLE,
    memory=_FINGER,
    confidence=Confidence.CONFIRMED,
    sources="Nonin's sample for the 3230 (2013); nonin-3230-ble",
    writes=_CLOCK,
)

JUMPER = Entry(
    title="Jumper JPD-500F pulse oximeters, Bluetooth LE",
    driver="drivers.instruments.gatt.profiles:new_jumper",
    protocol=_PROTOCOL,
    settings=_SETTINGS,
    virtual="drivers.virtual.gatt.fingers:virtual_jumper",
    links=_BLE,
    memory=_FINGER,
    confidence=Confidence.CONFIRMED,
    sources="obniz parts library; smarttelemed-v4, with a vector",
    writes=_CLOCK,
)

POLAR_H10 = Entry(
    title="Polar H10 belts: heart rate, and where choosing is granted a one-lead ECG",
    driver="drivers.instruments.gatt.profiles:new_polar",
    protocol=_PROTOCOL,
    settings=_SETTINGS,
    virtual="drivers.virtual.gatt.one_lead:virtual_polar",
    links=_BLE,
    memory=_HEART,
    confidence=Confidence.CONFIRMED,
    sources="polarpy; Polar's published SDK",
    writes=frozenset({Write.SET_CLOCK, Write.SELECT_FORMAT}),
)

MOVESENSE = Entry(
    title="Movesense sensors: heart rate, and where choosing is granted a one-lead ECG in counts",
    driver="drivers.instruments.gatt.profiles:new_movesense",
    protocol=_PROTOCOL,
    settings=_SETTINGS,
    virtual="drivers.virtual.gatt.one_lead:virtual_movesense",
    links=_BLE,
    memory=_HEART,
    confidence=Confidence.SINGLE,
    sources="Movesense's published device library",
    writes=frozenset({Write.SET_CLOCK, Write.SELECT_FORMAT}),
)
