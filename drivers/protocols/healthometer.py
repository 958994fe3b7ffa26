"""Health-o-meter and Pelstar platform scales: a packet a second with the locked weight, 9600 8N1.

ESC R   ESC I ID   ESC W weight   ESC H height   ESC B bmi   ESC T tare   ESC N unit   ESC E

ID       ten digits from the keypad, zeros if none: a patient's
weight   as shown, 0 or less is none
height   0.0 until it was entered, and so are bmi and tare
unit     m: kg and cm; c: lb and in

There is no checksum and no line end. Where packets follow each other without a pause the ESC of the
first mark may come as a 6. Each field stands once, in this order.

Resynchronisation: a packet is what lies between the last mark R before an end mark and that end, so
that the rest of a packet cut into cannot lend its digits to the next.
Sources: an open Rust driver that quotes the manufacturer's protocol description (unit-tested,
deployed); an open Ruby driver for 500KL.
"""

import re
from dataclasses import dataclass, field, replace

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

MAX_PACKET = 96
"""Twice what the longest packet known has."""

MAX_PENDING = MAX_PACKET

END = b"\x1bE"

_NUMBER = rb"(-?\d{1,4}(?:\.\d{1,2})?)"
_PACKET = re.compile(
    rb"[\x1b6]R\x1bI(\d{10})\x1bW%b\x1bH%b\x1bB%b\x1bT%b(?:\x1bN([a-z]))?\x1bE" % ((_NUMBER,) * 4)
)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, numbers as sent; `unit` is "" where it was not said."""

    ident: str = field(repr=False)
    weight: str
    height: str
    bmi: str
    tare: str
    unit: str
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def measured(self) -> bytes:
        """The packet's bytes without its mark and the identification, as they came."""
        return self.raw[self.raw.index(b"\x1bW") :]


class Decoder(Scanner[Packet]):
    """Turn bytes into packets. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"[\x1b6]"), _look)


def encode(packet: Packet) -> bytes:
    """Return the bytes of a packet on the wire."""
    said = (packet.ident, packet.weight, packet.height, packet.bmi, packet.tare)
    fields = "".join(f"\x1b{key}{value}" for key, value in zip("IWHBT", said, strict=True))
    unit = f"\x1bN{packet.unit}" if packet.unit else ""
    return f"\x1bR{fields}{unit}\x1bE".encode("ascii")


def scrub(packet: Packet) -> bytes:
    """Return the packet with zeros for the identification."""
    return encode(replace(packet, ident="0" * len(packet.ident)))


def _look(buffer: bytes, at: int) -> Packet | NeedMore | None:
    raw = buffer[at : at + MAX_PACKET]
    if raw[1:2] not in (b"", b"R"):
        return None
    end = raw.find(END)
    if end < 0:
        return NEED_MORE if len(raw) < MAX_PACKET else None
    match = _PACKET.fullmatch(raw, 0, end + len(END))
    if match is None:
        return None
    ident, weight, height, bmi, tare, unit = (each.decode("ascii") for each in match.groups(b""))
    return Packet(ident, weight, height, bmi, tare, unit, match[0])
