"""Finding frames in bytes: what the decoders of short frames share, resynchronisation included.

A format says which bytes a frame can begin with, and what stands at such a place: a frame, none,
or that only more bytes can tell. Bytes before the next place where a frame stands are skipped; a
place where none stands costs one byte, so a true frame behind a false start is still found.
"""

from collections.abc import Callable
from enum import Enum, auto
from re import Pattern
from typing import Final, Generic, TypeAlias, TypeVar

from drivers.contract import Frame
from drivers.model import Skipped

F = TypeVar("F", bound=Frame)


class NeedMore(Enum):
    """The bytes so far may begin a frame; only more of them can tell."""

    NEED_MORE = auto()


NEED_MORE: Final = NeedMore.NEED_MORE

Look: TypeAlias = Callable[[bytes, int], F | NeedMore | None]


class Scanner(Generic[F]):
    """A decoder of frames that are recognised where they begin; any input is legal.

    `starts` matches the one byte a frame can begin with. `look(buffer, at)` must not answer
    NEED_MORE once it has as many bytes as a frame can have: that bounds what is pending.
    """

    def __init__(self, starts: Pattern[bytes], look: Look[F]) -> None:
        self._starts = starts
        self._look = look
        self._pending = b""

    @property
    def pending(self) -> bytes:
        """The start of a frame whose end has not arrived."""
        return self._pending

    def feed(self, data: bytes) -> list[F | Skipped]:
        """Return what became complete with these bytes, in wire order."""
        buffer = self._pending + data
        out: list[F | Skipped] = []
        done = at = 0
        while (start := self._starts.search(buffer, at)) is not None:
            at = start.start()
            found = self._look(buffer, at)
            if isinstance(found, NeedMore):
                break
            if found is None:
                at += 1
                continue
            out += _skipped(buffer[done:at])
            out.append(found)
            done = at = at + len(found.raw)
        else:
            at = len(buffer)
        out += _skipped(buffer[done:at])
        self._pending = buffer[at:]
        return out


def _skipped(data: bytes) -> list[Skipped]:
    return [Skipped(data)] if data else []
