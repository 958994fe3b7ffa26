"""A whole virtual exam room on this machine: broker, record system, hub, instruments, one visit.

Everything runs on loopback with invented people, in a folder that is removed afterwards. Not a
medical device: nothing here is for use on a patient.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from drivers.virtual.physiology.scenarios import SCENARIOS
from edge.demo.door import Door
from edge.demo.processes import Failed, broker, until_there, verb
from edge.demo.scene import REGISTER, Instrument, hub_settings, instruments, plugged_in
from edge.demo.telling import Teller, live_line
from edge.demo.visit import Visit, WentWrong

LOOK_S = 5.0
SEED = 1  # of the ports; the patient has one of their own
LOG_LINES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--once", action="store_true", help="end after one visit; 0 only if all was filed"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another course of it")
    parser.add_argument(
        "--scenario",
        default="healthy",
        choices=sorted(SCENARIOS),
        help="what the virtual patient has",
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="run here and keep everything")


def run(args: argparse.Namespace) -> int:
    """Run the demonstration."""
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_demo(args.keep.resolve(), _room_of(args), once=args.once))
    with tempfile.TemporaryDirectory(prefix="vitals-edge-demo-") as folder:
        return asyncio.run(_demo(Path(folder), _room_of(args), once=args.once))


def _room_of(args: argparse.Namespace) -> tuple[Instrument, ...]:
    return instruments(args.seed, args.scenario)


async def _demo(folder: Path, room: Sequence[Instrument], *, once: bool) -> int:
    tell = Teller()
    try:
        await _room(folder, room, tell, once=once)
    except (Failed, WentWrong, PermissionError) as problem:
        tell.bad(str(problem))
        _tell_logs(folder, tell)
        return 1
    return 0


def _tell_logs(folder: Path, tell: Teller) -> None:
    for log in sorted(folder.glob("*.log")):
        tell.line(f"--- the end of {log.name}")
        tell.line("\n".join(log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]))


async def _room(folder: Path, room: Sequence[Instrument], tell: Teller, *, once: bool) -> None:
    tell.title("vitals-edge: a virtual exam room (not a medical device; invented people)")
    register, record, settings = (folder / n for n in ("register.toml", "record.db", "hub.toml"))
    register.write_text(REGISTER, "utf-8")
    async with broker(folder) as port:
        tell.good(f"broker: mosquitto on loopback, port {port}")
        settings.write_text(hub_settings(folder, port, room), "utf-8")
        serving = (
            *("--broker", f"mqtt://127.0.0.1:{port}"),
            *("--store", str(record), "--register", str(register), "--accept-demo"),
        )
        with plugged_in(folder, SEED, room):
            async with (
                verb("record-system", serving, folder) as records,
                verb("run", ("--config", str(settings)), folder) as hub,
            ):
                await until_there(record, records, "record-system", folder)
                tell.good("record system: files exactly once, confirms each result")
                await until_there(folder / "hub" / "control.sock", hub, "run", folder)
                tell.good("hub: virtual instruments on serial ports, journal on disk")
                await _visit(folder, record, tell, once=once, complete=_is_healthy(room))


def _is_healthy(room: Sequence[Instrument]) -> bool:
    return all(each.virtual.get("scenario") == "healthy" for each in room)


async def _visit(folder: Path, record: Path, tell: Teller, *, once: bool, complete: bool) -> None:
    door = await Door.open(folder / "hub" / "control.sock")
    try:
        await Visit(door, tell, complete=complete).run(record)
        if once:
            return
        tell.title("The room stays open; Ctrl-C ends it")
        while True:
            tell.line(f"  {live_line(await door.look())}")
            await asyncio.sleep(LOOK_S)
    finally:
        await door.close()
