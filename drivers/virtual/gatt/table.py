"""What a virtual peripheral offers: characteristics, the services they lie in, what may be done.

The services of the characteristics are those of the Bluetooth SIG's own service specifications,
and of the sources that `catalogue/bluetooth_makers.py` names for makers' own.
"""

from dataclasses import dataclass
from enum import Flag, auto

from drivers.protocols.gatt import characteristics as known

DEVICE_INFORMATION = "180a"
BATTERY = "180f"
CURRENT_TIME = "1805"

_CHARACTERISTICS = {
    "1810": (
        known.BLOOD_PRESSURE,
        known.CUFF_PRESSURE,
        known.BLOOD_PRESSURE_FEATURE,
        known.ENHANCED_BLOOD_PRESSURE,
        known.ENHANCED_CUFF_PRESSURE,
    ),
    "1809": (
        known.TEMPERATURE,
        known.TEMPERATURE_TYPE,
        known.INTERMEDIATE_TEMPERATURE,
        known.MEASUREMENT_INTERVAL,
    ),
    "1822": (known.SPOT_CHECK, known.CONTINUOUS, known.OXIMETER_FEATURES, known.RECORD_ACCESS),
    "180d": (known.HEART_RATE,),
    "181d": (known.WEIGHT, known.SCALE_FEATURE),
    "181b": (known.BODY_COMPOSITION, known.BODY_COMPOSITION_FEATURE),
    "46a970e0-0d5f-11e2-8b5e-0002a5d5c51b": (known.NONIN_OXIMETRY,),
    "cdeacb80-5235-4c07-8846-93a37ee6b86d": (known.JUMPER_OXIMETRY,),
    "fb005c80-02e7-f387-1cad-8acd2d8df0c8": (known.POLAR_CONTROL, known.POLAR_DATA),
    "34802252-7185-4d5d-b431-630e7050e8f0": (known.MOVESENSE_WRITE, known.MOVESENSE_NOTIFY),
    # Of instruments that say there what they say on a cable.
    "49535343-fe7d-4ae5-8fa9-9fafd205e455": ("49535343-1e4d-4bd9-ba61-23c647249616",),
    "00001523-1212-efde-1523-785feabcd123": ("00001524-1212-efde-1523-785feabcd123",),
    "54c21000-a720-4b4f-11e4-9fe20002a5d5": (
        "54c21001-a720-4b4f-11e4-9fe20002a5d5",
        "54c21002-a720-4b4f-11e4-9fe20002a5d5",
    ),
    "14839ac4-7d7e-415c-9a42-167340cf2339": (
        "0734594a-a8e7-4b1a-a6b1-cd5243059a57",
        "8b00ace7-eb0b-49b0-bbe9-9aee0a26e1a3",
    ),
    "6e400001-b5a3-f393-e0a9-e50e24dcca9e": ("6e400003-b5a3-f393-e0a9-e50e24dcca9e",),
    CURRENT_TIME: (known.CURRENT_TIME,),
    BATTERY: (known.BATTERY,),
    DEVICE_INFORMATION: (
        known.SYSTEM_ID,
        known.MODEL,
        known.SERIAL_NUMBER,
        known.FIRMWARE,
        known.HARDWARE,
        known.SOFTWARE,
        known.MANUFACTURER,
        known.REGULATORY,
        known.PNP_ID,
    ),
}
_SERVICE = {each: service for service, held in _CHARACTERISTICS.items() for each in held}
_NOTIFIED = frozenset(
    {
        known.CUFF_PRESSURE,
        known.ENHANCED_CUFF_PRESSURE,
        known.INTERMEDIATE_TEMPERATURE,
        known.CONTINUOUS,
        known.HEART_RATE,
        known.NONIN_OXIMETRY,
        known.JUMPER_OXIMETRY,
        known.POLAR_DATA,
        known.MOVESENSE_NOTIFY,
    }
)


class Access(Flag):
    """What a characteristic is for."""

    READ = auto()
    WRITE = auto()
    NOTIFY = auto()
    INDICATE = auto()


SENDS = Access.NOTIFY | Access.INDICATE


@dataclass(frozen=True, slots=True)
class Offered:
    """One characteristic of a peripheral."""

    channel: str
    service: str
    access: Access


def offered(channel: str, access: Access) -> Offered:
    """Return a characteristic of the Bluetooth SIG, in its service."""
    return Offered(channel, _SERVICE[channel], access)


def sending(channel: str) -> Offered:
    """Return one that a peripheral sends: notified if it streams, else indicated."""
    return offered(channel, Access.NOTIFY if channel in _NOTIFIED else Access.INDICATE)


def advertised(table: tuple[Offered, ...]) -> tuple[str, ...]:
    """Return the services that say what the peripheral is, in the order of the table."""
    aside = {DEVICE_INFORMATION, BATTERY, CURRENT_TIME}
    return tuple(dict.fromkeys(each.service for each in table if each.service not in aside))
