"""The instruments of one room, owned by the harness: they outlive every death of the hub.

Each patient has values of their own on every instrument, so far apart that a value filed for the
wrong person is recognised from the value alone; the pressure of the patient before stays on the
monitor for some seconds, as a real one leaves it. What every instrument said is kept, by patient.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from drivers.protocols.nonin import Decoder
from drivers.protocols.nonin_df13 import SpotCheck
from drivers.protocols.nonin_stream import PlethPacket
from drivers.registry import REGISTRY
from drivers.virtual.instrument import VirtualInstrument
from drivers.virtual.pty_port import PtyPort
from edge.clock import NS, SystemClock, utc

MAX_PATIENTS = 6
TICK_S = 0.03
WARM_S = 10.0  # the finger was in before: averages are there at once
NEVER_ENDS_S = 1e6
PRESSURE_AFTER_S = 4.0
SPOTS_S = 90.0
BURST_S = 0.02  # less than a record takes on the wire

OXIMETER, SPOTS, MONITOR = "oximeter", "spots", "monitor"


@dataclass(frozen=True, slots=True)
class Patient:
    """An invented person; `number` decides every value measured of them."""

    room: str
    number: int

    @property
    def reference(self) -> str:
        return f"Patient/{self.room}-{self.number}"

    @property
    def wristband(self) -> str:
        return f"W-{self.room}-{self.number}"

    @property
    def display(self) -> tuple[str, str]:
        return f"Number {self.number} of {self.room}", f"19{50 + self.number}-01-01"

    @property
    def finger(self) -> dict[str, int]:
        return {"spo2": 82 + 3 * self.number, "pulse_rate": 70 + 12 * self.number}

    @property
    def vitals(self) -> dict[str, int]:
        """What the monitor shows."""
        number = self.number
        return {
            "heart_rate": 60 + 12 * number,
            "spo2": 80 + 3 * number,
            "respiration_rate": 10 + 3 * number,
        }

    @property
    def pressure(self) -> tuple[int, int, int]:
        number = self.number
        return 100 + 12 * number, 60 + 8 * number, 75 + 9 * number

    def has(self, instrument: str, readings: Iterable[tuple[str, float | None]]) -> bool:
        """Tell whether all these values can only be this patient's."""
        valued = [(metric, value) for metric, value in readings if value is not None]
        ranges = self._ranges(instrument)
        return bool(valued) and all(
            metric in ranges and ranges[metric][0] <= value <= ranges[metric][1]
            for metric, value in valued
        )

    def _ranges(self, instrument: str) -> dict[str, tuple[int, int]]:
        if instrument == MONITOR:
            systolic, diastolic, mean = self.pressure
            heart, breath = self.vitals["heart_rate"], self.vitals["respiration_rate"]
            exact = {
                "heart-rate": heart,
                "pulse-rate": heart,
                "respiration-rate": breath,
                "spo2": self.vitals["spo2"],
                "systolic": systolic,
                "diastolic": diastolic,
                "mean-pressure": mean,
            }
            return {metric: (value, value) for metric, value in exact.items()}
        spo2, pulse = self.finger["spo2"], self.finger["pulse_rate"]
        return {"spo2": (spo2 - 1, spo2 + 1), "pulse-rate": (pulse - 2, pulse + 2)}


class Shared:
    """One instrument that is used for one patient after the other."""

    def __init__(self, nobody: VirtualInstrument) -> None:
        self._inner = nobody
        self._patient: Patient | None = None
        self._now_s = self._since_s = 0.0
        self.said: dict[Patient | None, bytearray] = defaultdict(bytearray)

    def use(self, inner: VirtualInstrument, patient: Patient | None) -> None:
        """Put the instrument on somebody else; its averages are there at once."""
        inner.due(WARM_S)
        self._inner, self._patient, self._since_s = inner, patient, self._now_s - WARM_S

    def due(self, elapsed_s: float) -> bytes:
        self._now_s = elapsed_s
        data = self._inner.due(elapsed_s - self._since_s)
        self.said[self._patient] += data
        return data

    def hear(self, data: bytes) -> bytes:
        """Answer; what stands between the frames of a value is no part of it and not kept."""
        return self._inner.hear(data)


