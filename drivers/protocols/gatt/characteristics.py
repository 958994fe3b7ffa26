"""Every characteristic this project can read, by the name a link gives it.

The name is `drivers.contract.channel_name`. The decoder is of payloads, not of a stream: what it is
fed in one call is one payload of the characteristic named with it. Bytes without a name say nothing
and are skipped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from drivers.contract import channel_name
from drivers.model import Skipped
from drivers.protocols.gatt import (
    blood_pressure,
    body_composition,
    date_time,
    device,
    enhanced_blood_pressure,
    heart_rate,
    jumper,
    movesense,
    nonin_ble,
    oximetry,
    polar,
    record_access,
    temperature,
    weight,
)
from drivers.protocols.gatt.blood_pressure import BloodPressure, BloodPressureFeature
from drivers.protocols.gatt.body_composition import BodyComposition
from drivers.protocols.gatt.date_time import CurrentTime, DateTime
from drivers.protocols.gatt.device import Battery, Opaque, PnpId, SerialNumber, SystemId, Text
from drivers.protocols.gatt.enhanced_blood_pressure import EnhancedBloodPressure
from drivers.protocols.gatt.fields import Malformed, Reason
from drivers.protocols.gatt.heart_rate import HeartRate
from drivers.protocols.gatt.jumper import JumperValues, JumperWave
from drivers.protocols.gatt.movesense import MovesenseAnswer, MovesenseEcg
from drivers.protocols.gatt.nonin_ble import NoninOximetry
from drivers.protocols.gatt.oximetry import Continuous, OximeterFeatures, SpotCheck
from drivers.protocols.gatt.polar import PolarAnswer, PolarEcg, PolarOther
from drivers.protocols.gatt.record_access import RecordAccess
from drivers.protocols.gatt.temperature import MeasurementInterval, Temperature, TemperatureType
from drivers.protocols.gatt.weight import ScaleFeature, Weight

Frame: TypeAlias = (
    Battery
    | BloodPressure
    | BloodPressureFeature
    | BodyComposition
    | Continuous
    | CurrentTime
    | DateTime
    | EnhancedBloodPressure
    | HeartRate
    | JumperValues
    | JumperWave
    | MeasurementInterval
    | MovesenseAnswer
    | MovesenseEcg
    | NoninOximetry
    | Opaque
    | OximeterFeatures
    | PnpId
    | PolarAnswer
    | PolarEcg
    | PolarOther
    | RecordAccess
    | ScaleFeature
    | SerialNumber
    | SpotCheck
    | SystemId
    | Temperature
    | TemperatureType
    | Text
    | Weight
)

MAX_PENDING = 0  # a payload comes whole

BLOOD_PRESSURE = "2a35"
CUFF_PRESSURE = "2a36"
BLOOD_PRESSURE_FEATURE = "2a49"
ENHANCED_BLOOD_PRESSURE = "2b34"
ENHANCED_CUFF_PRESSURE = "2b35"
TEMPERATURE = "2a1c"
TEMPERATURE_TYPE = "2a1d"
INTERMEDIATE_TEMPERATURE = "2a1e"
MEASUREMENT_INTERVAL = "2a21"
SPOT_CHECK = "2a5e"
CONTINUOUS = "2a5f"
OXIMETER_FEATURES = "2a60"
RECORD_ACCESS = "2a52"
HEART_RATE = "2a37"
WEIGHT = "2a9d"
SCALE_FEATURE = "2a9e"
BODY_COMPOSITION = "2a9c"
BODY_COMPOSITION_FEATURE = "2a9b"
CURRENT_TIME = "2a2b"
DATE_TIME = "2a08"
BATTERY = "2a19"
SYSTEM_ID = "2a23"
MODEL = "2a24"
SERIAL_NUMBER = "2a25"
FIRMWARE = "2a26"
HARDWARE = "2a27"
SOFTWARE = "2a28"
MANUFACTURER = "2a29"
REGULATORY = "2a2a"
PNP_ID = "2a50"

# Of their makers' own services.
NONIN_OXIMETRY = "0aad7ea0-0d60-11e2-8e3c-0002a5d5c51b"
JUMPER_OXIMETRY = "cdeacb81-5235-4c07-8846-93a37ee6b86d"
POLAR_CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
POLAR_DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
MOVESENSE_WRITE = "34800001-7185-4d5d-b431-630e7050e8f0"
MOVESENSE_NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"


@dataclass(frozen=True, slots=True)
class Codec:
    """How the payload of one characteristic is read and written; `frame` is what it can hold."""

    frame: type[Frame] | tuple[type[Frame], ...]
    decode: Callable[[bytes], Frame | Malformed]
    encode: Callable[[Any], bytes]


_PRESSURE = Codec(BloodPressure, blood_pressure.decode, blood_pressure.encode)
_ENHANCED = Codec(
    EnhancedBloodPressure, enhanced_blood_pressure.decode, enhanced_blood_pressure.encode
)
_TEMPERATURE = Codec(Temperature, temperature.decode, temperature.encode)
_SCALE = Codec(ScaleFeature, weight.decode_feature, weight.encode_feature)
_TEXT = Codec(Text, device.decode_text, device.encode_text)

CODECS: Mapping[str, Codec] = MappingProxyType(
    {
        BLOOD_PRESSURE: _PRESSURE,
        CUFF_PRESSURE: _PRESSURE,
        BLOOD_PRESSURE_FEATURE: Codec(
            BloodPressureFeature, blood_pressure.decode_feature, blood_pressure.encode_feature
        ),
        ENHANCED_BLOOD_PRESSURE: _ENHANCED,
        ENHANCED_CUFF_PRESSURE: _ENHANCED,
        TEMPERATURE: _TEMPERATURE,
        INTERMEDIATE_TEMPERATURE: _TEMPERATURE,
        TEMPERATURE_TYPE: Codec(TemperatureType, temperature.decode_type, temperature.encode_type),
        MEASUREMENT_INTERVAL: Codec(
            MeasurementInterval, temperature.decode_interval, temperature.encode_interval
        ),
        SPOT_CHECK: Codec(SpotCheck, oximetry.decode_spot_check, oximetry.encode_spot_check),
        CONTINUOUS: Codec(Continuous, oximetry.decode_continuous, oximetry.encode_continuous),
        OXIMETER_FEATURES: Codec(
            OximeterFeatures, oximetry.decode_features, oximetry.encode_features
        ),
        RECORD_ACCESS: Codec(RecordAccess, record_access.decode, record_access.encode),
        HEART_RATE: Codec(HeartRate, heart_rate.decode, heart_rate.encode),
        WEIGHT: Codec(Weight, weight.decode, weight.encode),
        SCALE_FEATURE: _SCALE,
        BODY_COMPOSITION: Codec(BodyComposition, body_composition.decode, body_composition.encode),
        BODY_COMPOSITION_FEATURE: _SCALE,
        CURRENT_TIME: Codec(
            CurrentTime, date_time.decode_current_time, date_time.encode_current_time
        ),
        DATE_TIME: Codec(DateTime, date_time.decode_date_time, date_time.encode_date_time),
        BATTERY: Codec(Battery, device.decode_battery, device.encode_battery),
        SYSTEM_ID: Codec(SystemId, device.decode_system_id, device.encode_system_id),
        MODEL: _TEXT,
        SERIAL_NUMBER: Codec(SerialNumber, device.decode_serial, device.encode_text),
        FIRMWARE: _TEXT,
        HARDWARE: _TEXT,
        SOFTWARE: _TEXT,
        MANUFACTURER: _TEXT,
        REGULATORY: Codec(Opaque, device.decode_opaque, device.encode_opaque),
        PNP_ID: Codec(PnpId, device.decode_pnp_id, device.encode_pnp_id),
        NONIN_OXIMETRY: Codec(NoninOximetry, nonin_ble.decode, nonin_ble.encode),
        JUMPER_OXIMETRY: Codec((JumperValues, JumperWave), jumper.decode, jumper.encode),
        POLAR_CONTROL: Codec(PolarAnswer, polar.decode_answer, polar.encode_answer),
        POLAR_DATA: Codec((PolarEcg, PolarOther), polar.decode_data, polar.encode_data),
        MOVESENSE_NOTIFY: Codec(
            (MovesenseAnswer, MovesenseEcg), movesense.decode, movesense.encode
        ),
    }
)

_ENCODERS = {
    frame: codec.encode
    for codec in CODECS.values()
    for frame in (codec.frame if isinstance(codec.frame, tuple) else (codec.frame,))
}


class Decoder:
    """Payloads to frames; a payload that is no frame is skipped whole."""

    @property
    def pending(self) -> bytes:
        """Nothing: a payload comes whole."""
        return b""

    def feed(self, data: bytes, channel: str | None = None) -> list[Frame | Skipped]:
        """Return the frame in one payload of a characteristic, nothing for no bytes."""
        if not data:
            return []
        frame = decode(channel or "", data)
        return [Skipped(data) if isinstance(frame, Malformed) else frame]


def decode(channel: str, payload: bytes) -> Frame | Malformed:
    """Return what a characteristic says, or why it says nothing; never raises."""
    codec = CODECS.get(channel_name(channel))
    return codec.decode(payload) if codec else Malformed(Reason.UNKNOWN, payload)


def encode(frame: Frame) -> bytes:
    """Return the payload an instrument sends for this frame."""
    return _ENCODERS[type(frame)](frame)


def scrub(frame: Frame) -> bytes:
    """Return the payload for a fixture: what names one instrument as zeros.

    A certification list holds nobody knows what, so it goes too. Users are numbers on a scale or a
    cuff and name nobody.
    """
    match frame:
        case SerialNumber():
            return b"0" * len(frame.text)
        case SystemId() | Opaque():
            return bytes(len(frame.raw))
        case _:
            return frame.raw
