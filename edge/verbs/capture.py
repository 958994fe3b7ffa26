"""Record a live instrument into a case that can be decoded again, and that tests run on.

What is heard is written as it comes: a recording that was killed can be decoded up to there.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from drivers.contract import Wish, Write
from drivers.errors import DeviceMismatch, LinkLost, ReplayMismatch, SettingsError
from drivers.model import Item
from drivers.registry import Entry
from drivers.transports.address import open_link, scheme_of
from drivers.transports.bench import BenchHost
from drivers.transports.capture_file import Case, ClockStart, Line, Origin
from edge.capturing import RecordedLink, Scrubber, WireFile, decode, describe, make_folder
from edge.clock import SystemClock, utc
from edge.decoding import entry_named
from edge.plaintext import warning
from edge.verbs.options import add_settings, settings_of

SCRUBBED = "serial numbers and patient fields blanked, bytes outside frames left out"
AS_RECORDED = "not: as recorded"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--driver", metavar="NAME", required=True, help="the instrument")
    parser.add_argument("--link", required=True, help="where it is, as serial:/dev/ttyUSB0")
    parser.add_argument("--out", metavar="CASE", type=Path, required=True, help="a new folder")
    parser.add_argument("--seconds", type=float, metavar="N", help="until then, not until Ctrl-C")
    parser.add_argument(
        "--scrub",
        action="store_true",
        help="blank serial numbers and patient fields; bytes that are no frame are left out",
    )
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        choices=[str(purpose) for purpose in Write],
        help="what the driver may write to the instrument, nothing by default; may be repeated",
    )
    parser.add_argument(
        "--measure-after",
        type=float,
        metavar="S",
        help="after S seconds have an instrument that takes orders measure",
    )
    parser.add_argument(
        "--device", default="not stated", help="maker, model and what is known of it"
    )
    parser.add_argument("--firmware", default="", help="its firmware")
    parser.add_argument("--licence", default="not stated", help="of the recording")
    parser.add_argument("--note", default="", help="the situation")
    add_settings(parser)


def run(args: argparse.Namespace) -> int:
    """Record, then write the case."""
    entry = entry_named(args.driver)
    options = settings_of(args)
    entry.options(options)
    if scheme_of(args.link) not in entry.links:
        known = ", ".join(sorted(entry.links))
        raise SettingsError(f"--link {args.link}: {args.driver} is reached by {known}")
    if entry.leaves_files:
        raise SettingsError(f"{args.driver} leaves files: copy one, it is its own recording")
    if told := warning(args.link):
        _say(told)
    make_folder(args.out)
    received, fault = asyncio.run(_record(entry, options, args))
    return _decoded(args.out, received) or int(fault)


async def _record(
    entry: Entry, options: dict[str, str], args: argparse.Namespace
) -> tuple[int, bool]:
    """Record until told to stop; return how many bytes came and whether the driver gave up."""
    granted = frozenset(Write(purpose) for purpose in args.allow)
    clock = SystemClock()
    scrubber = Scrubber(entry, options) if args.scrub else None
    async with open_link(args.link, entry.line, clock.now, granted) as port:
        describe(args.out, _case(args, options, clock))
        wire = WireFile(args.out)
        try:
            link = RecordedLink(port, clock, _noting(wire, scrubber))
            host = BenchHost(clock, granted)
            driver = entry.factory()(host, entry.options(options))
            wanting = asyncio.ensure_future(_want(host, link, args.measure_after))
            fault = await _until_stopped(asyncio.ensure_future(driver.run(link, _ignore)), args)
            wanting.cancel()
            if scrubber is not None:
                wire.comment(f"{scrubber.left_out} bytes that are no frame were left out")
                _say(f"{scrubber.left_out} bytes that are no frame were left out")
        finally:
            wire.close()
    return wire.received, fault


def _noting(wire: WireFile, scrubber: Scrubber | None) -> Callable[[Line], None]:
    """Return how a line gets to the file; what is to be scrubbed is never there as it was."""
    if scrubber is None:
        return wire.note

    def note(line: Line) -> None:
        for each in scrubber.through(line):
            wire.note(each)

    return note


async def _until_stopped(running: "asyncio.Future[None]", args: argparse.Namespace) -> bool:
    loop = asyncio.get_running_loop()
    for stop in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(stop, running.cancel)
    _say(f"recording {args.link} into {args.out}" + ("" if args.seconds else "; Ctrl-C ends it"))
    try:
        with suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(running, args.seconds)
    except LinkLost as error:
        _say(str(error))
    except DeviceMismatch as error:
        _say(f"the driver gave up: {error}")
        return True
    return False


def _case(args: argparse.Namespace, options: dict[str, str], clock: SystemClock) -> Case:
    begin = clock.now()
    return Case(
        driver=args.driver,
        origin=Origin.HARDWARE,
        device=args.device,
        licence=args.licence,
        deidentified=SCRUBBED if args.scrub else AS_RECORDED,
        firmware=args.firmware,
        note=args.note,
        options=options,
        grants=tuple(Write(purpose) for purpose in args.allow),
        clock=ClockStart(utc(begin.wall_ns), begin.trusted),
    )


async def _want(host: BenchHost, link: RecordedLink, after_s: float | None) -> None:
    """Have the instrument measure once, where that was asked for."""
    if after_s is None:
        return
    await host.sleep(after_s)
    if host.wishes.tell(Wish.MEASURE):
        link.wanted(Wish.MEASURE)
    else:
        _say("no measurement was started: --allow start-measurement and fetch, if it takes orders")


async def _ignore(_item: Item) -> None:
    """Let go of what the driver makes of it; the case is decoded afterwards."""


def _decoded(folder: Path, received: int) -> int:
    try:
        lines = decode(folder)
    except ReplayMismatch as error:
        _say(f"{folder}: saved, but the driver takes another course when it is played: {error}")
        return 1
    _say(f"{folder}: {received} bytes that decode to {lines} lines")
    return 0


def _say(message: str) -> None:
    sys.stderr.write(f"vitals-edge capture: {message}\n")
