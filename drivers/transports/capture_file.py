"""What was recorded on a link, as text that can be read, compared and commented.

One line of ``wire.cap`` is a time in seconds, a direction and what went that way::

    # finger pulled out at 1.2 s
    0.000000 < c7 2e 03 48 61
    1.200000 > 02 70 02 02 02 03
    1.250000 < 2a37: 00 48
    2.000000 ! lost

``<`` comes from the instrument, ``>`` goes to it, ``!`` is an event of the link (``lost``,
``open``) or what a person wanted there (``measure``, ``stop``); a name before the bytes is a GATT
characteristic. Times never go back and have at most six decimals. ``case.toml`` beside it says what
was recorded and how to play it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from drivers.contract import Write
from drivers.errors import FormatError, SettingsError

US = 1_000_000
WIRE = "wire.cap"
CASE = "case.toml"
EXPECTED = "expected.jsonl"

_TIME = re.compile(r"(\d{1,9})(?:\.(\d{1,6}))?", re.ASCII)
_CHANNEL = re.compile(r"([0-9A-Za-z-]+):(.*)", re.DOTALL)


class LinkEvent(StrEnum):
    """What can happen to a link, or to an instrument that takes orders, while it is recorded."""

    OPEN = "open"
    LOST = "lost"
    MEASURE = "measure"  # a person wanted a measurement
    STOP = "stop"  # and an end to it


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes from the instrument, `at_us` microseconds into the recording."""

    at_us: int
    data: bytes
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes the host wrote to the instrument."""

    at_us: int
    data: bytes
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the link."""

    at_us: int
    event: LinkEvent


Line: TypeAlias = Received | Written | Happened


@dataclass(frozen=True, slots=True)
class Recording:
    """What went over one link, in order."""

    lines: tuple[Line, ...]

    @property
    def received(self) -> bytes:
        """All bytes from the instrument, in order."""
        return b"".join(line.data for line in self.lines if isinstance(line, Received))

    def sessions(self) -> tuple["Recording", ...]:
        """Return the stretches that ``open`` begins; each is played on a link of its own."""
        sessions: list[list[Line]] = [[]]
        for line in self.lines:
            if isinstance(line, Happened) and line.event is LinkEvent.OPEN and sessions[-1]:
                sessions.append([])
            sessions[-1].append(line)
        return tuple(Recording(tuple(lines)) for lines in sessions)


def parse(text: str) -> Recording:
    """Return the recording in a ``wire.cap`` text, or raise FormatError naming the line."""
    lines: list[Line] = []
    offset = 0
    for number, full in enumerate(text.split("\n"), start=1):
        stripped = full.partition("#")[0].strip()
        if stripped:
            line = _line(stripped, number, offset)
            if lines and line.at_us < lines[-1].at_us:
                raise FormatError(
                    f"line {number}: its time is before that of the line above", offset
                )
            lines.append(line)
        offset += len(full.encode()) + 1
    return Recording(tuple(lines))


def write(recording: Recording, comment: str = "") -> str:
    """Return the text of a recording; ``parse`` reads the same lines again."""
    out = [comment_text(comment), *map(line_text, recording.lines)]
    return "".join(out)


def comment_text(comment: str) -> str:
    """Return a comment as lines of a ``wire.cap``."""
    return "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())


def line_text(line: Line) -> str:
    """Return one line of a ``wire.cap``, with its end."""
    time = f"{line.at_us // US}.{line.at_us % US:06d}"
    match line:
        case Happened(_, event):
            return f"{time} ! {event}\n"
        case Received(_, data, channel):
            return f"{time} < {_named(channel)}{data.hex(' ')}\n"
        case Written(_, data, channel):
            return f"{time} > {_named(channel)}{data.hex(' ')}\n"


