"""Bluetooth LE instruments with services of their makers' own: streams, nothing stored."""

from types import MappingProxyType

from drivers.contract import Pipe, Write
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

VIATOM_O2 = Entry(
    title="Viatom and Wellue O2 oximeters (O2Ring, Checkme O2), asked where fetching is granted",
    driver="drivers.instruments.viatom_o2:ViatomO2",
    protocol="drivers.protocols.viatom_o2",
    settings="drivers.instruments.viatom_o2:Settings",
    virtual="drivers.virtual.o2_pipes:VirtualViatomO2",
    links=_BLE,
    memory=_FINGER,
    confidence=Confidence.CONFIRMED,
    sources="viatom-develop/LepuBle; o2r; ViatomPy: the same bytes; no vendor document seen",
    writes=frozenset({Write.FETCH}),
    pipe=Pipe(
        notifies="0734594a-a8e7-4b1a-a6b1-cd5243059a57",
        writes="8b00ace7-eb0b-49b0-bbe9-9aee0a26e1a3",
    ),
)

VIATOM_PC60FW = Entry(
    title="Viatom and Wellue PC-60FW finger oximeters",
    driver="drivers.instruments.viatom_pc60fw:ViatomPc60fw",
    protocol="drivers.protocols.viatom_pc60fw",
    settings="drivers.instruments.viatom_pc60fw:Settings",
    virtual="drivers.virtual.o2_pipes:VirtualPc60fw",
    links=_BLE,
    memory=_FINGER,
    confidence=Confidence.EXPERIMENTAL,
    sources="viatom_pc60fw; viatom-develop/LepuBle; the codes for no value are not documented",
    pipe=Pipe(notifies="6e400003-b5a3-f393-e0a9-e50e24dcca9e"),
)

MIGHTYSAT = Entry(
    title="Masimo MightySat Rx finger oximeters, where telling it to send is granted",
    driver="drivers.instruments.masimo_mightysat:MightySat",
    protocol="drivers.protocols.masimo_mightysat",
    settings="drivers.instruments.masimo_mightysat:Settings",
    virtual="drivers.virtual.o2_pipes:VirtualMightySat",
    links=_BLE,
    memory=_FINGER,
    confidence=Confidence.EXPERIMENTAL,
    sources="one public driver, firmware 1.0.6.3; the codes for no value are not documented",
    writes=frozenset({Write.SELECT_FORMAT}),
    pipe=Pipe(
        notifies="54c21002-a720-4b4f-11e4-9fe20002a5d5",
        writes="54c21001-a720-4b4f-11e4-9fe20002a5d5",
    ),
)
