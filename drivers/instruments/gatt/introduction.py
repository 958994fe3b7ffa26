"""Who an instrument is, by what can be read of it before it sends values."""

from collections.abc import Awaitable, Callable

from drivers.contract import GattLink, Peer
from drivers.errors import RequestRefused
from drivers.model import Chunk, InstrumentId
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame, decode
from drivers.protocols.gatt.device import SerialNumber, SystemId, Text
from drivers.protocols.gatt.fields import Malformed

IDENTITY = (
    characteristics.MANUFACTURER,
    characteristics.MODEL,
    characteristics.SERIAL_NUMBER,
    characteristics.SYSTEM_ID,
    characteristics.FIRMWARE,
)

_NO_SERIALS = frozenset({"n/a", "none", "null", "unknown", "serial number", "serialnumber"})

Ask = Callable[[str], Awaitable[Frame | None]]


async def ask(
    link: GattLink, channel: str, keep: Callable[[Chunk], Awaitable[None]]
) -> Frame | None:
    """Return what a characteristic holds, None where it is not there or makes no sense."""
    try:
        chunk = await link.read(channel)
    except RequestRefused:
        return None
    await keep(chunk)
    frame = decode(channel, chunk.data)
    return None if isinstance(frame, Malformed) else frame


async def introduce(driver: str, peer: Peer, asked: Ask) -> InstrumentId:
    """Return who answers; what names it is its serial number, its System ID or its address."""
    said = {channel: await asked(channel) for channel in IDENTITY}
    names = (
        _serial(said[characteristics.SERIAL_NUMBER]),
        _system_id(said[characteristics.SYSTEM_ID]),
        peer.address if peer.is_lasting else None,
    )
    maker, model = _text(said[characteristics.MANUFACTURER]), _text(said[characteristics.MODEL])
    return InstrumentId(
        driver,
        model=" ".join(word for word in (maker, model) if word) or None,
        serial=next((name for name in names if name), None),
        firmware=_text(said[characteristics.FIRMWARE]),
    )


def _text(frame: Frame | None) -> str | None:
    text = frame.text.strip() if isinstance(frame, Text) else ""
    return text if text and text.isprintable() else None


def _serial(frame: Frame | None) -> str | None:
    """Return a serial number that can tell two instruments apart: not 0000, not "n/a"."""
    text = frame.text.strip() if isinstance(frame, SerialNumber) else ""
    usable = text.isprintable() and len(set(text)) > 1 and text.lower() not in _NO_SERIALS
    return text if usable else None


def _system_id(frame: Frame | None) -> str | None:
    if not isinstance(frame, SystemId) or len(set(frame.eui64)) == 1:
        return None
    return frame.eui64.hex().upper()
