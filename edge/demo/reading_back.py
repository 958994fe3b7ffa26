"""What the record system holds, read back and compared with what was sent, value by value."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.demo.telling import spoken
from edge.view import ReadingView, ValueView


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
    status: str | None = None


class Sent(msgspec.Struct, frozen=True):
    """A value of the room that was filed, and of whom."""

    value: ValueView
    subject: str


async def held_values(record: Path) -> list[HeldValue]:
    """Ask the record system's own listing what it holds."""
    command = (sys.executable, "-P", "-m", "edge.cli", "record-system", "--list", "--json")
    process = await asyncio.create_subprocess_exec(*command, "--store", str(record), stdout=PIPE)
    listing, _ = await process.communicate()
    lines = [msgspec.json.decode(line) for line in listing.splitlines()]
    return [msgspec.convert(line, HeldValue) for line in lines if line["type"] == "value"]


def compare(sent: Sequence[Sent], held: Sequence[HeldValue]) -> list[str]:
    """Return how what is held differs from what was sent, value by value."""
    there = {(each.result_id, each.metric): each for each in held if not each.withdrawn}
    differences = []
    for one in sent:
        for reading in one.value.readings:
            found = there.pop((one.value.result_id, reading.metric), None)
            if found is None:
                differences.append(f"{reading.metric} of {one.value.kind} is not in the record")
            elif _told(found) != (reading.value, _unit(reading), one.value.origin, one.subject):
                differences.append(
                    f"{reading.metric}: {reading.value} {reading.unit} {one.value.origin} of "
                    f"{one.subject} was sent, {found.value} {found.unit} {found.origin} of "
                    f"{found.subject} is held"
                )
    differences += [f"{metric} is held and was never sent" for _, metric in there]
    return differences


def rows(sent: Sequence[Sent], held: Sequence[HeldValue]) -> list[tuple[str, ...]]:
    """Return the record's own values, a row a result, and how many are as they were sent."""
    known = {one.value.result_id: one for one in sent}
    results: dict[str, list[HeldValue]] = {}
    for each in held:
        if not each.withdrawn:
            results.setdefault(each.result_id, []).append(each)
    return [_row(known.get(result_id), values) for result_id, values in results.items()]


def _row(one: Sent | None, values: Sequence[HeldValue]) -> tuple[str, ...]:
    readings = [
        ReadingView(each.metric, each.value, each.unit or "", each.status or "no value")
        for each in values
    ]
    first = values[0]
    wrong = compare([] if one is None else [one], values)
    equal = f"✓ {len(values)} equal" if not wrong else f"✗ {len(wrong)} differ"
    return first.subject, first.time[11:19], spoken(readings), first.origin, equal


def _told(found: HeldValue) -> tuple[float | None, str | None, str, str]:
    return found.value, found.unit, found.origin, found.subject


def _unit(reading: ReadingView) -> str | None:
    return None if reading.value is None else reading.unit
