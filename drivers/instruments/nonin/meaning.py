"""What the frames of a Nonin oximeter mean.

The value of a stream is the one for display (SpO2-D, HR-D; Data Format 8 has no other): it is what
stands on the instrument and what a person compares with before it is filed. Display values are
held for 10 s after the finger has gone; a held value is not passed on:

sensor alarm, sensor disconnected    no value, however good the number looks
out of track                         no value: for some time there was no good pulse to measure
recording average missing (511, 127) no value, although the display still shows one
artifact on a pulse, weak perfusion  the value, flagged

The perfusion light is lit for 12 frames a pulse, so most packets at a slow pulse show none: the
last one seen stands until the next, or until there is no value. The waveform is a gap while no
finger is in. A saturation or a pulse of 0, a saturation above 100 % or a pulse outside the 18 to
321 /min that these instruments state, is no patient's.
"""

import numpy as np

from drivers.instruments.nonin.introduction import Learnt
from drivers.model import (
    DeviceTime,
    Flag,
    Instant,
    Item,
    Kind,
    Measurement,
    Metric,
    Reading,
    Status,
    Unit,
    Waveform,
)
from drivers.protocols.nonin_df8 import SecondFrame, SecondStatus, Stat2
from drivers.protocols.nonin_df13 import SpotCheck, SpotStatus
from drivers.protocols.nonin_stream import FS, FrameStatus, PlethPacket

SPO2_RANGE = (1, 100)
PULSE_RANGE = (18, 321)

_NO_FINGER = FrameStatus.SENSOR_ALARM | FrameStatus.SENSOR_DISCONNECTED
_LIGHT = FrameStatus.RED | FrameStatus.GREEN
_PERFUSION = {FrameStatus.RED: Flag.LOW_PERFUSION, _LIGHT: Flag.MEDIUM_PERFUSION}


class Stream:
    """The packets of one session in order; remembers only the perfusion light last seen."""

    def __init__(self) -> None:
        self._light = FrameStatus(0)

    def packet(self, packet: PlethPacket, at: Instant) -> list[Item]:
        """Return waveform and measurement of a packet of Data Format 2 or 7."""
        seen = packet.seen
        status = _status(
            disconnected=FrameStatus.SENSOR_DISCONNECTED in seen,
            alarm=FrameStatus.SENSOR_ALARM in seen,
            out_of_track=FrameStatus.OUT_OF_TRACK in seen,
        )
        readings = (
            _displayed(Metric.SPO2, packet.spo2_display, packet.spo2, status),
            _displayed(Metric.PULSE_RATE, packet.heart_rate_display, packet.heart_rate, status),
        )
        self._see_light(packet, status)
        flags = _flags(
            (Flag.ARTIFACT, FrameStatus.ARTIFACT in seen),
            (Flag.OUT_OF_TRACK, FrameStatus.OUT_OF_TRACK in seen),
            (Flag.GOOD_QUALITY, packet.smartpoint),
            (Flag.LOW_BATTERY, packet.low_battery),
        )
        if self._light in _PERFUSION:
            flags |= {_PERFUSION[self._light]}
        measurement = Measurement(
            Kind.OXIMETRY,
            readings,
            at,
            packet.raw,
            flags=flags,
            evidence=_evidence(packet.data_format),
        )
        return [_waveform(packet, at), measurement]

    def _see_light(self, packet: PlethPacket, status: Status) -> None:
        if status is not Status.OK:
            self._light = FrameStatus(0)
            return
        lights = [FrameStatus(byte) & _LIGHT for byte in packet.status if byte & _LIGHT]
        if lights:
            self._light = lights[-1]


