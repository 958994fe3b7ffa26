"""How formats with little or no check are believed: only several good frames in a row."""

from collections import deque
from typing import Generic, TypeVar

from drivers.contract import Frame
from drivers.model import Instant

F = TypeVar("F", bound=Frame)


class Belief(Generic[F]):
    """Holds frames back until `enough` came in a row; what was held is then told, late.

    Of a link that ends sooner they are told only if nothing else ever came over it: a recording of
    three frames is not noise.
    """

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._waiting: deque[tuple[F, Instant]] = deque()
        self._is_believed = False
        self._is_spotless = True

    def heard(self, frame: F, at: Instant) -> list[tuple[F, Instant]]:
        """Take a frame and return what may be told now."""
        self._waiting.append((frame, at))
        self._is_believed = self._is_believed or len(self._waiting) >= self._enough
        return self._all() if self._is_believed else []

    def skipped(self) -> None:
        """Something that was no frame came: what waits is not told, and belief begins anew."""
        self._is_believed = self._is_spotless = False
        self._waiting.clear()

    def ended(self, pending: bytes) -> list[tuple[F, Instant]]:
        """Return what may be told now that the link is lost, with `pending` in the decoder."""
        return self._all() if self._is_spotless and not pending else []

    def _all(self) -> list[tuple[F, Instant]]:
        told = list(self._waiting)
        self._waiting.clear()
        return told
