"""The virtual instruments as hands move them: plugged in, switched on, started, put on somebody."""

import asyncio
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from drivers.formats.scp_writer import encode
from drivers.model import Instant
from drivers.virtual.ecg_cart import leave
from drivers.virtual.instrument import VirtualInstrument
from drivers.virtual.patient import Patient
from drivers.virtual.pty_port import PtyPort, on_a_thread
from edge.clock import NS, Clock, SystemClock
from edge.demo.air import Air, air_for
from edge.demo.instruments import Instrument
from edge.demo.scene import Person

ECG_S = 10.0
JUST_BEFORE_S = 0.2  # an instrument that shows itself each second shows how it began


class Handed:
    """A virtual instrument that can be put on another patient while it goes on."""

    def __init__(self, on: VirtualInstrument) -> None:
        self._on = on
        self._elapsed_s = 0.0

    def due(self, elapsed_s: float) -> bytes:
        """Return what it has sent."""
        self._elapsed_s = elapsed_s
        return self._on.due(elapsed_s)

    def hear(self, data: bytes) -> bytes:
        """Take what the host wrote."""
        return self._on.hear(data)

    def put_on(self, other: VirtualInstrument) -> None:
        """Go on as the instrument on somebody else, from now."""
        other.due(self._elapsed_s)
        self._on = other


class Bedside:
    """All that stands around the patient; its seconds count from `begin`, now if not given."""

    def __init__(
        self, folder: Path, seed: int, room: Sequence[Instrument], begin: Instant | None = None
    ) -> None:
        self.room = tuple(room)
        self._folder = folder
        self._seed = seed
        self._clock: Clock = SystemClock(assume_trusted=True)
        self._begin_ns = (begin or self._clock.now()).mono_ns
        self.air: Air = air_for(folder, self._clock, self._begin_ns, seed, room)
        self._handed: dict[str, Handed] = {}
        self._on: set[str] = set()
        self._recordings: set[asyncio.Task[None]] = set()

    def link(self, instrument: Instrument) -> str:
        """Return the address of an instrument in the hub's settings."""
        if instrument.is_gatt:
            return self.air.link(instrument)
        if instrument.is_cart:
            return f"folder:{self._dropped(instrument)}"
        return f"serial:{self._folder / f'port-{instrument.name}'}"

    @contextmanager
    def plugged_in(self) -> Iterator[None]:
        """Run what is on a serial line, on pseudo-terminals."""
        with ExitStack() as stack:
            for number, each in enumerate(self.room):
                if each.is_cart:
                    self._dropped(each).mkdir(exist_ok=True)
                if each.is_cart or each.is_gatt:
                    continue
                factory = each.entry.simulator()
                handed = Handed(factory(self._seed + number, **each.virtual))
                self._handed[each.name] = handed
                where = self._folder / f"port-{each.name}"
                port = stack.enter_context(
                    PtyPort(handed, each.entry.line, link=where, seed=self._seed)
                )
                stack.enter_context(on_a_thread(port, self._clock))
            yield

    async def switch_on(self) -> tuple[Instrument, ...]:
        """Bring the Bluetooth instruments within reach; those that were not."""
        new = tuple(each for each in self.room if each.is_gatt and each.name not in self._on)
        for each in new:
            await self.air.switch_on(each)
            self._on.add(each.name)
        return new

    def start(self, instrument: Instrument, person: Person) -> None:
        """Start a measurement on a patient, just before a whole second, a recording with it."""
        second = math.floor(self.elapsed_s + JUST_BEFORE_S) + 1
        seed = instrument.virtual.get("patient_seed")
        who = None if seed is None else seed + person.body
        if instrument.is_cart:
            recording = asyncio.create_task(self._record(instrument, person, who, second))
            self._recordings.add(recording)
            recording.add_done_callback(self._recordings.discard)
        else:
            self.air.start(instrument.name, second - JUST_BEFORE_S, who)

    async def _record(
        self, cart: Instrument, person: Person, seed: int | None, begin_s: int
    ) -> None:
        """Record a patient's ECG, and leave the file in the folder when it is over."""
        typed = {
            "patient_id": person.wristband,
            "name": person.name,
            "birth_date": person.birth_date,
            "sex": person.sex,
        }
        virtual = cart.entry.simulator()(
            self._seed, **{**cart.virtual, "patient_seed": seed}, **typed
        )
        end_s = begin_s + ECG_S
        file = await asyncio.to_thread(lambda: encode(virtual.recording(end_s)))
        await self._clock.sleep(end_s - self.elapsed_s)
        await asyncio.to_thread(leave, file, self._dropped(cart))

    def _dropped(self, cart: Instrument) -> Path:
        return self._folder / f"{cart.name}-files"

    def put_on(self, body: int) -> None:
        """Take the instruments that stay on a patient off one and put them on another."""
        for number, each in enumerate(self.room):
            who = each.virtual.get("patient_seed")
            if each.name in self._handed and who is not None:
                scene = {**each.virtual, "patient_seed": who + body}
                self._handed[each.name].put_on(each.entry.simulator()(self._seed + number, **scene))
            elif each.name in self._on and who is not None and each.start_s is None:
                self.air.start(each.name, self.elapsed_s, who + body)

    def breaths(self, seed: int, scenario: str) -> float:
        """Return what somebody who counts a patient's breaths now finds, per minute."""
        return Patient(seed, scenario).state(self.elapsed_s).respiration_rate

    @property
    def elapsed_s(self) -> float:
        """How long it is since the beginning."""
        return (self._clock.now().mono_ns - self._begin_ns) / NS
