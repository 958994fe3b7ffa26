"""Run one virtual instrument on a pty: ``python -m drivers.virtual nonin --path /tmp/oximeter``.

It is then at ``serial:/tmp/oximeter`` as a real one would be. Ctrl-C or SIGTERM unplugs it.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from drivers.errors import DriverError, SettingsError
from drivers.registry import REGISTRY
from drivers.transports.damage import Damage
from drivers.virtual.pty_port import PtyPort


def main(argv: Sequence[str] | None = None) -> int:
    """Run until told to stop; 2 where it cannot be done."""
    args = _arguments().parse_args(argv)
    try:
        return asyncio.run(_run(args))
    except (DriverError, OSError) as error:
        sys.stderr.write(f"drivers.virtual: {error}\n")
        return 2


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m drivers.virtual", description=__doc__)
    parser.add_argument("name", metavar="NAME", choices=sorted(REGISTRY), help="the instrument")
    parser.add_argument("--path", type=Path, metavar="LINK", help="make a symlink to the port here")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which patient and course")
    parser.add_argument(
        "--flip", type=float, default=0.0, metavar="P", help="share of bytes with a bit turned over"
    )
    parser.add_argument("--drop", type=float, default=0.0, metavar="P", help="share of bytes lost")
    return parser


async def _run(args: argparse.Namespace) -> int:
    if args.path is not None and args.path.exists() and not args.path.is_symlink():
        raise SettingsError(f"{args.path} is there and is not a link; name another path")
    entry = REGISTRY[args.name]
    damage = Damage(flip=args.flip, drop=args.drop)
    virtual = entry.simulator()(args.seed)
    with PtyPort(virtual, entry.line, link=args.path, damage=damage, seed=args.seed) as port:
        sys.stderr.write(f"{entry.title}: serial:{port.path}\n")
        running = asyncio.ensure_future(port.run())
        for stop in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(stop, running.cancel)
        with suppress(asyncio.CancelledError):
            await running
        if port.overrun:
            sys.stderr.write(f"{port.overrun} bytes lost because nobody read them\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
