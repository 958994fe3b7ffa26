"""Kill -9 at every named fault point and at random moments, in real processes, by seed.

    python tests/soak/kills.py --runs 200 --seed 1
    python tests/soak/kills.py --runs 1 --seed 77              # one run again
    python tests/soak/kills.py --runs 20 --point store.receipt.inside-commit

A run is one room: its hub dies several times (at fault points, at a random moment) while patients
follow one another, each with values of their own; broker and record system, which the rooms of a
ward share, die too. When all has settled, instruments, journal and record are compared. Prints a
line a run and the total; exit code 1 if anything was lost, filed twice or misfiled, if the room
took back what it had shown, or if a fault point was never reached. Then the folder stays.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bedside import MONITOR, OXIMETER, SPOTS, Bedside, ended
from clinic import RECORD_POINTS, SITE, Clinic
from judge import Findings, Witness, judge, read
from mortals import Life, Mortal, verb
from person import Away, Hand, Person, Stuck

from edge.faults import POINTS
from edge.store import FILE_NAME

HUB_POINTS = tuple(point for point in POINTS if point not in RECORD_POINTS)
FAULTS_A_RUN = 3
MOST = {"append": 14, "keep": 10, "acceptance": 3, "receipt": 3, "purge": 2}  # times it is passed
AT_ONCE = 6
PATIENTS = 2
STEADY_SHARE = 0.15
SETTLED_S = 150.0
LOOK_S = 0.5


@dataclass(slots=True)
class Report:
    """What came of one run."""

    run: int
    seed: int
    patients: int = 0
    findings: Findings = field(default_factory=Findings)
    deaths: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Tell whether nothing at all was wrong."""
        found = self.findings
        return not (found.lost or found.twice or found.misfiled or self.wrong)

    def line(self) -> str:
        """Return the run in one line."""
        found = self.findings
        return (
            f"run {self.run} seed {self.seed}: hub killed {len(self.deaths)} times "
            f"({', '.join(self.deaths)}), {self.patients} patients, {found.filed} results filed, "
            f"lost {len(found.lost)}, twice {len(found.twice)}, misfiled {len(found.misfiled)}"
            + (f", WRONG {len(self.wrong)}" if self.wrong else "")
        )

    def sentences(self) -> list[str]:
        """Return all that is wrong."""
        found = self.findings
        return [
            *(f"lost: {each}" for each in found.lost),
            *(f"twice: {each}" for each in found.twice),
            *(f"misfiled: {each}" for each in found.misfiled),
            *(f"wrong: {each}" for each in self.wrong),
        ]


class Room:
    """One run: a hub with its instruments, the person in it, and their deaths."""

    def __init__(self, clinic: Clinic, number: int, seed: int, points: Sequence[str]) -> None:
        rng = Random(f"room {seed}")
        self.name = room_name(seed)
        self.folder = clinic.folder / self.name
        self.folder.mkdir()
        self.report = Report(number, seed)
        self._clinic = clinic
        self._bedside = Bedside(self.folder, seed)
        auto = rng.random() < 0.6
        settings = self.folder / "hub.toml"
        settings.write_text(_settings(self.folder, self.name, clinic.port, auto=auto), "utf-8")
        self._store = self.folder / "hub" / FILE_NAME
        self._witness = Witness(self._store)
        self._hub = Mortal(
            "run",
            verb("run", "--config", settings),
            self.folder,
            tuple(_hub_lives(rng, seed, points)),
            after_death=self._witness.look,
        )
        self._person = Person(
            control=self.folder / "hub" / "control.sock",
            bedside=self._bedside,
            rng=rng,
            room=self.name,
            auto=auto,
            steady_share=STEADY_SHARE,
            assign=lambda patient: clinic.assign(self.name, patient),
        )

    async def run(self) -> Report:
        """Make the visits, let everything settle, and judge."""
        report = self.report
        instruments = asyncio.create_task(self._bedside.run())
        hub = asyncio.create_task(self._hub.run())
        try:
            await self._person.visits(PATIENTS, self._hub.at_peace)
            self._hub.give_up_on_plans()
            await self._hub.at_peace.wait()
            await self._settle()
        except Stuck as error:
            report.wrong.append(str(error))
        finally:
            await ended(hub)
            await ended(instruments)
        ledger = await read(self._store)
        await self._witness.check()
        report.findings = judge(
            ledger, self._clinic.held_of(self.name), self._person, self._bedside, self._witness
        )
        report.patients = len(self._person.patients)
        report.deaths, report.reached = self._hub.deaths, self._hub.reached
        report.wrong += [*self._person.wrong, *self._witness.wrong, *self._hub.wrong]
        report.wrong += await self._verified()
        return report

    async def _settle(self) -> None:
        """Wait until nothing is on its way any more."""
        try:
            async with asyncio.timeout(SETTLED_S):
                while True:
                    await asyncio.sleep(LOOK_S)
                    if (await read(self._store)).is_settled and await self._answers():
                        return
        except TimeoutError:
            raise Stuck(f"not settled: {(await read(self._store)).why_unsettled()}") from None

    async def _answers(self) -> bool:
        """Tell whether the hub is there: a store at rest may be that of a hub at rest."""
        try:
            async with Hand(self.folder / "hub" / "control.sock") as hand:
                await hand.look()
        except Away:
            return False
        return True

    async def _verified(self) -> list[str]:
        """Have the command line check the journal."""
        command = verb("journal", "verify", "--store", self._store)
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, error = await process.communicate()
        return [f"journal verify: {(out + error).decode()}"] if process.returncode else []


