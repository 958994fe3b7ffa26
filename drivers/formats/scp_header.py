"""SCP-ECG section 1: who, when, by what, and what was filtered away.

Tags of u8, length u16 and value, ended by tag 255; in any order, repeated, empty. Kept: 0 last
name, 1 first name, 2 patient id, 3 second last name, 5 birth date (u16, u8, u8), 8 sex (0 unknown,
1 male, 2 female, 9 unspecified), 14 acquiring device, 25 date, 26 time, 27 high-pass in 0.01 Hz,
28 low-pass in Hz, 29 filters, 34 time zone (s16 minutes from UTC). SCP has no field for an order.

Tag 14: 6 bytes of numbers, type u8, manufacturer u8, model of 6 bytes, protocol u8 (13 is 1.3),
compatibility u8, language u8, capabilities u8, mains u8, 16 reserved, analysing program with its
length before it, then NUL-ended: serial number, system software, SCP software, manufacturer.

An identity that is given twice and differently is not given. The time is the cart's own; it has a
zone only if the cart said so. Without a date or a time there is no acquisition time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from drivers.errors import FormatError
from drivers.formats import spelling
from drivers.formats.scp_sections import EDITION_3, Section
from drivers.formats.scp_text import UTF_8, charset, decoded, parts
from drivers.model import CartPatient, InstrumentId

DRIVER = "scp"
LAST_NAME, FIRST_NAME, PATIENT_ID, SECOND_LAST_NAME = 0, 1, 2, 3
BIRTH_DATE, SEX, DEVICE = 5, 8, 14
DATE, TIME, HIGH_PASS, LOW_PASS, FILTERS, ZONE = 25, 26, 27, 28, 29, 34
END = 255
SEXES = {0: "unknown", 1: "male", 2: "female"}
FILTER_BITS = {
    1: spelling.notch(60),
    2: spelling.notch(50),
    4: spelling.ARTEFACT_FILTER,
    8: spelling.BASELINE_FILTER,
}
FIXED_BYTES = (
    dict.fromkeys((8, 9, 24, 29), 1)
    | dict.fromkeys((11, 12, 27, 28, 33), 2)
    | dict.fromkeys((4, 6, 7, 26), 3)
    | dict.fromkeys((5, 25), 4)
)
MODEL_BYTES = 6
DEVICE_BYTES = 36  # of tag 14 before its strings
MAX_ZONE_MIN = 14 * 60
NO_ZONE = 0x7FFF
_NOT_SAID = {"", "unknown"}  # converters fill strings with the word

# Manufacturers by number, used by the first edition; 255 says that the string does.
_MANUFACTURERS = {
    1: "Burdick",
    2: "Cambridge",
    3: "Compumed",
    4: "Datamed",
    5: "Fukuda",
    6: "Hewlett-Packard",
    7: "Marquette",
    8: "Mortara",
    9: "Nihon Kohden",
    10: "Okin",
    11: "Quinton",
    12: "Siemens",
    13: "Spacelabs",
    14: "Telemed",
    15: "Hellige",
    16: "ESA-OTE",
    17: "Schiller",
    18: "Picker-Schwarzer",
}

Tags = Mapping[int, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Header:
    """What section 1 says; `protocol` is the device's, 0 where it says none."""

    patient: CartPatient = field(default_factory=CartPatient)
    acquired: datetime | None = None
    device: InstrumentId | None = None
    filters: tuple[str, ...] = ()
    codec: str = "ascii"
    protocol: int = 0


def read_header(section: Section) -> Header:
    """Return what section 1 says; FormatError if its tags do not fit into it."""
    tags = _tags(section)
    device = _first(tags, DEVICE, DEVICE_BYTES)
    protocol, language = (device[14], device[16]) if device else (0, 0)
    codec = UTF_8 if (protocol or section.protocol) in EDITION_3 else charset(language)
    return Header(
        patient=_patient(tags, codec),
        acquired=_acquired(tags),
        device=_device(device, codec) if device else None,
        filters=_filters(tags),
        codec=codec,
        protocol=protocol,
    )


def _tags(section: Section) -> Tags:
    try:
        return _walk(section, {})
    except FormatError as wrong:
        # Some writers give tags of a fixed size another length, and write that size all the same.
        try:
            return _walk(section, FIXED_BYTES)
        except FormatError:
            raise wrong from None


