"""SCP-ECG files (EN 1064, ISO 11073-91064): read, and written in `drivers.formats.scp_writer`.

`scp_sections` has the frame of the record, `scp_header` section 1, `scp_huffman` section 2,
`scp_rhythm` sections 3 to 6, `scp_findings` sections 7, 8, 10 and 11; section 9 and those from 12
on are a vendor's or another edition's and stay in the original file.

Seen in a real file: default table, second differences, sections 1 and 7. Proven only against an
encoder written from the layout, as no real file was at hand: tables of one's own and switching
between them, raw samples, no or first differences, the reference beat put back, leads that begin or
end apart, sections 8, 10 and 11, protocol 3.0, other character sets. Refused: bimodal compression,
a reference beat of another rate, long-term rhythm (section 12).

Sources: public OpenECG tutorials of EN 1064 and its CEN draft; lead, language and manufacturer
numbers as several open readers have them.
"""

from collections.abc import Mapping
from hashlib import sha256

from drivers.errors import FormatError
from drivers.formats.scp_findings import (
    Pairs,
    read_lead_measurements,
    read_measurements,
    read_statements,
    read_universal_statements,
)
from drivers.formats.scp_header import Header, read_header
from drivers.formats.scp_rhythm import read_rhythm
from drivers.formats.scp_sections import Section, read_sections
from drivers.formats.scp_writer import encode
from drivers.model import EcgRecording

__all__ = ["encode", "read"]


def read(data: bytes) -> EcgRecording:
    """Return the recording in an SCP-ECG record, whole, or raise FormatError."""
    sections = read_sections(data)
    if 6 not in sections and 12 in sections:
        raise FormatError("long-term rhythm (section 12) is not read", sections[12].at)
    header = read_header(sections[1]) if 1 in sections else Header()
    rhythm = read_rhythm(sections, header.protocol)
    measurements, statements = _findings(sections, header)
    return EcgRecording(
        leads=rhythm.leads,
        fs=rhythm.fs,
        microvolts=rhythm.microvolts,
        acquired=header.acquired,
        original_sha256=sha256(data).hexdigest(),
        device=header.device,
        patient=header.patient,
        filters=header.filters,
        measurements=measurements,
        statements=statements,
    )


def _findings(
    sections: Mapping[int, Section], header: Header
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Return measurements and statements, each once, in the order of the sections.

    Of a name that two sections give, the first says it.
    """
    pairs: Pairs = []
    texts: list[str] = []
    if 7 in sections:
        pairs += read_measurements(sections[7], header.protocol or sections[7].protocol)
    for number, read_texts in ((8, read_statements), (11, read_universal_statements)):
        if number in sections:
            status, said = read_texts(sections[number], header.codec)
            pairs += status
            texts += said
    if 10 in sections:
        pairs += read_lead_measurements(sections[10])
    first = dict(reversed(pairs))
    ordered = dict.fromkeys(name for name, _ in pairs)
    return tuple((name, first[name]) for name in ordered), tuple(dict.fromkeys(texts))
