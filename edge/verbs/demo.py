"""A whole virtual exam room on this machine: broker, record system, hub, instruments, two visits.

Everything runs on loopback with invented people, in a folder that is removed afterwards. Not a
medical device: nothing here is for use on a patient.
"""

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from drivers.errors import SettingsError
from drivers.virtual.physiology.scenarios import SCENARIOS
from edge.clock import SystemClock, utc
from edge.demo.bedside import Bedside
from edge.demo.door import Door
from edge.demo.instruments import Instrument, choosable, instruments
from edge.demo.processes import Failed, broker, until_said, until_there, verb
from edge.demo.reading_back import Sent, compare, held, rows
from edge.demo.scene import FIRST, REGISTER, SECOND, hub_settings
from edge.demo.telling import Teller, live_line
from edge.demo.visit import Visit, WentWrong, before

LOOK_S = 5.0
LOG_LINES = 12


class Course(Struct, frozen=True):
    """What the person who started it wants to see."""

    seed: int
    scenario: str
    names: tuple[str, ...]
    once: bool

    @property
    def is_complete(self) -> bool:
        """Whether every value must come: of a healthy patient, from the room as it is."""
        return self.scenario == "healthy" and not self.names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--once", action="store_true", help="end after two visits; 0 only if all reads back equal"
    )
    parser.add_argument(
        "--with",
        dest="names",
        default="",
        metavar="NAMES",
        help="instruments in place of the room's own, by driver name, with commas between",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="other people")
    parser.add_argument(
        "--scenario",
        default="healthy",
        choices=sorted(SCENARIOS),
        help="what the virtual patients have",
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="run here and keep everything")


def run(args: argparse.Namespace) -> int:
    """Run the demonstration."""
    if args.seed < 0:
        raise SettingsError(f"--seed {args.seed}: give 0 or more")
    course = Course(args.seed, args.scenario, _names(args.names), args.once)
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_demo(args.keep.resolve(), course))
    with tempfile.TemporaryDirectory(prefix="vitals-edge-demo-") as folder:
        return asyncio.run(_demo(Path(folder), course))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    known = choosable()
    for name in names:
        if name not in known:
            raise SettingsError(
                f"--with: no virtual instrument {name!r} for the room; there are {', '.join(known)}"
            )
    return names


async def _demo(folder: Path, course: Course) -> int:
    tell = Teller()
    try:
        async with _room(folder, course, tell) as bedside:
            await _visits(folder, bedside, course, tell)
    except (Failed, WentWrong, PermissionError) as problem:
        tell.bad(str(problem))
        _tell_logs(folder, tell)
        return 1
    return 0


def _tell_logs(folder: Path, tell: Teller) -> None:
    for log in sorted(folder.glob("*.log")):
        tell.line(f"--- the end of {log.name}")
        tell.line("\n".join(log.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]))


@asynccontextmanager
async def _room(folder: Path, course: Course, tell: Teller) -> AsyncIterator[Bedside]:
    """Run all that belongs to the room until the end of the block."""
    tell.line("vitals-edge: a virtual exam room (not a medical device; every person is invented)")
    register, record, settings = (folder / n for n in ("register.toml", "record.db", "hub.toml"))
    register.write_text(REGISTER, "utf-8")
    begin = SystemClock(assume_trusted=True).now()
    started = utc(begin.wall_ns).replace(tzinfo=None).isoformat()
    room = instruments(course.seed, course.scenario, course.names, started=started)
    bedside = Bedside(folder, course.seed, room, begin)
    async with broker(folder) as port, bedside.air as air:
        tell.good(f"broker: mosquitto on loopback, port {port}")
        settings.write_text(hub_settings(folder / "hub", port, room, bedside.link), "utf-8")
        serving = (
            *("--broker", f"mqtt://127.0.0.1:{port}"),
            *("--store", str(record), "--register", str(register), "--accept-demo"),
        )
        with bedside.plugged_in():
            async with (
                verb("record-system", serving, folder) as records,
                verb("run", ("--config", str(settings)), folder, air.environment) as hub,
            ):
                await until_said("ready", records, "record-system", folder)
                tell.good("record system: files exactly once, confirms each result")
                await until_there(folder / "hub" / "control.sock", hub, "run", folder)
                tell.good("hub: journal on disk, values confirmed by a person")
                for how, names in _listed(room, air.words):
                    tell.good(f"{how}: {names}")
                yield bedside


def _listed(room: tuple[Instrument, ...], bluetooth: str) -> list[tuple[str, str]]:
    ways: dict[str, list[str]] = {"on serial lines": [], bluetooth: [], "in a folder": []}
    for each in room:
        how = bluetooth if each.is_gatt else "in a folder" if each.is_cart else "on serial lines"
        named = each.name if each.name == each.driver else f"{each.name} ({each.driver})"
        ways[how].append(named)
    return [(how, ", ".join(names)) for how, names in ways.items() if names]


async def _visits(folder: Path, bedside: Bedside, course: Course, tell: Teller) -> None:
    door = await Door.open(folder / "hub" / "control.sock")
    try:
        told = await before(door, tell)
        sent: list[Sent] = []
        for person in (FIRST, SECOND):
            if person is not FIRST:
                bedside.put_on(person.body)
            visit = Visit(door, bedside, tell, person, told=told, complete=course.is_complete)
            wanted = [
                one
                for each in bedside.room
                for one in (each.gives if person is FIRST else each.again)
            ]
            breaths = bedside.breaths(course.seed + person.body, course.scenario)
            sent += await visit.run(wanted, breaths)
        await door.act("end-visit")
        await _read_back(folder / "record.db", sent, tell)
        if course.once:
            return
        tell.title("The room stays open and belongs to nobody; Ctrl-C ends it")
        while True:
            tell.line(f"  {live_line(await door.look())}")
            await asyncio.sleep(LOOK_S)
    finally:
        await door.close()


async def _read_back(record: Path, sent: list[Sent], tell: Teller) -> None:
    tell.title("What the record system holds, read back from it")
    there = await held(record)
    tell.table(("patient", "taken", "what", "origin", "as it was sent"), rows(sent, there))
    differences = compare(sent, there)
    for difference in differences:
        tell.bad(difference)
    if differences:
        raise WentWrong("what is held is not what was sent")
    values = f"{len(there.values)} values of {len(sent)} results"
    tell.good(f"{values}, each equal to what was sent")
