"""What a barcode reader on a serial line sends: PREFIX CODE TERMINATOR, as the reader is set up.

A code is printable ASCII of at most `MAX_CODE` characters. A line end before the prefix belongs to
the code, so that a reader set to CR LF is read with the terminator CR. What does not begin with the
prefix, is empty, too long or not printable is skipped up to the next terminator.

There is no checksum on the line; the barcode has its own. Source: how readers are set up, which is
the same for all: prefix and suffix characters around the code.
"""

import re
from dataclasses import dataclass, field

from drivers.model import Skipped

MAX_CODE = 128
MAX_ENDS = 8
MAX_PENDING = MAX_CODE + 2 * MAX_ENDS + 2

_PRINTABLE = re.compile(rb"[\x20-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Scan:
    """One code; it identifies somebody, so it is not shown."""

    code: str = field(repr=False)
    raw: bytes = field(default=b"", compare=False, repr=False)


class Decoder:
    """Turn bytes into scans. Any input is legal, in any chunking."""

    def __init__(self, prefix: bytes = b"", terminator: bytes = b"\r") -> None:
        if not terminator or max(len(prefix), len(terminator)) > MAX_ENDS:
            raise ValueError(
                f"prefix and terminator: at most {MAX_ENDS} bytes, terminator not none"
            )
        self._prefix = prefix
        self._terminator = terminator
        self._pending = b""

    @property
    def pending(self) -> bytes:
        """The start of a code whose end has not arrived."""
        return self._pending

    def feed(self, data: bytes) -> list[Scan | Skipped]:
        """Return what became complete with these bytes, in wire order."""
        buffer = self._pending + data
        out: list[Scan | Skipped] = []
        at = 0
        while True:
            end = buffer.find(self._terminator, at, at + MAX_PENDING)
            if end >= 0:
                end += len(self._terminator)
                out.append(self._read(buffer[at:end]))
            elif len(buffer) - at >= MAX_PENDING:
                end = at + MAX_PENDING - len(self._terminator)  # it may have begun to end
                out.append(Skipped(buffer[at:end]))
            else:
                break
            at = end
        self._pending = buffer[at:]
        return out

    def _read(self, line: bytes) -> Scan | Skipped:
        text = line[: -len(self._terminator)].lstrip(b"\r\n")
        code = text[len(self._prefix) :]
        if not text.startswith(self._prefix) or not _PRINTABLE.fullmatch(code):
            return Skipped(line)
        return Scan(code.decode("ascii"), line)


def encode(scan: Scan, prefix: bytes = b"", terminator: bytes = b"\r") -> bytes:
    """Return the bytes of a scan as a reader sends them."""
    return prefix + scan.code.encode("ascii") + terminator