class Bedside:
    """Two oximeters and a monitor on pseudo-terminals."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._rng = Random(f"bedside {seed}")
        self._seed = seed
        self._clock = SystemClock(assume_trusted=True)
        self._before: Patient | None = None
        self._offset_s = self._rng.choice((0.0, 0.0, -75.0, 4000.0))
        self.instruments: dict[str, Shared] = {}
        self._ports: list[PtyPort] = []
        for name, driver in ((OXIMETER, "nonin"), (SPOTS, "nonin"), (MONITOR, "ivy-450c")):
            shared = self.instruments[name] = Shared(self._build(name, None))
            link = folder / f"port-{name}"
            self._ports.append(PtyPort(shared, REGISTRY[driver].line, link=link))

    async def run(self) -> None:
        """Let the instruments speak until cancelled."""
        began = self._clock.now().mono_ns
        try:
            while True:
                for port in self._ports:
                    port.step((self._clock.now().mono_ns - began) / NS)
                await self._clock.sleep(TICK_S)
        finally:
            for port in self._ports:
                port.close()

    def seat(self, patient: Patient | None) -> None:
        """Connect somebody, or nobody, to all of them."""
        for name, shared in self.instruments.items():
            shared.use(self._build(name, patient), patient)
        self._before = patient or self._before

    def spot_checks(self, patient: Patient | None = None) -> dict[bytes, SpotCheck]:
        """Return the records sent of a patient, or of all, by their bytes."""
        said = self.instruments[SPOTS].said
        sources = list(said.values()) if patient is None else [said[patient]]
        frames = (frame for source in sources for frame in Decoder().feed(bytes(source)))
        return {frame.raw: frame for frame in frames if isinstance(frame, SpotCheck)}

    def sent_of(self, patient: Patient, instrument: str, raw: bytes) -> bool:
        """Tell whether an instrument said just these bytes while it was on a patient."""
        return raw in self.instruments[instrument].said[patient]

    def shown(self, instrument: str, raw: bytes) -> dict[str, float | None] | None:
        """Return what one frame of an oximeter says, read here and not by the hub's driver."""
        if instrument == MONITOR:
            return None
        for frame in Decoder().feed(raw):
            if isinstance(frame, SpotCheck):
                return {"spo2": frame.spo2, "pulse-rate": frame.heart_rate}
            if isinstance(frame, PlethPacket):
                return {"spo2": frame.spo2_display, "pulse-rate": frame.heart_rate_display}
        return None

    def _build(self, name: str, patient: Patient | None) -> VirtualInstrument:
        if name == MONITOR:
            return self._monitor(patient)
        options: dict[str, Any] = {
            "model": "3150",
            "data_format": 13 if name == SPOTS else 7,
            "serial": f"{1 + (name == SPOTS)}{self._seed % 10**8:08d}",
            "started": self._started(),
            "clock_offset_s": self._offset_s,
        }
        if patient is None:
            options["finger_off"] = ((0.0, NEVER_ENDS_S),)
        else:
            options |= patient.finger
        if patient is not None and name == SPOTS:
            options["spot_at_s"] = tuple(self._spots())
        return REGISTRY["nonin"].simulator()(self._rng.randrange(1000), **options)

    def _monitor(self, patient: Patient | None) -> VirtualInstrument:
        away = (0.0, NEVER_ENDS_S)
        pressures = [(0.0, *self._before.pressure)] if self._before else []
        options: dict[str, Any] = {"sensor_off": away, "lead_off": away}
        if patient is not None:
            options = dict(patient.vitals)
            pressures.append((WARM_S + PRESSURE_AFTER_S, *patient.pressure))
        options["nibp"] = tuple(pressures)
        return REGISTRY["ivy-450c"].simulator()(self._rng.randrange(1000), **options)

    def _started(self):
        """Return the time at second 0, by the right clock."""
        now = utc(self._clock.now().wall_ns).replace(tzinfo=None)
        return now - timedelta(seconds=WARM_S)

    def _spots(self) -> Iterable[float]:
        """Yield when spot checks are made: some right after another, to share chunks of bytes."""
        at_s = WARM_S + self._rng.uniform(0.3, 1.5)
        while at_s < WARM_S + SPOTS_S:
            yield round(at_s, 2)
            at_s += self._rng.choice((BURST_S, self._rng.uniform(1.5, 3.5)))


async def ended(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait until it is over."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
