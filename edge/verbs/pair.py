"""Bluetooth LE instruments: list what is paired, find what is near, pair, remove.

Without an address the instruments that are paired with this machine are listed, with --scan those
that are heard now. The passkey of an instrument is typed, or shown, on this terminal; no desktop is
needed. The service may run meanwhile. An instrument belongs to the hub whose settings name its
address, never to whoever hears its name; what to write there is said at the end.
"""

import argparse
import asyncio
import sys
import threading
from collections.abc import Iterable

import msgspec

from drivers.errors import SettingsError
from drivers.registry import REGISTRY
from drivers.transports.address import BLE, ble_address
from drivers.transports.ble.agent import Asked, Question
from drivers.transports.ble.bus import Bluez, Device
from drivers.transports.ble.pairing import Pairing

SCAN_S = 10.0
WITHIN_S = 60.0

# Services that tell what an instrument is; others are found in the table of instruments by hand.
_DRIVERS = {
    "1810": "ble-blood-pressure",
    "1809": "ble-thermometer",
    "1822": "ble-oximeter",
    "181d": "ble-scale",
    "181b": "ble-scale",
    "180d": "ble-heart-rate",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("address", nargs="?", help="pair this instrument, as C0:FF:EE:00:00:01")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--scan",
        nargs="?",
        const=SCAN_S,
        type=_seconds,
        metavar="SECONDS",
        help="list the instruments that are heard now",
    )
    what.add_argument(
        "--again", action="store_true", help="pair anew one that has lost its pairing"
    )
    what.add_argument("--remove", action="store_true", help="forget the instrument")
    parser.add_argument("--adapter", metavar="hciN", help="the first there is, if not given")
    parser.add_argument(
        "--within",
        type=_seconds,
        default=WITHIN_S,
        metavar="SECONDS",
        help="how long to wait until the instrument is heard (default %(default)g)",
    )


def run(args: argparse.Namespace) -> int:
    """List, find, pair or remove."""
    address = ble_address(f"{BLE}:{args.address}") if args.address else None
    if address is None and (args.again or args.remove):
        raise SettingsError("give the address of the instrument; `vitals-edge pair` lists them")
    if address is not None and args.scan is not None:
        raise SettingsError("give an address to pair, or --scan to look who is near, not both")
    asyncio.run(_do(args, address))
    return 0


async def _do(args: argparse.Namespace, address: str | None) -> None:
    bluez = Bluez()
    try:
        pairing = await Pairing.on(bluez, args.adapter)
        if address is None:
            _list(await (pairing.heard(args.scan) if args.scan else pairing.bonds()))
        elif args.remove:
            await pairing.remove(address)
            _say(f"{address} is forgotten; take its pairing out of the instrument as well")
        else:
            await _pair(pairing, address, args)
    finally:
        bluez.close()


async def _pair(pairing: Pairing, address: str, args: argparse.Namespace) -> None:
    _say(f"waiting to hear {address}: switch it on, or put it into pairing mode")
    device = await pairing.pair(address, _ask, again=args.again, within_s=args.within)
    _list([device])
    driver = next(iter(_drivers(device)), "...")
    _say(
        f"paired with {device.name or address}. In the settings of this hub:\n\n"
        f'[instruments.NAME]\ndriver = "{driver}"\nlink = "ble:{device.address}"\n'
    )


async def _ask(question: Question) -> int | bool | None:
    """Put a question to whoever sits at this terminal."""
    match question.asked:
        case Asked.AUTHORIZE:
            return True
        case Asked.SHOW:
            _say(f"type {question.passkey:06d} on the instrument")
            return True
        case Asked.COMPARE:
            _say(f"does the instrument show {question.passkey:06d}? (yes or no)")
            return (await _line()).strip().lower() in {"y", "yes"}
        case Asked.ENTER:
            _say("type the passkey that the instrument shows, or that is printed on it:")
            typed = (await _line()).strip()
            return int(typed) if typed.isascii() and typed.isdecimal() else None


async def _line() -> str:
    """Return a line from the terminal; who stops waiting for it does not wait for the reader."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def tell(text: str) -> None:
        if not line.done():
            line.set_result(text)

    def read() -> None:
        text = sys.stdin.readline()
        loop.call_soon_threadsafe(tell, text)

    threading.Thread(target=read, daemon=True).start()
    return await line


def _list(devices: Iterable[Device]) -> None:
    for device in devices:
        shown = {
            "address": device.address,
            "name": device.name,
            "paired": device.is_paired,
            "connected": device.is_connected,
            "rssi": device.rssi,
            "drivers": _drivers(device),
            "services": device.services,
        }
        sys.stdout.write(f"{msgspec.json.encode(shown).decode()}\n")


def _drivers(device: Device) -> list[str]:
    """Return the drivers that fit the services an instrument tells of."""
    found = {_DRIVERS.get(uuid[4:8], "") for uuid in device.services if uuid.startswith("0000")}
    return sorted(found & REGISTRY.keys())


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError("give seconds, more than 0 and at most 3600")
    return seconds


def _say(message: str) -> None:
    sys.stderr.write(f"vitals-edge pair: {message}\n")