def parse_hex(text: str) -> Recording:
    """Return the instrument's bytes in hex text, a chunk a line, all at time 0.

    ``#`` starts a comment, lines that start with ``>`` are the host's and are left out, a leading
    ``<`` is dropped and ``name:`` before the bytes names a characteristic.
    """
    lines: list[Line] = []
    offset = 0
    for number, full in enumerate(text.split("\n"), start=1):
        stripped = full.partition("#")[0].strip()
        if stripped and not stripped.startswith(">"):
            channel, data = _payload(stripped.removeprefix("<"), number, offset)
            lines.append(Received(0, data, channel))
        offset += len(full.encode()) + 1
    return Recording(tuple(lines))


def _line(stripped: str, number: int, offset: int) -> Line:
    time, direction, payload = (*stripped.split(None, 2), "", "")[:3]
    if (match := _TIME.fullmatch(time)) is None:
        raise FormatError(f"line {number}: {time!r} is not a time in seconds, as 1.250000", offset)
    at_us = int(match[1]) * US + int((match[2] or "").ljust(6, "0"))
    if direction == "!":
        if payload not in list(LinkEvent):
            raise FormatError(f"line {number}: {payload!r} is no event; lost, open", offset)
        return Happened(at_us, LinkEvent(payload))
    if direction not in {"<", ">"}:
        raise FormatError(f"line {number}: after the time comes < or > or !", offset)
    channel, data = _payload(payload, number, offset)
    if direction == "<":
        return Received(at_us, data, channel)
    return Written(at_us, data, channel)


def _payload(text: str, number: int, offset: int) -> tuple[str | None, bytes]:
    channel: str | None = None
    if match := _CHANNEL.match(text.strip()):
        channel, text = match[1], match[2]
    try:
        return channel, bytes.fromhex(text)
    except ValueError:
        shown = text.strip()[:20]
        raise FormatError(f"line {number}: {shown!r} is not pairs of hex digits", offset) from None


def _named(channel: str | None) -> str:
    return "" if channel is None else f"{channel}: "


class Origin(StrEnum):
    """Where the bytes of a case come from."""

    HARDWARE = "hardware"
    SIMULATED = "simulated"
    SPEC_EXAMPLE = "spec-example"


class ClockStart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hub's wall clock when the recording starts, and whether it was synchronised."""

    start: datetime = datetime(2026, 1, 5, 8, tzinfo=UTC)
    trusted: bool = True


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a recording is of and how it is played; `grants` are the writes allowed in it."""

    driver: str
    origin: Origin
    device: str
    licence: str
    deidentified: str
    firmware: str = ""
    note: str = ""
    options: dict[str, Any] = {}
    grants: tuple[Write, ...] = ()
    clock: ClockStart = ClockStart()

    @property
    def start_ns(self) -> int:
        """The wall clock at time 0, in nanoseconds since 1970."""
        since = self.clock.start - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


@dataclass(frozen=True, slots=True)
class LoadedCase:
    """A case folder as read."""

    folder: Path
    case: Case
    recording: Recording


def parse_case(text: bytes) -> Case:
    """Return the checked content of a ``case.toml``, or raise SettingsError naming the key."""
    try:
        case = msgspec.toml.decode(text, type=Case)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(error)) from error
    if case.clock.start.tzinfo is None:
        raise SettingsError("clock.start has no zone; end it with Z, as 2026-01-05T08:00:00Z")
    return case


def read_recording(path: Path) -> Recording:
    """Read a ``wire.cap`` file; FormatError names the file and the line."""
    return _located(path, parse, path.read_bytes())


def read_hex(data: bytes, name: str) -> Recording:
    """Read hex text from a file or stream called `name`; FormatError names it and the line."""
    return _located(Path(name), parse_hex, data)


def load_case(folder: Path) -> LoadedCase:
    """Read a case folder: `SettingsError` or `FormatError` name the file, OSError passes."""
    toml = folder / CASE
    try:
        case = parse_case(toml.read_bytes())
    except SettingsError as error:
        raise SettingsError(f"{toml}: {error}") from error
    return LoadedCase(folder, case, read_recording(folder / WIRE))


def _located(path: Path, reader: Callable[[str], Recording], data: bytes) -> Recording:
    try:
        return reader(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: not text but bytes", error.start) from error
    except FormatError as error:
        raise FormatError(f"{path}: {error.reason}", error.offset) from error
