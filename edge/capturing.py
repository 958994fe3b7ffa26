"""Recording a live instrument into a case folder, so that a fault seen in a clinic is a test."""

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.contract import ByteLink, Clock, Frame, Wish, Write
from drivers.errors import LinkLost, SettingsError
from drivers.model import Chunk, Skipped
from drivers.registry import Entry
from drivers.transports.capture_file import (
    CASE,
    EXPECTED,
    WIRE,
    Case,
    Happened,
    Line,
    LinkEvent,
    Received,
    Recording,
    Written,
    comment_text,
    line_text,
    load_case,
    write,
)
from edge.decoding import decode_lines

US_NS = 1000


class RecordedLink:
    """A ByteLink that notes what goes over another one; time 0 is now.

    Lines are in the order the driver saw them; a chunk that waited while the driver wrote gets
    the time of that write.
    """

    def __init__(
        self, link: ByteLink, clock: Clock, note: Callable[[Line], None] | None = None
    ) -> None:
        self._link = link
        self._chunks = aiter(link)
        self._clock = clock
        self._begin_ns = clock.now().mono_ns
        self._last_us = 0
        self.lines: list[Line] = []  # where nobody else takes note
        self._note = note or self.lines.append

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what arrives."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next chunk, noted."""
        try:
            chunk = await anext(self._chunks)
        except LinkLost:
            self._note(Happened(self._at_us(self._clock.now().mono_ns), LinkEvent.LOST))
            raise
        self._note(Received(self._at_us(chunk.at.mono_ns), chunk.data, chunk.channel))
        return chunk

    async def write(self, purpose: Write, data: bytes) -> None:
        """Write and note what was written."""
        await self._link.write(purpose, data)
        self._note(Written(self._at_us(self._clock.now().mono_ns), data))

    def wanted(self, wish: Wish) -> None:
        """Note what a person wants of the instrument now."""
        at_us = self._at_us(self._clock.now().mono_ns)
        self._note(Happened(at_us, LinkEvent(wish)))

    def _at_us(self, mono_ns: int) -> int:
        self._last_us = max(self._last_us, (mono_ns - self._begin_ns) // US_NS)
        return self._last_us


class WireFile:
    """A ``wire.cap`` that grows line by line: what was noted survives the death of the program."""

    def __init__(self, folder: Path) -> None:
        # Not readable by others: until it has been looked at, it may hold anything.
        self._fd = os.open(folder / WIRE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.received = 0

    def note(self, line: Line) -> None:
        """Write a line through to the system."""
        if isinstance(line, Received):
            self.received += len(line.data)
        self._write(line_text(line))

    def comment(self, text: str) -> None:
        """Write a comment."""
        self._write(comment_text(text))

    def close(self) -> None:
        """Write through to the disk and close."""
        os.fsync(self._fd)
        os.close(self._fd)

    def _write(self, text: str) -> None:
        left = memoryview(text.encode())
        while left:
            left = left[os.write(self._fd, left) :]


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """A recording without identities; `left_out` bytes were no frame and might have held one."""

    recording: Recording
    left_out: int


class Scrubber:
    """Blanks the serial numbers and patient fields of every frame, line by line.

    A frame stands where its last byte arrived. Bytes that belong to no frame are left out.
    """

    def __init__(self, entry: Entry, options: Mapping[str, object]) -> None:
        self._blank = entry.protocol_module().scrub
        self._feed = _fed(entry, options)
        self._heard = self._kept = 0

    @property
    def left_out(self) -> int:
        """How many bytes were no frame, or are not yet."""
        return self._heard - self._kept

    def through(self, line: Line) -> list[Line]:
        """Return what is left of a line."""
        if not isinstance(line, Received):
            return [line]
        self._heard += len(line.data)
        out: list[Line] = []
        for item in self._feed(line):
            if not isinstance(item, Skipped):
                self._kept += len(item.raw)
                out.append(Received(line.at_us, self._blank(item), line.channel))
        return out


def scrubbed(entry: Entry, options: Mapping[str, object], recording: Recording) -> Scrubbed:
    """Return the recording scrubbed, and how much of it was left out."""
    scrubber = Scrubber(entry, options)
    lines = [each for line in recording.lines for each in scrubber.through(line)]
    return Scrubbed(Recording(tuple(lines)), scrubber.left_out)


def _fed(
    entry: Entry, options: Mapping[str, object]
) -> Callable[[Received], Sequence[Frame | Skipped]]:
    """Return how what was received gets to a decoder of this instrument."""
    if entry.is_gatt:
        payloads = entry.payload_decoder()
        return lambda line: payloads.feed(line.data, line.channel)
    decoder = entry.decoder(options)
    return lambda line: decoder.feed(line.data)


def make_folder(folder: Path) -> None:
    """Make a folder for a new case, or raise SettingsError where there is something already."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SettingsError(f"{folder} is not empty; a recording never replaces another")


def save(folder: Path, case: Case, recording: Recording, comment: str = "") -> int:
    """Write a case into its folder and return how many lines it decodes to.

    ReplayMismatch, after the bytes are saved, says that the driver does not take the same course
    again; ``expected.jsonl`` is then missing.
    """
    (folder / WIRE).write_text(write(recording, comment), encoding="utf-8", newline="\n")
    describe(folder, case)
    return decode(folder)


def describe(folder: Path, case: Case) -> None:
    """Write what a case is, before or after its bytes."""
    (folder / CASE).write_text(case_text(case), encoding="utf-8", newline="\n")


def decode(folder: Path) -> int:
    """Write beside a case what it decodes to, and return how many lines; see `save`."""
    lines = decode_lines(load_case(folder))
    text = "".join(f"{line}\n" for line in lines)
    (folder / EXPECTED).write_text(text, encoding="utf-8", newline="\n")
    return len(lines)


def case_text(case: Case) -> str:
    """Return a case as TOML, whose basic strings are written as JSON's."""
    words = {
        "driver": case.driver,
        "origin": str(case.origin),
        "device": case.device,
        "firmware": case.firmware,
        "licence": case.licence,
        "deidentified": case.deidentified,
        "note": case.note,
        "grants": [str(purpose) for purpose in case.grants],
    }
    out = [f"{key} = {_toml(value)}" for key, value in words.items() if value]
    if case.options:
        out += [
            "",
            "[options]",
            *(f"{key} = {_toml(value)}" for key, value in case.options.items()),
        ]
    clock = case.clock
    out += [
        "",
        "[clock]",
        f"start = {clock.start.isoformat()}",
        f"trusted = {_toml(clock.trusted)}",
    ]
    return "\n".join(out) + "\n"


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