def _walk(section: Section, sizes: Mapping[int, int]) -> Mapping[int, list[bytes]]:
    """Return the values of each tag, of these sizes or of those that the tags say."""
    cursor = section.cursor()
    found: dict[int, list[bytes]] = {}
    while cursor.left >= 3:
        at = cursor.at
        tag, length = cursor.u8(), cursor.u16()
        if tag == END:
            return found
        length = sizes.get(tag, length)
        if length > cursor.left:
            raise FormatError(f"section 1: tag {tag} says it has {length} bytes", at)
        found.setdefault(tag, []).append(cursor.take(length))
    if sizes:
        raise cursor.wrong("no tag 255 at its end")
    return found


def _first(tags: Tags, tag: int, least: int) -> bytes:
    """Return the first value of a tag that is long enough, or nothing."""
    return next((value for value in tags.get(tag, ()) if len(value) >= least), b"")


def _text(tags: Tags, tag: int, codec: str) -> str:
    """Return what all values of a tag that say something agree on."""
    said = {text for value in tags.get(tag, ()) if (text := decoded(value, codec))}
    return said.pop() if len(said) == 1 else ""


def _patient(tags: Tags, codec: str) -> CartPatient:
    last = f"{_text(tags, LAST_NAME, codec)} {_text(tags, SECOND_LAST_NAME, codec)}".strip()
    names = [last, _text(tags, FIRST_NAME, codec)]
    sex = _first(tags, SEX, 1)
    return CartPatient(
        patient_id=_text(tags, PATIENT_ID, codec) or None,
        name=", ".join(filter(None, names)) or None,
        birth_date=_birth_date(tags),
        sex=SEXES.get(sex[0]) if sex else None,
    )


def _birth_date(tags: Tags) -> str | None:
    """Return the birth date as far as it is given: YYYY, YYYY-MM or YYYY-MM-DD."""
    values = {value[:4] for value in tags.get(BIRTH_DATE, ()) if len(value) >= 4}
    values.discard(bytes(4))
    if len(values) != 1:
        return None
    value = values.pop()
    year, month, day = int.from_bytes(value[:2], "little"), value[2], value[3]
    try:
        datetime(year, month or 1, day or 1)  # noqa: DTZ001 - a date has no zone
    except ValueError:
        return None
    if not month:
        return f"{year:04}"
    return f"{year:04}-{month:02}-{day:02}" if day else f"{year:04}-{month:02}"


def _acquired(tags: Tags) -> datetime | None:
    day, clock = _first(tags, DATE, 4), _first(tags, TIME, 3)
    if not (day and clock):
        return None
    hour, minute, second = clock[:3]
    midnight = (hour, minute, second) == (24, 0, 0)
    year = int.from_bytes(day[:2], "little")
    try:
        at = datetime(year, day[2], day[3], 0 if midnight else hour, minute, second, tzinfo=None)  # noqa: DTZ001 - carts give local time
        return at.replace(tzinfo=_zone(tags)) + timedelta(days=midnight)
    except (ValueError, OverflowError):
        return None


def _zone(tags: Tags) -> timezone | None:
    value = _first(tags, ZONE, 2)
    minutes = int.from_bytes(value[:2], "little", signed=True) if value else NO_ZONE
    return timezone(timedelta(minutes=minutes)) if abs(minutes) <= MAX_ZONE_MIN else None


def _device(value: bytes, codec: str) -> InstrumentId:
    strings = _device_strings(value, codec)
    serial, software, manufacturer = strings[1], strings[2], strings[4]
    manufacturer = manufacturer or _MANUFACTURERS.get(value[7], "")
    model = f"{manufacturer} {decoded(value[8 : 8 + MODEL_BYTES], codec)}".strip()
    return InstrumentId(DRIVER, model or None, serial or None, software or None)


def _device_strings(value: bytes, codec: str) -> list[str]:
    """Return program, serial number, system software, SCP software and manufacturer."""
    pieces = value[DEVICE_BYTES:].split(b"\0")[:5]
    texts = [" ".join(parts(piece, codec)) for piece in pieces]
    said = ["" if text.lower() in _NOT_SAID else text for text in texts]
    return said + [""] * (5 - len(said))


def _filters(tags: Tags) -> tuple[str, ...]:
    named = []
    if high := int.from_bytes(_first(tags, HIGH_PASS, 2)[:2], "little"):
        named.append(spelling.high_pass(high / 100))
    if low := int.from_bytes(_first(tags, LOW_PASS, 2)[:2], "little"):
        named.append(spelling.low_pass(low))
    bits = int.from_bytes(_first(tags, FILTERS, 1)[:1], "little")
    named += [name for bit, name in FILTER_BITS.items() if bits & bit]
    return tuple(named)