async def ward(folder: Path, numbers: Sequence[int], seed: int, point: str | None) -> "Ward":
    """Run some rooms side by side, with one broker and one record system."""
    seeds = [seed + number for number in numbers]
    points = [point] if point else list(POINTS)
    rooms = [room_name(each) for each in seeds]
    clinic = Clinic(folder, seeds[0], rooms, points)
    async with clinic.open():
        runs = [
            Room(clinic, number, each, points).run()
            for number, each in zip(numbers, seeds, strict=True)
        ]
        reports = await asyncio.gather(*runs)
    shared = [clinic.broker, clinic.record_system]
    return Ward(
        reports=list(reports),
        deaths=[f"{each.name} {death}" for each in shared for death in each.deaths],
        reached=[*clinic.record_system.reached, *(p for r in reports for p in r.reached)],
        wrong=[sentence for each in shared for sentence in each.wrong],
    )


@dataclass(frozen=True, slots=True)
class Ward:
    """What came of some runs side by side."""

    reports: list[Report]
    deaths: list[str]
    reached: list[str]
    wrong: list[str]

    @property
    def is_good(self) -> bool:
        """Tell whether nothing at all was wrong."""
        return not self.wrong and all(report.is_good for report in self.reports)


def room_name(seed: int) -> str:
    """Return the name of a run's hub."""
    return f"room-{seed}"


def _hub_lives(rng: Random, seed: int, points: Sequence[str]) -> Sequence[Life]:
    """Plan the deaths of a run: neighbouring seeds share all fault points out among them."""
    mine = [point for point in points if point in HUB_POINTS]
    lives = [Life(kill_after_s=rng.uniform(0.2, 6.0), pause_s=rng.uniform(0.0, 0.3))]
    for number in range(FAULTS_A_RUN if mine else 0):
        point = mine[(seed * FAULTS_A_RUN + number) % len(mine)]
        count = rng.randint(1, MOST[point.split(".")[1]])
        fault = f"{point}:{count}:{rng.randrange(1000)}"
        lives.append(Life(fault, pause_s=rng.choice((0.0, 0.0, rng.uniform(0.0, 2.0)))))
    rng.shuffle(lives)
    return lives


def _settings(folder: Path, name: str, port: int, *, auto: bool) -> str:
    lines = [
        "[hub]",
        f'site = "{SITE}"',
        f'name = "{name}"',
        f"state_dir = {json.dumps(str(folder / 'hub'))}",
        'space = "demo"',
        "[broker]",
        f"port = {port}",
        "[room]",
        f'confirm = "{"auto" if auto else "confirm"}"',
        "[clock]",
        'trust = "assume"',
        "[store]",
        "retention_days = 0.0",  # so that every purge finds something
        "[analysis]",
        "enabled = false",
    ]
    for instrument, driver, allow in (
        (OXIMETER, "nonin", '["identify"]'),
        (SPOTS, "nonin", '["identify"]'),
        (MONITOR, "ivy-450c", "[]"),
    ):
        lines += [
            f"[instruments.{instrument}]",
            f'driver = "{driver}"',
            f"link = {json.dumps(f'serial:{folder}/port-{instrument}')}",
            f"allow = {allow}",
        ]
    return "\n".join(lines) + "\n"