def second(frame: SecondFrame, at: Instant) -> Measurement:
    """Return the measurement in a frame of Data Format 8."""
    status = _status(
        disconnected=bool(frame.status & SecondStatus.SENSOR_DISCONNECTED),
        alarm=bool(frame.stat2 & Stat2.SENSOR_ALARM),
        out_of_track=bool(frame.status & SecondStatus.OUT_OF_TRACK),
    )
    flags = _flags(
        (Flag.ARTIFACT, frame.status & SecondStatus.ARTIFACT),
        (Flag.OUT_OF_TRACK, frame.status & SecondStatus.OUT_OF_TRACK),
        (Flag.LOW_PERFUSION, frame.status & SecondStatus.LOW_PERFUSION),
        (Flag.MEDIUM_PERFUSION, frame.status & SecondStatus.MARGINAL_PERFUSION),
        (Flag.GOOD_QUALITY, frame.stat2 & Stat2.SMARTPOINT),
        (Flag.LOW_BATTERY, frame.stat2 & Stat2.LOW_BATTERY),
    )
    readings = (
        _reading(Metric.SPO2, frame.spo2, status),
        _reading(Metric.PULSE_RATE, frame.heart_rate, status),
    )
    return Measurement(Kind.OXIMETRY, readings, at, frame.raw, flags=flags, evidence=_evidence(8))


def spot_check(
    record: SpotCheck, at: Instant, learnt: Learnt, kept: tuple[int, ...]
) -> Measurement:
    """Return the measurement in a record of Data Format 13.

    A record whose time is unreadable is flagged from-memory, so that nobody takes it for fresh.
    """
    from_memory = bool(record.status & SpotStatus.FROM_MEMORY)
    failed = bool(record.status & SpotStatus.NO_MEASUREMENT)
    status = Status.FAILED if failed else Status.OK
    time = _device_time(record, at, learnt, from_memory=from_memory)
    flags = _flags(
        (Flag.FROM_MEMORY, from_memory or time is None),
        (Flag.QUESTIONABLE, time is None),
        (Flag.GOOD_QUALITY, record.status & SpotStatus.SMARTPOINT),
        (Flag.LOW_BATTERY, record.status & SpotStatus.LOW_BATTERY),
    )
    readings = (
        _reading(Metric.SPO2, record.spo2, status),
        _reading(Metric.PULSE_RATE, record.heart_rate, status),
    )
    return Measurement(
        Kind.OXIMETRY,
        readings,
        at,
        record.raw,
        device_time=time,
        flags=flags,
        evidence=_evidence(13),
        kept=kept,
    )


def _device_time(
    record: SpotCheck, at: Instant, learnt: Learnt, *, from_memory: bool
) -> DeviceTime | None:
    taken = record.taken
    if taken is None:
        return None
    # The field counts hundredths, but a clock that leaves them at 0 counts seconds.
    resolution_s = 0.01 if taken.microsecond else 1.0
    return learnt.device_time(taken, resolution_s, at, from_memory=from_memory)


def _waveform(packet: PlethPacket, at: Instant) -> Waveform:
    samples = np.array(packet.pleth, dtype=np.float64)
    samples[[bool(byte & _NO_FINGER) for byte in packet.status]] = np.nan
    return Waveform(("pleth",), FS, Unit.UNSCALED, samples[np.newaxis], at)


def _status(*, disconnected: bool, alarm: bool, out_of_track: bool) -> Status:
    if disconnected:
        return Status.SENSOR_DISCONNECTED
    if alarm:
        return Status.SENSOR_OFF
    return Status.ARTIFACT if out_of_track else Status.OK


def _displayed(
    metric: Metric, displayed: int | None, recorded: int | None, status: Status
) -> Reading:
    """Return the displayed value, unless the recording average says that it is only held."""
    held = status is Status.OK and displayed is not None and recorded is None
    return _reading(metric, displayed, Status.NO_VALUE if held else status)


def _reading(metric: Metric, value: int | None, status: Status) -> Reading:
    """Return the value if the instrument stands by it (`status`) and a patient can have it."""
    unit, (low, high) = _SCALE[metric]
    if status is Status.OK:
        if value is None:
            status = Status.NOT_A_NUMBER
        elif value == 0:
            status = Status.NO_VALUE
        elif not low <= value <= high:
            status = Status.IMPLAUSIBLE
    return Reading(metric, float(value) if value and status is Status.OK else None, unit, status)


_SCALE = {
    Metric.SPO2: (Unit.PERCENT, SPO2_RANGE),
    Metric.PULSE_RATE: (Unit.PER_MIN, PULSE_RANGE),
}


def _flags(*said: tuple[Flag, object]) -> frozenset[Flag]:
    return frozenset(flag for flag, is_set in said if is_set)


def _evidence(data_format: int) -> tuple[tuple[str, str], ...]:
    value = "spot check" if data_format == 13 else "as displayed"
    return (("data-format", str(data_format)), ("value", value))
