"""What an instrument said, a JSON line each: the real driver on recorded or bare bytes.

`vitals-edge decode` prints these lines, ``expected.jsonl`` of a case is these lines, and they hold
nothing that depends on when or where they were made.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from drivers.contract import Emit, Write
from drivers.errors import LinkLost, SettingsError
from drivers.model import EcgFile, Instant, Item, Measurement, Notice, Skipped, Waveform
from drivers.registry import REGISTRY, Entry
from drivers.transports.bench import BenchHost
from drivers.transports.capture_file import LoadedCase, Received, Recording
from drivers.transports.recorded_time import RecordedTime
from drivers.transports.replay import BytesLink, ReplayLink
from drivers.transports.replay_gatt import ReplayGattLink

Print = Callable[[str], None]
Run = Callable[[Emit], Awaitable[None]]

# How instruments write the time of a live value, which drivers keep as evidence, word for word.
_CLOCKS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%m/%d/%y %H:%M:%S", "%d-%b-%y %H:%M:%S")


def entry_named(name: str) -> Entry:
    """Return a registered driver, or raise SettingsError with the names there are."""
    try:
        return REGISTRY[name]
    except KeyError:
        known = ", ".join(sorted(REGISTRY)) or "none is registered"
        raise SettingsError(f"no driver is called {name!r}; known are: {known}") from None


def json_line(item: Item) -> str:
    """Return one item as it is printed, without a line end."""
    return msgspec.json.encode(_fields(item)).decode()


def reading_fields(item: Measurement) -> list[dict[str, object]]:
    """Return a measurement's readings as they are printed."""
    return [
        {"metric": r.metric, "value": r.value, "unit": r.unit, "status": r.status}
        for r in item.readings
    ]


def decode_blocks(
    entry: Entry, options: dict[str, Any], blocks: Iterable[Received], show: Print
) -> int:
    """Show what a driver makes of bare bytes; return how many are left of an unfinished frame."""
    clock = RecordedTime()
    if entry.leaves_files:
        raise SettingsError(f"{entry.title}: its files are read by `vitals-edge ecg FILE`")
    if entry.is_gatt:
        recording = Recording(tuple(_named(block) for block in blocks))
        clock.run(_run(_played(entry, options, recording, clock), show))
        return 0
    tail = entry.decoder(options)

    def watched() -> Iterable[Received]:
        for block in blocks:
            tail.feed(block.data)
            yield block

    driver = entry.factory()(BenchHost(clock), entry.options(options))
    clock.run(_run(partial(driver.run, BytesLink(watched(), clock, entry.line)), show))
    return len(tail.pending)


def decode_case(loaded: LoadedCase, show: Print) -> None:
    """Show what a case's driver makes of its recording, with what it then wrote compared.

    ReplayMismatch says where driver and recording part ways.
    """
    case = loaded.case
    entry = entry_named(case.driver)
    clock = RecordedTime(case.start_ns, trusted=case.clock.trusted)
    granted = frozenset(case.grants)
    start = clock.now()

    async def sessions() -> None:
        for session in loaded.recording.sessions():
            await _run(_played(entry, case.options, session, clock, granted, start), show)

    clock.run(sessions())


def decode_lines(loaded: LoadedCase) -> list[str]:
    """Return the lines of a case, which its ``expected.jsonl`` must equal."""
    lines: list[str] = []
    decode_case(loaded, lines.append)
    return lines


def _played(
    entry: Entry,
    options: dict[str, Any],
    recording: Recording,
    clock: RecordedTime,
    granted: frozenset[Write] = frozenset(),
    start: Instant | None = None,
) -> Run:
    """Return the run of a driver on one recorded session."""
    host, chosen = BenchHost(clock, granted), entry.options(options)
    if entry.is_gatt:
        connection = ReplayGattLink(recording, clock, granted, start)
        return partial(entry.gatt_factory()(host, chosen).run, connection)
    link = ReplayLink(recording, clock, granted, start, host.wishes.tell)
    return partial(entry.factory()(host, chosen).run, link)


def _named(block: Received) -> Received:
    if block.channel is None:
        raise SettingsError(
            "the bytes of a Bluetooth instrument say nothing without their characteristic: give "
            "hex text with its name before each payload, as `2a35: 16 80 00 53 00 62 00 ...`"
        )
    return block


async def _run(run: Run, show: Print) -> None:
    """Show each item; skipped bytes that follow each other are one line, however they arrived."""
    skipped = bytearray()

    def show_skipped() -> None:
        if skipped:
            show(json_line(Skipped(bytes(skipped))))
            skipped.clear()

    async def emit(item: Item) -> None:
        if isinstance(item, Skipped):
            skipped.extend(item.data)
        else:
            show_skipped()
            show(json_line(item))

    with suppress(LinkLost):
        await run(emit)
    show_skipped()


def _fields(item: Item) -> dict[str, object]:
    match item:
        case Measurement():
            return _measurement(item)
        case Waveform():
            return _waveform(item.signals, item.fs, item.samples.shape[1], item.unit)
        case EcgFile():
            return {"type": "file", "n": len(item.data)}
        case Notice():
            return {"type": "notice", "kind": item.kind, "text": item.text}
        case Skipped():
            return {"type": "skipped", "n": len(item.data)}


def _measurement(item: Measurement) -> dict[str, object]:
    return {
        "type": "measurement",
        "kind": item.kind,
        "readings": reading_fields(item),
        "device_time": _said_time(item),
        "flags": sorted(item.flags),
    }


def _said_time(item: Measurement) -> str | None:
    """Return the instrument's own time of a measurement: of its memory, or its clock's as read."""
    if item.device_time is not None:
        return item.device_time.local.isoformat()
    for name, text in item.evidence:
        for form in _CLOCKS if name == "clock" else ():
            with suppress(ValueError):
                return datetime.strptime(text, form).isoformat()  # noqa: DTZ007 - no zone
    return None


def _waveform(signals: tuple[str, ...], fs: float, n: int, unit: str) -> dict[str, object]:
    return {"type": "waveform", "signals": signals, "fs": fs, "n": n, "unit": unit}
