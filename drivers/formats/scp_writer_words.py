"""SCP-ECG, written: what sections 1, 7 and 8 say about a recording, as `scp_header` lays it out."""

import re
from datetime import datetime
from struct import pack

from drivers.errors import NotRepresentable
from drivers.formats import spelling
from drivers.formats.scp_findings import FORMULAS, NOT_COMPUTED, STATUSES
from drivers.formats.scp_header import (
    BIRTH_DATE,
    DATE,
    DEVICE,
    END,
    FILTER_BITS,
    FILTERS,
    FIRST_NAME,
    HIGH_PASS,
    LAST_NAME,
    LOW_PASS,
    MODEL_BYTES,
    PATIENT_ID,
    SEX,
    SEXES,
    TIME,
    ZONE,
)
from drivers.formats.scp_sections import PROTOCOL_2
from drivers.formats.scp_text import charset, language_for
from drivers.formats.spelling import CartValue
from drivers.model import CartPatient, EcgRecording, InstrumentId

OTHER_MANUFACTURER = 255
UNSPECIFIED_SEX = 9
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


def language_of(recording: EcgRecording) -> int:
    """Return the code of a character set for all texts of a recording; NotRepresentable if none."""
    device, patient = recording.device, recording.patient
    texts = [patient.name, patient.patient_id, *recording.statements]
    texts += [device.model, device.serial, device.firmware] if device else []
    language = language_for([text for text in texts if text])
    if language is None:
        raise NotRepresentable("SCP-ECG has no character set with all letters of the texts")
    return language


def header(recording: EcgRecording, language: int) -> bytes:
    """Return section 1."""
    codec = charset(language)
    tags = _patient(recording.patient, codec) + _when(recording.acquired)
    tags.append((DEVICE, _machine(recording.device, language)))
    high = spelling.filter_frequency(recording.filters, "high-pass") or 0
    low = spelling.filter_frequency(recording.filters, "low-pass") or 0
    bits = sum(bit for bit, name in FILTER_BITS.items() if name in recording.filters)
    tags += [(HIGH_PASS, pack("<H", round(high * 100))), (LOW_PASS, pack("<H", round(low)))]
    tags.append((FILTERS, bytes([bits])))
    tags.sort(key=lambda tag: tag[0])
    body = b"".join(pack("<BH", tag, len(value)) + value for tag, value in tags)
    return body + pack("<BH", END, 0)


def _patient(patient: CartPatient, codec: str) -> list[tuple[int, bytes]]:
    last, _, first = (patient.name or "").partition(", ")
    texts = {LAST_NAME: last, FIRST_NAME: first, PATIENT_ID: patient.patient_id or ""}
    tags = [(tag, text.encode(codec) + b"\0") for tag, text in texts.items() if text]
    codes = {sex: code for code, sex in SEXES.items()}
    if patient.sex is not None:
        tags.append((SEX, bytes([codes.get(patient.sex, UNSPECIFIED_SEX)])))
    if said := _DATE.fullmatch(patient.birth_date or ""):
        tags.append((BIRTH_DATE, pack("<HBB", *(int(part or 0) for part in said.groups()))))
    return tags


def _when(acquired: datetime | None) -> list[tuple[int, bytes]]:
    if acquired is None:
        return []
    tags = [
        (DATE, pack("<HBB", acquired.year, acquired.month, acquired.day)),
        (TIME, bytes([acquired.hour, acquired.minute, acquired.second])),
    ]
    offset = acquired.utcoffset()
    if offset is not None:
        minutes = round(offset.total_seconds() / 60)
        tags.append((ZONE, pack("<hHB", minutes, 0, 0)))
    return tags


