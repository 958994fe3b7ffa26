"""A virtual instrument on a port of its own, which a hub opens as it would open a real one.

`vitals-edge virtual nonin --path /tmp/oximeter` is then at the link serial:/tmp/oximeter; an ECG
cart leaves a recording in the folder of --path twice a minute. Bluetooth instruments, several if
wanted, are on a message bus of their own, whose address is written to standard output.
Ctrl-C or SIGTERM unplugs it.
"""

import argparse
import asyncio
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from drivers.entry import LinkKind
from drivers.errors import SettingsError
from drivers.registry import Entry
from drivers.transports.damage import Damage
from drivers.virtual.ecg_cart import VirtualEcgCart, leave
from drivers.virtual.pty_port import PtyPort
from edge.clock import NS, SystemClock
from edge.decoding import entry_named

LOOK_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "names",
        metavar="NAME",
        nargs="*",
        help="the instrument, as vitals-edge instruments has it; several by Bluetooth LE",
    )
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="NAME",
        help="a Bluetooth instrument that does what some do; a name that is none lists them",
    )
    parser.add_argument(
        "--path", type=Path, metavar="LINK", help="make a symlink to the port here; a cart's folder"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which patient and course")
    parser.add_argument(
        "--flip", type=float, default=0.0, metavar="P", help="share of bytes with a bit turned over"
    )
    parser.add_argument("--drop", type=float, default=0.0, metavar="P", help="share of bytes lost")
    parser.add_argument(
        "--duplicate", type=float, default=0.0, metavar="P", help="share of bytes that come twice"
    )
    parser.add_argument(
        "--cut-start", type=int, default=0, metavar="N", help="bytes missing at the beginning"
    )
    parser.add_argument(
        "--minds-baud",
        action="store_true",
        help="a port that is opened at another speed hears what such a port would hear",
    )


def run(args: argparse.Namespace) -> int:
    """Run it until told to stop."""
    if not args.names and not args.scenario:
        raise SettingsError("name an instrument; `vitals-edge instruments` lists them")
    if args.scenario or len(args.names) > 1:
        return _run_ward(args)
    entry = entry_named(args.names[0])
    if entry.links == {LinkKind.BLE}:
        return _run_ward(args)
    if entry.leaves_files:
        if args.path is None or not args.path.is_dir():
            raise SettingsError(f"{args.names[0]} leaves files: name a folder with --path")
        return asyncio.run(_leave_files(entry, args))
    if args.path is not None and args.path.exists() and not args.path.is_symlink():
        raise SettingsError(f"{args.path} is there and is not a link; name another path")
    return asyncio.run(_run(entry, args))


def _run_ward(args: argparse.Namespace) -> int:
    if find_spec("bumble") is None:
        raise SettingsError(
            "the virtual radio is not installed: run `make demo`, which installs it, or "
            "`pip install 'vitals-edge[demo]'`"
        )
    # Here, not above: what a serial instrument needs is not this.
    from edge.verbs.virtual_ward import check, run_ward  # noqa: PLC0415

    check(args.names, args.scenario)
    return asyncio.run(run_ward(args.names, args.scenario, args.seed))


async def _leave_files(entry: Entry, args: argparse.Namespace) -> int:
    clock = SystemClock()
    began = clock.now()
    local = datetime.fromtimestamp(began.wall_ns // NS, UTC).replace(tzinfo=None)
    cart = entry.simulator()(args.seed, started=local)
    running = asyncio.ensure_future(_recording(cart, args.path, clock, began.mono_ns))
    _stop_on_signals(running)
    sys.stderr.write(f"{entry.title}: folder:{args.path.absolute()}\n")
    with suppress(asyncio.CancelledError):
        await running
    return 0


async def _recording(cart: VirtualEcgCart, folder: Path, clock: SystemClock, since: int) -> None:
    while True:
        await clock.sleep(LOOK_S)
        for data in cart.due((clock.now().mono_ns - since) / NS):
            leave(data, folder)


def _stop_on_signals(running: asyncio.Future[None]) -> None:
    for stop in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop, running.cancel)


async def _run(entry: Entry, args: argparse.Namespace) -> int:
    damage = Damage(
        flip=args.flip, drop=args.drop, duplicate=args.duplicate, cut_start=args.cut_start
    )
    virtual = entry.simulator()(args.seed)
    with PtyPort(
        virtual,
        entry.line,
        link=args.path,
        damage=damage,
        seed=args.seed,
        minds_baud=args.minds_baud,
    ) as port:
        sys.stderr.write(f"{entry.title}: serial:{port.path}\n")
        running = asyncio.ensure_future(port.run(SystemClock()))
        _stop_on_signals(running)
        with suppress(asyncio.CancelledError):
            await running
        if port.overrun:
            sys.stderr.write(f"{port.overrun} bytes lost because nobody read them\n")
    return 0
