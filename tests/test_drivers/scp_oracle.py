"""SCP-ECG records made from the published layout alone, bit by bit and without the product's code.

Everything the layout allows can be said with these functions, well-formed or not: every value goes
where the caller puts it. Slow on purpose: bits are text and differences are taken one by
one, so that a mistake of the reader is not repeated here.

Layout: EN 1064 / ISO 11073-91064. All numbers little-endian; sample numbers count from 1.
"""

import struct

DEFAULT = 19999
# bits sent, value, literal bits that follow the prefix, table to switch to; of the default table
DEFAULT_CODES = [("0", 0, 0, 0)]
for _size in range(1, 9):
    DEFAULT_CODES += [("1" * _size + "00", _size, 0, 0), ("1" * _size + "01", -_size, 0, 0)]
DEFAULT_CODES += [("1111111110", 0, 8, 0), ("1111111111", 0, 16, 0)]


def _shifted(register):
    """Eight bits through the register: polynomial 0x1021, most significant bit first."""
    for _ in range(8):
        register = register << 1 ^ (0x1021 if register >> 15 else 0)
        register &= 0xFFFF
    return register


_SHIFTED = [_shifted(byte << 8) for byte in range(256)]


def crc(data):
    """CRC-CCITT begun with 0xFFFF."""
    register = 0xFFFF
    for byte in data:
        register = register << 8 & 0xFFFF ^ _SHIFTED[register >> 8 ^ byte]
    return register


def section(number, body, *, version=20, reserved=b"\0" * 6):
    """A section with its header; of even length."""
    body += b"\0" * (len(body) % 2)
    rest = struct.pack("<HIBB", number, 16 + len(body), version, version) + reserved + body
    return struct.pack("<H", crc(rest)) + rest


def record(bodies, *, version=20, magic=b"SCPECG", order=None, pointers=12, reserved=b"\0" * 6):
    """A whole record of `bodies`: section number -> body; None is an absent section.

    `order` is the order of the sections in the file, where it is not that of their numbers.
    """
    present = [n for n in (order or sorted(bodies)) if bodies[n] is not None]
    made = {n: section(n, bodies[n], version=version, reserved=reserved) for n in present}
    table_bytes = 16 + 10 * pointers
    at, index = 6 + table_bytes, {0: (table_bytes, 7)}
    for number in present:
        index[number] = (len(made[number]), at + 1)
        at += len(made[number])
    table = b"".join(struct.pack("<HII", n, *index.get(n, (0, 0))) for n in range(pointers))
    zero = section(0, table, version=version, reserved=magic)
    return sealed(zero + b"".join(made[n] for n in present))


def sealed(content):
    """Put checksum and length in front of what follows them in a record."""
    rest = struct.pack("<I", len(content) + 6) + content
    return struct.pack("<H", crc(rest)) + rest


def resealed(data):
    """The record with all its checksums put right, wherever its pointers lead; else as it is."""
    data = bytearray(data)
    if len(data) < 22:
        return bytes(data)
    (zero,) = struct.unpack_from("<I", data, 10)
    spans = [(6, zero)]
    for at in range(22, min(6 + zero, len(data)) - 9, 10):
        _, length, index = struct.unpack_from("<HII", data, at)
        spans.append((index - 1, length))
    for at, length in spans:
        if at > 0 and length >= 16 and at + length <= len(data):
            struct.pack_into("<H", data, at, crc(data[at + 2 : at + length]))
    struct.pack_into("<H", data, 0, crc(data[2:]))
    return bytes(data)


def tags(*pairs, end=True):
    """Section 1: tag, length, value, until tag 255."""
    body = b"".join(struct.pack("<BH", tag, len(value)) + value for tag, value in pairs)
    return body + (b"\xff\0\0" if end else b"")


def day(year, month, date):
    return struct.pack("<HBB", year, month, date)


def machine(*, model=b"ELI250", revision=20, language=0, maker=255, strings=None):
    """Tag 14: who recorded it."""
    fixed = struct.pack(
        "<HHHBB6sBBBBB", 1, 11, 51, 0, maker, model, revision, 0xC0, language, 8, 1
    ) + bytes(16)
    program, *others = strings or [b"prog", b"SN-17", b"2.1", b"scp 1", b"Mortara"]
    program += b"\0"
    return fixed + bytes([len(program)]) + program + b"".join(text + b"\0" for text in others)


def tables(*codes):
    """Section 2 with tables of its own, each a list of (bits sent, value, literal bits, switch)."""
    body = struct.pack("<H", len(codes))
    for table in codes:
        body += struct.pack("<H", len(table))
        for bits, value, literal, switch in table:
            base = sum(int(bit) << place for place, bit in enumerate(bits))
            body += struct.pack(
                "<BBBhI", len(bits), len(bits) + literal, not switch, switch or value, base
            )
    return body


def coded(values, codes, switches=None):
    """The bytes of one lead; `switches` says which table each value is to be sent by, from 1."""
    current, bits = 1, ""
    for place, value in enumerate(values):
        wanted = switches[place] if switches else 1
        if wanted != current:
            bits += next(sent for sent, _, _, to in codes[current - 1] if to == wanted)
            current = wanted
        bits += _code(value, codes[current - 1])
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def _code(value, table):
    for sent, base, literal, switch in table:
        if not switch and not literal and base == value:
            return sent
    for sent, _, literal, switch in table:
        if not switch and literal and -(1 << literal - 1) <= value < 1 << literal - 1:
            return sent + format(value % (1 << literal), f"0{literal}b")
    raise ValueError(f"no code for {value}")


