"""Fetching what an instrument has stored, through its Record Access Control Point.

count → report all → (values come by themselves) → its end → counts compared → only where granted,
and only if every record came whole and no other was added meanwhile, delete all.

A value is durable before the next answer is looked at, so what is deleted is safe here.
"""

from collections.abc import Awaitable, Callable
from enum import Enum, auto

from drivers.contract import GattLink, Host, Write
from drivers.errors import RequestRefused
from drivers.protocols.gatt.characteristics import RECORD_ACCESS, encode
from drivers.protocols.gatt.record_access import (
    COUNT_ALL,
    DELETE_ALL,
    REPORT_ALL,
    Operation,
    Outcome,
    RecordAccess,
)

Tell = Callable[[str], Awaitable[None]]


class Phase(Enum):
    """What is awaited; an answer that is not is no answer."""

    NOTHING = auto()
    COUNT = auto()
    REPORT = auto()
    RECOUNT = auto()
    DELETION = auto()


class Fetch:
    """One fetch of all records."""

    def __init__(self, host: Host, link: GattLink, tell: Tell) -> None:
        self._host = host
        self._link = link
        self._tell = tell
        self._phase = Phase.NOTHING
        self._stored: int | None = None
        self._received: set[bytes] = set()

    async def begin(self) -> None:
        """Ask for the number of records, where the instrument has any to ask for."""
        try:
            await self._link.subscribe(RECORD_ACCESS)
        except RequestRefused:
            return
        await self._ask(COUNT_ALL, Phase.COUNT)

    def received(self, record: bytes) -> None:
        """Count a record that came whole and is durable; the same bytes twice are one."""
        self._received.add(record)

    async def hear(self, answer: RecordAccess) -> None:
        """Take an answer and ask for what comes next."""
        if answer.count is not None and self._phase is Phase.COUNT:
            await self._counted(answer.count)
        elif answer.count is not None and self._phase is Phase.RECOUNT:
            await self._recounted(answer.count)
        elif answer.ended is not None:
            await self._ended(*answer.ended)

    async def _counted(self, count: int) -> None:
        self._stored = count
        if count:
            await self._report()
        else:
            self._phase = Phase.NOTHING

    async def _recounted(self, count: int) -> None:
        if count == self._stored == len(self._received):
            await self._ask(DELETE_ALL, Phase.DELETION)
            return
        self._phase = Phase.NOTHING
        await self._tell(
            f"records were not deleted: {self._stored} were stored, {len(self._received)} came, "
            f"{count} are stored now"
        )

    async def _ended(self, operation: int, outcome: int) -> None:
        phase, self._phase = self._phase, Phase.NOTHING
        if phase is Phase.NOTHING or outcome == Outcome.NO_RECORDS:
            return
        if (phase, operation) == (Phase.COUNT, Operation.COUNT):
            await self._report()  # it cannot count; it may still report
        elif outcome != Outcome.SUCCESS:
            await self._tell(f"record access: operation {operation} ended with {outcome}")
        elif (phase, operation) == (Phase.REPORT, Operation.REPORT):
            await self._reported()

    async def _report(self) -> None:
        self._received.clear()
        await self._ask(REPORT_ALL, Phase.REPORT)

    async def _reported(self) -> None:
        if self._stored is not None and len(self._received) != self._stored:
            await self._tell(f"{self._stored} records are stored, {len(self._received)} came")
        elif self._stored is not None and self._host.may(Write.DELETE_RECORDS):
            await self._ask(COUNT_ALL, Phase.RECOUNT)

    async def _ask(self, request: RecordAccess, awaited: Phase) -> None:
        purpose = Write.DELETE_RECORDS if request is DELETE_ALL else Write.FETCH
        self._phase = awaited
        try:
            await self._link.write(purpose, RECORD_ACCESS, encode(request))
        except RequestRefused as error:
            self._phase = Phase.NOTHING
            await self._tell(f"record access: {error}")
