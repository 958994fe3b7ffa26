"""The medical assistant of one room, who goes on whatever dies: one patient after the other.

They believe what the room shows, wait while it is away, sign in again, and remember what they were
shown: a value seen as filed is never less than that later. They take a value that cannot prove its
time only after comparing it with the instrument in front of them, and touch Send on everything.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self

from bedside import MAX_PATIENTS, MONITOR, OXIMETER, SPOTS, Bedside, Patient

from edge.demo.door import Door
from edge.view import RoomView, ValueView

BADGE = "B-5"
LOOK_S = 0.15
AWAY_S = 0.1
ACT_S = 12.0  # an act that waits for a record system which is away takes up to five
VISIT_S = 150.0
ASK_AGAIN_S = 2.0
ASSIGNED_S = 6.0

STAGES = ("accepted", "queued", "filed")
RANK = {state: rank for rank, state in enumerate(STAGES, 1)}
QUICK = ((OXIMETER, "oximetry"), (SPOTS, "oximetry"), (MONITOR, "heart-rate"))
STEADY = ((OXIMETER, "oximetry"), (MONITOR, "heart-rate"), (MONITOR, "oximetry"))


class Away(Exception):  # noqa: N818 - a state
    """The room does not answer: it has just died, or is not up yet."""


class Stuck(Exception):  # noqa: N818 - a state
    """A visit did not come to its end."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A value as it was shown to the person, at its furthest."""

    patient: Patient
    value: ValueView

    @property
    def rank(self) -> int:
        return RANK[self.value.state]


@dataclass(slots=True)
class Visit:
    """What one visit is about: whose it is, and what must have got how far before it ends."""

    patient: Patient
    steady: bool
    stage: str
    method: str
    discards: bool
    taken: set[int] = field(default_factory=set)
    asked_s: dict[tuple[str, str], float] = field(default_factory=dict)
    assigned_s: float | None = None


