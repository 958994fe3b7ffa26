"""How the visit is told in a terminal: plain lines, a little colour only where a person looks."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from edge.view import ReadingView, RoomView, ValueView

BOLD, DIM, GREEN, YELLOW, RED, END = (
    "\x1b[1m",
    "\x1b[2m",
    "\x1b[32m",
    "\x1b[33m",
    "\x1b[31m",
    "\x1b[0m",
)
NAMES = {
    "spo2": "SpO2",
    "pulse-rate": "pulse",
    "heart-rate": "heart rate",
    "respiration-rate": "respirations",
    "systolic": "systolic",
    "diastolic": "diastolic",
    "mean-pressure": "mean",
    "perfusion-index": "perfusion index",
    "body-temperature": "temperature",
}
UNITS = {"mm[Hg]": "mmHg", "Cel": "°C", "[degF]": "°F"}


class Teller:
    """Writes lines to a terminal or a pipe."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._colour = out.isatty() and "NO_COLOR" not in os.environ

    def title(self, text: str) -> None:
        """Begin a part."""
        self.line("")
        self.line(text, BOLD)

    def line(self, text: str, style: str = "") -> None:
        """Write a line."""
        styled = f"{style}{text}{END}" if style and self._colour else text
        self._out.write(styled + "\n")
        self._out.flush()

    def good(self, text: str) -> None:
        """Say that something went as it should."""
        self.line(f"  ✓ {text}", GREEN)

    def note(self, text: str) -> None:
        """Say something worth a look."""
        self.line(f"  ! {text}", YELLOW)

    def bad(self, text: str) -> None:
        """Say that something went wrong."""
        self.line(f"  ✗ {text}", RED)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table whose columns are as wide as they need to be."""
        all_rows = [tuple(head), *map(tuple, rows)]
        widths = [max(len(row[column]) for row in all_rows) for column in range(len(head))]
        for number, row in enumerate(all_rows):
            cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line(f"  {cells.rstrip()}", DIM if number == 0 else "")


def spoken(readings: Iterable[ReadingView]) -> str:
    """Return readings as a person writes them; blood pressure as systolic/diastolic."""
    given = {reading.metric: reading for reading in readings}
    parts = []
    systolic, diastolic = given.get("systolic"), given.get("diastolic")
    if systolic is not None and diastolic is not None and systolic.value is not None:
        unit = UNITS.get(systolic.unit, systolic.unit)
        parts.append(f"{systolic.value:g}/{_shown(diastolic)} {unit}")
        given.pop("systolic")
        given.pop("diastolic")
    for metric, reading in given.items():
        parts.append(f"{NAMES.get(metric, metric)} {_with_unit(reading)}")
    return ", ".join(parts)


def value_line(value: ValueView) -> str:
    """Return one value of the room: what, when, from what, how far it got."""
    who = "derived from its ECG" if value.origin == "derived" else "measured"
    clock = "" if value.clock_trusted else " (clock not synchronised)"
    at = value.taken[11:19]
    return f"{spoken(value.readings)} | {at}{clock} | {value.instrument}, {who}"


def live_line(view: RoomView) -> str:
    """Return what the instruments say now, in one line."""
    return "; ".join(
        f"{each.instrument}: {spoken(each.readings)} ({each.age_s:.0f} s ago)"
        for each in view.live
        if any(reading.value is not None for reading in each.readings)
    )


def _shown(reading: ReadingView) -> str:
    return "-" if reading.value is None else f"{reading.value:g}"


def _with_unit(reading: ReadingView) -> str:
    if reading.value is None:
        return f"none ({reading.status})"
    return f"{reading.value:g} {UNITS.get(reading.unit, reading.unit)}"
