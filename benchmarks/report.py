"""What a benchmark has to say, printed as it comes and kept as Markdown; and how time is taken.

A benchmark is a module of this folder with ``run(report: Report) -> None``.
"""

import gc
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class Report:
    """Collects the paragraphs and tables of one run; `show` gets each as text.

    `seconds` is how long to watch where something is watched, None for the benchmark's own time.
    """

    show: Callable[[str], None]
    seconds: float | None = None
    parts: list[str] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)  # SVG by file name

    def say(self, text: str) -> None:
        """Add a paragraph."""
        self._add(text)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table; cells are written with `str`, the first column to the left."""
        cells = [list(columns), *[[str(cell) for cell in row] for row in rows]]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        rule = ["-" * widths[0], *["-" * (width - 1) + ":" for width in widths[1:]]]
        lines = [
            " | ".join(
                cell.rjust(width) if at else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in (cells[0], rule, *cells[1:])
        ]
        self._add("\n".join(f"| {line} |" for line in lines))

    def picture(self, title: str, file_name: str, svg: str) -> None:
        """Add a picture; it becomes a file in docs/pictures when the section is written."""
        self.pictures[file_name] = svg
        self._add(f"![{title}](pictures/{file_name})")

    def _add(self, part: str) -> None:
        self.parts.append(part)
        self.show(part)


def interleaved(
    rounds: int,
    contestants: Mapping[Key, Callable[[], object]],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Key, list[float]]:
    """Return the seconds of each contestant in each round, after one round that does not count.

    `time.process_time` is the clock for what only computes: neighbours do not count in it.

    All run once in every round, in turn, so that a busy neighbour or a cooler processor meets them
    alike. The garbage collector is kept out, as `timeit` does.
    """
    seconds: dict[Key, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, contestant in contestants.items():
            taken = _seconds(contestant, clock)
            if number:
                seconds[name].append(taken)
    return seconds


def median_ratio(times: Sequence[float], floor: Sequence[float]) -> float:
    """Return the median over the rounds of time by floor, each taken in the same round."""
    return statistics.median(a / b for a, b in zip(times, floor, strict=True))


def _seconds(contestant: Callable[[], object], clock: Callable[[], float]) -> float:
    gc.collect()
    gc.disable()
    try:
        begin = clock()
        contestant()
        return clock() - begin
    finally:
        gc.enable()
