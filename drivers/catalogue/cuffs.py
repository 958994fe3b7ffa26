"""Blood pressure, and families of instruments of which a cuff is one."""

from types import MappingProxyType

from drivers.contract import Pipe, SerialLine, Write
from drivers.entry import Confidence, Entry, LinkKind, Memory, Remembers
from drivers.model import Kind

# No automatic cuff may stay inflated longer (IEC 80601-2-30), so none measures longer.
CUFF_S = 180.0

AND_TM2655 = Entry(
    title="A&D TM-2655 arm-in blood-pressure kiosk (TM-2655P)",
    driver="drivers.instruments.and_tm2655:AndTm2655",
    protocol="drivers.protocols.and_tm2655",
    settings="drivers.instruments.and_tm2655:Settings",
    virtual="drivers.virtual.and_tm2655:VirtualAndTm2655",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType({Kind.BLOOD_PRESSURE: Remembers(Memory.LIVE, settle_s=CUFF_S)}),
    confidence=Confidence.CONFIRMED,
    sources="Open BP Kiosk (tm2655.rb); a Kotlin and a Python kiosk program; a hospital's note",
    writes=frozenset({Write.FETCH, Write.START_MEASUREMENT}),
    line=SerialLine(baud=2400),
    also=(SerialLine(9600),),
    matches="16 16 01 30 30 02 TM2655 1E ..., checked, at the end of a measurement",
)

AND_UA767PC = Entry(
    title="A&D UA-767PC blood-pressure monitor (RS-232)",
    driver="drivers.instruments.and_ua767.pc:AndUa767pc",
    protocol="drivers.protocols.and_ua767pc",
    settings="drivers.instruments.and_ua767.pc:Settings",
    virtual="drivers.virtual.and_ua767pc:VirtualAndUa767pc",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType({Kind.BLOOD_PRESSURE: Remembers(Memory.LIVE, settle_s=CUFF_S)}),
    confidence=Confidence.CONFIRMED,
    sources="python-omhe's script for UA-767PC; log of an open receiver for its Bluetooth sister",
    line=SerialLine(baud=9600),
    matches="ten upper-case hexadecimal characters at once, the first two 80",
)

AND_UA767PBT = Entry(
    title="A&D UA-767PBT cuff, UC-321PBT and UC-411PBT-C scales (Bluetooth serial profile)",
    driver="drivers.instruments.and_ua767.pbt:AndUa767pbt",
    protocol="drivers.protocols.and_ua767pbt",
    settings="drivers.instruments.and_ua767.pbt:Settings",
    virtual="drivers.virtual.and_ua767pbt:VirtualAndUa767pbt",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType(
        {
            Kind.BLOOD_PRESSURE: Remembers(Memory.STAMPED, settle_s=CUFF_S),
            Kind.WEIGHT: Remembers(Memory.STAMPED, settle_s=30.0),
            Kind.BODY_COMPOSITION: Remembers(Memory.STAMPED, settle_s=30.0),
        }
    ),
    confidence=Confidence.SINGLE,
    sources="an open Android receiver with logged packets; the ten characters as of UA-767PC",
    writes=frozenset({Write.FETCH}),
    line=SerialLine(baud=9600),
    matches="02 00, a length, FF 02 (cuff) or 97 01, 41 01 (scales), two dates",
)

MAIBOBO = Entry(
    title="Maibobo arm-in blood-pressure kiosk (RBP)",
    driver="drivers.instruments.maibobo:Maibobo",
    protocol="drivers.protocols.maibobo",
    settings="drivers.instruments.maibobo:Settings",
    virtual="drivers.virtual.maibobo:VirtualMaibobo",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType({Kind.BLOOD_PRESSURE: Remembers(Memory.LIVE, settle_s=CUFF_S)}),
    confidence=Confidence.CONFIRMED,
    sources="three open programs (C#, Python, JavaScript) that agree; models not stated",
    writes=frozenset({Write.IDENTIFY, Write.START_MEASUREMENT}),
    line=SerialLine(baud=115200),
    also=(SerialLine(9600),),
    question=bytes.fromhex("CC 80 03 03 01 01 00 00"),  # opens the connection
    matches="AA 80 03, length, 01: checked frames while the cuff works",
)

STX_NIBP = Entry(
    title="Blood-pressure modules with text frames (UN300C, SINNOR N6, boards in MD-9xx monitors)",
    driver="drivers.instruments.stx_nibp:StxNibp",
    protocol="drivers.protocols.stx_nibp",
    settings="drivers.instruments.stx_nibp:Settings",
    virtual="drivers.virtual.stx_nibp:VirtualStxNibp",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType({Kind.BLOOD_PRESSURE: Remembers(Memory.LIVE, settle_s=CUFF_S)}),
    confidence=Confidence.CONFIRMED,
    sources="open programs that agree; two quote PAR's technical description of NIBP2020 UP",
    writes=frozenset({Write.FETCH, Write.START_MEASUREMENT}),
    line=SerialLine(baud=4800),
    matches="02, three digits C digit S digit, 03 0D while it measures",
)

SUNTECH = Entry(
    title="SunTech OEM blood-pressure modules (Advantage, Advantage A+, LX)",
    driver="drivers.instruments.suntech:SunTech",
    protocol="drivers.protocols.suntech",
    settings="drivers.instruments.suntech:Settings",
    virtual="drivers.virtual.suntech:VirtualSunTech",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType({Kind.BLOOD_PRESSURE: Remembers(Memory.LIVE, settle_s=CUFF_S)}),
    confidence=Confidence.CONFIRMED,
    sources="unit tests of DemoApp that quote the maker's manual; a monitor's provider",
    writes=frozenset({Write.IDENTIFY, Write.FETCH, Write.START_MEASUREMENT}),
    line=SerialLine(baud=9600),
    matches="answers 3A 79 02 40 0B with 3E 43 and a version",
    question=bytes.fromhex("3a7902400b"),
)

TAIDOC = Entry(
    title="TaiDoc and FORA cuffs, thermometers, oximeters and scales, eight-byte frames",
    driver="drivers.instruments.taidoc:TaiDoc",
    protocol="drivers.protocols.taidoc",
    settings="drivers.instruments.taidoc:Settings",
    virtual="drivers.virtual.taidoc:VirtualTaiDoc",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP, LinkKind.BLE}),
    pipe=Pipe("00001524-1212-efde-1523-785feabcd123"),
    memory=MappingProxyType(
        {
            Kind.BLOOD_PRESSURE: Remembers(Memory.STAMPED, settle_s=CUFF_S),
            Kind.OXIMETRY: Remembers(Memory.STAMPED, settle_s=60.0),
            Kind.TEMPERATURE: Remembers(Memory.STAMPED, settle_s=60.0),
            Kind.WEIGHT: Remembers(Memory.BLIND, settle_s=60.0),
        }
    ),
    confidence=Confidence.CONFIRMED,
    sources=(
        "advmeds-bluetooth-lib; pico-vitals-gateway (field-tested); TransafeRx; FORA IR40 and D40 "
        "readers; no vendor document seen, baud unverified; scales have one source and are unproven"
    ),
    writes=frozenset({Write.IDENTIFY, Write.FETCH}),
    line=SerialLine(baud=19200),
    also=(SerialLine(9600),),
    question=bytes.fromhex("51 24 00 00 00 00 A3 18"),  # model
    matches="answers 51 24 00 00 00 00 A3 18 with a frame 51 24 .. A5",
)
