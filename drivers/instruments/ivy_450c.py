"""Ivy 450C patient monitor: what its Ansar-B packets mean, second by second.

Each packet gives, always in this order:

1. waveforms, one signal each: the ECG lead in mV at 200 Hz, then `respiration`, `pleth`, `P1`, `P2`
   at 50 Hz in the monitor's own steps. A wave that says "off" in every sample is left out. Samples
   at the rails stay as sent: whoever analyses them must see that they are clipped.
2. measurements: heart rate, respiration, oximetry, blood pressure.
3. notices, only when something changed: alarm texts; parameters that have no kind here (end-tidal
   CO2, invasive pressures, temperatures, whose unit the stream does not state); unknown lines.

The stream has no checksum. A digit lost on the line can leave a number that looks right, so a
blood pressure that differs from the last one is passed on when a second packet repeats it (a
notice says so meanwhile); for the streamed values the registry's rule of stability does the same.

The text after RR's number is a label (`APNEA: 20 SEC` stands beside a rate of 35 through the whole
recording: the delay of the alarm, not an apnea). Apnea is a rate of 0 beside that word, the word
in the alarm field, or a label of another form.
"""

import re
from collections.abc import Iterator

import msgspec
import numpy as np

from drivers.contract import ByteLink, Emit, Host
from drivers.model import (
    Flag,
    Instant,
    InstrumentId,
    Item,
    Kind,
    Measurement,
    Metric,
    Notice,
    NoticeKind,
    Reading,
    Skipped,
    Status,
    Unit,
    Waveform,
)
from drivers.protocols.ivy_ansarb import (
    CR,
    ECG_FS,
    ECG_MV_PER_STEP,
    ECG_ZERO,
    NAMES,
    OFF,
    SLOW_FS,
    Decoder,
    Packet,
    Parameter,
    parse,
)

DRIVER = "ivy-450c"

# Outside these a number is the line's or the sensor's, not a patient's. Wide on purpose: they
# catch lost digits and nonsense, the monitor's own alarms judge the patient.
RATE_RANGE = (10.0, 350.0)  # heart and pulse: bradycardia of the dying to neonatal flutter
RESPIRATION_RANGE = (1.0, 200.0)  # a panting neonate stays under 150
SPO2_RANGE = (1.0, 100.0)  # a saturation above 100 % does not exist
PRESSURE_RANGE = (10.0, 300.0)  # no cuff is inflated further (IEC 80601-2-30)