def raw(values):
    return b"".join(struct.pack("<h", value) for value in values)


def differences(samples, times):
    """First or second differences, with the first one or two samples as they are."""
    if times == 0:
        return list(samples)
    if times == 1:
        return [v - samples[n - 1] if n else v for n, v in enumerate(samples)]
    return [v - 2 * samples[n - 1] + samples[n - 2] if n > 1 else v for n, v in enumerate(samples)]


def leads(spans, *, subtracted=False, simultaneous=True):
    """Section 3 of (lead code, first sample, last sample)."""
    flags = int(subtracted) | simultaneous << 2 | min(31, len(spans)) << 3
    body = bytes([len(spans), flags])
    return body + b"".join(struct.pack("<IIB", first, last, code) for code, first, last in spans)


def beats(length_ms, fiducial, subtractions, protected=None):
    """Section 4 of (type, SB, fcM, SE) and, where given, protected zones (QB, QE)."""
    body = struct.pack("<HHH", length_ms, fiducial, len(subtractions))
    body += b"".join(struct.pack("<HIII", *beat) for beat in subtractions)
    return body + b"".join(struct.pack("<II", *zone) for zone in protected or [])


def samples(avm_nv, interval_us, times, chunks, *, byte_6=0):
    """Section 5 or 6: scale, rate, kind of differences, and the bytes of each lead."""
    body = struct.pack("<HHBB", avm_nv, interval_us, times, byte_6)
    body += b"".join(struct.pack("<H", len(chunk)) for chunk in chunks)
    return body + b"".join(chunks)


def subtracted(nanovolts, reference_nv, subtractions, fiducial, first=1):
    """What is left of a lead when the reference beat is taken off around each beat of type 0."""
    rest = list(nanovolts)
    for kind, begin, centre, end in subtractions:
        for number in range(begin, end + 1) if kind == 0 else ():
            place = number - centre + fiducial - 1
            if 0 <= place < len(reference_nv) and 0 <= number - first < len(rest):
                rest[number - first] -= reference_nv[place]
    return rest


def measured(beat=None, *, rr=29999, pp=29999, spikes=(), tail=None):
    """Section 7: one global beat of 8 numbers, spikes of (ms, µV), then types, rates and QTc."""
    body = struct.pack("<BBHH", beat is not None, len(spikes), rr, pp)
    body += struct.pack("<5H3h", *beat) if beat else b""
    body += b"".join(struct.pack("<Hh", *spike) for spike in spikes)
    body += b"".join(struct.pack("<BBHH", 1, 1, 0, 500) for _ in spikes)
    if tail is None:
        return body
    types, ventricular, atrial, qtc, formula = tail
    body += struct.pack("<H", len(types)) + bytes(types)
    return body + struct.pack("<HHHB", ventricular, atrial, qtc, formula)


def statements(texts, *, status=0):
    """Section 8."""
    body = struct.pack("<BHBBBBBB", status, 2026, 11, 23, 10, 30, 0, len(texts))
    for number, text in enumerate(texts, 1):
        body += struct.pack("<BH", number, len(text)) + text
    return body


def universal(parts, *, status=0):
    """Section 11 of (type, data)."""
    return statements([bytes([kind]) + data for kind, data in parts], status=status)


def per_lead(values):
    """Section 10 of (lead code, numbers)."""
    body = struct.pack("<HH", len(values), 0)
    for code, numbers in values:
        body += struct.pack("<HH", code, 2 * len(numbers))
        body += b"".join(struct.pack("<h", number) for number in numbers)
    return body


def everything():
    """The bodies of a small record with every section: reference beat, own tables, all texts."""
    own = [
        [("0", 0, 0, 0), ("10", 1, 0, 0), ("110", 0, 16, 0), ("1110", 0, 0, 2)],
        [("0", -1, 0, 0), ("10", 0, 8, 0), ("11", 0, 0, 1)],
    ]
    shape = [0, 3, 9, 20, 9, 3, 0, -1]
    spans = [(1, 1, 40), (2, 1, 40), (5, 5, 40)]
    zones = [(0, 6, 9, 13), (1, 1, 20, 1), (0, 26, 29, 33)]
    waves = [[(n * n) % 7 - 3 for n in range(first, last + 1)] for _, first, last in spans]
    return {
        1: tags(
            (0, b"Doe\0"),
            (1, b"Jane\0"),
            (2, b"P-1\0"),
            (5, day(1960, 2, 29)),
            (8, b"\x02"),
            (14, machine()),
            (25, day(2026, 11, 23)),
            (26, bytes([10, 30, 15])),
            (27, struct.pack("<H", 5)),
            (28, struct.pack("<H", 150)),
            (29, b"\x02"),
            (34, struct.pack("<hH", 60, 0) + b"CET\0"),
        ),
        2: tables(*own),
        3: leads(spans, subtracted=True),
        4: beats(16, 4, zones, [(7, 11), (0, 0), (27, 31)]),
        5: samples(2500, 2000, 1, [coded(differences(shape, 1), own)] * 3),
        6: samples(5000, 2000, 2, [coded(differences(wave, 2), own) for wave in waves]),
        7: measured(
            (100, 200, 250, 340, 620, 45, -30, 60),
            rr=800,
            pp=801,
            spikes=[(120, -900)],
            tail=([0, 1, 0], 75, 76, 421, 1),
        ),
        8: statements([b"Sinus rhythm\0", b"Normal ECG\0"], status=1),
        9: b"vendor",
        10: per_lead([(1, [100, 150, 90]), (2, [29999, 151])]),
        11: universal([(1, b"NSR\0"), (2, b"Normal ECG\0")]),
    }
