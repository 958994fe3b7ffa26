"""One visit, as a medical assistant makes it, told as it happens."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from edge.demo.door import Door, of_kind
from edge.demo.scene import BADGE, WRISTBAND
from edge.demo.telling import Teller, live_line, spoken, value_line
from edge.view import RoomView, ValueView

INSTRUMENTS_S = 15.0
VALUES_S = 45.0
FILED_S = 20.0
CUFF_S = 60.0

EXPECTED = (("oximetry", 2), ("heart-rate", 2))  # monitor and oximeter; measured and derived
# Taken by a person who looked at the display: the second pressure, for the first is a stranger's.
COMPARED = (("blood-pressure", 2), ("respiration", 1))


class WentWrong(Exception):  # noqa: N818 - told to the person
    """The visit did not go as it must; the message says what is missing."""


class HeldValue(msgspec.Struct):
    """What the record system says that it holds."""

    result_id: str
    metric: str
    value: float | None
    unit: str | None
    time: str
    subject: str
    origin: str
    withdrawn: bool


class Visit:
    """The acts of one visit, through the hub's own door.

    `complete`: every value must come, as from a healthy patient; else what is missing is told.
    """

    def __init__(self, door: Door, teller: Teller, *, complete: bool) -> None:
        self._door = door
        self._tell = teller
        self._complete = complete

    async def run(self, record: Path) -> None:
        """Make the visit; WentWrong unless every value was filed and reads back equal."""
        await self._before()
        await self._identify()
        await self._measure()
        await self._compare()
        sent = await self._send()
        await self._read_back(record, sent)
        await self._door.act("end-visit")
        self._tell.title("The patient leaves: the room belongs to nobody again.")

    async def _before(self) -> None:
        self._tell.title("Nobody is identified; the instruments speak already")
        view = await self._door.until(lambda view: len(view.live) >= len(EXPECTED), INSTRUMENTS_S)
        if view is None:
            raise WentWrong("the instruments are not heard")
        self._tell.line(f"  {live_line(view)}")
        for value in of_kind(view, "blood-pressure", "quarantined"):
            self._tell.note(f"{spoken(value.readings)} is quarantined: {value.reason}")

    async def _identify(self) -> None:
        self._tell.title("Identify")
        view = await self._door.until(lambda view: view.record_system.connected, INSTRUMENTS_S)
        if view is None:
            view = await self._door.look()
            raise WentWrong("; ".join(view.record_system.alarms) or "there is no record system")
        who = await self._door.act("sign-in", badge=BADGE)
        self._tell.good(f"signed in: {who['display']}")
        candidate = await self._door.act("scan", code=WRISTBAND)
        name, birth_date = candidate["patient"]["display"]
        reference = candidate["patient"]["reference"]
        await self._door.act("confirm-patient", reference=reference)
        self._tell.good(f"wristband scanned, two identifiers compared: {name}, {birth_date}")

    async def _measure(self) -> None:
        self._tell.title("Measure (values are taken once they have been steady in this visit)")
        told: set[int] = set()

        def complete(view: RoomView) -> bool:
            for value in view.values:
                if value.state == "offered" and value.item not in told:
                    told.add(value.item)
                    self._tell.good(value_line(value))
            return all(len(of_kind(view, kind, "offered")) >= many for kind, many in EXPECTED)

        if await self._door.until(complete, VALUES_S) is None:
            self._missing("not every instrument gave a steady value in time")

    async def _compare(self) -> None:
        """Take what cannot prove its time, as a person who looks at the display may."""
        self._tell.title("Compare (what cannot prove when it was made is taken only by a person)")
        await self._door.act("take-now", instrument="monitor", kind="respiration")
        for kind, many in COMPARED:
            view = await self._door.until(partial(_quarantined, kind, many), CUFF_S)
            if view is None:
                self._missing(f"no {kind} to compare is seen")
                continue
            value = of_kind(view, kind, "quarantined")[-1]
            self._tell.note(f"{spoken(value.readings)}: {value.reason}")
            await self._door.act("take", item=value.item)
            self._tell.good(f"{value_line(value)}, compared with the display and taken")
        view = await self._door.look()
        for value in of_kind(view, "blood-pressure", "quarantined"):
            self._tell.note(f"{spoken(value.readings)} was there before: nobody takes it")

    def _missing(self, what: str) -> None:
        if self._complete:
            raise WentWrong(what)
        self._tell.note(f"{what}: the visit goes on without")

    async def _send(self) -> list[ValueView]:
        self._tell.title("Send")
        view = await self._door.look()
        offered = [value.item for value in view.values if value.state == "offered"]
        await self._door.act("send", items=offered)
        going = {"accepted", "queued", "offered"}

        def filed(view: RoomView) -> bool:
            states = {value.state for value in view.values}
            return not states & going and "filed" in states

        view = await self._door.until(filed, FILED_S) or await self._door.look()
        for value in view.values:
            if value.state == "filed" and value.filed:
                self._tell.good(f"{spoken(value.readings)} | filed {value.filed[11:19]}")
            elif value.state in going | {"refused"}:
                self._tell.bad(f"{spoken(value.readings)} | {value.state} {value.reason}")
        unfiled = [value for value in view.values if value.state in going | {"refused"}]
        if unfiled:
            raise WentWrong(f"{len(unfiled)} values are not filed")
        return [value for value in view.values if value.state == "filed"]

    async def _read_back(self, record: Path, sent: Sequence[ValueView]) -> None:
        self._tell.title("What the record system holds, read back from it")
        held = await held_values(record)
        self._tell.table(
            ("time", "patient", "what", "value", "origin"),
            [
                (
                    value.time[11:19],
                    value.subject,
                    value.metric,
                    f"{value.value:g} {value.unit}" if value.value is not None else "-",
                    value.origin,
                )
                for value in held
            ],
        )
        differences = compare(sent, held)
        for difference in differences:
            self._tell.bad(difference)
        if differences:
            raise WentWrong("what was filed is not what was measured")
        self._tell.good(f"{len(held)} values of {len(sent)} results, each equal to what was taken")


def _quarantined(kind: str, many: int, view: RoomView) -> bool:
    return len(of_kind(view, kind, "quarantined")) >= many


async def held_values(record: Path) -> list[HeldValue]:
    """Ask the record system's own listing what it holds."""
    command = (sys.executable, "-P", "-m", "edge.cli", "record-system", "--list", "--json")
    process = await asyncio.create_subprocess_exec(*command, "--store", str(record), stdout=PIPE)
    listing, _ = await process.communicate()
    lines = [msgspec.json.decode(line) for line in listing.splitlines()]
    return [msgspec.convert(line, HeldValue) for line in lines if line["type"] == "value"]


def compare(sent: Sequence[ValueView], held: Sequence[HeldValue]) -> list[str]:
    """Return how what is held differs from what was sent, value by value."""
    there = {(v.result_id, v.metric): v for v in held if not v.withdrawn}
    differences = []
    for value in sent:
        for reading in value.readings:
            found = there.pop((value.result_id, reading.metric), None)
            if found is None:
                differences.append(f"{reading.metric} of {value.kind} is not in the record")
            elif found.value != reading.value or found.origin != value.origin:
                differences.append(
                    f"{reading.metric}: {reading.value} {value.origin} was sent, "
                    f"{found.value} {found.origin} is held"
                )
    differences += [f"{metric} is held and was never sent" for _, metric in there]
    return differences
