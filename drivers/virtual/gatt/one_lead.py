"""Virtual one-lead sensors: a heart rate, and the ECG of the virtual patient once asked for."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from drivers.protocols.gatt import characteristics, movesense, polar
from drivers.protocols.gatt.characteristics import Frame, encode
from drivers.protocols.gatt.heart_rate import RR_PER_S, HeartRate
from drivers.protocols.gatt.movesense import MovesenseAnswer, MovesenseEcg
from drivers.protocols.gatt.polar import PolarAnswer, PolarEcg
from drivers.transports.memory_gatt import Sent
from drivers.virtual.gatt.belt import BeltScene
from drivers.virtual.gatt.peripheral import VirtualPeripheral
from drivers.virtual.gatt.scene import within
from drivers.virtual.gatt.table import Access, Offered, offered
from drivers.virtual.patient import Patient
from drivers.virtual.physiology.dipole import LEADS

_CONTACT = 3
_NO_CONTACT = 2
_CLOCK_NS = 800_000_000 * 10**9  # since 2000, by the belt
_POLAR_SAMPLES = 73  # what fits into one notification
_MOVESENSE_SAMPLES = 16
_FOUND = 200
_CHEST = LEADS.index("II")  # the lead that looks most like one across the chest


class _Chest:
    """What a sensor sees of the patient, a second at a time."""

    def __init__(self, seed: int, scene: BeltScene, fs: float) -> None:
        self._scene = scene
        self._fs = fs
        self._patient = Patient(seed, "healthy")

    def heart_rate(self, at_s: float) -> Frame:
        if within(self._scene.belt_off, at_s):
            return HeartRate(0, contact_bits=_NO_CONTACT)
        rate = self._patient.state(at_s).heart_rate
        return HeartRate(round(rate), contact_bits=_CONTACT, rr=(round(60 / rate * RR_PER_S),))

    def microvolts(self, at_s: float) -> list[int]:
        """Return the samples of the second that ends then; a loose electrode shows nothing."""
        wave = self._patient.ecg(at_s - 1.0, at_s, self._fs)[_CHEST]
        off = within(self._scene.belt_off, at_s)
        return [0 if off or math.isnan(each) else round(float(each)) for each in wave]


class _Asked(VirtualPeripheral):
    """A peripheral that begins to stream when it is told to; `begins` and what it answers."""

    begins: tuple[str, bytes]
    answers: tuple[str, Frame]
    streams = False

    def connect(self) -> None:
        """Take a new connection: nothing is asked for."""
        super().connect()
        self.streams = False

    @property
    def table(self) -> tuple[Offered, ...]:
        """What it offers; what it is told by may be written."""
        told = self.begins[0]
        others = tuple(each for each in super().table if each.channel != told)
        access = Access.WRITE | (Access.INDICATE if told in self._sends else Access.WRITE)
        return (*others, offered(told, access))

    def write(self, channel: str, data: bytes) -> None:
        """Begin the stream, or do as any other peripheral."""
        if (channel, data) != self.begins:
            super().write(channel, data)
            return
        self.streams = True
        answering, frame = self.answers
        self._answers.append(Sent(answering, encode(frame), is_indication=True))


def virtual_polar(seed: int, **options: object) -> VirtualPeripheral:
    """Return a Polar H10; the options are BeltScene's, but the heart is the virtual patient's."""
    scene = msgspec.convert(options, BeltScene)
    chest = _Chest(seed, scene, polar.FS)

    def stream(at_s: float) -> Iterable[tuple[str, Frame]]:
        yield characteristics.HEART_RATE, chest.heart_rate(at_s)
        if belt.streams:
            for until, samples in _cut(chest.microvolts(at_s), _POLAR_SAMPLES):
                time_ns = _CLOCK_NS + round((at_s - 1 + until / polar.FS) * 1e9)
                yield characteristics.POLAR_DATA, PolarEcg(time_ns, samples)

    sends = (characteristics.HEART_RATE, characteristics.POLAR_CONTROL, characteristics.POLAR_DATA)
    ware = scene.ware("Virtual H10", "Virtual H10")
    belt = _Asked(ware, scene.habits(stays_on=True), sends, {}, stream)
    belt.begins = characteristics.POLAR_CONTROL, polar.START_ECG
    belt.answers = characteristics.POLAR_CONTROL, PolarAnswer(polar.START, polar.ECG, 0)
    return belt


def virtual_movesense(seed: int, **options: object) -> VirtualPeripheral:
    """Return a Movesense sensor; the options are BeltScene's, the heart is a virtual patient's."""
    scene = msgspec.convert(options, BeltScene)
    chest = _Chest(seed, scene, movesense.FS)

    def stream(at_s: float) -> Iterable[tuple[str, Frame]]:
        yield characteristics.HEART_RATE, chest.heart_rate(at_s)
        if sensor.streams:
            for until, samples in _cut(chest.microvolts(at_s), _MOVESENSE_SAMPLES):
                time_ms = round(1000 * (at_s - 1 + until / movesense.FS))
                frame = MovesenseEcg(movesense.REFERENCE, time_ms, samples)
                yield characteristics.MOVESENSE_NOTIFY, frame

    sends = (characteristics.HEART_RATE, characteristics.MOVESENSE_NOTIFY)
    ware = scene.ware("Virtual Movesense", "Virtual Movesense")
    sensor = _Asked(ware, scene.habits(stays_on=True), sends, {}, stream)
    sensor.begins = characteristics.MOVESENSE_WRITE, movesense.START_ECG
    answer = MovesenseAnswer(movesense.REFERENCE, _FOUND)
    sensor.answers = characteristics.MOVESENSE_NOTIFY, answer
    return sensor


def _cut(samples: Sequence[int], size: int) -> Iterable[tuple[int, tuple[int, ...]]]:
    """Yield stretches of at most `size` samples, each with how many came until its end."""
    for at in range(0, len(samples), size):
        piece = tuple(samples[at : at + size])
        yield at + len(piece), piece
