"""How fast every registered decoder turns bytes into frames, beside the least it could do.

The material of a decoder is what its recorded cases received, over and over. It is fed as a serial
port gives it: in whole read buffers, as after a pause, and in pieces as a UART hands them over. The
floor is given the same blocks and told beforehand where every frame ends: it joins the blocks and
slices the frames out, which any decoder in Python must do, and understands nothing.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.report import Report, interleaved, median_ratio
from drivers.model import Skipped
from drivers.registry import REGISTRY, Entry
from drivers.transports.capture_file import load_case

CAPTURES = Path(__file__).parents[1] / "fixtures" / "captures"
MATERIAL_BYTES = 250_000
BLOCKS = (4096, 32)  # a full read buffer; half the FIFO of a USB converter
ROUNDS = 11

Key: TypeAlias = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """One wire format: a driver with options, what it is fed, and how long its frames are."""

    name: str
    entry: Entry
    options: dict[str, Any]
    material: bytes
    sizes: tuple[int, ...]
    frames: int


def run(report: Report) -> None:
    """Measure every decoder on every block size, and its floor, in turn."""
    subjects = list(_subjects())
    contestants: dict[Key, Callable[[], object]] = {}
    for subject in subjects:
        for size in BLOCKS:
            contestants[subject.name, size, "decoder"] = _decoding(subject, size)
            contestants[subject.name, size, "floor"] = _slicing(subject, size)
    seconds = interleaved(ROUNDS, contestants)
    report.say(
        f"Decoders on recorded bytes, at least {MATERIAL_BYTES} of them, in blocks of "
        f"{' and of '.join(map(str, BLOCKS))} bytes; medians of {ROUNDS} rounds in turn. "
        "Floor: joining the same blocks and slicing the same frames out, told where they end."
    )
    report.table(
        ("decoder", "block", "frames", "MB/s", "µs/frame", "x floor", "x wire"),
        [_row(subject, size, seconds) for subject in subjects for size in BLOCKS],
    )


def _row(subject: Subject, size: int, seconds: dict[Key, list[float]]) -> tuple[object, ...]:
    times = seconds[subject.name, size, "decoder"]
    median = statistics.median(times)
    line = subject.entry.line
    wire_s = len(subject.material) * line.bits_per_byte / line.baud
    return (
        subject.name,
        size,
        subject.frames,
        f"{len(subject.material) / median / 1e6:.2f}",
        f"{median / subject.frames * 1e6:.2f}",
        f"{median_ratio(times, seconds[subject.name, size, 'floor']):.1f}",
        f"{wire_s / median:.0f}",
    )


def _subjects() -> Iterator[Subject]:
    """Yield every driver of a byte stream with each table of options that its cases have."""
    for name, entry in sorted(REGISTRY.items()):
        if entry.is_gatt or entry.leaves_files:
            continue
        received: dict[str, tuple[dict[str, Any], bytes]] = {}
        for toml in sorted((CAPTURES / name).glob("*/case.toml")):
            loaded = load_case(toml.parent)
            options = loaded.case.options
            said = " ".join(f"{key}={value}" for key, value in options.items())
            _, before = received.get(said, (options, b""))
            received[said] = (options, before + loaded.recording.received)
        for said, (options, data) in received.items():
            material = data * -(-MATERIAL_BYTES // len(data))
            items = entry.decoder(options).feed(material)
            sizes = tuple(len(i.data if isinstance(i, Skipped) else i.raw) for i in items)
            frames = sum(not isinstance(item, Skipped) for item in items)
            yield Subject(f"{name} {said}".strip(), entry, options, material, sizes, frames)


def _blocks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _decoding(subject: Subject, size: int) -> Callable[[], object]:
    blocks = _blocks(subject.material, size)

    def contestant() -> list[object]:
        decoder = subject.entry.decoder(subject.options)
        out: list[object] = []
        for block in blocks:
            out += decoder.feed(block)
        return out

    return contestant


def _slicing(subject: Subject, size: int) -> Callable[[], object]:
    blocks = _blocks(subject.material, size)
    return lambda: _sliced(blocks, subject.sizes)


def _sliced(blocks: Sequence[bytes], sizes: Sequence[int]) -> list[bytes]:
    """Return pieces of the given sizes from blocks joined as they come."""
    out: list[bytes] = []
    ends = iter(sizes)
    size = next(ends, 0)
    pending = b""
    for block in blocks:
        buffer = pending + block
        at = 0
        while size and at + size <= len(buffer):
            out.append(buffer[at : at + size])
            at += size
            size = next(ends, 0)
        pending = buffer[at:]
    return out