class Teller:
    """Says what came of it: a line a run, or JSON lines."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def ward(self, done: Ward, folder: Path) -> None:
        """Tell of some runs."""
        for report in done.reports:
            if self._as_json:
                found = report.findings
                told = {
                    "type": "run",
                    "run": report.run,
                    "seed": report.seed,
                    "deaths": report.deaths,
                    "patients": report.patients,
                    "filed": found.filed,
                    "lost": found.lost,
                    "twice": found.twice,
                    "misfiled": found.misfiled,
                    "wrong": report.wrong,
                }
                self._say(json.dumps(told))
                continue
            self._say(report.line())
            for sentence in report.sentences():
                self._say(f"  {sentence}")
        if not self._as_json and done.deaths:
            self._say(f"  beside them: {', '.join(done.deaths)}")
        if not done.is_good:
            seeds = [report.seed for report in done.reports]
            sys.stderr.write(
                "".join(f"wrong: {each}\n" for each in done.wrong)
                + f"kept: {folder}; again: kills.py --seed {seeds[0]} --runs {len(seeds)} "
                f"--at-once {len(seeds)}\n"
            )

    def total(self, wards: Sequence[Ward], unreached: Sequence[str]) -> None:
        """Tell of all of them."""
        reports = [report for done in wards for report in done.reports]
        counts = {
            "runs": len(reports),
            "lost": sum(len(report.findings.lost) for report in reports),
            "twice": sum(len(report.findings.twice) for report in reports),
            "misfiled": sum(len(report.findings.misfiled) for report in reports),
        }
        reached = [point for done in wards for point in done.reached]
        deaths = sum(len(report.deaths) for report in reports)
        beside = sum(len(done.deaths) for done in wards)
        if self._as_json:
            times = {point: reached.count(point) for point in POINTS}
            more = {"filed": sum(r.findings.filed for r in reports), "hub_deaths": deaths}
            told = {"type": "total", **counts, **more, "beside": beside, "reached": times}
            self._say(json.dumps(told))
            return
        for point in POINTS:
            self._say(f"reached {reached.count(point):4}  {point}")
        for point in unreached:
            self._say(f"never reached: {point}")
        self._say(
            f"{deaths} deaths of hubs, {beside} of broker and record system, "
            f"{sum(r.findings.filed for r in reports)} results filed"
        )
        self._say(", ".join(f"{what} {many}" for what, many in counts.items()))

    def _say(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def must_be_reached(args: argparse.Namespace) -> Sequence[str]:
    """Return the fault points that so many runs reach for sure."""
    if args.point:
        return (args.point,)
    return POINTS if args.runs * FAULTS_A_RUN >= len(HUB_POINTS) else ()


def main() -> int:
    """Run it and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=12, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the first run")
    parser.add_argument("--point", choices=POINTS, metavar="NAME", help="die of this fault only")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, metavar="N", help="rooms a ward")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="work here, not where /tmp is")
    parser.add_argument("--json", action="store_true", help="JSON lines")
    args = parser.parse_args()
    tell, wards = Teller(as_json=args.json), []
    for first in range(0, args.runs, args.at_once):
        numbers = range(first, min(first + args.at_once, args.runs))
        folder = Path(tempfile.mkdtemp(prefix=f"kills-{args.seed + first}-", dir=args.folder))
        done = asyncio.run(ward(folder, numbers, args.seed, args.point))
        tell.ward(done, folder)
        wards.append(done)
        if done.is_good:
            shutil.rmtree(folder)
    reached = {point for done in wards for point in done.reached}
    unreached = [point for point in must_be_reached(args) if point not in reached]
    tell.total(wards, unreached)
    return 0 if not unreached and all(done.is_good for done in wards) else 1


if __name__ == "__main__":
    sys.exit(main())