def _machine(device: InstrumentId | None, language: int) -> bytes:
    """Return tag 14; a model's last word stands in its own short field, the rest in the maker's."""
    codec = charset(language)
    maker, _, model = (device.model or "" if device else "").rpartition(" ")
    short = model.encode(codec)
    if len(short) > MODEL_BYTES:
        maker, short = f"{maker} {model}".strip(), b""
    head = pack("<HHHBB6s", 0, 0, 0, 0, OTHER_MANUFACTURER, short)
    head += bytes([PROTOCOL_2, 0, language, 0, 0]) + bytes(16)
    serial, firmware = (device.serial, device.firmware) if device else (None, None)
    strings = [serial or "", firmware or "", "vitals-edge", maker]
    return head + b"\x01\0" + b"".join(text.encode(codec) + b"\0" for text in strings)


def measurements(said: dict[str, str]) -> bytes:
    """Return section 7, or nothing if none of its measurements was made."""
    known = {name: _whole(said.get(name)) for name in CartValue}
    if all(value is None for value in known.values()):
        return b""
    beat = _beat(known)
    times = _numbers(said.get(CartValue.PACER_SPIKE_TIMES))
    amplitudes = _numbers(said.get(CartValue.PACER_SPIKE_AMPLITUDES))
    spikes = list(zip(times, amplitudes, strict=False))[:255]
    body = pack("<BB", beat is not None, len(spikes))
    body += pack("<HH", *(_or_absent(known[name]) for name in (CartValue.RR, CartValue.PP)))
    body += beat or b""
    body += b"".join(pack("<Hh", *spike) for spike in spikes) + bytes(6 * len(spikes))
    rates = (CartValue.HEART_RATE, CartValue.ATRIAL_RATE, CartValue.QTC)
    formulas = {name: code for code, name in FORMULAS.items()}
    body += pack("<HHHH", 0, *(_or_absent(known[name]) for name in rates))
    return body + bytes([formulas.get(said.get(CartValue.QTC_FORMULA, ""), 0)])


def _beat(known: dict[CartValue, int | None]) -> bytes | None:
    """Return the global beat: intervals as places in it, P at 0 or QRS where P has none."""
    p, pr, qrs, qt = (
        known[name] for name in (CartValue.P, CartValue.PR, CartValue.QRS, CartValue.QT)
    )
    axes = [known[name] for name in (CartValue.P_AXIS, CartValue.QRS_AXIS, CartValue.T_AXIS)]
    if all(value is None for value in (p, pr, qrs, qt, *axes)):
        return None
    onset = pr if pr is not None else 0
    places = [
        0 if pr is not None else None,
        p if pr is not None else None,
        onset,
        onset + qrs if qrs is not None else None,
        onset + qt if qt is not None else None,
    ]
    return pack("<5H3h", *map(_or_absent, places), *map(_or_absent, axes))


def _whole(text: str | None) -> int | None:
    """Return a measurement as SCP can say it: a whole number of 16 bits."""
    try:
        value = round(float(text or ""))
    except (ValueError, OverflowError):
        return None
    return value if abs(value) < NOT_COMPUTED else None


def _numbers(text: str | None) -> list[int]:
    values = [_whole(part) for part in (text or "").split()]
    return [value for value in values if value is not None]


def _or_absent(value: int | None) -> int:
    return NOT_COMPUTED if value is None else value


def statements(recording: EcgRecording, codec: str) -> bytes:
    """Return section 8, or nothing where there are none."""
    if not recording.statements:
        return b""
    if len(recording.statements) > 255:
        raise NotRepresentable(f"SCP-ECG has no room for {len(recording.statements)} statements")
    said = dict(recording.measurements).get(CartValue.STATEMENT_STATUS, "")
    status = {name: code for code, name in STATUSES.items()}.get(said, 0)
    at = recording.acquired
    when = (at.year, at.month, at.day, at.hour, at.minute, at.second) if at else (0,) * 6
    body = pack("<BHBBBBB", status, *when) + bytes([len(recording.statements)])
    for number, text in enumerate(recording.statements, 1):
        value = text.encode(codec) + b"\0"
        if len(value) > 65535:
            raise NotRepresentable("a statement is too long for SCP-ECG")
        body += pack("<BH", number, len(value)) + value
    return body
