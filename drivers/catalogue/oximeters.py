"""Pulse oximeters."""

from types import MappingProxyType

from drivers.contract import Pipe, SerialLine, Write
from drivers.entry import Confidence, Entry, LinkKind, Memory, Remembers, Stable
from drivers.model import Kind, Metric

NONIN = Entry(
    title="Nonin pulse oximeters, binary (OEM III, Xpod, WristOx2 3150, Onyx II 9560)",
    driver="drivers.instruments.nonin:Nonin",
    protocol="drivers.protocols.nonin",
    settings="drivers.instruments.nonin:Settings",
    virtual="drivers.virtual.nonin:VirtualNonin",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType(
        {
            # The streams are live; a stored spot check says so itself, by its own time or the flag
            # from-memory, and is judged as stamped. settle_s: four beats at 30 a minute (8 s), the
            # display's refresh (1.5 s) and its hold (10 s), should a unit drop the sensor alarm.
            # Stable: SpO2 may flicker by its last digit; four beats of a pulse follow the breath.
            Kind.OXIMETRY: Remembers(
                Memory.LIVE,
                settle_s=20.0,
                stream=Stable(10.0, {Metric.SPO2: 1.0, Metric.PULSE_RATE: 8.0}),
            ),
        }
    ),
    confidence=Confidence.CONFIRMED,
    sources=(
        "Nonin Model 9560 OEM Specification 6470-000-01; MD PnP devices/nonin; "
        "Pufferfish ventilator firmware (OEM III)"
    ),
    writes=frozenset({Write.SELECT_FORMAT, Write.IDENTIFY, Write.SET_CLOCK}),
    line=SerialLine(baud=9600),
    rhythm_s=1.0,  # Data Format 8; spot checks of format 13 make no stream
    question=bytes.fromhex("02 73 00 03"),  # device type
    matches="packets of 25 checksummed frames, checksummed records, or four alike seconds in a row",
)

MASIMO_ASCII1 = Entry(
    title="Masimo pulse oximeters, ASCII-1 (Rad-8, Rad-87, Radical-5, Radical-7)",
    driver="drivers.instruments.masimo_ascii1:MasimoAscii1",
    protocol="drivers.protocols.masimo_ascii1",
    settings="drivers.instruments.masimo_ascii1:Settings",
    virtual="drivers.virtual.masimo_ascii1:VirtualMasimoAscii1",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType(
        {
            # Masimo SET averages over 16 s at its slowest; one more for the line's own second.
            Kind.OXIMETRY: Remembers(
                Memory.LIVE,
                settle_s=17.0,
                stream=Stable(10.0, {Metric.SPO2: 1.0, Metric.PULSE_RATE: 8.0}),
            ),
        }
    ),
    confidence=Confidence.CONFIRMED,
    sources=(
        "Masimo Rad-8 and Rad-87 operator's manuals; MD PnP Radical-7 driver; open programs that "
        "log Rad-8 and Radical-5"
    ),
    line=SerialLine(baud=9600),
    rhythm_s=1.0,
    matches="lines MM/DD/YY HH:MM:SS ... SPO2= BPM= EXC=, one a second",
)

NELLCOR = Entry(
    title="Nellcor pulse oximeters, ASCII printout (N-595, NPB-290, NPB-295)",
    driver="drivers.instruments.nellcor:Nellcor",
    protocol="drivers.protocols.nellcor",
    settings="drivers.instruments.nellcor:Settings",
    virtual="drivers.virtual.nellcor:VirtualNellcor",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType(
        {
            # Live only: rows of its memory are told apart and left. The averaging is not in
            # the sources: 20 s is the longest of its kind, and two more for the row's own period.
            Kind.OXIMETRY: Remembers(
                Memory.LIVE,
                settle_s=22.0,
                stream=Stable(10.0, {Metric.SPO2: 1.0, Metric.PULSE_RATE: 8.0}),
            ),
        }
    ),
    confidence=Confidence.CONFIRMED,
    sources="Mallinckrodt NPB-290 and NPB-295 operator's manuals; MD PnP driver for N-595",
    line=SerialLine(baud=9600),
    rhythm_s=2.0,
    matches="... VERSION ... CRC: and TIME %SPO2 BPM PA, rows every 2 s",
)

