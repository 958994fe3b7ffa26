"""What replies say that nobody here asked for, as of a recording or of another program's session.

Read only where the hub may not ask itself. The model last heard says what a record measures, else
the setting `measures`, else the bytes of the record, as far as they can be only one thing.
"""

from collections.abc import Iterator

from drivers.instruments.taidoc.meaning import (
    Record,
    Settings,
    kind_of,
    kind_told,
    meaning,
    weighed,
)
from drivers.model import Instant, Item, Kind, Notice, NoticeKind
from drivers.protocols import taidoc
from drivers.protocols.taidoc import Reply

_NO_TIME = Reply(taidoc.RECORD_TIME, bytes(4))
_OF_A_CUFF = Reply(taidoc.RECORD_TIME, bytes((0, 0, 0x80, 0)))
_OPEN = "a record whose bytes do not tell what it measures: set `measures`, or record the model too"


class Overheard:
    """The replies of one session in order; remembers the model and the time of the record."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._model = ""
        self._time: Reply | None = None

    def read(self, reply: Reply, at: Instant) -> Iterator[Item]:
        """Yield what a reply says."""
        if reply.is_scale:
            yield weighed(reply, at)
        elif reply.command == taidoc.MODEL:
            self._model = reply.model
        elif reply.command == taidoc.RECORD_TIME:
            self._time = reply
        elif reply.command in {taidoc.RECORD_VALUE, taidoc.LIVE_SPO2} and any(reply.data):
            yield from self._record(reply, at)

    def _record(self, value: Reply, at: Instant) -> Iterator[Item]:
        time, self._time = self._time, None
        kind: Kind | None = Kind.OXIMETRY
        if value.command != taidoc.LIVE_SPO2:
            kind = kind_of(self._model, self._settings) or kind_told(value, time)
        if kind is None or kind is Kind.WEIGHT:
            yield Notice(NoticeKind.UNMAPPED, _OPEN, at)
            return
        no_time = _OF_A_CUFF if kind is Kind.BLOOD_PRESSURE else _NO_TIME
        yield from meaning(kind, Record(time or no_time, value), at, None, self._settings)
