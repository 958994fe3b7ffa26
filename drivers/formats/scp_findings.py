"""SCP-ECG sections 7, 8, 10 and 11: what the cart measured and says about it.

7   beats u8, spikes u8, mean RR u16, mean PP u16; per beat P on, P off, QRS on, QRS off, T off u16
    in ms and the axes of P, QRS, T s16; per spike ms u16, µV s16; per spike type u8, source u8,
    trigger u16, width u16; QRS types u16 and u8 each; ventricular and atrial rate u16, QTc u16,
    formula u8 (1 Bazett, 2 Hodges), tagged fields
8   status u8 (0 original, 1 confirmed, 2 overread), date and time of 7 bytes, count u8; each number
    u8, length u16, text
11  as section 8; each text begins with its type u8 (1 code, 2 text, 3 logic)
10  leads u16, vendor's u16; each code u16, length u16, values s16 in the order of LEAD_VALUES

29999 is "not computed", for an axis 999 too. The first beat of section 7 is the global one. What
follows the beats is read from protocol 1.3 on, as 1.0 had it otherwise; a tail may be absent.
"""

from collections.abc import Iterator, Sequence

from drivers.errors import FormatError
from drivers.formats.scp_rhythm import lead_name
from drivers.formats.scp_sections import Cursor, Section
from drivers.formats.scp_text import parts
from drivers.formats.spelling import CartValue

NOT_COMPUTED = 29999
NO_VALUE = {NOT_COMPUTED, 29998, 19999}  # not computed, lead rejected, wave absent
NO_AXIS = NO_VALUE | {999}
TAIL_IN = range(13, 40)  # protocols 1.3 to 3.x; old carts put anything into the byte
STATUSES = {0: "original", 1: "confirmed", 2: "overread"}
FORMULAS = {1: "Bazett", 2: "Hodges"}
STATUS_HEADER = 8  # bytes of status, date and time
LEAD_VALUES = (
    *("p_ms", "pr_ms", "qrs_ms", "qt_ms", "q_ms", "r_ms", "s_ms", "r2_ms", "s2_ms"),
    *("q_uv", "r_uv", "s_uv", "r2_uv", "s2_uv", "j_uv", "p_plus_uv", "p_minus_uv"),
    *("t_plus_uv", "t_minus_uv", "st_slope_uv_s", "p_morphology", "t_morphology"),
    *("i_ms", "k_ms", "intrinsicoid_ms", "quality", "st_j20_uv", "st_j60_uv", "st_j80_uv"),
    *("st_rr16_uv", "st_rr8_uv"),
)

Pairs = list[tuple[str, str]]


def read_measurements(section: Section, protocol: int) -> Pairs:
    """Return what section 7 says; `protocol` is the writing device's."""
    cursor = section.cursor()
    beats, spikes = cursor.u8(), cursor.u8()
    values = {CartValue.RR: cursor.u16(), CartValue.PP: cursor.u16()}
    pairs = _said(values, NO_VALUE | {0})
    if beats:
        pairs += _beat(cursor.part(16))
    if protocol not in TAIL_IN:
        return pairs
    cursor.take(16 * max(0, beats - 1))
    pairs += _spikes(cursor, spikes)
    return pairs + _tail(cursor)


def read_statements(section: Section, codec: str) -> tuple[Pairs, list[str]]:
    """Return the status and the texts of section 8."""
    status, texts = _statements(section)
    return status, [text for data in texts if (text := " ".join(parts(data, codec)))]


def read_universal_statements(section: Section, codec: str) -> tuple[Pairs, list[str]]:
    """Return the status and the codes, texts and logic of section 11."""
    status, texts = _statements(section)
    return status, [text for data in texts if (text := " ".join(parts(data[1:], codec)))]