CONTEC_V7 = Entry(
    title="Contec finger oximeters, protocol V7.0 (CMS50D+, E, F, H, I, EW, FW, IW)",
    driver="drivers.instruments.contec_v7:ContecV7",
    protocol="drivers.protocols.contec_v7",
    settings="drivers.instruments.contec_v7:Settings",
    virtual="drivers.virtual.contec_v7:VirtualContecV7",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType(
        {
            # Stored data is never asked for. The averaging is not published; 20 s is the longest of
            # its kind.
            Kind.OXIMETRY: Remembers(
                Memory.LIVE,
                settle_s=20.0,
                stream=Stable(10.0, {Metric.SPO2: 1.0, Metric.PULSE_RATE: 8.0}),
            ),
        }
    ),
    confidence=Confidence.CONFIRMED,
    sources=(
        "Contec Communication protocol of pulse oximeter V7.0, 2010; four open drivers; a USB log "
        "of a CMS50D+"
    ),
    writes=frozenset({Write.IDENTIFY, Write.SELECT_FORMAT, Write.KEEP_ALIVE}),
    line=SerialLine(baud=115200),
    rhythm_s=1 / 60,
    question=bytes.fromhex("7D 81 A8 80 80 80 80 80 80"),  # model
    matches="after 7D 81 A1 80 80 80 80 80 80: packets 01 with bit 7 set in the eight after it",
)

BCI_5BYTE = Entry(
    title="Oximeters with the five-byte stream (BCI, Contec CMS50D and D+ firmware v5, BerryMed)",
    driver="drivers.instruments.bci_5byte:Bci5byte",
    protocol="drivers.protocols.bci_5byte",
    settings="drivers.instruments.bci_5byte:Settings",
    virtual="drivers.virtual.bci_5byte:VirtualBci5byte",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP, LinkKind.BLE}),
    pipe=Pipe("49535343-1e4d-4bd9-ba61-23c647249616"),
    memory=MappingProxyType(
        {
            # The averaging is not published; 20 s is the longest of its kind. No checksum: the rule
            # of stability is also what keeps a bit turned over on the line from becoming a value.
            Kind.OXIMETRY: Remembers(
                Memory.LIVE,
                settle_s=20.0,
                stream=Stable(10.0, {Metric.SPO2: 1.0, Metric.PULSE_RATE: 8.0}),
            ),
        }
    ),
    confidence=Confidence.CONFIRMED,
    sources=(
        "translation of a BCI module manual; CMS50Dplus with unit tests; BerryMed's package "
        "parser; the flag bits are read so that any of their meanings disowns the value"
    ),
    line=SerialLine(baud=4800),
    also=(SerialLine(19200, parity="O"), SerialLine(9600), SerialLine(4800, parity="E")),
    rhythm_s=1 / 50,
    matches="five bytes, only the first with bit 7; CMS50 firmware v5: 19200 8O1",
)

NONIN_ASCII = Entry(
    title="Nonin bedside and handheld oximeters, ASCII (2500, 8500, 8600, 9847, Avant 9600, 4000)",
    driver="drivers.instruments.nonin_ascii:NoninAscii",
    protocol="drivers.protocols.nonin_ascii",
    settings="drivers.instruments.nonin_ascii:Settings",
    virtual="drivers.virtual.nonin_ascii:VirtualNoninAscii",
    links=frozenset({LinkKind.SERIAL, LinkKind.TCP}),
    memory=MappingProxyType(
        {
            # As the binary formats: four beats at 30 a minute, the display's refresh and its hold.
            Kind.OXIMETRY: Remembers(
                Memory.LIVE,
                settle_s=20.0,
                stream=Stable(10.0, {Metric.SPO2: 1.0, Metric.PULSE_RATE: 8.0}),
            ),
        }
    ),
    confidence=Confidence.CONFIRMED,
    sources="Nonin operator's manuals of 2500, 8500, 8600V, Avant 9600, 9847 and BT4000",
    line=SerialLine(baud=9600),
    rhythm_s=1.0,
    matches="lines SPO2=nnn HR=nnn, one a second",
)
