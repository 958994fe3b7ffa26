"""Which store a verb is about, and what it says when that cannot be used."""

import argparse
import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path

from config.load import load
from config.schema import Hub
from drivers.errors import SettingsError
from edge.store import FILE_NAME, StoreError


def add_store(parser: argparse.ArgumentParser) -> None:
    """Declare where the store is."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", type=Path, metavar="FILE", help="settings of the hub")
    where.add_argument("--store", type=Path, metavar="FILE", help="the store itself")


def store_path(args: argparse.Namespace) -> Path:
    """Return the store that is meant: given, of the settings, or where a hub has it."""
    if args.store is not None:
        return Path(args.store)
    hub = load(args.config).hub if args.config else None
    return (hub.state_dir if hub else Hub(site="x", name="x").state_dir) / FILE_NAME


def said(work: Coroutine[None, None, int]) -> int:
    """Do something with a store and return the exit code; its errors are for a person."""
    try:
        return asyncio.run(work)
    except StoreError as error:
        raise SettingsError(str(error)) from error


def say(text: str) -> None:
    """Tell the person, beside the output of a machine."""
    sys.stderr.write(f"{text}\n")
