"""Ansar-B monitor stream: one packet a second with waves and text, 9600 8N1, no checksum.

offset  bytes  content
0       1      FF
1       8      "ANSAR-B "
9       200    ECG, 200 Hz, (b - 100) * 0.02 mV
209     50     respiration, 50 Hz
259     50     plethysmogram, 50 Hz
309     50     P1, 50 Hz
359     50     P2, 50 Hz
409     ...    lines of text, each ended by CR
last    1      FE

line    NAME=n;v1;...;vn;label;alarm      an empty field says nothing
        HR=1;80;ECG-II-DIAG;              RR=1;35;APNEA: 20 SEC;      ETCO2=1;;;
        SPO2=1;100;PR=80 ;                NIBP=4;121;75;92;80;;       (sys, dia, mean, pulse)
        P1=3;111;73;88;;                  P2=3;;;;NO TRANSDUCER;      T1=1;;;      T2=1;;;

Resynchronisation: a packet starts only at FF "ANSAR-B ", for FF and FE alone may be samples; its
end is the first FE after the waves. A second start before that end means that bytes were lost,
and the packet begins again there; so does a packet longer than the line can carry in its second.
Source: MD PnP Program, OpenICE device driver for this stream and its recording of an Ivy 450C,
whose 27 packets agree with this table in every byte.
"""

import re
from dataclasses import dataclass, field, replace

from drivers.model import Skipped

START = b"\xffANSAR-B "
END = b"\xfe"
CR = b"\r"
ECG_SAMPLES = 200
SLOW_SAMPLES = 50  # of respiration, pleth, P1 and P2 each
ECG_FS = 200.0
SLOW_FS = 50.0
ECG_ZERO = 100  # the byte at 0 mV
ECG_MV_PER_STEP = 0.02
OFF = 0xFB  # seen throughout P2 while its text says NO TRANSDUCER
HEAD_BYTES = len(START) + ECG_SAMPLES + 4 * SLOW_SAMPLES

MAX_PACKET_BYTES = 960
"""What 9600 bit/s carry in the second a packet stands for; those of the recording have 562."""

MAX_PENDING = MAX_PACKET_BYTES

NAMES = ("HR", "RR", "ETCO2", "SPO2", "NIBP", "P1", "P2", "T1", "T2")
"""Every parameter the recording holds, in its order."""

_LINE = re.compile(rb"([A-Z][A-Z0-9]{0,7})=([1-9]);([\x20-\x7e]*)")


@dataclass(frozen=True, slots=True)
class Packet:
    """One second of the monitor; `lines` are without their CR, `rest` is text after the last CR.

    Raises ValueError for what the wire cannot carry, so whatever can be built can be encoded.
    """

    ecg: bytes = field(repr=False)
    respiration: bytes = field(repr=False)
    pleth: bytes = field(repr=False)
    p1: bytes = field(repr=False)
    p2: bytes = field(repr=False)
    lines: tuple[bytes, ...]
    rest: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)

    def __post_init__(self) -> None:
        lengths = (len(self.ecg), *(len(wave) for wave in self.slow_waves))
        if lengths != (ECG_SAMPLES, *[SLOW_SAMPLES] * 4):
            raise ValueError(f"Ansar-B packet: waves of {lengths} samples")
        text = self.text
        if END in text or text.count(CR) != len(self.lines):
            raise ValueError("Ansar-B packet: FE or CR inside a line")
        wire = encode(self)
        if wire.rfind(START) != 0:
            raise ValueError("Ansar-B packet: a start mark inside")
        if len(wire) > MAX_PACKET_BYTES:
            raise ValueError(f"Ansar-B packet: {len(wire)} bytes, at most {MAX_PACKET_BYTES}")

    @property
    def slow_waves(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Respiration, pleth, P1 and P2."""
        return (self.respiration, self.pleth, self.p1, self.p2)

    @property
    def text(self) -> bytes:
        """The text as it is on the wire."""
        return b"".join(line + CR for line in self.lines) + self.rest

    @property
    def is_aligned(self) -> bool:
        """Whether the text begins with a known parameter, so that no wave byte is lost or added."""
        return bool(self.lines) and self.lines[0].startswith(_FIRST)


_FIRST = tuple(f"{name}=".encode() for name in NAMES)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of text; `values` as sent, blanks stripped, "" where the monitor says nothing."""

    name: str
    values: tuple[str, ...]
    label: str
    alarm: str
    line: bytes = field(repr=False)


class Decoder:
    """Turn bytes into packets. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        self._pending = b""

    @property
    def pending(self) -> bytes:
        """The start of a packet whose end has not arrived, at most MAX_PENDING bytes."""
        return self._pending

    def feed(self, data: bytes) -> list[Packet | Skipped]:
        """Return what became complete with these bytes, in wire order; linear in their number."""
        buffer = self._pending + data
        out: list[Packet | Skipped] = []
        done = at = 0
        while (start := buffer.find(START, at)) >= 0:
            stop = start + MAX_PACKET_BYTES
            again = buffer.find(START, start + 1, stop)
            end = buffer.find(END, start + HEAD_BYTES, stop if again < 0 else again)
            if end >= 0:
                out += _skipped(buffer[done:start])
                out.append(_packet(buffer[start : end + 1]))
                done = at = end + 1
            elif again >= 0:
                at = again
            elif len(buffer) >= stop:
                at = start + 1
            else:
                break
        keep = start if start >= 0 else len(buffer) - _begun(buffer[at:])
        out += _skipped(buffer[done:keep])
        self._pending = buffer[keep:]
        return out


def encode(packet: Packet) -> bytes:
    """Return the bytes of a packet on the wire."""
    return b"".join((START, packet.ecg, *packet.slow_waves, packet.text, END))


def parse(line: bytes) -> Parameter | None:
    """Return what a line of text says, None where it has another form than the table's."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    fields = [part.strip() for part in match[3].decode("ascii").split(";")]
    count = int(match[2])
    if len(fields) != count + 2:
        return None
    name = match[1].decode("ascii")
    return Parameter(name, tuple(fields[:count]), fields[count], fields[-1], line)


def scrub(packet: Packet) -> bytes:
    """Return the packet's bytes with the text of lines that are not in the table blanked.

    The known parameters hold nothing that identifies a patient; what another model or a later
    firmware adds might.
    """
    lines = tuple(line if _is_known(line) else _blank(line) for line in packet.lines)
    return encode(replace(packet, lines=lines, rest=_blank(packet.rest)))


def _is_known(line: bytes) -> bool:
    parameter = parse(line)
    return parameter is not None and parameter.name in NAMES


def _blank(text: bytes) -> bytes:
    return b"x" * len(text)


def _skipped(data: bytes) -> list[Skipped]:
    return [Skipped(data)] if data else []


def _begun(tail: bytes) -> int:
    """Return how many bytes at the end of `tail` may be the first of a start mark."""
    longest = min(len(START) - 1, len(tail))
    return next((n for n in range(longest, 0, -1) if tail.endswith(START[:n])), 0)


def _packet(raw: bytes) -> Packet:
    at = len(START) + ECG_SAMPLES
    respiration, pleth, p1, p2 = (
        raw[i : i + SLOW_SAMPLES] for i in range(at, HEAD_BYTES, SLOW_SAMPLES)
    )
    *lines, rest = raw[HEAD_BYTES:-1].split(CR)
    return Packet(raw[len(START) : at], respiration, pleth, p1, p2, tuple(lines), rest, raw)
