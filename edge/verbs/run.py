"""The service: reads instruments, knows who is in the room, files results. Not a medical device."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from config.load import SettingsError, example, load
from config.schema import Settings
from edge.assembly import assembled
from edge.logs import log_to_stderr
from edge.plaintext import warning
from edge.store import StoreError

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=Path, metavar="FILE", help="the settings of this hub")
    what.add_argument(
        "--example", action="store_true", help="print a settings file with every key, and end"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    if args.example:
        sys.stdout.write(example())
        return 0
    settings = load(args.config)
    log_to_stderr()
    try:
        asyncio.run(_serve(settings))
    except StoreError as error:
        raise SettingsError(str(error)) from error
    except SettingsError as error:
        raise SettingsError(f"{args.config}: {error}") from error
    return 0


async def _serve(settings: Settings) -> None:
    async with assembled(settings) as service:
        for name, instrument in settings.instruments.items():
            if told := warning(instrument.link):
                log.warning("%s: %s", name, told)
        serving = asyncio.ensure_future(service.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, serving.cancel)
        await asyncio.wait({serving})
        if not serving.cancelled():
            serving.result()
