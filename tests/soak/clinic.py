"""What the rooms of one run share: broker, record system and its register, all of them mortal."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from bedside import MAX_PATIENTS, Patient, ended
from mortals import Life, Mortal, verb
from person import BADGE

from edge.demo.processes import BROKER, LOOPBACK, POLL_S, find_mosquitto
from edge.faults import POINTS
from edge.record.filing import Filing, HeldValue

SITE = "kills"
RECORD_POINTS = tuple(point for point in POINTS if point.startswith("record."))
ASSISTANT = "Practitioner/kills-5"
BROKER_UP_S = 20.0


class Clinic:
    """A broker, a record system, and the register that says who is expected where."""

    def __init__(
        self, folder: Path, seed: int, rooms: Sequence[str], points: Sequence[str]
    ) -> None:
        rng = Random(f"clinic {seed}")
        self.folder = folder
        self.record = folder / "record.db"
        self.port = _free_port()
        self._rooms = rooms
        self._assigned: dict[str, Patient] = {}
        self._register = folder / "register.toml"
        self._write_register()
        self.broker = Mortal(
            "mosquitto", self._broker_command(rng), folder, tuple(_broker_lives(rng))
        )
        record_points = [point for point in points if point in RECORD_POINTS]
        self.record_system = Mortal(
            "record-system",
            verb(
                "record-system",
                *("--broker", f"mqtt://{LOOPBACK}:{self.port}"),
                *("--store", self.record, "--register", self._register, "--accept-demo"),
            ),
            folder,
            tuple(_record_lives(rng, record_points)),
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run both until the end of the block."""
        broker = asyncio.create_task(self.broker.run())
        try:
            await self._broker_answers()
            record_system = asyncio.create_task(self.record_system.run())
            try:
                yield
            finally:
                await ended(record_system)
        finally:
            await ended(broker)

    def assign(self, room: str, patient: Patient | None) -> None:
        """Have the record system say who is in a room, or nobody."""
        if patient is None:
            self._assigned.pop(room, None)
        else:
            self._assigned[room] = patient
        self._write_register()

    def held_of(self, room: str) -> list[HeldValue]:
        """Return what the record holds from one room's hub, in the order it was filed."""
        filing = Filing(self.record)
        try:
            return [value for value in filing.values() if value.hub == room]
        finally:
            filing.close()

    async def _broker_answers(self) -> None:
        async with asyncio.timeout(BROKER_UP_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection(LOOPBACK, self.port)
                except OSError:
                    await asyncio.sleep(POLL_S)
                    continue
                writer.close()
                await writer.wait_closed()
                return

    def _broker_command(self, rng: Random) -> list[str]:
        """Return a broker that remembers over its death, or does not: results survive both."""
        user = "user root\n" if os.geteuid() == 0 else ""
        settings = BROKER.format(port=self.port, user=user)
        if rng.random() < 0.5:
            remembers = f"persistence true\npersistence_location {self.folder}/"
            settings = settings.replace("persistence false", f"{remembers}\nautosave_interval 1")
        path = self.folder / "mosquitto.conf"
        path.write_text(settings, "utf-8")
        return [find_mosquitto(), "-c", str(path)]

    def _write_register(self) -> None:
        lines = [
            *("[[operator]]", f"reference = {json.dumps(ASSISTANT)}"),
            *('name = "Invented Assistant"', f"badge = {json.dumps(BADGE)}"),
        ]
        for room in self._rooms:
            people = [Patient(room, number) for number in range(MAX_PATIENTS)]
            for patient in people:
                name, birth_date = patient.display
                lines += [
                    *("[[patient]]", f"reference = {json.dumps(patient.reference)}"),
                    *(f"name = {json.dumps(name)}", f"birth_date = {json.dumps(birth_date)}"),
                    f"identifiers = {json.dumps([patient.wristband])}",
                ]
            lines += [
                *("[[room]]", f"site = {json.dumps(SITE)}", f"hub = {json.dumps(room)}"),
                f"patients = {json.dumps([patient.reference for patient in people])}",
            ]
            if room in self._assigned:
                lines += [
                    f"assigned = {json.dumps(self._assigned[room].reference)}",
                    *(f"asserted_by = {json.dumps(ASSISTANT)}",),
                    *(f"validated_by = {json.dumps(ASSISTANT)}",),
                ]
        unborn = self._register.with_suffix(".new")
        unborn.write_text("\n".join(lines) + "\n", "utf-8")
        unborn.rename(self._register)


def _record_lives(rng: Random, points: Sequence[str]) -> Sequence[Life]:
    chosen = rng.sample(points, len(points))
    lives = [
        Life(f"{point}:{rng.randint(1, 2)}:{rng.randrange(1000)}", pause_s=rng.uniform(0, 1.5))
        for point in chosen
    ]
    return [*lives, Life(kill_after_s=rng.uniform(1.0, 10.0))]


def _broker_lives(rng: Random) -> Sequence[Life]:
    deaths = rng.choice((0, 1, 2))
    return [
        Life(kill_after_s=rng.uniform(3.0, 15.0), pause_s=rng.uniform(0, 1.0))
        for _ in range(deaths)
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
