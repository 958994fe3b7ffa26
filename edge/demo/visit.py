"""One visit, as a medical assistant makes it, told as it happens."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from drivers.model import Kind
from edge.association import BEFORE, NEVER_COMPARED
from edge.clock import SystemClock, utc
from edge.demo.bedside import Bedside
from edge.demo.door import Door
from edge.demo.instruments import Instrument, Wanted
from edge.demo.reading_back import Sent
from edge.demo.scene import BADGE, FIRST, Person
from edge.demo.telling import DOCUMENTS, Teller, line_of, passing_line, spoken, value_line
from edge.entering import BY_HAND
from edge.view import RoomView, ValueView

INSTRUMENTS_S = 15.0
STRANGER_S = 1.5  # within which a monitor shows what it still remembers
VALUES_S = 45.0
FILED_S = 20.0
COUNTED_S = 15.0
LOOK_S = 0.2
ASKED_AGAIN = 3
RESOLUTION = timedelta(seconds=1)  # of the clocks of instruments: a value may look so much older

RESPIRATIONS = Wanted(BY_HAND, Kind.RESPIRATION, "entered")
_GOING = frozenset({"accepted", "queued", "offered"})
_COME = _GOING | {"filed", "refused"}
_DOES = {
    "ble-blood-pressure": "starts: the pump runs",
    "ble-thermometer": "is put into the ear",
    "ble-scale": "somebody steps on it",
    "ecg-folder": "records twelve leads for ten seconds",
}


class WentWrong(Exception):  # noqa: N818 - told to the person
    """The visit did not go as it must; the message says what is missing."""


class Visit:
    """The acts of one visit, through the hub's own door.

    `complete`: every value must come, as from a healthy patient; else what is missing is told.
    `told` are the numbers of the values that were told already; it grows.
    """

    def __init__(
        self,
        door: Door,
        bedside: Bedside,
        teller: Teller,
        person: Person,
        *,
        told: set[int],
        complete: bool,
    ) -> None:
        self._door = door
        self._bedside = bedside
        self._tell = teller
        self._person = person
        self._told = told
        self._complete = complete
        self._aside: dict[str, list[ValueView]] = {}  # told when no more come

    async def run(self, wanted: Sequence[Wanted], breaths: float) -> list[Sent]:
        """Make the visit; WentWrong unless every value was filed.

        `breaths` is what the assistant counts per minute.
        """
        await self._identify()
        await self._measure([*wanted, RESPIRATIONS], breaths)
        return await self._send()

    async def _identify(self) -> None:
        person = self._person
        self._tell.title(f"{person.name}, born {person.birth_date}")
        candidate = await self._door.act("scan", code=person.wristband)
        for _ in range(ASKED_AGAIN):
            if candidate is None:  # the visit is open, and held until it is known whose it is
                self._tell.note("the record system does not answer in time: it is asked again")
                candidate = await self._door.act("check-unverified")
        if candidate is None:
            raise WentWrong("the record system does not say who this is")
        shown = tuple(candidate["patient"]["display"])
        if shown != (person.name, person.birth_date):
            raise WentWrong(f"the wristband of {person.name} was answered with somebody else")
        await self._door.act("confirm-patient", reference=person.reference)
        self._hand("wristband", "scanned; name and birth date compared with the patient")
        view = await self._door.look()
        aside = sum(set_aside(view, value) for value in view.values if value.item in self._told)
        if aside and person is not FIRST:
            self._tell.note(
                line_of(_now(), "hub", f"{many(aside)} of before: nobody's here either")
            )

    async def _measure(self, wanted: Sequence[Wanted], breaths: float) -> None:
        begin_s = self._bedside.elapsed_s
        starts = await self._bring(wanted)
        counted, left = False, list(wanted)
        while (passed_s := self._bedside.elapsed_s - begin_s) < VALUES_S:
            while starts and starts[0][0] <= passed_s:
                _, instrument = starts.pop(0)
                self._bedside.start(instrument, self._person)
                self._hand(instrument.name, _DOES.get(instrument.driver, "is started"))
            if not counted and passed_s > COUNTED_S + LOOK_S:
                counted = True
                await self._count(breaths)
            view = await self._door.look()
            await self._look_at_new(view, wanted)
            left = missing(view, wanted)
            if not left:
                return
            awaited = (one.instrument.replace("-", " ") for one in left)
            self._tell.passing(passing_line(view, passed_s, awaited))
            await asyncio.sleep(LOOK_S)
        for one in left:
            self._missing(f"no {one.kind or 'value'} came from {one.instrument} in time")

    async def _bring(self, wanted: Sequence[Wanted]) -> list[tuple[float, Instrument]]:
        """Bring what is not here yet; what somebody starts, and when, the earliest first."""
        for new in await self._bedside.switch_on():
            stored = new.virtual.get("backlog", 0)
            memory = f", with {many(stored)} of other people in its memory" if stored else ""
            self._hand(new.name, f"is switched on{memory}")
        names = {one.instrument for one in wanted}
        return sorted(
            (
                (each.start_s, each)
                for each in self._bedside.room
                if each.start_s is not None and each.name in names
            ),
            key=lambda start: start[0],
        )

    async def _count(self, breaths: float) -> None:
        method = f"counted over {COUNTED_S:g} s"
        acts = {"kind": Kind.RESPIRATION, "value": float(round(breaths)), "unit": "/min"}
        acts |= {"visit": (await self._door.look()).visit}
        await self._door.act("enter", seconds=COUNTED_S, method=method, **acts)

    async def _look_at_new(self, view: RoomView, wanted: Sequence[Wanted]) -> None:
        """Tell each value once, and take what proves too little, as who sees the display may."""
        new = [value for value in view.values if value.item not in self._told]
        self._told.update(value.item for value in new)
        still = {value.instrument for value in new}
        for name in [name for name in self._aside if name not in still]:
            self._tell.note(line_of(_now(), name, aside_line(self._aside.pop(name))))
        whole: set[str] = set()  # carts whose study was taken, which takes all its parts
        for value in new:
            if to_compare(view, value, wanted) and value.instrument in whole:
                self._tell.good(value_line(value))
            elif to_compare(view, value, wanted):
                await self._door.act("take", item=value.item, visit=view.visit)
                if value.kind in DOCUMENTS:
                    whole.add(value.instrument)
                self._tell.good(value_line(value))
                self._tell.more(f"{value.reason}:")
                self._tell.more("compared with the display, and taken by hand")
            elif set_aside(view, value):
                self._aside.setdefault(value.instrument, []).append(value)
            elif value.state == "shown" and is_fresh(view, value):
                self._tell.note(value_line(value))
            elif value.state == "offered":
                self._tell.good(value_line(value))

    def _missing(self, what: str) -> None:
        if self._complete:
            raise WentWrong(what)
        self._tell.note(f"{what}: the visit goes on without")

    async def _send(self) -> list[Sent]:
        view = await self._door.look()
        offered = [value.item for value in view.values if value.state == "offered"]
        await self._door.act("send", items=offered)
        self._hand("send", f"what was measured of {self._person.name}")

        def filed(view: RoomView) -> bool:
            return not any(value.state in _GOING for value in view.values)

        view = await self._door.until(filed, FILED_S) or await self._door.look()
        unfiled = [value for value in view.values if value.state in _GOING | {"refused"}]
        for value in unfiled:
            self._tell.bad(f"{spoken(value.readings)}: {value.state} {value.reason}")
        if unfiled:
            raise WentWrong(f"{many(len(unfiled))} not filed")
        done = [value for value in view.values if value.state == "filed"]
        if not done:
            raise WentWrong("no value was there to send")
        last = max(value.filed or "" for value in done)
        self._tell.good(line_of(last, "filed", f"{len(done)} results, each confirmed"))
        return [Sent(value, self._person.reference) for value in done]

    def _hand(self, who: str, what: str) -> None:
        self._tell.hand(line_of(_now(), who, what))


async def before(door: Door, tell: Teller) -> set[int]:
    """Tell what is so while nobody is identified, and sign the assistant in; what was told."""
    tell.title("Nobody is identified")
    view = await door.until(lambda view: view.record_system.connected, INSTRUMENTS_S)
    if view is None:
        view = await door.look()
        raise WentWrong("; ".join(view.record_system.alarms) or "there is no record system")
    who = await door.act("sign-in", badge=BADGE)
    tell.hand(line_of(_now(), "badge", f"{who['display']}, signs in"))
    await door.until(lambda view: view.quarantined > 0, STRANGER_S)
    view = await door.look()
    aside = [value for value in view.values if value.state == "quarantined"]
    for value in aside:
        tell.note(value_line(value))
        tell.more(f"{value.reason}:")
        tell.more("it may be anybody's, and nobody takes it")
    return {value.item for value in aside}


def missing(view: RoomView, wanted: Iterable[Wanted]) -> list[Wanted]:
    """Return what has not come in this visit; a value that says why there is none has come."""
    come = [
        value
        for value in view.values
        if value.state in _COME or (value.state == "shown" and is_fresh(view, value))
    ]
    return [one for one in wanted if not any(_answers(value, one) for value in come)]


def is_fresh(view: RoomView, value: ValueView) -> bool:
    """Tell a value of this visit from one of before, by when it was made."""
    if view.since is None:
        return False
    return datetime.fromisoformat(value.taken) + RESOLUTION > datetime.fromisoformat(view.since)


def to_compare(view: RoomView, value: ValueView, wanted: Iterable[Wanted]) -> bool:
    """Tell whether a person may look at the display and take a value that proves too little.

    It is one that this visit waits for, came in it, and nothing else is against it than how long
    such a measurement can last, or that the instrument's clock could not be read.
    """
    return any(_answers(value, one) for one in wanted) and _proves_little(view, value)


def set_aside(view: RoomView, value: ValueView) -> bool:
    """Tell a value that is nobody's: of before the visit, or without a proof of when."""
    return value.state == "quarantined" and not _proves_little(view, value)


def _proves_little(view: RoomView, value: ValueView) -> bool:
    doubts = {BEFORE, NEVER_COMPARED.reason}
    return value.state == "quarantined" and value.reason in doubts and is_fresh(view, value)


def aside_line(aside: Sequence[ValueView]) -> str:
    """Return what is said of values that are nobody's here: how many and of when, not which."""
    first, last = (pick(value.taken for value in aside)[11:16] for pick in (min, max))
    when = f"at {first}" if first == last else f"{first} to {last}"
    return f"{many(len(aside))} taken {when}, before this visit: set aside"


def many(values: int) -> str:
    """Return a number of values in words."""
    return "1 value" if values == 1 else f"{values} values"


def _answers(value: ValueView, wanted: Wanted) -> bool:
    return (
        value.instrument == wanted.instrument
        and value.origin == wanted.origin
        and wanted.kind in {"", value.kind}
    )


def _now() -> str:
    return utc(SystemClock().now().wall_ns).isoformat(timespec="milliseconds")
