"""What the record system holds, read back and compared with what was sent, value by value."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.demo.telling import spoken, titled
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


class HeldResult(msgspec.Struct):
    """A result that the record system says that it holds, with a value or without."""

    result_id: str
    kind: str
    subject: str
    withdrawn: bool


class Held(msgspec.Struct):
    """All that the record system says that it holds."""

    results: list[HeldResult]
    values: list[HeldValue]


class Sent(msgspec.Struct, frozen=True):
    """A value of the room that was filed, and of whom."""

    value: ValueView
    subject: str


async def held(record: Path) -> Held:
    """Ask the record system's own listing what it holds."""
    command = (sys.executable, "-P", "-m", "edge.cli", "record-system", "--list", "--json")
    process = await asyncio.create_subprocess_exec(*command, "--store", str(record), stdout=PIPE)
    listing, _ = await process.communicate()
    lines = [msgspec.json.decode(line) for line in listing.splitlines()]
    return Held(
        [msgspec.convert(line, HeldResult) for line in lines if line["type"] == "result"],
        [msgspec.convert(line, HeldValue) for line in lines if line["type"] == "value"],
    )


def compare(sent: Sequence[Sent], held: Held) -> list[str]:
    """Return how what is held differs from what was sent, result by result, value by value."""
    results = {each.result_id: each for each in held.results if not each.withdrawn}
    there = {(each.result_id, each.metric): each for each in held.values if not each.withdrawn}
    differences = []
    for one in sent:
        result = results.pop(one.value.result_id, None)
        if result is None or (result.kind, result.subject) != (one.value.kind, one.subject):
            differences.append(f"{one.value.kind} of {one.subject} is not in the record")
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
    differences += [f"{each.kind} is held and was never sent" for each in results.values()]
    differences += [f"{metric} is held and was never sent" for _, metric in there]
    return differences


def rows(sent: Sequence[Sent], held: Held) -> list[tuple[str, ...]]:
    """Return what the record holds, a row a result, and how much of it is as it was sent."""
    known = {one.value.result_id: one for one in sent}
    values: dict[str, list[HeldValue]] = {}
    for each in held.values:
        values.setdefault(each.result_id, []).append(each)
    return [
        _row(known.get(result.result_id), result, values.get(result.result_id, []))
        for result in held.results
        if not result.withdrawn
    ]


def _row(one: Sent | None, result: HeldResult, values: Sequence[HeldValue]) -> tuple[str, ...]:
    readings = [
        ReadingView(each.metric, each.value, each.unit or "", each.status or "no value")
        for each in values
    ]
    wrong = compare([] if one is None else [one], Held([result], list(values)))
    equal = f"✓ {len(values)} equal" if values else "✓ held"
    return (
        result.subject,
        one.value.taken[11:19] if one else "",
        spoken(readings) if readings else titled(result.kind),
        values[0].origin if values else "",
        f"✗ {len(wrong)} differ" if wrong else equal,
    )


def _told(found: HeldValue) -> tuple[float | None, str | None, str, str]:
    return found.value, found.unit, found.origin, found.subject


def _unit(reading: ReadingView) -> str | None:
    return None if reading.value is None else reading.unit
