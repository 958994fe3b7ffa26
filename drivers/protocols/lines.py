"""Lines of text in bytes: what the decoders of ASCII instruments share.

A line ends with LF. Blank lines belong to the line that follows, so that an instrument or a
terminal driver that doubles its line ends is not taken for noise. What is no line of the format is
skipped whole, except that a line behind bytes that are no text is read without them; so is a
stretch without a line end, as soon as it is longer than a line can be.
"""

import re
from collections.abc import Callable
from typing import Generic, TypeVar

from drivers.contract import Frame
from drivers.model import Skipped

F = TypeVar("F", bound=Frame)

_LINE = re.compile(rb"[\r\n]*[^\r\n][^\n]*\n")
_NO_TEXT = re.compile(rb".*[^\t\r\n\x20-\x7e]", re.DOTALL)


class LineDecoder(Generic[F]):
    """A decoder of lines; `parse` takes one with its line end and what blank lines were before it.

    It returns None for what is no line of the format; `limit` is how long one can be, all told.
    """

    def __init__(self, parse: Callable[[bytes], F | None], limit: int) -> None:
        self._parse = parse
        self._limit = limit
        self._pending = b""

    @property
    def pending(self) -> bytes:
        """The start of a line whose end has not arrived, shorter than the limit."""
        return self._pending

    def feed(self, data: bytes) -> list[F | Skipped]:
        """Return what became complete with these bytes, in wire order."""
        buffer = self._pending + data
        out: list[F | Skipped] = []
        at = 0
        while True:
            line = _LINE.match(buffer, at, at + self._limit)
            if line is not None:
                end = line.end()
                out += self._read(line[0])
            elif len(buffer) - at >= self._limit:
                end = at + self._limit
                out.append(Skipped(buffer[at:end]))
            else:
                break
            at = end
        self._pending = buffer[at:]
        return out

    def _read(self, line: bytes) -> list[F | Skipped]:
        frame = self._parse(line)
        if frame is not None:
            return [frame]
        noise = _NO_TEXT.match(line)
        behind = self._parse(line[noise.end() :]) if noise else None
        if noise is None or behind is None:
            return [Skipped(line)]
        return [Skipped(noise[0]), behind]