_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3})?", re.ASCII)
_LEAD = re.compile(r"ECG-(I{1,3})(?:-.*)?", re.ASCII)
_APNEA_DELAY = re.compile(r"APNEA: ?(\d+ SEC|OFF)", re.ASCII)
_PULSE = re.compile(r"PR=(.*)", re.ASCII)
_SIGNALS = ("respiration", "pleth", "P1", "P2")
_NEW_PRESSURE = "NIBP: another blood pressure, waiting for a second packet to say the same"
_UNMAPPED = {
    "ETCO2": "end-tidal CO2, unit not stated",
    "P1": "invasive pressure",
    "P2": "invasive pressure",
    "T1": "temperature, unit not stated",
    "T2": "temperature, unit not stated",
}
_WORDS = (
    (re.compile(r"\b(LEADS?|ELECTRODES?|SENSOR|PROBE) OFF\b"), Status.SENSOR_OFF),
    (re.compile(r"\bNO (TRANSDUCER|SENSOR|PROBE|CABLE)\b"), Status.SENSOR_DISCONNECTED),
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The monitor sends on its own and takes no orders: there is nothing to set."""


class Ivy450C:
    """Emit what every packet says; thinning out is the edge's business."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._monitor = Monitor()

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode until the link is lost."""
        decoder = Decoder()
        identified = False
        async for chunk in link:
            for item in decoder.feed(chunk.data):
                if isinstance(item, Skipped):
                    await emit(item)
                    continue
                if not item.is_aligned:
                    self._host.count("packets_damaged")
                elif not identified:
                    self._host.identify(InstrumentId(DRIVER))
                    identified = True
                for said in self._monitor.read(item, chunk.at):
                    await emit(said)


class Monitor:
    """The monitor over time: remembers only what was said last, to tell a change."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        self._pressure_seen: tuple[str, ...] = ()
        self._pressure_agreed: tuple[str, ...] = ()

    def read(self, packet: Packet, at: Instant) -> list[Item]:
        """Return what one packet means, in the order of the module's table."""
        text, unknown = _text_of(packet)
        items: list[Item] = []
        if packet.is_aligned:
            items += _waveforms(packet, _lead(text), at)
        for name, measure in _MEASURES:
            if name not in text:
                continue
            if name == "NIBP" and not self._agrees(text[name].values):
                items.append(Notice(NoticeKind.STATE, _NEW_PRESSURE, at))
            else:
                items.append(measure(text[name], at))
        items += self._notices(text, unknown, at)
        return items

    def _agrees(self, pressure: tuple[str, ...]) -> bool:
        """Whether a blood pressure is the first seen, the one last passed on, or said twice."""
        agrees = pressure in {self._pressure_agreed, self._pressure_seen}
        agrees = agrees or not self._pressure_agreed
        self._pressure_seen = pressure
        if agrees:
            self._pressure_agreed = pressure
        return agrees

    def _notices(
        self, text: dict[str, Parameter], unknown: list[str], at: Instant
    ) -> Iterator[Notice]:
        for name in NAMES:
            if name in text:
                yield from self._alarm(name, text[name].alarm, at)
        for name, what in _UNMAPPED.items():
            if name in text and (said := _shown(text[name])) != self._told.get(name, ""):
                self._told[name] = said
                if said:
                    yield Notice(NoticeKind.UNMAPPED, f"{name}, {what}: {said}", at)
        lines = ", ".join(unknown)
        if lines != self._told.get("", ""):
            self._told[""] = lines
            if lines:
                yield Notice(NoticeKind.UNMAPPED, f"lines not understood: {lines}", at)

    def _alarm(self, name: str, alarm: str, at: Instant) -> Iterator[Notice]:
        key = f"{name} alarm"
        if alarm != self._told.get(key, ""):
            self._told[key] = alarm
            yield Notice(NoticeKind.ALARM, f"{name}: {alarm}" if alarm else f"{key} ended", at)


def _text_of(packet: Packet) -> tuple[dict[str, Parameter], list[str]]:
    """Return the parameters of a packet and the names of lines that are none.

    Of a line not understood only the name is shown, for nobody knows what else may stand there.
    A parameter that comes twice contradicts itself and counts as not understood.
    """
    text: dict[str, Parameter] = {}
    unknown: set[str] = set()
    for line in (*packet.lines, packet.rest):
        parameter = parse(line)
        name = parameter.name if parameter else _name(line)
        if parameter and name in _FIELDS and len(parameter.values) == _FIELDS[name]:
            if name in text:
                unknown.add(name)
            text[name] = parameter
        elif line:
            unknown.add(name)
    return {name: said for name, said in text.items() if name not in unknown}, sorted(unknown)


_FIELDS = dict.fromkeys(NAMES, 1) | {"NIBP": 4, "P1": 3, "P2": 3}


def _name(line: bytes) -> str:
    match = re.match(rb"([A-Z][A-Z0-9]{0,7})=", line)
    return match[1].decode("ascii") if match else "?"


def _shown(parameter: Parameter) -> str:
    values = "/".join(parameter.values) if any(parameter.values) else ""
    return " ".join(part for part in (values, parameter.label) if part)


def _lead(text: dict[str, Parameter]) -> str:
    match = _LEAD.fullmatch(text["HR"].label) if "HR" in text else None
    return match[1] if match else "ECG"


def _waveforms(packet: Packet, lead: str, at: Instant) -> Iterator[Waveform]:
    if not _is_off(packet.ecg):
        millivolts = (_steps(packet.ecg) - ECG_ZERO) * ECG_MV_PER_STEP
        yield Waveform((lead,), ECG_FS, Unit.MILLIVOLT, millivolts[np.newaxis], at)
    for signal, wave in zip(_SIGNALS, packet.slow_waves, strict=True):
        if not _is_off(wave):
            yield Waveform((signal,), SLOW_FS, Unit.UNSCALED, _steps(wave)[np.newaxis], at)


def _steps(wave: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.frombuffer(wave, np.uint8).astype(np.float64)


def _is_off(wave: bytes) -> bool:
    return wave.count(OFF) == len(wave)


def _heart_rate(said: Parameter, at: Instant) -> Measurement:
    reading = _reading(Metric.HEART_RATE, Unit.PER_MIN, said.values[0], RATE_RANGE)
    return _measurement(Kind.HEART_RATE, said, (reading,), at)


def _respiration(said: Parameter, at: Instant) -> Measurement:
    reading = _reading(Metric.RESPIRATION_RATE, Unit.PER_MIN, said.values[0], RESPIRATION_RANGE)
    is_zero = _number(said.values[0]) == 0.0
    in_label = "APNEA" in said.label and (is_zero or not _APNEA_DELAY.fullmatch(said.label))
    apnea = "APNEA" in said.alarm or in_label
    if apnea and is_zero:
        reading = Reading(Metric.RESPIRATION_RATE, 0.0, Unit.PER_MIN)
    flags = frozenset({Flag.APNEA, Flag.ALARM} if apnea else ())
    return _measurement(Kind.RESPIRATION, said, (reading,), at, flags)


def _oximetry(said: Parameter, at: Instant) -> Measurement:
    pulse = _PULSE.fullmatch(said.label)
    readings = (
        _reading(Metric.SPO2, Unit.PERCENT, said.values[0], SPO2_RANGE),
        _reading(Metric.PULSE_RATE, Unit.PER_MIN, pulse[1] if pulse else "", RATE_RANGE),
    )
    return _measurement(Kind.OXIMETRY, said, readings, at)


def _blood_pressure(said: Parameter, at: Instant) -> Measurement:
    metrics = (Metric.SYSTOLIC, Metric.DIASTOLIC, Metric.MEAN_PRESSURE)
    pressures = tuple(
        _reading(metric, Unit.MMHG, text, PRESSURE_RANGE)
        for metric, text in zip(metrics, said.values[:3], strict=True)
    )
    systolic, diastolic, mean = (reading.value for reading in pressures)
    falling = [value for value in (systolic, mean, diastolic) if value is not None]
    if falling != sorted(falling, reverse=True) or (systolic is not None and systolic == diastolic):
        # Which of them is wrong cannot be told, so none is right.
        pressures = tuple(
            reading if reading.value is None else _without(reading, Status.IMPLAUSIBLE)
            for reading in pressures
        )
    pulse = _reading(Metric.PULSE_RATE, Unit.PER_MIN, said.values[3], RATE_RANGE)
    return _measurement(Kind.BLOOD_PRESSURE, said, (*pressures, pulse), at)


_MEASURES = (
    ("HR", _heart_rate),
    ("RR", _respiration),
    ("SPO2", _oximetry),
    ("NIBP", _blood_pressure),
)


def _measurement(
    kind: Kind,
    said: Parameter,
    readings: tuple[Reading, ...],
    at: Instant,
    flags: frozenset[Flag] = frozenset(),
) -> Measurement:
    """Return one act of measuring; words that disown the sensor take its numbers away."""
    words = f"{said.label} {said.alarm}"
    for pattern, status in _WORDS:
        if pattern.search(words):
            readings = tuple(_without(reading, status) for reading in readings)
    if said.alarm:
        flags |= {Flag.ALARM}
    texts = (("label", said.label), ("alarm", said.alarm))
    evidence = tuple((name, text) for name, text in texts if text)
    return Measurement(kind, readings, at, said.line + CR, flags=flags, evidence=evidence)


def _reading(metric: Metric, unit: Unit, text: str, limits: tuple[float, float]) -> Reading:
    """Return the number a field says or why there is none; 0 is how a monitor says nothing."""
    value = _number(text)
    if value is None:
        blank = not text.strip("- ")
        return Reading(metric, None, unit, Status.NO_VALUE if blank else Status.NOT_A_NUMBER)
    if value == 0.0:
        return Reading(metric, None, unit, Status.NO_VALUE)
    if not limits[0] <= value <= limits[1]:
        return Reading(metric, None, unit, Status.IMPLAUSIBLE)
    return Reading(metric, value, unit)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def _without(reading: Reading, status: Status) -> Reading:
    return Reading(reading.metric, None, reading.unit, status)
