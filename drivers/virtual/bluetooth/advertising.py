"""Advertising data: written by instruments, read by the adapter."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bumble.core import UUID, AdvertisingData

from drivers.contract import channel_name

_LIMITED, _LE_ONLY = 0x01, 0x04
_SIG_BASE = "0000{}-0000-1000-8000-00805f9b34fb"
_NAMES = frozenset({AdvertisingData.SHORTENED_LOCAL_NAME, AdvertisingData.COMPLETE_LOCAL_NAME})
_SIZES = {
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}


@dataclass(frozen=True, slots=True)
class Advert:
    """What one advertisement says; services are whole UUIDs in lower case."""

    name: str | None = None
    services: tuple[str, ...] = ()
    manufacturer: dict[int, bytes] = field(default_factory=dict)


def whole_uuid(uuid: UUID | str) -> str:
    """Return a UUID with all its digits; a name is as `channel_name` gives it."""
    text = uuid if isinstance(uuid, str) else uuid.to_hex_str("-").lower()
    return text if len(text) == 36 else _SIG_BASE.format(text)


def written(name: str | None, services: Iterable[str]) -> bytes:
    """Return advertising data; services go by their `channel_name`."""
    short: list[str] = []
    long: list[str] = []
    for service in services:
        (short if len(channel_name(service)) == 4 else long).append(service)
    parts = [(int(AdvertisingData.FLAGS), bytes([_LIMITED | _LE_ONLY]))]
    if short:
        listed = b"".join(UUID(each).to_bytes() for each in short)
        parts.append((int(AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS), listed))
    if long:
        listed = b"".join(UUID(each).to_bytes() for each in long)
        parts.append((int(AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS), listed))
    if name is not None:
        parts.append((int(AdvertisingData.COMPLETE_LOCAL_NAME), name.encode()))
    return bytes(AdvertisingData(parts))


def read(data: AdvertisingData) -> Advert:
    """Return what advertising data says; parts that we do not know are left out."""
    name: str | None = None
    services: list[str] = []
    manufacturer: dict[int, bytes] = {}
    for kind, value in data.ad_structures:
        if kind in _NAMES:
            name = value.decode("utf-8", "replace")
        elif size := _SIZES.get(AdvertisingData.Type(kind)):
            pieces = (value[at : at + size] for at in range(0, len(value) - size + 1, size))
            services += [whole_uuid(UUID.from_bytes(each)) for each in pieces]
        elif kind == AdvertisingData.MANUFACTURER_SPECIFIC_DATA and len(value) >= 2:
            manufacturer[int.from_bytes(value[:2], "little")] = value[2:]
    return Advert(name, tuple(dict.fromkeys(services)), manufacturer)
