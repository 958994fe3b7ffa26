"""Maibobo arm-in blood-pressure kiosk: one measurement at the end of each, failed ones included.

The kiosk is started by its own button and sends by itself; where `identify` is granted the hub
opens the connection first, as the programs it comes with do. It is never started from here.

Live      a result comes when the measurement ends; its clock is evidence, not the value's time. One
          that comes again byte for byte is counted and not taken. The pressure in the cuff shows
          when it began
Failed    an error, with its words where they are known
"""

from dataclasses import replace

import msgspec

from drivers.contract import ByteLink, Emit, Host, Write
from drivers.inflation import Inflation
from drivers.model import (
    Flag,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Skipped,
    Status,
    Unit,
)
from drivers.plausibility import pressures, reading
from drivers.protocols.maibobo import (
    CONNECT,
    CUFF_PRESSURE,
    ERROR,
    ERRORS,
    RESULT,
    RESULT_BYTES,
    Decoder,
    Frame,
    command,
)
from drivers.sessions import Dialogue

DRIVER = "maibobo"
ANSWER_S = 0.2
ATTEMPTS = 5
LISTEN_S = 600.0

_WRONG_POSITION = frozenset({0x02, 0x06})


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kiosk sends on its own; baud is the link's."""


class Maibobo:
    """Emit a measurement for each result and each error."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._last = b""
        self._identified = False
        self._inflation = Inflation()

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Open the connection where granted, and decode until the link is lost."""

        async def other(item: Frame | Skipped, at: Instant) -> None:
            if isinstance(item, Skipped):
                await emit(item)
            elif (told := self._read(item, at)) is not None:
                await emit(told)

        async with Dialogue(self._host, link, Decoder(), other) as talk:
            for _ in range(ATTEMPTS):
                question = command(CONNECT)
                if await talk.ask(Write.IDENTIFY, question, _is_connection, ANSWER_S):
                    break
            while True:
                await talk.listen(LISTEN_S)

    def _read(self, frame: Frame, at: Instant) -> Measurement | None:
        if not self._identified:
            self._host.identify(InstrumentId(DRIVER))
            self._identified = True
        if frame.code == CUFF_PRESSURE and frame.data:
            self._inflation.saw(float(int.from_bytes(frame.data, "big")), at)
        if frame.code == ERROR and frame.data:
            self._inflation = Inflation()
            return failure(frame, at)
        if frame.code != RESULT or len(frame.data) != RESULT_BYTES:
            return None
        if frame.raw == self._last:
            self._host.count("results_repeated")
            return None
        self._last = frame.raw
        told = measurement(frame, at)
        return replace(told, began=self._inflation.result(told.readings, at.mono_ns))


def measurement(frame: Frame, at: Instant) -> Measurement:
    """Return what a result says."""
    year, month, day, hour, minute, second = frame.data[1:7]
    numbers = (frame.data[place : place + 2] for place in (7, 9, 11))
    systolic, diastolic, pulse = (int.from_bytes(number, "big") for number in numbers)
    readings = (
        *pressures(systolic, diastolic),
        reading(Metric.PULSE_RATE, pulse, Unit.PER_MIN),
    )
    clock = f"{2000 + year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    return Measurement(Kind.BLOOD_PRESSURE, readings, at, frame.raw, evidence=(("clock", clock),))


def failure(frame: Frame, at: Instant) -> Measurement:
    """Return the measurement that ended in an error."""
    error = frame.data[0]
    readings = (
        *pressures(None, None, status=Status.FAILED),
        reading(Metric.PULSE_RATE, None, Unit.PER_MIN, Status.FAILED),
    )
    flags = frozenset({Flag.WRONG_POSITION} if error in _WRONG_POSITION else ())
    text = f"{error:02X}, {ERRORS.get(error, 'not documented')}"
    return Measurement(
        Kind.BLOOD_PRESSURE, readings, at, frame.raw, flags=flags, evidence=(("error", text),)
    )


def _is_connection(frame: Frame) -> bool:
    return frame.code == CONNECT
