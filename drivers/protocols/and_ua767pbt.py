"""A&D UA-767PBT cuff and UC-321PBT, UC-411PBT-C scales over Bluetooth's serial profile.

The instrument connects to a port that the host offers under the name PWAccessP. Numbers are
little-endian; a packet is a head of 60 bytes and a payload.

0-1    0002                                29-34  text ("UC-411" was seen)
2-5    bytes of payload                    35-46  serial number, text
6-7    instrument: 767 UA-767PBT,          47-56  text ("PBT-C" was seen)
       407 UC-411PBT-C, 321 UC-321PBT      57     battery
8      flag                                58     reserved
9-15   when it was measured: year (2),     59     firmware
       month, day, hour, minute, second
16-22  when it was sent, the same clock
23-28  Bluetooth address, reversed

payload of a cuff    the ten characters of `and_ua767pc`
payload of a scale   lines KEY,value: ST,+078.05kg weight; FT,25.4% fat; RT,0486.1O impedance;
                     HT,+1740mm height as set; BT,01683kc; MT,055.2kg muscle; WT,042.5kg water;
                     ID,01 which user

Before a packet may come PWCAPI, or PWRQPI and three characters that ask for a user's settings. The
host takes a packet with PWA1 and refuses it with PWA0. Ten characters without a head, as some logs
have them, are read too: they have no time.

There is no checksum. Resynchronisation: at the next head whose lengths and times can be.
Source: an open Android receiver (BluetoothServer4And) with logged packets.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from drivers.protocols import and_ua767pc
from drivers.protocols.and_ua767pc import Result
from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

HEAD = 60
MAX_PAYLOAD = 160
"""The longest seen is 91 bytes."""

MAX_PENDING = HEAD + MAX_PAYLOAD

CUFF = 767
SCALES = frozenset({407, 321})
TAKEN = b"PWA1"

_TYPE = b"\x02\x00"
_PAYLOAD = re.compile(rb"(?:[A-Z]{2},[ -~]{1,20}\r\n)+")
_LINE = re.compile(rb"([A-Z]{2}),([ -~]{1,20})\r\n")
_ASKS = ((b"PWCAPI", 6), (b"PWRQPI", 9))


@dataclass(frozen=True, slots=True)
class Packet:
    """One measurement as it is sent; `head` are the 60 bytes before the payload."""

    head: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def instrument(self) -> int:
        """Which instrument it is from."""
        return int.from_bytes(self.head[6:8], "little")

    @property
    def measured(self) -> datetime | None:
        """When it was measured by the instrument's clock; None where that is no date."""
        return _time(self.head[9:16])

    @property
    def sent(self) -> datetime | None:
        """What the instrument's clock said when it was sent."""
        return _time(self.head[16:23])

    @property
    def model(self) -> str:
        """The name in the head, as UC-411; empty where there is none."""
        return _text(self.head[29:35])

    @property
    def serial(self) -> str:
        """The serial number; empty where there is none."""
        return _text(self.head[35:47])

    @property
    def result(self) -> Result | None:
        """The reading of a cuff."""
        found = and_ua767pc.Decoder().feed(self.payload)
        return found[0] if len(found) == 1 and isinstance(found[0], Result) else None

    @property
    def lines(self) -> dict[str, str]:
        """The values of a scale by their two letters."""
        found = _LINE.findall(self.payload)
        return {key.decode("ascii"): value.decode("ascii") for key, value in found}


@dataclass(frozen=True, slots=True)
class Ask:
    """The instrument asks whether, or for whom, it may send."""

    text: bytes
    raw: bytes = field(default=b"", compare=False)


Said: TypeAlias = Packet | Ask | Result


class Decoder(Scanner[Said]):
    """Turn bytes into packets. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"[\x02P0-9A-F]"), _look)


def encode(said: Said) -> bytes:
    """Return the bytes of a frame on the wire."""
    if isinstance(said, Packet):
        return said.head + said.payload
    return and_ua767pc.encode(said) if isinstance(said, Result) else said.text


def head_of(instrument: int, payload: bytes, measured: datetime, sent: datetime) -> bytes:
    """Return the head of a packet without address, names and serial number."""
    front = _TYPE + len(payload).to_bytes(4, "little") + instrument.to_bytes(2, "little") + b"\0"
    return front + _stamp(measured) + _stamp(sent) + bytes(HEAD - 23)


def scrub(said: Said) -> bytes:
    """Return the frame with zeros for the address, the serial number and the user."""
    if isinstance(said, Ask):
        return said.text[:6] + b"0" * (len(said.text) - 6)
    if isinstance(said, Result):
        return encode(said)
    head = said.head[:23] + bytes(6) + said.head[29:35] + bytes(12) + said.head[47:]
    return head + re.sub(rb"ID,\d+", lambda each: b"ID," + b"0" * (len(each[0]) - 3), said.payload)


def _look(buffer: bytes, at: int) -> Said | NeedMore | None:
    first = buffer[at]
    if first == _TYPE[0]:
        return _packet(buffer[at : at + MAX_PENDING])
    if first == ord("P"):
        return _ask(buffer[at : at + 9])
    return and_ua767pc.look(buffer, at)


def _packet(raw: bytes) -> Packet | NeedMore | None:
    if raw[:2] not in (_TYPE, _TYPE[:1]):
        return None
    if len(raw) < HEAD:
        return NEED_MORE if _can_begin(raw) else None
    size = int.from_bytes(raw[2:6], "little")
    found = Packet(raw[:HEAD], raw[HEAD : HEAD + size], raw[: HEAD + size])
    if not _can_begin(raw) or found.measured is None or found.sent is None:
        return None
    if len(found.payload) < size:
        return NEED_MORE
    if found.instrument == CUFF:
        return found if found.result is not None else None
    return found if _PAYLOAD.fullmatch(found.payload) else None


def _can_begin(raw: bytes) -> bool:
    """Whether lengths and instrument, as far as they are there, can be."""
    if len(raw) < 8:
        return True
    instrument, size = int.from_bytes(raw[6:8], "little"), int.from_bytes(raw[2:6], "little")
    if instrument == CUFF:
        return size == and_ua767pc.SIZE
    return instrument in SCALES and 0 < size <= MAX_PAYLOAD


def _ask(raw: bytes) -> Ask | NeedMore | None:
    for text, size in _ASKS:
        if raw[:6] == text[: len(raw)]:
            return NEED_MORE if len(raw) < size else Ask(raw[:size], raw[:size])
    return None


def _stamp(time: datetime) -> bytes:
    rest = (time.month, time.day, time.hour, time.minute, time.second)
    return time.year.to_bytes(2, "little") + bytes(rest)


def _time(stamp: bytes) -> datetime | None:
    try:
        return datetime(int.from_bytes(stamp[:2], "little"), *stamp[2:])  # noqa: DTZ001 - no zone
    except ValueError:
        return None


def _text(field_bytes: bytes) -> str:
    text = field_bytes.rstrip(b"\0 ")
    return text.decode("ascii") if text.isascii() and text.decode("ascii").isprintable() else ""