def read_lead_measurements(section: Section) -> Pairs:
    """Return what section 10 says of each lead."""
    cursor = section.cursor()
    count, _ = cursor.u16(), cursor.u16()
    body, at = cursor.take(cursor.left), section.at
    # Some writers count the four bytes before the values into their length.
    for counted in (0, 4):
        rows = _lead_rows(body, count, counted)
        if rows is not None:
            return [pair for row in rows for pair in row]
    raise FormatError("section 10: the values of the leads do not fit into it", at)


def _said(values: dict[CartValue, int], absent: set[int]) -> Pairs:
    return [(name.value, str(value)) for name, value in values.items() if value not in absent]


def _beat(cursor: Cursor) -> Pairs:
    p_on, p_off, qrs_on, qrs_off, t_off = (cursor.u16() for _ in range(5))
    spans = {
        CartValue.P: (p_on, p_off),
        CartValue.PR: (p_on, qrs_on),
        CartValue.QRS: (qrs_on, qrs_off),
        CartValue.QT: (qrs_on, t_off),
    }
    lengths = {
        name: end - begin
        for name, (begin, end) in spans.items()
        if not {begin, end} & NO_VALUE and begin < end
    }
    axes = {name: cursor.s16() for name in (CartValue.P_AXIS, CartValue.QRS_AXIS, CartValue.T_AXIS)}
    return _said(lengths, set()) + _said(axes, NO_AXIS)


def _spikes(cursor: Cursor, count: int) -> Pairs:
    spikes = [(cursor.u16(), cursor.s16()) for _ in range(count)]
    cursor.take(6 * count)
    pairs: Pairs = [(CartValue.PACER_SPIKES.value, str(count))]
    if spikes:
        times, amplitudes = zip(*spikes, strict=True)
        pairs += [
            (CartValue.PACER_SPIKE_TIMES.value, " ".join(map(str, times))),
            (CartValue.PACER_SPIKE_AMPLITUDES.value, " ".join(map(str, amplitudes))),
        ]
    return pairs


def _tail(cursor: Cursor) -> Pairs:
    if cursor.left < 2 or (types := cursor.u16()) > cursor.left:
        return []
    cursor.take(types)
    if cursor.left < 7:
        return []
    rates = {
        CartValue.HEART_RATE: cursor.u16(),
        CartValue.ATRIAL_RATE: cursor.u16(),
        CartValue.QTC: cursor.u16(),
    }
    pairs = _said(rates, NO_VALUE | {0})
    formula = cursor.u8()
    if formula and any(name == CartValue.QTC for name, _ in pairs):
        pairs.append((CartValue.QTC_FORMULA.value, FORMULAS.get(formula, f"code {formula}")))
    return pairs


def _statements(section: Section) -> tuple[Pairs, Sequence[bytes]]:
    cursor = section.cursor()
    status = cursor.u8()
    cursor.take(STATUS_HEADER - 1)
    texts = []
    for _ in range(cursor.u8()):
        cursor.u8()
        texts.append(cursor.take(cursor.u16()))
    said = STATUSES.get(status, f"code {status}")
    return [(CartValue.STATEMENT_STATUS.value, said)], texts


def _lead_rows(body: bytes, count: int, counted: int) -> list[Pairs] | None:
    """Return the values of every lead, None if lengths that include `counted` bytes do not fit."""
    rows, at = [], 0
    for _ in range(count):
        code = int.from_bytes(body[at : at + 2], "little")
        length = int.from_bytes(body[at + 2 : at + 4], "little") - counted
        if length < 0 or at + 4 + length > len(body):
            return None
        rows.append(list(_lead_pairs(lead_name(code), body[at + 4 : at + 4 + length])))
        at += 4 + length
    return rows


def _lead_pairs(lead: str, data: bytes) -> Iterator[tuple[str, str]]:
    for place, name in zip(range(0, len(data) - 1, 2), LEAD_VALUES, strict=False):
        value = int.from_bytes(data[place : place + 2], "little", signed=True)
        if value not in NO_VALUE:
            yield f"{lead}.{name}", str(value)
