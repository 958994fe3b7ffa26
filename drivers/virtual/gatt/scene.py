"""What the scenes of all virtual Bluetooth LE instruments have in common."""

import random
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from drivers.virtual.gatt.peripheral import ADDRESS, STARTED, Habits, Ware

Span = tuple[float, float]
STORED_EVERY = timedelta(hours=1, minutes=7)


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The instrument and its habits; see `peripheral.Habits`.

    `backlog` measurements of other people are in the memory; `measure_at_s` are those that end
    while the scene lasts. `stamps` False is an instrument that sends no time with its values.
    """

    started: datetime = STARTED
    clock_ahead_s: float | None = 0.0
    hangs_up: bool = False
    battery: Annotated[int, msgspec.Meta(ge=0, le=100)] = 84
    serial: str = "V0012345"
    address: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-F]{2}:){5}[0-9A-F]{2}$")] = ADDRESS
    backlog: Annotated[int, msgspec.Meta(ge=0, le=50)] = 0
    measure_at_s: tuple[float, ...] = (20.0,)
    stamps: bool = True

    def habits(self, *, has_record_access: bool = False, stays_on: bool = False) -> Habits:
        """Return how the instrument goes about its values."""
        return Habits(self.started, self.clock_ahead_s, has_record_access, self.hangs_up, stays_on)

    def ware(self, name: str, model: str) -> Ware:
        """Return what is written on an instrument of this name and model."""
        return Ware(name, model, self.serial, self.address, self.battery)

    def stored_times(self) -> list[datetime]:
        """Return the times of what is in the memory, by the instrument's clock, oldest first."""
        now = self.started + timedelta(seconds=self.clock_ahead_s or 0.0)
        return [now - number * STORED_EVERY for number in range(self.backlog, 0, -1)]


def jitter(seed: int, taken: datetime, spread: float) -> float:
    """Return a repeatable deviation for a measurement: other people differ, and so do readings."""
    chance = random.Random(f"{seed} {taken.isoformat()}")  # noqa: S311 - repeatable, not secret
    return chance.uniform(-spread, spread)


def within(spans: tuple[Span, ...], at_s: float) -> bool:
    """Whether a moment lies in one of the spans."""
    return any(start <= at_s < end for start, end in spans)
