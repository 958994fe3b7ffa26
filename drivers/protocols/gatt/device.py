"""Device Information and Battery Level: who an instrument is, and whether it will last.

2A29 manufacturer, 2A24 model, 2A26 firmware, 2A27 hardware, 2A28 software   UTF-8
2A25 serial number   UTF-8
2A23 System ID       40 bits of the manufacturer's, then its 24-bit OUI, both little-endian
2A50 PnP ID          source u8 (1 Bluetooth SIG, 2 USB), vendor u16, product u16, version u16
2A2A                 IEEE 11073-20601 regulatory certification list: opaque
2A19                 battery level u8, percent

Strings end with what some firmware leaves there: NULs and spaces are taken off.

Source: Bluetooth SIG Device Information Service 1.1 and Battery Service 1.0 (GATT XML).
"""

from dataclasses import dataclass, field
from typing import TypeVar

from drivers.protocols.gatt.fields import Fields, Malformed, Reason, packed

SYSTEM_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Text:
    """One string, without the padding at its end."""

    text: str
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """The serial number, which tells two of a model apart."""

    text: str
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SystemId:
    """The EUI-64 of an instrument, most significant byte first."""

    eui64: bytes
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PnpId:
    """Which product it is, by the numbers of a register of vendors."""

    source: int
    vendor: int
    product: int
    version: int
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Opaque:
    """Bytes that are only handed on."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Battery:
    """The charge in percent."""

    percent: int
    raw: bytes = field(default=b"", compare=False, repr=False)


_Said = TypeVar("_Said", Text, SerialNumber)


def decode_text(payload: bytes) -> Text | Malformed:
    """Return what a string of the Device Information says."""
    return _text(payload, Text)


def decode_serial(payload: bytes) -> SerialNumber | Malformed:
    """Return what 2A25 says."""
    return _text(payload, SerialNumber)


def encode_text(frame: Text | SerialNumber) -> bytes:
    """Return a string as sent without padding; ValueError for one that has some."""
    if frame.text != frame.text.rstrip("\0 "):
        raise ValueError("a string does not end with a space or NUL")
    return frame.text.encode()


def decode_system_id(payload: bytes) -> SystemId | Malformed:
    """Return what 2A23 says."""
    fields = Fields(payload)
    return fields.whole(SystemId(fields.take(SYSTEM_ID_BYTES)[::-1], payload))


def encode_system_id(frame: SystemId) -> bytes:
    """Return the payload of 2A23."""
    if len(frame.eui64) != SYSTEM_ID_BYTES:
        raise ValueError(f"an EUI-64 of {len(frame.eui64)} bytes")
    return frame.eui64[::-1]


def decode_pnp_id(payload: bytes) -> PnpId | Malformed:
    """Return what 2A50 says."""
    fields = Fields(payload)
    return fields.whole(PnpId(fields.u8(), fields.u16(), fields.u16(), fields.u16(), payload))


def encode_pnp_id(frame: PnpId) -> bytes:
    """Return the payload of 2A50."""
    tail = (frame.vendor, frame.product, frame.version)
    return packed(frame.source, 1) + b"".join(packed(number, 2) for number in tail)


def decode_opaque(payload: bytes) -> Opaque:
    """Return what 2A2A holds."""
    return Opaque(payload)


def encode_opaque(frame: Opaque) -> bytes:
    """Return the payload of 2A2A."""
    return frame.raw


def decode_battery(payload: bytes) -> Battery | Malformed:
    """Return what 2A19 says."""
    fields = Fields(payload)
    percent = fields.u8()
    if percent > 100:
        return fields.whole(Malformed(Reason.RESERVED, payload))
    return fields.whole(Battery(percent, payload))


def encode_battery(frame: Battery) -> bytes:
    """Return the payload of 2A19."""
    if frame.percent > 100:
        raise ValueError(f"a battery level of {frame.percent} %")
    return packed(frame.percent, 1)


def _text(payload: bytes, kind: type[_Said]) -> _Said | Malformed:
    try:
        return kind(payload.decode().rstrip("\0 "), payload)
    except UnicodeDecodeError:
        return Malformed(Reason.NOT_TEXT, payload)
