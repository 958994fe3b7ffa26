"""Every supported instrument, by driver name: explicit, and imported only when asked for.

What an entry says is `drivers.entry`; the entries are in `drivers.catalogue`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from drivers.catalogue import (
    bluetooth,
    bluetooth_makers,
    carts,
    cuffs,
    experimental,
    monitors,
    oximeters,
    scales,
)
from drivers.entry import Confidence, Entry, LinkKind, Memory, Remembers, Stable

__all__ = ["REGISTRY", "Confidence", "Entry", "LinkKind", "Memory", "Remembers", "Stable"]

REGISTRY: Mapping[str, Entry] = MappingProxyType(
    {
        "and-tm2655": cuffs.AND_TM2655,
        "and-ua767pbt": cuffs.AND_UA767PBT,
        "and-ua767pc": cuffs.AND_UA767PC,
        "bci-5byte": oximeters.BCI_5BYTE,
        "ble-blood-pressure": bluetooth.BLOOD_PRESSURE,
        "ble-heart-rate": bluetooth.HEART_RATE,
        "ble-oximeter": bluetooth.OXIMETER,
        "ble-scale": bluetooth.SCALE,
        "ble-thermometer": bluetooth.THERMOMETER,
        "contec-v7": oximeters.CONTEC_V7,
        "ecg-folder": carts.ECG_FOLDER,
        "dinamap-native": experimental.DINAMAP_NATIVE,
        "healthometer": scales.HEALTHOMETER,
        "healthypi-v4": experimental.HEALTHYPI_V4,
        "ivy-450c": monitors.IVY_450C,
        "jumper": bluetooth_makers.JUMPER,
        "maibobo": cuffs.MAIBOBO,
        "masimo-ascii1": oximeters.MASIMO_ASCII1,
        "masimo-mightysat": bluetooth_makers.MIGHTYSAT,
        "movesense": bluetooth_makers.MOVESENSE,
        "medlab-eg01010": experimental.MEDLAB_EG01010,
        "nellcor": oximeters.NELLCOR,
        "nonin": oximeters.NONIN,
        "nonin-ascii": oximeters.NONIN_ASCII,
        "nonin-ble": bluetooth_makers.NONIN_BLE,
        "omron-hbp9030": experimental.OMRON_HBP9030,
        "polar-h10": bluetooth_makers.POLAR_H10,
        "stx-nibp": cuffs.STX_NIBP,
        "suntech": cuffs.SUNTECH,
        "taidoc": cuffs.TAIDOC,
        "viatom-o2": bluetooth_makers.VIATOM_O2,
        "viatom-pc60fw": bluetooth_makers.VIATOM_PC60FW,
    }
)
