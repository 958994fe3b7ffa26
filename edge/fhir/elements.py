"""The small parts of FHIR R4 JSON: codings, quantities, times, names derived from ids."""

import uuid
from typing import TypeAlias
from urllib.parse import quote

from edge.clock import NS, utc
from edge.fhir.codes import Mdc
from edge.fhir.names import MDC, OURS, RESULT_ID, UCUM

Json: TypeAlias = dict[str, object]

_ENTRIES = uuid.uuid5(uuid.NAMESPACE_URL, OURS)
_EXACT_INT = 2**53


def coding(system: str, code: str, display: str | None = None) -> Json:
    """Return a Coding."""
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(*codings: Json, text: str | None = None) -> Json:
    """Return a CodeableConcept."""
    return ({"coding": list(codings)} if codings else {}) | ({"text": text} if text else {})


def mdc(term: Mdc) -> Json:
    """Return the Coding of an 11073 term, its name beside its number."""
    return coding(MDC, str(term.number), term.name)


def quantity(value: float, unit: str) -> Json:
    """Return a Quantity in a UCUM unit."""
    return {"value": number(value), "unit": unit, "system": UCUM, "code": unit}


def number(value: float) -> float | int:
    """Return a whole number as one, so that 120 does not claim a tenth as 120.0 would."""
    return int(value) if value.is_integer() and abs(value) < _EXACT_INT else value


def instant(wall_ns: int) -> str:
    """Return a wall time in UTC, cut to the millisecond, as R4 `dateTime` and `instant` want it."""
    return utc(wall_ns).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shifted(wall_ns: int, seconds: float | None) -> str | None:
    """Return a wall time moved by what an instrument's clock is off; None where that is no time."""
    if seconds is None or not abs(seconds) * NS < _LAST_NS:  # true of NaN, too
        return None
    moved = wall_ns + round(seconds * NS)
    return instant(moved) if 0 <= moved < _LAST_NS else None


def line(text: str | None) -> str | None:
    """Return text as a printable, trimmed R4 string; None when nothing is left."""
    return "".join(char if char.isprintable() else " " for char in text or "").strip() or None


def full_url(result_id: str, entry: str) -> str:
    """Return the name of an entry within its Bundle, the same at any time on any machine."""
    return f"urn:uuid:{uuid.uuid5(_ENTRIES, f'{result_id}/{entry}')}"


def identifier(system: str, value: str) -> Json:
    """Return an Identifier."""
    return {"system": system, "value": value}


def entry_id(result_id: str, entry: str) -> Json:
    """Return what a server knows an entry of a result by, never to be filed twice."""
    return identifier(RESULT_ID, f"{result_id}.{entry}")


def by_identifier(named: Json) -> str:
    """Return the search ``identifier=system|value`` as it stands in a request."""
    value = str(named["value"])
    for special in ("\\", "$", ",", "|"):
        value = value.replace(special, "\\" + special)
    return f"identifier={quote(str(named['system']), safe=':/')}|{quote(value, safe='')}"


_LAST_NS = 253_402_300_800 * NS  # the year 10000, which R4 cannot write
