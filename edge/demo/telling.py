"""How the visit is told in a terminal: plain lines, a little colour only where a person looks.

Piped, or with NO_COLOR, it is the same text without colour. What is only of the moment is a line
that is written over, and only on a terminal.
"""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
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
OVER = "\r\x1b[K"  # to the begin of the line, and clear it
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
    "bmi": "BMI",
    "body-fat": "body fat",
}
UNITS = {
    "mm[Hg]": "mmHg",
    "Cel": "°C",
    "[degF]": "°F",
    "kg/m2": "kg/m²",
    "[lb_av]": "lb",
    "deg": "°",
}
FLAGS = {
    "irregular-pulse": "uneven pulse",
    "body-movement": "moved",
    "cuff-loose": "cuff loose",
    "low-perfusion": "weak pulse",
    "artifact": "disturbed",
    "low-battery": "battery low",
}
DOCUMENTS = {
    "ecg12": "12-lead ECG, statements",
    "ecg12-waveform": "12-lead ECG, waveform",
    "ecg12-original": "12-lead ECG, the cart's file",
    "ecg12-page": "12-lead ECG, page",
}
WHO_WIDTH = 14
INDENT = 16 + WHO_WIDTH
SENTENCE_WIDTH = 100


class Teller:
    """Writes lines to a terminal or a pipe."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._is_terminal = out.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._is_terminal and not os.environ.get("NO_COLOR")
        self._passing = False

    def title(self, text: str) -> None:
        """Begin a part."""
        self.line("")
        self.line(text, BOLD)

    def line(self, text: str, style: str = "") -> None:
        """Write a line."""
        self._write(self._styled(text, style) + "\n")

    def good(self, text: str) -> None:
        """Say that something went as it should."""
        self._marked("✓", GREEN, text)

    def note(self, text: str) -> None:
        """Say something worth a look."""
        self._marked("!", YELLOW, text)

    def bad(self, text: str) -> None:
        """Say that something went wrong."""
        self._marked("✗", RED, text)

    def hand(self, text: str) -> None:
        """Say what somebody does."""
        self._marked("·", DIM, text)

    def more(self, text: str) -> None:
        """Go on about what was said last."""
        self.line(f"{'':{INDENT}}{text}")

    def passing(self, text: str) -> None:
        """Show what is so for the moment, on a terminal only."""
        if self._is_terminal:
            self._write(self._styled(f"  {text}"[:SENTENCE_WIDTH], DIM))
            self._passing = True

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table whose columns are as wide as they need to be."""
        all_rows = [tuple(head), *map(tuple, rows)]
        widths = [max(len(row[column]) for row in all_rows) for column in range(len(head))]
        for number, row in enumerate(all_rows):
            cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line(f"  {cells.rstrip()}", DIM if number == 0 else "")

    def _marked(self, mark: str, style: str, text: str) -> None:
        self._write(f"  {self._styled(mark, style)} {text}\n")

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{END}" if style and text and self._colour else text

    def _write(self, text: str) -> None:
        over = OVER if self._passing else ""
        self._passing = False
        self._out.write(over + text)
        self._out.flush()


def spoken(readings: Iterable[ReadingView]) -> str:
    """Return readings as a person writes them; blood pressure as systolic/diastolic."""
    given = {reading.metric: reading for reading in readings}
    if "qrs-duration" in given:
        return _ecg(given)
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


def titled(kind: str) -> str:
    """Return what a result without readings is called."""
    return DOCUMENTS.get(kind, kind)


def line_of(at: str, who: str, text: str) -> str:
    """Return one thing that happened: the time of day, what or who, and what there is to say."""
    return f"{at[11:19]}  {who:<{WHO_WIDTH}}  {text}"


def value_line(value: ValueView) -> str:
    """Return one value of the room: when, from what, what, and by whom where not measured."""
    made = {"derived": ", derived from its ECG", "entered": ", entered"}.get(value.origin, "")
    clock = "" if value.clock_trusted else " (clock not synchronised)"
    who = "by hand" if value.instrument == "by-hand" else value.instrument
    said = [FLAGS[flag] for flag in value.flags if flag in FLAGS]
    flags = f" ({', '.join(said)})" if said else ""
    return line_of(value.taken, who, f"{_what(value)}{made}{clock}{flags}")


def _what(value: ValueView) -> str:
    if not value.readings:
        return titled(value.kind)
    reasons = [reading.status for reading in value.readings if reading.value is None]
    if len(reasons) == len(value.readings):
        return f"no {value.kind.replace('-', ' ')}: {reasons[0].replace('-', ' ')}"
    return spoken(value.readings)


def live_line(view: RoomView) -> str:
    """Return what the instruments say now, in one line."""
    return "; ".join(
        f"{each.instrument}: {spoken(each.readings)} ({each.age_s:.0f} s ago)"
        for each in view.live
        if any(reading.value is not None for reading in each.readings)
    )


def passing_line(view: RoomView, seconds: float, awaited: Iterable[str]) -> str:
    """Return what is so for the moment: since when, saturation and rates, who is waited for."""
    wanted = ("spo2", "pulse-rate", "heart-rate")
    now = [
        f"{NAMES[reading.metric]} {_with_unit(reading)}"
        for each in view.live
        for reading in each.readings
        if reading.metric in wanted and reading.value is not None and each.origin == "measured"
    ]
    names = ", ".join(dict.fromkeys(awaited))
    waits = f"   (waiting for {names})" if names else ""
    return f"{seconds:4.0f} s   {' · '.join(dict.fromkeys(now))}{waits}"


def _ecg(given: Mapping[str, ReadingView]) -> str:
    """Return the measurements of a 12-lead ECG as a cart's display does."""
    shown = {
        name: f"{reading.value:.0f}" for name, reading in given.items() if reading.value is not None
    }
    qtc = next((number for name, number in shown.items() if name.startswith("qtc")), "-")
    rate, pr, qrs, qt, axis = (
        shown.get(name, "-")
        for name in ("heart-rate", "pr-interval", "qrs-duration", "qt-interval", "qrs-axis")
    )
    return f"12-lead ECG {rate} /min, PR {pr}, QRS {qrs}, QT/QTc {qt}/{qtc} ms, axis {axis}°"


def _shown(reading: ReadingView) -> str:
    return "-" if reading.value is None else f"{reading.value:g}"


def _with_unit(reading: ReadingView) -> str:
    if reading.value is None:
        return f"none ({reading.status})"
    return f"{reading.value:g} {UNITS.get(reading.unit, reading.unit)}"
