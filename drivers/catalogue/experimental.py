"""Instruments whose formats stand on too little to trust; `unproven` says on how little."""

from types import MappingProxyType

from drivers.catalogue.cuffs import CUFF_S
from drivers.contract import SerialLine
from drivers.entry import Confidence, Entry, LinkKind, Memory, Remembers, Stable
from drivers.model import Kind, Metric

_LINKS = frozenset({LinkKind.SERIAL, LinkKind.TCP})
_HEART = Remembers(Memory.LIVE, settle_s=20.0, stream=Stable(10.0, {Metric.HEART_RATE: 5.0}))
_BREATH = Remembers(Memory.LIVE, settle_s=60.0, stream=Stable(10.0, {Metric.RESPIRATION_RATE: 3.0}))

OMRON_HBP9030 = Entry(
    title="Omron HBP-9030 and HBP-9031C arm-in kiosks, output format 5",
    driver="drivers.instruments.omron_hbp9030:OmronHbp9030",
    protocol="drivers.protocols.omron_hbp9030",
    settings="drivers.instruments.omron_hbp9030:Settings",
    virtual="drivers.virtual.omron_hbp9030:VirtualOmronHbp9030",
    links=_LINKS,
    memory=MappingProxyType({Kind.BLOOD_PRESSURE: Remembers(Memory.LIVE, settle_s=CUFF_S)}),
    confidence=Confidence.EXPERIMENTAL,
    sources="a specification of an open program that quotes the manual 2873643-0F, page 20",
    unproven="no line of a real kiosk was seen; the words of its errors are not known",
    matches="lines of 53 characters with eleven fields at the end of a measurement",
)

HEALTHYPI_V4 = Entry(
    title="ProtoCentral HealthyPi v4 (open hardware for development, no medical device)",
    driver="drivers.instruments.healthypi_v4:HealthyPiV4",
    protocol="drivers.protocols.healthypi_v4",
    settings="drivers.instruments.healthypi_v4:Settings",
    virtual="drivers.virtual.healthypi_v4:VirtualHealthyPiV4",
    links=_LINKS,
    memory=MappingProxyType(
        {
            Kind.HEART_RATE: _HEART,
            Kind.RESPIRATION: _BREATH,
            Kind.OXIMETRY: Remembers(
                Memory.LIVE, settle_s=20.0, stream=Stable(10.0, {Metric.SPO2: 1.0})
            ),
            Kind.TEMPERATURE: Remembers(
                Memory.LIVE, settle_s=60.0, stream=Stable(10.0, {Metric.BODY_TEMPERATURE: 0.1})
            ),
        }
    ),
    confidence=Confidence.EXPERIMENTAL,
    sources="the maker's firmware and its program for a computer, which agree",
    unproven="no recording of a board was seen; how long it averages is an assumption",
    line=SerialLine(baud=115200),
    matches="0A FA 14 00 02 and twenty bytes, ended by 00 0B, 125 a second",
    rhythm_s=1 / 125,
)

MEDLAB_EG01010 = Entry(
    title="Medlab EG01010 ECG module, protocols 1 and 2",
    driver="drivers.instruments.medlab_eg01010:MedlabEg01010",
    protocol="drivers.protocols.medlab_eg01010",
    settings="drivers.instruments.medlab_eg01010:Settings",
    virtual="drivers.virtual.medlab_eg01010:VirtualMedlabEg01010",
    links=_LINKS,
    memory=MappingProxyType({Kind.HEART_RATE: _HEART, Kind.RESPIRATION: _BREATH}),
    confidence=Confidence.EXPERIMENTAL,
    sources="Medlab EG01010 manual v1.06",
    unproven="no recording of a module was seen; averaging, and the codes of its speeds, not found",
    line=SerialLine(baud=115200, parity="E"),
    also=(SerialLine(9600),),
    matches="protocol 2: blocks from F8 to FD with right checks; protocol 1: FA, a pulse, F8",
    rhythm_s=1 / 50,
)

DINAMAP_NATIVE = Entry(
    title="GE/Critikon DINAMAP PRO 1000, native binary output: waveforms and alarms only",
    driver="drivers.instruments.dinamap_native:DinamapNative",
    protocol="drivers.protocols.dinamap_native",
    settings="drivers.instruments.dinamap_native:Settings",
    virtual="drivers.virtual.dinamap_native:VirtualDinamapNative",
    links=_LINKS,
    memory=MappingProxyType({}),
    confidence=Confidence.EXPERIMENTAL,
    sources="an open reader with a log of 1152 blocks, from which the check was derived",
    unproven="which channel is what, their gain, and all numbers: it gives no measurement",
    matches="18 bytes, 50 a second, the last two the inverse of the check and the first",
    rhythm_s=1 / 50,
)