@dataclass(slots=True)
class Person:
    """Makes visits through the hub's own door; `wrong` says what no visit should show."""

    control: Path
    bedside: Bedside
    rng: Random
    room: str
    auto: bool
    steady_share: float
    assign: Callable[[Patient | None], None]
    seen: dict[int, Seen] = field(default_factory=dict)
    withdrawn: dict[str, bool] = field(default_factory=dict)  # result id -> the room said yes
    patients: list[Patient] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def visits(self, at_least: int, enough: asyncio.Event) -> None:
        """Make visits until there were enough of them, and of deaths among them."""
        for number in range(MAX_PATIENTS):
            if number >= at_least and enough.is_set():
                break
            patient = Patient(self.room, number)
            visit = Visit(
                patient,
                steady=self.rng.random() < self.steady_share,
                stage=self.rng.choice(STAGES),
                method=self.rng.choice(("scan", "room-list", "assigned" if self.auto else "scan")),
                discards=self.rng.random() < 0.4,
            )
            self.patients.append(patient)
            await self._visit(visit)
        await self._leave()
        self.bedside.seat(None)

    async def _visit(self, visit: Visit) -> None:
        last: RoomView | None = None
        await self._leave()
        self.bedside.seat(visit.patient)
        try:
            async with asyncio.timeout(VISIT_S):
                while True:
                    with suppress(Away):
                        await self._attend(visit)
                        break
                    await asyncio.sleep(AWAY_S)
        except TimeoutError:
            raise Stuck(
                f"the visit of patient {visit.patient.number} does not end: {last}"
            ) from None
        if visit.assigned_s is not None and self.rng.random() < 0.3:
            self.assign(None)

    async def _leave(self) -> None:
        """End the visit and see that nobody is in the room, before anybody else sits down."""
        try:
            async with asyncio.timeout(VISIT_S):
                while True:
                    with suppress(Away):
                        return await self._end_visit()
                    await asyncio.sleep(AWAY_S)
        except TimeoutError:
            raise Stuck("the room does not become empty") from None

    async def _end_visit(self) -> None:
        async with Hand(self.control) as hand:
            self._note(await hand.look())
            while True:
                await hand.act("end-visit")
                view = await hand.look()
                if view.patient is None:
                    return
                self._note(view)
                await asyncio.sleep(LOOK_S)

    async def _attend(self, visit: Visit) -> None:
        async with Hand(self.control) as hand:
            signed_in = False
            while True:
                await asyncio.sleep(LOOK_S)
                signed_in = signed_in or bool(await hand.act("sign-in", badge=BADGE))
                view = await hand.look()
                self._note(view)
                if not signed_in:
                    continue
                if view.patient is None or not view.verified:
                    await self._identify(hand, visit, view)
                elif view.patient != visit.patient.display:
                    self.wrong.append(f"{view.patient[0]} is in the room, whom nobody put there")
                    await hand.act("end-visit")
                elif self._is_complete(visit, view):
                    if visit.discards:
                        await self._discard_one(hand, view)
                    return
                else:
                    await self._decide(hand, visit, view)

    # ---- who the patient is

    async def _identify(self, hand: "Hand", visit: Visit, view: RoomView) -> None:
        if view.patient is not None:  # scanned while the record system was away
            if found := await hand.act("check-unverified"):
                await hand.act("confirm-patient", reference=found["patient"]["reference"])
            return
        now_s = asyncio.get_running_loop().time()
        if visit.method == "assigned":
            if visit.assigned_s is None:
                visit.assigned_s = now_s
                self.assign(visit.patient)
            if now_s - visit.assigned_s < ASSIGNED_S:
                return
        if visit.method == "room-list":
            chosen = await hand.act("choose", reference=visit.patient.reference)
        else:
            chosen = await hand.act("scan", code=visit.patient.wristband)
        if (
            isinstance(chosen, dict)
            and tuple(chosen["patient"]["display"]) == visit.patient.display
        ):
            shown = chosen["patient"]["reference"]
            await hand.act("confirm-patient", reference=shown)

    # ---- values

    async def _decide(self, hand: "Hand", visit: Visit, view: RoomView) -> None:
        offered = [value.item for value in view.values if value.state == "offered"]
        if offered:
            await hand.act("send", items=offered)
        for value in view.values:
            loose = value.state in {"held", "quarantined"} and value.item not in visit.taken
            if loose and visit.patient.has(value.instrument, _readings(value)):
                visit.taken.add(value.item)
                await hand.act("take", item=value.item)
        if not visit.steady:
            for wanted in QUICK:
                await self._ask(hand, visit, view, wanted)

    async def _ask(
        self, hand: "Hand", visit: Visit, view: RoomView, wanted: tuple[str, str]
    ) -> None:
        """Take the instrument's present value, again where the room forgot that it was asked."""
        now_s = asyncio.get_running_loop().time()
        recent = now_s - visit.asked_s.get(wanted, -ASK_AGAIN_S) < ASK_AGAIN_S
        if wanted[0] == SPOTS or recent or _got(view, wanted):
            return
        visit.asked_s[wanted] = now_s
        await hand.act("take-now", instrument=wanted[0], kind=wanted[1])

    def _is_complete(self, visit: Visit, view: RoomView) -> bool:
        wanted: Sequence[tuple[str, str]] = STEADY if visit.steady else QUICK
        least = RANK[visit.stage]
        return all(any(RANK[v.state] >= least for v in _got(view, each)) for each in wanted)

    async def _discard_one(self, hand: "Hand", view: RoomView) -> None:
        """Find that a filed value is none: it must be withdrawn, exactly once."""
        for value in [value for value in view.values if value.state == "filed"][:1]:
            self.withdrawn.setdefault(value.result_id, False)
            if await hand.act("discard", item=value.item, reason="the finger was cold"):
                self.withdrawn[value.result_id] = True

    # ---- what was seen

    def _note(self, view: RoomView) -> None:
        """Hold the room to what it showed before."""
        present = {patient.display: patient for patient in self.patients}.get(view.patient)
        for value in view.values:
            before = self.seen.get(value.item)
            if value.state not in RANK:
                if before is not None and value.state != "discarded":
                    self.wrong.append(
                        f"value {value.item} was {before.value.state}, now {value.state}"
                    )
                continue
            if before is not None and before.rank > RANK[value.state]:
                self.wrong.append(f"value {value.item} was {before.value.state}, now {value.state}")
            elif present is not None:
                self.seen[value.item] = Seen(present, value)


class Hand:
    """One touch of the hub's door after the other; Away when it closes."""

    def __init__(self, control: Path) -> None:
        self._control = control

    async def __aenter__(self) -> Self:
        try:
            self._door = await Door.open(self._control)
        except OSError as error:
            raise Away from error
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(OSError):  # it has died meanwhile
            await self._door.close()

    async def act(self, do: str, **fields: object) -> Any:
        """Return what came of it, None where the room says no; Away when it dies under it."""
        try:
            async with asyncio.timeout(ACT_S):
                return await self._door.act(do, **fields) or True
        except PermissionError:
            return None
        except (OSError, ValueError, TimeoutError) as error:
            raise Away from error

    async def look(self) -> RoomView:
        """Return the room as it is."""
        try:
            async with asyncio.timeout(ACT_S):
                return await self._door.look()
        except (OSError, ValueError, TimeoutError) as error:
            raise Away from error


def _got(view: RoomView, wanted: tuple[str, str]) -> list[ValueView]:
    return [v for v in view.values if (v.instrument, v.kind) == wanted and v.state in RANK]


def _readings(value: ValueView) -> list[tuple[str, float | None]]:
    return [(reading.metric, reading.value) for reading in value.readings]
