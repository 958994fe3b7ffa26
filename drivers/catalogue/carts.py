"""ECG carts."""

from types import MappingProxyType

from drivers.entry import Confidence, Entry, LinkKind, Memory, Remembers
from drivers.model import Kind

# A cart stores recordings and sends them when somebody finds the time: each has the cart's own time
# and, mostly, a patient. The length of a recording is counted where its time is placed, as it is
# known then; settle_s is an assumption: how long before a recording its electrodes were in place.
_STORED = Remembers(Memory.STAMPED, settle_s=5.0)

ECG_FOLDER = Entry(
    title="ECG cart that leaves SCP-ECG files in a shared folder",
    driver="drivers.instruments.ecg_folder:EcgFolder",
    protocol="drivers.formats",
    settings="drivers.instruments.ecg_folder:Settings",
    virtual="drivers.virtual.ecg_cart:VirtualEcgCart",
    links=frozenset({LinkKind.FOLDER}),
    memory=MappingProxyType(
        {
            Kind.ECG12: _STORED,
            Kind.ECG12_WAVEFORM: _STORED,
            Kind.ECG12_ORIGINAL: _STORED,
        }
    ),
    confidence=Confidence.SINGLE,
    sources="SCP-ECG (EN 1064) from public tutorials and drafts; one real file of a cart",
    matches="files that begin as an SCP-ECG record does",
)
