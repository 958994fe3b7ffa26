"""A&D TM-2655 and TM-2655P arm-in kiosk, 2400 8N1 from the factory, often set to 9600.

16 16 01 30 30 06                              acknowledgement; 15 in place of 06: refused
16 16 01 30 30 02 FIELD 1E FIELD ... 03 BCC    message, fields apart by 1E

BCC is the exclusive or of 01 to 03, both included. The host's messages have the same form with one
field: RB asks for the last result, RP for its pulse envelope, ST starts, SP stops.

fields of a result, in this order (output format 1 of function F25)
TM2655   YYMMDDhhmm   RB   M   Ecc error   Snnn systolic   Mnnn mean   Dnnn diastolic   Pnnn pulse
Innn inflation setting   Lnnn largest pulse amplitude               numbers padded with spaces

Two fields begin with M, so they are told apart by their order. In other output formats the third
field is AB and an identification of the patient follows somewhere: those are not read. An envelope
holds the field `N nn` and then nn fields `pressure,amplitude`, the pressure falling.

Resynchronisation: at the next 16 16 01 whose message ends with its right BCC.
Sources: Open BP Kiosk (tm2655.rb); a Kotlin and a Python kiosk program; a note of a hospital.
"""

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from drivers.protocols.scanning import NEED_MORE, NeedMore, Scanner

START = b"\x16\x16\x01"
ADDRESS = b"00"
STX = 0x02
ETX = 0x03
ACK = 0x06
NAK = 0x15
RS = b"\x1e"

MAX_MESSAGE = 1200
"""An envelope of 99 pairs with six digits each and what stands before them."""

MAX_PENDING = MAX_MESSAGE

OK = "00"

_HEAD = 6
_BODY = re.compile(rb"[\x20-\x7e\x1e]*")
_NUMBER = re.compile(rb"[ 0-9]{1,4}")
_RESULT = (rb"TM2655[A-Z]?", rb"[ \d]{10}", rb"RB", rb"M", rb"E[0-9]{2}")
_VALUES = (b"S", b"M", b"D", b"P")
_COUNT = re.compile(rb"N *(\d{1,2})")
_PAIR = re.compile(rb" *(\d{1,3}) *, *(\d{1,5}) *")
_KNOWN = re.compile(
    rb"TM2655[A-Z]?|\d{10}|RB|RP|AB|M|E\d\d|[SMDPIL][ 0-9]{1,4}|N *\d{1,2}|[ 0-9]+,[ 0-9]+"
)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Whether the kiosk takes what the host asked."""

    accepted: bool
    raw: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Message:
    """Fields as they came; one of them may identify a patient, so they are not shown."""

    fields: tuple[bytes, ...] = field(repr=False)
    raw: bytes = field(default=b"", compare=False, repr=False)


Said: TypeAlias = Acknowledgement | Message


@dataclass(frozen=True, slots=True)
class Result:
    """A message of output format 1; numbers are None where the field holds none."""

    model: str
    clock: str
    error: str
    systolic: int | None
    mean: int | None
    diastolic: int | None
    pulse: int | None


class Decoder(Scanner[Said]):
    """Turn bytes into messages. Any input is legal, in any chunking."""

    def __init__(self) -> None:
        super().__init__(re.compile(rb"\x16"), _look)


def encode(frame: Said) -> bytes:
    """Return the bytes of a frame on the wire."""
    if isinstance(frame, Acknowledgement):
        return START + ADDRESS + bytes((ACK if frame.accepted else NAK,))
    checked = START[2:] + ADDRESS + bytes((STX,)) + RS.join(frame.fields) + bytes((ETX,))
    return START[:2] + checked + bytes((_check(checked),))


def command(code: bytes) -> bytes:
    """Return the bytes of what a host asks: RB, RP."""
    return encode(Message((code,)))


def result_of(message: Message) -> Result | None:
    """Return the result in a message, None if it is another message or another output format."""
    head, values = message.fields[:5], message.fields[5:9]
    if len(values) < len(_VALUES):
        return None
    if not all(re.fullmatch(form, text) for form, text in zip(_RESULT, head, strict=True)):
        return None
    if not all(text[:1] == name for name, text in zip(_VALUES, values, strict=True)):
        return None
    model, clock, _, _, error = (text.decode("ascii") for text in head)
    systolic, mean, diastolic, pulse = (_number(text[1:]) for text in values)
    return Result(model, clock, error[1:], systolic, mean, diastolic, pulse)


def envelope_of(message: Message) -> tuple[tuple[int, int], ...] | None:
    """Return the pairs of cuff pressure (mmHg) and pulse amplitude, None if there are none."""
    for at, text in enumerate(message.fields):
        if (count := _COUNT.fullmatch(text)) is None:
            continue
        said = message.fields[at + 1 :]
        if said and not said[-1]:  # a separator may stand before the end too
            said = said[:-1]
        pairs = [_PAIR.fullmatch(each) for each in said]
        found = tuple((int(pair[1]), int(pair[2])) for pair in pairs if pair)
        return found if found and len(found) == len(pairs) == int(count[1]) else None
    return None


def scrub(frame: Said) -> bytes:
    """Return the frame with `x` for every field whose form is not in the table."""
    if isinstance(frame, Acknowledgement):
        return encode(frame)
    kept = (each if _KNOWN.fullmatch(each) else b"x" * len(each) for each in frame.fields)
    return encode(Message(tuple(kept)))


def _number(text: bytes) -> int | None:
    digits = text.strip()
    return int(digits) if digits.isdigit() and _NUMBER.fullmatch(text) else None


def broken(skipped: bytes) -> int:
    """Return how many messages with a wrong check stand in bytes that were skipped."""
    return len(re.findall(re.escape(START + ADDRESS) + rb"\x02[^\x03]*\x03.", skipped, re.DOTALL))


def _check(data: bytes) -> int:
    check = 0
    for byte in data:
        check ^= byte
    return check


def _look(buffer: bytes, at: int) -> Said | NeedMore | None:
    raw = buffer[at : at + MAX_MESSAGE]
    head = START + ADDRESS
    if raw[: len(head)] != head[: len(raw)]:
        return None
    if len(raw) < _HEAD:
        return NEED_MORE
    if raw[5] in (ACK, NAK):
        return Acknowledgement(raw[5] == ACK, raw[:_HEAD])
    return _message(raw) if raw[5] == STX else None


def _message(raw: bytes) -> Message | NeedMore | None:
    body = _BODY.match(raw, _HEAD)
    end = body.end() if body else _HEAD
    if end + 1 >= len(raw):
        whole = len(raw) == MAX_MESSAGE or raw[end:] not in (b"", bytes((ETX,)))
        return None if whole else NEED_MORE
    if raw[end] != ETX or raw[end + 1] != _check(raw[2 : end + 1]):
        return None
    return Message(tuple(raw[_HEAD:end].split(RS)), raw[: end + 2])
